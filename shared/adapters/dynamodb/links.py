"""Links: saved once under their code, listed by programme and by partner."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from shared import names
from shared.adapters.dynamodb import keys, lists
from shared.adapters.dynamodb.click_caps import ClickCaps
from shared.adapters.dynamodb.client import get
from shared.adapters.dynamodb.link_rows import link_from, link_row
from shared.adapters.dynamodb.transactions import (
    ABSENT,
    ConditionFailedError,
    put_new,
    transact,
    update,
)
from shared.domain.errors import ConflictError
from shared.domain.links import Link

if TYPE_CHECKING:
    from types_boto3_dynamodb import DynamoDBClient

_LISTED_BY: Final = (names.LIST_PK, names.LIST_SK, names.PARTNER_PK, names.PARTNER_SK)


@dataclass(frozen=True, slots=True, kw_only=True)
class Links:
    """Links in the core table."""

    client: "DynamoDBClient"
    core: str

    def link(self, code: str) -> Link | None:
        """Read a link consistently."""
        row = get(self.client, self.core, keys.link(code))
        return link_from(row) if row else None

    def add_link(self, link: Link, *, mark: str) -> Link:
        """Store a link; answer the stored one if this very request stored it before.

        Raises:
            ConflictError: ``code_taken`` when the code is or was somebody's.
        """
        # Codes don't sort by age, so the list entry begins with the time.
        entry = f"{link.created_at.isoformat()}#{link.code}"
        row = {
            **link_row(link),
            **keys.in_list(lists.LINKS, link.program_id, entry, spread_by=link.code),
            **keys.of_partner(lists.LINKS, link.partner_id, entry),
            "created_by": mark,
        }
        try:
            transact(self.client, [put_new(self.core, keys.link(link.code), row)])
        except ConditionFailedError as error:
            found = error.failed.get(0)
            if found and found.get("created_by") == mark:
                return link_from(found)
            raise ConflictError("code_taken", "this code is taken") from error
        return link

    def save_link(self, link: Link, *, changed: Sequence[str]) -> Link:
        """Write the ``changed`` fields if the link is still in the version that was read.

        Raises:
            StaleVersionError: when somebody else wrote first.
        """
        row = link_row(link)
        return self._write(link, {name: row[name] for name in changed})

    def retire_link(self, link: Link) -> Link:
        """Write that the link is retired; the row stays and keeps its code from being given away.

        Raises:
            StaleVersionError: when somebody else wrote first.
        """
        row = link_row(link)
        assign = {name: row[name] for name in ("disabled", "retired_at")}
        return self._write(link, assign, remove=_LISTED_BY)

    def clicks_under_cap(self, link: Link) -> int:
        """Return what is counted since the link has its cap."""
        return ClickCaps(client=self.client, core=self.core).tally(link).clicks

    def _write(self, link: Link, assign: Mapping[str, object], remove: Sequence[str] = ()) -> Link:
        # Links that were stored before they could be changed have no version.
        expect = {"version": link.version or ABSENT}
        after = replace(link, version=link.version + 1)
        operation = update(
            self.core,
            keys.link(link.code),
            assign={**assign, "version": after.version},
            remove=remove,
            expect=expect,
        )
        transact(self.client, [operation])
        return after

"""Links: saved once under their code, listed by programme and by partner."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from shared.adapters.dynamodb import keys, lists
from shared.adapters.dynamodb.client import get
from shared.adapters.dynamodb.link_rows import link_from, link_row
from shared.adapters.dynamodb.transactions import ConditionFailedError, put_new, transact
from shared.domain.errors import ConflictError
from shared.domain.links import Link

if TYPE_CHECKING:
    from types_boto3_dynamodb import DynamoDBClient


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

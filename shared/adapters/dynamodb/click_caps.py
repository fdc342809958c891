"""Links with a click cap, and the tallies that close them."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from shared import names
from shared.adapters.dynamodb import keys
from shared.adapters.dynamodb.client import get, get_many
from shared.adapters.dynamodb.counter_rows import marks_from, marks_row
from shared.adapters.dynamodb.link_rows import link_from
from shared.adapters.dynamodb.transactions import ABSENT, put, transact, update
from shared.domain.click_caps import CapTally, empty_tally
from shared.domain.links import Link

if TYPE_CHECKING:
    from types_boto3_dynamodb import DynamoDBClient


@dataclass(frozen=True, slots=True, kw_only=True)
class ClickCaps:
    """Caps in the core table."""

    client: "DynamoDBClient"
    core: str

    def capped(self, codes: Iterable[str]) -> set[str]:
        """Return the codes among these whose links have a cap now."""
        wanted = [keys.link(code) for code in codes]
        rows = get_many(self.client, self.core, wanted, consistent=True)
        return {link.code for link in map(link_from, rows.values()) if link.click_cap}

    def link(self, code: str) -> Link | None:
        """Read a link consistently."""
        row = get(self.client, self.core, keys.link(code))
        return link_from(row) if row else None

    def tally(self, link: Link) -> CapTally:
        """Read what is counted since the link has its cap; zero if nothing was yet."""
        tally = empty_tally(link, link.cap_from or link.created_at)
        row = get(self.client, self.core, _key(tally))
        if row is None:
            return tally
        return CapTally(
            program_id=tally.program_id,
            partner_id=tally.partner_id,
            code=tally.code,
            since=tally.since,
            clicks=row["clicks"],
            marks=marks_from(row["marks"]),
            version=row["version"],
        )

    def save_tally(self, tally: CapTally) -> None:
        """Write a tally that is still as it was read.

        Raises:
            StaleVersionError: somebody else wrote it first, or this very write came through.
            UnavailableError: when the store does not answer.
        """
        expect = {"version": tally.version} if tally.version else {names.PK: ABSENT}
        row = {
            "code": tally.code,
            "since": tally.since.isoformat(),
            "clicks": tally.clicks,
            "marks": marks_row(tally.marks),
            "version": tally.version + 1,
        }
        transact(self.client, [put(self.core, _key(tally), row, expect=expect)])

    def close(self, link: Link) -> None:
        """Mark a link as at its cap, if the cap is still the one that was read.

        Raises:
            StaleVersionError: somebody changed the cap.
            UnavailableError: when the store does not answer.
        """
        expect = {"click_cap": link.click_cap, "cap_from": _text(link.cap_from)}
        operation = update(
            self.core, keys.link(link.code), assign={"cap_reached": True}, expect=expect
        )
        transact(self.client, [operation])


def _key(tally: CapTally) -> keys.Key:
    since = tally.since.isoformat()
    return keys.cap_tally(tally.program_id, tally.partner_id, tally.code, since)


def _text(moment: datetime | None) -> str:
    return moment.isoformat() if moment else ""

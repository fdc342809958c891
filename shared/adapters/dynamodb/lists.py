"""Lists over the sparse indexes: the shards of one list merged, newest first."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from shared import names
from shared.adapters.dynamodb import keys
from shared.adapters.dynamodb.client import query
from shared.adapters.dynamodb.codec import Item

if TYPE_CHECKING:
    from types_boto3_dynamodb import DynamoDBClient

PROGRAMS: Final = "PRG"
PARTNERS: Final = "PTR"
LINKS: Final = "LNK"
SOURCES: Final = "SRC"
REFERRALS: Final = "REF"
API_KEYS: Final = "KEY"
FX_RATES: Final = "FX"
ADJUSTMENTS: Final = "ADJ"
PARKED_EVENTS: Final = "PARKED_EVENT"
EVERYWHERE: Final = "all"
"""Scope of lists that belong to no programme."""

_BY_LIST: Final = (names.INDEX_LIST, names.LIST_PK, names.LIST_SK)
_BY_PARTNER: Final = (names.INDEX_PARTNER, names.PARTNER_PK, names.PARTNER_SK)


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """Some rows of a list and where the next page begins; empty at the end."""

    rows: tuple[Item, ...]
    after: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Lists:
    """Lists of the core table. They follow the table by moments and decide nothing."""

    client: "DynamoDBClient"
    core: str

    def page(self, kind: str, scope: str, *, after: str, limit: int) -> Page:
        """Return one page of the list ``kind`` of a programme, or of ``EVERYWHERE``."""
        return self._merged(keys.list_partitions(kind, scope), _BY_LIST, after, limit)

    def of_partner(self, kind: str, partner_id: str, *, after: str, limit: int) -> Page:
        """Return one page of a partner's list ``kind``."""
        partition = keys.of_partner(kind, partner_id, "")[names.PARTNER_PK]
        return self._merged([partition], _BY_PARTNER, after, limit)

    def _merged(
        self, partitions: Sequence[str], index: tuple[str, str, str], after: str, limit: int
    ) -> Page:
        sort_name = index[2]
        found: list[Item] = []
        for partition in partitions:
            # One row more than asked for tells whether there is a next page.
            found += query(
                self.client,
                self.core,
                partition,
                index=index,
                before=after,
                limit=limit + 1,
                newest_first=True,
            )
        found.sort(key=lambda row: str(row[sort_name]), reverse=True)
        rows = tuple(found[:limit])
        more = len(found) > limit
        return Page(rows=rows, after=str(rows[-1][sort_name]) if more else "")

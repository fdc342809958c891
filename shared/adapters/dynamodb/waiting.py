"""Words left by parked deliveries for the referral that they name, which is not there yet.

A word lies beside the row that the submission will write: the click's, the lead's or the link's.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Final

from shared.adapters.dynamodb import keys, outbox
from shared.adapters.dynamodb.client import get, query
from shared.adapters.dynamodb.codec import Item
from shared.adapters.dynamodb.referrals import referral_from
from shared.adapters.dynamodb.transactions import (
    ConditionFailedError,
    Operation,
    delete,
    put,
    transact,
)
from shared.domain.deliveries import CLICK, LEAD, Awaited, Awaiting, Delivery
from shared.domain.events import Event
from shared.domain.referrals import Referral
from shared.names import PK, TTL

if TYPE_CHECKING:
    from types_boto3_dynamodb import DynamoDBClient

    from shared.adapters.dynamodb.keys import Key

LEAD_CLAIM: Final = "lead_claim"
"""Attribute of a referral's head: the keyed hash under which its lead is claimed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Waits:
    """Referrals and the words left for them, in the core table."""

    client: "DynamoDBClient"
    core: str

    def referral(self, referral_id: str) -> Referral | None:
        """Read the head of a referral consistently."""
        row = get(self.client, self.core, keys.referral(referral_id))
        return referral_from(row) if row else None

    def lead_of(self, referral_id: str) -> str | None:
        """Read the keyed hash of a referral's lead; None if it claims none."""
        row = get(self.client, self.core, keys.referral(referral_id))
        return row.get(LEAD_CLAIM) if row else None

    def open_referrals(self, code: str, limit: int) -> list[str]:
        """Read which referrals came by a link and have no deal yet."""
        partition, prefix = keys.open_referral(code, "")
        rows = query(self.client, self.core, partition, prefix=prefix, limit=limit)
        return [str(row["sk"]).removeprefix(prefix) for row in rows]

    def awaiting(self, awaited: Awaited, program_id: str) -> Iterator[Awaiting]:
        """Read which deliveries of a programme wait for a referral, consistently."""
        partition, prefix = keys.all_waiting_for(_place(awaited, program_id))
        for row in query(self.client, self.core, partition, prefix=prefix):
            # A click and a code stand for themselves, whatever programme a sender is of.
            if row["program_id"] == program_id:
                yield Awaiting(
                    awaited=awaited,
                    delivery_id=row["delivery_id"],
                    source_id=row["source_id"],
                    program_id=row["program_id"],
                    deal_id=row["deal_id"],
                )

    def announce_awaiting(self, awaiting: Awaiting, event: Event, *, now: datetime) -> bool:
        """Take a word away and store the event that answers it; False if it is gone already."""
        place = _place(awaiting.awaited, awaiting.program_id)
        key = keys.waiting_for(place, awaiting.delivery_id, awaiting.deal_id)
        answered = delete(self.core, key, expect={PK: key[0]})
        try:
            transact(self.client, [answered, outbox.stored(self.core, event, now=now)])
        except ConditionFailedError:
            return False
        return True


def leave_word(
    core: str, parked: Delivery, deal_id: str, awaited: Sequence[Awaited], *, expires_at: int
) -> list[Operation]:
    """Return the writes that leave word of a parked delivery for each evidence."""
    row: Item = {
        "delivery_id": parked.delivery_id,
        "source_id": parked.source_id,
        "program_id": parked.program_id,
        "deal_id": deal_id,
        TTL: expires_at,
    }
    return [put(core, key, row) for key in _words(parked, deal_id, awaited)]


def take_word_back(
    core: str, settled: Delivery, deal_id: str, awaited: Sequence[Awaited]
) -> list[Operation]:
    """Return the writes that remove what a delivery left word of, if it is still there."""
    return [delete(core, key) for key in _words(settled, deal_id, awaited)]


def with_claim(row: Mapping[str, object], claim: str | None) -> Item:
    """Return a new referral's head row with the claim by which its deliveries find it."""
    return {**row, LEAD_CLAIM: claim} if claim else dict(row)


def _words(delivery: Delivery, deal_id: str, awaited: Sequence[Awaited]) -> "list[Key]":
    places = [_place(each, delivery.program_id) for each in awaited]
    return [keys.waiting_for(place, delivery.delivery_id, deal_id) for place in places]


def _place(awaited: Awaited, program_id: str) -> "Key":
    if awaited.kind == CLICK:
        return keys.touch(awaited.value)
    if awaited.kind == LEAD:
        return keys.lead_claim(program_id, awaited.value)
    return keys.link(awaited.value)

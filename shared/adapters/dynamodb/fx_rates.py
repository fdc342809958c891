"""Dated exchange rates of programmes."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime
from typing import TYPE_CHECKING

from shared import names
from shared.adapters.dynamodb import keys, lists, outbox
from shared.adapters.dynamodb.client import query
from shared.adapters.dynamodb.codec import Item
from shared.adapters.dynamodb.transactions import (
    ConditionFailedError,
    delete,
    put,
    put_new,
    transact,
)
from shared.domain.errors import ConflictError
from shared.domain.events import Event
from shared.domain.fx_rates import FxRate

if TYPE_CHECKING:
    from types_boto3_dynamodb import DynamoDBClient


def rate_row(rate: FxRate) -> Item:
    """Return the row of a rate with its list entry."""
    on = rate.on.isoformat()
    return {
        "program_id": rate.program_id,
        "currency": rate.currency,
        "ledger_currency": rate.ledger_currency,
        "rate": rate.rate,
        "on": on,
        "added_by": rate.added_by,
        "added_at": rate.added_at.isoformat(),
        **keys.in_list(lists.FX_RATES, rate.program_id, f"{on}#{rate.currency}", spread_by=on),
    }


def rate_from(row: Item) -> FxRate:
    """Return a rate from its row."""
    return FxRate(
        program_id=row["program_id"],
        currency=row["currency"],
        ledger_currency=row["ledger_currency"],
        rate=row["rate"],
        on=date.fromisoformat(row["on"]),
        added_by=row["added_by"],
        added_at=datetime.fromisoformat(row["added_at"]),
    )


def rate_on(
    client: "DynamoDBClient", table: str, program_id: str, currency: str, on: date
) -> tuple[str, str] | None:
    """Return (rate, its day) of the newest rate that is not younger than ``on``, consistently."""
    partition, day = keys.fx_rate(program_id, currency, on.isoformat())
    # "$" sorts behind the end of a text: the day itself is among those before it.
    rows = query(client, table, partition, before=f"{day}$", limit=1, newest_first=True)
    for row in rows:
        return row["rate"], row["on"]
    return None


def await_rate(
    client: "DynamoDBClient", table: str, program_id: str, currency: str, referral_id: str
) -> None:
    """Leave word that a referral waits for a rate. Whoever left it must look for one again."""
    key = keys.awaiting_rate(program_id, currency, referral_id)
    transact(client, [put(table, key, {"referral_id": referral_id})])


@dataclass(frozen=True, slots=True, kw_only=True)
class AwaitedRates:
    """Which referrals wait for rates, in the core table."""

    client: "DynamoDBClient"
    core: str

    def awaiting(self, program_id: str, currency: str) -> Iterator[str]:
        """Read which referrals wait for a rate of the currency, consistently."""
        partition, prefix = keys.awaiting_rate(program_id, currency)
        for row in query(self.client, self.core, partition, prefix=prefix):
            yield row["referral_id"]

    def announce(
        self, program_id: str, currency: str, referral_id: str, event: Event, *, now: datetime
    ) -> bool:
        """Take a word away and store the event that answers it; False if it is gone already."""
        key = keys.awaiting_rate(program_id, currency, referral_id)
        answered = delete(self.core, key, expect={names.PK: key[0]})
        try:
            transact(self.client, [answered, outbox.stored(self.core, event, now=now)])
        except ConditionFailedError:
            return False
        return True


@dataclass(frozen=True, slots=True, kw_only=True)
class FxRates:
    """Rates in the core table."""

    client: "DynamoDBClient"
    core: str

    def add_rate(self, rate: FxRate, event: Event, *, mark: str) -> FxRate:
        """Store a rate and its event; answer the stored one if this very request did so before.

        Raises:
            ConflictError: ``rate_exists`` when the day has one.
        """
        row = {**rate_row(rate), "created_by": mark}
        key = keys.fx_rate(rate.program_id, rate.currency, rate.on.isoformat())
        try:
            stored = outbox.stored(self.core, event, now=rate.added_at)
            transact(self.client, [put_new(self.core, key, row), stored])
        except ConditionFailedError as error:
            found = error.failed.get(0)
            if found and found.get("created_by") == mark:
                return rate_from(found)
            raise ConflictError("rate_exists", "this day has a rate already") from error
        return rate

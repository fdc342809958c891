"""Adjustments by hand in the core table, and their posting."""

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from shared.adapters.dynamodb import keys, lists
from shared.adapters.dynamodb.client import get
from shared.adapters.dynamodb.codec import Item
from shared.adapters.dynamodb.ledger import DynamoLedger
from shared.adapters.dynamodb.outbox import stored
from shared.adapters.dynamodb.partners import enrolment_from
from shared.adapters.dynamodb.programs import program_from
from shared.adapters.dynamodb.transactions import ConditionFailedError, put_new, transact, update
from shared.domain.adjustments import APPROVED, WAITING, Adjustment
from shared.domain.events import Event
from shared.domain.partners import Enrolment
from shared.domain.posting import Posting
from shared.domain.programs import Program

if TYPE_CHECKING:
    from types_boto3_dynamodb import DynamoDBClient

_TIMES = ("requested_at", "expires_at", "approved_at", "posted_at")


def adjustment_row(adjustment: Adjustment) -> Item:
    """Return the row of an adjustment with its list entry."""
    row: Item = {name: getattr(adjustment, name) for name in Adjustment.__dataclass_fields__}
    for name in _TIMES:
        row[name] = row[name].isoformat() if row[name] else None
    listed = keys.in_list(
        lists.ADJUSTMENTS,
        adjustment.program_id,
        f"{row['requested_at']}#{adjustment.adjustment_id}",
        spread_by=adjustment.adjustment_id,
    )
    return {**row, **listed}


def adjustment_from(row: Item) -> Adjustment:
    """Return an adjustment from its row."""
    fields = {name: row.get(name) for name in Adjustment.__dataclass_fields__}
    for name in _TIMES:
        fields[name] = datetime.fromisoformat(str(fields[name])) if fields[name] else None
    return Adjustment(**fields)  # type: ignore[arg-type] # as adjustment_row wrote them


def read_adjustment(
    client: "DynamoDBClient", core_table: str, adjustment_id: str
) -> Adjustment | None:
    """Read an adjustment consistently."""
    row = get(client, core_table, keys.adjustment(adjustment_id))
    return adjustment_from(row) if row else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Adjustments:
    """Satisfies ``ports.AdjustmentStore`` with the core table. Every read is consistent."""

    client: "DynamoDBClient"
    core: str

    def program(self, program_id: str) -> Program | None:
        """Read a programme."""
        row = get(self.client, self.core, keys.program(program_id))
        return program_from(row) if row else None

    def enrolment(self, partner_id: str, program_id: str) -> Enrolment | None:
        """Read a partner's enrolment."""
        row = get(self.client, self.core, keys.enrolment(partner_id, program_id))
        return enrolment_from(row) if row else None

    def adjustment(self, adjustment_id: str) -> Adjustment | None:
        """Read an adjustment."""
        return read_adjustment(self.client, self.core, adjustment_id)

    def add_adjustment(self, adjustment: Adjustment, event: Event | None) -> Adjustment:
        """Store an adjustment with its event; answer the stored one if this request stored it.

        Raises:
            StaleVersionError: when the id is taken.
        """
        key = keys.adjustment(adjustment.adjustment_id)
        operations = [put_new(self.core, key, adjustment_row(adjustment))]
        if event:
            operations.append(stored(self.core, event, now=adjustment.requested_at))
        try:
            transact(self.client, operations)
        except ConditionFailedError as error:
            found = error.failed.get(0)
            if found and found.get("mark") == adjustment.mark:
                return adjustment_from(found)
            raise
        return adjustment

    def approve(self, adjustment: Adjustment, event: Event) -> None:
        """Write who approved it, with the event, if it still waits.

        Raises:
            StaleVersionError: when it waits no longer.
        """
        row = adjustment_row(adjustment)
        assign = {name: row[name] for name in ("state", "approved_by", "approved_at")}
        key = keys.adjustment(adjustment.adjustment_id)
        transact(
            self.client,
            [
                update(self.core, key, assign=assign, expect={"state": WAITING}),
                stored(self.core, event, now=event.occurred_at),
            ],
        )


class AdjustmentsLedger(DynamoLedger):
    """Satisfies ``ports.AdjustmentLedger``: a ledger that posts adjustments too."""

    def adjustment(self, adjustment_id: str) -> Adjustment | None:
        """Read an adjustment."""
        return read_adjustment(self._client, self._core, adjustment_id)

    def post_adjustment(self, posting: Posting, adjustment: Adjustment) -> None:
        """Store the posting, and that the adjustment is posted, all or nothing.

        Raises:
            StaleVersionError: when it was posted already, or the file or book changed.
        """
        row = adjustment_row(adjustment)
        closed = update(
            self._core,
            keys.adjustment(adjustment.adjustment_id),
            assign={name: row[name] for name in ("state", "posted_at")},
            expect={"state": APPROVED},
        )
        transact(self._client, [*self._operations(posting), closed])

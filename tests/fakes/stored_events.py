"""Events for tests of the outbox, and the stream batches that carry them."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from shared.adapters.dynamodb.outbox import stored
from shared.adapters.dynamodb.transactions import transact
from shared.domain.events import FACTS_CHANGED, REWARD_POSTED, Event

if TYPE_CHECKING:
    from tests.fakes.memory_dynamodb import MemoryDynamo

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
CORE = "core"


def an_event(number: int = 1, **changes: Any) -> Event:  # noqa: ANN401 - any field
    """An event that nobody answers."""
    fields: dict[str, Any] = {
        "event_id": f"evt_{number:026d}",
        "name": REWARD_POSTED,
        "occurred_at": NOW,
        "program_id": "prg_1",
        "aggregate_type": "referral",
        "aggregate_id": "ref_1",
        "aggregate_version": number,
        "correlation_id": "cor_1",
        "causation_id": "dlv_1",
        "hops": 1,
        "data": {"referral_id": "ref_1"},
    }
    return Event(**{**fields, **changes})


def a_question(number: int = 1, **changes: Any) -> Event:  # noqa: ANN401 - any field
    """An event that the evaluation answers."""
    return an_event(number, **{"name": FACTS_CHANGED, **changes})


def store_event(dynamo: MemoryDynamo, event: Event, *, now: datetime = NOW) -> None:
    transact(dynamo, [stored(CORE, event, now=now)])


def row_of(dynamo: MemoryDynamo, event: Event) -> dict[str, Any]:
    rows = dynamo.dump().get(CORE, [])
    return next(row for row in rows if row["pk"] == f"OUT#{event.event_id}")


def waiting_ids(dynamo: MemoryDynamo) -> list[str]:
    rows = dynamo.dump().get(CORE, [])
    return [row["pk"].removeprefix("OUT#") for row in rows if "due_pk" in row]

"""Event names and the one envelope that all events share."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

DELIVERY_RECEIVED: Final = "DeliveryReceived"
FACTS_CHANGED: Final = "FactsChanged"
REWARD_POSTED: Final = "RewardPosted"
REWARD_MATURED: Final = "RewardMatured"

MONEY_PATH: Final = (DELIVERY_RECEIVED, FACTS_CHANGED)
"""The two events that lead to money."""

SIMULATION_REQUESTED: Final = "SimulationRequested"
MIGRATION_REQUESTED: Final = "MigrationRequested"

EVALUATED: Final = (*MONEY_PATH, SIMULATION_REQUESTED, MIGRATION_REQUESTED)
"""All that reaches ``evaluate_reward``: beside money, the steps of long jobs."""

SCHEMA_VERSION: Final = 1
MAX_HOPS: Final = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """What happened, stored in the outbox in the transaction that made it true.

    ``hops`` counts how many events stand between this one and the outside world; an event that
    passed ``MAX_HOPS`` is refused, which stops loops.
    """

    event_id: str
    name: str
    occurred_at: datetime
    program_id: str
    aggregate_type: str
    aggregate_id: str
    aggregate_version: int
    correlation_id: str
    causation_id: str
    hops: int
    data: dict[str, Any]

    def envelope(self) -> dict[str, Any]:
        """Return the event as the JSON object that goes on the bus."""
        return {
            "event_id": self.event_id,
            "occurred_at": self.occurred_at.isoformat(),
            "schema_version": SCHEMA_VERSION,
            "correlation_id": self.correlation_id,
            "causation_id": self.causation_id,
            "hops": self.hops,
            "program_id": self.program_id,
            "aggregate": {
                "type": self.aggregate_type,
                "id": self.aggregate_id,
                "version": self.aggregate_version,
            },
            "data": self.data,
        }

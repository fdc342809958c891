"""What publishing needs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

# Only for the type checker, so that a function loads no more of the domain than it uses.
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import datetime

    from shared.domain.outgoing import Outcome, Outgoing


class Outbox(Protocol):
    """Stored events on their way to the bus. Marks may be written twice."""

    def unsent(self, *, before: datetime, limit: int) -> Sequence[Outgoing]:
        """Return events stored before a moment that are neither sent nor parked."""

    def mark_sent(self, event_id: str, *, now: datetime) -> None:
        """Remember that the bus has the event."""

    def park(self, event_id: str, reason: str, *, now: datetime) -> None:
        """Set an event aside that can't be published as it is; the row stays."""


class Bus(Protocol):
    """Where events go."""

    def publish(self, events: Sequence[Outgoing]) -> Iterator[tuple[Outgoing, Outcome]]:
        """Yield the outcome of each event; stop early once the bus is too busy to go on."""

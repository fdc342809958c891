"""What publishing needs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

# Only for the type checker, so that a function loads no more of the domain than it uses.
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import datetime

    from shared.domain.outgoing import Outcome, Outgoing, StoredEvent


class Outbox(Protocol):
    """Stored events on their way. Marks may be written twice; one that is done stays done."""

    def waiting(self, *, before: datetime, limit: int) -> Sequence[Outgoing]:
        """Return events that were to be looked at before a moment, as the sweep sends them."""

    def mark_sent(self, event_id: str, *, now: datetime) -> None:
        """Remember that the bus has an event that nobody answers: it is done."""

    def wait_on(self, event: Outgoing, *, now: datetime) -> None:
        """Remember that the sweep sent an event, and when to look for the answer to it."""

    def park(self, event_id: str, reason: str, *, now: datetime) -> None:
        """Set an event aside that gets nowhere; the row stays."""


class ParkedEvents(Protocol):
    """Events that were set aside."""

    def event(self, event_id: str) -> StoredEvent | None:
        """Read an event."""

    def release(self, event: StoredEvent, *, now: datetime) -> None:
        """Put a parked event back among the waiting ones, unless somebody did already."""


class Bus(Protocol):
    """Where events go."""

    def publish(self, events: Sequence[Outgoing]) -> Iterator[tuple[Outgoing, Outcome]]:
        """Yield the outcome of each event; stop early once the bus is too busy to go on."""

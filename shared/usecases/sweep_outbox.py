"""Publish again what stream, bus or queue lost."""

from dataclasses import dataclass
from datetime import datetime

from shared.ports import Bus, Outbox
from shared.usecases.publish_events import publish_events


@dataclass(frozen=True, slots=True, kw_only=True)
class Swept:
    """How many events one sweep published, parked, and had to leave for the next."""

    published: int
    parked: int
    failed: int


def sweep_outbox(outbox: Outbox, bus: Bus, *, now: datetime, limit: int) -> Swept:
    """Publish up to about ``limit`` events that have waited for too long.

    One that was sent in vain as often as ``outgoing.WAITS`` allows is parked.

    Raises:
        UnavailableError: when the store can't be read.
    """
    waiting = outbox.waiting(before=now, limit=limit)
    result = publish_events(waiting, outbox, bus, now=now)
    return Swept(published=len(result.sent), parked=len(result.parked), failed=len(result.undone))

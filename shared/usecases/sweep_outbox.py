"""Publish what the stream lost."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from shared.ports import Bus, Outbox
from shared.usecases.publish_events import publish_events

GRACE: Final = timedelta(seconds=60)
"""How long the stream has for an event before the sweep takes it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Swept:
    """How many events one sweep published, parked, and had to leave for the next."""

    published: int
    parked: int
    failed: int


def sweep_outbox(outbox: Outbox, bus: Bus, *, now: datetime, limit: int) -> Swept:
    """Publish up to about ``limit`` events that still wait after ``GRACE``.

    Raises:
        UnavailableError: when the store can't be read.
    """
    waiting = outbox.unsent(before=now - GRACE, limit=limit)
    result = publish_events(waiting, outbox, bus, now=now)
    return Swept(published=len(result.sent), parked=len(result.parked), failed=len(result.undone))

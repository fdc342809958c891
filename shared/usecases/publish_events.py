"""Put stored events on the bus and note it where nobody else will."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from shared.domain.errors import UnavailableError
from shared.domain.outgoing import Outgoing
from shared.ports import Bus, Outbox


@dataclass(frozen=True, slots=True, kw_only=True)
class Published:
    """What became of the events, as event ids in the order in which they were given.

    ``undone`` ones were not sent, or that was not noted: they must be tried again.
    """

    sent: tuple[str, ...]
    parked: tuple[str, ...]
    undone: tuple[str, ...]


def publish_events(
    waiting: Sequence[Outgoing], outbox: Outbox, bus: Bus, *, now: datetime
) -> Published:
    """Publish every event that can be, park those that never can, and tell which remain.

    An event may go out twice, with the same ``event_id``: consumers must not mind. An outage is
    no error here but a longer ``undone``.
    """
    flaws = {one.event_id: one.flaw() for one in waiting}
    sent: set[str] = set()
    parked: set[str] = set()
    for event_id, flaw in flaws.items():
        if flaw and _is_parked(outbox, event_id, flaw, now):
            parked.add(event_id)
    for one, outcome in bus.publish([one for one in waiting if not flaws[one.event_id]]):
        if outcome == "sent" and _is_noted(outbox, one, now):
            sent.add(one.event_id)
        if outcome == "refused" and _is_parked(outbox, one.event_id, "refused_by_bus", now):
            parked.add(one.event_id)
    ids = list(flaws)
    return Published(
        sent=tuple(event_id for event_id in ids if event_id in sent),
        parked=tuple(event_id for event_id in ids if event_id in parked),
        undone=tuple(event_id for event_id in ids if event_id not in sent | parked),
    )


def _is_noted(outbox: Outbox, one: Outgoing, now: datetime) -> bool:
    # One row that can't be written must not hide what happened to the others.
    try:
        if not one.is_answered:
            outbox.mark_sent(one.event_id, now=now)
        elif one.sweep:
            outbox.wait_on(one, now=now)
        # What the stream brings is due as it was stored: only the answer ends the waiting.
    except UnavailableError:
        return False
    return True


def _is_parked(outbox: Outbox, event_id: str, reason: str, now: datetime) -> bool:
    try:
        outbox.park(event_id, reason, now=now)
    except UnavailableError:
        return False
    return True

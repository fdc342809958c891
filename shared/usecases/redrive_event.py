"""Redrive an event: let one that was set aside be sent again."""

from datetime import datetime

from shared.domain.errors import NotFoundError
from shared.domain.outgoing import StoredEvent
from shared.ports import ParkedEvents


def redrive_event(events: ParkedEvents, event_id: str, *, now: datetime) -> StoredEvent:
    """Let a parked event be sent again, say after its cause was mended; one that isn't is left.

    Raises:
        NotFoundError: when there is no such event.
        UnavailableError: when the store does not answer.
    """
    event = events.event(event_id)
    if event is None:
        raise NotFoundError
    if event.state != "parked":
        return event
    events.release(event, now=now)
    return events.event(event_id) or event

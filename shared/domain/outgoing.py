"""Events that wait in the outbox: what makes one unfit for the bus, and when one is looked at.

An event that our own evaluation handles waits until the evaluation has answered; whatever loses
it on the way, stream, bus or queue, it is sent again. Any other event waits until the bus has it.
"""

import json
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final, Literal

from shared.domain.events import EVALUATED, MAX_HOPS

Flaw = Literal[
    "", "incomplete_row", "malformed_envelope", "other_event", "too_many_hops", "not_handled"
]

State = Literal["waiting", "parked", "done"]

Outcome = Literal["sent", "refused", "busy"]
"""What the bus says about one event: it has it, will never take it, or may take it later."""

GRACE: Final = timedelta(seconds=60)
"""How long the stream has for an event that nobody answers, before the sweep takes it."""

WAITS: Final = (
    timedelta(minutes=15),
    timedelta(hours=1),
    timedelta(hours=4),
    timedelta(hours=12),
    timedelta(hours=24),
    timedelta(hours=24),
)
"""How long an answer may take: at first, and after each time that the sweep sent the event.

The first is longer than a queue takes for two tries, so that a message that waits its turn is
seldom sent twice. All but the last make more than a day and a half: so long may everything be
lost and still come right without anybody's help.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outgoing:
    """One stored event as the bus will get it; ``envelope`` is JSON text.

    ``name`` and ``envelope`` are empty when the row does not hold them. ``sweep`` tells which
    sending by the sweep this is; 0 means that it comes from the stream.
    """

    event_id: str
    name: str
    envelope: str
    sweep: int = 0

    def flaw(self) -> Flaw:
        """Return why no try will ever publish this event, or an empty string."""
        if not self.name or not self.envelope:
            return "incomplete_row"
        envelope = read_envelope(self.envelope)
        if not isinstance(envelope.get("hops"), int):
            return "malformed_envelope"
        if envelope.get("event_id") != self.event_id:
            return "other_event"
        if envelope["hops"] > MAX_HOPS:
            return "too_many_hops"
        return "not_handled" if self.sweep >= len(WAITS) else ""

    @property
    def is_answered(self) -> bool:
        """Tell whether the evaluation answers when it has handled the event."""
        return self.name in EVALUATED

    def next_look(self, now: datetime) -> datetime:
        """Return when to look again for the answer to an event that was sent now."""
        return now + WAITS[self.sweep]


def first_look(name: str, stored_at: datetime) -> datetime:
    """Return when the sweep looks for the first time whether a stored event got through."""
    return stored_at + (WAITS[0] if name in EVALUATED else GRACE)


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredEvent:
    """One event of the outbox, as who looks after it sees it.

    ``reason`` tells why it is parked, and ``error`` what its handling failed with last. Texts are
    empty, and ``stored_at`` is None, when the row does not hold them.
    """

    event_id: str
    name: str
    envelope: str
    state: State
    stored_at: datetime | None = None
    parked_at: datetime | None = None
    reason: str = ""
    error: str = ""


def read_envelope(text: str) -> dict[str, Any]:
    """Return the JSON object of an envelope; it is empty when the text holds none."""
    try:
        envelope = json.loads(text)
    except (ValueError, RecursionError):
        return {}
    return envelope if isinstance(envelope, dict) else {}

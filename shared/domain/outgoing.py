"""Events that wait in the outbox, and what makes one unfit for the bus."""

import json
from dataclasses import dataclass
from typing import Literal

from shared.domain.events import MAX_HOPS

Flaw = Literal["", "incomplete_row", "malformed_envelope", "other_event", "too_many_hops"]

Outcome = Literal["sent", "refused", "busy"]
"""What the bus says about one event: it has it, will never take it, or may take it later."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outgoing:
    """One stored event as the bus will get it; ``envelope`` is JSON text.

    ``name`` and ``envelope`` are empty when the row does not hold them.
    """

    event_id: str
    name: str
    envelope: str

    def flaw(self) -> Flaw:
        """Return why no try will ever publish this event, or an empty string."""
        if not self.name or not self.envelope:
            return "incomplete_row"
        try:
            envelope = json.loads(self.envelope)
        except (ValueError, RecursionError):
            return "malformed_envelope"
        if not isinstance(envelope, dict) or not isinstance(envelope.get("hops"), int):
            return "malformed_envelope"
        if envelope.get("event_id") != self.event_id:
            return "other_event"
        return "too_many_hops" if envelope["hops"] > MAX_HOPS else ""

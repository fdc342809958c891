"""The event bus: PutEvents within its limits, with every entry of the answer checked."""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Final

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from shared import names
from shared.domain.outgoing import Outcome, Outgoing

if TYPE_CHECKING:
    from types_boto3_events import EventBridgeClient
    from types_boto3_events.type_defs import PutEventsRequestEntryTypeDef

MAX_ENTRIES: Final = 10
MAX_REQUEST_BYTES: Final = 1_000_000

# The entry itself is at fault, so no later try helps. All other codes are outages or missing
# permissions, which somebody mends.
_REFUSED: Final = frozenset({"MalformedDetail", "InvalidArgument", "ValidationException"})

_CONFIG: Final = Config(
    retries={"mode": "standard", "total_max_attempts": 3},
    connect_timeout=1,
    read_timeout=3,
)


def events_client() -> "EventBridgeClient":
    """Return a client with explicit timeouts and few retries."""
    return boto3.client("events", config=_CONFIG)


class EventBus:
    """One bus."""

    def __init__(self, client: "EventBridgeClient", bus: str) -> None:
        self._client = client
        self._bus = bus

    def publish(self, events: Sequence[Outgoing]) -> Iterator[tuple[Outgoing, Outcome]]:
        """Yield each event's outcome, request by request; stop after one with a busy entry.

        Events that are not yielded were not tried.
        """
        for batch in _batches(events):
            outcomes = self._put(batch)
            yield from zip(batch, outcomes, strict=True)
            if "busy" in outcomes:
                return

    def _put(self, batch: Sequence[Outgoing]) -> list[Outcome]:
        try:
            answer = self._client.put_events(Entries=[self._entry(event) for event in batch])
        except ClientError as error:
            if error.response["Error"]["Code"] not in _REFUSED:
                return ["busy"] * len(batch)
            if len(batch) == 1:
                return ["refused"]
            # One bad entry spoils the whole request, so each goes alone.
            return [outcome for event in batch for outcome in self._put([event])]
        except BotoCoreError:
            return ["busy"] * len(batch)
        told: list[Outcome] = [
            "sent" if entry.get("EventId") else _refusal(entry.get("ErrorCode", ""))
            for entry in answer["Entries"][: len(batch)]
        ]
        # Silence about an entry is no promise.
        return told + ["busy"] * (len(batch) - len(told))

    def _entry(self, event: Outgoing) -> "PutEventsRequestEntryTypeDef":
        return {
            "Source": names.EVENT_SOURCE,
            "DetailType": event.name,
            "Detail": event.envelope,
            "EventBusName": self._bus,
        }


def _refusal(code: str) -> Outcome:
    return "refused" if code in _REFUSED else "busy"


def _batches(events: Sequence[Outgoing]) -> Iterator[list[Outgoing]]:
    batch: list[Outgoing] = []
    size = 0
    for event in events:
        own = len((names.EVENT_SOURCE + event.name + event.envelope).encode())
        if batch and (len(batch) == MAX_ENTRIES or size + own > MAX_REQUEST_BYTES):
            yield batch
            batch, size = [], 0
        batch.append(event)
        size += own
    if batch:
        yield batch

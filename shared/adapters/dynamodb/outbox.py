"""The outbox: events stored in the transaction that made them true, published afterwards.

A row is in the index of due work until it is done: handled by the evaluation, or on the bus if
nobody answers. It is looked at when it is due, and goes away a week after it was done.
"""

import json
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

from botocore.exceptions import BotoCoreError, ClientError

from shared import names
from shared.adapters.dynamodb import keys
from shared.adapters.dynamodb.client import get, query, unavailable
from shared.adapters.dynamodb.codec import Item
from shared.adapters.dynamodb.lists import EVERYWHERE, PARKED_EVENTS
from shared.adapters.dynamodb.transactions import ABSENT, Operation, put_new, update
from shared.domain.events import Event
from shared.domain.outgoing import Outgoing, State, StoredEvent, first_look

if TYPE_CHECKING:
    from types_boto3_dynamodb import DynamoDBClient

_KEPT: Final = timedelta(days=7)
_DUE: Final = (names.INDEX_DUE, names.DUE_PK, names.DUE_SK)
_IN_LIST: Final = (names.LIST_PK, names.LIST_SK)
_PARKED: Final = ("parked_at", "parked_reason", "failed_with")


def stored(table: str, event: Event, *, now: datetime) -> Operation:
    """Return the write that stores ``event`` as waiting; add it to the event's own transaction."""
    return put_new(
        table,
        keys.outgoing(event.event_id),
        {
            "event_id": event.event_id,
            "name": event.name,
            "envelope": json.dumps(event.envelope(), separators=(",", ":")),
            "stored_at": now.isoformat(),
            **_due(event.event_id, first_look(event.name, now)),
        },
    )


def _due(event_id: str, when: datetime) -> dict[str, str]:
    return keys.due(keys.DUE_OUTBOX, when.isoformat(), spread_by=event_id)


def outgoing_in(record: Mapping[str, Any]) -> Outgoing | None:
    """Return the event that a stream record brings, or None if it brings none."""
    change = record["dynamodb"]
    partition = change["Keys"][names.PK]["S"]
    if record["eventName"] != "INSERT" or not partition.startswith(names.OUTBOX_PREFIX):
        return None
    image = change.get("NewImage") or {}
    texts = {name: image.get(name, {}).get("S") for name in ("name", "envelope")}
    return _outgoing({**texts, names.PK: partition})


def _outgoing(row: Item, *, sweep: int = 0) -> Outgoing:
    # The id comes from the key, so that a row with anything else amiss can still be parked.
    return Outgoing(
        event_id=_event_id(row),
        name=_text(row, "name"),
        envelope=_text(row, "envelope"),
        sweep=sweep,
    )


def _event_id(row: Item) -> str:
    return str(row[names.PK]).removeprefix(names.OUTBOX_PREFIX)


def _text(row: Item, name: str) -> str:
    value = row.get(name)
    return value if isinstance(value, str) else ""


def event_from(row: Item) -> StoredEvent:
    """Return the event of a row, as far as the row holds it."""
    state: State = "waiting" if names.DUE_PK in row else "done"
    return StoredEvent(
        event_id=_event_id(row),
        name=_text(row, "name"),
        envelope=_text(row, "envelope"),
        state="parked" if "parked_at" in row else state,
        stored_at=_moment(row, "stored_at"),
        parked_at=_moment(row, "parked_at"),
        reason=_text(row, "parked_reason"),
        error=_text(row, "failed_with"),
    )


def _moment(row: Item, name: str) -> datetime | None:
    text = _text(row, name)
    return datetime.fromisoformat(text) if text else None


class OutboxRows:
    """The outbox in the core table."""

    def __init__(self, client: "DynamoDBClient", table: str) -> None:
        self._client = client
        self._table = table

    def waiting(self, *, before: datetime, limit: int) -> Sequence[Outgoing]:
        """Return events due before a moment, the longest due first in each partition.

        Every partition gets an equal share of ``limit``, rounded up.

        Raises:
            UnavailableError: when the store does not answer.
        """
        partitions = keys.due_partitions(keys.DUE_OUTBOX)
        share = -(-limit // len(partitions))
        rows = (
            row
            for partition in partitions
            for row in query(
                self._client,
                self._table,
                partition,
                index=_DUE,
                before=before.isoformat(),
                limit=share,
            )
        )
        return [_outgoing(row, sweep=int(row.get("sweeps", 0)) + 1) for row in rows]

    def event(self, event_id: str) -> StoredEvent | None:
        """Read an event."""
        row = get(self._client, self._table, keys.outgoing(event_id))
        return event_from(row) if row else None

    def mark_sent(self, event_id: str, *, now: datetime) -> None:
        """Note that the bus has an event that nobody answers; its row goes after seven days.

        Raises:
            UnavailableError: when the store does not answer.
        """
        self._finish(event_id, "sent_at", now)

    def wait_on(self, event: Outgoing, *, now: datetime) -> None:
        """Note that the sweep sent an event, and when to look for the answer to it.

        Raises:
            UnavailableError: when the store does not answer.
        """
        due = _due(event.event_id, event.next_look(now))
        assign = {"sent_at": now.isoformat(), "sweeps": event.sweep, **due}
        self._change(event.event_id, assign=assign)

    def acknowledge(self, event_id: str, *, now: datetime) -> None:
        """Note that an event was handled, whatever became of it before; once is enough.

        Raises:
            UnavailableError: when the store does not answer.
        """
        self._finish(event_id, "handled_at", now)

    def note_failure(self, event_id: str, error: str) -> None:
        """Note what the handling of an event failed with; the text is a code of ours.

        Raises:
            UnavailableError: when the store does not answer.
        """
        self._change(event_id, assign={"failed_with": error})

    def park(self, event_id: str, reason: str, *, now: datetime) -> None:
        """Take an event out of the waiting ones and list it as parked; its row stays for good.

        Raises:
            UnavailableError: when the store does not answer.
        """
        entry = keys.in_list(PARKED_EVENTS, EVERYWHERE, event_id, spread_by=event_id)
        assign = {"parked_at": now.isoformat(), "parked_reason": reason, **entry}
        self._change(event_id, assign=assign, remove=_DUE[1:])

    def release(self, event: StoredEvent, *, now: datetime) -> None:
        """Put a parked event back among the waiting ones, for the next sweep, with all its tries.

        One that is no longer parked as it was read is left alone.

        Raises:
            UnavailableError: when the store does not answer.
        """
        if event.parked_at:
            self._change(
                event.event_id,
                assign=_due(event.event_id, now),
                remove=("sweeps", *_IN_LIST, *_PARKED),
                expect={"parked_at": event.parked_at.isoformat()},
            )

    def _finish(self, event_id: str, mark: str, now: datetime) -> None:
        self._change(
            event_id,
            assign={mark: now.isoformat(), names.TTL: int((now + _KEPT).timestamp())},
            remove=(*_DUE[1:], *_IN_LIST, *_PARKED),
        )

    def _change(
        self,
        event_id: str,
        *,
        assign: Item,
        remove: Sequence[str] = (),
        expect: Mapping[str, object] | None = None,
    ) -> None:
        operation = update(
            self._table,
            keys.outgoing(event_id),
            assign=assign,
            remove=remove,
            # A row that is gone stays gone, and one that was handled stays as it is: whoever
            # marks it has read it earlier.
            expect={names.SK: keys.outgoing(event_id)[1], "handled_at": ABSENT, **(expect or {})},
        )
        try:
            self._client.update_item(**operation["Update"])
        except ClientError as error:
            if error.response["Error"]["Code"] != "ConditionalCheckFailedException":
                raise unavailable(error) from error
        except BotoCoreError as error:
            raise unavailable(error) from error

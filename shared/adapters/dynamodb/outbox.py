"""The outbox: events stored in the transaction that made them true, published afterwards."""

import json
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

from botocore.exceptions import BotoCoreError, ClientError

from shared import names
from shared.adapters.dynamodb import keys
from shared.adapters.dynamodb.client import query, unavailable
from shared.adapters.dynamodb.codec import Item
from shared.adapters.dynamodb.transactions import Operation, put_new, update
from shared.domain.events import Event
from shared.domain.outgoing import Outgoing

if TYPE_CHECKING:
    from types_boto3_dynamodb import DynamoDBClient

_KEPT: Final = timedelta(days=7)
_DUE: Final = (names.INDEX_DUE, names.DUE_PK, names.DUE_SK)
_LIST: Final = (names.INDEX_LIST, names.LIST_PK, names.LIST_SK)
_PARKED_MARKS: Final = ("parked_at", "parked_reason")

# Parked events are listed for the operator, whatever programme they belong to.
_PARKED: Final = "PARKED_EVENT"
_EVERY_PROGRAM: Final = "all"


def stored(table: str, event: Event, *, now: datetime) -> Operation:
    """Return the write that stores ``event`` as unsent; add it to the event's own transaction."""
    return put_new(
        table,
        keys.outgoing(event.event_id),
        {
            "event_id": event.event_id,
            "name": event.name,
            "envelope": json.dumps(event.envelope(), separators=(",", ":")),
            "stored_at": now.isoformat(),
            **keys.due(keys.DUE_OUTBOX, now.isoformat(), spread_by=event.event_id),
        },
    )


def outgoing_in(record: Mapping[str, Any]) -> Outgoing | None:
    """Return the event that a stream record brings, or None if it brings none."""
    change = record["dynamodb"]
    partition = change["Keys"][names.PK]["S"]
    if record["eventName"] != "INSERT" or not partition.startswith(names.OUTBOX_PREFIX):
        return None
    image = change.get("NewImage") or {}
    texts = {name: image.get(name, {}).get("S") for name in ("name", "envelope")}
    return _outgoing({**texts, names.PK: partition})


def _outgoing(row: Item) -> Outgoing:
    # The id comes from the key, so that a row with anything else amiss can still be parked.
    name, envelope = row.get("name"), row.get("envelope")
    return Outgoing(
        event_id=row[names.PK].removeprefix(names.OUTBOX_PREFIX),
        name=name if isinstance(name, str) else "",
        envelope=envelope if isinstance(envelope, str) else "",
    )


class OutboxRows:
    """The outbox in the core table."""

    def __init__(self, client: "DynamoDBClient", table: str) -> None:
        self._client = client
        self._table = table

    def unsent(self, *, before: datetime, limit: int) -> Sequence[Outgoing]:
        """Return events stored before a moment that wait, oldest first in each partition.

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
        return [_outgoing(row) for row in rows]

    def parked(self, *, limit: int) -> Sequence[Item]:
        """Return the rows of up to about ``limit`` parked events with their reasons.

        Raises:
            UnavailableError: when the store does not answer.
        """
        partitions = keys.list_partitions(_PARKED, _EVERY_PROGRAM)
        share = -(-limit // len(partitions))
        return [
            row
            for partition in partitions
            for row in query(self._client, self._table, partition, index=_LIST, limit=share)
        ]

    def mark_sent(self, event_id: str, *, now: datetime) -> None:
        """Take the event out of the unsent ones; its row goes away after seven days.

        Raises:
            UnavailableError: when the store does not answer.
        """
        gone_at = int((now + _KEPT).timestamp())
        self._change(
            event_id,
            assign={"sent_at": now.isoformat(), names.TTL: gone_at},
            remove=(*_DUE[1:], *_LIST[1:], *_PARKED_MARKS),
        )

    def park(self, event_id: str, reason: str, *, now: datetime) -> None:
        """Take the event out of the unsent ones and list it as parked; its row stays for good.

        Raises:
            UnavailableError: when the store does not answer.
        """
        entry = keys.in_list(_PARKED, _EVERY_PROGRAM, event_id, spread_by=event_id)
        self._change(
            event_id,
            assign={"parked_at": now.isoformat(), "parked_reason": reason, **entry},
            remove=_DUE[1:],
        )

    def release(self, event_id: str, *, now: datetime) -> None:
        """Put a parked event back among the unsent ones, for the next sweep.

        Raises:
            UnavailableError: when the store does not answer.
        """
        self._change(
            event_id,
            assign=keys.due(keys.DUE_OUTBOX, now.isoformat(), spread_by=event_id),
            remove=(*_LIST[1:], *_PARKED_MARKS),
        )

    def _change(self, event_id: str, *, assign: Item, remove: Sequence[str]) -> None:
        operation = update(
            self._table,
            keys.outgoing(event_id),
            assign=assign,
            remove=remove,
            # A row that is gone stays gone: its event was sent days ago.
            expect={names.SK: keys.outgoing(event_id)[1]},
        )
        try:
            self._client.update_item(**operation["Update"])
        except ClientError as error:
            if error.response["Error"]["Code"] != "ConditionalCheckFailedException":
                raise unavailable(error) from error
        except BotoCoreError as error:
            raise unavailable(error) from error

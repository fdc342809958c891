"""Counters of clicks in the core table, and the clicks that they are made of."""

import hashlib
import re
import sys
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from typing import TYPE_CHECKING, Any, Final

from botocore.exceptions import BotoCoreError, ClientError

from shared import names
from shared.adapters.dynamodb import keys
from shared.adapters.dynamodb.client import get, get_many, query, unavailable
from shared.adapters.dynamodb.codec import from_wire, to_wire
from shared.adapters.dynamodb.counter_rows import SHARD_BYTES, counter_from, counter_row
from shared.adapters.dynamodb.link_rows import click_from
from shared.adapters.dynamodb.transactions import ABSENT, put
from shared.domain.activity import Arrival, Counter, CounterId
from shared.domain.clicks import Click
from shared.domain.errors import StaleVersionError

if TYPE_CHECKING:
    from types_boto3_dynamodb import DynamoDBClient

_DAY_MILLISECONDS: Final = 86_400_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Activity:
    """The counters."""

    client: "DynamoDBClient"
    core: str

    def counter(self, counter_id: CounterId) -> Counter:
        """Return a counter; one of zeros if it was never written.

        Raises:
            UnavailableError: when the store does not answer.
        """
        row = get(self.client, self.core, _key(counter_id))
        return counter_from(row) if row else Counter(counter_id=counter_id)

    def known(self, counter_ids: Iterable[CounterId]) -> dict[CounterId, Counter]:
        """Return counters as they are or were a moment ago; of zeros if not seen yet.

        Raises:
            UnavailableError: when the store does not answer.
        """
        wanted = {_key(counter_id): counter_id for counter_id in counter_ids}
        rows = get_many(self.client, self.core, [*wanted], consistent=False)
        return {
            counter_id: counter_from(rows[key]) if key in rows else Counter(counter_id=counter_id)
            for key, counter_id in wanted.items()
        }

    def save(self, counter: Counter) -> None:
        """Write a counter that is still as it was read.

        Raises:
            StaleVersionError: somebody else wrote it first, or this very write came through.
            UnavailableError: when the store does not answer.
        """
        expect = {"version": counter.version} if counter.version else {names.PK: ABSENT}
        operation = put(self.core, _key(counter.counter_id), counter_row(counter), expect=expect)[
            "Put"
        ]
        try:
            self.client.put_item(**operation)
        except ClientError as error:
            if error.response["Error"]["Code"] == "ConditionalCheckFailedException":
                raise StaleVersionError from error
            raise unavailable(error) from error
        except BotoCoreError as error:
            raise unavailable(error) from error

    def counters(
        self, program_id: str, partner_id: str, first: date, last: date
    ) -> Iterator[Counter]:
        """Yield the counters of a partner's links, or of the programme (no partner), by day.

        Raises:
            UnavailableError: when the store does not answer.
        """
        partition = keys.activity_partition(program_id, partner_id)
        # Sort keys begin with a day and go on, so a bare day sorts before all of its own.
        rows = query(
            self.client,
            self.core,
            partition,
            after=first.isoformat(),
            before=(last + timedelta(days=1)).isoformat(),
        )
        for row in rows:
            yield counter_from(row)


@dataclass(frozen=True, slots=True, kw_only=True)
class Clicks:
    """The clicks themselves, all of them: for recounting, never for answering a request."""

    client: "DynamoDBClient"
    table: str

    def of_day(self, program_id: str, day: date) -> Iterator[Click]:
        """Yield a programme's clicks of a day (UTC), in no order; reads the whole table.

        Raises:
            UnavailableError: when the store does not answer.
        """
        start = int(datetime.combine(day, time(), UTC).timestamp()) * 1_000
        request: dict[str, Any] = {
            "TableName": self.table,
            "ConsistentRead": True,
            "FilterExpression": "#p = :p AND #t >= :a AND #t < :z",
            "ExpressionAttributeNames": {"#p": "p", "#t": "t"},
            "ExpressionAttributeValues": to_wire(
                {":p": program_id, ":a": start, ":z": start + _DAY_MILLISECONDS}
            ),
        }
        while True:
            try:
                answer = self.client.scan(**request)
            except (BotoCoreError, ClientError) as error:
                raise unavailable(error) from error
            for item in answer["Items"]:
                # One that can't be read was parked when the stream brought it.
                with suppress(ValueError):
                    yield _slim(click_from(from_wire(item)))
            if "LastEvaluatedKey" not in answer:
                return
            request["ExclusiveStartKey"] = answer["LastEvaluatedKey"]


def _slim(click: Click) -> Click:
    # A day's clicks are held together; most of their texts are the same few.
    return replace(
        click,
        code=sys.intern(click.code),
        program_id=sys.intern(click.program_id),
        partner_id=sys.intern(click.partner_id),
        campaign=sys.intern(click.campaign),
        asset=sys.intern(click.asset),
        utm={},
        user_agent=sys.intern(click.user_agent),
    )


def shard_in(event: Mapping[str, Any]) -> str:
    """Return the shard of a batch as 12 digits of its hash: its own name is long.

    Only a mapping with a tumbling window tells it, and without it nothing can be counted once.

    Raises:
        KeyError: the batch does not tell.
    """
    return hashlib.sha256(str(event["shardId"]).encode()).digest()[:SHARD_BYTES].hex()


def arrival_in(record: Mapping[str, Any]) -> Arrival | None:
    """Return the click that a stream record brings, or None if it brings no new one.

    Raises:
        KeyError, TypeError, ValueError: the record is not one of a click.
    """
    if record["eventName"] != "INSERT":
        return None
    change = record["dynamodb"]
    sequence = change["SequenceNumber"]
    if not re.fullmatch(r"[0-9]{1,40}", sequence):
        raise ValueError("no sequence number")
    return Arrival(sequence=int(sequence), click=click_from(from_wire(change["NewImage"])))


def _key(counter_id: CounterId) -> keys.Key:
    own = (counter_id.code,) if counter_id.code else ()
    return keys.activity(
        counter_id.program_id,
        counter_id.partner_id,
        counter_id.day.isoformat(),
        *own,
        counter_id.campaign,
        counter_id.asset,
    )

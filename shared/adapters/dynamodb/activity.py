"""Counters of clicks in the core table, and the clicks that they are made of."""

import re
import sys
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from typing import TYPE_CHECKING, Any, Final

from botocore.exceptions import BotoCoreError, ClientError

from shared import names
from shared.adapters.dynamodb import keys
from shared.adapters.dynamodb.client import get, query, unavailable
from shared.adapters.dynamodb.codec import Item, from_wire
from shared.adapters.dynamodb.transactions import ABSENT, put
from shared.domain.activity import Arrival, Counter, CounterId, Mark, Marks
from shared.domain.clicks import Click
from shared.domain.errors import StaleVersionError

if TYPE_CHECKING:
    from types_boto3_dynamodb import DynamoDBClient

COUNTERS_KEPT: Final = timedelta(days=800)
"""Two years of figures can be compared; a day's visitors are not remembered for ever."""

_MARK_DIGITS: Final = 12
_SHARD_PREFIX: Final = "shardId-"


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
        request: dict[str, Any] = {
            "TableName": self.table,
            "ConsistentRead": True,
            "FilterExpression": "#p = :p AND begins_with(#d, :d)",
            "ExpressionAttributeNames": {"#p": "program_id", "#d": "clicked_at"},
            "ExpressionAttributeValues": {":p": {"S": program_id}, ":d": {"S": day.isoformat()}},
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
    """Return the shard of a batch, in few bytes.

    Only a mapping with a tumbling window tells it, and without it nothing can be counted once.

    Raises:
        KeyError: the batch does not tell.
    """
    return str(event["shardId"]).removeprefix(_SHARD_PREFIX).lstrip("0")


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


def click_from(row: Item) -> Click:
    """Return a click from its row; older rows lack campaign, asset and visitor.

    Raises:
        ValueError: it is not the row of a click.
    """
    texts = ("code", "program_id", "partner_id", "campaign", "asset", "visitor", "user_agent")
    found = {name: row.get(name, "") for name in (names.PK, "clicked_at", *texts)}
    if not all(isinstance(value, str) for value in found.values()):
        raise ValueError("a text is of another type")
    if not all(found[name] for name in (names.PK, "code", "program_id", "partner_id")):
        raise ValueError("a key is missing")
    if not re.fullmatch(rf"(?:[0-9a-f]{{{_MARK_DIGITS}}})?", found["visitor"]):
        raise ValueError("the visitor's mark is none")
    clicked_at = datetime.fromisoformat(found.pop("clicked_at"))
    if clicked_at.utcoffset() != timedelta(0):
        raise ValueError("the time is not in UTC")
    click_id = found.pop(names.PK)
    return Click(click_id=click_id, clicked_at=clicked_at, utm=row.get("utm", {}), **found)


def counter_row(counter: Counter) -> Item:
    """Return the row of a counter as it is written next, without its key."""
    wanted = counter.counter_id
    forgotten_at = datetime.combine(wanted.day, time(), UTC) + COUNTERS_KEPT
    return {
        "program_id": wanted.program_id,
        "partner_id": wanted.partner_id,
        "code": wanted.code,
        "campaign": wanted.campaign,
        "asset": wanted.asset,
        "day": wanted.day.isoformat(),
        "clicks": counter.clicks,
        "bots": counter.bots,
        "visitors": bytes.fromhex("".join(counter.visitors)),
        "marks": marks_row(counter.marks),
        "sealed": counter.sealed,
        "version": counter.version + 1,
        names.TTL: int(forgotten_at.timestamp()),
    }


def counter_from(row: Item) -> Counter:
    """Return a counter from its row."""
    visitors = row["visitors"].hex()
    return Counter(
        counter_id=CounterId(
            program_id=row["program_id"],
            day=date.fromisoformat(row["day"]),
            partner_id=row["partner_id"],
            code=row["code"],
            campaign=row["campaign"],
            asset=row["asset"],
        ),
        clicks=row["clicks"],
        bots=row["bots"],
        visitors=tuple(
            visitors[at : at + _MARK_DIGITS] for at in range(0, len(visitors), _MARK_DIGITS)
        ),
        marks=marks_from(row["marks"]),
        sealed=row["sealed"],
        version=row["version"],
    )


def marks_row(marks: Marks) -> Item:
    """Return marks as texts: a sequence number may have 40 digits, a number of the store 38."""
    return {name: f"{mark.sequence}@{mark.hour}" for name, mark in marks.items()}


def marks_from(texts: Item) -> Marks:
    """Return the marks of a row."""
    parts = {name: text.split("@") for name, text in texts.items()}
    return {
        name: Mark(sequence=int(sequence), hour=int(hour))
        for name, (sequence, hour) in parts.items()
    }


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

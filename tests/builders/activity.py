"""Clicks, the stream that brings them as AWS does, and an exact recount to compare with."""

from __future__ import annotations

from collections import Counter as Tally
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from shared.adapters.dynamodb.codec import to_wire
from shared.adapters.dynamodb.counter_rows import counter_from
from shared.adapters.dynamodb.link_rows import click_row
from shared.domain.clicks import Click
from tests.builders.faults import Crash

if TYPE_CHECKING:
    import random
    from collections.abc import Callable, Iterable

    from shared.domain.activity import Counter
    from tests.fakes.memory_dynamodb import MemoryDynamo

CORE, CLICKS = "core", "clicks"
NOON = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:145.0) Gecko/20100101 Firefox/145.0"
CRAWLER = "Mozilla/5.0 (compatible; AhrefsBot/7.0; +http://ahrefs.com/robot/)"

Record = dict[str, Any]


def a_click(number: int = 1, **changes: Any) -> Click:  # noqa: ANN401 - any of its fields
    """A click of a visitor of its own, a minute after the one with the number before."""
    values: dict[str, Any] = {
        "click_id": f"clk_{number:06d}",
        "code": "spring",
        "program_id": "prg_1",
        "partner_id": "ptr_1",
        "clicked_at": NOON + timedelta(minutes=number % 600),
        "visitor": f"{number * 7_919 % (1 << 48):012x}",
        "user_agent": FIREFOX,
    }
    return Click(**values | changes)


def store_click(store: MemoryDynamo, click: Click) -> None:
    """Stores a click as the redirect does, without a stream record of anybody's."""
    store.put_item(TableName=CLICKS, Item=to_wire(click_row(click)))


def record_of(click: Click, sequence: int | str) -> Record:
    """The stream record of a new click, as Lambda gets it."""
    return {
        "eventID": f"event-{sequence}",
        "eventName": "INSERT",
        "eventSource": "aws:dynamodb",
        "dynamodb": {
            "Keys": {"pk": {"S": click.click_id}},
            "NewImage": to_wire(click_row(click)),
            "SequenceNumber": str(sequence),
            "StreamViewType": "NEW_IMAGE",
        },
    }


def counters(store: MemoryDynamo) -> list[Counter]:
    """All counters that are stored."""
    rows = store.dump().get(CORE, [])
    return [counter_from(row) for row in rows if row["pk"].startswith("ACT#")]


def clicks_by_counter(clicks: Iterable[Click]) -> dict[tuple[str, ...], int]:
    """How many clicks each counter must have, counted another way."""
    tally: Tally[tuple[str, ...]] = Tally()
    for one in clicks:
        day = one.clicked_at.date().isoformat()
        tally[one.program_id, "", "", one.campaign, one.asset, day] += 1
        tally[one.program_id, one.partner_id, one.code, one.campaign, one.asset, day] += 1
    return dict(tally)


def stored_clicks(store: MemoryDynamo) -> dict[tuple[str, ...], int]:
    """How many clicks each stored counter has."""
    found: dict[tuple[str, ...], int] = {}
    for one in counters(store):
        who = one.counter_id
        name = (who.program_id, who.partner_id, who.code, who.campaign, who.asset)
        found[*name, who.day.isoformat()] = one.clicks
    return found


@dataclass(kw_only=True)
class Stream:
    """Hands each shard's records to a function as an event source mapping does.

    In order the first time and one batch of a shard at a time; after a failure again from the
    answered record on, in two halves; and, as the service may, a batch that was done once more.
    """

    handle: Callable[[dict[str, Any]], dict[str, Any]]
    chance: random.Random
    shards: dict[str, list[Record]] = field(default_factory=dict)

    def deliver(self) -> None:
        """Delivers all shards; which of them comes next is up to chance."""
        waiting = {name: list(records) for name, records in self.shards.items() if records}
        done: list[tuple[str, list[Record]]] = []
        while waiting:
            name = self.chance.choice(sorted(waiting))
            size = self.chance.randint(1, len(waiting[name]))
            batch, waiting[name] = waiting[name][:size], waiting[name][size:]
            self._insist(name, batch)
            done.append((name, batch))
            if self.chance.random() < 0.3:
                self._insist(*self.chance.choice(done))
            if not waiting[name]:
                del waiting[name]

    def _insist(self, shard: str, batch: list[Record]) -> None:
        while batch:
            rest = self._once(shard, batch)
            if len(rest) > 1 and self.chance.random() < 0.5:
                middle = len(rest) // 2
                self._insist(shard, rest[:middle])
                rest = rest[middle:]
            batch = rest

    def _once(self, shard: str, batch: list[Record]) -> list[Record]:
        try:
            answer = self.handle({"Records": batch, "shardId": shard, "state": {}})
        except Crash:
            return batch
        assert {} == answer["state"]
        failed = [one["itemIdentifier"] for one in answer["batchItemFailures"]]
        numbers = [one["dynamodb"]["SequenceNumber"] for one in batch]
        return batch[min(map(numbers.index, failed)) :] if failed else []

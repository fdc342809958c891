"""Counters of clicks are exact whatever the stream and the machines do; estimates are alike."""

from __future__ import annotations

import random
from datetime import timedelta
from typing import TYPE_CHECKING

from hypothesis import given, settings
from hypothesis import strategies as st

from shared.adapters.crawlers import is_crawler
from shared.adapters.dynamodb.activity import Activity, arrival_in, shard_in
from shared.domain.activity import Judged, figures, recounted
from shared.domain.visitors import KNOWN
from shared.usecases.roll_up_activity import roll_up_activity
from tests.builders.activity import (
    CORE,
    CRAWLER,
    FIREFOX,
    NOON,
    Stream,
    a_click,
    clicks_by_counter,
    counters,
    record_of,
    stored_clicks,
)
from tests.builders.faults import FAULTS
from tests.fakes.memory_dynamodb import MemoryDynamo

if TYPE_CHECKING:
    from typing import Any

    from shared.domain.clicks import Click

CLICKS = st.lists(
    st.fixed_dictionaries(
        {
            "code": st.sampled_from(["spring", "autumn"]),
            "partner_id": st.sampled_from(["ptr_1", "ptr_2"]),
            "campaign": st.sampled_from(["", "c#1"]),
            "user_agent": st.sampled_from([FIREFOX, CRAWLER]),
            "clicked_at": st.integers(min_value=0, max_value=36),
        }
    ),
    min_size=1,
    max_size=40,
)


def clicks_from(drawn: list[dict[str, Any]]) -> list[Click]:
    return [
        a_click(number, **{**one, "clicked_at": NOON + timedelta(hours=one["clicked_at"])})
        for number, one in enumerate(drawn)
    ]


def split_stream(stream: Stream, clicks: list[Click], chance: random.Random) -> None:
    """Spreads the clicks over shards, some of them children that start when a parent ended."""
    for number, click in enumerate(clicks):
        generation = number * 3 // len(clicks)
        shard = f"shardId-{generation}-{chance.randrange(2**generation)}"
        records = stream.shards.setdefault(shard, [])
        first = chance.choice([1, 10**30, 10**39])
        last = int(records[-1]["dynamodb"]["SequenceNumber"]) if records else first
        records.append(record_of(click, last + chance.randint(1, 5)))


def counted(clicks: list[Click], chance: random.Random) -> MemoryDynamo:
    """Counts the clicks as a stream brings them, while the store fails now and then."""
    store = MemoryDynamo()
    faults_left = [20]

    def fail(moment: str) -> None:
        when, make = chance.choice(sorted(FAULTS.items()))[1]
        if when == moment and faults_left[0] and chance.random() < 0.3:
            faults_left[0] -= 1
            raise make()

    store.before["*"] = lambda *_call: fail("before")
    store.after["*"] = lambda *_call: fail("after")

    def handle(event: dict[str, Any]) -> dict[str, Any]:
        texts = {int(one["dynamodb"]["SequenceNumber"]): one for one in event["Records"]}
        arrivals = [arrival for one in event["Records"] if (arrival := arrival_in(one))]
        result = roll_up_activity(
            arrivals,
            shard_in(event),
            Activity(client=store, core=CORE),
            is_crawler=is_crawler,
            now=NOON,
        )
        failed = [] if result.undone is None else [texts[result.undone]]
        names = [one["dynamodb"]["SequenceNumber"] for one in failed]
        return {"state": {}, "batchItemFailures": [{"itemIdentifier": name} for name in names]}

    stream = Stream(handle=handle, chance=chance)
    split_stream(stream, clicks, chance)
    stream.deliver()
    return store


@settings(max_examples=150, deadline=None)
@given(drawn=CLICKS, seed=st.integers(min_value=0, max_value=2**32))
def test_counters_equal_a_recount(drawn: list[dict[str, Any]], seed: int) -> None:
    clicks = clicks_from(drawn)

    store = counted(clicks, random.Random(seed))  # noqa: S311 - chance, not a secret

    assert clicks_by_counter(clicks) == stored_clicks(store)
    for counter in counters(store):
        who = counter.counter_id
        mine = [
            one
            for one in clicks
            if (one.campaign, one.clicked_at.date()) == (who.campaign, who.day)
            and (not who.code or (one.partner_id, one.code) == (who.partner_id, who.code))
        ]
        persons = {one.visitor for one in mine if one.user_agent == FIREFOX}
        assert len([one for one in mine if one.user_agent == CRAWLER]) == counter.bots
        assert len(persons) == figures([counter]).uniques


@settings(max_examples=20, deadline=None)
@given(number=st.integers(KNOWN - 3, 4 * KNOWN), seed=st.integers(min_value=0, max_value=2**32))
def test_estimates_equal_those_of_a_recount(number: int, seed: int) -> None:
    chance = random.Random(seed)  # noqa: S311 - chance, not a secret
    clicks = [a_click(one, visitor=f"{chance.getrandbits(48):012x}") for one in range(number)]

    store = counted(clicks, chance)

    judged = [Judged(sequence=0, click=one, is_bot=False) for one in clicks]
    for counter in counters(store):
        again = recounted(counter.counter_id, judged, version=counter.version)
        assert (again.clicks, again.visitors) == (counter.clicks, counter.visitors)
        assert (number > KNOWN) == figures([counter]).estimated

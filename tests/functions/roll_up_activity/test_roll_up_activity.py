from __future__ import annotations

import io
import json
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from aws_lambda_powertools import Logger
from botocore.exceptions import ClientError

from functions.roll_up_activity import handler as module
from shared.domain.errors import InvalidFieldsError, UnavailableError
from tests.builders.activity import (
    CORE,
    CRAWLER,
    NOON,
    a_click,
    clicks_by_counter,
    counters,
    record_of,
    store_click,
    stored_clicks,
)
from tests.builders.faults import at_call

if TYPE_CHECKING:
    from datetime import datetime

    from shared.domain.activity import Counter
    from tests.functions.roll_up_activity.conftest import World

LATER = NOON + timedelta(hours=14)
"""An hour and more after the day of the clicks."""


def link_counter(world: World) -> Counter:
    (found,) = (one for one in counters(world.dynamo) if one.counter_id.code)
    return found


def down(_request: object) -> None:
    raise ClientError({"Error": {"Code": "ThrottlingException"}}, "PutItem")


def recount(world: World, day: str = "2026-11-20") -> dict[str, Any]:
    return world.handle({"recount": {"program_id": "prg_1", "day": day}})


def test_a_batch_is_counted_for_links_and_programmes(world: World) -> None:
    clicks = [a_click(1), a_click(2, code="autumn", campaign="c#1"), a_click(3, partner_id="ptr_2")]
    clicks.append(a_click(4, user_agent=CRAWLER))

    assert [] == world.deliver(*(record_of(one, place) for place, one in enumerate(clicks)))
    assert clicks_by_counter(clicks) == stored_clicks(world.dynamo)
    assert {1} == {one.bots for one in counters(world.dynamo) if one.clicks > 1}
    assert all(one.version == 1 for one in counters(world.dynamo))


def test_the_same_batch_again_changes_nothing(world: World) -> None:
    records = [record_of(a_click(number), number) for number in range(1, 4)]
    world.deliver(*records)
    before = world.dynamo.dump()

    assert [] == world.deliver(*records)
    assert before == world.dynamo.dump()


def test_a_batch_that_reaches_further_back_adds_only_what_is_new(world: World) -> None:
    records = [record_of(a_click(number), number) for number in range(1, 7)]
    world.deliver(*records[:4])

    world.deliver(*records[2:])

    assert 6 == link_counter(world).clicks


def test_other_shards_count_beside_each_other(world: World) -> None:
    world.deliver(record_of(a_click(1), 900))
    # A split: the children start with numbers of their own.
    world.deliver(record_of(a_click(2), 5), shard="shardId-2-a")
    world.deliver(record_of(a_click(3), 5), shard="shardId-2-b")

    assert 3 == link_counter(world).clicks
    assert 3 == len(link_counter(world).marks)


def test_without_a_shard_nothing_is_counted(world: World) -> None:
    with pytest.raises(KeyError, match="shardId"):
        world.handle({"Records": [record_of(a_click(), 1)]})
    assert [] == counters(world.dynamo)


def test_the_end_of_a_window_brings_no_records(world: World) -> None:
    assert [] == world.deliver()
    assert [] == world.dynamo.calls


def test_rows_that_change_or_go_are_passed_over(world: World) -> None:
    for name in ("MODIFY", "REMOVE"):
        assert [] == world.deliver({**record_of(a_click(), 1), "eventName": name})
    assert [] == counters(world.dynamo)
    assert [] == world.queue.messages


def test_two_shards_at_once_lose_nothing(world: World) -> None:
    def other(_request: object) -> None:
        world.deliver(record_of(a_click(2), 1), shard="shardId-2-b")

    world.dynamo.before["put_item"] = at_call(0, lambda: other(None))

    assert [] == world.deliver(record_of(a_click(1), 1))
    assert 2 == link_counter(world).clicks


def test_a_counter_that_never_stands_still_is_left_for_later(world: World) -> None:
    def other(_request: object) -> None:
        number = len(world.dynamo.calls)
        world.deliver(record_of(a_click(number), number), shard="shardId-2-b")

    world.dynamo.before["put_item"] = other

    assert ["1"] == world.deliver(record_of(a_click(1), 1))


def test_a_store_that_is_down_is_answered_with_the_first_record(world: World) -> None:
    world.dynamo.before["put_item"] = down
    records = [record_of(a_click(number), f"00{number}") for number in (7, 8)]

    # In the stream's own spelling, or it would not know the record.
    assert ["007"] == world.deliver(*records)


def test_counters_before_the_failure_stay_done(world: World) -> None:
    clicks = [a_click(1), a_click(2, code="autumn"), a_click(3)]
    records = [record_of(one, place) for place, one in enumerate(clicks, 1)]
    world.dynamo.before["put_item"] = at_call(2, lambda: down(None))

    # The first link's counter and the programme's are done, the second link's is not.
    assert ["2"] == world.deliver(*records)
    assert 2 == len(counters(world.dynamo))

    assert [] == world.deliver(*records[1:])
    assert clicks_by_counter(clicks) == stored_clicks(world.dynamo)


@pytest.mark.parametrize(
    "harm",
    [
        {"c": {"N": "1"}},
        {"p": {"S": ""}},
        {"t": {"S": "yesterday"}},
        {"t": {"N": "1.5"}},
        {"t": {"N": "1e30"}},
        {"t": {"N": "-1"}},
        {"v": {"S": "198.51.100.7"}},
        {"b": {"X": "?"}},
    ],
    ids=["type", "key", "time", "part", "never", "before", "visitor", "unknown type"],
)
def test_poison_is_parked_with_its_reason_and_holds_up_nobody(
    world: World, harm: dict[str, Any]
) -> None:
    poison = record_of(a_click(2), 2)
    poison["dynamodb"]["NewImage"] |= harm

    failed = world.deliver(record_of(a_click(1), 1), poison, record_of(a_click(3), 3))

    assert [] == failed
    assert 2 == link_counter(world).clicks
    (message,) = map(json.loads, world.queue.messages)
    assert message["reason"] in {"ValueError", "TypeError"}
    assert poison == json.loads(message["record"])


@pytest.mark.parametrize("harm", [{"SequenceNumber": "-1"}, {"NewImage": None}, {"NewImage": {}}])
def test_a_record_that_is_no_click_is_parked(world: World, harm: dict[str, Any]) -> None:
    poison = record_of(a_click(2), 2)
    poison["dynamodb"] |= harm

    assert [] == world.deliver(poison, record_of(a_click(3), 3))
    assert 1 == len(world.queue.messages)
    assert 1 == link_counter(world).clicks


def test_poison_that_can_not_be_parked_comes_again(world: World) -> None:
    world.queue.down = True
    poison = record_of(a_click(2), 2)
    poison["dynamodb"]["NewImage"]["c"] = {"N": "1"}
    records = [record_of(a_click(1), 1), poison, record_of(a_click(3), 3)]

    assert ["2"] == world.deliver(*records)
    assert 1 == link_counter(world).clicks

    world.queue.down = False
    assert [] == world.deliver(*records[1:])
    assert 2 == link_counter(world).clicks


def test_a_huge_record_is_cut_to_a_message(world: World) -> None:
    poison = record_of(a_click(), 1)
    poison["dynamodb"]["NewImage"] |= {"c": {"N": "1"}, "more": {"S": "x" * 399_000}}

    assert [] == world.deliver(poison)
    assert len(world.queue.messages[0]) < 256 * 1024


def test_a_recount_finds_what_was_parked_by_the_stream(world: World) -> None:
    clicks = [a_click(number) for number in range(1, 6)]
    for one in clicks:
        store_click(world.dynamo, one)
    store_click(world.dynamo, a_click(8, program_id="prg_2"))
    store_click(world.dynamo, a_click(9, clicked_at=NOON - timedelta(days=1)))
    # The third never reached us.
    world.deliver(*(record_of(one, one.click_id[-1]) for one in clicks if one != clicks[2]))
    world.now = LATER

    assert {"program_id": "prg_1", "day": "2026-11-20", "clicks": 5} == recount(world)
    assert clicks_by_counter(clicks) == stored_clicks(world.dynamo)


def test_a_day_begins_at_its_first_millisecond_and_ends_before_the_next(world: World) -> None:
    midnight = NOON.replace(hour=0)
    moments = [timedelta(milliseconds=-1), timedelta(), timedelta(days=1, milliseconds=-1)]
    for number, after in enumerate([*moments, timedelta(days=1)]):
        store_click(world.dynamo, a_click(number, clicked_at=midnight + after))
    world.now = LATER

    assert 2 == recount(world)["clicks"]


def test_what_the_stream_still_brings_is_not_counted_twice(world: World) -> None:
    for number in range(1, 6):
        store_click(world.dynamo, a_click(number))
    world.now = LATER
    recount(world)
    before = world.dynamo.dump()

    assert [] == world.deliver(*(record_of(a_click(number), number) for number in range(1, 6)))
    assert before == world.dynamo.dump()


def test_a_recount_during_a_roll_up_has_the_last_word(world: World) -> None:
    for number in range(1, 4):
        store_click(world.dynamo, a_click(number))
    world.now = LATER
    records = [record_of(a_click(number), number) for number in range(1, 4)]
    world.dynamo.after["scan"] = at_call(0, lambda: world.deliver(records[0]))
    world.dynamo.before["put_item"] = at_call(0, lambda: world.deliver(*records))

    recount(world)

    assert {3} == {one.clicks for one in counters(world.dynamo)}
    assert all(one.sealed for one in counters(world.dynamo))


def test_a_recount_that_never_gets_its_turn_says_so(world: World) -> None:
    store_click(world.dynamo, a_click())
    world.now = LATER

    def other(_request: object) -> None:
        number = len(world.dynamo.calls)
        world.deliver(record_of(a_click(1), number))

    world.dynamo.before["put_item"] = other

    with pytest.raises(UnavailableError):
        recount(world)


def test_a_recount_again_gives_the_same(world: World) -> None:
    store_click(world.dynamo, a_click())
    world.now = LATER
    recount(world)
    first = [(one.clicks, one.visitors) for one in counters(world.dynamo)]

    recount(world)

    assert first == [(one.clicks, one.visitors) for one in counters(world.dynamo)]


def test_a_recount_sees_bursts_that_came_by_several_shards(world: World) -> None:
    clicks = [
        a_click(number, clicked_at=NOON + timedelta(seconds=number), visitor="a" * 12)
        for number in range(3)
    ]
    for number, one in enumerate(clicks):
        store_click(world.dynamo, one)
        world.deliver(record_of(one, 1), shard=f"shardId-{number}")
    assert 0 == link_counter(world).bots
    world.now = LATER

    recount(world)

    assert (3, 3) == (link_counter(world).clicks, link_counter(world).bots)


def test_a_row_that_can_not_be_read_does_not_stop_a_recount(world: World) -> None:
    store_click(world.dynamo, a_click())
    store_click(world.dynamo, a_click(2, visitor="none"))
    world.now = LATER

    assert 1 == recount(world)["clicks"]


@pytest.mark.parametrize(
    ("now", "code"),
    [
        (NOON, "in_the_future"),
        (NOON + timedelta(hours=12, minutes=59), "in_the_future"),
        (NOON + timedelta(days=90), "out_of_range"),
    ],
)
def test_only_whole_days_with_all_their_clicks_are_recounted(
    world: World, now: datetime, code: str
) -> None:
    world.now = now

    with pytest.raises(InvalidFieldsError) as refused:
        recount(world)

    assert ["day"] == [error.path for error in refused.value.errors]
    assert [code] == [error.code for error in refused.value.errors]
    assert [] == world.dynamo.calls


def test_a_log_line_tells_counts_and_nobody(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    out = io.StringIO()
    monkeypatch.setattr(module, "_logger", Logger(service="test", stream=out))
    poison = record_of(a_click(2, user_agent="canary"), 2)
    poison["dynamodb"]["NewImage"]["c"] = {"N": "1"}
    world.dynamo.before["put_item"] = down

    world.deliver(record_of(a_click(1, visitor="cafecafecafe", user_agent="canary"), 1), poison)

    parked, counted = [json.loads(line) for line in out.getvalue().splitlines()]
    assert ("click_parked", "ValueError") == (parked["message"], parked["reason"])
    assert (1, 0) == (counted["clicks"], counted["counters"])
    assert "canary" not in out.getvalue()
    assert "cafe" not in out.getvalue()


def test_counters_are_read_together_written_each_and_links_read_together_for_their_caps(
    world: World,
) -> None:
    clicks = [a_click(number, code=f"code-{number % 3}") for number in range(1, 101)]
    world.deliver(*(record_of(one, number) for number, one in enumerate(clicks)))

    expected = ["batch_get_item", *["put_item"] * 4, "batch_get_item"]
    assert expected == [name for name, _ in world.dynamo.calls]
    read, caps = (call["RequestItems"][CORE] for _, call in (*world.dynamo.calls[::5],))
    # A counter from a moment ago is never written over a newer one; a cap must be the present one.
    assert (4, False) == (len(read["Keys"]), read["ConsistentRead"])
    assert (3, True) == (len(caps["Keys"]), caps["ConsistentRead"])


def test_counters_that_were_read_too_early_are_read_again(world: World) -> None:
    other = record_of(a_click(2), 5)
    world.dynamo.after["batch_get_item"] = at_call(0, lambda: world.deliver(other, shard="s2"))

    assert [] == world.deliver(record_of(a_click(1), 1))
    assert 2 == link_counter(world).clicks


def test_more_counters_than_one_call_reads_are_all_counted(world: World) -> None:
    clicks = [a_click(number, code=f"code-{number}") for number in range(130)]

    assert [] == world.deliver(*(record_of(one, place) for place, one in enumerate(clicks)))
    assert clicks_by_counter(clicks) == stored_clicks(world.dynamo)


def test_all_is_well_without_a_line_in_the_log(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = io.StringIO()
    monkeypatch.setattr(module, "_logger", Logger(service="test", stream=out))

    world.deliver(record_of(a_click(1), 1))

    assert not out.getvalue()

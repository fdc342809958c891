from __future__ import annotations

import json
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import ClientError
from hypothesis import given
from hypothesis import strategies as st

from shared.adapters.dynamodb.outbox import OutboxRows, outgoing_in
from shared.adapters.event_bus import EventBus
from shared.usecases.publish_events import Published, publish_events
from tests.fakes.memory_bus import MemoryBus, bus_error
from tests.fakes.memory_dynamodb import MemoryDynamo
from tests.fakes.stored_events import (
    CORE,
    NOW,
    a_question,
    an_event,
    row_of,
    store_event,
    waiting_ids,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

LATER = NOW + timedelta(hours=1)


class Shop:
    """An outbox with some events in it, and a bus."""

    def __init__(self, count: int) -> None:
        self.dynamo = MemoryDynamo()
        self.client = MemoryBus()
        self.outbox = OutboxRows(self.dynamo, CORE)
        self.events = [an_event(number) for number in range(count)]
        for event in self.events:
            store_event(self.dynamo, event)
        # In the order of storing, as a stream has it.
        found = self.outbox.waiting(before=LATER, limit=10 * count + 1)
        self.waiting = sorted(found, key=lambda one: one.event_id)
        self.ids = [event.event_id for event in self.events]

    def publish(self) -> Published:
        return publish_events(
            self.waiting, self.outbox, EventBus(self.client, "the-bus"), now=LATER
        )

    def spoil(self, number: int) -> None:
        one = self.waiting[number]
        self.waiting[number] = type(one)(event_id=one.event_id, name=one.name, envelope="{")

    def put_ids(self) -> list[str]:
        return [json.loads(entry["Detail"])["event_id"] for entry in self.client.put]

    def no_marks_for(self, *event_ids: str) -> None:
        def fail(request: dict[str, Any]) -> None:
            if request["Key"]["pk"]["S"].removeprefix("OUT#") in event_ids:
                raise ClientError({"Error": {"Code": "ThrottlingException"}}, "UpdateItem")

        self.dynamo.before["update_item"] = fail


def test_every_event_goes_out_once_and_is_marked() -> None:
    shop = Shop(23)

    result = shop.publish()

    assert Published(sent=tuple(shop.ids), parked=(), undone=()) == result
    assert shop.ids == shop.put_ids()
    assert [] == waiting_ids(shop.dynamo)
    assert [event.envelope() for event in shop.events] == [
        json.loads(entry["Detail"]) for entry in shop.client.put
    ]


def test_no_events_make_no_call() -> None:
    shop = Shop(0)

    assert Published(sent=(), parked=(), undone=()) == shop.publish()
    assert ([], []) == (shop.dynamo.calls[4:], shop.client.requests)


def test_a_busy_bus_leaves_all_for_later() -> None:
    shop = Shop(12)

    def fail(_entries: object) -> None:
        raise bus_error("ThrottlingException")

    shop.client.fault = fail

    assert Published(sent=(), parked=(), undone=tuple(shop.ids)) == shop.publish()
    assert shop.ids == sorted(waiting_ids(shop.dynamo))


def test_a_partial_failure_is_seen_and_its_neighbours_are_marked() -> None:
    shop = Shop(15)
    shop.client.codes[shop.ids[3]] = "InternalFailure"

    result = shop.publish()

    assert (shop.ids[3], *shop.ids[10:]) == result.undone
    assert {*shop.ids[3:4], *shop.ids[10:]} == set(waiting_ids(shop.dynamo))
    assert shop.ids[:3] + shop.ids[4:10] == shop.put_ids()


def test_a_poison_event_is_parked_with_reason_and_its_neighbours_go_out() -> None:
    shop = Shop(3)
    shop.spoil(1)

    result = shop.publish()

    row = row_of(shop.dynamo, shop.events[1])
    assert Published(sent=(shop.ids[0], shop.ids[2]), parked=(shop.ids[1],), undone=()) == result
    assert "malformed_envelope" == row["parked_reason"]
    assert shop.events[1].envelope() == json.loads(row["envelope"])
    assert [] == waiting_ids(shop.dynamo)


def test_an_event_that_the_bus_will_never_take_is_parked() -> None:
    shop = Shop(3)
    shop.client.codes[shop.ids[1]] = "MalformedDetail"

    result = shop.publish()

    assert (shop.ids[1],) == result.parked
    assert "refused_by_bus" == row_of(shop.dynamo, shop.events[1])["parked_reason"]
    assert [shop.ids[0], shop.ids[2]] == shop.put_ids()


@pytest.mark.parametrize("kind", ["mark", "park flawed", "park refused"])
def test_what_could_not_be_written_down_comes_again(kind: str) -> None:
    shop = Shop(3)
    shop.no_marks_for(shop.ids[1])
    if kind == "park flawed":
        shop.spoil(1)
    if kind == "park refused":
        shop.client.codes[shop.ids[1]] = "MalformedDetail"

    result = shop.publish()

    expected = Published(sent=(shop.ids[0], shop.ids[2]), parked=(), undone=(shop.ids[1],))
    assert expected == result


def test_a_crash_before_the_mark_publishes_again_under_the_same_id() -> None:
    shop = Shop(1)

    def crash(_request: object) -> None:
        raise KeyboardInterrupt

    shop.dynamo.before["update_item"] = crash
    with pytest.raises(KeyboardInterrupt):
        shop.publish()
    del shop.dynamo.before["update_item"]

    shop.publish()

    assert shop.ids * 2 == shop.put_ids()
    assert [] == waiting_ids(shop.dynamo)


def test_events_of_an_earlier_request_are_marked_before_the_next_request() -> None:
    shop = Shop(11)

    def crash(entries: Sequence[object]) -> None:
        if len(entries) == 1:
            raise KeyboardInterrupt

    shop.client.fault = crash
    with pytest.raises(KeyboardInterrupt):
        shop.publish()

    assert shop.ids[10:] == waiting_ids(shop.dynamo)


FATES = ["well", "flawed", "refused", "busy", "unmarked"]


@given(st.lists(st.sampled_from(FATES), max_size=25))
def test_every_event_has_exactly_one_fate(fates: list[str]) -> None:
    shop = Shop(len(fates))
    for number, fate in enumerate(fates):
        if fate == "flawed":
            shop.spoil(number)
        code = {"refused": "InvalidArgument", "busy": "ThrottlingException"}.get(fate)
        if code:
            shop.client.codes[shop.ids[number]] = code
    shop.no_marks_for(*(i for i, fate in zip(shop.ids, fates, strict=True) if fate == "unmarked"))

    result = shop.publish()

    assert sorted(shop.ids) == sorted(result.sent + result.parked + result.undone)
    assert set(result.undone) == set(waiting_ids(shop.dynamo))
    assert set(result.sent) <= set(shop.put_ids())
    reached = set(result.sent + result.parked)
    for event_id, fate in zip(shop.ids, fates, strict=True):
        assert fate not in {"busy", "unmarked"} or event_id not in reached
        assert fate != "flawed" or event_id in result.parked


def test_the_stream_notes_nothing_of_what_will_be_answered() -> None:
    shop = Shop(0)
    store_event(shop.dynamo, a_question())
    before = row_of(shop.dynamo, a_question())
    (record,) = shop.dynamo.stream_records(CORE)
    one = outgoing_in(record)
    assert one is not None
    shop.waiting = [one]

    result = shop.publish()

    assert Published(sent=(one.event_id,), parked=(), undone=()) == result
    assert [one.event_id] == shop.put_ids()
    assert before == row_of(shop.dynamo, a_question())

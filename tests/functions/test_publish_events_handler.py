from __future__ import annotations

import io
import json
from typing import TYPE_CHECKING, Any

import pytest
from aws_lambda_powertools import Logger
from botocore.exceptions import ClientError
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from functions.publish_events import handler as module
from shared import names
from tests.fakes.memory_bus import MemoryBus
from tests.fakes.memory_dynamodb import MemoryDynamo
from tests.fakes.stored_events import CORE, an_event, row_of, store_event, waiting_ids

if TYPE_CHECKING:
    from collections.abc import Generator


class World:
    """The handler's surroundings, fresh on demand."""

    def __init__(self) -> None:
        self.renew()

    def renew(self) -> None:
        self.dynamo = MemoryDynamo()
        self.bus = MemoryBus()
        module._adapters.cache_clear()

    def handle(self, records: list[dict[str, Any]]) -> list[str]:
        answer = module.handler(json.loads(json.dumps({"Records": records})), None)
        return [failure["itemIdentifier"] for failure in answer["batchItemFailures"]]

    def drain(self, *, tries: int = 20) -> int:
        """Delivers the stream as Lambda does: from the failed record on, until all is well."""
        records = self.dynamo.stream_records(CORE)
        for attempt in range(1, tries + 1):
            failures = self.handle(records)
            if not failures:
                return attempt
            numbers = [record["dynamodb"]["SequenceNumber"] for record in records]
            records = records[numbers.index(min(failures)) :]
        raise AssertionError("the stream does not get past its failures")

    def put_ids(self) -> list[str]:
        return [json.loads(entry["Detail"])["event_id"] for entry in self.bus.put]


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> Generator[World]:
    world = World()
    monkeypatch.setenv(names.ENV_STAGE, "test")
    monkeypatch.setenv(names.ENV_CORE_TABLE, CORE)
    monkeypatch.setenv(names.ENV_BUS, "the-bus")
    monkeypatch.setattr(module, "dynamodb_client", lambda: world.dynamo)
    monkeypatch.setattr(module, "events_client", lambda: world.bus)
    yield world
    module._adapters.cache_clear()


def numbers(world: World) -> list[str]:
    return [one["dynamodb"]["SequenceNumber"] for one in world.dynamo.stream_records(CORE)]


def test_a_batch_goes_out(world: World) -> None:
    for number in range(3):
        store_event(world.dynamo, an_event(number))

    assert [] == world.handle(world.dynamo.stream_records(CORE))
    assert [an_event(number).event_id for number in range(3)] == world.put_ids()
    assert [] == waiting_ids(world.dynamo)


def test_other_records_are_passed_over(world: World) -> None:
    world.dynamo.put_item(TableName=CORE, Item={"pk": {"S": "REF#1"}, "sk": {"S": "META"}})
    store_event(world.dynamo, an_event())
    world.handle(world.dynamo.stream_records(CORE))

    assert [] == world.handle(world.dynamo.stream_records(CORE, after=2))
    assert [an_event().event_id] == world.put_ids()


def test_an_empty_batch_is_no_error(world: World) -> None:
    assert [] == world.handle([])


def test_the_first_failed_record_is_answered_alone(world: World) -> None:
    for number in range(4):
        store_event(world.dynamo, an_event(number))
    for number in (3, 1):
        world.bus.codes[an_event(number).event_id] = "ThrottlingException"

    assert numbers(world)[1:2] == world.handle(world.dynamo.stream_records(CORE))


def test_a_store_that_is_down_is_answered_as_failure(world: World) -> None:
    store_event(world.dynamo, an_event())

    def fail(_request: object) -> None:
        raise ClientError({"Error": {"Code": "InternalServerError"}}, "UpdateItem")

    world.dynamo.before["update_item"] = fail

    assert numbers(world) == world.handle(world.dynamo.stream_records(CORE))


def test_a_poison_record_does_not_hold_up_its_neighbours(world: World) -> None:
    store_event(world.dynamo, an_event(1))
    world.dynamo.put_item(
        TableName=CORE, Item={"pk": {"S": "OUT#evt_bad"}, "sk": {"S": "EVENT"}, "name": {"N": "1"}}
    )
    store_event(world.dynamo, an_event(2))

    assert 1 == world.drain()
    assert [an_event(1).event_id, an_event(2).event_id] == world.put_ids()
    bad = next(row for row in world.dynamo.dump()[CORE] if row["pk"] == "OUT#evt_bad")
    assert "incomplete_row" == bad["parked_reason"]


def test_a_log_line_tells_counts_and_no_content(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = io.StringIO()
    monkeypatch.setattr(module, "_logger", Logger(service="counted", stream=out))
    store_event(world.dynamo, an_event(1, data={"secret": "do not log"}))
    store_event(world.dynamo, an_event(2, hops=99))

    world.handle(world.dynamo.stream_records(CORE))

    counts, parked = [json.loads(line) for line in out.getvalue().splitlines()]
    assert (1, 1, 0) == (counts["sent"], counts["parked"], counts["undone"])
    assert [an_event(2).event_id] == parked["event_ids"]
    assert "do not log" not in out.getvalue()


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_wherever_poison_and_outages_are_the_rest_arrives(
    world: World, data: st.DataObject
) -> None:
    world.renew()
    count = data.draw(st.integers(min_value=1, max_value=30))
    places = st.sets(st.integers(min_value=0, max_value=count - 1))
    poison, busy = data.draw(places), data.draw(places)
    for number in range(count):
        store_event(world.dynamo, an_event(number, hops=99 if number in poison else 1))
    outages = {an_event(number).event_id for number in busy - poison}
    world.bus.codes = dict.fromkeys(outages, "ThrottlingException")

    def recover(_entries: object) -> None:
        # Each request finds one more of the outages mended.
        if world.bus.requests[1:] and world.bus.codes:
            world.bus.codes.popitem()

    world.bus.fault = recover
    world.drain(tries=count + 2)

    wanted = {an_event(number).event_id for number in set(range(count)) - poison}
    assert wanted == set(world.put_ids())
    assert [] == waiting_ids(world.dynamo)
    assert poison == {
        number for number in range(count) if "parked_at" in row_of(world.dynamo, an_event(number))
    }

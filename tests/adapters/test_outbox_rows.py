from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError

from shared.adapters.dynamodb.outbox import OutboxRows, outgoing_in
from shared.adapters.dynamodb.transactions import ConditionFailedError
from shared.domain.errors import UnavailableError
from tests.fakes.memory_dynamodb import MemoryDynamo
from tests.fakes.stored_events import CORE, NOW, an_event, row_of, store_event, unsent_ids

LATER = NOW + timedelta(minutes=5)


@pytest.fixture
def dynamo() -> MemoryDynamo:
    return MemoryDynamo()


@pytest.fixture
def outbox(dynamo: MemoryDynamo) -> OutboxRows:
    return OutboxRows(dynamo, CORE)


def ids_before(outbox: OutboxRows, limit: int = 100) -> list[str]:
    return sorted(one.event_id for one in outbox.unsent(before=LATER, limit=limit))


def test_a_stored_event_is_unsent(dynamo: MemoryDynamo, outbox: OutboxRows) -> None:
    event = an_event()
    store_event(dynamo, event)

    (found,) = outbox.unsent(before=LATER, limit=10)

    assert event.event_id == found.event_id
    assert event.name == found.name
    assert "" == found.flaw()


def test_an_event_is_stored_once(dynamo: MemoryDynamo) -> None:
    store_event(dynamo, an_event())

    with pytest.raises(ConditionFailedError):
        store_event(dynamo, an_event())


def test_only_older_events_are_unsent_before(dynamo: MemoryDynamo, outbox: OutboxRows) -> None:
    store_event(dynamo, an_event(1), now=NOW)
    store_event(dynamo, an_event(2), now=NOW + timedelta(microseconds=1))
    store_event(dynamo, an_event(3), now=NOW + timedelta(seconds=1))

    found = outbox.unsent(before=NOW + timedelta(seconds=1), limit=10)

    assert [an_event(1).event_id, an_event(2).event_id] == sorted(one.event_id for one in found)


def test_the_limit_bounds_what_is_read(dynamo: MemoryDynamo, outbox: OutboxRows) -> None:
    for number in range(36):
        store_event(dynamo, an_event(number))

    assert 20 == len(ids_before(outbox, limit=20))
    assert 36 == len(ids_before(outbox, limit=400))


def test_a_sent_event_leaves_the_index_and_gets_an_end(
    dynamo: MemoryDynamo, outbox: OutboxRows
) -> None:
    event = an_event()
    store_event(dynamo, event)

    outbox.mark_sent(event.event_id, now=LATER)
    outbox.mark_sent(event.event_id, now=LATER)

    row = row_of(dynamo, event)
    assert [] == ids_before(outbox)
    assert LATER.isoformat() == row["sent_at"]
    assert int(LATER.timestamp()) + 7 * 86_400 == row["expires_at_epoch"]


def test_a_parked_event_keeps_its_payload_and_is_listed(
    dynamo: MemoryDynamo, outbox: OutboxRows
) -> None:
    event = an_event()
    store_event(dynamo, event)
    envelope = row_of(dynamo, event)["envelope"]

    outbox.park(event.event_id, "other_event", now=LATER)

    (row,) = outbox.parked(limit=10)
    assert [] == ids_before(outbox)
    assert envelope == row["envelope"]
    assert "other_event" == row["parked_reason"]
    assert LATER.isoformat() == row["parked_at"]
    assert "expires_at_epoch" not in row


@pytest.mark.parametrize("step", ["release", "mark_sent"])
def test_a_parked_event_leaves_the_list(
    dynamo: MemoryDynamo, outbox: OutboxRows, step: str
) -> None:
    event = an_event()
    store_event(dynamo, event)
    outbox.park(event.event_id, "other_event", now=NOW)

    getattr(outbox, step)(event.event_id, now=NOW)

    assert [] == list(outbox.parked(limit=10))
    assert ([event.event_id] if step == "release" else []) == unsent_ids(dynamo)
    assert "parked_reason" not in row_of(dynamo, event)


@pytest.mark.parametrize("step", ["release", "mark_sent"])
def test_a_row_that_is_gone_stays_gone(dynamo: MemoryDynamo, outbox: OutboxRows, step: str) -> None:
    getattr(outbox, step)("evt_gone", now=NOW)
    outbox.park("evt_gone", "other_event", now=NOW)

    assert [] == dynamo.dump()[CORE]


def throttled(*_arguments: object) -> None:
    raise ClientError({"Error": {"Code": "ThrottlingException"}}, "UpdateItem")


def unreachable(*_arguments: object) -> None:
    raise EndpointConnectionError(endpoint_url="https://dynamodb")


@pytest.mark.parametrize("fault", [throttled, unreachable])
def test_an_outage_is_told(dynamo: MemoryDynamo, outbox: OutboxRows, fault: Any) -> None:  # noqa: ANN401 - a hook
    dynamo.before["*"] = fault

    with pytest.raises(UnavailableError):
        outbox.mark_sent("evt_1", now=NOW)
    with pytest.raises(UnavailableError):
        outbox.park("evt_1", "other_event", now=NOW)
    with pytest.raises(UnavailableError):
        outbox.unsent(before=NOW, limit=1)


def test_a_stream_record_brings_its_event(dynamo: MemoryDynamo) -> None:
    event = an_event()
    store_event(dynamo, event)
    (record,) = dynamo.stream_records(CORE)

    found = outgoing_in(record)

    assert found is not None
    assert event.event_id == found.event_id
    assert "" == found.flaw()


def test_only_inserted_events_count(dynamo: MemoryDynamo, outbox: OutboxRows) -> None:
    store_event(dynamo, an_event())
    outbox.mark_sent(an_event().event_id, now=NOW)
    dynamo.put_item(TableName=CORE, Item={"pk": {"S": "REF#1"}, "sk": {"S": "META"}})
    dynamo.delete_item(
        TableName=CORE, Key={"pk": {"S": f"OUT#{an_event().event_id}"}, "sk": {"S": "EVENT"}}
    )

    found = [outgoing_in(record) for record in dynamo.stream_records(CORE)]

    assert [False, True, True, True] == [one is None for one in found]


@pytest.mark.parametrize(
    "attributes",
    [
        {},
        {"name": {"S": "FactsChanged"}},
        {"name": {"S": "FactsChanged"}, "envelope": {"N": "1"}},
        {"name": {"NULL": True}, "envelope": {"S": "{}"}},
    ],
)
def test_a_strange_row_is_an_event_with_a_flaw(
    dynamo: MemoryDynamo, attributes: dict[str, Any]
) -> None:
    key = {"pk": {"S": "OUT#evt_1"}, "sk": {"S": "EVENT"}}
    dynamo.put_item(TableName=CORE, Item=key | attributes)
    (record,) = dynamo.stream_records(CORE)

    found = outgoing_in(record)

    assert found is not None
    assert ("evt_1", "incomplete_row") == (found.event_id, found.flaw())

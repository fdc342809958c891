from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError

from shared.adapters.dynamodb.lists import EVERYWHERE, PARKED_EVENTS, Lists
from shared.adapters.dynamodb.outbox import OutboxRows, outgoing_in
from shared.adapters.dynamodb.transactions import ConditionFailedError
from shared.domain.errors import UnavailableError
from shared.domain.outgoing import GRACE, WAITS, Outgoing
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
    from collections.abc import Callable

LATER = NOW + timedelta(minutes=5)


@pytest.fixture
def dynamo() -> MemoryDynamo:
    return MemoryDynamo()


@pytest.fixture
def outbox(dynamo: MemoryDynamo) -> OutboxRows:
    return OutboxRows(dynamo, CORE)


def parked(dynamo: MemoryDynamo) -> tuple[dict[str, Any], ...]:
    lists = Lists(client=dynamo, core=CORE)
    return lists.page(PARKED_EVENTS, EVERYWHERE, after="", limit=10).rows


def ids_before(outbox: OutboxRows, limit: int = 100) -> list[str]:
    return sorted(one.event_id for one in outbox.waiting(before=LATER, limit=limit))


def test_a_stored_event_waits(dynamo: MemoryDynamo, outbox: OutboxRows) -> None:
    event = an_event()
    store_event(dynamo, event)

    (found,) = outbox.waiting(before=LATER, limit=10)

    assert event.event_id == found.event_id
    assert event.name == found.name
    assert "" == found.flaw()


def test_an_event_is_stored_once(dynamo: MemoryDynamo) -> None:
    store_event(dynamo, an_event())

    with pytest.raises(ConditionFailedError):
        store_event(dynamo, an_event())


def test_only_older_events_are_due(dynamo: MemoryDynamo, outbox: OutboxRows) -> None:
    store_event(dynamo, an_event(1), now=NOW)
    store_event(dynamo, an_event(2), now=NOW + timedelta(microseconds=1))
    store_event(dynamo, an_event(3), now=NOW + timedelta(seconds=1))

    found = outbox.waiting(before=NOW + GRACE + timedelta(seconds=1), limit=10)

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

    (row,) = parked(dynamo)
    assert [] == ids_before(outbox)
    assert envelope == row["envelope"]
    assert "other_event" == row["parked_reason"]
    assert LATER.isoformat() == row["parked_at"]
    assert "expires_at_epoch" not in row


def released(outbox: OutboxRows, event_id: str) -> None:
    parked = outbox.event(event_id)
    assert parked is not None
    outbox.release(parked, now=LATER)


@pytest.mark.parametrize("step", ["release", "mark_sent", "acknowledge"])
def test_a_parked_event_leaves_the_list(
    dynamo: MemoryDynamo, outbox: OutboxRows, step: str
) -> None:
    event = an_event()
    store_event(dynamo, event)
    outbox.park(event.event_id, "other_event", now=NOW)

    if step == "release":
        released(outbox, event.event_id)
    else:
        getattr(outbox, step)(event.event_id, now=NOW)

    assert () == parked(dynamo)
    assert ([event.event_id] if step == "release" else []) == waiting_ids(dynamo)
    assert "parked_reason" not in row_of(dynamo, event)


def test_a_released_event_has_all_its_tries_again(dynamo: MemoryDynamo, outbox: OutboxRows) -> None:
    event = a_question()
    store_event(dynamo, event)
    (found,) = outbox.waiting(before=NOW + WAITS[0] + GRACE, limit=10)
    outbox.wait_on(found, now=NOW)
    outbox.note_failure(event.event_id, "not_found")
    outbox.park(event.event_id, "not_handled", now=NOW)

    released(outbox, event.event_id)

    (found,) = outbox.waiting(before=LATER + GRACE, limit=10)
    assert 1 == found.sweep
    assert {"sweeps", "failed_with"}.isdisjoint(row_of(dynamo, event))


def test_an_event_that_moved_on_is_not_released(dynamo: MemoryDynamo, outbox: OutboxRows) -> None:
    event = a_question()
    store_event(dynamo, event)
    waiting = outbox.event(event.event_id)
    outbox.park(event.event_id, "not_handled", now=NOW)
    parked = outbox.event(event.event_id)
    released(outbox, event.event_id)
    outbox.park(event.event_id, "not_handled", now=LATER)
    before = row_of(dynamo, event)
    assert waiting is not None
    assert parked is not None

    outbox.release(waiting, now=LATER)
    outbox.release(parked, now=LATER)

    assert before == row_of(dynamo, event)


def marks(outbox: OutboxRows, event_id: str) -> dict[str, Callable[[], object]]:
    """All that can be noted of an event, but that it was handled."""
    one = Outgoing(event_id=event_id, name="FactsChanged", envelope="{}", sweep=1)
    return {
        "mark_sent": lambda: outbox.mark_sent(event_id, now=LATER),
        "wait_on": lambda: outbox.wait_on(one, now=LATER),
        "park": lambda: outbox.park(event_id, "not_handled", now=LATER),
        "note_failure": lambda: outbox.note_failure(event_id, "not_found"),
        "acknowledge": lambda: outbox.acknowledge(event_id, now=LATER),
    }


MARKS = ["mark_sent", "wait_on", "park", "note_failure", "acknowledge"]


@pytest.mark.parametrize("mark", MARKS)
def test_a_row_that_is_gone_stays_gone(dynamo: MemoryDynamo, outbox: OutboxRows, mark: str) -> None:
    marks(outbox, "evt_gone")[mark]()

    assert [] == dynamo.dump()[CORE]


@pytest.mark.parametrize("mark", MARKS)
def test_what_was_handled_stays_so(dynamo: MemoryDynamo, outbox: OutboxRows, mark: str) -> None:
    """The answer may come before the sender has noted that it sent the event."""
    event = a_question()
    store_event(dynamo, event)
    outbox.acknowledge(event.event_id, now=NOW)
    before = row_of(dynamo, event)

    marks(outbox, event.event_id)[mark]()

    assert before == row_of(dynamo, event)
    assert int(NOW.timestamp()) + 7 * 86_400 == before["expires_at_epoch"]
    assert [] == waiting_ids(dynamo)


def test_a_question_waits_longer_after_each_sending(
    dynamo: MemoryDynamo, outbox: OutboxRows
) -> None:
    store_event(dynamo, a_question())
    now = NOW
    for sweep, wait in enumerate(WAITS, start=1):
        assert [] == outbox.waiting(before=now + wait, limit=10)
        now += wait + timedelta(microseconds=1)
        (found,) = outbox.waiting(before=now, limit=10)
        assert sweep == found.sweep
        if sweep < len(WAITS):
            outbox.wait_on(found, now=now)
        else:
            assert "not_handled" == found.flaw()
    # Whatever waits has no end.
    assert "expires_at_epoch" not in row_of(dynamo, a_question())


def test_an_event_is_read_with_its_state(dynamo: MemoryDynamo, outbox: OutboxRows) -> None:
    event = a_question()
    store_event(dynamo, event)
    states = [outbox.event(event.event_id)]
    outbox.park(event.event_id, "not_handled", now=LATER)
    states.append(outbox.event(event.event_id))
    outbox.acknowledge(event.event_id, now=LATER)
    states.append(outbox.event(event.event_id))

    expected = [("waiting", "", None), ("parked", "not_handled", LATER), ("done", "", None)]
    assert expected == [(one.state, one.reason, one.parked_at) for one in states if one]
    assert None is outbox.event("evt_none")


def throttled(*_arguments: object) -> None:
    raise ClientError({"Error": {"Code": "ThrottlingException"}}, "UpdateItem")


def unreachable(*_arguments: object) -> None:
    raise EndpointConnectionError(endpoint_url="https://dynamodb")


@pytest.mark.parametrize("fault", [throttled, unreachable])
def test_an_outage_is_told(dynamo: MemoryDynamo, outbox: OutboxRows, fault: Any) -> None:  # noqa: ANN401 - a hook
    dynamo.before["*"] = fault

    for mark in marks(outbox, "evt_1").values():
        with pytest.raises(UnavailableError):
            mark()
    with pytest.raises(UnavailableError):
        outbox.waiting(before=NOW, limit=1)


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

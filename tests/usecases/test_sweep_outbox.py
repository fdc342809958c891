from __future__ import annotations

import json
from datetime import datetime, timedelta

import pytest
from botocore.exceptions import ClientError

from shared.adapters.dynamodb.outbox import OutboxRows
from shared.adapters.event_bus import EventBus
from shared.domain.errors import NotFoundError, UnavailableError
from shared.domain.outgoing import GRACE
from shared.usecases.redrive_event import redrive_event
from shared.usecases.sweep_outbox import Swept, sweep_outbox
from tests.fakes.memory_bus import MemoryBus
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

LATER = NOW + timedelta(minutes=5)


@pytest.fixture
def dynamo() -> MemoryDynamo:
    return MemoryDynamo()


@pytest.fixture
def client() -> MemoryBus:
    return MemoryBus()


def sweep(
    dynamo: MemoryDynamo, client: MemoryBus, *, now: datetime = LATER, limit: int = 500
) -> Swept:
    return sweep_outbox(OutboxRows(dynamo, CORE), EventBus(client, "b"), now=now, limit=limit)


def put_ids(client: MemoryBus) -> list[str]:
    return sorted(json.loads(entry["Detail"])["event_id"] for entry in client.put)


def test_what_the_stream_lost_goes_out_once(dynamo: MemoryDynamo, client: MemoryBus) -> None:
    ids = [an_event(number).event_id for number in range(25)]
    for number in range(25):
        store_event(dynamo, an_event(number))

    first = sweep(dynamo, client)
    second = sweep(dynamo, client)

    assert Swept(published=25, parked=0, failed=0) == first
    assert Swept(published=0, parked=0, failed=0) == second
    assert ids == put_ids(client)


def test_the_stream_gets_its_time_first(dynamo: MemoryDynamo, client: MemoryBus) -> None:
    store_event(dynamo, an_event())

    early = sweep(dynamo, client, now=NOW + GRACE)
    due = sweep(dynamo, client, now=NOW + GRACE + timedelta(microseconds=1))

    assert (0, 1) == (early.published, due.published)


def test_a_sweep_is_bounded_and_the_next_goes_on(dynamo: MemoryDynamo, client: MemoryBus) -> None:
    for number in range(60):
        store_event(dynamo, an_event(number))

    first = sweep(dynamo, client, limit=20)
    while sweep(dynamo, client, limit=20).published:
        pass

    assert 20 == first.published
    assert [an_event(number).event_id for number in range(60)] == put_ids(client)


def test_a_busy_bus_is_told_and_tried_again(dynamo: MemoryDynamo, client: MemoryBus) -> None:
    store_event(dynamo, an_event())
    client.codes[an_event().event_id] = "ThrottlingException"

    busy = sweep(dynamo, client)
    client.codes.clear()
    well = sweep(dynamo, client)

    assert Swept(published=0, parked=0, failed=1) == busy
    assert Swept(published=1, parked=0, failed=0) == well


def test_poison_is_parked_and_not_swept_again(dynamo: MemoryDynamo, client: MemoryBus) -> None:
    store_event(dynamo, an_event(1, hops=99))
    store_event(dynamo, an_event(2))

    first = sweep(dynamo, client)
    second = sweep(dynamo, client)

    assert Swept(published=1, parked=1, failed=0) == first
    assert Swept(published=0, parked=0, failed=0) == second


def test_a_redrive_after_the_fix_converges(dynamo: MemoryDynamo, client: MemoryBus) -> None:
    store_event(dynamo, an_event())
    client.codes[an_event().event_id] = "InvalidArgument"
    sweep(dynamo, client)
    client.codes.clear()

    redrive_event(OutboxRows(dynamo, CORE), an_event().event_id, now=NOW)
    sweep(dynamo, client)

    assert [an_event().event_id] == put_ids(client)
    assert [] == waiting_ids(dynamo)


def test_an_unreadable_store_is_an_outage(dynamo: MemoryDynamo, client: MemoryBus) -> None:
    def fail(*_arguments: object) -> None:
        raise ClientError({"Error": {"Code": "InternalServerError"}}, "Query")

    dynamo.before["query"] = fail

    with pytest.raises(UnavailableError):
        sweep(dynamo, client)


# -- what the evaluation answers ------------------------------------------------------------------


def sweeps(dynamo: MemoryDynamo, client: MemoryBus, *, hours: int) -> list[float]:
    """Sweeps every minute; returns after how many hours the bus got something."""
    found: list[float] = []
    for minute in range(hours * 60):
        before = len(client.put)
        sweep(dynamo, client, now=NOW + timedelta(minutes=minute))
        found += [minute / 60] * (len(client.put) - before)
    return found


def test_a_question_without_an_answer_is_sent_ever_more_seldom_and_then_parked(
    dynamo: MemoryDynamo, client: MemoryBus
) -> None:
    store_event(dynamo, a_question())

    sent = sweeps(dynamo, client, hours=80)

    assert [0, 1, 5, 17, 41] == [int(hours) for hours in sent]
    assert [] == waiting_ids(dynamo)
    row = row_of(dynamo, a_question())
    assert ("not_handled", a_question().envelope()) == (
        row["parked_reason"],
        json.loads(row["envelope"]),
    )


def test_a_question_that_was_answered_is_not_sent_again(
    dynamo: MemoryDynamo, client: MemoryBus
) -> None:
    store_event(dynamo, a_question())
    sweep(dynamo, client, now=NOW + timedelta(hours=1))

    OutboxRows(dynamo, CORE).acknowledge(a_question().event_id, now=NOW + timedelta(hours=1))

    assert [] == sweeps(dynamo, client, hours=80)[1:]
    assert 1 == len(client.put)


def test_a_redriven_question_has_all_its_tries_again(
    dynamo: MemoryDynamo, client: MemoryBus
) -> None:
    store_event(dynamo, a_question())
    sweeps(dynamo, client, hours=80)
    after = NOW + timedelta(hours=80)

    redriven = redrive_event(OutboxRows(dynamo, CORE), a_question().event_id, now=after)
    for minute in range(80 * 60):
        sweep(dynamo, client, now=after + timedelta(minutes=minute))

    assert "waiting" == redriven.state
    # The first of them at once.
    assert 5 + 5 == len(client.put)
    assert "not_handled" == row_of(dynamo, a_question())["parked_reason"]


def test_an_event_that_is_not_parked_is_left_as_it_is(dynamo: MemoryDynamo) -> None:
    store_event(dynamo, a_question())
    before = row_of(dynamo, a_question())

    found = redrive_event(OutboxRows(dynamo, CORE), a_question().event_id, now=LATER)

    assert "waiting" == found.state
    assert before == row_of(dynamo, a_question())


def test_what_is_not_there_can_not_be_redriven(dynamo: MemoryDynamo) -> None:
    with pytest.raises(NotFoundError):
        redrive_event(OutboxRows(dynamo, CORE), "evt_none", now=LATER)

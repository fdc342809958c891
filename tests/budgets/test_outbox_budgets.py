"""What it costs to carry an event: one write when it is stored, and one when it is done."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from bench.stock import measured
from shared.adapters.dynamodb.outbox import OutboxRows, outgoing_in
from shared.adapters.event_bus import EventBus
from shared.domain.outgoing import WAITS
from shared.usecases.publish_events import publish_events
from shared.usecases.sweep_outbox import sweep_outbox
from tests.fakes.memory_bus import MemoryBus
from tests.fakes.memory_dynamodb import MemoryDynamo
from tests.fakes.stored_events import CORE, NOW, a_question, an_event, store_event

if TYPE_CHECKING:
    from bench.meter import Usage
    from shared.domain.events import Event

MARK = "update OUT/EVENT"


@pytest.fixture
def dynamo() -> MemoryDynamo:
    return MemoryDynamo()


def published(dynamo: MemoryDynamo, event: Event) -> Usage:
    store_event(dynamo, event)
    found = [outgoing_in(record) for record in dynamo.stream_records(CORE)]
    waiting = [one for one in found if one]
    outbox, bus = OutboxRows(dynamo, CORE), EventBus(MemoryBus(), "b")
    return measured(dynamo, lambda: publish_events(waiting, outbox, bus, now=NOW))


def test_storing_an_event(dynamo: MemoryDynamo) -> None:
    usage = measured(dynamo, lambda: store_event(dynamo, a_question()))

    assert ["transact: put OUT/EVENT"] == usage.labels
    assert (2, 1) == (usage.write_units, usage.index_units)


def test_an_event_that_will_be_answered_is_published_without_a_write(dynamo: MemoryDynamo) -> None:
    assert [] == published(dynamo, a_question()).labels


def test_an_event_that_nobody_answers_is_marked_when_it_is_published(dynamo: MemoryDynamo) -> None:
    usage = published(dynamo, an_event())

    assert [MARK] == usage.labels
    assert (1, 1) == (usage.write_units, usage.index_units)


def test_the_answer_is_one_write(dynamo: MemoryDynamo) -> None:
    store_event(dynamo, a_question())
    outbox = OutboxRows(dynamo, CORE)

    usage = measured(dynamo, lambda: outbox.acknowledge(a_question().event_id, now=NOW))

    assert [MARK] == usage.labels
    assert (1, 1) == (usage.write_units, usage.index_units)


def test_sending_an_event_again_is_one_write(dynamo: MemoryDynamo) -> None:
    store_event(dynamo, a_question())
    outbox, bus = OutboxRows(dynamo, CORE), EventBus(MemoryBus(), "b")
    late = NOW + WAITS[0] + timedelta(seconds=1)

    usage = measured(dynamo, lambda: sweep_outbox(outbox, bus, now=late, limit=500))

    # The due work is looked for in four partitions of the index.
    assert [MARK] == usage.labels[4:]
    assert (1, 2) == (usage.write_units, usage.index_units)

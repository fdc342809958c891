from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from shared.domain.events import EVALUATED, MAX_HOPS, REWARD_MATURED, REWARD_POSTED
from shared.domain.outgoing import GRACE, WAITS, Outgoing, first_look

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


def an_outgoing(**changes: Any) -> Outgoing:  # noqa: ANN401 - any field
    fields: dict[str, Any] = {
        "event_id": "evt_1",
        "name": "FactsChanged",
        "envelope": an_envelope(),
    }
    return Outgoing(**fields | changes)


def an_envelope(**changes: Any) -> str:  # noqa: ANN401 - any JSON
    return json.dumps({"event_id": "evt_1", "hops": 1} | changes)


def test_a_stored_event_has_no_flaw() -> None:
    assert "" == an_outgoing().flaw()


def test_an_event_at_the_hop_limit_has_no_flaw() -> None:
    assert "" == an_outgoing(envelope=an_envelope(hops=MAX_HOPS)).flaw()


@pytest.mark.parametrize("missing", ["name", "envelope"])
def test_a_row_without_its_texts_is_flawed(missing: str) -> None:
    assert "incomplete_row" == an_outgoing(**{missing: ""}).flaw()


@pytest.mark.parametrize(
    "envelope",
    [
        "{",
        "[]",
        "null",
        "[" * 100_000,
        '{"event_id":"evt_1"}',
        an_envelope(hops="1"),
        an_envelope(hops=None),
    ],
    ids=["cut", "array", "null", "deep", "no hops", "hops as text", "hops null"],
)
def test_an_envelope_that_is_none_is_flawed(envelope: str) -> None:
    assert "malformed_envelope" == an_outgoing(envelope=envelope).flaw()


def test_the_envelope_of_another_event_is_flawed() -> None:
    assert "other_event" == an_outgoing(envelope=an_envelope(event_id="evt_2")).flaw()


def test_a_loop_of_events_is_stopped() -> None:
    assert "too_many_hops" == an_outgoing(envelope=an_envelope(hops=MAX_HOPS + 1)).flaw()


def test_an_event_that_gets_no_answer_is_sent_so_often_and_no_more() -> None:
    last = len(WAITS) - 1

    assert 5 == last
    assert "" == an_outgoing(sweep=last).flaw()
    assert "not_handled" == an_outgoing(sweep=last + 1).flaw()


@pytest.mark.parametrize("name", EVALUATED)
def test_what_the_evaluation_handles_is_answered(name: str) -> None:
    assert an_outgoing(name=name).is_answered
    assert NOW + WAITS[0] == first_look(name, NOW)


@pytest.mark.parametrize("name", [REWARD_POSTED, REWARD_MATURED, ""])
def test_nobody_answers_any_other_event(name: str) -> None:
    assert not an_outgoing(name=name).is_answered
    assert NOW + GRACE == first_look(name, NOW)


def test_sendings_go_on_for_more_than_a_day_and_grow_apart() -> None:
    looks = [NOW + WAITS[0]]
    for sweep in range(1, len(WAITS)):
        looks.append(an_outgoing(sweep=sweep).next_look(looks[-1]))

    waits = [later - sooner for sooner, later in zip([NOW, *looks], looks, strict=False)]
    assert list(WAITS) == waits == sorted(waits)
    assert looks[-2] - NOW > timedelta(hours=36)

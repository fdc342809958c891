from __future__ import annotations

import json
from typing import Any

import pytest

from shared.domain.events import MAX_HOPS
from shared.domain.outgoing import Outgoing


def an_outgoing(**changes: str) -> Outgoing:
    fields = {"event_id": "evt_1", "name": "FactsChanged", "envelope": an_envelope()}
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

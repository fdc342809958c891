"""What the publisher relies on in EventBridge."""

# ruff: noqa: ANN401 - requests and answers are as loosely typed as in boto3

from __future__ import annotations

from typing import Any

import pytest

from tests.conformance.conftest import BACKENDS
from tests.conformance.rows import code
from tests.fakes.memory_bus import MemoryBus


@pytest.fixture(params=BACKENDS)
def bus(request: pytest.FixtureRequest) -> Any:
    if request.param == "memory":
        return MemoryBus()
    return request.getfixturevalue("cloud").client("events")


def entry(detail: str = "{}") -> dict[str, Any]:
    return {
        "Source": "goodword",
        "DetailType": "checked",
        "Detail": detail,
        "EventBusName": "default",
    }


def test_every_entry_is_answered_in_its_place(bus: Any) -> None:
    answer = bus.put_events(Entries=[entry() for _ in range(10)])

    assert 0 == answer["FailedEntryCount"]
    assert 10 == len({one["EventId"] for one in answer["Entries"]})


def test_more_than_ten_entries_are_refused(bus: Any) -> None:
    assert "ValidationException" == code(bus.put_events, Entries=[entry() for _ in range(11)])


def test_a_request_over_one_megabyte_is_refused(bus: Any) -> None:
    large = entry(f'{{"x": "{"x" * 300_000}"}}')

    assert "ValidationException" == code(bus.put_events, Entries=[large] * 4)


@pytest.mark.parametrize("detail", ["no JSON", "[]"], ids=["no JSON", "a list"])
def test_a_detail_that_is_no_object_is_refused_alone(bus: Any, detail: str) -> None:
    answer = bus.put_events(Entries=[entry(), entry(detail), entry()])

    assert [False, True, False] == ["ErrorCode" in one for one in answer["Entries"]]
    assert "MalformedDetail" == answer["Entries"][1]["ErrorCode"]
    assert 1 == answer["FailedEntryCount"]

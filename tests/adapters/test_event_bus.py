from __future__ import annotations

import json
from typing import Any

import pytest
from botocore.exceptions import ConnectTimeoutError

from shared.adapters.event_bus import EventBus, events_client
from shared.domain.outgoing import Outgoing
from tests.fakes.memory_bus import MemoryBus, bus_error


def outgoing(number: int, size: int = 0) -> Outgoing:
    event_id = f"evt_{number:03d}"
    envelope = json.dumps({"event_id": event_id, "hops": 1, "data": "x" * size})
    return Outgoing(event_id=event_id, name="FactsChanged", envelope=envelope)


def outcomes(client: MemoryBus, events: list[Outgoing]) -> list[str]:
    told = list(EventBus(client, "the-bus").publish(events))
    assert events[: len(told)] == [event for event, _ in told]
    return [outcome for _, outcome in told]


@pytest.fixture
def client() -> MemoryBus:
    return MemoryBus()


def test_an_event_goes_out_whole(client: MemoryBus) -> None:
    event = outgoing(1)

    assert ["sent"] == outcomes(client, [event])
    assert [
        {
            "Source": "goodword",
            "DetailType": "FactsChanged",
            "Detail": event.envelope,
            "EventBusName": "the-bus",
        }
    ] == client.put


def test_nothing_to_publish_makes_no_call(client: MemoryBus) -> None:
    assert [] == outcomes(client, [])
    assert [] == client.requests


def test_a_request_holds_ten_entries(client: MemoryBus) -> None:
    assert ["sent"] * 23 == outcomes(client, [outgoing(number) for number in range(23)])
    assert [10, 10, 3] == [len(entries) for entries in client.requests]


def test_a_request_stays_below_one_megabyte(client: MemoryBus) -> None:
    assert ["sent"] * 4 == outcomes(client, [outgoing(number, 390_000) for number in range(4)])
    assert [2, 2] == [len(entries) for entries in client.requests]


def test_an_entry_over_the_limit_is_refused_alone(client: MemoryBus) -> None:
    events = [outgoing(1), outgoing(2, 1_100_000), outgoing(3)]

    assert ["sent", "refused", "sent"] == outcomes(client, events)


@pytest.mark.parametrize("code", ["ThrottlingException", "InternalFailure", "InternalException"])
def test_an_entry_that_failed_inside_a_success_is_told(client: MemoryBus, code: str) -> None:
    client.codes["evt_001"] = code

    found = outcomes(client, [outgoing(number) for number in range(3)])

    assert ["sent", "busy", "sent"] == found


@pytest.mark.parametrize("code", ["MalformedDetail", "InvalidArgument"])
def test_an_entry_at_fault_is_refused_and_its_neighbours_go(client: MemoryBus, code: str) -> None:
    client.codes["evt_001"] = code

    found = outcomes(client, [outgoing(number) for number in range(12)])

    assert ["sent", "refused", *["sent"] * 10] == found


def test_nothing_is_tried_after_a_busy_entry(client: MemoryBus) -> None:
    client.codes["evt_003"] = "ThrottlingException"

    found = outcomes(client, [outgoing(number) for number in range(25)])

    assert ["sent"] * 3 + ["busy"] + ["sent"] * 6 == found
    assert 1 == len(client.requests)


@pytest.mark.parametrize(
    "error",
    [
        bus_error("ThrottlingException"),
        bus_error("InternalException"),
        bus_error("AccessDeniedException"),
        bus_error("ResourceNotFoundException"),
        ConnectTimeoutError(endpoint_url="https://events"),
    ],
    ids=["throttled", "internal", "denied", "no bus", "timeout"],
)
def test_a_failed_request_is_busy_and_the_last(client: MemoryBus, error: Exception) -> None:
    def fail(_entries: object) -> None:
        raise error

    client.fault = fail

    assert ["busy"] * 10 == outcomes(client, [outgoing(number) for number in range(15)])
    assert 1 == len(client.requests)


def test_an_entry_that_spoils_its_request_is_found(client: MemoryBus) -> None:
    def fail(entries: list[dict[str, str]]) -> None:
        if any("evt_002" in entry["Detail"] for entry in entries):
            raise bus_error("ValidationException")

    client.fault = fail

    found = outcomes(client, [outgoing(number) for number in range(4)])

    assert ["sent", "sent", "refused", "sent"] == found


def test_silence_about_an_entry_is_no_promise() -> None:
    class Terse(MemoryBus):
        def put_events(self, *, Entries: list[dict[str, str]]) -> dict[str, object]:  # noqa: N803
            return {"FailedEntryCount": 0, "Entries": [{"EventId": "1"}]}

    assert ["sent", "busy"] == outcomes(Terse(), [outgoing(1), outgoing(2)])


def test_the_real_client_gives_up_in_seconds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")

    config: Any = events_client().meta.config

    assert (1, 3) == (config.connect_timeout, config.read_timeout)

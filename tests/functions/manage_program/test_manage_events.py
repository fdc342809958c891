"""Parked events: listed with their reasons, and let go again."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from shared.adapters.dynamodb.outbox import OutboxRows
from tests.fakes.stored_events import a_question, row_of, store_event, waiting_ids
from tests.functions.manage_program.conftest import CORE, NOW

if TYPE_CHECKING:
    from shared.domain.events import Event
    from tests.functions.manage_program.conftest import Api


def parked(api: Api, number: int = 1, **changes: Any) -> Event:  # noqa: ANN401 - any field
    event = a_question(number, **changes)
    store_event(api.store, event)
    outbox = OutboxRows(api.store, CORE)
    outbox.note_failure(event.event_id, "newer_fact")
    outbox.park(event.event_id, "not_handled", now=NOW)
    return event


def test_parked_events_are_listed_with_their_reasons_and_no_content(api: Api) -> None:
    event = parked(api, data={"secret": "do not show"})
    store_event(api.store, a_question(2))

    reply = api.send("GET", "/events", query="state=parked")

    (item,) = reply.body["items"]
    assert {
        "id": event.event_id,
        "name": "FactsChanged",
        "program_id": "prg_1",
        "aggregate": {"type": "referral", "id": "ref_1", "version": 1},
        "stored_at": "2026-03-01T12:00:00.000Z",
        "state": "parked",
        "parked_at": "2026-11-21T10:00:00.000Z",
        "reason": "not_handled",
        "error": "newer_fact",
    } == item


def test_parked_events_come_in_pages_newest_first(api: Api) -> None:
    ids = [parked(api, number).event_id for number in range(5)]

    first = api.send("GET", "/events", query="limit=3").body
    rest = api.send("GET", "/events", query=f"limit=3&cursor={first['next_cursor']}").body

    assert ids[::-1] == [item["id"] for item in [*first["items"], *rest["items"]]]
    assert None is rest["next_cursor"]


def test_a_row_that_holds_nothing_is_listed_all_the_same(api: Api) -> None:
    key = {"pk": {"S": "OUT#evt_bad"}, "sk": {"S": "EVENT"}}
    api.store.put_item(TableName=CORE, Item={**key, "envelope": {"S": "{"}})
    OutboxRows(api.store, CORE).park("evt_bad", "malformed_envelope", now=NOW)

    (item,) = api.send("GET", "/events").body["items"]

    assert ("evt_bad", "malformed_envelope", None) == (
        item["id"],
        item["reason"],
        item["stored_at"],
    )


@pytest.mark.parametrize(
    ("query", "path"), [("state=waiting", "state"), ("program_id=prg_1", "program_id")]
)
def test_only_parked_events_are_listed(api: Api, query: str, path: str) -> None:
    reply = api.send("GET", "/events", query=query)

    assert (422, [path]) == (reply.status, reply.paths)


def test_a_redrive_lets_the_event_go_again(api: Api) -> None:
    event = parked(api)

    reply = api.send("POST", f"/events/{event.event_id}/redrive")

    assert (202, "waiting", None) == (reply.status, reply.body["state"], reply.body["reason"])
    assert [event.event_id] == waiting_ids(api.store)
    assert [] == api.send("GET", "/events").body["items"]


def test_redriving_an_unknown_event_is_not_found(api: Api) -> None:
    assert 404 == api.send("POST", "/events/evt_none/redrive").status


def test_only_a_key_for_sources_may_redrive(api: Api) -> None:
    event = parked(api)
    key = api.key_with("read", "referrals")

    assert 200 == api.send("GET", "/events", key=key).status
    assert 403 == api.send("POST", f"/events/{event.event_id}/redrive", key=key).status
    assert "parked_at" in row_of(api.store, event)


class CrashError(BaseException):
    """The process is gone."""


def test_a_crash_after_the_redrive_is_answered_the_second_time(api: Api) -> None:
    event = parked(api)

    def crash(_request: dict[str, Any], _answer: dict[str, Any]) -> None:
        raise CrashError

    once = {"idempotency-key": "k-1"}
    path = f"/events/{event.event_id}/redrive"
    api.store.after["update_item"] = crash
    with pytest.raises(CrashError):
        api.send("POST", path, headers=once)
    api.store.after.clear()
    api.clock[0] += timedelta(minutes=2)

    assert 202 == api.send("POST", path, headers=once).status
    assert [event.event_id] == waiting_ids(api.store)


# -- many at once ---------------------------------------------------------------------------------


def test_a_redrive_of_many_takes_one_page_and_leads_on(api: Api) -> None:
    ids = [parked(api, number).event_id for number in range(5)]

    first = api.send("POST", "/events/redrive", query="limit=3")
    assert (202, ids[:1:-1]) == (first.status, [item["id"] for item in first.body["items"]])
    assert set(ids[2:]) == set(waiting_ids(api.store))

    rest = api.send("POST", "/events/redrive", query=f"limit=3&cursor={first.body['next_cursor']}")
    assert ([*ids[1::-1]], None) == (
        [item["id"] for item in rest.body["items"]],
        rest.body["next_cursor"],
    )
    assert set(ids) == set(waiting_ids(api.store))


@pytest.mark.parametrize(
    ("query", "fits"),
    [
        ("reason=not_handled", True),
        ("reason=refused_by_bus", False),
        ("error=newer_fact", True),
        ("error=other", False),
        ("name=FactsChanged", True),
        ("name=RewardPosted", False),
        ("program_id=prg_1&reason=not_handled", True),
        ("program_id=prg_2&reason=not_handled", False),
    ],
)
def test_a_redrive_of_many_leaves_what_does_not_fit(api: Api, query: str, *, fits: bool) -> None:
    event = parked(api)

    reply = api.send("POST", "/events/redrive", query=query)

    assert fits == bool(reply.body["items"])
    assert fits == bool(waiting_ids(api.store))
    assert fits == ("parked_at" not in row_of(api.store, event))


@pytest.mark.parametrize("query", ["limit=101", "state=parked", "cursor=x", "limit=0"])
def test_a_redrive_of_many_is_bounded_and_knows_its_filters(api: Api, query: str) -> None:
    event = parked(api)

    assert 422 == api.send("POST", "/events/redrive", query=query).status
    assert "parked_at" in row_of(api.store, event)


def test_the_cursor_of_other_filters_redrives_nothing(api: Api) -> None:
    for number in range(3):
        parked(api, number)
    cursor = api.send("GET", "/events", query="limit=1").body["next_cursor"]

    reply = api.send("POST", "/events/redrive", query=f"limit=1&cursor={cursor}")

    assert (422, ["cursor"]) == (reply.status, reply.paths)


def test_a_redrive_that_broke_off_ends_the_second_time(api: Api) -> None:
    ids = {parked(api, number).event_id for number in range(3)}
    written: list[str] = []

    def crash(request: dict[str, Any], _answer: dict[str, Any]) -> None:
        written.append(str(request))
        if len(written) == 2:
            raise CrashError

    once = {"idempotency-key": "k-1"}
    api.store.after["update_item"] = crash
    with pytest.raises(CrashError):
        api.send("POST", "/events/redrive", headers=once)
    api.store.after.clear()
    api.clock[0] += timedelta(minutes=2)

    assert 202 == api.send("POST", "/events/redrive", headers=once).status
    assert ids == set(waiting_ids(api.store))

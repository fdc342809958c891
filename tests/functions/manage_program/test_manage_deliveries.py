from __future__ import annotations

import json
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from shared.adapters.dynamodb import keys
from shared.adapters.dynamodb.deliveries import delivery_row
from shared.adapters.dynamodb.transactions import put, transact
from shared.domain.deliveries import PARKED, Delivery, Reason
from tests.functions.manage_program.conftest import CORE, NOW

if TYPE_CHECKING:
    from tests.functions.manage_program.conftest import Api


def park(
    api: Api,
    delivery_id: str = "dlv_1",
    program_id: str = "prg_demo",
    code: str = "unknown_stage",
    source_id: str = "src_1",
) -> None:
    delivery = Delivery(
        delivery_id=delivery_id,
        source_id=source_id,
        program_id=program_id,
        kind="hubspot",
        message_id="",
        received_at=NOW,
        size=12,
        digest="d" * 64,
        state=PARKED,
        reasons=(Reason(path="[0]", code=code),),
    )
    transact(api.store, [put(CORE, keys.delivery(delivery_id), delivery_row(delivery))])


def announced(api: Api) -> list[dict[str, Any]]:
    return [
        json.loads(row["envelope"])
        for row in api.store.dump()[CORE]
        if row["pk"].startswith("OUT#")
    ]


def test_parked_deliveries_are_listed_with_their_reasons(api: Api) -> None:
    park(api)
    park(api, "dlv_2", "prg_other")

    reply = api.send("GET", "/deliveries", query="state=parked&program_id=prg_demo")

    (item,) = reply.body["items"]
    assert ("dlv_1", "parked") == (item["id"], item["state"])
    assert item["reasons"] == [{"path": "[0]", "code": "unknown_stage"}]
    assert "body" not in item


@pytest.mark.parametrize(
    ("query", "path"),
    [("state=applied&program_id=prg_demo", "state"), ("state=parked", "program_id")],
)
def test_only_parked_deliveries_of_a_programme_are_listed(api: Api, query: str, path: str) -> None:
    reply = api.send("GET", "/deliveries", query=query)

    assert (reply.status, reply.paths) == (422, [path])


def test_a_replay_announces_the_delivery_again(api: Api) -> None:
    park(api)

    reply = api.send("POST", "/deliveries/dlv_1/replay")

    assert (reply.status, reply.body["id"]) == (202, "dlv_1")
    (event,) = announced(api)
    assert event["data"] == {"delivery_id": "dlv_1", "source_id": "src_1"}
    assert event["correlation_id"] == "request-1"


def test_replaying_an_unknown_delivery_is_not_found(api: Api) -> None:
    assert api.send("POST", "/deliveries/dlv_none/replay").status == 404
    assert announced(api) == []


class CrashError(BaseException):
    """The process is gone."""


def test_a_crash_after_the_replay_announces_once(api: Api) -> None:
    park(api)

    def crash(request: dict[str, Any], _answer: dict[str, Any]) -> None:
        if "OUT#" in str(request):
            raise CrashError

    once = {"idempotency-key": "k-1"}
    api.store.after["transact_write_items"] = crash
    with pytest.raises(CrashError):
        api.send("POST", "/deliveries/dlv_1/replay", headers=once)
    api.store.after.clear()
    api.clock[0] += timedelta(minutes=2)

    assert api.send("POST", "/deliveries/dlv_1/replay", headers=once).status == 202
    assert len(announced(api)) == 1


# -- many at once ---------------------------------------------------------------------------------


def replayed(api: Api) -> list[str]:
    return sorted(event["data"]["delivery_id"] for event in announced(api))


def test_a_replay_of_many_takes_one_page_of_a_programme_and_leads_on(api: Api) -> None:
    for number in range(1, 5):
        park(api, f"dlv_{number}")
    park(api, "dlv_9", "prg_other")

    first = api.send("POST", "/deliveries/replay", query="program_id=prg_demo&limit=3")
    assert (202, ["dlv_4", "dlv_3", "dlv_2"]) == (
        first.status,
        [item["id"] for item in first.body["items"]],
    )
    assert ["dlv_2", "dlv_3", "dlv_4"] == replayed(api)

    query = f"program_id=prg_demo&limit=3&cursor={first.body['next_cursor']}"
    assert None is api.send("POST", "/deliveries/replay", query=query).body["next_cursor"]
    assert ["dlv_1", "dlv_2", "dlv_3", "dlv_4"] == replayed(api)


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("reason=unknown_stage", ["dlv_1"]),
        ("source_id=src_2", ["dlv_2"]),
        ("source_id=src_2&reason=unknown_stage", []),
    ],
)
def test_a_replay_of_many_leaves_what_does_not_fit(
    api: Api, query: str, expected: list[str]
) -> None:
    park(api)
    park(api, "dlv_2", code="bad_amount", source_id="src_2")

    api.send("POST", "/deliveries/replay", query=f"program_id=prg_demo&{query}")

    assert expected == replayed(api)


def test_a_replay_of_many_names_its_programme(api: Api) -> None:
    park(api)

    reply = api.send("POST", "/deliveries/replay")

    assert (422, ["program_id"]) == (reply.status, reply.paths)
    assert [] == announced(api)


def test_a_replay_that_broke_off_leaves_nobody_out_the_second_time(api: Api) -> None:
    """What was announced may have left the list by then: the page is another one."""
    for number in range(1, 4):
        park(api, f"dlv_{number}")

    def crash(request: dict[str, Any], _answer: dict[str, Any]) -> None:
        if "OUT#" in str(request):
            raise CrashError

    once = {"idempotency-key": "k-1"}
    query = "program_id=prg_demo"
    api.store.after["transact_write_items"] = crash
    with pytest.raises(CrashError):
        api.send("POST", "/deliveries/replay", query=query, headers=once)
    api.store.after.clear()
    assert ["dlv_3"] == replayed(api)
    applied = keys.delivery("dlv_3")
    api.store.delete_item(TableName=CORE, Key={"pk": {"S": applied[0]}, "sk": {"S": applied[1]}})
    api.clock[0] += timedelta(minutes=2)

    assert 202 == api.send("POST", "/deliveries/replay", query=query, headers=once).status
    assert ["dlv_1", "dlv_2", "dlv_3"] == replayed(api)

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


def park(api: Api, delivery_id: str = "dlv_1", program_id: str = "prg_demo") -> None:
    delivery = Delivery(
        delivery_id=delivery_id,
        source_id="src_1",
        program_id=program_id,
        kind="hubspot",
        message_id="",
        received_at=NOW,
        size=12,
        digest="d" * 64,
        state=PARKED,
        reasons=(Reason(path="[0]", code="unknown_stage"),),
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

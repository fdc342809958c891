"""Jobs that failed are seen at the API, go on or are cancelled there; partners come in pages."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from shared import names
from tests.builders.evaluated import Evaluation
from tests.builders.managed import referred
from tests.builders.money import DAY, START, Story

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.functions.manage_program.conftest import Api

BASE = "/programs/prg_demo"
WON: dict[str, Any] = {
    "id": "commission",
    "beneficiary": "partner",
    "milestone": "won",
    "kind": "cash",
    "value": {"percent": "10", "of": "deal_amount"},
}
MORE = {"name": "More", "rules": [{**WON, "value": {"percent": "15", "of": "deal_amount"}}]}
SIMULATE = {
    "definition": MORE,
    "from": "2026-01-01T00:00:00Z",
    "to": "2027-01-01T00:00:00Z",
}
MIGRATE = {"to_version": 2, "referrals": "all", "preview": False}
BOTH = pytest.mark.parametrize(
    ("kind", "body"), [("simulations", SIMULATE), ("migrations", MIGRATE)]
)


@pytest.fixture
def office(api: Api, monkeypatch: pytest.MonkeyPatch) -> Evaluation:
    """Four deals of four partners, the later the larger, and a second version of the terms."""
    api.program("prg_demo")
    for definition in ({"name": "Live", "rules": [WON]}, MORE):
        api.made(f"{BASE}/terms", definition)
    evaluation = Evaluation(api, monkeypatch)
    for number in range(1, 5):
        partner_id = api.partner(f"P{number}", f"p{number}@a.example")
        story = Story(
            referral_id=f"ref_{number}",
            deal_id=f"D-{number}",
            partner_id=partner_id,
            start=START + number * DAY,
        )
        story.submitted().reviewed("accepted").amount(f"{number}00.00").stage("won")
        head = {"program_id": "prg_demo", "partner_id": partner_id, "review": "accepted"}
        referred(api, story, referral_id=story.referral_id, **head)
        fact = {"kind": "milestone_reached", "reason": "r", "data": {"milestone": "seen"}}
        api.made(f"/referrals/{story.referral_id}/facts", fact)
    evaluation.pump()
    return evaluation


def started(api: Api, kind: str, body: dict[str, Any]) -> str:
    reply = api.send("POST", f"{BASE}/{kind}", body)
    assert reply.status == 202, reply.body
    return f"{BASE}/{kind}/{reply.body['id']}"


def tried(office: Evaluation, times: int) -> bool:
    """Hands over the waiting step for the n-th time; returns whether it stays in the queue."""
    (row,) = office.waiting()
    body = {"detail-type": row["name"], "detail": json.loads(row["envelope"])}
    record = {
        "messageId": "m1",
        "body": json.dumps(body),
        "attributes": {"ApproximateReceiveCount": str(times)},
    }
    answer = office.module.handler({"Records": [record]}, None)
    office.handled.append(row["event_id"])
    return bool([{"itemIdentifier": "m1"}] == answer["batchItemFailures"])


def breaking(api: Api, what: Callable[[dict[str, Any]], bool]) -> None:
    """Lets the store be down for what is asked so."""

    def down(request: dict[str, Any]) -> None:
        if what(request):
            error = {"Error": {"Code": "InternalServerError", "Message": ""}}
            raise api.store.exceptions.from_code("InternalServerError")(error, "x")

    api.store.before["*"] = down


def lists_referrals(request: dict[str, Any]) -> bool:
    return "IndexName" in request


@BOTH
def test_the_last_try_marks_the_job_and_sets_the_message_aside(
    api: Api, office: Evaluation, kind: str, body: dict[str, Any]
) -> None:
    path = started(api, kind, body)
    breaking(api, lists_referrals)
    api.clock[0] += timedelta(minutes=30)

    assert tried(office, names.EVALUATE_TRIES)

    api.store.before.clear()
    shown = api.send("GET", path).body
    assert ("failed", {"at": "2026-11-21T10:30:00.000Z", "step": "plan",
                       "reason": "store_unavailable"}) == (
        shown["status"],
        shown["failure"],
    )  # fmt: skip
    resumed = api.send("POST", f"{path}/resume")
    assert (202, "planning", None) == (
        resumed.status,
        resumed.body["status"],
        resumed.body["failure"],
    )
    office.pump()
    assert ("done", 4) == (
        api.send("GET", path).body["status"],
        api.send("GET", path).body["progress"]["referrals_done"],
    )


def test_an_earlier_try_comes_again(api: Api, office: Evaluation) -> None:
    path = started(api, "simulations", SIMULATE)
    breaking(api, lists_referrals)

    assert tried(office, names.EVALUATE_TRIES - 1)

    api.store.before.clear()
    assert "planning" == api.send("GET", path).body["status"]


def test_a_store_that_is_down_altogether_lets_the_job_be_seen_to_stall(
    api: Api, office: Evaluation
) -> None:
    path = started(api, "simulations", SIMULATE)
    breaking(api, lambda _request: True)

    assert tried(office, names.EVALUATE_TRIES)

    api.store.before.clear()
    assert "planning" == api.send("GET", path).body["status"]
    api.clock[0] += timedelta(hours=2)
    assert ("stalled", None) == (
        api.send("GET", path).body["status"],
        api.send("GET", path).body["failure"],
    )
    assert "planning" == api.send("POST", f"{path}/resume").body["status"]
    office.pump()
    assert "done" == api.send("GET", path).body["status"]


def test_the_last_try_of_other_messages_marks_nothing(api: Api, office: Evaluation) -> None:
    before = api.store.dump()
    for body in ("{", "{}", json.dumps({"detail-type": "FactsChanged", "detail": {}})):
        record = {"messageId": "m", "body": body, "attributes": {"ApproximateReceiveCount": "9"}}
        answer = office.module.handler({"Records": [record]}, None)
        assert [{"itemIdentifier": "m"}] == answer["batchItemFailures"]
    assert before == api.store.dump()


@BOTH
def test_a_job_is_cancelled_once_and_for_all(
    api: Api, office: Evaluation, kind: str, body: dict[str, Any]
) -> None:
    path = started(api, kind, body)

    first, again = (api.send("POST", f"{path}/cancel") for _ in range(2))

    assert (200, "cancelled", first.body) == (first.status, first.body["status"], again.body)
    office.pump()
    assert 0 == api.send("GET", path).body["progress"]["referrals_done"]
    resumed = api.send("POST", f"{path}/resume")
    assert (409, "job_over") == (resumed.status, resumed.code)


@BOTH
def test_what_is_done_is_neither_cancelled_nor_resumed(
    api: Api, office: Evaluation, kind: str, body: dict[str, Any]
) -> None:
    path = started(api, kind, body)
    office.pump()

    for act in ("cancel", "resume"):
        reply = api.send("POST", f"{path}/{act}")
        assert (409, "job_over") == (reply.status, reply.code)


@BOTH
def test_what_goes_on_is_left_alone(
    api: Api, office: Evaluation, kind: str, body: dict[str, Any]
) -> None:
    path = started(api, kind, body)

    reply = api.send("POST", f"{path}/resume")

    assert (202, "planning") == (reply.status, reply.body["status"])
    assert 1 == len(office.waiting())


@BOTH
def test_jobs_are_found_under_their_own_kind(
    api: Api, office: Evaluation, kind: str, body: dict[str, Any]
) -> None:
    path = started(api, kind, body)
    other = {"simulations": "migrations", "migrations": "simulations"}[kind]
    for act in ("cancel", "resume"):
        assert 404 == api.send("POST", f"{path.replace(kind, other)}/{act}").status
    assert office.waiting()


# -- partners -------------------------------------------------------------------------------------


def test_partners_come_in_pages_those_with_the_most_at_stake_first(
    api: Api, office: Evaluation, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shared.usecases.run_simulation.LINES", 3)
    monkeypatch.setattr("functions.manage_program.simulations.LINES", 3)
    path = started(api, "simulations", SIMULATE)
    assert [] == api.send("GET", f"{path}/partners").body["items"]
    office.pump()

    pages = []
    query = "limit=2"
    for _ in range(5):
        page = api.send("GET", f"{path}/partners", query=query).body
        pages.append([line["delta"]["amount"] for line in page["items"]])
        if not page["next_cursor"]:
            break
        query = f"limit=2&cursor={page['next_cursor']}"

    assert [["20.00", "15.00"], ["10.00", "5.00"]] == pages
    whole = api.send("GET", f"{path}/partners", query="limit=100").body
    assert ("60.00", "40.00", "20.00") == tuple(
        whole["items"][0][name]["amount"] for name in ("simulated", "paid", "delta")
    )
    assert (4, None) == (len(whole["items"]), whole["next_cursor"])
    winners = api.send("GET", path).body["result"]["winners"]
    assert whole["items"] == winners


def test_referrals_that_cant_be_read_are_told(api: Api, office: Evaluation) -> None:
    path = started(api, "simulations", SIMULATE)
    office.pump()
    assert {"count": 0, "referral_ids": []} == api.send("GET", path).body["result"]["unreadable"]


def test_a_period_has_an_end(api: Api, office: Evaluation) -> None:
    body = {**SIMULATE, "to": "2037-01-01T00:00:00Z"}

    reply = api.send("POST", f"{BASE}/simulations", body)

    assert (422, "to", "too_long") == (
        reply.status,
        reply.body["errors"][0]["path"],
        reply.body["errors"][0]["code"],
    )
    assert not office.waiting()

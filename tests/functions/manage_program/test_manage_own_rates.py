"""A rate for one referral: two persons set it, and the difference is posted."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from shared.adapters.dynamodb import keys
from shared.adapters.dynamodb.referrals import fact_row
from shared.adapters.dynamodb.transactions import put, transact
from shared.domain import facts as kinds
from tests.builders.managed import CORE, outgoing, referred, settle
from tests.builders.money import WORKED_EXAMPLE, Story

if TYPE_CHECKING:
    from tests.functions.manage_program.conftest import Api

FACTS = "/referrals/ref_1/facts"
PROPOSALS = "/referrals/ref_1/proposals"
PAIR = {
    **WORKED_EXAMPLE["rules"][0],
    "id": "pair",
    "occurrence": "every_nth",
    "nth": 2,
}
PERK = {
    **WORKED_EXAMPLE["rules"][0],
    "id": "perk",
    "kind": "perk",
    "value": {"quantity": 1, "unit": "licence"},
}


@pytest.fixture(autouse=True)
def partners(api: Api) -> list[str]:
    """Two enrolled partners; the first one's referral of 20,000.00 is won."""
    api.program("prg_1")
    terms = {**WORKED_EXAMPLE, "rules": [*WORKED_EXAMPLE["rules"], PAIR, PERK]}
    api.made("/programs/prg_1/terms", terms)
    found = [api.partner("Ada", "ada@a.example"), api.partner("Bob", "bob@b.example")]
    for partner_id in found:
        body = {"partner_id": partner_id, "program_id": "prg_1", "accept_terms": True}
        api.made("/enrolments", body)
    story = Story(partner_id=found[0]).submitted().reviewed("accepted").amount("20000.00")
    referred(api, story.stage("won"), review="accepted", partner_id=found[0])
    settle(api, now=api.clock[0])
    return found


def state(api: Api, kind: str, **data: object) -> Any:  # noqa: ANN401 - a reply
    api.clock[0] += timedelta(hours=1)
    return api.send("POST", FACTS, {"kind": kind, "reason": "agreed in March", "data": data})


def propose(api: Api, **data: object) -> Any:  # noqa: ANN401 - a reply
    return state(api, kinds.RATE_SET, **data)


def approve(api: Api, proposed: Any, principal: str = "Grace") -> Any:  # noqa: ANN401 - a reply
    api.clock[0] += timedelta(hours=1)
    body = {"principal": principal, "scopes": ["referrals", "read"]}
    key = str(api.made("/keys", body)["key"])
    reply = api.send("POST", f"{PROPOSALS}/{proposed.body['id']}/approve", key=key)
    settle(api, now=api.clock[0])
    return reply


def rewards(api: Api) -> dict[str, dict[str, Any]]:
    items = api.send("GET", "/rewards", query="referral_id=ref_1&limit=100").body["items"]
    return {item["rule_id"]: item for item in items}


def commission(api: Api) -> str:
    return str(rewards(api)["won_commission"]["amount"]["amount"])


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        ({"percent": "12"}, "2400.00"),
        # Less takes two as well: it is somebody's money.
        ({"percent": "0.5"}, "100.00"),
        ({"fixed": "33.30"}, "33.30"),
        ({"fixed": "0"}, "0.00"),
    ],
)
def test_two_persons_set_it_and_the_difference_is_posted(
    api: Api, data: dict[str, str], expected: str
) -> None:
    changed = len(outgoing(api, "FactsChanged"))

    proposed = propose(api, rule="won_commission", **data)
    settle(api, now=api.clock[0])

    assert (202, "open", "root") == (
        proposed.status,
        proposed.body["state"],
        proposed.body["proposed_by"],
    )
    assert ("2000.00", changed) == (commission(api), len(outgoing(api, "FactsChanged")))
    own = api.send("POST", f"{PROPOSALS}/{proposed.body['id']}/approve")
    assert (409, "second_person_required") == (own.status, own.code)

    approved = approve(api, proposed)

    assert 201 == approved.status
    assert {
        "rule": "won_commission",
        **data,
        "actor": "root",
        "approved_by": "Grace",
        "reason": "agreed in March",
    } == approved.body["data"]
    assert expected == commission(api)
    assert "50.00" == rewards(api)["accepted_bonus"]["amount"]["amount"]


def test_explanation_and_history_tell_of_it(api: Api, partners: list[str]) -> None:
    approved = approve(api, propose(api, rule="won_commission", percent="12"))

    for query in ("", f"view=partner&partner_id={partners[0]}"):
        lines = api.send("GET", "/referrals/ref_1/explanation", query=query).body["lines"]
        levels = {line["rule_id"]: line["level"] for line in lines}
        assert "referral" == levels["won_commission"]
        assert "program" == levels["accepted_bonus"]
    history = api.send("GET", "/referrals/ref_1/history", query="limit=100").body["items"]
    (raised,) = [
        each for each in history if each["change"] == {"amount": "400.00", "currency": "USD"}
    ]
    assert approved.body["fact_id"] in [fact["fact_id"] for fact in raised["facts"]]


def test_to_take_it_back_takes_two_as_well(api: Api) -> None:
    approved = approve(api, propose(api, rule="won_commission", percent="1"))

    taken_back = state(api, kinds.FACT_RETRACTED, retracts=approved.body["fact_id"])
    settle(api, now=api.clock[0])

    assert (202, "200.00") == (taken_back.status, commission(api))
    assert 201 == approve(api, taken_back, "Heidi").status
    assert "2000.00" == commission(api)


@pytest.mark.parametrize("between", ["rate", "shares", "terms"])
def test_who_approves_has_seen_the_last_word_on_the_money(
    api: Api, partners: list[str], between: str
) -> None:
    proposed = propose(api, rule="won_commission", percent="12")
    if between == "rate":
        approve(api, propose(api, rule="accepted_bonus", fixed="60.00"), "Heidi")
    elif between == "terms":
        migrated = Story(partner_id=partners[0], start=api.clock[0]).submitted().facts[1]
        row = put(CORE, keys.fact("ref_1", migrated.fact_id), fact_row(migrated))
        transact(api.store, [row])
    else:
        part = {"partner_id": partners[1], "role": "introducer", "basis_points": 10_000}
        assert 201 == state(api, kinds.SHARES_SET, shares=[part]).status

    reply = approve(api, proposed)

    assert (409, "proposal_outdated") == (reply.status, reply.code)
    assert "2000.00" == commission(api)


@pytest.mark.parametrize(
    ("data", "path", "code"),
    [
        ({"percent": "12"}, "data.rule", "required"),
        ({"rule": "Rule!", "percent": "12"}, "data.rule", "not_allowed"),
        ({"rule": "other", "percent": "12"}, "data.rule", "not_allowed"),
        ({"rule": "pair", "fixed": "12.00"}, "data.rule", "not_allowed"),
        ({"rule": "perk", "fixed": "12.00"}, "data.rule", "not_allowed"),
        ({"rule": "perk", "percent": "12"}, "data.rule", "not_allowed"),
        ({"rule": "lead_discount", "fixed": "12.00"}, "data.rule", "not_allowed"),
        ({"rule": "won_commission"}, "data", "required"),
        ({"rule": "won_commission", "percent": "12", "fixed": "1.00"}, "data", "required"),
        ({"rule": "won_commission", "percent": 12}, "data.percent", "wrong_type"),
        ({"rule": "won_commission", "percent": "0"}, "data.percent", "not_a_percentage"),
        ({"rule": "won_commission", "percent": "100.01"}, "data.percent", "not_a_percentage"),
        ({"rule": "won_commission", "fixed": "-1.00"}, "data.fixed", "not_an_amount"),
        ({"rule": "won_commission", "fixed": "1.005"}, "data.fixed", "too_precise"),
        ({"rule": "won_commission", "fixed": "9" * 18}, "data.fixed", "too_large"),
        ({"rule": "won_commission", "fixed": "1", "level": "link"}, "data.level", "unknown_field"),
    ],
)
def test_a_wrong_rate_is_refused(api: Api, data: dict[str, Any], path: str, code: str) -> None:
    reply = propose(api, **data)

    found = [(error["path"], error["code"]) for error in reply.body["errors"]]
    assert (422, [(path, code)]) == (reply.status, found)


def test_a_discount_may_have_another_percentage(api: Api) -> None:
    approve(api, propose(api, rule="lead_discount", percent="25"))

    lines = api.send("GET", "/referrals/ref_1/explanation").body["lines"]
    (line,) = [line for line in lines if line["rule_id"] == "lead_discount"]
    assert ("referral", "25") == (line["level"], line["figures"]["percent"])


def test_it_is_no_decision_of_another_time(api: Api) -> None:
    data = {"rule": "won_commission", "percent": "12"}
    body = {"kind": kinds.RATE_SET, "reason": "r", "data": data}

    reply = api.send("POST", FACTS, {**body, "occurred_at": "2026-01-06T10:00:00Z"})

    assert (422, ["occurred_at"]) == (reply.status, reply.paths)


def test_a_referral_that_lost_its_lead_may_have_one(api: Api) -> None:
    story = Story(referral_id="ref_2").submitted()
    referred(api, story, referral_id="ref_2", taken_over_by="ref_3")
    data = {"rule": "accepted_bonus", "fixed": "60.00"}

    reply = api.send(
        "POST", "/referrals/ref_2/facts", {"kind": kinds.RATE_SET, "reason": "r", "data": data}
    )

    assert 202 == reply.status

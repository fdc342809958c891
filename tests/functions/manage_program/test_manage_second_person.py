"""What one person can't do alone to money that somebody else has earned."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from shared.domain import facts as kinds
from shared.domain.facts_by_hand import RETRACTABLE, UNSAID_BY_TWO
from tests.builders.managed import outgoing, referred, settle
from tests.builders.money import WORKED_EXAMPLE, Story

if TYPE_CHECKING:
    from tests.functions.manage_program.conftest import Api

FACTS = "/referrals/ref_1/facts"
PROPOSALS = "/referrals/ref_1/proposals"
SAID = {
    kinds.MILESTONE_REACHED: {"milestone": "meeting_held"},
    kinds.CURRENCY_SET: {"currency": "USD"},
    kinds.FIELD_SET: {"name": "plan", "value": "pro"},
    kinds.INVOICE_PAID: {"invoice_id": "I-1", "amount_net": "9.00", "currency": "USD"},
    kinds.RENEWED: {"renewal_id": "N-1"},
    kinds.REFUNDED: {"refund_id": "R-1", "of": "deal", "amount": "1.00", "currency": "USD"},
    kinds.CHARGED_BACK: {"chargeback_id": "C-1", "of": "deal", "amount": "1", "currency": "USD"},
    kinds.CHARGEBACK_REVERSED: {"chargeback_id": "C-1"},
    kinds.DEAL_ENDED: {"how": "deleted"},
    kinds.DEAL_RESTORED: {},
    kinds.REGRADED: {"grade": "A"},
    kinds.RATE_SET: {"rule": "accepted_bonus", "fixed": "40.00"},
    kinds.HOLD_PLACED: {"hold_id": "hld_1"},
    kinds.HOLD_RELEASED: {"hold_id": "hld_1"},
}


@pytest.fixture
def partners(api: Api) -> list[str]:
    """Two enrolled partners; the referral is the first one's, accepted, won, and more."""
    api.program("prg_1")
    grades = {"grades": [], "otherwise": "B", "decide": {"A": "accept"}}
    api.made("/programs/prg_1/terms", {**WORKED_EXAMPLE, "lead_quality": grades})
    found = [api.partner("Ada", "ada@a.example"), api.partner("Bob", "bob@b.example")]
    for partner_id in found:
        body = {"partner_id": partner_id, "program_id": "prg_1", "accept_terms": True}
        api.made("/enrolments", body)
    story = Story(partner_id=found[0]).submitted().reviewed("accepted").amount("20000.00")
    story.stage("won")
    for kind, data in SAID.items():
        story.add(kind, "", data)
    referred(api, story, review="accepted", partner_id=found[0])
    settle(api, now=api.clock[0])
    return found


def told(api: Api, kind: str) -> dict[str, Any]:
    facts = api.send("GET", "/referrals/ref_1").body["facts"]
    found: dict[str, Any] = next(fact for fact in facts if fact["kind"] == kind)
    return found


def state(api: Api, kind: str, **data: object) -> Any:  # noqa: ANN401 - a reply
    api.clock[0] += timedelta(hours=1)
    reply = api.send("POST", FACTS, {"kind": kind, "reason": "because", "data": data})
    settle(api, now=api.clock[0])
    return reply


def retract(api: Api, kind: str) -> Any:  # noqa: ANN401 - a reply
    return state(api, kinds.FACT_RETRACTED, retracts=told(api, kind)["fact_id"])


def give_away(api: Api, partner_id: str) -> None:
    part = {"partner_id": partner_id, "role": "introducer", "basis_points": 10_000}
    assert 201 == state(api, kinds.SHARES_SET, shares=[part]).status


def earned(api: Api) -> dict[str, tuple[str, str]]:
    """Who holds how much for each rule of the partner."""
    items = api.send("GET", "/rewards", query="referral_id=ref_1&limit=100").body["items"]
    return {
        item["rule_id"]: (item["holder_id"], item["amount"]["amount"])
        for item in items
        if item["amount"] and item["amount"]["amount"] != "0.00"
    }


def second(api: Api) -> str:
    body = {"principal": "Grace", "scopes": ["referrals", "read"]}
    return str(api.made("/keys", body)["key"])


@pytest.mark.usefixtures("partners")
@pytest.mark.parametrize("kind", sorted(UNSAID_BY_TWO))
def test_what_nothing_newer_can_unsay_takes_two(api: Api, kind: str) -> None:
    before = earned(api)
    changed = len(outgoing(api, "FactsChanged"))

    proposed = retract(api, kind)

    assert (202, "open", "root") == (
        proposed.status,
        proposed.body["state"],
        proposed.body["proposed_by"],
    )
    assert told(api, kind)["fact_id"] == proposed.body["retracts"]
    assert before == earned(api)
    assert changed == len(outgoing(api, "FactsChanged"))
    path = f"{PROPOSALS}/{proposed.body['id']}/approve"
    own = api.send("POST", path)
    approved = api.send("POST", path, key=second(api))
    assert (409, "second_person_required") == (own.status, own.code)
    assert 201 == approved.status
    assert (proposed.body["retracts"], "root", "Grace") == (
        approved.body["retracts"],
        approved.body["data"]["actor"],
        approved.body["data"]["approved_by"],
    )


@pytest.mark.usefixtures("partners")
@pytest.mark.parametrize("kind", sorted(RETRACTABLE - UNSAID_BY_TWO))
def test_what_could_be_set_anew_is_taken_back_by_one(api: Api, kind: str) -> None:
    reply = retract(api, kind)

    assert 201 == reply.status
    assert told(api, kinds.FACT_RETRACTED)["retracts"] == told(api, kind)["fact_id"]


def test_every_kind_that_can_be_taken_back_is_tried() -> None:
    assert RETRACTABLE == {*SAID, kinds.AMOUNT_SET, kinds.STAGE_ENTERED}


@pytest.mark.usefixtures("partners")
def test_a_proposal_is_worth_nothing_once_the_fact_is_taken_back(api: Api) -> None:
    first, other = retract(api, kinds.REFUNDED), retract(api, kinds.REFUNDED)
    grace = second(api)
    api.send("POST", f"{PROPOSALS}/{first.body['id']}/approve", key=grace)

    reply = api.send("POST", f"{PROPOSALS}/{other.body['id']}/approve", key=grace)

    assert (409, "fact_already_retracted") == (reply.status, reply.code)


def test_who_approves_a_retraction_has_seen_the_shares(api: Api, partners: list[str]) -> None:
    proposed = retract(api, kinds.STAGE_ENTERED)
    give_away(api, partners[1])

    reply = api.send("POST", f"{PROPOSALS}/{proposed.body['id']}/approve", key=second(api))

    assert (409, "proposal_outdated") == (reply.status, reply.code)


def test_one_person_moves_nothing_by_taking_back_and_stating_anew(
    api: Api, partners: list[str]
) -> None:
    """New shares, then the milestone is taken back and stated again, so that it counts anew."""
    before = earned(api)
    give_away(api, partners[1])

    taken_back = retract(api, kinds.STAGE_ENTERED)
    stated = state(api, kinds.MILESTONE_REACHED, milestone="won")

    assert (202, 201) == (taken_back.status, stated.status)
    assert {partners[0]} == {holder for holder, _ in earned(api).values()}
    assert before == earned(api)


def test_one_person_moves_nothing_by_an_earlier_date(api: Api, partners: list[str]) -> None:
    before = earned(api)
    give_away(api, partners[1])

    body = {"kind": kinds.MILESTONE_REACHED, "reason": "r", "data": {"milestone": "won"}}
    reply = api.send("POST", FACTS, {**body, "occurred_at": "2026-01-05T09:30:00Z"})
    settle(api, now=api.clock[0])

    assert 201 == reply.status
    assert before == earned(api)


def test_one_person_moves_nothing_by_a_hold(api: Api, partners: list[str]) -> None:
    def released() -> dict[str, str]:
        items = api.send("GET", "/rewards", query="referral_id=ref_1&limit=100").body["items"]
        assert {None} == {item["held"] for item in items}
        return {item["rule_id"]: item["release_at"] for item in items}

    before, dates = earned(api), released()
    give_away(api, partners[1])
    placed = state(api, kinds.HOLD_PLACED)

    state(api, kinds.HOLD_RELEASED, hold_id=placed.body["data"]["hold_id"])

    assert (before, dates) == (earned(api), released())


def test_one_person_moves_nothing_by_a_grade(api: Api, partners: list[str]) -> None:
    before = earned(api)
    give_away(api, partners[1])

    assert [201, 201] == [state(api, kinds.REGRADED, grade=grade).status for grade in ("B", "A")]

    assert before == earned(api)

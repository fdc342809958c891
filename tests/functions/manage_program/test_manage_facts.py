from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from shared.domain import facts_by_hand
from shared.domain.facts import MAX_FACTS
from tests.builders.managed import bump, outgoing, referred, settle
from tests.builders.money import START, WORKED_EXAMPLE, Story

if TYPE_CHECKING:
    from tests.functions.manage_program.conftest import Api

FACTS = "/referrals/ref_1/facts"
REASON = "the customer told us by telephone"
WON = {"kind": "milestone_reached", "reason": REASON, "data": {"milestone": "won"}}
HOLD = {"kind": "hold_placed", "reason": "looks like fraud"}


def fact(kind: str, **data: Any) -> dict[str, Any]:  # noqa: ANN401 - any value of a field
    return {"kind": kind, "reason": REASON, "data": data}


@pytest.fixture
def story(api: Api) -> Story:
    """An accepted referral in a programme with the worked example's terms."""
    api.program("prg_1")
    grades = {"grades": [], "otherwise": "B", "decide": {"A": "accept"}}
    api.made("/programs/prg_1/terms", {**WORKED_EXAMPLE, "lead_quality": grades})
    told = Story().submitted().reviewed("accepted").amount("20000.00")
    referred(api, told, review="accepted")
    return told


@pytest.mark.usefixtures("story")
def test_a_fact_is_stored_with_its_author_head_and_event(api: Api) -> None:
    made = api.made(FACTS, {**WON, "occurred_at": "2026-03-01T12:00:00+01:00"})

    assert ("milestone_reached", "hand") == (made["kind"], made["source"])
    assert made["data"] == {"milestone": "won", "actor": "root", "reason": REASON}
    assert made["occurred_at"] == "2026-03-01T11:00:00.000Z"
    assert made["received_at"] == "2026-11-21T10:00:00.000Z"
    shown = api.send("GET", "/referrals/ref_1").body["facts"]
    assert made in shown
    stored = api.services.reviews.referral("ref_1")
    assert stored is not None
    assert stored.version == 2
    (event,) = outgoing(api, "FactsChanged")
    assert event["data"] == {"referral_id": "ref_1", "kinds": ["milestone_reached"]}
    assert event["aggregate"] == {"type": "referral", "id": "ref_1", "version": 2}


STATED = [
    fact("milestone_reached", milestone="meeting_held"),
    fact("amount_set", amount="15000.00"),
    fact("amount_set", amount="15000.00", currency="EUR", rate="1.0845"),
    fact("amount_set", amount="0"),
    fact("field_set", name="plan", value="pro"),
    fact("field_set", name="contract_months", value=12),
    fact("field_set", name="seats", value="twenty"),
    fact("invoice_paid", invoice_id="I-1", amount_net="500.00", currency="USD", period="2026-02"),
    fact("renewed", renewal_id="2027"),
    fact("renewed", renewal_id="2027", amount="500.00", currency="USD"),
    fact("refunded", refund_id="R-1", of="deal", amount="100.00", currency="USD"),
    fact("charged_back", chargeback_id="C-1", of="invoice:I-1", amount="1", currency="USD"),
    fact("regraded", grade="A"),
    fact("hold_placed"),
]


@pytest.mark.usefixtures("story")
@pytest.mark.parametrize("body", STATED, ids=lambda body: f"{body['kind']}-{len(body['data'])}")
def test_every_kind_is_taken_and_can_be_evaluated(api: Api, body: dict[str, Any]) -> None:
    made = api.made(FACTS, body)

    settle(api, now=api.clock[0])
    assert body["data"].items() <= made["data"].items()
    assert ("root", REASON) == (made["data"]["actor"], made["data"]["reason"])


def test_the_kinds_are_those_of_the_domain() -> None:
    tested = {body["kind"] for body in STATED}
    elsewhere = {"chargeback_reversed", "hold_released", "fact_retracted", "shares_set"}
    elsewhere |= {"categories_declared", "rate_set"}

    assert set(facts_by_hand.KINDS) == tested | elsewhere


@pytest.mark.usefixtures("story")
def test_an_amount_without_currency_is_in_the_ledgers(api: Api) -> None:
    api.program("prg_eur", currency="EUR")

    made = api.made(FACTS, fact("amount_set", amount="1.00"))

    assert made["data"]["default_currency"] == "USD"


@pytest.mark.usefixtures("story")
def test_a_milestone_by_hand_pays_what_the_terms_say(api: Api) -> None:
    api.made(FACTS, {**WON, "occurred_at": "2026-03-01T11:00:00Z"})

    settle(api, now=api.clock[0])

    (item,) = [
        item
        for item in api.send("GET", "/rewards", query="referral_id=ref_1").body["items"]
        if item["rule_id"] == "won_commission"
    ]
    assert item["amount"] == {"amount": "2000.00", "currency": "USD"}
    assert item["effective_at"] == "2026-03-01T11:00:00.000Z"


@pytest.mark.usefixtures("story")
@pytest.mark.parametrize(
    ("body", "path", "code"),
    [
        ({**WON, "kind": "terms_pinned"}, "kind", "not_allowed"),
        ({**WON, "kind": "standing_pinned"}, "kind", "not_allowed"),
        ({**WON, "kind": "stage_entered"}, "kind", "not_allowed"),
        ({"kind": "hold_placed"}, "reason", "required"),
        ({**HOLD, "reason": "   "}, "reason", "required"),
        ({**HOLD, "reason": "x" * 1_001}, "reason", "too_long"),
        ({**HOLD, "actor": "somebody else"}, "actor", "unknown_field"),
        ({**HOLD, "data": {"hold_id": "hld_1"}}, "data.hold_id", "unknown_field"),
        ({**HOLD, "data": []}, "data", "wrong_type"),
        (fact("milestone_reached"), "data.milestone", "required"),
        (fact("milestone_reached", milestone="Won!"), "data.milestone", "not_allowed"),
        (fact("milestone_reached", milestone="won", actor="x"), "data.actor", "unknown_field"),
        (fact("amount_set", amount=20000), "data.amount", "wrong_type"),
        (fact("amount_set", amount="1e3"), "data.amount", "not_an_amount"),
        (fact("amount_set", amount="-1.00"), "data.amount", "out_of_range"),
        (fact("amount_set", amount="9" * 18), "data.amount", "too_large"),
        (fact("amount_set", amount="1", currency="usd"), "data.currency", "not_allowed"),
        (fact("amount_set", amount="1", currency="XXX"), "data.currency", "not_allowed"),
        (fact("amount_set", amount="1", rate="2"), "data.rate", "not_allowed"),
        (fact("amount_set", amount="1", currency="EUR", rate="0"), "data.rate", "not_a_rate"),
        (fact("amount_set", amount="1", currency="EUR", rate="-1"), "data.rate", "not_a_rate"),
        (fact("amount_set", amount="1", currency="EUR", rate="x"), "data.rate", "not_a_rate"),
        (fact("field_set", name="plan", value=True), "data.value", "wrong_type"),
        (fact("field_set", name="plan", value=""), "data.value", "required"),
        (fact("field_set", name="plan", value=7), "data.value", "wrong_type"),
        (fact("field_set", name="contract_months", value="many"), "data.value", "wrong_type"),
        (fact("field_set", name="contract_months", value=-1), "data.value", "wrong_type"),
        (fact("field_set", name="partner_tier", value="gold"), "data.name", "not_allowed"),
        (fact("field_set", name="lead_grade", value="A"), "data.name", "not_allowed"),
        (fact("field_set", name="existing_customer", value="no"), "data.name", "not_allowed"),
        (
            fact("invoice_paid", invoice_id="I#1", amount_net="1", currency="USD"),
            "data.invoice_id",
            "not_allowed",
        ),
        (
            fact("invoice_paid", invoice_id="I-1", amount_net="-1", currency="USD"),
            "data.amount_net",
            "out_of_range",
        ),
        (
            fact("refunded", refund_id="R", of="order", amount="1", currency="USD"),
            "data.of",
            "not_allowed",
        ),
        (
            fact("refunded", refund_id="R", of="deal", amount="0.00", currency="USD"),
            "data.amount",
            "out_of_range",
        ),
        (
            fact("charged_back", chargeback_id="C", of="deal", amount="0.001", currency="USD"),
            "data.amount",
            "out_of_range",
        ),
        (fact("chargeback_reversed", chargeback_id="C-9"), "data.chargeback_id", "unknown"),
        (fact("regraded", grade="Z"), "data.grade", "not_allowed"),
        (fact("hold_released", hold_id="hld_9"), "data.hold_id", "unknown"),
        (fact("fact_retracted", retracts="fct_9"), "data.retracts", "unknown"),
        ({**WON, "occurred_at": "2026-11-21T10:00:01Z"}, "occurred_at", "in_the_future"),
        ({**WON, "occurred_at": "1999-12-31T00:00:00Z"}, "occurred_at", "out_of_range"),
        ({**WON, "occurred_at": "yesterday"}, "occurred_at", "not_a_time"),
        ({**WON, "occurred_at": "2026-11-20T10:00:00"}, "occurred_at", "not_a_time"),
        ({**HOLD, "occurred_at": "2026-11-20T10:00:00Z"}, "occurred_at", "not_allowed"),
    ],
)
def test_a_wrong_fact_is_refused_and_changes_nothing(
    api: Api, body: dict[str, Any], path: str, code: str
) -> None:
    before = api.send("GET", "/referrals/ref_1").body

    reply = api.send("POST", FACTS, body)

    found = [(error["path"], error["code"]) for error in reply.body["errors"]]
    assert (422, [(path, code)]) == (reply.status, found)
    assert before == api.send("GET", "/referrals/ref_1").body
    assert outgoing(api, "FactsChanged") == []


def test_a_fact_of_an_unknown_referral_is_not_found(api: Api) -> None:
    assert api.send("POST", FACTS, WON).status == 404


@pytest.mark.usefixtures("story")
def test_a_hold_is_released_once_and_by_its_id(api: Api) -> None:
    hold_id = api.made(FACTS, HOLD)["data"]["hold_id"]
    other_id = api.made(FACTS, HOLD)["data"]["hold_id"]
    release = fact("hold_released", hold_id=hold_id)

    assert api.send("POST", FACTS, release).status == 201
    again = api.send("POST", FACTS, release)

    assert hold_id != other_id
    assert (again.status, again.code) == (409, "hold_not_in_place")


@pytest.mark.usefixtures("story")
def test_a_hold_keeps_rewards_until_it_is_released(api: Api) -> None:
    hold_id = api.made(FACTS, HOLD)["data"]["hold_id"]

    def held() -> set[str | None]:
        settle(api, now=api.clock[0])
        items = api.send("GET", "/rewards", query="referral_id=ref_1").body["items"]
        assert items
        return {item["held"] for item in items}

    assert {"on_hold"} == held()
    api.clock[0] += timedelta(minutes=1)
    api.made(FACTS, fact("hold_released", hold_id=hold_id))
    assert {None} == held()


@pytest.mark.usefixtures("story")
def test_a_chargeback_that_is_known_can_be_reversed(api: Api) -> None:
    api.made(FACTS, fact("charged_back", chargeback_id="C", of="deal", amount="5", currency="USD"))

    assert api.send("POST", FACTS, fact("chargeback_reversed", chargeback_id="C")).status == 201


def test_a_fact_is_taken_back_once(api: Api, story: Story) -> None:
    (amount,) = [each for each in story.facts if each.kind == "amount_set"]
    body = fact("fact_retracted", retracts=amount.fact_id)

    made = api.made(FACTS, body)

    assert made["retracts"] == amount.fact_id
    assert made["data"] == {"actor": "root", "reason": REASON}
    again = api.send("POST", FACTS, body)
    assert (again.status, again.code) == (409, "fact_already_retracted")
    takes_back = api.send("POST", FACTS, fact("fact_retracted", retracts=made["fact_id"]))
    assert (takes_back.status, takes_back.code) == (409, "fact_not_retractable")


@pytest.mark.parametrize("kind", ["submitted", "terms_pinned", "review_decided"])
def test_what_is_pinned_or_reviewed_is_not_taken_back(api: Api, story: Story, kind: str) -> None:
    (pinned,) = [each for each in story.facts if each.kind == kind]

    reply = api.send("POST", FACTS, fact("fact_retracted", retracts=pinned.fact_id))

    assert (reply.status, reply.code) == (409, "fact_not_retractable")


def test_a_fact_of_another_referral_is_unknown_here(api: Api, story: Story) -> None:
    other = Story(referral_id="ref_2").submitted().amount("7.00", at=START)
    referred(api, other, referral_id="ref_2", review="accepted")
    assert story.facts

    reply = api.send("POST", FACTS, fact("fact_retracted", retracts=other.facts[-1].fact_id))

    assert (reply.status, reply.paths) == (422, ["data.retracts"])


def test_a_referral_takes_so_many_facts_and_no_more(api: Api, story: Story) -> None:
    told = Story(referral_id="ref_2").submitted()
    while len(told.facts) < MAX_FACTS - 1:
        told.amount(f"{len(told.facts)}.00")
    for start in range(0, len(told.facts), 90):
        part = Story(referral_id="ref_2", facts=told.facts[start : start + 90])
        referred(api, part, referral_id="ref_2")
    assert story.facts

    assert api.send("POST", "/referrals/ref_2/facts", HOLD).status == 201
    reply = api.send("POST", "/referrals/ref_2/facts", HOLD)

    assert (reply.status, reply.code) == (409, "too_many_facts")


@pytest.mark.usefixtures("story")
def test_a_fact_that_lost_a_race_is_judged_anew(api: Api) -> None:
    hold_id = api.made(FACTS, HOLD)["data"]["hold_id"]
    release = fact("hold_released", hold_id=hold_id)
    raced = False

    def race(request: dict[str, Any]) -> None:
        nonlocal raced
        if "hold_released" in str(request) and not raced:
            raced = True
            assert api.send("POST", FACTS, release).status == 201

    api.store.before["transact_write_items"] = race

    reply = api.send("POST", FACTS, release)

    assert raced
    assert (reply.status, reply.code) == (409, "hold_not_in_place")
    facts = api.send("GET", "/referrals/ref_1").body["facts"]
    assert len([each for each in facts if each["kind"] == "hold_released"]) == 1


@pytest.mark.usefixtures("story")
def test_a_fact_that_always_loses_is_given_up(api: Api) -> None:
    def race(request: dict[str, Any]) -> None:
        if "hold_placed" in str(request):
            bump(api)

    api.store.before["transact_write_items"] = race

    reply = api.send("POST", FACTS, HOLD)

    assert (reply.status, reply.code) == (409, "stale_version")
    assert outgoing(api, "FactsChanged") == []


class CrashError(BaseException):
    """The process is gone."""


@pytest.mark.usefixtures("story")
@pytest.mark.parametrize("body", [HOLD, WON], ids=["hold", "milestone"])
def test_a_crash_after_the_fact_states_it_once(api: Api, body: dict[str, Any]) -> None:
    def crash(request: dict[str, Any], _answer: dict[str, Any]) -> None:
        if body["kind"] in str(request):
            raise CrashError

    once = {"idempotency-key": "k-1"}
    api.store.after["transact_write_items"] = crash
    with pytest.raises(CrashError):
        api.send("POST", FACTS, body, headers=once)
    api.store.after.clear()
    api.clock[0] += timedelta(minutes=2)

    replies = [api.send("POST", FACTS, body, headers=once) for _ in range(2)]

    assert [201, 201] == [reply.status for reply in replies]
    assert replies[0].body == replies[1].body
    facts = api.send("GET", "/referrals/ref_1").body["facts"]
    assert len([each for each in facts if each["kind"] == body["kind"]]) == 1
    assert len(outgoing(api, "FactsChanged")) == 1


@pytest.mark.usefixtures("story")
def test_the_same_statement_by_two_requests_is_two_facts(api: Api) -> None:
    first, second = (api.made(FACTS, WON) for _ in range(2))

    assert first["fact_id"] != second["fact_id"]
    assert datetime.fromisoformat(first["received_at"]) == api.clock[0]

from __future__ import annotations

import importlib
import json
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from shared.adapters.dynamodb.adjustments import AdjustmentsLedger
from shared.adapters.dynamodb.ledger import DynamoLedger
from shared.usecases.adjust import post_adjustment
from shared.usecases.effects import Trigger
from shared.usecases.mature_rewards import mature_rewards
from shared.usecases.settle_partner import settle_partner
from tests.builders.managed import outgoing
from tests.builders.money import numbered_ids

if TYPE_CHECKING:
    from tests.functions.manage_program.conftest import Api

CORE, BOOKS = "core", "books"
TRIGGER = Trigger(correlation_id="evt_c", causation_id="evt_c", hops=1)
_ids = numbered_ids()


@pytest.fixture
def partner(api: Api) -> str:
    return api.enrolled()


def wish(partner: str, amount: str = "40.00", **changes: object) -> dict[str, Any]:
    body = {"partner_id": partner, "program_id": "prg_demo", "amount": amount, "reason": "sorry"}
    return {**body, **changes}


def asked(api: Api, body: dict[str, Any], headers: dict[str, str] | None = None) -> dict[str, Any]:
    reply = api.send("POST", "/adjustments", body, headers=headers)
    assert reply.status == 202, reply.body
    made: dict[str, Any] = reply.body
    return made


def key_of(api: Api, principal: str) -> str:
    body = {"principal": principal, "scopes": ["referrals", "read"]}
    return str(api.made("/keys", body)["key"])


def post_all(api: Api) -> None:
    """Hands every stored event to the evaluation, twice."""
    ledger = AdjustmentsLedger(api.store, core_table=CORE, books_table=BOOKS)
    for event in outgoing(api, "FactsChanged") * 2:
        if event["aggregate"]["type"] == "adjustment":
            post_adjustment(
                ledger,
                event["aggregate"]["id"],
                trigger=TRIGGER,
                now=api.clock[0],
                new_id=_ids,
                pause=lambda _attempt: None,
            )


def mature(api: Api) -> None:
    ledger = DynamoLedger(api.store, core_table=CORE, books_table=BOOKS)
    mature_rewards(ledger, now=api.clock[0], new_id=_ids, limit=100)


def balance(api: Api, partner: str) -> dict[str, str]:
    (entry,) = api.send("GET", "/balances", query=f"partner_id={partner}").body["items"]
    return {stage: entry[stage]["amount"] for stage in ("pending", "payable")}


def test_goodwill_is_posted_and_released_at_once(api: Api, partner: str) -> None:
    made = asked(api, wish(partner, reference="T-17"))
    post_all(api)

    assert ("approved", "root", "T-17") == (
        made["state"],
        made["requested_by"],
        made["reference"],
    )
    assert {"pending": "40.00", "payable": "0.00"} == balance(api, partner)
    mature(api)
    assert {"pending": "0.00", "payable": "40.00"} == balance(api, partner)
    shown = api.send("GET", f"/adjustments/{made['id']}").body
    assert ("posted", "2026-11-21T10:00:00.000Z") == (shown["state"], shown["posted_at"])
    (reward,) = api.send("GET", "/rewards", query=f"partner_id={partner}").body["items"]
    assert ("adjustment", f"adj:{made['id']}") == (reward["rule_id"], reward["occurrence"])
    (event,) = outgoing(api, "RewardPosted")
    assert ("partner", partner) == (event["aggregate"]["type"], event["aggregate"]["id"])


def test_correction_lowers_what_is_payable_below_zero(api: Api, partner: str) -> None:
    asked(api, wish(partner))
    asked(api, wish(partner, "-55.50"))
    post_all(api)
    mature(api)

    assert {"pending": "0.00", "payable": "-15.50"} == balance(api, partner)
    states = {
        reward["amount"]["amount"]: reward["state"]
        for reward in api.send("GET", "/rewards", query=f"partner_id={partner}").body["items"]
    }
    assert {"40.00": "approved", "-55.50": "clawed_back"} == states


def test_settling_the_partner_leaves_adjustments_alone(api: Api, partner: str) -> None:
    asked(api, wish(partner))
    post_all(api)

    posted = settle_partner(
        DynamoLedger(api.store, core_table=CORE, books_table=BOOKS),
        partner,
        "prg_demo",
        trigger=TRIGGER,
        now=api.clock[0],
        new_id=_ids,
        pause=lambda _attempt: None,
    )

    assert posted.effects == 0
    assert {"pending": "40.00", "payable": "0.00"} == balance(api, partner)


@pytest.mark.parametrize(
    ("field", "value", "code"),
    [
        ("amount", "0.00", "out_of_range"),
        ("amount", "-0", "out_of_range"),
        ("amount", "0.001", "not_an_amount"),
        ("amount", "1e3", "not_an_amount"),
        ("amount", 40, "wrong_type"),
        ("amount", "99999999999999.00", "too_large"),
        ("reason", "", "required"),
        ("reason", "  ", "required"),
        ("reason", "x" * 1_001, "too_long"),
        ("reference", "x" * 101, "too_long"),
        ("note", "x", "unknown_field"),
    ],
)
def test_a_wrong_field_is_named(
    api: Api, partner: str, field: str, value: object, code: str
) -> None:
    reply = api.send("POST", "/adjustments", {**wish(partner), field: value})

    error = reply.body["errors"][0]
    assert (422, field, code) == (reply.status, error["path"], error["code"])
    assert outgoing(api, "FactsChanged") == []


def test_strangers_get_nothing(api: Api, partner: str) -> None:
    api.program("prg_other")

    elsewhere = api.send("POST", "/adjustments", wish(partner, program_id="prg_other"))
    nowhere = api.send("POST", "/adjustments", wish(partner, program_id="prg_none"))

    assert (409, "not_enrolled") == (elsewhere.status, elsewhere.code)
    assert 404 == nowhere.status
    assert 404 == api.send("GET", "/adjustments/adj_none").status
    assert 404 == api.send("POST", "/adjustments/adj_none/approve").status


@pytest.mark.parametrize("amount", ["500.01", "-500.01"])
def test_more_than_the_limit_waits_for_a_second_person(api: Api, partner: str, amount: str) -> None:
    made = asked(api, wish(partner, amount))
    post_all(api)

    assert ("waiting", True) == (made["state"], made["second_person_required"])
    assert [] == api.send("GET", "/balances", query=f"partner_id={partner}").body["items"]
    approved = api.send("POST", f"/adjustments/{made['id']}/approve", key=key_of(api, "Grace"))
    assert (202, "approved", "Grace") == (
        approved.status,
        approved.body["state"],
        approved.body["approved_by"],
    )
    post_all(api)
    (reward,) = api.send("GET", "/rewards", query=f"partner_id={partner}").body["items"]
    assert amount == reward["amount"]["amount"]


@pytest.mark.parametrize(
    ("limit", "amount", "state"),
    [
        ("500.00", "500.00", "approved"),
        ("0.00", "0.01", "waiting"),
        ("1000.00", "-999.99", "approved"),
    ],
)
def test_the_limit_is_the_programmes(
    api: Api, partner: str, limit: str, amount: str, state: str
) -> None:
    reply = api.send("PATCH", "/programs/prg_demo", {"adjustment_limit": limit})

    assert limit == reply.body["adjustment_limit"]
    assert state == asked(api, wish(partner, amount))["state"]


@pytest.mark.parametrize("limit", ["-1.00", "1e3", "", "x"])
def test_a_limit_is_an_amount(api: Api, partner: str, limit: str) -> None:
    reply = api.send("PATCH", "/programs/prg_demo", {"adjustment_limit": limit})

    assert (422, ["adjustment_limit"]) == (reply.status, reply.paths)


@pytest.mark.parametrize("principal", ["root", " Root "])
def test_nobody_approves_their_own(api: Api, partner: str, principal: str) -> None:
    made = asked(api, wish(partner, "900.00"))

    reply = api.send("POST", f"/adjustments/{made['id']}/approve", key=key_of(api, principal))

    assert (409, "second_person_required") == (reply.status, reply.code)


def test_approving_again_answers_the_same_to_its_approver_alone(api: Api, partner: str) -> None:
    approve = f"/adjustments/{asked(api, wish(partner, '900.00'))['id']}/approve"
    grace = key_of(api, "Grace")

    first, again = (api.send("POST", approve, key=grace) for _ in range(2))
    other = api.send("POST", approve, key=key_of(api, "Heidi"))

    assert (202, first.body) == (again.status, again.body)
    assert (409, "adjustment_closed") == (other.status, other.code)
    assert 1 == len(outgoing(api, "FactsChanged"))


def test_small_adjustments_wait_for_nobody(api: Api, partner: str) -> None:
    made = asked(api, wish(partner))

    reply = api.send("POST", f"/adjustments/{made['id']}/approve", key=key_of(api, "Grace"))

    assert (409, "adjustment_closed") == (reply.status, reply.code)


def test_what_waited_too_long_is_gone(api: Api, partner: str) -> None:
    made = asked(api, wish(partner, "900.00"))
    grace = key_of(api, "Grace")
    api.clock[0] += timedelta(days=14)

    assert 404 == api.send("POST", f"/adjustments/{made['id']}/approve", key=grace).status


def test_two_approvals_at_once_post_once(api: Api, partner: str) -> None:
    approve = f"/adjustments/{asked(api, wish(partner, '900.00'))['id']}/approve"
    grace, heidi = key_of(api, "Grace"), key_of(api, "Heidi")
    raced = False

    def race(request: dict[str, Any]) -> None:
        nonlocal raced
        if "ADJ#" in str(request) and not raced:
            raced = True
            assert api.send("POST", approve, key=heidi).status == 202

    api.store.before["transact_write_items"] = race

    reply = api.send("POST", approve, key=grace)
    api.store.before.clear()
    post_all(api)

    assert (409, "adjustment_closed") == (reply.status, reply.code)
    assert {"pending": "900.00", "payable": "0.00"} == balance(api, partner)


class CrashError(BaseException):
    """The process is gone."""


def test_a_crash_after_the_first_run_asks_once(api: Api, partner: str) -> None:
    def crash(request: dict[str, Any], _answer: dict[str, Any]) -> None:
        if "ADJ#" in str(request):
            raise CrashError

    once = {"idempotency-key": "k-1"}
    api.store.after["transact_write_items"] = crash
    with pytest.raises(CrashError):
        api.send("POST", "/adjustments", wish(partner), headers=once)
    api.store.after.clear()
    api.clock[0] += timedelta(minutes=2)

    first = asked(api, wish(partner), headers=once)
    again = asked(api, wish(partner), headers=once)
    post_all(api)

    assert first == again
    assert {"pending": "40.00", "payable": "0.00"} == balance(api, partner)
    assert 1 == len(outgoing(api, "RewardPosted"))


def test_adjustments_are_listed_by_programme(api: Api, partner: str) -> None:
    asked(api, wish(partner))
    api.clock[0] += timedelta(minutes=1)
    asked(api, wish(partner, "700.00"))

    everything = api.send("GET", "/adjustments", query="program_id=prg_demo").body["items"]
    waiting = api.send("GET", "/adjustments", query="program_id=prg_demo&state=waiting").body

    assert ["700.00", "40.00"] == [item["amount"]["amount"] for item in everything]
    assert ["700.00"] == [item["amount"]["amount"] for item in waiting["items"]]
    assert ["program_id"] == api.send("GET", "/adjustments").paths


def test_the_evaluation_posts_what_is_announced(
    api: Api, partner: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    evaluation = importlib.import_module("functions.evaluate_reward.handler")
    monkeypatch.setattr(evaluation, "dynamodb_client", lambda: api.store)
    monkeypatch.setattr(evaluation, "_pause", lambda _attempt: None)
    evaluation._adapters.cache_clear()
    asked(api, wish(partner))
    (envelope,) = outgoing(api, "FactsChanged")
    body = json.dumps({"detail-type": "FactsChanged", "detail": envelope})
    record = {"messageId": "m1", "body": body}

    answer = evaluation.handler({"Records": [record, record]}, None)
    evaluation._adapters.cache_clear()

    assert {"batchItemFailures": []} == answer
    assert {"pending": "40.00", "payable": "0.00"} == balance(api, partner)


@pytest.mark.parametrize("currency", ["USD", ""])
def test_an_amount_may_be_written_as_answers_write_it(
    api: Api, partner: str, currency: str
) -> None:
    amount = {"amount": "40.00", "currency": currency}

    made = asked(api, {**wish(partner), "amount": amount})

    assert {"amount": "40.00", "currency": "USD"} == made["amount"]


@pytest.mark.parametrize(
    ("amount", "path"),
    [
        ({"amount": "40.00", "currency": "EUR"}, "amount.currency"),
        ({"amount": "40.00"}, "amount.currency"),
        ({"amount": 40, "currency": "USD"}, "amount.amount"),
        ({"amount": "1", "currency": "USD", "rate": "2"}, "amount.rate"),
        (40, "amount"),
        (None, "amount"),
    ],
)
def test_an_amount_in_another_form_is_refused(
    api: Api, partner: str, amount: object, path: str
) -> None:
    reply = api.send("POST", "/adjustments", {**wish(partner), "amount": amount})

    assert (422, [path]) == (reply.status, reply.paths)

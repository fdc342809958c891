"""What those who look see of a partner who is suspended, or was closed."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from shared.adapters.dynamodb import keys
from shared.adapters.dynamodb.ledger import DynamoLedger
from shared.adapters.dynamodb.partners import partner_row
from shared.adapters.dynamodb.referrals import fact_row
from shared.adapters.dynamodb.transactions import put, transact
from shared.domain import facts
from shared.domain.partners import Partner
from shared.usecases.mature_rewards import mature_rewards
from tests.builders.managed import BOOKS, CORE, referred, settle
from tests.builders.money import DAY, START, Story, numbered_ids

if TYPE_CHECKING:
    from datetime import datetime

    from tests.functions.manage_program.conftest import Api

DUE = START + 40 * DAY
EXPLANATION = "/referrals/ref_1/explanation"
WON: dict[str, Any] = {"beneficiary": "partner", "milestone": "won", "kind": "cash"}
TERMS = {
    "name": "shared",
    "partner_closed": "forfeit",
    "rules": [
        {
            **WON,
            "id": "commission",
            "value": {"percent": "10", "of": "deal_amount"},
            "hold_days": 30,
        },
        {**WON, "id": "course", "kind": "perk", "value": {"quantity": 1, "unit": "course"}},
        {**WON, "id": "thanks", "beneficiary": "lead", "value": {"fixed": "10.00"}},
    ],
}
SHARES = [
    {"partner_id": "ptr_1", "role": "introducer", "basis_points": 7_500},
    {"partner_id": "ptr_2", "role": "co_referrer", "basis_points": 2_500},
]
_ids = numbered_ids()


@pytest.fixture
def won(api: Api) -> Api:
    """A won deal of 20,000.00 that two partners share; the reward is pending."""
    api.program("prg_1")
    api.made("/programs/prg_1/terms", TERMS)
    for partner_id in ("ptr_1", "ptr_2"):
        row = partner_row(Partner(partner_id=partner_id, kind="affiliate", created_at=START))
        transact(api.store, [put(CORE, keys.partner(partner_id), row)])
    story = Story().submitted()
    pinned = {**story.facts[-1].data, "shares": SHARES}
    story.facts[-1] = replace(story.facts[-1], data=pinned)
    story.reviewed("accepted").amount("20000.00").stage("won")
    referred(api, story, review="accepted")
    settle(api)
    return api


def move(api: Api, status: str, partner_id: str = "ptr_1") -> None:
    body = {"status": status, "reason": "so it is"}
    assert 200 == api.send("PATCH", f"/partners/{partner_id}", body).status


def mature(api: Api, now: datetime = DUE) -> None:
    ledger = DynamoLedger(api.store, core_table=CORE, books_table=BOOKS)
    mature_rewards(ledger, now=now, new_id=_ids, limit=100)


def rewards(api: Api, query: str) -> dict[tuple[str, str], tuple[str, str | None]]:
    items = api.send("GET", "/rewards", query=query).body["items"]
    return {(item["rule_id"], item["holder_id"]): (item["state"], item["held"]) for item in items}


def lines(api: Api, partner_id: str = "") -> dict[str, tuple[str, str]]:
    query = f"view=partner&partner_id={partner_id}" if partner_id else ""
    found = api.send("GET", EXPLANATION, query=query).body["lines"]
    return {line["rule_id"]: (line["outcome"], line["code"]) for line in found}


HELD = ("held", "partner_suspended")
GRANTED = ("granted", "granted")


@pytest.mark.parametrize("query", ["referral_id=ref_1", "program_id=prg_1"])
def test_rewards_are_shown_as_held_while_their_holder_is_suspended(won: Api, query: str) -> None:
    before = rewards(won, query)
    move(won, "suspended")

    shown = rewards(won, query)

    assert {
        ("commission", "ptr_1"): HELD,
        ("commission", "ptr_2"): ("pending", None),
        ("course", "ptr_1"): HELD,
        ("course", "ptr_2"): ("issued", None),
        ("thanks", "led_1"): ("pending", None),
    } == shown
    assert {("commission", "ptr_1"), ("course", "ptr_1")} == set(
        rewards(won, f"{query}&state=held")
    )
    move(won, "active")
    assert before == rewards(won, query)


def test_a_partners_own_list_and_the_referral_say_so_too(won: Api) -> None:
    move(won, "suspended")

    assert {HELD} == set(rewards(won, "partner_id=ptr_1").values())
    axes = won.send("GET", "/referrals/ref_1").body["axes"]
    assert ["held", "issued", "pending"] == axes["reward"]


def test_what_is_payable_is_not_held(won: Api) -> None:
    mature(won)
    move(won, "suspended")

    assert ("approved", None) == rewards(won, "referral_id=ref_1")["commission", "ptr_1"]
    assert GRANTED == lines(won)["commission"]


def test_the_explanation_names_who_waits(won: Api) -> None:
    move(won, "suspended")

    assert {"commission": HELD, "course": HELD, "thanks": GRANTED} == lines(won)
    found = won.send("GET", EXPLANATION).body["lines"]
    assert "ptr_1" == found[0]["figures"]["suspended"]
    move(won, "active")
    assert {GRANTED} == set(lines(won).values())


def test_partners_are_told_of_their_own_suspension_only(won: Api) -> None:
    move(won, "suspended")

    assert {"commission": HELD, "course": HELD} == lines(won, "ptr_1")
    assert {"commission": GRANTED, "course": GRANTED} == lines(won, "ptr_2")
    shown = won.send("GET", EXPLANATION, query="view=partner&partner_id=ptr_1").body["lines"]
    assert "suspended" not in shown[0]["figures"]


def test_a_suspended_partners_benefit_is_not_handed_over(won: Api) -> None:
    items = won.send("GET", "/rewards", query="partner_id=ptr_1").body["items"]
    (course,) = [item["id"] for item in items if item["rule_id"] == "course"]
    path = f"/rewards/{course}/fulfilment"
    body = {"referral_id": "ref_1", "outcome": "fulfilled"}
    move(won, "suspended")

    refused = won.send("POST", path, body)
    move(won, "active")
    done = won.send("POST", path, body)

    assert (409, "reward_held") == (refused.status, refused.code)
    assert (200, "fulfilled", None) == (done.status, done.body["state"], done.body["held"])


def test_a_suspended_partners_benefit_may_be_refused(won: Api) -> None:
    items = won.send("GET", "/rewards", query="partner_id=ptr_1").body["items"]
    (course,) = [item["id"] for item in items if item["rule_id"] == "course"]
    move(won, "suspended")
    body = {"referral_id": "ref_1", "outcome": "refused", "reason": "wants none"}

    reply = won.send("POST", f"/rewards/{course}/fulfilment", body)

    assert (200, "refused", None) == (reply.status, reply.body["state"], reply.body["held"])


def test_who_got_nothing_of_it_is_not_told_that_it_was_forfeited(won: Api) -> None:
    share = {"partner_id": "ptr_3", "role": "introducer", "basis_points": 10_000}
    data = {"shares": [share], "retroactive": False, "actor": "ann", "reason": "new"}
    story = Story().add(facts.SHARES_SET, "", data, at=START + DAY)
    (fact,) = story.facts
    transact(won.store, [put(CORE, keys.fact("ref_1", fact.fact_id), fact_row(fact))])
    for partner_id in ("ptr_1", "ptr_2"):
        move(won, "closed", partner_id)
    mature(won)
    settle(won, now=DUE)

    assert ("reversed", "forfeited_partner_closed") == lines(won)["commission"]
    assert {} == lines(won, "ptr_3")


def test_only_the_one_who_lost_it_is_told_of_a_forfeiture(won: Api) -> None:
    move(won, "closed")
    mature(won)
    settle(won, now=DUE)

    forfeited = ("capped", "forfeited_partner_closed")
    assert forfeited == lines(won)["commission"]
    (line,) = [
        line
        for line in won.send("GET", EXPLANATION).body["lines"]
        if line["rule_id"] == "commission"
    ]
    assert ("500.00", "1500.00") == (line["figures"]["amount"], line["figures"]["forfeited"])
    assert ("reversed", "forfeited_partner_closed") == lines(won, "ptr_1")["commission"]
    assert GRANTED == lines(won, "ptr_2")["commission"]
    shown = won.send("GET", EXPLANATION, query="view=partner&partner_id=ptr_2").body["lines"]
    assert "500.00" == shown[0]["figures"]["amount"]
    assert "forfeited" not in str(shown)


def test_the_history_tells_which_fact_took_it(won: Api) -> None:
    move(won, "closed")
    mature(won)
    settle(won, now=DUE)

    newest = won.send("GET", "/referrals/ref_1/history").body["items"][0]

    assert ("reverse", "1500.00", "0.00") == (
        newest["step"],
        newest["before"]["amount"],
        newest["after"]["amount"],
    )
    assert "forfeited" in {fact["kind"] for fact in newest["facts"]}

"""Each movement names the fact that made it: for every way in which an amount can change."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from shared.adapters.dynamodb.books import movements_of_book
from shared.domain import facts as kinds
from tests.builders.ledger import BOOKS, Stored
from tests.builders.money import DAY, START, Story

if TYPE_CHECKING:
    from shared.domain.facts import Fact

WON = {
    "id": "commission",
    "beneficiary": "partner",
    "milestone": "won",
    "kind": "cash",
    "value": {"percent": "10", "of": "deal_amount"},
}
INVOICES = {
    **WON,
    "milestone": "invoice_paid",
    "occurrence": "every_invoice",
    "value": {"percent": "10", "of": "invoice_net"},
}
Data = dict[str, Any]


def amount(text: str) -> Data:
    return {"amount": text, "default_currency": "USD"}


def invoice(number: int, amount: str = "100.00") -> Data:
    return {"invoice_id": f"I-{number}", "amount_net": amount, "currency": "USD"}


def refund(of: str, amount: str = "100.00") -> Data:
    return {"refund_id": "R-1", "of": of, "amount": amount, "currency": "USD"}


def shares(*, retroactive: bool) -> Data:
    rows = [{"partner_id": "ptr_2", "role": "introducer", "basis_points": 10_000}]
    return {"shares": rows, "retroactive": retroactive}


PRO = {**WON, "when": {"all": [{"field": "plan", "op": "eq", "value": "pro"}]}}
GRADED = {
    **WON,
    "value": {
        "table": {
            "field": "lead_grade",
            "rows": [{"is": "A", "value": {"fixed": "90.00"}}],
            "else": {"fixed": "10.00"},
        }
    },
}
CHARGED = {"chargeback_id": "C-1", "of": "deal", "amount": "10.00", "currency": "USD"}
DECIDED = {"decision": "reject", "state": "rejected", "actor": "ann", "reason": "r"}
ACCEPTED = {"decision": "accept", "state": "accepted", "actor": "ann", "reason": "r"}
LOST = {"deal_id": "D-1", "stage": "lost", "rank": 5, "outcome": "lost", "ladder": {}}
RENEWED = {"stage": "won", "rank": 4, "milestone": "won", "outcome": "won", "ladder": {}}
Told = tuple[str, Data]

CHANGES: dict[str, tuple[Data, list[Told], Told, set[str]]] = {
    "a raise": (WON, [], (kinds.AMOUNT_SET, amount("2000.00")), {"earn"}),
    "a reduction": (WON, [], (kinds.AMOUNT_SET, amount("10.00")), {"reverse"}),
    "a field that meets a condition": (
        PRO,
        [],
        (kinds.FIELD_SET, {"name": "plan", "value": "pro"}),
        {"earn"},
    ),
    "a field that meets it no more": (
        PRO,
        [(kinds.FIELD_SET, {"name": "plan", "value": "pro"})],
        (kinds.FIELD_SET, {"name": "plan", "value": "basic"}),
        {"reverse"},
    ),
    "a grade": (GRADED, [], (kinds.REGRADED, {"grade": "A"}), {"earn"}),
    "a refund": (WON, [], (kinds.REFUNDED, refund("deal")), {"reverse"}),
    "a refund of a fixed reward": (
        {**WON, "value": {"fixed": "9.00"}, "refund": "void"},
        [],
        (kinds.REFUNDED, refund("deal")),
        {"reverse"},
    ),
    "a refund of the deal, over invoices": (
        INVOICES,
        [(kinds.INVOICE_PAID, invoice(1))],
        (kinds.REFUNDED, refund("deal", "10.00")),
        {"reverse"},
    ),
    "a chargeback": (WON, [], (kinds.CHARGED_BACK, CHARGED), {"reverse"}),
    "a chargeback that was won": (
        WON,
        [(kinds.CHARGED_BACK, CHARGED)],
        (kinds.CHARGEBACK_REVERSED, {"chargeback_id": "C-1"}),
        {"earn"},
    ),
    "a loss": (WON, [], (kinds.STAGE_ENTERED, LOST), {"reverse"}),
    "another win": (
        WON,
        [(kinds.STAGE_ENTERED, LOST)],
        (kinds.STAGE_ENTERED, RENEWED),
        {"earn"},
    ),
    "a rejection": (WON, [], (kinds.REVIEW_DECIDED, DECIDED), {"reverse"}),
    "an acceptance after all": (
        WON,
        [(kinds.REVIEW_DECIDED, DECIDED)],
        (kinds.REVIEW_DECIDED, ACCEPTED),
        {"earn"},
    ),
    "a deleted deal": (WON, [], (kinds.DEAL_ENDED, {"how": "deleted"}), {"reverse"}),
    "a restored deal": (
        WON,
        [(kinds.DEAL_ENDED, {"how": "deleted"})],
        (kinds.DEAL_RESTORED, {}),
        {"earn"},
    ),
    "shares for what was earned": (
        WON,
        [],
        (kinds.SHARES_SET, shares(retroactive=True)),
        {"reverse", "earn"},
    ),
    "a higher rate of its own": (
        WON,
        [],
        (kinds.RATE_SET, {"rule": "commission", "percent": "12"}),
        {"earn"},
    ),
    "a lower rate of its own": (
        WON,
        [(kinds.RATE_SET, {"rule": "commission", "percent": "12"})],
        (kinds.RATE_SET, {"rule": "commission", "fixed": "1.00"}),
        {"reverse"},
    ),
    "a currency": (WON, [], (kinds.CURRENCY_SET, {"currency": "EUR"}), {"reverse"}),
    "room that another invoice frees": (
        {**INVOICES, "caps": {"referral": "15.00"}},
        [(kinds.INVOICE_PAID, invoice(1)), (kinds.INVOICE_PAID, invoice(2))],
        (kinds.REFUNDED, refund("invoice:I-1")),
        {"reverse", "earn"},
    ),
}


def tell(stored: Stored, story: Story, told: Told, day: int) -> Fact:
    at = START + day * DAY
    story.add(told[0], str(day), told[1], at=at)
    stored.tell(story)
    stored.settle(story, now=at)
    return story.facts[-1]


def begun(rule: Data) -> tuple[Stored, Story]:
    """A deal of 1,000.00 that was accepted and won."""
    stored = Stored({"name": "t", "rules": [rule]})
    stored.enrol()
    story = Story().submitted().reviewed("accepted")
    story.add(kinds.AMOUNT_SET, "", amount("1000.00")).stage("won")
    stored.submit(story)
    stored.settle(story)
    return stored, story


def steps(stored: Stored) -> dict[str, tuple[str, tuple[str, ...]]]:
    rows = [
        row
        for holder in ("ptr_1", "ptr_2")
        for row in movements_of_book(stored.client, BOOKS, holder, "prg_1")
    ]
    return {row.movement_id: (row.step, row.cause) for row in rows}


@pytest.mark.parametrize(("rule", "before", "told", "wanted"), CHANGES.values(), ids=CHANGES)
def test_each_movement_names_what_made_it(
    rule: Data, before: list[Told], told: Told, wanted: set[str]
) -> None:
    stored, story = begun(rule)
    for day, each in enumerate(before, start=1):
        tell(stored, story, each, day)
    seen = steps(stored)

    fact = tell(stored, story, told, 9)

    made = [row for movement_id, row in steps(stored).items() if movement_id not in seen]
    assert wanted == {step for step, _ in made}
    assert {True} == {fact.fact_id in cause for _, cause in made}


@pytest.mark.parametrize("kind", [kinds.AMOUNT_SET, kinds.STAGE_ENTERED])
def test_what_was_taken_back_is_named_by_what_took_it_back(kind: str) -> None:
    stored, story = begun(WON)
    tell(stored, story, (kinds.AMOUNT_SET, amount("2000.00")), 1)
    wrong = [fact for fact in story.facts if fact.kind == kind][-1]
    seen = steps(stored)
    story.add(kinds.FACT_RETRACTED, "", {"actor": "ann"}, at=START + 2 * DAY)
    story.facts[-1] = replace(story.facts[-1], retracts=wrong.fact_id)

    stored.tell(story)
    stored.settle(story, now=START + 2 * DAY)

    (made,) = (row for movement_id, row in steps(stored).items() if movement_id not in seen)
    assert ("reverse", True) == (made[0], story.facts[-1].fact_id in made[1])


def test_a_first_reward_names_what_it_rests_on_and_no_more() -> None:
    stored, story = begun(WON)

    ((_, cause),) = steps(stored).values()

    assert [kinds.STAGE_ENTERED, kinds.AMOUNT_SET] == [
        next(fact.kind for fact in story.facts if fact.fact_id == fact_id) for fact_id in cause
    ]


def test_an_older_decision_is_no_cause_of_a_newer_change() -> None:
    stored, story = begun(WON)
    tell(stored, story, (kinds.REGRADED, {"grade": "B"}), 1)
    seen = steps(stored)

    tell(stored, story, (kinds.AMOUNT_SET, amount("2000.00")), 2)

    (made,) = (row for movement_id, row in steps(stored).items() if movement_id not in seen)
    named = {fact.kind for fact in story.facts if fact.fact_id in made[1]}
    assert {kinds.STAGE_ENTERED, kinds.AMOUNT_SET} == named

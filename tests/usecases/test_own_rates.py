"""A rate that the sender gave stands for later amounts and refunds of the same subject."""

from __future__ import annotations

from datetime import timedelta
from itertools import permutations
from typing import Any

import pytest

from shared.adapters.dynamodb import keys
from shared.adapters.dynamodb.transactions import put, transact
from shared.domain import facts
from shared.domain.facts import Fact
from tests.builders.ledger import CORE, Stored
from tests.builders.money import START, Story

HOUR = timedelta(hours=1)
EUR = {"currency": "EUR"}
RULE: dict[str, Any] = {
    "id": "commission",
    "beneficiary": "partner",
    "milestone": "won",
    "kind": "cash",
    "value": {"percent": "10", "of": "deal_amount"},
}
ON_INVOICES: dict[str, Any] = {
    "occurrence": "every_invoice",
    "value": {"percent": "10", "of": "invoice_net"},
}


def store(*, rated: bool = True, **rule: Any) -> Stored:  # noqa: ANN401 - any field of a rule
    stored = Stored({"name": "t", "rules": [{**RULE, **rule}]})
    if rated:
        row = {"rate": "1.20", "on": "2026-01-01"}
        transact(stored.client, [put(CORE, keys.fx_rate("prg_1", "EUR", row["on"]), row)])
    return stored


def amount(story: Story, hour: int, text: str, **data: str) -> None:
    told = {"amount": text, **EUR, **data}
    story.add(facts.AMOUNT_SET, text, told, at=START + hour * HOUR)


def refund(story: Story, hour: int, text: str, of: str = "deal", **data: str) -> None:
    told = {"refund_id": text, "of": of, "amount": text, **EUR, **data}
    story.add(facts.REFUNDED, text, told, at=START + hour * HOUR)


def invoice(story: Story, hour: int, number: int, text: str, **data: str) -> None:
    told = {"invoice_id": f"I-{number}", "amount_net": text, **EUR, **data}
    story.add(facts.INVOICE_PAID, text, told, at=START + hour * HOUR)


def end(stored: Stored, told: tuple[Fact, ...]) -> dict[str, int]:
    """Tell fact by fact, each evaluated by itself; return the net amount by occurrence."""
    story = Story().submitted().reviewed("accepted", at=START)
    stored.submit(story)
    for fact in told:
        story.facts.append(fact)
        stored.tell(story)
        stored.settle(story)
    aggregate = stored.ledger.load(story.referral_id)
    assert aggregate is not None
    return {reward.occurrence: reward.net_minor for reward in aggregate.rewards}


def test_a_deals_own_rate_holds_for_its_later_amounts_and_refunds_in_every_order() -> None:
    story = Story().stage("won", at=START + HOUR)
    amount(story, 2, "100.00", rate="2")
    amount(story, 3, "200.00")
    refund(story, 4, "50.00")
    refund(story, 5, "10.00", rate="9")
    ends = {end(store(), told)["once"] for told in permutations(story.facts)}
    assert {2_800} == ends


def test_an_invoices_own_rate_is_of_that_invoice_in_every_order() -> None:
    story = Story().stage("won", at=START + HOUR)
    invoice(story, 2, 1, "100.00", rate="2")
    invoice(story, 3, 1, "150.00")
    invoice(story, 4, 2, "80.00")
    refund(story, 5, "50.00", of="invoice:I-1")
    expected = {"invoice:I-1": 2_000, "invoice:I-2": 960}
    ends = [end(store(**ON_INVOICES), told) for told in permutations(story.facts)]
    assert [expected] * len(ends) == ends


def test_the_last_rate_that_was_told_stands() -> None:
    story = Story().stage("won", at=START + HOUR)
    amount(story, 2, "100.00", rate="2")
    amount(story, 3, "100.00", rate="3")
    amount(story, 4, "200.00")
    assert {6_000} == {end(store(), told)["once"] for told in permutations(story.facts)}


def test_a_rate_is_of_its_currency() -> None:
    story = Story().stage("won", at=START + HOUR)
    story.add(
        facts.AMOUNT_SET,
        "j",
        {"amount": "1000", "currency": "JPY", "rate": "0.01"},
        at=START + 2 * HOUR,
    )
    amount(story, 3, "200.00")
    assert {2_400} == {end(store(), told)["once"] for told in permutations(story.facts)}


def test_a_deal_that_goes_through_another_currency_keeps_its_rate() -> None:
    story = Story().stage("won", at=START + HOUR)
    amount(story, 2, "100.00", rate="2")
    story.amount("70.00", at=START + 3 * HOUR)
    amount(story, 4, "150.00")
    assert {3_000} == {end(store(), told)["once"] for told in permutations(story.facts)}


@pytest.mark.parametrize("junk", ["0", "-1", "abc", ""])
def test_a_rate_that_is_none_neither_stands_nor_hides_the_programmes(junk: str) -> None:
    story = Story().stage("won", at=START + HOUR)
    amount(story, 2, "100.00", rate=junk)
    amount(story, 3, "200.00")
    assert 2_400 == end(store(), tuple(story.facts))["once"]


def test_without_any_rate_an_own_rate_releases_what_was_held() -> None:
    story = Story().stage("won", at=START + HOUR)
    amount(story, 3, "200.00")
    stored = store(rated=False)
    assert {} == end(stored, tuple(story.facts))
    amount(story, 2, "100.00", rate="2")
    stored.tell(story)
    stored.settle(story)
    assert 4_000 == stored.rewards(story)["commission"].net_minor


def test_a_rate_goes_with_the_fact_that_told_it() -> None:
    story = Story().stage("won", at=START + HOUR)
    amount(story, 2, "100.00", rate="2")
    amount(story, 3, "200.00")
    stored = store()
    assert 4_000 == end(stored, tuple(story.facts))["once"]
    wrong = story.facts[1]
    story.facts.append(
        Fact(
            fact_id="fct_r",
            kind=facts.FACT_RETRACTED,
            occurred_at=START + 9 * HOUR,
            received_at=START + 9 * HOUR,
            source="goodword",
            retracts=wrong.fact_id,
        )
    )
    stored.tell(story)
    stored.settle(story)
    assert 2_400 == stored.rewards(story)["commission"].net_minor

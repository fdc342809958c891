"""What a referral adds to its introducer's sums, and when it adds nothing."""

from __future__ import annotations

from typing import Any

import pytest

from shared.domain import facts
from shared.domain.evaluation import evaluate
from shared.domain.terms_reader import parse_terms
from tests.builders.money import Story, parties

TIER = {"by": "count", "milestone": "won", "steps": [{"from": 2, "percent": "20"}]}
RULE: dict[str, Any] = {
    "id": "rule",
    "beneficiary": "partner",
    "milestone": "won",
    "kind": "cash",
    "value": {"percent": "10", "of": "deal_amount"},
}
COUNTED = {**RULE, "tiers": TIER}
RETRO = {**RULE, "tiers": {**TIER, "mode": "retroactive"}}
REVENUE = {
    **RULE,
    "tiers": {
        **TIER,
        "by": "revenue",
        "mode": "retroactive",
        "period": "calendar_year",
        "steps": [{"from": "50.00", "percent": "20"}],
    },
}
PAIRS = {**RULE, "occurrence": "every_nth", "nth": 2, "value": {"fixed": "70.00"}}
ONE = {"count:won:lifetime": 1}


def adds(story: Story, *rules: dict[str, Any]) -> dict[str, int]:
    terms = parse_terms({"name": "t", "rules": list(rules)}, currency="USD")
    return dict(evaluate(terms, story.facts, parties(story.partner_id)).contributions)


def won(review: str = "accepted", amount: str = "100.00", **story: Any) -> Story:  # noqa: ANN401 - any field
    told = Story(**story).submitted().reviewed(review)
    return (told.amount(amount) if amount else told).stage("won")


def refund(story: Story, amount: str, currency: str = "USD") -> Story:
    data = {"refund_id": "R-1", "of": "deal", "amount": amount, "currency": currency}
    return story.add(facts.REFUNDED, "R-1", data)


def test_a_success_counts_once_it_is_accepted() -> None:
    assert {"success:won": 1} == adds(won(), PAIRS)
    assert {} == adds(Story().submitted().stage("won"), PAIRS)
    assert {} == adds(Story().submitted().reviewed("accepted"), PAIRS)
    assert {} == adds(won(partner_id=""), {**COUNTED, "beneficiary": "lead"})


def test_a_position_is_needed_while_the_review_is_open_and_a_true_up_is_not() -> None:
    waits = Story().submitted().amount("100.00").stage("won")
    assert ONE == adds(waits, COUNTED)
    assert {} == adds(waits, RETRO)
    assert ONE | {"base:rule:lifetime": 10_000} == adds(won(), RETRO)


def test_a_rule_that_pays_nothing_has_no_base() -> None:
    unmet = {"all": [{"field": "deal_amount", "op": "gte", "value": "100.01"}]}
    assert ONE == adds(won(), {**RETRO, "when": unmet})


def test_revenue_counts_net_of_refunds_in_its_period() -> None:
    assert {"revenue:won:2026": 10_000, "base:rule:2026": 10_000} == adds(won(), REVENUE)
    assert {"revenue:won:2026": 7_500, "base:rule:2026": 7_500} == adds(
        refund(won(), "25.00"), REVENUE
    )


def test_a_deal_that_was_refunded_whole_counts_nothing() -> None:
    assert ONE == adds(refund(won(), "99.99"), COUNTED)
    assert {} == adds(refund(won(), "100.00"), COUNTED)


def test_a_deal_of_which_nothing_can_be_left_counts_all_the_same() -> None:
    assert ONE == adds(refund(won(amount="0.00"), "5.00"), COUNTED)
    assert ONE == adds(won(amount="0.00"), COUNTED)
    assert ONE == adds(refund(won(amount=""), "5.00"), COUNTED)


def test_a_deal_whose_rate_is_not_known_yet_counts_all_the_same() -> None:
    story = Story().submitted().reviewed("accepted").amount("100.00", "EUR").stage("won")
    assert ONE == adds(refund(story, "100.00", "EUR"), COUNTED)


def test_a_count_alone_asks_for_no_rate() -> None:
    story = Story().submitted().reviewed("accepted").amount("100.00", "EUR").stage("won")
    terms = parse_terms({"name": "t", "rules": [PAIRS]}, currency="USD")
    assert () == evaluate(terms, story.facts, parties("ptr_1")).rates


def test_a_rule_that_adds_nothing_does_not_end_the_count() -> None:
    later = {**COUNTED, "id": "later", "tiers": {**TIER, "milestone": "renewed"}}
    assert ONE == adds(won(), later, COUNTED)


@pytest.mark.parametrize(
    ("value", "step", "expected"),
    [
        ({"percent": "10", "of": "deal_amount"}, {"percent": "20"}, 10_000),
        ({"fixed": "50.00"}, {"fixed": "70.00"}, 1),
    ],
)
def test_a_true_up_counts_the_base_of_a_percentage_or_each_fixed_amount_once(
    value: dict[str, str], step: dict[str, str], expected: int
) -> None:
    tier = {**RETRO["tiers"], "steps": [{"from": 2, **step}]}
    added = adds(won(), {**RETRO, "value": value, "tiers": tier})
    assert ONE | {"base:rule:lifetime": expected} == added

"""Amounts are rounded once, at the end, whatever the process is set to."""

from __future__ import annotations

from decimal import localcontext
from typing import Any

import pytest

from shared.domain import facts
from shared.domain.evaluation import Evaluation, evaluate
from shared.domain.terms_reader import parse_terms
from tests.builders.money import Story, parties

BASE: dict[str, Any] = {
    "id": "rule",
    "beneficiary": "partner",
    "milestone": "won",
    "kind": "cash",
    "value": {"percent": "10", "of": "deal_amount"},
}


def judged(story: Story, **rule: Any) -> Evaluation:  # noqa: ANN401 - any field of a rule
    terms = parse_terms({"name": "t", "rules": [{**BASE, **rule}]}, currency="USD")
    return evaluate(terms, story.facts, parties(story.partner_id))


def won() -> Story:
    return Story().submitted().reviewed("accepted").stage("won")


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("9999999999999.004999999999999999", "9999999999999.00"),
        ("9999999999999.005", "9999999999999.01"),
    ],
)
def test_a_converted_amount_is_rounded_once(text: str, shown: str) -> None:
    data = {"amount": text, "currency": "EUR", "rate": "1"}
    story = won().add(facts.AMOUNT_SET, "a", data)
    assert shown == judged(story).trace[0].figures["deal_amount"]


@pytest.mark.parametrize("digits", [5, 28, 99])
def test_no_setting_of_the_process_changes_what_is_decided(digits: int) -> None:
    """A deal told net, in another currency and for many months; rules of every shape."""
    story = won().add(facts.FIELD_SET, "m", {"name": "contract_months", "value": 7})
    data = {"amount": "1234567.895", "currency": "EUR", "rate": "1.000123", "amount_is": "net"}
    refunded = {"refund_id": "R", "of": "deal", "amount": "7654.321", "currency": "EUR"}
    story.add(facts.REFUNDED, "R", refunded).add(facts.AMOUNT_SET, "a", data)
    shapes: list[dict[str, Any]] = [
        {"value": {"percent": "33.33", "of": "deal_amount"}},
        {"value": {"percent": "33.33", "of": "first_year_value"}},
        {"value": {"percent": "33.33", "of": "monthly_value", "months": 5}},
        {"value": {"fixed": "98765432.10"}, "refund": "pro_rata"},
    ]
    with localcontext() as context:
        context.prec = digits
        found = [judged(story, **shape).entitlements[0].amount_minor for shape in shapes]
    assert [41_153_209, 41_153_209, 29_395_149, 9_815_685_976] == found

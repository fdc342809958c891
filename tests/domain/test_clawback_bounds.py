"""The least, the shortest and the first that can't be taken back any more."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from shared.domain import facts
from shared.domain.evaluation import evaluate
from shared.domain.terms_reader import parse_terms
from tests.builders.money import DAY, START, Story, parties

if TYPE_CHECKING:
    from datetime import datetime

RULE: dict[str, Any] = {
    "id": "rule",
    "beneficiary": "partner",
    "milestone": "won",
    "kind": "cash",
    "value": {"percent": "10", "of": "deal_amount"},
    "hold_days": 10,
}
RELEASED = START + 10 * DAY


def granted(story: Story, days: int, **rule: Any) -> dict[str, int]:  # noqa: ANN401 - any field
    definition = {"name": "t", "windows": {"clawback_days": days}, "rules": [{**RULE, **rule}]}
    terms = parse_terms(definition, currency="USD")
    found = evaluate(terms, story.facts, parties("ptr_1")).entitlements
    return {row.occurrence: row.amount_minor for row in found}


def won(amount: str) -> Story:
    story = Story().submitted()
    story.reviewed("accepted", at=START).amount(amount, at=START)
    return story.stage("won", at=START)


def refund(story: Story, amount: str, at: datetime) -> Story:
    data = {"refund_id": f"R-{amount}", "of": "deal", "amount": amount, "currency": "USD"}
    return story.add(facts.REFUNDED, f"R-{amount}", data, at=at)


@pytest.mark.parametrize(
    ("at", "expected"),
    [(RELEASED - timedelta(microseconds=1), {}), (RELEASED, {"once": 1_000})],
)
def test_without_a_day_what_is_released_stays(at: datetime, expected: dict[str, int]) -> None:
    assert expected == granted(refund(won("100.00"), "100.00", at), 0)


def test_the_smallest_amount_is_kept_like_any_other() -> None:
    cent = refund(won("0.10"), "0.10", RELEASED + 5 * DAY)
    assert {"once": 1} == granted(cent, 5)
    assert {} == granted(cent, 6)


def test_an_invoice_that_does_not_count_hides_no_other() -> None:
    story = won("100.00")
    for number, day in enumerate((-400, 1, 2)):
        data = {"invoice_id": f"I-{number}", "amount_net": "50.00", "currency": "USD"}
        at = START + day * DAY
        story.add(facts.INVOICE_PAID, f"I-{number}", data, at=at, received_at=max(at, START))
    refund(story, "150.00", START + 100 * DAY)
    rule = {"value": {"percent": "10", "of": "invoice_net"}, "occurrence": "every_invoice"}
    assert {"invoice:I-1": 500, "invoice:I-2": 500} == granted(story, 5, **rule)


def invoice(story: Story, number: int, amount: str, day: int, told: int) -> Story:
    data = {"invoice_id": f"I-{number}", "amount_net": amount, "currency": "USD"}
    at, received_at = START + day * DAY, START + told * DAY
    return story.add(facts.INVOICE_PAID, f"I-{number}", data, at=at, received_at=received_at)


FIRST: dict[str, Any] = {"percent": "10", "of": "first_invoice"}
TABLE = {"table": {"field": "contract_months", "rows": [{"from": "1", "value": FIRST}]}}


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        ({"limit": {"times": 1}}, {"invoice:I-1": 500}),
        ({"limit": {"months": 1}}, {"invoice:I-1": 500}),
        ({"value": FIRST}, {"invoice:I-1": 500, "invoice:I-2": 500, "invoice:I-3": 500}),
        ({"value": TABLE}, {"invoice:I-1": 500, "invoice:I-2": 500, "invoice:I-3": 500}),
        ({}, {"invoice:I-1": 500, "invoice:I-2": 1_000, "invoice:I-3": 1_000}),
    ],
    ids=["times", "months", "first invoice", "table", "each by itself"],
)
def test_an_invoice_that_was_paid_before_moves_those_after_it(
    rule: dict[str, Any], expected: dict[str, int]
) -> None:
    """It is told before they had stood for long enough, so nothing of them is kept."""
    story = won("100.00").add(facts.FIELD_SET, "m", {"name": "contract_months", "value": 12})
    invoice(story, 2, "100.00", 40, 40)
    invoice(story, 1, "50.00", 3, 41)
    invoice(story, 3, "100.00", 200, 200)
    each = {"occurrence": "every_invoice", "value": {"percent": "10", "of": "invoice_net"}}
    assert expected == granted(story, 30, **{**each, **rule})


def test_a_deal_that_is_left_keeps_no_invoice_that_had_not_stood() -> None:
    story = invoice(won("100.00"), 1, "50.00", 1, 1).stage("lost", at=START + 2 * DAY)
    invoice(invoice(story, 2, "50.00", 3, 3), 3, "50.00", 200, 200)
    each = {"occurrence": "every_invoice", "value": {"percent": "10", "of": "invoice_net"}}
    assert {} == granted(story, 30, **each)


def test_what_is_left_of_more_has_stood_as_long_as_the_least_of_it() -> None:
    story = won("1000.00").amount("2000.00", at=START + 20 * DAY)
    story.amount("500.00", at=START + 30 * DAY)
    assert {"once": 5_000} == granted(refund(story, "500.00", START + 41 * DAY), 30)

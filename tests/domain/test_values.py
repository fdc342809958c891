"""What a value comes to, and what the explanation tells of it."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from shared.domain import facts
from shared.domain.evaluation import Evaluation, evaluate
from shared.domain.terms_reader import parse_terms
from tests.builders.money import DAY, START, Story, parties

if TYPE_CHECKING:
    from datetime import datetime

BASE: dict[str, Any] = {
    "id": "rule",
    "beneficiary": "partner",
    "milestone": "won",
    "kind": "cash",
    "value": {"percent": "10", "of": "deal_amount"},
}
FIXED = {"value": {"fixed": "50.00"}}
PAID = {"currency": "USD"}


def judged(story: Story, **rule: Any) -> Evaluation:  # noqa: ANN401 - any field of a rule
    terms = parse_terms({"name": "t", "rules": [{**BASE, **rule}]}, currency="USD")
    return evaluate(terms, story.facts, parties(story.partner_id))


def won(amount: str = "100.00", **data: Any) -> Story:  # noqa: ANN401 - any field
    story = Story().submitted()
    pinned = {**story.facts[-1].data, **data}
    story.add(facts.TERMS_PINNED, "again", pinned, at=START + timedelta(seconds=1))
    return story.reviewed("accepted").amount(amount).stage("won")


def overridden(**override: Any) -> Story:  # noqa: ANN401 - a rate
    return won(overrides={"rule": {**override, "level": "group"}})


def refund(
    story: Story,
    amount: str,
    of: str = "deal",
    *,
    at: datetime | None = None,
    received_at: datetime | None = None,
) -> Story:
    number = f"R-{len(story.facts)}"
    data = {"refund_id": number, "of": of, "amount": amount, **PAID}
    return story.add(facts.REFUNDED, number, data, at=at, received_at=received_at)


def invoice(story: Story, number: int, amount: str) -> Story:
    data = {"invoice_id": f"I-{number}", "amount_net": amount, **PAID}
    return story.add(facts.INVOICE_PAID, f"I-{number}", data)


def renewal(story: Story, amount: str) -> Story:
    data = {"renewal_id": "N-1", "amount": amount, **PAID}
    return story.add(facts.RENEWED, "N-1", data)


def months(story: Story, number: int) -> Story:
    return story.add(facts.FIELD_SET, "m", {"name": "contract_months", "value": number})


def told(story: Story, **rule: Any) -> dict[str, str]:  # noqa: ANN401 - any field of a rule
    """Return all figures of the only line."""
    (line,) = judged(story, **rule).trace
    return dict(line.figures)


def granted(story: Story, **rule: Any) -> int:  # noqa: ANN401 - any field of a rule
    (found,) = judged(story, **rule).entitlements
    return found.amount_minor


def code(story: Story, **rule: Any) -> str:  # noqa: ANN401 - any field of a rule
    (line,) = judged(story, **rule).trace
    return line.code


def behind(story: Story, *kinds: str) -> tuple[str, ...]:
    return tuple(fact.fact_id for kind in kinds for fact in story.facts if fact.kind == kind)


# -- what it tells --------------------------------------------------------------------------------


def test_a_percentage_tells_its_base_and_the_facts_behind_it() -> None:
    story = refund(won(), "25.00")
    (line,) = judged(story).trace
    assert {
        "deal_amount": "100.00",
        "refunded": "25.00",
        "percent": "10",
        "amount": "7.50",
        "currency": "USD",
    } == dict(line.figures)
    kinds = (facts.STAGE_ENTERED, facts.AMOUNT_SET, facts.REFUNDED)
    assert behind(story, *kinds) == line.facts


def test_a_refund_of_an_invoice_is_not_told_as_one_of_the_deal() -> None:
    story = refund(invoice(won(), 1, "40.00"), "10.00", "invoice:I-1")
    assert "refunded" not in told(story)


def test_a_fixed_amount_tells_the_deal_only_where_it_looked_at_it() -> None:
    looked = {"all": [{"field": "deal_amount", "op": "gte", "value": "100.00"}]}
    story = won()
    (line,) = judged(story, **FIXED).trace
    assert ({"amount": "50.00", "currency": "USD"}, behind(story, facts.STAGE_ENTERED)) == (
        dict(line.figures),
        line.facts,
    )
    (line,) = judged(story, **FIXED, when=looked).trace
    assert {"deal_amount": "100.00", "amount": "50.00", "currency": "USD"} == dict(line.figures)
    assert behind(story, facts.STAGE_ENTERED, facts.AMOUNT_SET) == line.facts


@pytest.mark.parametrize(
    ("by", "start", "position", "shown", "percent"),
    [
        ("count", 2, 2, "2", "20"),
        ("count", 2, 1, "1", "10"),
        ("revenue", "50.00", 5_000, "50.00", "20"),
        ("revenue", "50.00", 4_999, "49.99", "10"),
    ],
)
def test_a_tier_tells_the_position_that_decided(
    by: str, start: object, position: int, shown: str, percent: str
) -> None:
    tier = {"by": by, "milestone": "won", "steps": [{"from": start, "percent": "20"}]}
    data = {"partner_id": "ptr_1", "key": f"{by}:won:lifetime", "position": position}
    story = won().add(facts.STANDING_PINNED, "", data, at=START)
    figures = told(story, tiers=tier)
    assert (shown, percent) == (figures["position"], figures["percent"])


@pytest.mark.parametrize(
    ("field", "start", "shown"),
    [("deal_amount", "50.00", "100.00"), ("contract_months", "6", "12")],
)
def test_a_table_tells_the_field_that_it_looked_at(field: str, start: str, shown: str) -> None:
    rows = [{"from": start, "value": {"fixed": "30.00"}}]
    figures = told(months(won(), 12), value={"table": {"field": field, "rows": rows}})
    assert {field: shown, "amount": "30.00", "currency": "USD"} == figures


def test_a_benefit_tells_what_it_is() -> None:
    month = {"kind": "free_period", "value": {"quantity": 2, "unit": "month", "worth": "49.00"}}
    assert {"quantity": "2", "unit": "month"} == told(won(), **month)
    (line,) = judged(won(), kind="discount", value={"percent": "20"}).trace
    assert {"percent": "20"} == dict(line.figures)


def test_what_nobody_told_of_a_condition_is_left_out() -> None:
    either = {"any": [{"field": "plan", "op": "eq", "value": "pro"}, FITS]}
    assert {"deal_amount": "100.00", "amount": "50.00", "currency": "USD"} == told(
        won(), **FIXED, when=either
    )


FITS = {"field": "deal_amount", "op": "gte", "value": "100.00"}


# -- contracts ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("number", "value", "figure", "expected"),
    [
        (6, {"percent": "10", "of": "first_year_value"}, "100.00", 1_000),
        (12, {"percent": "10", "of": "first_year_value"}, "100.00", 1_000),
        (13, {"percent": "10", "of": "first_year_value"}, "92.31", 923),
        (1, {"percent": "50", "of": "monthly_value", "months": 1}, "100.00", 5_000),
        (7, {"percent": "50", "of": "monthly_value", "months": 3}, "14.29", 2_143),
    ],
)
def test_a_contract_is_worth_what_falls_into_the_months(
    number: int, value: dict[str, str], figure: str, expected: int
) -> None:
    (line,) = judged(months(won(), number), value=value).trace
    assert (str(number), figure, "100.00") == (
        line.figures["contract_months"],
        line.figures[value["of"]],
        line.figures["deal_amount"],
    )
    assert expected == granted(months(won(), number), value=value)


@pytest.mark.parametrize("number", [0, -1])
def test_a_contract_of_no_months_is_worth_nothing_yet(number: int) -> None:
    value = {"percent": "10", "of": "first_year_value"}
    assert "field_missing" == code(months(won(), number), value=value)


def test_a_first_invoice_that_is_missing_is_not_yet() -> None:
    assert "no_invoice_yet" == code(won(), value={"percent": "10", "of": "first_invoice"})


# -- bounds ---------------------------------------------------------------------------------------


def test_the_largest_amount_is_given_and_no_larger_one() -> None:
    largest = won("10000000000000.00")
    assert 10**15 == granted(largest, value={"percent": "100", "of": "deal_amount"})
    value = {"percent": "100", "of": "monthly_value", "months": 2}
    assert "amount_too_large" == code(months(largest, 1), value=value)


def test_nothing_of_nothing_is_no_refund() -> None:
    assert "amount_is_zero" == code(won("0.00"))
    assert "refunded" == code(refund(won("0.01"), "0.01"))


def test_half_a_cent_is_rounded_up_once() -> None:
    assert (1, 1) == (granted(won("0.05")), granted(won("0.14")))
    assert "amount_is_zero" == code(won("0.04"))


def test_a_renewal_below_zero_is_worth_nothing() -> None:
    figures = told(renewal(won(), "-5.00"), occurrence="every_renewal")
    assert "0.00" == figures["renewal_amount"]


# -- overrides ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "override", "expected"),
    [
        ({"percent": "10", "of": "deal_amount"}, {"percent": "15"}, 1_500),
        ({"percent": "10", "of": "deal_amount"}, {"fixed_minor": 700}, 700),
        ({"fixed": "50.00"}, {"fixed_minor": 700}, 700),
        ({"fixed": "50.00"}, {"percent": "15"}, 1_500),
        ({"percent": "10", "of": "first_invoice"}, {"percent": "15"}, 600),
    ],
)
def test_an_override_replaces_the_value(
    value: dict[str, str], override: dict[str, Any], expected: int
) -> None:
    assert expected == granted(invoice(overridden(**override), 1, "40.00"), value=value)


@pytest.mark.parametrize(
    ("kind", "value", "override", "expected"),
    [
        ("discount", {"percent": "20"}, {"percent": "15"}, {"percent": "15"}),
        ("discount", {"percent": "20"}, {"fixed_minor": 700}, {"percent": "20"}),
        (
            "free_period",
            {"quantity": 2, "unit": "month"},
            {"percent": "15"},
            {"quantity": "2", "unit": "month"},
        ),
    ],
)
def test_an_override_leaves_a_benefit_what_it_is(
    kind: str, value: dict[str, Any], override: dict[str, Any], expected: dict[str, str]
) -> None:
    (found,) = judged(overridden(**override), kind=kind, value=value).entitlements
    assert expected == dict(found.benefit)


def test_an_override_asks_for_no_position_to_show() -> None:
    tier = {"by": "count", "milestone": "won", "steps": [{"from": 1, "percent": "20"}]}
    data = {"partner_id": "ptr_1", "key": "count:won:lifetime", "position": 1}
    story = overridden(percent="15").add(facts.STANDING_PINNED, "", data, at=START)
    figures = told(story, tiers=tier)
    assert ("15", None) == (figures["percent"], figures.get("position"))


# -- what is kept of a fixed amount ---------------------------------------------------------------

KEPT = {**FIXED, "refund": "pro_rata"}


@pytest.mark.parametrize(
    ("refunded", "threshold", "expected"),
    [
        ("50.00", "50", 2_500),
        ("49.99", "50", 5_000),
        ("50.00", "50.01", 5_000),
        ("99.99", "0", 1),
    ],
)
def test_a_refund_counts_from_its_threshold_on(
    refunded: str, threshold: str, expected: int
) -> None:
    assert expected == granted(refund(won(), refunded), **KEPT, refund_threshold=threshold)


@pytest.mark.parametrize(("policy", "refunded"), [("pro_rata", "100.00"), ("void", "50.00")])
def test_a_fixed_amount_that_is_refunded_says_so(policy: str, refunded: str) -> None:
    rule = {**FIXED, "refund": policy}
    story = refund(won(), refunded)
    assert ("refunded", "0.0000") == (code(story, **rule), told(story, **rule)["kept_part"])
    rest = {"value": {"fixed": "0.01"}, "refund": "pro_rata"}
    assert "amount_is_zero" == code(refund(won(), "60.00"), **rest)


def test_a_refund_of_an_invoice_takes_nothing_of_a_fixed_amount_for_the_deal() -> None:
    story = refund(invoice(won(), 1, "40.00"), "40.00", "invoice:I-1")
    assert 5_000 == granted(story, **FIXED, refund="void")


def test_a_fixed_amount_for_an_invoice_follows_that_invoice() -> None:
    rule = {**KEPT, "occurrence": "every_invoice"}
    story = refund(invoice(invoice(won(), 1, "40.00"), 2, "40.00"), "10.00", "invoice:I-1")
    assert {"invoice:I-1": 3_750, "invoice:I-2": 5_000} == {
        row.occurrence: row.amount_minor for row in judged(story, **rule).entitlements
    }


def test_a_fixed_amount_for_the_first_payment_follows_the_first_invoice() -> None:
    rule = {**KEPT, "milestone": "invoice_paid"}
    story = invoice(invoice(won(), 1, "40.00"), 2, "40.00")
    assert 5_000 == granted(refund(story, "10.00", "invoice:I-2"), **rule)
    assert 3_750 == granted(refund(story, "10.00", "invoice:I-1"), **rule)


def test_a_fixed_amount_stays_where_there_is_no_sale_to_compare_with() -> None:
    story = Story().submitted().reviewed("accepted").stage("won")
    assert 5_000 == granted(refund(story, "10.00"), **KEPT)
    assert 5_000 == granted(refund(won("0.00"), "10.00"), **KEPT)


def test_a_benefit_is_kept_where_the_terms_keep_it() -> None:
    perk = {"kind": "discount", "value": {"percent": "20"}}
    story = refund(won(), "100.00")
    assert "granted" == code(story, **perk, refund="keep")
    assert "refunded" == code(story, **perk, refund="pro_rata")


# -- when we heard of it --------------------------------------------------------------------------

LATE = START + 20 * DAY


def released(story: Story, **rule: Any) -> datetime:  # noqa: ANN401 - any field of a rule
    """Return the end of the hold of what is added now."""
    (found,) = judged(story, **rule, hold_days=5).entitlements
    return found.raise_release_at


def test_what_is_added_waits_from_when_we_heard_of_the_amount() -> None:
    story = refund(won(), "10.00", received_at=LATE)
    assert LATE + 5 * DAY == released(story)
    assert LATE + 5 * DAY == released(story, **KEPT)
    reached = story.facts[-2].received_at
    assert reached + 5 * DAY == released(story, **FIXED, refund="keep")
    assert reached + 5 * DAY == released(story, **KEPT, refund_threshold="20")


def test_an_invoices_hold_starts_anew_with_its_own_refund_and_the_deals() -> None:
    story = invoice(won(), 1, "40.00")
    rule = {"value": {"percent": "10", "of": "first_invoice"}}
    assert story.facts[-1].received_at + 5 * DAY == released(story, **rule)
    own = refund(story, "10.00", "invoice:I-1", received_at=LATE)
    assert LATE + 5 * DAY == released(own, **rule)
    assert LATE + 6 * DAY == released(refund(own, "1.00", received_at=LATE + DAY), **rule)

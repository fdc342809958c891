"""Refunds against arithmetic that is done another way: by hand rules on fractions of a major unit.

The oracle shares no code with the product: it keeps amounts as ``Decimal`` of major units and
gives out a spread cent by cent.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from decimal import ROUND_HALF_UP, Decimal
from fractions import Fraction
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from shared.domain import facts
from shared.domain.evaluation import evaluate
from shared.domain.terms_reader import parse_terms
from tests.builders.money import START, Story, parties

CENT = Decimal("0.01")
NOTHING = Decimal(0)


@dataclass(frozen=True, kw_only=True)
class Back:
    """Money that went back: hour by hour, of the deal (None) or of an invoice by its place."""

    hour: int
    of: int | None
    amount: Decimal
    # A refund, a chargeback that stands, or one that was reversed later.
    how: str


def decimals(most: int = 10**7) -> st.SearchStrategy[Decimal]:
    return st.integers(1, most).map(lambda cents: Decimal(cents) * CENT)


HOWS = st.sampled_from(["refund", "refund", "chargeback", "reversed"])
# Small amounts meet exactly and tie; large ones round.
AMOUNTS = st.one_of(decimals(500), decimals())
PERCENTS = st.one_of(st.just(Decimal(100)), st.integers(1, 9_999).map(lambda n: Decimal(n) / 100))
HOURS = st.integers(10, 40)


def backs(invoices: int = 0) -> st.SearchStrategy[list[Back]]:
    of = st.one_of(st.none(), st.integers(0, invoices - 1)) if invoices else st.none()
    row = st.builds(Back, hour=HOURS, of=of, amount=AMOUNTS, how=HOWS)
    # Two at the same moment have no order that the oracle could know.
    return st.lists(row, max_size=5, unique_by=lambda back: back.hour)


def standing(rows: list[Back]) -> list[Back]:
    return sorted((row for row in rows if row.how != "reversed"), key=lambda row: row.hour)


def story_of(deal: Decimal | None, invoices: list[tuple[int, Decimal]], rows: list[Back]) -> Story:
    story = Story().submitted().reviewed("accepted", at=START).stage("won", at=START)
    if deal is not None:
        story.amount(str(deal), at=START)
    for place, (hour, amount) in enumerate(invoices):
        data = {"invoice_id": f"I-{place}", "amount_net": str(amount), "currency": "USD"}
        story.add(facts.INVOICE_PAID, f"I-{place}", data, at=START + timedelta(hours=hour))
    for number, row in enumerate(rows):
        at = START + timedelta(hours=row.hour, minutes=30)
        of = "deal" if row.of is None else f"invoice:I-{row.of}"
        data = {"of": of, "amount": str(row.amount), "currency": "USD"}
        if row.how == "refund":
            story.add(facts.REFUNDED, f"R-{number}", {"refund_id": f"R-{number}", **data}, at=at)
            continue
        name = {"chargeback_id": f"R-{number}"}
        story.add(facts.CHARGED_BACK, f"R-{number}", {**name, **data}, at=at)
        if row.how == "reversed":
            later = at + timedelta(days=3)
            story.add(facts.CHARGEBACK_REVERSED, f"R-{number}", name, at=later)
    return story


def paid(story: Story, **rule: Any) -> dict[str, int]:  # noqa: ANN401 - any field of a rule
    base = {"id": "r", "beneficiary": "partner", "milestone": "won", "kind": "cash", **rule}
    terms = parse_terms({"name": "t", "rules": [base]}, currency="USD")
    found = evaluate(terms, story.facts, parties("ptr_1")).entitlements
    return {row.occurrence: row.amount_minor for row in found}


def cents(amount: Decimal) -> int:
    return int(amount.quantize(CENT, rounding=ROUND_HALF_UP) * 100)


def spread(total: Decimal, kept: list[Decimal]) -> list[Decimal]:
    """Take ``total`` of ``kept``: whole cents of each exact share, then cent by cent."""
    whole = sum(kept, NOTHING)
    exact = [Fraction(total) * Fraction(row) / Fraction(whole) for row in kept]
    taken = [Decimal(int(share * 100)) * CENT for share in exact]
    while sum(taken, NOTHING) < total:
        behind = [share - Fraction(part) for share, part in zip(exact, taken, strict=True)]
        place = behind.index(max(behind))
        taken[place] += CENT
    return taken


def kept_of_invoices(invoices: list[tuple[int, Decimal]], rows: list[Back]) -> list[Decimal]:
    kept = [amount for _, amount in invoices]
    for row in standing(rows):
        if row.of is not None:
            kept[row.of] -= min(kept[row.of], row.amount)
            continue
        # In the order in which they were paid: equal remainders go to the earlier.
        order = sorted(range(len(kept)), key=lambda place: invoices[place][0])
        earlier = [place for place in order if invoices[place][0] <= row.hour and kept[place]]
        total = min(row.amount, sum((kept[place] for place in earlier), NOTHING))
        if total:
            parts = spread(total, [kept[place] for place in earlier])
            for place, part in zip(earlier, parts, strict=True):
                kept[place] -= part
    return kept


def kept_of_deal(deal: Decimal, rows: list[Back]) -> Decimal:
    return max(deal - sum((row.amount for row in standing(rows)), NOTHING), NOTHING)


INVOICES = st.lists(
    st.tuples(st.integers(1, 35), AMOUNTS), max_size=5, unique_by=lambda row: row[0]
)


@given(AMOUNTS, backs(), PERCENTS)
@settings(max_examples=150)
def test_percent_of_a_deal_is_the_percent_of_what_was_kept(
    deal: Decimal, rows: list[Back], percent: Decimal
) -> None:
    found = paid(story_of(deal, [], rows), value={"percent": str(percent), "of": "deal_amount"})
    expected = cents(kept_of_deal(deal, rows) * percent / 100)
    assert ({"once": expected} if expected else {}) == found


REVENUE = {"by": "revenue", "milestone": "won", "steps": [{"from": "1.00", "percent": "5"}]}


@given(AMOUNTS, backs())
def test_revenue_that_was_refunded_counts_no_more_and_never_below_nothing(
    deal: Decimal, rows: list[Back]
) -> None:
    rule: dict[str, Any] = {"id": "r", "beneficiary": "partner", "milestone": "won"}
    rule |= {"kind": "cash", "value": {"percent": "1", "of": "deal_amount"}, "tiers": REVENUE}
    terms = parse_terms({"name": "t", "rules": [rule]}, currency="USD")
    evaluation = evaluate(terms, story_of(deal, [], rows).facts, parties("ptr_1"))
    kept = cents(kept_of_deal(deal, rows))
    counted = {"revenue:won:lifetime": kept} if kept else {}
    assert counted == dict(evaluation.contributions)


@given(AMOUNTS, st.lists(st.integers(1, 9), min_size=1, max_size=5), PERCENTS, HOWS)
def test_whole_refund_in_any_number_of_parts_leaves_nothing(
    deal: Decimal, weights: list[int], percent: Decimal, how: str
) -> None:
    parts = spread(deal, [Decimal(weight) for weight in weights])
    how = "refund" if how == "reversed" else how
    rows = [
        Back(hour=10 + place, of=None, amount=part, how=how)
        for place, part in enumerate(parts)
        if part
    ]
    story = story_of(deal, [(1, deal)], rows)
    assert {} == paid(story, value={"percent": str(percent), "of": "deal_amount"})
    invoiced = {"percent": str(percent), "of": "invoice_net"}
    assert {} == paid(story, occurrence="every_invoice", value=invoiced)


@given(st.lists(AMOUNTS, min_size=1, max_size=5), st.data())
@settings(max_examples=200)
def test_refunds_of_a_deal_and_of_invoices_leave_of_each_what_is_left(
    amounts: list[Decimal], data: st.DataObject
) -> None:
    hours = data.draw(
        st.lists(st.integers(1, 35), min_size=len(amounts), max_size=len(amounts), unique=True)
    )
    invoices = list(zip(hours, amounts, strict=True))
    rows = data.draw(backs(len(invoices)))
    found = paid(
        story_of(None, invoices, rows),
        occurrence="every_invoice",
        milestone="won",
        value={"percent": "100", "of": "invoice_net"},
    )
    expected = kept_of_invoices(invoices, rows)
    assert {f"invoice:I-{p}": cents(kept) for p, kept in enumerate(expected) if kept} == found


@given(INVOICES, backs())
@settings(max_examples=150)
def test_what_is_taken_of_invoices_is_what_was_refunded_of_the_deal(
    invoices: list[tuple[int, Decimal]], rows: list[Back]
) -> None:
    latest = [Back(hour=50, of=None, amount=row.amount, how=row.how) for row in rows[:1]]
    found = paid(
        story_of(None, invoices, latest),
        occurrence="every_invoice",
        value={"percent": "100", "of": "invoice_net"},
    )
    gross = sum(cents(amount) for _, amount in invoices)
    refunded = sum(cents(row.amount) for row in standing(latest))
    assert max(gross - refunded, 0) == sum(found.values())
    for place, (_, amount) in enumerate(invoices):
        assert 0 <= found.get(f"invoice:I-{place}", 0) <= cents(amount)


THRESHOLDS = st.sampled_from([Decimal(0), Decimal(50), Decimal("99.99"), Decimal(100)])


@given(AMOUNTS, backs(), AMOUNTS, st.sampled_from(["keep", "pro_rata", "void"]), THRESHOLDS)
@settings(max_examples=200)
def test_fixed_rewards_do_what_their_policy_says(
    deal: Decimal, rows: list[Back], fixed: Decimal, policy: str, threshold: Decimal
) -> None:
    found = paid(
        story_of(deal, [], rows),
        value={"fixed": str(fixed)},
        refund=policy,
        refund_threshold=str(threshold),
    )
    kept = kept_of_deal(deal, rows)
    gone = Fraction(deal - kept) / Fraction(deal)
    touched = bool(gone) and gone * 100 >= Fraction(threshold)
    expected = cents(fixed)
    if touched and policy == "void":
        expected = 0
    elif touched and policy == "pro_rata":
        # Half a cent rounds up.
        exact = Fraction(fixed) * (1 - gone) * 100
        expected = int(exact + Fraction(1, 2))
    assert ({"once": expected} if expected else {}) == found


@given(AMOUNTS, backs(), AMOUNTS, st.sampled_from(["keep", "pro_rata", "void"]))
def test_one_refund_more_never_raises_a_reward(
    deal: Decimal, rows: list[Back], more: Decimal, policy: str
) -> None:
    added = [*rows, Back(hour=45, of=None, amount=more, how="refund")]
    for value in ({"percent": "33.333", "of": "deal_amount"}, {"fixed": "10.00"}):
        before = paid(story_of(deal, [], rows), value=value, refund=policy)
        after = paid(story_of(deal, [], added), value=value, refund=policy)
        assert 0 <= after.get("once", 0) <= before.get("once", 0)


RATES = st.integers(1, 5 * 10**4).map(lambda n: Decimal(n) / 10_000)


@given(AMOUNTS, RATES, RATES, st.sampled_from(["the sale's", "none", "another"]))
def test_whole_refund_in_another_currency_leaves_nothing_whatever_the_rate_is_by_then(
    deal: Decimal, rate: Decimal, other: Decimal, told: str
) -> None:
    story = Story().submitted().reviewed("accepted", at=START).stage("won", at=START)
    money = {"amount": str(deal), "currency": "EUR"}
    story.add(facts.AMOUNT_SET, "a", {**money, "rate": str(rate)}, at=START)
    rates = {"the sale's": {"rate": str(rate)}, "none": {}, "another": {"rate": str(other)}}
    refund = {"refund_id": "R", "of": "deal", **money, **rates[told]}
    story.add(facts.REFUNDED, "R", refund)
    assert {} == paid(story, value={"percent": "10", "of": "deal_amount"})

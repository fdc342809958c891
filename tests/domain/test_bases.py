"""Amounts in the ledger currency: whose rate, what is left after refunds, what was heard when."""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest

from shared.domain import facts
from shared.domain.bases import Amounts
from shared.domain.deal import fold
from shared.domain.facts import in_order
from shared.domain.verdicts import Refusal
from tests.builders.money import DAY, START, Story, worked_terms

if TYPE_CHECKING:
    from shared.domain.facts import Fact

TERMS = worked_terms()


def read(told: list[Fact], **rates: str) -> Amounts:
    """Read amounts of facts, with rates that are pinned for the deal."""
    pinned = {("deal", currency): Decimal(rate) for currency, rate in rates.items()}
    return Amounts(deal=fold(in_order(told), TERMS), currency="USD", rates=pinned)


def deal(story: Story, amount: str, currency: str = "USD", **data: str) -> Story:
    return story.add(facts.AMOUNT_SET, amount, {"amount": amount, "currency": currency, **data})


def invoice(
    story: Story,
    amount: str,
    number: int = 1,
    currency: str = "USD",
    rate: str = "",
    **at: datetime,
) -> Story:
    data = {"invoice_id": f"I-{number}", "amount_net": amount, "currency": currency, "rate": rate}
    return story.add(facts.INVOICE_PAID, f"I-{number}", data, **at)


def refund(
    story: Story,
    amount: str,
    of: str = "deal",
    currency: str = "USD",
    rate: str = "",
    **at: datetime,
) -> Story:
    number = f"R-{len(story.facts)}"
    data = {"refund_id": number, "of": of, "amount": amount, "currency": currency, "rate": rate}
    return story.add(facts.REFUNDED, number, data, **at)


def refused(amounts: Amounts) -> str:
    with pytest.raises(Refusal) as caught:
        amounts.gross_deal()
    return caught.value.code


# -- rates ----------------------------------------------------------------------------------------


def test_a_rate_is_the_senders_own_else_the_last_that_was_told_else_the_pinned_one() -> None:
    story = deal(Story(), "100.00", "EUR")
    assert "fx_rate_missing" == refused(read(story.facts))
    assert 12_000 == read(story.facts, EUR="1.2").gross_deal()
    deal(story, "200.00", "EUR", rate="1.5")
    assert 30_000 == read(story.facts, EUR="1.2").gross_deal()
    deal(story, "300.00", "EUR")
    assert 45_000 == read(story.facts, EUR="1.2").gross_deal()


@pytest.mark.parametrize(("rate", "expected"), [("0", 12_000), ("-1", 12_000), ("0.5", 5_000)])
def test_a_rate_that_is_not_above_zero_is_none(rate: str, expected: int) -> None:
    story = deal(Story(), "100.00", "EUR", rate=rate)
    assert expected == read(story.facts, EUR="1.2").gross_deal()


def test_a_refund_takes_the_rate_of_its_sale_only_in_its_currency() -> None:
    story = deal(Story(), "100.00", "EUR", rate="1.5")
    refund(story, "10.00", currency="EUR", rate="9")
    assert 1_500 == read(story.facts).refunded_of_deal()
    refund(story, "10.00", currency="GBP", rate="0.5")
    assert 2_000 == read(story.facts).refunded_of_deal()


def test_a_refund_of_an_invoice_takes_the_rate_of_that_invoice() -> None:
    story = invoice(Story(), "100.00", 1, "EUR", rate="1.5")
    invoice(story, "100.00", 2, "EUR", rate="2")
    refund(story, "10.00", "invoice:I-1", "EUR", rate="9")
    refund(story, "10.00", "invoice:I-2", "EUR")
    assert {"I-1": 13_500, "I-2": 18_000} == read(story.facts).net_invoices()


# -- the deal -------------------------------------------------------------------------------------


@pytest.mark.parametrize("amount", ["10000000000000.01", "-10000000000000.01"])
def test_an_amount_over_the_bound_is_refused(amount: str) -> None:
    assert "amount_too_large" == refused(read(deal(Story(), amount).facts))
    within = amount.replace(".01", ".00")
    assert 10**15 == abs(read(deal(Story(), within).facts).gross_deal())


@pytest.mark.parametrize("amount", ["", "many"])
def test_an_amount_that_nobody_can_read_is_missing(amount: str) -> None:
    assert "amount_missing" == refused(read(deal(Story(), amount).facts))
    assert "amount_missing" == refused(read([]))


def test_what_a_net_amount_is_less_of_is_added_again() -> None:
    story = refund(refund(Story(), "10.00"), "5.00", currency="EUR", rate="2")
    deal(story, "80.00", amount_is="net")
    amounts = read(story.facts)
    assert (10_000, 2_000, 8_000) == (
        amounts.gross_deal(),
        amounts.refunded_of_deal(),
        amounts.net_deal(),
    )


def test_more_refunds_than_amount_leave_nothing() -> None:
    amounts = read(refund(deal(Story(), "100.00"), "100.01").facts)
    assert (10_000, 0) == (amounts.gross_deal(), amounts.net_deal())


# -- invoices -------------------------------------------------------------------------------------


def test_an_invoice_below_zero_is_nothing_and_so_is_what_is_left_of_it() -> None:
    story = invoice(invoice(Story(), "-5.00", 1), "100.00", 2)
    refund(story, "10.00")
    assert {"I-1": 0, "I-2": 9_000} == read(story.facts).net_invoices()


def test_a_refund_of_the_deal_falls_on_invoices_paid_by_then() -> None:
    moment = START + DAY
    story = invoice(Story(), "30.00", 1, at=moment)
    invoice(story, "60.00", 2, at=moment - timedelta(seconds=1))
    invoice(story, "90.00", 3, at=moment + timedelta(microseconds=1))
    refund(story, "30.00", at=moment)
    assert {"I-1": 2_000, "I-2": 4_000, "I-3": 9_000} == read(story.facts).net_invoices()


@pytest.mark.parametrize("amount", ["0.00", "-5.00"])
def test_a_refund_of_nothing_takes_nothing(amount: str) -> None:
    story = refund(invoice(Story(), "30.00"), amount)
    assert {"I-1": 3_000} == read(story.facts).net_invoices()
    assert {} == read(refund(Story(), "5.00").facts).net_invoices()


# -- what was heard, and carried on ---------------------------------------------------------------

LATE = START + 9 * DAY


def test_the_last_that_was_heard_of_any_subject_counts() -> None:
    story = invoice(deal(Story(), "100.00"), "30.00", received_at=LATE)
    refund(story, "5.00", received_at=LATE - DAY)
    amounts = read(story.facts)
    assert LATE == amounts.last_received("deal", "invoice:I-1")
    assert LATE - DAY == amounts.last_received("deal", "invoice:I-9")
    assert amounts.last_received("invoice:I-9") is None


def first_half() -> Story:
    story = deal(Story(), "100.00")
    invoice(invoice(story, "30.00", 1), "60.00", 2)
    return refund(refund(story, "5.00", "invoice:I-1", received_at=LATE), "1.00")


@pytest.mark.parametrize(
    "more",
    [
        lambda story: invoice(story, "90.00", 3, received_at=LATE + DAY),
        lambda story: refund(story, "7.00", "invoice:I-2", received_at=LATE + DAY),
        lambda story: refund(story, "7.00", received_at=LATE + DAY),
        lambda story: story.add(
            facts.RENEWED, "N", {"renewal_id": "N", "amount": "5.00", "currency": "USD"}
        ),
    ],
    ids=["invoice", "refund of an invoice", "refund of the deal", "renewal"],
)
def test_what_is_carried_on_is_what_is_worked_out_anew(more: Any) -> None:  # noqa: ANN401 - tells more
    story = first_half()
    before = read(story.facts)
    more(story)
    after, anew = read(story.facts), read(story.facts)
    assert after.follow(before) is not None
    assert (anew.net_invoices(), anew.refunded_of_deal(), anew.heard()) == (
        after.net_invoices(),
        after.refunded_of_deal(),
        after.heard(),
    )


@pytest.mark.parametrize(("first", "refunded"), [(START, LATE), (LATE, START)])
def test_an_invoice_that_is_told_again_is_heard_of_and_lowered_anew(
    first: datetime, refunded: datetime
) -> None:
    story = invoice(Story(), "30.00", received_at=first)
    refund(story, "5.00", "invoice:I-1", received_at=refunded)
    before = read(story.facts)
    invoice(story, "40.00", received_at=LATE - DAY)
    after, anew = read(story.facts), read(story.facts)
    assert after.follow(before) is not None
    assert ({"I-1": 3_500}, anew.heard()) == (after.net_invoices(), after.heard())


def test_other_rates_and_what_cannot_be_read_are_not_carried_on() -> None:
    story = first_half()
    assert read(story.facts, EUR="2").follow(read(story.facts)) is None
    before = read(story.facts)
    invoice(story, "5.00", 3, "EUR")
    assert read(story.facts).follow(before) is None

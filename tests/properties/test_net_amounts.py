"""The same deal told gross and told net of refunds ends alike, and as Decimal arithmetic says.

A sender of gross amounts tells what was sold; a sender of net amounts tells what is left of it at
that moment. Refunds are told by both.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from decimal import ROUND_HALF_UP, Decimal
from itertools import permutations
from typing import TYPE_CHECKING, Any

from hypothesis import given, settings
from hypothesis import strategies as st

from shared.domain import facts
from shared.domain.evaluation import Evaluation, evaluate
from shared.domain.terms_reader import parse_terms
from tests.builders.money import START, Story, parties

if TYPE_CHECKING:
    from datetime import datetime

CENT = Decimal("0.01")
HOUR = timedelta(hours=1)
RULES: list[dict[str, Any]] = [
    {"id": "share", "value": {"percent": "12.5", "of": "deal_amount"}},
    {"id": "part", "value": {"fixed": "100.00"}, "refund": "pro_rata"},
    {"id": "void", "value": {"fixed": "7.00"}, "refund": "void", "refund_threshold": "50"},
    {
        "id": "large",
        "value": {"fixed": "5.00"},
        "when": {"all": [{"field": "deal_amount", "op": "gte", "value": "500.00"}]},
    },
    {
        "id": "tiered",
        "value": {"percent": "1", "of": "deal_amount"},
        "tiers": {
            "by": "revenue",
            "mode": "retroactive",
            "milestone": "won",
            "steps": [{"from": "1.00", "percent": "2"}],
        },
    },
    {
        "id": "invoices",
        "occurrence": "every_invoice",
        "value": {"percent": "10", "of": "invoice_net"},
    },
]
TERMS = parse_terms(
    {
        "name": "t",
        "rules": [
            {"beneficiary": "partner", "milestone": "won", "kind": "cash", **rule} for rule in RULES
        ],
    },
    currency="USD",
)


@dataclass(frozen=True, kw_only=True)
class Event:
    """At an hour: the deal is (re)priced, or some of it goes back, maybe only for a while."""

    hour: int
    amount: Decimal
    what: str
    reversed_after: int = 0
    is_announced: bool = True


@st.composite
def histories(draw: st.DrawFn) -> list[Event]:
    """One price or more, and refunds that never come to more than the lowest of them."""
    prices = draw(st.lists(st.integers(500, 10**6), min_size=1, max_size=3))
    left = min(prices)
    # Several things may happen in the same hour; the price comes first at hour 0.
    hours = st.integers(0, 8)
    events = [
        Event(hour=draw(hours) if place else 0, amount=price * CENT, what="price")
        for place, price in enumerate(prices)
    ]
    for _ in range(draw(st.integers(0, 4))):
        part = draw(st.integers(0, left))
        left -= part
        if part:
            events.append(
                Event(
                    hour=draw(hours),
                    amount=part * CENT,
                    what=draw(st.sampled_from(["refund", "chargeback"])),
                    reversed_after=draw(st.sampled_from([0, 0, 1, 3])),
                    is_announced=draw(st.booleans()),
                )
            )
    # Two prices in one hour have no order that anybody could know.
    seen: set[int] = set()
    return [
        event
        for event in events
        if event.what != "price" or not (event.hour in seen or seen.add(event.hour))  # type: ignore[func-returns-value]
    ]


def moment(hour: int) -> datetime:
    return START + (hour + 1) * HOUR


def is_reversed(event: Event) -> bool:
    return event.what == "chargeback" and event.reversed_after > 0


def price_at(history: list[Event], hour: int) -> Decimal:
    told = [event for event in history if event.what == "price" and event.hour <= hour]
    return max(told, key=lambda event: event.hour).amount


def gone_at(history: list[Event], hour: int) -> Decimal:
    return sum(
        (
            event.amount
            for event in history
            if event.what != "price"
            and event.hour <= hour
            and not (is_reversed(event) and event.hour + event.reversed_after <= hour)
        ),
        Decimal(0),
    )


def hours_told(history: list[Event]) -> list[int]:
    """Prices are always told; of what goes back and returns only some is followed by an amount."""
    found = set()
    for event in history:
        if event.what == "price" or event.is_announced:
            found.add(event.hour)
        if is_reversed(event) and event.is_announced:
            found.add(event.hour + event.reversed_after)
    return sorted(found)


def story_of(history: list[Event], *, net: bool, money: dict[str, str]) -> Story:
    story = Story().submitted().reviewed("accepted", at=START).stage("won", at=START)
    for hour in hours_told(history):
        amount = price_at(history, hour) - (gone_at(history, hour) if net else 0)
        data = {"amount": str(amount), **money, **({"amount_is": "net"} if net else {})}
        story.add(facts.AMOUNT_SET, f"{hour}", data, at=moment(hour))
    paid = {"invoice_id": "I-1", "amount_net": "100.00", "currency": "USD"}
    story.add(facts.INVOICE_PAID, "I-1", paid, at=moment(2))
    for number, event in enumerate(history):
        at, name = moment(event.hour), f"X-{number}"
        data = {"of": "deal", "amount": str(event.amount), **money}
        if event.what == "refund":
            story.add(facts.REFUNDED, name, {"refund_id": name, **data}, at=at)
        elif event.what == "chargeback":
            story.add(facts.CHARGED_BACK, name, {"chargeback_id": name, **data}, at=at)
        if is_reversed(event):
            later = moment(event.hour + event.reversed_after)
            story.add(facts.CHARGEBACK_REVERSED, name, {"chargeback_id": name}, at=later)
    return story


def judged(story: Story) -> Evaluation:
    return evaluate(TERMS, story.facts, parties("ptr_1"))


def paid_of(evaluation: Evaluation) -> dict[str, int]:
    return {row.rule_id: row.amount_minor for row in evaluation.entitlements}


def cents(amount: Decimal) -> int:
    return int((amount * 100).quantize(Decimal(1), rounding=ROUND_HALF_UP))


RATES = st.one_of(st.none(), st.integers(1, 5 * 10**4).map(lambda n: Decimal(n) / 10_000))


@given(histories(), RATES)
@settings(max_examples=300)
def test_told_gross_and_told_net_is_the_same_deal(
    history: list[Event], rate: Decimal | None
) -> None:
    money = {"currency": "EUR", "rate": str(rate)} if rate else {"currency": "USD"}
    gross, net = (judged(story_of(history, net=told, money=money)) for told in (False, True))
    assert paid_of(gross) == paid_of(net)
    assert gross.contributions == net.contributions
    figures = [[(line.code, dict(line.figures)) for line in row.trace] for row in (gross, net)]
    assert figures[0] == figures[1]


@given(histories())
@settings(max_examples=300)
def test_what_is_left_of_a_net_deal_is_what_arithmetic_says(history: list[Event]) -> None:
    paid = paid_of(judged(story_of(history, net=True, money={"currency": "USD"})))
    last = 99
    price, left = price_at(history, last), price_at(history, last) - gone_at(history, last)
    expected = {
        "share": cents(left * Decimal("0.125")),
        "part": cents(100 * left / price),
        "void": 0 if gone_at(history, last) * 2 >= price else 700,
        "large": 500 if price >= 500 else 0,
        "tiered": cents(left * CENT),
    }
    assert {name: minor for name, minor in expected.items() if minor} == {
        name: minor for name, minor in paid.items() if name != "invoices"
    }


def test_refunds_before_at_and_after_a_net_amount_in_every_order() -> None:
    """800 are left of 1,000 after two refunds; a third comes later: 700 are left."""
    story = Story().submitted().reviewed("accepted", at=START).stage("won", at=START)
    known = len(story.facts)
    for number, (hour, amount) in enumerate([(1, "150.00"), (2, "50.00"), (3, "100.00")]):
        data = {"refund_id": f"R-{number}", "of": "deal", "amount": amount, "currency": "USD"}
        story.add(facts.REFUNDED, f"R-{number}", data, at=moment(hour))
    told = {"amount": "800.00", "currency": "USD", "amount_is": "net"}
    story.add(facts.AMOUNT_SET, "a", told, at=moment(2))
    ends = []
    for order in permutations(story.facts[known:]):
        mixed = Story(facts=[*story.facts[:known], *order])
        ends.append(paid_of(judged(mixed)))
    assert [{"share": 8_750, "part": 7_000, "void": 700, "large": 500, "tiered": 700}] * 24 == ends


def test_a_refund_that_was_told_again_counts_as_it_was_told_by_then() -> None:
    story = Story().submitted().reviewed("accepted", at=START).stage("won", at=START)
    refund = {"refund_id": "R", "of": "deal", "currency": "USD"}
    story.add(facts.REFUNDED, "a", {**refund, "amount": "100.00"}, at=moment(1))
    told = {"amount": "900.00", "currency": "USD", "amount_is": "net"}
    story.add(facts.AMOUNT_SET, "a", told, at=moment(2))
    story.add(facts.REFUNDED, "b", {**refund, "amount": "150.00"}, at=moment(3))
    assert 850 * 125 == 10 * paid_of(judged(story))["share"]


def test_refunds_of_invoices_are_no_part_of_a_net_deal() -> None:
    story = Story().submitted().reviewed("accepted", at=START).stage("won", at=START)
    refund = {"refund_id": "R", "of": "invoice:I-9", "currency": "USD", "amount": "100.00"}
    story.add(facts.REFUNDED, "a", refund, at=moment(1))
    told = {"amount": "450.00", "currency": "USD", "amount_is": "net"}
    story.add(facts.AMOUNT_SET, "a", told, at=moment(2))
    assert "large" not in paid_of(judged(story))


def test_a_gross_amount_after_a_net_one_is_gross() -> None:
    story = Story().submitted().reviewed("accepted", at=START).stage("won", at=START)
    refund = {"refund_id": "R", "of": "deal", "currency": "USD", "amount": "100.00"}
    story.add(facts.REFUNDED, "a", refund, at=moment(1))
    told = {"amount": "900.00", "currency": "USD", "amount_is": "net"}
    story.add(facts.AMOUNT_SET, "a", told, at=moment(2))
    story.amount("1000.00", at=moment(3))
    assert 900 * 125 == 10 * paid_of(judged(story))["share"]

"""What comes later than ``clawback_days`` after a release takes nothing back."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import permutations
from typing import TYPE_CHECKING, Any

import pytest

from shared.domain import bases, clawback, deal, facts
from shared.domain.evaluation import Evaluation, evaluate
from shared.domain.occurrences import worth
from shared.domain.terms_reader import parse_terms
from tests.builders.money import DAY, START, Story, parties

if TYPE_CHECKING:
    from collections.abc import Callable

BASE: dict[str, Any] = {
    "id": "rule",
    "beneficiary": "partner",
    "milestone": "won",
    "kind": "cash",
    "value": {"percent": "10", "of": "deal_amount"},
    "hold_days": 10,
}
# Won on day 0, released on day 10, and kept from day 40 on.
LIMIT = 30
KEPT_FROM = START + 40 * DAY
JUST_IN_TIME = KEPT_FROM - timedelta(microseconds=1)


def judged(story: Story, days: int | None = LIMIT, **rule: Any) -> Evaluation:  # noqa: ANN401 - any field
    windows = {} if days is None else {"clawback_days": days}
    definition = {"name": "t", "windows": windows, "rules": [{**BASE, **rule}]}
    terms = parse_terms(definition, currency="USD")
    return evaluate(terms, story.facts, parties(story.partner_id))


def amounts(evaluation: Evaluation) -> dict[str, int]:
    return {row.occurrence: row.amount_minor for row in evaluation.entitlements}


def codes(evaluation: Evaluation) -> dict[str, str]:
    return {row.occurrence: row.code for row in evaluation.trace}


def won(amount: str = "1000.00") -> Story:
    story = Story().submitted().reviewed("accepted", at=START)
    return story.amount(amount, at=START).stage("won", at=START)


def told(
    story: Story,
    kind: str,
    data: dict[str, Any],
    received_at: datetime,
    at: datetime | None = None,
) -> Story:
    return story.add(kind, f"{received_at}", data, at=at or received_at, received_at=received_at)


def refund(story: Story, amount: str, received_at: datetime, of: str = "deal") -> Story:
    data = {"refund_id": f"{received_at}", "of": of, "amount": amount, "currency": "USD"}
    return told(story, facts.REFUNDED, data, received_at)


def invoice(story: Story, number: int, amount: str, at: datetime) -> Story:
    data = {"invoice_id": f"I-{number}", "amount_net": amount, "currency": "USD"}
    return told(story, facts.INVOICE_PAID, data, at)


def lost(story: Story, at: datetime) -> Story:
    return story.stage("lost", at=at)


# -- the limit ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("received_at", "days", "minor"),
    [
        (JUST_IN_TIME, LIMIT, 6_000),
        (KEPT_FROM, LIMIT, 10_000),
        (KEPT_FROM + 3_000 * DAY, None, 6_000),
        (START + 10 * DAY, 0, 10_000),
        (START + 10 * DAY - timedelta(microseconds=1), 0, 6_000),
    ],
)
def test_a_refund_takes_back_until_the_limit(
    received_at: datetime, days: int | None, minor: int
) -> None:
    story = refund(won(), "400.00", received_at)
    assert {"once": minor} == amounts(judged(story, days))


def test_without_a_hold_the_limit_counts_from_the_receipt() -> None:
    for at, minor in ((START + 30 * DAY, 10_000), (START + 30 * DAY - DAY, 6_000)):
        story = refund(won(), "400.00", at)
        assert {"once": minor} == amounts(judged(story, hold_days=0))


def test_only_our_receipt_counts() -> None:
    """A refund of the second day that we hear of too late changes nothing, and the other way."""
    late = {"refund_id": "R", "of": "deal", "amount": "400.00", "currency": "USD"}
    story = told(won(), facts.REFUNDED, late, KEPT_FROM, at=START + 2 * DAY)
    assert {"once": 10_000} == amounts(judged(story))
    story = told(won(), facts.REFUNDED, late, JUST_IN_TIME, at=KEPT_FROM)
    assert {"once": 6_000} == amounts(judged(story))


def test_the_explanation_says_so_with_the_figures_of_before() -> None:
    (line,) = judged(refund(won(), "400.00", KEPT_FROM)).trace
    assert ("granted", "clawback_limit", "1000.00", "100.00") == (
        line.outcome,
        line.code,
        line.figures["deal_amount"],
        line.figures["amount"],
    )


@pytest.mark.parametrize(
    ("kind", "data"),
    [
        (facts.REVIEW_DECIDED, {"decision": "reject", "state": "rejected"}),
        (facts.DEAL_ENDED, {"how": "deleted"}),
        (facts.AMOUNT_SET, {"amount": "1.00", "currency": "USD"}),
        (facts.CURRENCY_SET, {"currency": "EUR"}),
        (facts.FIELD_SET, {"name": "plan", "value": "free"}),
        (
            facts.CHARGED_BACK,
            {"chargeback_id": "C", "of": "deal", "amount": "1000.00", "currency": "USD"},
        ),
        (
            facts.STAGE_ENTERED,
            {"stage": "negotiation", "rank": 3, "milestone": "", "outcome": "open", "ladder": {}},
        ),
    ],
)
def test_nothing_that_comes_too_late_takes_anything_back(kind: str, data: dict[str, Any]) -> None:
    story = Story().submitted().reviewed("accepted", at=START)
    story.add(facts.AMOUNT_SET, "a", {"amount": "1000.00", "default_currency": "USD"}, at=START)
    story.add(facts.FIELD_SET, "p", {"name": "plan", "value": "pro"}, at=START)
    story.stage("won", at=START)
    known = len(story.facts)
    when = {"all": [{"field": "plan", "op": "eq", "value": "pro"}]}
    told(story, kind, data, KEPT_FROM)
    assert {"once": 10_000} == amounts(judged(story, when=when))
    early = Story(facts=story.facts[:known])
    told(early, kind, data, JUST_IN_TIME)
    assert {"once": 10_000} != amounts(judged(early, when=when))


def test_a_retraction_that_comes_too_late_takes_nothing_back() -> None:
    story = won()
    stage = story.facts[-1]
    for at, expected in ((KEPT_FROM, {"once": 10_000}), (JUST_IN_TIME, {})):
        taken = facts.Fact(
            fact_id="fct_r",
            kind=facts.FACT_RETRACTED,
            occurred_at=at,
            received_at=at,
            source="goodword",
            retracts=stage.fact_id,
        )
        assert expected == amounts(judged(Story(facts=[*story.facts, taken])))


def test_a_referral_that_gave_its_deal_away_keeps_nothing_of_it() -> None:
    """The deal's rewards are the other referral's from then on: nobody pays them twice."""
    story = told(won(), facts.REFERRAL_MERGED, {"into": "ref_2"}, KEPT_FROM + DAY)
    assert {} == amounts(judged(story))
    lost(story, KEPT_FROM + 2 * DAY)
    assert {} == amounts(judged(story))


# -- what is pending ------------------------------------------------------------------------------


def test_what_is_pending_is_always_taken_back() -> None:
    """A raise waits for a hold of its own: until it is over, and 30 days more, it can go."""
    story = won().amount("3000.00", at=START + 35 * DAY)
    for day, minor in ((39, 15_000), (40, 15_000), (74, 15_000), (75, 30_000)):
        mixed = Story(facts=list(story.facts))
        refund(mixed, "1500.00", START + day * DAY)
        assert {"once": minor} == amounts(judged(mixed)), day


@pytest.mark.parametrize(
    ("raised", "refunded", "minor"), [(45, 50, 10_000), (35, 45, 10_000), (35, 39, 500)]
)
def test_what_stood_before_a_raise_is_kept_when_the_raise_is_not(
    raised: int, refunded: int, minor: int
) -> None:
    story = won().amount("3000.00", at=START + raised * DAY)
    refund(story, "2950.00", START + refunded * DAY)
    assert {"once": minor} == amounts(judged(story))


@pytest.mark.parametrize("state", ["in_review", "hold"])
def test_what_was_held_then_was_not_released(state: str) -> None:
    story = Story().submitted(review="in_review").amount("1000.00", at=START)
    story.stage("won", at=START)
    if state == "hold":
        story.reviewed("accepted", at=START)
        story.add(facts.HOLD_PLACED, "h", {"hold_id": "h"}, at=START)
    lost(story, KEPT_FROM + 100 * DAY)
    assert {} == amounts(judged(story))


def test_a_hold_of_a_person_begins_the_time_anew_and_takes_nothing_that_is_kept() -> None:
    for placed, released, expected in ((20, 25, {}), (50, 60, {"once": 10_000})):
        story = won()
        for kind, day in ((facts.HOLD_PLACED, placed), (facts.HOLD_RELEASED, released)):
            told(story, kind, {"hold_id": "h"}, START + day * DAY)
        lost(story, START + (released + 39) * DAY)
        assert expected == amounts(judged(story))
        assert {} != amounts(judged(Story(facts=story.facts[:-1])))


@pytest.mark.parametrize("how", ["deleted", "charged back", "lost"])
def test_what_was_gone_for_a_while_stands_since_it_came_back(how: str) -> None:
    charged = {"chargeback_id": "C", "of": "deal", "amount": "1000.00", "currency": "USD"}
    left = {"stage": "lost", "rank": 5, "milestone": "", "outcome": "lost", "ladder": {}}
    gone: dict[str, tuple[str, dict[str, Any]]] = {
        "deleted": (facts.DEAL_ENDED, {"how": "deleted"}),
        "charged back": (facts.CHARGED_BACK, charged),
        "lost": (facts.STAGE_ENTERED, left),
    }
    back: dict[str, tuple[str, dict[str, Any]]] = {
        "deleted": (facts.DEAL_RESTORED, {}),
        "charged back": (facts.CHARGEBACK_REVERSED, {"chargeback_id": "C"}),
        "lost": (facts.MILESTONE_REACHED, {"milestone": "won"}),
    }
    story = won()
    told(story, *gone[how], START + 20 * DAY)
    told(story, *back[how], START + 25 * DAY)
    for day, expected in ((64, 6_000), (65, 10_000)):
        later = refund(Story(facts=list(story.facts)), "400.00", START + day * DAY)
        assert {"once": expected} == amounts(judged(later)), day


def test_a_fixed_reward_that_a_mistake_raised_late_is_taken_back() -> None:
    """The typing error of a day is no promise, however old the deal is."""
    rule: dict[str, Any] = {
        "value": {
            "table": {
                "field": "plan",
                "rows": [
                    {"is": "pro", "value": {"fixed": "50.00"}},
                    {"is": "max", "value": {"fixed": "90.00"}},
                ],
            }
        }
    }
    story = Story().submitted().reviewed("accepted", at=START).amount("1000.00", at=START)
    told(story, facts.FIELD_SET, {"name": "plan", "value": "pro"}, START)
    story.stage("won", at=START)
    told(story, facts.FIELD_SET, {"name": "plan", "value": "max"}, START + 100 * DAY)
    for day, expected in ((101, 5_000), (139, 5_000), (140, 9_000)):
        mended = Story(facts=list(story.facts))
        told(mended, facts.FIELD_SET, {"name": "plan", "value": "pro"}, START + day * DAY)
        assert {"once": expected} == amounts(judged(mended, **rule)), day
    lost(story, START + 101 * DAY)
    assert {"once": 5_000} == amounts(judged(story, **rule))


def test_what_is_left_after_a_refund_has_stood_as_long_as_the_whole() -> None:
    story = refund(won(), "400.00", START + 39 * DAY)
    refund(story, "300.00", START + 41 * DAY)
    assert {"once": 6_000} == amounts(judged(story))


def test_an_acceptance_that_comes_late_begins_the_hold() -> None:
    story = Story().submitted(review="in_review").amount("1000.00", at=START)
    story.stage("won", at=START).reviewed("accepted", at=START + 20 * DAY)
    for day, expected in ((59, {}), (60, {"once": 10_000})):
        mixed = Story(facts=list(story.facts))
        assert expected == amounts(judged(lost(mixed, START + day * DAY))), day


# -- later on -------------------------------------------------------------------------------------


def test_a_later_raise_counts_from_what_is_true_by_then() -> None:
    story = refund(won(), "400.00", KEPT_FROM)
    story.amount("1200.00", at=KEPT_FROM + DAY)
    assert {"once": 10_000} == amounts(judged(story))
    story.amount("1500.00", at=KEPT_FROM + 2 * DAY)
    assert {"once": 11_000} == amounts(judged(story))
    assert {"once": "granted"} == codes(judged(story))


def test_what_came_too_late_once_is_too_late_for_ever() -> None:
    story = refund(won(), "400.00", KEPT_FROM)
    refund(story, "100.00", KEPT_FROM + 400 * DAY)
    lost(story, KEPT_FROM + 800 * DAY)
    assert {"once": 10_000} == amounts(judged(story))


def test_nothing_is_kept_of_nothing() -> None:
    evaluation = judged(lost(won("0.00"), KEPT_FROM))
    assert ({}, {"once": "milestone_left"}) == (amounts(evaluation), codes(evaluation))


def test_what_was_taken_back_in_time_stays_taken_back() -> None:
    story = refund(won(), "400.00", JUST_IN_TIME)
    refund(story, "100.00", KEPT_FROM + 400 * DAY)
    assert {"once": 6_000} == amounts(judged(story))


def test_a_deal_that_is_lost_and_won_again_has_one_reward() -> None:
    story = lost(won(), KEPT_FROM)
    assert {"once": 10_000} == amounts(judged(story))
    story.stage("won", at=KEPT_FROM + DAY)
    assert {"once": 10_000} == amounts(judged(story))
    lost(story, KEPT_FROM + 2 * DAY)
    assert {"once": 10_000} == amounts(judged(story))


def test_each_invoice_has_its_own_limit() -> None:
    story = won()
    for number in range(3):
        invoice(story, number, "100.00", START + number * 20 * DAY)
    lost(story, START + 61 * DAY)
    rule: dict[str, Any] = {
        "occurrence": "every_invoice",
        "value": {"percent": "10", "of": "invoice_net"},
    }
    evaluation = judged(story, **rule)
    assert {"invoice:I-0": 1_000, "invoice:I-1": 1_000} == amounts(evaluation)
    assert {
        "every_invoice": "milestone_left",
        "invoice:I-0": "clawback_limit",
        "invoice:I-1": "clawback_limit",
    } == codes(evaluation)


def test_invoices_stand_from_the_day_on_which_the_rule_s_milestone_came() -> None:
    story = invoice(won(), 1, "100.00", START + DAY)
    told(story, facts.MILESTONE_REACHED, {"milestone": "meeting_held"}, START + 5 * DAY)
    rule: dict[str, Any] = {
        "milestone": "meeting_held",
        "occurrence": "every_invoice",
        "value": {"percent": "10", "of": "invoice_net"},
    }
    for day, expected in ((44, {}), (45, {"invoice:I-1": 1_000})):
        rejected = Story(facts=list(story.facts)).reviewed("rejected", at=START + day * DAY)
        assert expected == amounts(judged(rejected, **rule)), day


def test_an_invoice_that_is_corrected_or_comes_between_too_late_takes_nothing() -> None:
    rule: dict[str, Any] = {
        "occurrence": "every_invoice",
        "value": {"percent": "10", "of": "invoice_net"},
        "limit": {"times": 1},
    }
    story = invoice(won(), 1, "100.00", START + 5 * DAY)
    lower = invoice(Story(facts=list(story.facts)), 1, "60.00", START + 50 * DAY)
    assert {"invoice:I-1": 1_000} == amounts(judged(lower, **rule))
    data = {"invoice_id": "I-0", "amount_net": "100.00", "currency": "USD"}
    told(story, facts.INVOICE_PAID, data, START + 50 * DAY, at=START + 2 * DAY)
    assert 1_000 == amounts(judged(story, **rule))["invoice:I-1"]


def test_an_invoice_that_another_one_pushed_out_in_time_is_not_kept() -> None:
    rule: dict[str, Any] = {
        "occurrence": "every_invoice",
        "value": {"percent": "10", "of": "invoice_net"},
        "limit": {"times": 1},
    }
    story = invoice(won(), 1, "100.00", START + 5 * DAY)
    data = {"invoice_id": "I-0", "amount_net": "90.00", "currency": "USD"}
    told(story, facts.INVOICE_PAID, data, START + 20 * DAY, at=START + 2 * DAY)
    assert {"invoice:I-0": 900} == amounts(judged(lost(story, START + 100 * DAY), **rule))


def test_what_was_taken_back_before_we_heard_of_it_never_counted() -> None:
    story = refund(won(), "400.00", START + 20 * DAY)
    told(story, facts.FACT_RETRACTED, {}, START + 15 * DAY)
    story.facts[-1] = replace(story.facts[-1], retracts=story.facts[-2].fact_id)
    assert {"once": 10_000} == amounts(judged(lost(story, START + 100 * DAY)))


def test_benefits_are_kept_too() -> None:
    benefit: dict[str, Any] = {
        "kind": "discount",
        "value": {"percent": "20"},
        "beneficiary": "lead",
    }
    assert {"once": 0} == amounts(judged(lost(won(), KEPT_FROM), **benefit))
    assert {} == amounts(judged(lost(won(), JUST_IN_TIME), **benefit))


def test_caps_of_the_rule_hold_for_what_is_kept() -> None:
    story = lost(won(), KEPT_FROM)
    assert {"once": 7_000} == amounts(judged(story, caps={"reward": "70.00"}))


def test_shares_still_move() -> None:
    """The limit is on the total; who shares in it is a decision of two persons."""
    story = refund(won(), "1000.00", KEPT_FROM)
    shares = [{"partner_id": "ptr_2", "role": "introducer", "basis_points": 10_000}]
    told(story, facts.SHARES_SET, {"shares": shares, "retroactive": True}, KEPT_FROM + DAY)
    (row,) = judged(story).entitlements
    assert ("ptr_2", 10_000) == (row.holder_id, row.amount_minor)


@pytest.mark.parametrize("told", ["invoices", "refunds of invoices", "refunds", "amounts"])
def test_looking_back_takes_steps_in_proportion_to_the_facts(
    told: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A referral may have a thousand; judging all for each would take as long as their square."""
    steps: Counter[str] = Counter()

    def counted(name: str, inner: Callable[..., Any]) -> Callable[..., Any]:
        def step(*args: Any, **named: Any) -> Any:  # noqa: ANN401 - as it is called
            steps[name] += 1
            return inner(*args, **named)

        return step

    monkeypatch.setattr(clawback, "worth", counted("worth", worth))
    monkeypatch.setattr(deal, "_told", counted("told", deal._told))
    monkeypatch.setattr(bases, "_exact", counted("exact", bases._exact))
    every: dict[str, Any] = {"occurrence": "every_invoice"}
    every["value"] = {"percent": "10", "of": "invoice_net"}
    found = []
    for number in (20, 40):
        story = won()
        for place in range(number):
            at = START + (50 + place) * DAY
            if told in {"invoices", "refunds of invoices"}:
                invoice(story, place, "100.00", at)
            if told == "refunds of invoices":
                refund(story, "1.00", at + timedelta(hours=1), of=f"invoice:I-{place}")
            if told == "refunds":
                refund(story, "1.00", at)
            if told == "amounts":
                story.amount(f"{place}.00", at=at)
        steps.clear()
        assert {} != amounts(judged(story, **(every if "invoices" in told else {})))
        found.append(dict(steps))
    for name, count in found[0].items():
        assert found[1][name] <= 2 * count + 2, name


@pytest.mark.parametrize(("day", "minor"), [(69, 14_000), (70, 19_000)])
def test_every_order_decides_the_same(day: int, minor: int) -> None:
    """2,000 less 100 are told on day 30, so they are kept from day 70 on."""
    story = won()
    known = len(story.facts)
    refund(story, "100.00", START + 20 * DAY)
    story.amount("2000.00", at=START + 30 * DAY)
    refund(story, "500.00", START + day * DAY)
    lost(story, START + 72 * DAY)
    story.stage("won", at=START + 73 * DAY)
    first, rest = story.facts[:known], story.facts[known:]
    ends = {
        tuple(amounts(judged(Story(facts=[*order, *first, *order]))).items())
        for order in permutations(rest)
    }
    assert {(("once", minor),)} == ends

"""Whatever the terms and the facts: a decision for every rule, the same in any order."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import TYPE_CHECKING

from hypothesis import given, settings
from hypothesis import strategies as st

from shared.domain import facts as kinds
from shared.domain.contributions import success_key
from shared.domain.evaluation import Evaluation, evaluate
from shared.domain.facts import Fact
from shared.domain.money import MAX_MINOR, format_amount
from shared.domain.partner_rules import evaluate_partner, is_wanted, occasions
from shared.domain.terms import FACE_VALUE_KINDS, PARTNER, Terms
from tests.builders.money import START
from tests.properties.definitions import RULE_IDS, any_terms
from tests.properties.told import stories

if TYPE_CHECKING:
    from shared.domain.entitlements import Parties

Told = tuple[list[Fact], "Parties"]
# Pins are asked for one after the other; far fewer than this in stories of this size.
MOST_PINS = 200


def pinned(terms: Terms, told: Told, position: int, rate: str) -> tuple[list[Fact], Evaluation]:
    """Give the evaluation everything it asks for, as the posting does, until it asks no more."""
    facts, parties = list(told[0]), told[1]
    used: dict[tuple[str, str, str], int] = {}
    for number in range(MOST_PINS):
        evaluation = evaluate(terms, facts, parties)
        fact = wanted(evaluation, used, position, rate)
        if fact is None:
            return facts, evaluation
        facts.append(replace(fact, fact_id=f"pin_{number:03d}"))
    raise AssertionError("the evaluation never stops asking")


def wanted(
    evaluation: Evaluation, used: dict[tuple[str, str, str], int], position: int, rate: str
) -> Fact | None:
    if evaluation.positions:
        key = min(evaluation.positions)
        return own(kinds.STANDING_PINNED, partner_id="ptr_1", key=key, position=position)
    for need in evaluation.rates:
        values = {"subject": need.subject, "currency": need.currency, "rate": rate}
        return own(kinds.RATE_PINNED, **values, on=need.on.isoformat())
    for wish in evaluation.allowances:
        account = (wish.cap_id, wish.period, wish.holder_id if wish.scope == PARTNER else "")
        before = wish.own_minor
        # What was pinned before we looked counts as taken.
        taken = used.get(account, before)
        allowed = wish.allowed(taken)
        used[account] = taken - before + allowed
        fact = own(
            kinds.ALLOWANCE_PINNED if wish.wanted_minor else kinds.FACT_RETRACTED,
            cap=wish.cap_id,
            scope=wish.scope,
            period=wish.period,
            rule_id=wish.rule_id,
            occurrence=wish.occurrence,
            holder_id=wish.holder_id,
            allowed_minor=allowed,
            cut=wish.answered(allowed).cut,
            number=wish.number,
        )
        return replace(fact, retracts=wish.replaces)
    return None


def own(kind: str, **data: object) -> Fact:
    return Fact(
        fact_id="", kind=kind, occurred_at=START, received_at=START, source="goodword", data=data
    )


POSITIONS = st.integers(0, 20)
RATES = st.sampled_from(["1", "1.1055", "0.0000001", "999999999"])


@given(any_terms(), stories())
@settings(max_examples=200)
def test_every_rule_has_a_reason(terms: Terms, told: Told) -> None:
    evaluation = evaluate(terms, *told)
    explained = {line.rule_id for line in evaluation.trace}
    assert {rule.rule_id for rule in terms.rules} == explained
    places = [(line.rule_id, line.occurrence) for line in evaluation.trace]
    assert len(places) == len(set(places))


@given(any_terms(), stories(), POSITIONS, RATES, st.randoms(use_true_random=False))
@settings(max_examples=200)
def test_any_order_and_any_repetition_decide_the_same(
    terms: Terms, told: Told, position: int, rate: str, chooser: object
) -> None:
    facts, expected = pinned(terms, told, position, rate)
    mixed = [*facts, *facts[::2]]
    chooser.shuffle(mixed)  # type: ignore[attr-defined]
    assert expected == evaluate(terms, mixed, told[1])


@given(any_terms(), stories(), POSITIONS, RATES)
@settings(max_examples=300)
def test_amounts_keep_to_their_limits_and_sum_to_what_the_trace_says(
    terms: Terms, told: Told, position: int, rate: str
) -> None:
    _, evaluation = pinned(terms, told, position, rate)
    figures = {(line.rule_id, line.occurrence): line.figures for line in evaluation.trace}
    for rule in terms.rules:
        rows = [row for row in evaluation.entitlements if row.rule_id == rule.rule_id]
        totals: dict[str, int] = {}
        for row in rows:
            assert 0 <= row.amount_minor <= MAX_MINOR
            totals[row.occurrence] = totals.get(row.occurrence, 0) + row.amount_minor
        for occurrence, total in totals.items():
            if rule.kind in FACE_VALUE_KINDS:
                told_amount = figures[rule.rule_id, occurrence]["amount"]
                assert format_amount(total, terms.currency) == told_amount
            assert rule.caps.reward_minor is None or total <= rule.caps.reward_minor
        most = rule.caps.referral_minor
        assert most is None or sum(totals.values()) <= most
        assert len(rows) == len({row.identity for row in rows})


@given(any_terms(), stories(), POSITIONS, RATES)
@settings(max_examples=200)
def test_nobody_gets_more_than_was_allowed_under_a_cap(
    terms: Terms, told: Told, position: int, rate: str
) -> None:
    facts, evaluation = pinned(terms, told, position, rate)
    gone = {fact.retracts for fact in facts}
    allowed = {
        (
            fact.data["cap"],
            fact.data["rule_id"],
            fact.data["occurrence"],
            fact.data["holder_id"],
        ): int(fact.data["allowed_minor"])
        for fact in sorted(facts, key=lambda fact: (fact.occurred_at, fact.fact_id))
        if fact.kind == kinds.ALLOWANCE_PINNED and fact.fact_id not in gone
    }
    for cap in terms.caps:
        for row in evaluation.entitlements:
            counts = cap.scope != PARTNER or row.role == PARTNER
            if counts and cap.covers(row.rule_id) and row.amount_minor:
                assert row.amount_minor <= allowed[(cap.cap_id, *row.identity)]


@given(any_terms(), stories())
@settings(max_examples=100)
def test_a_referral_counts_once_and_never_less_than_nothing(terms: Terms, told: Told) -> None:
    for key, amount in evaluate(terms, *told).contributions.items():
        assert amount >= 0
        assert amount <= 1 or key.startswith(("revenue:", "base:"))


PERIODS = st.sampled_from(["lifetime", "2026", "2026-Q1", "2025"])
SUMS = st.dictionaries(
    st.one_of(
        st.builds("success:{}".format, st.sampled_from(["won", "accepted", "submitted"])),
        st.builds("count:{}:{}".format, st.sampled_from(["won", "accepted"]), PERIODS),
        st.builds("revenue:{}:{}".format, st.sampled_from(["won", "accepted"]), PERIODS),
        st.builds("base:{}:{}".format, st.sampled_from(RULE_IDS), PERIODS),
        st.text(max_size=10),
    ),
    st.one_of(st.integers(-5, 300), st.sampled_from([10**9, MAX_MINOR + 1, 10**80, -(10**80)])),
    max_size=8,
).map(
    # As many rewards as that would be real, and are not the point here.
    lambda sums: {k: min(v, 300) if k.startswith("success:") else v for k, v in sums.items()}
)


@given(any_terms(), SUMS)
@settings(max_examples=200)
def test_any_sums_of_a_partner_are_decided(terms: Terms, sums: dict[str, int]) -> None:
    evaluation = evaluate_partner(terms, sums, "ptr_1", now=START)
    known = {rule.rule_id: rule for rule in terms.rules}
    for row in evaluation.entitlements:
        assert 0 <= row.amount_minor <= MAX_MINOR
        assert known[row.rule_id].beneficiary == row.role
        assert is_wanted(terms, sums, row.rule_id, row.occurrence)
    identities = [row.identity for row in evaluation.entitlements]
    assert len(identities) == len(set(identities))
    explained = {line.rule_id for line in evaluation.trace}
    assert {rule.rule_id for rule in terms.rules if rule.is_partner_level} <= explained
    counted = [r for r in terms.rules if r.occurrence == "every_nth"]
    for rule in counted:
        count = max(sums.get(success_key(rule.milestone), 0), 0)
        paid = sum(row.rule_id == rule.rule_id for row in evaluation.entitlements)
        assert int(Decimal(count) // rule.nth) == paid


@given(any_terms(), SUMS, SUMS)
@settings(max_examples=200)
def test_going_from_sums_to_sums_ends_where_beginning_with_them_does(
    terms: Terms, before: dict[str, int], after: dict[str, int]
) -> None:
    seen: dict[str, tuple[int, ...]] = {}
    held: dict[tuple[str, str], int] = {}
    moved = []
    for sums in (before, after, after):
        moved = list(occasions(terms, sums, seen))
        for each in moved:
            seen[each.key] = each.seen
            held[each.rule.rule_id, each.occurrence] = each.amount_minor if each.is_wanted else -1
    assert [] == moved
    expected = evaluate_partner(terms, after, "ptr_1", now=START).entitlements
    assert {each.identity[:2]: each.amount_minor for each in expected} == {
        place: amount for place, amount in held.items() if amount >= 0
    }

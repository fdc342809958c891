"""Bonuses by count and true-ups: which occasions lie between two states of a partner's sums."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest

from shared.domain.money import MAX_MINOR
from shared.domain.partner_rules import (
    Occasion,
    concerns_partner,
    counts_at,
    evaluate_partner,
    explains,
    has_partner_rules,
    is_wanted,
    occasions,
    sums_behind,
)
from shared.domain.terms_reader import parse_terms
from shared.domain.verdicts import TraceLine
from tests.builders.money import DAY, START

if TYPE_CHECKING:
    from collections.abc import Mapping

    from shared.domain.terms import Terms

WON: dict[str, Any] = {"beneficiary": "partner", "milestone": "won", "kind": "cash"}
PLAIN = {**WON, "id": "sale", "value": {"fixed": "100.00"}}
PAIRS = {**WON, "id": "pairs", "occurrence": "every_nth", "nth": 2, "value": {"fixed": "70.00"}}
STARS = {**PAIRS, "id": "stars", "occurrence": "at_counts", "counts": [1, 3]}
del STARS["nth"]
TIER: dict[str, Any] = {
    "by": "revenue",
    "mode": "retroactive",
    "period": "quarter",
    "milestone": "won",
    "steps": [{"from": "100.00", "percent": "20"}],
}
GROWTH = {
    **WON,
    "id": "growth",
    "value": {"percent": "10", "of": "deal_amount"},
    "tiers": TIER,
    "hold_days": 7,
}
HEADS = {
    **WON,
    "id": "heads",
    "value": {"fixed": "50.00"},
    "tiers": {**TIER, "by": "count", "steps": [{"from": 3, "fixed": "70.00"}]},
}
BASE, REVENUE = "base:growth:2026-Q1", "revenue:won:2026-Q1"
HEADS_BASE, COUNT = "base:heads:2026-Q1", "count:won:2026-Q1"


def terms(*rules: dict[str, Any], **top: Any) -> Terms:  # noqa: ANN401 - any field
    return parse_terms({"name": "t", "rules": list(rules), **top}, currency="USD")


def found(
    rule: dict[str, Any],
    sums: Mapping[str, int],
    seen: Mapping[str, tuple[int, ...]] | None = None,
) -> list[Occasion]:
    return list(occasions(terms(rule), sums, seen or {}))


def moves(
    rule: dict[str, Any], before: int, count: int
) -> list[tuple[str, int, bool, tuple[int, ...]]]:
    seen = {rule["id"]: (before,)}
    return [
        (each.occurrence, each.amount_minor, each.is_wanted, each.seen)
        for each in found(rule, {"success:won": count}, seen)
    ]


# -- whom it concerns -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("rule", "concerns"),
    [
        (PLAIN, False),
        (PAIRS, True),
        (STARS, True),
        (GROWTH, True),
        ({**GROWTH, "tiers": {**TIER, "mode": "prospective"}}, False),
    ],
)
def test_terms_tell_whether_anything_is_decided_for_the_partner(
    rule: dict[str, Any], *, concerns: bool
) -> None:
    assert concerns == has_partner_rules(terms({**PLAIN, "id": "other"}, rule))


def test_sums_tell_whether_anything_is_decided_for_the_partner() -> None:
    assert concerns_partner(["count:won:2026", "success:won"])
    assert concerns_partner([BASE])
    assert not concerns_partner(["count:won:2026", "revenue:won:lifetime"])
    assert not concerns_partner([])


# -- bonuses by count -----------------------------------------------------------------------------


def test_bonuses_rise_one_after_the_other_and_each_step_is_a_state_to_stop_at() -> None:
    assert [("count:2", 7_000, True, (2,)), ("count:4", 7_000, True, (5,))] == moves(PAIRS, 0, 5)
    assert [("count:1", 7_000, True, (1,)), ("count:3", 7_000, True, (4,))] == moves(STARS, 0, 4)
    assert [("count:4", 7_000, True, (4,))] == moves(PAIRS, 3, 4)


def test_bonuses_fall_from_the_newest_and_each_step_is_a_state_to_stop_at() -> None:
    assert [("count:4", 7_000, False, (3,)), ("count:2", 7_000, False, (1,))] == moves(PAIRS, 5, 1)
    assert [("count:3", 7_000, False, (2,)), ("count:1", 7_000, False, (0,))] == moves(STARS, 3, 0)


def test_a_count_that_stays_is_no_occasion_and_one_without_a_bonus_is_told() -> None:
    assert [] == moves(PAIRS, 3, 3)
    assert [("", 0, False, (3,))] == moves(PAIRS, 2, 3)
    (first,) = found(PAIRS, {})
    assert ("", (0,), "pairs") == (first.occurrence, first.seen, first.key)


def test_a_count_below_zero_earns_and_takes_nothing() -> None:
    assert [("", 0, False, (-3,))] == moves(PAIRS, 0, -3)
    assert [("", 0, False, (0,))] == moves(PAIRS, -3, 0)


def test_each_move_of_a_count_explains_itself_and_the_last_all_of_the_rule() -> None:
    rise = found(PAIRS, {"success:won": 5})
    assert ["granted", "granted"] == [each.line.code for each in rise if each.line]
    assert [None, ("every_nth", "granted", "granted")] == [
        (each.summary.occurrence, each.summary.outcome, each.summary.code) if each.summary else None
        for each in rise
    ]
    fall = found(PAIRS, {"success:won": 1}, {"pairs": (5,)})
    assert [("not_yet", "count_not_reached")] * 2 == [
        (each.line.outcome, each.line.code) for each in fall if each.line
    ]
    assert [None, ("not_yet", "count_not_reached", {"count": "1"})] == [
        (each.summary.outcome, each.summary.code, each.summary.figures) if each.summary else None
        for each in fall
    ]


def test_many_counts_are_told_as_one() -> None:
    told = evaluate_partner(terms(PAIRS), {"success:won": 5}, "ptr_1", now=START).trace
    assert [("every_nth", "granted", {"count": "5"})] == [
        (line.occurrence, line.code, line.figures) for line in told
    ]


def test_a_true_up_is_told_whether_it_pays_or_not() -> None:
    sums = {BASE: 50_000, REVENUE: 10_000, "base:growth:2026-Q2": 7_000}
    told = evaluate_partner(terms(GROWTH), sums, "ptr_1", now=START).trace
    assert [("true_up:2026-Q1", "granted"), ("true_up:2026-Q2", "tier_not_reached")] == [
        (line.occurrence, line.code) for line in told
    ]


def test_a_bonus_is_the_partners_from_now_on() -> None:
    rule = {**PAIRS, "hold_days": 7}
    (given,) = evaluate_partner(terms(rule), {"success:won": 2}, "ptr_1", now=START).entitlements
    assert ("pairs", "count:2", "partner", "ptr_1", "cash", "USD", 7_000) == (
        given.rule_id,
        given.occurrence,
        given.role,
        given.holder_id,
        given.kind,
        given.currency,
        given.amount_minor,
    )
    assert (START, START + 7 * DAY, START + 7 * DAY, True) == (
        given.effective_at,
        given.release_at,
        given.raise_release_at,
        given.keeps_dates,
    )
    assert ({}, 0) == (given.benefit, given.worth_minor)


@pytest.mark.parametrize(
    ("kind", "value", "benefit", "worth"),
    [
        (
            "free_period",
            {"quantity": 2, "unit": "month", "worth": "60.00"},
            {"quantity": "2", "unit": "month"},
            12_000,
        ),
        ("discount", {"percent": "15", "worth": "9.00"}, {"percent": "15"}, 900),
    ],
)
def test_a_benefit_by_count_says_what_it_is(
    kind: str, value: dict[str, Any], benefit: dict[str, str], worth: int
) -> None:
    rule = {**PAIRS, "kind": kind, "value": value}
    (given,) = evaluate_partner(terms(rule), {"success:won": 2}, "ptr_1", now=START).entitlements
    assert (benefit, worth, 0) == (given.benefit, given.worth_minor, given.amount_minor)


# -- true-ups -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("rule", "base", "position", "expected"),
    [
        (GROWTH, 50_000, 10_000, 5_000),
        (GROWTH, 50_000, 9_999, 0),
        (GROWTH, 5, 10_000, 1),
        (GROWTH, 4, 10_000, 0),
        (GROWTH, -50_000, 10_000, 0),
        (GROWTH, MAX_MINOR, 10_000, MAX_MINOR // 10),
        (GROWTH, MAX_MINOR + 1, 10_000, 0),
        (HEADS, 4, 3, 8_000),
        (HEADS, 1, 3, 2_000),
        (HEADS, 4, 2, 0),
        (HEADS, -4, 3, 0),
        (HEADS, MAX_MINOR // 2_000, 3, MAX_MINOR),
        (HEADS, MAX_MINOR // 2_000 + 1, 3, 0),
    ],
)
def test_a_true_up_is_what_the_reached_step_adds_to_all_of_the_period(
    rule: dict[str, Any], base: int, position: int, expected: int
) -> None:
    keys = (BASE, REVENUE) if rule is GROWTH else (HEADS_BASE, COUNT)
    sums = dict(zip(keys, (base, position), strict=True))
    partner = evaluate_partner(terms(rule), sums, "ptr_1", now=START)
    assert ([expected] if expected else []) == [row.amount_minor for row in partner.entitlements]
    assert bool(expected) == ("granted" == partner.trace[0].code)
    assert bool(expected) == is_wanted(terms(rule), sums, rule["id"], "true_up:2026-Q1")


@pytest.mark.parametrize(
    ("own", "step", "base"),
    [
        ({"percent": "10", "of": "deal_amount"}, {"percent": "100"}, 0),
        ({"percent": "100", "of": "deal_amount"}, {"percent": "10"}, -1),
        ({"fixed": "50.00"}, {"fixed": "20.00"}, -1),
        ({"fixed": "50.00"}, {"fixed": "20.00"}, 4),
    ],
)
def test_a_true_up_never_pays_for_a_base_below_zero_or_a_lower_step(
    own: dict[str, str], step: dict[str, str], base: int
) -> None:
    rule = {**GROWTH, "value": own, "tiers": {**TIER, "steps": [{"from": "1.00", **step}]}}
    sums = {BASE: base, REVENUE: 10_000}
    assert () == evaluate_partner(terms(rule), sums, "ptr_1", now=START).entitlements


def test_each_period_is_trued_up_by_its_own_position() -> None:
    sums = {BASE: 50_000, REVENUE: 10_000, "base:growth:2026-Q2": 7_000, "base:other:2026-Q1": 9}
    first, second = found(GROWTH, sums)
    assert ("true_up:2026-Q1", "growth:2026-Q1", (50_000, 10_000), True) == (
        first.occurrence,
        first.key,
        first.seen,
        first.is_wanted,
    )
    assert ("", "growth:2026-Q2", (7_000, 0), False) == (
        second.occurrence,
        second.key,
        second.seen,
        second.is_wanted,
    )


def test_a_true_up_tells_its_position_as_what_it_is() -> None:
    (money,) = found(GROWTH, {BASE: 50_000, REVENUE: 12_345})
    (heads,) = found(HEADS, {HEADS_BASE: 4, COUNT: 3})
    assert [{"position": "123.45"}, {"position": "3"}] == [
        each.line.figures for each in (money, heads) if each.line
    ]


@pytest.mark.parametrize(
    ("sums", "before", "occurrence", "told"),
    [
        ({BASE: 50_000, REVENUE: 1}, None, "", ("not_yet", "tier_not_reached")),
        ({BASE: 50_000, REVENUE: 1}, (50_000, 0), "", ("not_yet", "tier_not_reached")),
        (
            {BASE: 50_000, REVENUE: 1},
            (50_000, 10_000),
            "true_up:2026-Q1",
            ("not_yet", "tier_not_reached"),
        ),
        ({}, (50_000, 10_000), "true_up:2026-Q1", ("not_yet", "tier_not_reached")),
        ({BASE: 50_000, REVENUE: 10_000}, None, "true_up:2026-Q1", ("granted", "granted")),
        ({BASE: MAX_MINOR + 1, REVENUE: 10_000}, None, "", ("denied", "amount_too_large")),
    ],
)
def test_a_true_up_without_a_posting_is_only_told(
    sums: dict[str, int],
    before: tuple[int, int] | None,
    occurrence: str,
    told: tuple[str, str],
) -> None:
    (each,) = found(GROWTH, sums, {"growth:2026-Q1": before} if before else None)
    line = each.line or each.summary
    assert line is not None
    assert (occurrence, "true_up:2026-Q1", told) == (
        each.occurrence,
        line.occurrence,
        (line.outcome, line.code),
    )
    assert (each.line is None, each.summary is None) == (not occurrence, bool(occurrence))


def test_a_period_that_lost_its_sums_is_settled_at_nothing() -> None:
    (each,) = found(GROWTH, {}, {"growth:2026-Q1": (50_000, 10_000)})
    assert ("true_up:2026-Q1", (0, 0), 0) == (each.occurrence, each.seen, each.amount_minor)


def test_a_true_up_whose_figures_stay_is_no_occasion() -> None:
    sums = {BASE: 50_000, REVENUE: 10_000}
    assert [] == found(GROWTH, sums, {"growth:2026-Q1": (50_000, 10_000)})


# -- one occurrence -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("rule_id", "occurrence", "wanted"),
    [
        ("pairs", "count:2", True),
        ("pairs", "count:4", True),
        ("pairs", "count:6", False),
        ("pairs", "count:3", False),
        ("pairs", "count:0", False),
        ("pairs", "count:", False),
        ("pairs", "count:-2", False),
        ("pairs", "2", False),
        ("stars", "count:1", True),
        ("stars", "count:2", False),
        ("stars", "count:3", True),
        ("sale", "count:2", False),
        ("growth", "true_up:2026-Q1", True),
        ("growth", "true_up:2026-Q2", False),
        ("growth", "2026-Q1", False),
        ("growth", "count:2", False),
        ("gone", "count:2", False),
    ],
)
def test_an_occurrence_is_wanted_as_long_as_the_sums_reach_it(
    rule_id: str, occurrence: str, *, wanted: bool
) -> None:
    sums = {"success:won": 5, BASE: 50_000, REVENUE: 10_000}
    rules = terms(PAIRS, STARS, PLAIN, GROWTH)
    assert wanted == is_wanted(rules, sums, rule_id, occurrence)
    assert not is_wanted(rules, {}, rule_id, occurrence)


@pytest.mark.parametrize(
    ("rule_id", "occurrence", "still"),
    [
        ("pairs", "every_nth", True),
        ("pairs", "count:2", True),
        ("pairs", "count:6", False),
        ("pairs", "at_counts", False),
        ("growth", "true_up:2025-Q4", True),
        ("growth", "count:2", False),
        ("sale", "once", False),
        ("gone", "every_nth", False),
    ],
)
def test_a_stored_line_stays_as_long_as_the_terms_have_what_it_tells_of(
    rule_id: str, occurrence: str, *, still: bool
) -> None:
    line = TraceLine(rule_id=rule_id, occurrence=occurrence, outcome="granted", code="granted")
    assert still == explains(terms(PAIRS, PLAIN, GROWTH), {"success:won": 5}, line)


def test_an_occurrence_names_the_sums_behind_it() -> None:
    growth, pairs = terms(GROWTH, PAIRS).rules
    assert (BASE, REVENUE) == sums_behind(growth, "true_up:2026-Q1")
    assert ("success:won",) == sums_behind(pairs, "count:2")
    # Other terms may give the name of a rule to another.
    assert ("success:won",) == sums_behind(growth, "count:2")
    assert ("success:won",) == sums_behind(pairs, "true_up:2026-Q1")


@pytest.mark.parametrize(
    ("occurrence", "now", "expected"),
    [
        ("true_up:2026-Q1", START, START),
        ("true_up:2026-Q1", START + 300 * DAY, datetime(2026, 3, 31, 23, 59, 59, 999_999, UTC)),
        ("true_up:lifetime", START + 300 * DAY, START + 300 * DAY),
        ("count:2", START + 300 * DAY, START + 300 * DAY),
    ],
)
def test_a_true_up_counts_within_its_own_period(
    occurrence: str, now: datetime, expected: datetime
) -> None:
    assert expected == counts_at(terms(GROWTH), occurrence, now)

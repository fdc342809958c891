"""Caps and budgets over what a partner earns beside single referrals."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest

from shared.adapters.dynamodb import keys
from shared.adapters.dynamodb.client import get
from shared.adapters.dynamodb.transactions import put, transact, update
from shared.domain import books
from shared.domain.money import MAX_MINOR
from shared.domain.terms import MAX_CAPS
from shared.usecases.settle_partner import MOST
from tests.builders.ledger import CORE, PROGRAM, Stored
from tests.builders.money import DAY, START, Story

if TYPE_CHECKING:
    from shared.domain.rewards import Reward
    from shared.domain.verdicts import TraceLine

WON: dict[str, Any] = {"beneficiary": "partner", "milestone": "won", "kind": "cash"}
EACH = {**WON, "id": "each", "occurrence": "every_nth", "nth": 1, "value": {"fixed": "70.00"}}
SALE = {**WON, "id": "sale", "value": {"fixed": "100.00"}}
GROWTH = {**WON, "id": "growth", "value": {"percent": "10", "of": "deal_amount"}}
GROWTH["tiers"] = {
    "by": "revenue",
    "mode": "retroactive",
    "period": "quarter",
    "milestone": "won",
    "steps": [{"from": "1.00", "percent": "20"}],
}
MONTH = {**EACH, "kind": "free_period", "value": {"quantity": 1, "unit": "month", "worth": "60.00"}}
CAP = {"id": "life", "scope": "partner", "per": "lifetime", "limit": "150.00"}
BUDGET = {"id": "budget", "scope": "program", "per": "lifetime", "limit": "150.00"}
LIFE = keys.partner_cap("ptr_1", "prg_1", "life", "lifetime")
ALL = keys.program_cap("prg_1", "budget", "lifetime")


def store(rules: list[dict[str, Any]], *caps: dict[str, Any]) -> Stored:
    stored = Stored({"name": "t", "rules": rules, "caps": list(caps)})
    stored.enrol()
    return stored


def accept(stored: Stored, version: int, rules: list[dict[str, Any]], *caps: Any) -> None:  # noqa: ANN401 - a row
    """Publish other terms, and let the partner accept them."""
    row = {"definition": json.dumps({"name": "t", "rules": rules, "caps": list(caps)})}
    enrolment = put(CORE, keys.enrolment("ptr_1", "prg_1"), {"terms_version": version})
    transact(stored.client, [put(CORE, keys.terms("prg_1", version), row), enrolment])


def count(stored: Stored, **sums: int) -> None:
    """Let the partner's referrals add up to this."""
    standing = stored.ledger.standing("ptr_1", "prg_1")
    named = {key.replace("__", ":").replace("_Q", "-Q"): value for key, value in sums.items()}
    row = {"sums": {**standing.sums, **named}, "version": standing.version + 1}
    transact(stored.client, [update(CORE, keys.standing("ptr_1", "prg_1"), assign=row)])


def succeed(stored: Stored, number: int, now: datetime = START) -> dict[str, int]:
    """Let so many successes count, settle, and return what is held for each."""
    count(stored, success__won=number)
    while stored.settle_partner(now=now).more:
        pass
    return held(stored)


def held(stored: Stored) -> dict[str, int]:
    return {key: reward.net_minor for key, reward in stored.partner_rewards().items()}


def taken(stored: Stored, key: keys.Key) -> int:
    row = get(stored.client, CORE, key)
    return int(row["used"]) if row else 0


def lines(stored: Stored) -> dict[str, tuple[str, str]]:
    return {line.occurrence: (line.outcome, line.code) for line in trace(stored)}


def trace(stored: Stored) -> tuple[TraceLine, ...]:
    file = stored.ledger.load_partner("ptr_1", "prg_1")
    assert file is not None
    return file.trace


def sell(stored: Stored, number: int) -> Story:
    story = Story(referral_id=f"ref_{number}", deal_id=f"D-{number}")
    story.submitted().reviewed("accepted").amount("1000.00").stage("won")
    stored.submit(story)
    stored.settle(story)
    return story


def lose(stored: Stored, story: Story) -> None:
    story.stage("lost")
    stored.tell(story)
    stored.settle(story)


# -- semantics ------------------------------------------------------------------------------------


def test_bonuses_by_count_are_cut_where_the_partners_limit_is_reached() -> None:
    stored = store([EACH], CAP)
    expected = {"count:1": 7_000, "count:2": 7_000, "count:3": 1_000, "count:4": 0}
    assert expected == succeed(stored, 4)
    assert 15_000 == taken(stored, LIFE)
    cut = {"count:3": ("capped", "capped_partner"), "count:4": ("capped", "capped_partner")}
    assert {"every_nth": ("granted", "granted"), **cut} == lines(stored)
    told = {line.occurrence: dict(line.figures) for line in trace(stored)}
    assert {"count": "4", "amount": "10.00", "currency": "USD"} == told["count:3"]
    assert "rejected" == stored.partner_rewards()["count:4"].state


def test_room_that_a_bonus_gives_back_serves_the_next_and_a_regain_asks_anew() -> None:
    stored = store([EACH], CAP)
    succeed(stored, 4)
    assert {"count:1": 7_000, "count:2": 7_000, "count:3": 0, "count:4": 0} == succeed(stored, 2)
    assert 14_000 == taken(stored, LIFE)
    assert {"every_nth": ("granted", "granted")} == lines(stored)
    assert 1_000 == succeed(stored, 3)["count:3"]
    assert {"count:1": 0, "count:2": 0, "count:3": 0, "count:4": 0} == succeed(stored, 0)
    assert 0 == taken(stored, LIFE)


def test_what_was_cut_is_never_topped_up_from_room_that_a_referral_frees() -> None:
    stored = store([SALE, EACH], CAP)
    story = sell(stored, 1)
    stored.settle_partner()
    assert ({"count:1": 5_000}, 15_000) == (held(stored), taken(stored, LIFE))
    other = sell(stored, 2)
    assert {} == stored.rewards(other)
    lose(stored, story)
    assert 5_000 == taken(stored, LIFE)
    stored.settle_partner()
    # One success is left, and its bonus stays as it was cut.
    assert ({"count:1": 5_000}, 5_000) == (held(stored), taken(stored, LIFE))
    sell(stored, 3)
    stored.settle_partner()
    assert 15_000 == taken(stored, LIFE)


def test_a_limit_that_denies_leaves_what_does_not_fit_whole_and_decides_it_once() -> None:
    stored = store([EACH], {**BUDGET, "policy": "deny"})
    assert {"count:1": 7_000, "count:2": 7_000, "count:3": 0} == succeed(stored, 3)
    assert 14_000 == taken(stored, ALL)
    assert ("denied", "capped_budget") == lines(stored)["count:3"]
    assert {"cash"} == {reward.kind for reward in stored.partner_rewards().values()}
    assert () == stored.partner_rewards()["count:3"].lots


def test_a_benefit_counts_with_its_declared_worth_and_fits_whole_or_not_at_all() -> None:
    stored = store([MONTH], CAP)
    succeed(stored, 3)
    states = [stored.partner_rewards()[f"count:{n}"].state for n in (1, 2, 3)]
    assert ["issued", "issued", "rejected"] == states
    assert 12_000 == taken(stored, LIFE)
    assert ("denied", "capped_partner") == lines(stored)["count:3"]
    succeed(stored, 1)
    assert 6_000 == taken(stored, LIFE)
    succeed(stored, 2)
    assert "issued" == stored.partner_rewards()["count:2"].state


def test_benefits_of_referrals_take_no_room_that_they_do_not_use() -> None:
    discount = {**WON, "id": "gift", "beneficiary": "lead", "kind": "discount"}
    discount |= {"value": {"percent": "20", "worth": "100.00"}}
    stored = store([discount], BUDGET)
    sell(stored, 1)
    other = sell(stored, 2)
    assert (10_000, {}) == (taken(stored, ALL), stored.rewards(other))


def test_a_true_up_follows_its_amount_until_it_is_cut_and_then_only_shrinks() -> None:
    stored = store([GROWTH], CAP)
    figures = [(40_000, 4_000), (100_000, 10_000), (160_000, 15_000), (120_000, 12_000)]
    for base, expected in (*figures, (150_000, 12_000), (0, 0), (50_000, 5_000)):
        count(stored, base__growth__2026_Q1=base, revenue__won__2026_Q1=base)
        stored.settle_partner()
        assert {"true_up:2026-Q1": expected} == held(stored)
        assert expected == taken(stored, LIFE)
    assert {"true_up:2026-Q1": ("granted", "granted")} == lines(stored)


def test_a_true_up_that_is_cut_says_so_also_after_its_position_moved() -> None:
    stored = store([GROWTH], CAP)
    for revenue in (200_000, 300_000):
        count(stored, base__growth__2026_Q1=200_000, revenue__won__2026_Q1=revenue)
        stored.settle_partner()
        assert {"true_up:2026-Q1": ("capped", "capped_partner")} == lines(stored)


def test_partners_limits_come_before_budgets() -> None:
    stored = store([EACH], {**CAP, "limit": "50.00"}, {**BUDGET, "limit": "20.00"})
    assert {"count:1": 2_000} == succeed(stored, 1)
    assert (5_000, 2_000) == (taken(stored, LIFE), taken(stored, ALL))
    assert ("capped", "capped_budget") == lines(stored)["count:1"]


def test_limits_of_other_rules_do_not_concern_a_bonus() -> None:
    stored = store([EACH, SALE], {**CAP, "rules": ["sale"]})
    assert {f"count:{n}": 7_000 for n in (1, 2, 3)} == succeed(stored, 3)
    assert 0 == taken(stored, LIFE)


# -- periods --------------------------------------------------------------------------------------


def test_a_bonus_counts_in_the_period_of_its_first_grant_in_the_programmes_time() -> None:
    stored = store([EACH], {**CAP, "per": "month"})
    row = {**PROGRAM, "time_zone": "Pacific/Auckland"}
    transact(stored.client, [put(CORE, keys.program("prg_1"), row)])
    at = datetime(2026, 1, 31, 12, tzinfo=UTC)
    succeed(stored, 1, now=at)
    february = keys.partner_cap("ptr_1", "prg_1", "life", "2026-02")
    assert 7_000 == taken(stored, february)
    # What is pinned keeps its period; a regain is granted, and counts, anew.
    succeed(stored, 2, now=at + 40 * DAY)
    assert 7_000 == taken(stored, february)
    succeed(stored, 0, now=at + 40 * DAY)
    succeed(stored, 1, now=at + 80 * DAY)
    april = keys.partner_cap("ptr_1", "prg_1", "life", "2026-04")
    assert (0, 7_000) == (taken(stored, february), taken(stored, april))


@pytest.mark.parametrize(
    ("now", "month"),
    [
        (datetime(2026, 2, 10, tzinfo=UTC), "2026-02"),
        (datetime(2026, 3, 31, 23, 59, tzinfo=UTC), "2026-03"),
        (datetime(2026, 7, 1, tzinfo=UTC), "2026-03"),
    ],
)
def test_a_true_up_never_counts_after_its_own_period(now: datetime, month: str) -> None:
    stored = store([GROWTH], {**CAP, "per": "month"})
    count(stored, base__growth__2026_Q1=50_000, revenue__won__2026_Q1=50_000)
    stored.settle_partner(now=now)
    assert 5_000 == taken(stored, keys.partner_cap("ptr_1", "prg_1", "life", month))


# -- bounds ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("base", "expected", "code"),
    [
        (MAX_MINOR, MAX_MINOR // 10, "granted"),
        (MAX_MINOR + 1, 0, "amount_too_large"),
        (10**80, 0, "amount_too_large"),
    ],
)
def test_a_true_up_over_the_bound_is_refused_and_says_so(
    base: int, expected: int, code: str
) -> None:
    stored = store([GROWTH])
    count(stored, base__growth__2026_Q1=100, revenue__won__2026_Q1=100)
    stored.settle_partner()
    assert {"true_up:2026-Q1": 10} == held(stored)
    # A store's number has 38 digits; sums are worked out before they are stored.
    count(stored, base__growth__2026_Q1=min(base, 10**37))
    stored.settle_partner()
    assert {"true_up:2026-Q1": expected} == held(stored)
    assert code == lines(stored)["true_up:2026-Q1"][1]


# -- other terms ----------------------------------------------------------------------------------


def test_other_terms_give_room_back_and_ask_under_their_own_limits() -> None:
    stored = store([EACH], CAP)
    succeed(stored, 3)
    accept(stored, 2, [EACH], {**BUDGET, "limit": "75.00"})
    stored.settle_partner()
    assert {"count:1": 7_000, "count:2": 500, "count:3": 0} == held(stored)
    assert (0, 7_500) == (taken(stored, LIFE), taken(stored, ALL))
    accept(stored, 3, [EACH])
    stored.settle_partner()
    assert {f"count:{n}": 7_000 for n in (1, 2, 3)} == held(stored)
    assert (0, {"every_nth": ("granted", "granted")}) == (taken(stored, ALL), lines(stored))


def test_a_limit_keeps_its_usage_over_versions_and_what_was_cut_stays_cut() -> None:
    stored = store([EACH], CAP)
    succeed(stored, 3)
    accept(stored, 2, [EACH], {**CAP, "limit": "500.00"})
    stored.settle_partner()
    assert {"count:1": 7_000, "count:2": 7_000, "count:3": 1_000} == held(stored)
    assert 7_000 == succeed(stored, 4)["count:4"]
    assert 22_000 == taken(stored, LIFE)


def test_all_limits_of_a_version_make_way_for_all_of_the_next_in_one_transaction() -> None:
    def limits(name: str) -> list[dict[str, Any]]:
        scopes = ["partner", "program"] * (MAX_CAPS // 2)
        return [{**CAP, "id": f"{name}{n}", "scope": scope} for n, scope in enumerate(scopes)]

    stored = store([MONTH], *limits("a"))
    succeed(stored, 1)
    accept(stored, 2, [MONTH], *limits("b"))
    stored.settle_partner()
    used = {row["sk"]: row["used"] for row in stored.client.dump()[CORE] if "used" in row}
    assert 2 * MAX_CAPS == len(used)
    assert {0} == {used[name] for name in used if "#a" in name}
    assert {6_000} == {used[name] for name in used if "#b" in name}


def test_what_other_terms_do_not_give_is_taken_back_with_its_lines() -> None:
    star = {**EACH, "id": "star", "occurrence": "at_counts", "counts": [1, 2]}
    del star["nth"]
    stored = store([EACH, star], CAP)
    succeed(stored, 4)
    accept(stored, 2, [{**EACH, "nth": 3}], CAP)
    stored.settle_partner()
    file = stored.ledger.load_partner("ptr_1", "prg_1")
    assert file is not None
    kept = {reward.identity[:2]: reward.net_minor for reward in file.rewards if reward.net_minor}
    assert {("each", "count:3"): 1_000} == kept
    assert {"each"} == {line.rule_id for line in file.trace}
    assert 1_000 == taken(stored, LIFE)


# -- a run is bounded -----------------------------------------------------------------------------


def announced(stored: Stored) -> int:
    return sum(
        row["pk"].startswith("OUT#") and row["name"] == "FactsChanged"
        for row in stored.client.dump()[CORE]
    )


def settle_once(stored: Stored) -> tuple[int, bool]:
    before = announced(stored)
    posted = stored.settle_partner()
    assert posted.more == (announced(stored) - before == 1)
    return posted.effects, posted.more


def test_a_jump_is_settled_in_bounded_runs_each_of_which_announces_the_rest() -> None:
    stored = store([EACH])
    count(stored, success__won=2 * MOST + 5)
    runs = [settle_once(stored) for _ in range(6)]
    # The first time all rows are looked through: earlier terms might have left some.
    looking = [(5, True), (0, True), (0, False)]
    assert [(MOST, True), (MOST, True), *looking, (0, False)] == runs
    count(stored, success__won=0)
    assert [(MOST, True), (MOST, True), (5, False)] == [settle_once(stored) for _ in range(3)]
    assert {0} == set(held(stored).values())


def test_old_rows_are_looked_through_in_bounded_runs_too() -> None:
    stored = store([EACH])
    succeed(stored, MOST + 5)
    accept(stored, 2, [SALE])
    runs = [settle_once(stored) for _ in range(3)]
    assert [(MOST, True), (5, False), (0, False)] == runs
    assert {0} == set(held(stored).values())
    assert () == trace(stored)


def test_a_count_that_falls_while_a_jump_is_settled_leaves_nothing_behind() -> None:
    stored = store([EACH])
    count(stored, success__won=3 * MOST)
    stored.settle_partner()
    count(stored, success__won=2)
    stored.settle_partner()
    kept: dict[str, Reward] = stored.partner_rewards()
    assert {"count:1", "count:2"} == {key for key, row in kept.items() if row.net_minor}
    balances = stored.ledger.book("ptr_1", "prg_1").balances
    assert 14_000 == sum(n for name, n in balances.items() if name.startswith(books.PENDING))

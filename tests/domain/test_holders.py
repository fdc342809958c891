"""Bounds after a forfeiture, and what is held while a partner is suspended."""

from __future__ import annotations

from dataclasses import replace
from itertools import permutations
from typing import Any

import pytest

from shared.domain import facts
from shared.domain.evaluation import evaluate
from shared.domain.facts import in_order
from shared.domain.holders import Bound, as_held, bounds_of, forfeiture
from shared.domain.rewards import Lot, Reward
from shared.domain.simulation import with_terms
from tests.builders.money import DAY, START, Story, parties, worked_terms

COMMISSION = ("won_commission", "once", "ptr_1")


def reward(**changes: Any) -> Reward:  # noqa: ANN401 - any field of a reward
    fields: dict[str, Any] = {
        "reward_id": "rwd_1",
        "subject_id": "ref_1",
        "program_id": "prg_1",
        "rule_id": "won_commission",
        "occurrence": "once",
        "role": "partner",
        "holder_id": "ptr_1",
        "kind": "cash",
        "currency": "USD",
        "terms_version": 1,
        "effective_at": START,
        "sequence": 1,
        "lots": (Lot(sequence=1, amount_minor=700, release_at=START),),
    }
    return Reward(**{**fields, **changes})


def forfeited(kept: int, *, sequence: int = 1) -> facts.Fact:
    held = reward(sequence=sequence, payable_minor=kept)
    return forfeiture(held, now=START + sequence * DAY)


def test_only_what_is_pending_is_lost() -> None:
    held = reward(payable_minor=-200, paid_minor=1_500, clearing_minor=30)

    assert 1_330 == forfeiture(held, now=START).data["kept_minor"]


def test_the_same_reward_as_posted_states_the_same_fact() -> None:
    first, again = (forfeiture(reward(), now=START + day * DAY) for day in (0, 1))

    assert first.fact_id == again.fact_id
    assert first.fact_id != forfeiture(reward(sequence=2), now=START).fact_id
    assert first.fact_id != forfeiture(reward(reward_id="rwd_2"), now=START).fact_id


def test_the_lowest_bound_holds_in_any_order() -> None:
    told = [forfeited(500, sequence=1), forfeited(100, sequence=2), forfeited(300, sequence=3)]

    for mixed in permutations([*told, told[0]]):
        bounds = bounds_of(in_order(mixed))
        assert {COMMISSION: Bound(kept_minor=100, fact_id=told[1].fact_id)} == bounds


@pytest.mark.parametrize(
    ("kept", "left", "outcome", "code"),
    [
        (0, 0, "reversed", "forfeited_partner_closed"),
        (50_000, 50_000, "capped", "forfeited_partner_closed"),
        (200_000, 200_000, "granted", "granted"),
        (900_000, 200_000, "granted", "granted"),
    ],
)
def test_a_bound_lowers_one_reward_and_nothing_else(
    kept: int, left: int, outcome: str, code: str
) -> None:
    story = Story().submitted().reviewed("accepted").amount("20000.00").stage("won").position(1)
    before = evaluate(worked_terms(), story.facts, parties("ptr_1"))

    after = evaluate(worked_terms(), [*story.facts, forfeited(kept)], parties("ptr_1"))

    amounts = {row.identity: row.amount_minor for row in after.entitlements}
    assert amounts == {row.identity: row.amount_minor for row in before.entitlements} | {
        COMMISSION: left
    }
    lines = {line.rule_id: line for line in after.trace}
    assert (outcome, code) == (
        lines["won_commission"].outcome,
        lines["won_commission"].code,
    )
    assert after.contributions == before.contributions
    assert [line for line in before.trace if line.rule_id != "won_commission"] == [
        line for line in after.trace if line.rule_id != "won_commission"
    ]


def test_what_limits_a_rule_is_told_before_what_was_forfeited() -> None:
    terms = worked_terms()
    rules = [
        replace(rule, caps=replace(rule.caps, reward_minor=60_000))
        if rule.rule_id == "won_commission"
        else rule
        for rule in terms.rules
    ]
    story = Story().submitted().reviewed("accepted").amount("20000.00").stage("won").position(1)
    told = [*story.facts, forfeited(40_000)]

    found = evaluate(replace(terms, rules=tuple(rules)), told, parties("ptr_1"))

    (line,) = [line for line in found.trace if line.rule_id == "won_commission"]
    assert ("capped", "capped_reward", "400.00", "200.00") == (
        line.outcome,
        line.code,
        line.figures["amount"],
        line.figures["forfeited"],
    )


@pytest.mark.parametrize(
    ("changes", "status", "held"),
    [
        ({}, "suspended", "partner_suspended"),
        ({}, "active", ""),
        ({}, "closed", ""),
        ({"held": "review_pending"}, "suspended", "review_pending"),
        ({"lots": (), "payable_minor": 700}, "suspended", ""),
        ({"role": "lead", "holder_id": "led_1"}, "suspended", ""),
        ({"role": "cause", "holder_id": "cause:trees"}, "suspended", ""),
        ({"kind": "perk", "lots": (), "benefit_state": "issued"}, "suspended", "partner_suspended"),
        ({"kind": "perk", "lots": (), "benefit_state": "fulfilled"}, "suspended", ""),
    ],
)
def test_what_is_still_to_come_is_held_while_its_holder_is_suspended(
    changes: dict[str, Any], status: str, held: str
) -> None:
    assert held == as_held(reward(**changes), status).held


@pytest.mark.parametrize(("policy", "kept"), [("forfeit", 1), ("keep", 0)])
def test_simulated_terms_keep_a_forfeiture_only_if_they_forfeit(policy: str, kept: int) -> None:
    terms = worked_terms(partner_closed=policy)

    found = with_terms(terms, [*Story().submitted().facts, forfeited(0)], version=0)

    assert kept == sum(fact.kind == facts.FORFEITED for fact in found)

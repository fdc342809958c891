"""The same facts in any order, any number of times, decide the same."""

from __future__ import annotations

import random
from dataclasses import replace
from datetime import timedelta
from itertools import permutations

import pytest

from shared.domain.deal import fold
from shared.domain.evaluation import Evaluation, evaluate
from shared.domain.facts import RATE_SET, REVIEW_DECIDED, SUBMITTED, Fact, in_order
from tests.builders.money import START, Story, parties, worked_terms


def decide(facts: list[Fact]) -> Evaluation:
    return evaluate(worked_terms(), facts, parties("ptr_1"))


STORIES = {
    "regress and re-win": Story()
    .submitted()
    .position(3)
    .amount("20000.00")
    .stage("won")
    .stage("negotiation")
    .stage("won"),
    "re-amounted": Story().submitted().position(1).amount("20000").stage("won").amount("9999.99"),
    "lost": Story().submitted().position(1).amount("20000").stage("won").stage("lost"),
    "rates of its own": Story()
    .submitted()
    .position(1)
    .amount("20000")
    .stage("won")
    .add(RATE_SET, "12", {"rule": "won_commission", "percent": "12"})
    .add(RATE_SET, "9", {"rule": "won_commission", "fixed": "9.00"}),
    "accepted": Story().submitted().reviewed("accepted").amount("10000").stage("qualified"),
}


@pytest.mark.parametrize("story", STORIES.values(), ids=STORIES)
def test_every_permutation_and_repetition_decides_the_same(story: Story) -> None:
    expected = decide(list(story.facts))
    chooser = random.Random(1)  # noqa: S311 - a fixed sample
    orders = list(permutations(story.facts))
    for order in orders if len(orders) <= 720 else chooser.sample(orders, 720):
        repeated = [*order, *chooser.choices(order, k=3)]
        assert expected == decide(repeated)


def test_skipped_stages_pay_like_the_full_path() -> None:
    full = Story().submitted().reviewed("accepted").position(1).amount("20000")
    full.stage("qualified").stage("negotiation").stage("won")
    skipped = Story().submitted().reviewed("accepted").position(1).amount("20000").stage("won")
    assert [(e.identity, e.amount_minor) for e in decide(list(full.facts)).entitlements] == [
        (e.identity, e.amount_minor) for e in decide(list(skipped.facts)).entitlements
    ]


def test_skipped_stages_regress_like_the_full_path() -> None:
    full = Story().submitted().position(1).amount("20000")
    full.stage("qualified").stage("won").stage("negotiation")
    skipped = Story().submitted().position(1).amount("20000").stage("won").stage("negotiation")
    assert [(e.identity, e.amount_minor) for e in decide(list(full.facts)).entitlements] == [
        (e.identity, e.amount_minor) for e in decide(list(skipped.facts)).entitlements
    ]


@pytest.mark.parametrize("clock_ahead", [timedelta(0), timedelta(minutes=5)])
def test_a_decision_stands_whatever_the_moment_of_the_submission(clock_ahead: timedelta) -> None:
    # The terms may decide in the same moment, and two machines' clocks differ by minutes.
    decision = Fact(
        fact_id="fct_a",
        kind=REVIEW_DECIDED,
        occurred_at=START,
        received_at=START,
        source="form",
        data={"decision": "accept", "state": "accepted", "actor": "terms", "reason": "grade A"},
    )
    submission = replace(decision, fact_id="fct_b", kind=SUBMITTED, data={})
    submission = replace(submission, occurred_at=START + clock_ahead)

    assert "accepted" == fold(in_order([submission, decision]), worked_terms()).review

"""Rulings on facts, stages and attribution that no other test names; see test_rulings_index."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest

from shared.adapters.dynamodb import keys
from shared.adapters.dynamodb.transactions import put, transact
from shared.domain import facts
from shared.domain.deal import fold
from shared.domain.evaluation import Evaluation, evaluate
from shared.domain.facts import fact_id, in_order
from tests.builders.ledger import CORE, Stored
from tests.builders.money import DAY, START, WORKED_EXAMPLE, Story, parties, worked_terms


def judged(story: Story) -> Evaluation:
    return evaluate(worked_terms(), story.facts, parties(story.partner_id))


def codes(story: Story) -> dict[str, str]:
    return {line.rule_id: line.code for line in judged(story).trace}


def test_the_id_of_a_fact_is_what_it_states_and_not_how_it_arrived() -> None:
    statement = {"source": "src_1", "subject": "deal:1", "attribute": "stage"}
    once = fact_id(**statement, value="won", when="2026-01-05T09:00:00Z")
    assert once == fact_id(**statement, value="won", when="2026-01-05T09:00:00Z")
    others = {
        fact_id(**statement, value="lost", when="2026-01-05T09:00:00Z"),
        fact_id(**statement, value="won", when="2026-01-05T09:00:01Z"),
        fact_id(**{**statement, "source": "src_2"}, value="won", when="2026-01-05T09:00:00Z"),
        fact_id(**{**statement, "subject": "deal:2"}, value="won", when="2026-01-05T09:00:00Z"),
        fact_id(**{**statement, "attribute": "amount"}, value="won", when="2026-01-05T09:00:00Z"),
    }
    assert 6 == len(others | {once})


def test_entering_a_rank_takes_back_what_ranks_higher_and_nothing_else() -> None:
    story = Story().submitted().reviewed("accepted").amount("20000").stage("won").stage("qualified")
    deal = fold(in_order(story.facts), worked_terms())
    assert {"submitted", "accepted", "qualified"} == set(deal.milestones)
    assert {"won": story.facts[-1].fact_id} == dict(deal.left)


def test_lost_takes_back_won_and_what_ranks_above_it_by_default() -> None:
    story = Story().submitted().stage("won").stage("lost")
    deal = fold(in_order(story.facts), worked_terms())
    assert {"submitted", "qualified", "accepted"} == set(deal.milestones)


def test_an_implied_milestone_is_reached_when_the_one_that_implies_it_is() -> None:
    story = Story().submitted().stage("won", at=START + 3 * DAY).stage("qualified", at=START + DAY)
    deal = fold(in_order(story.facts), worked_terms())
    assert START + DAY == deal.milestones["qualified"].occurred_at
    skipped = Story().submitted().stage("won", at=START + 3 * DAY)
    deal = fold(in_order(skipped.facts), worked_terms())
    assert START + 3 * DAY == deal.milestones["qualified"].occurred_at


def test_a_regress_takes_an_implied_milestone_by_its_own_rank_only() -> None:
    full = Story().submitted().stage("qualified").stage("won").stage("accepted")
    skipped = Story().submitted().stage("won").stage("accepted")
    found = [set(fold(in_order(s.facts), worked_terms()).milestones) for s in (full, skipped)]
    assert [{"submitted", "accepted"}] * 2 == found


def test_a_newer_version_of_the_terms_never_prices_again_what_is_pinned() -> None:
    stored = Stored()
    story = Story().submitted().reviewed("accepted").amount("20000").position(1).stage("won")
    stored.submit(story)
    stored.settle(story)
    before = stored.rewards(story)
    dearer = {**WORKED_EXAMPLE, "rules": [{**WORKED_EXAMPLE["rules"][0], "id": "another"}]}
    row = {"definition": json.dumps(dearer)}
    transact(stored.client, [put(CORE, keys.terms("prg_1", 2), row)])
    transact(stored.client, [put(CORE, keys.enrolment("ptr_1", "prg_1"), {"terms_version": 2})])
    assert 0 == stored.settle(story, now=START + DAY).effects
    assert before == stored.rewards(story)


def test_a_grade_changes_only_by_a_regrade() -> None:
    story = Story().submitted()
    story.add(facts.FIELD_SET, "A", {"name": "lead_grade", "value": "A"})
    assert "" == fold(in_order(story.facts), worked_terms()).grade
    story.add(facts.REGRADED, "A", {"grade": "A", "actor": "ann", "reason": "budget"})
    assert "A" == fold(in_order(story.facts), worked_terms()).grade


@pytest.mark.parametrize("state", ["rejected", "withdrawn", "spam", "expired"])
def test_a_review_that_closes_makes_everything_zero(state: str) -> None:
    story = Story().submitted().reviewed("accepted").amount("20000").position(1).stage("won")
    assert judged(story).entitlements
    story.reviewed(state)
    assert ((), {f"review_{state}"}) == (judged(story).entitlements, set(codes(story).values()))


@pytest.mark.parametrize("state", ["submitted", "in_review", "action_required"])
def test_while_the_review_is_open_rewards_are_held(state: str) -> None:
    story = Story().submitted(review=state).amount("20000").position(1).stage("won")
    assert {"review_pending"} == {row.held for row in judged(story).entitlements}
    story.reviewed("accepted")
    assert {""} == {row.held for row in judged(story).entitlements}


def test_the_credit_window_looks_at_event_time_and_the_grace_at_receipt() -> None:
    last = START + timedelta(days=365) - timedelta(seconds=1)
    in_time = START + timedelta(days=365 + 30) - timedelta(seconds=1)
    story = Story().submitted().reviewed("accepted").position(1).amount("20000", at=START)
    story.stage("won", at=last, received_at=in_time)
    assert "granted" == codes(story)["won_commission"]
    late = Story().submitted().reviewed("accepted").position(1).amount("20000", at=START)
    late.stage("won", at=last, received_at=in_time + timedelta(seconds=1))
    assert "received_too_late" == codes(late)["won_commission"]

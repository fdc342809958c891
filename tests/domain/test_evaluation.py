"""Every verdict of the evaluation, with its reason code."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from shared.domain import facts
from shared.domain.entitlements import CreditShare, Parties
from shared.domain.evaluation import evaluate
from tests.builders.money import DAY, START, Story, parties, worked_terms

if TYPE_CHECKING:
    from shared.domain.terms import Terms
    from shared.domain.verdicts import TraceLine


def line(story: Story, rule_id: str = "won_commission", terms: Terms | None = None) -> TraceLine:
    evaluation = evaluate(terms or worked_terms(), story.facts, parties("ptr_1"))
    return next(line for line in evaluation.trace if line.rule_id == rule_id)


def won(**amount: str) -> Story:
    story = Story().submitted().reviewed("accepted").position(1)
    return story.amount(amount.get("amount", "20000.00"), amount.get("currency", "USD"))


def test_granted_line_shows_the_figures() -> None:
    story = won().stage("won")
    found = line(story)
    assert ("granted", "granted") == (found.outcome, found.code)
    assert {
        "deal_amount": "20000.00",
        "currency": "USD",
        "position": "1",
        "percent": "10",
        "amount": "2000.00",
    } == dict(found.figures)
    assert story.facts[-1].received_at + 30 * DAY == found.release_at


def test_amount_missing_is_not_yet() -> None:
    story = Story().submitted().reviewed("accepted").position(1).stage("won")
    assert ("not_yet", "amount_missing") == (line(story).outcome, line(story).code)


def test_other_currency_is_held_never_guessed() -> None:
    found = line(won(currency="EUR").stage("won"))
    assert ("held", "fx_rate_missing") == (found.outcome, found.code)
    assert "EUR" == found.figures["amount_currency"]


def test_condition_not_met_names_the_threshold() -> None:
    found = line(won(amount="9999.99").stage("qualified"), "qualified_bonus")
    assert ("denied", "condition_not_met") == (found.outcome, found.code)
    assert "10000.00" == found.figures["threshold"]


def test_condition_met_at_the_threshold() -> None:
    found = line(won(amount="10000.00").stage("qualified"), "qualified_bonus")
    assert "granted" == found.outcome


def test_zero_amount_is_denied() -> None:
    assert "amount_is_zero" == line(won(amount="0.00").stage("won")).code


def test_negative_amount_is_denied() -> None:
    assert "amount_is_zero" == line(won(amount="-500.00").stage("won")).code


def test_milestone_before_the_referral_earns_nothing() -> None:
    story = won().stage("won", at=START - timedelta(seconds=1))
    assert "milestone_before_referral" == line(story).code


def test_milestone_at_the_moment_of_the_referral_counts() -> None:
    assert "granted" == line(won().stage("won", at=START)).outcome


def test_verified_touch_moves_the_beginning() -> None:
    story = won().stage("won", at=START - timedelta(hours=1))
    touch = {"version": 1, "shares": [], "touch_at": (START - timedelta(hours=2)).isoformat()}
    story.add(facts.TERMS_PINNED, "touch", touch, at=START + DAY)
    assert "granted" == line(story).outcome


def test_prior_days_widen_the_beginning() -> None:
    story = won().stage("won", at=START - timedelta(hours=1))
    assert "granted" == line(story, terms=worked_terms(windows={"prior_days": 1})).outcome


def test_credit_window_is_half_open() -> None:
    terms = worked_terms(windows={"credit_days": 10})
    inside = won().stage("won", at=START + 10 * DAY - timedelta(microseconds=1))
    outside = won().stage("won", at=START + 10 * DAY)
    assert "granted" == line(inside, terms=terms).outcome
    assert "credit_window_over" == line(outside, terms=terms).code


def test_late_receipt_is_denied_after_the_grace() -> None:
    terms = worked_terms(windows={"credit_days": 10, "late_grace_days": 5})
    story = won().stage("won", at=START + DAY, received_at=START + 15 * DAY)
    assert "received_too_late" == line(story, terms=terms).code


def test_position_is_needed_before_a_tier_can_decide() -> None:
    story = Story().submitted().reviewed("accepted").amount("20000.00").stage("won")
    assert "position_not_pinned" == line(story).code
    evaluation = evaluate(worked_terms(), story.facts, parties("ptr_1"))
    assert {"count:won:lifetime": 1} == evaluation.contributions
    assert frozenset({"count:won:lifetime"}) == evaluation.positions


@pytest.mark.parametrize(("position", "percent"), [(5, "10"), (6, "12"), (7, "12")])
def test_tier_steps_at_its_position(position: int, percent: str) -> None:
    story = Story().submitted().reviewed("accepted").position(position).amount("999.99")
    assert percent == line(story.stage("won")).figures["percent"]


def test_sixth_win_rounds_half_up() -> None:
    story = Story().submitted().reviewed("accepted").position(6).amount("999.99").stage("won")
    assert "120.00" == line(story).figures["amount"]


def test_lost_takes_won_and_keeps_qualified() -> None:
    story = won().stage("qualified").stage("won").stage("lost")
    assert ("reversed", "milestone_left") == (line(story).outcome, line(story).code)
    assert "granted" == line(story, "qualified_bonus").outcome


def test_terms_may_name_what_lost_takes_back() -> None:
    terms = worked_terms(lost_retracts=["qualified", "won"])
    story = won().stage("qualified").stage("won").stage("lost")
    assert "milestone_left" == line(story, "qualified_bonus", terms).code


def test_reporting_a_stage_again_does_not_move_its_date() -> None:
    story = won().stage("won", at=START + DAY).stage("won", at=START + 9 * DAY)
    assert START + 31 * DAY == line(story).release_at


def test_review_that_turns_takes_the_acceptance_back() -> None:
    story = won().reviewed("rejected")
    assert "review_rejected" == line(story, "accepted_bonus").code


def test_quarantined_submission_earns_nothing() -> None:
    story = Story().submitted(review="spam").position(1).amount("20000.00").stage("won")
    assert "review_spam" == line(story).code


def test_retracted_fact_never_happened() -> None:
    story = won().stage("won")
    gone = story.facts[-1]
    story.add(facts.FACT_RETRACTED, "x", {})
    last = story.facts.pop()
    retraction = facts.Fact(
        fact_id=last.fact_id,
        kind=facts.FACT_RETRACTED,
        occurred_at=last.occurred_at,
        received_at=last.received_at,
        source="src_1",
        retracts=gone.fact_id,
    )
    story.facts.append(retraction)
    assert "milestone_not_reached" == line(story).code


def test_manual_milestone_counts_and_implies() -> None:
    story = won()
    story.add(facts.MILESTONE_REACHED, "won", {"milestone": "won", "actor": "a", "reason": "r"})
    assert "granted" == line(story).outcome
    assert "granted" == line(story, "qualified_bonus").outcome


def test_shares_divide_the_reward_without_a_cent_lost() -> None:
    story = Story().submitted().reviewed("accepted").position(1).amount("100.05").stage("won")
    pair = Parties(
        lead_id="led_1",
        shares=(
            CreditShare(partner_id="ptr_1", role="introducer", basis_points=5_000),
            CreditShare(partner_id="ptr_2", role="co_referrer", basis_points=5_000),
        ),
    )
    evaluation = evaluate(worked_terms(), story.facts, pair)
    parts = {e.holder_id: e.amount_minor for e in evaluation.entitlements if e.kind == "cash"}
    commission = [e.amount_minor for e in evaluation.entitlements if e.rule_id == "won_commission"]
    assert [501, 500] == commission
    assert {"ptr_1", "ptr_2"} == set(parts)


def test_referral_without_submission_is_a_bug() -> None:
    with pytest.raises(ValueError, match="without its submission"):
        evaluate(worked_terms(), [], parties("ptr_1"))

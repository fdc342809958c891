"""Other terms for a referral: what is pinned anew, what keeps its dates, and who loses."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from shared.domain.aggregate import Aggregate
from shared.domain.entitlements import Entitlement
from shared.domain.facts import in_order, latest
from shared.domain.migration import pinned_fact, somebody_loses
from shared.domain.pinning import repin
from shared.domain.rewards import Change, Reward, Subject, difference
from tests.builders.money import DAY, START, Story, referral, worked_terms

GRADES = {
    "grades": [
        {"grade": "A", "when": {"all": [{"field": "country", "op": "eq", "value": "DE"}]}},
    ],
    "otherwise": "C",
}
GOLD = {"level": "group", "match": "gold", "rule": "won_commission", "percent": "15"}


def data(**changes: object) -> dict[str, Any]:
    pinned: dict[str, Any] = {
        "version": 1,
        "shares": [{"partner_id": "ptr_1", "role": "introducer", "basis_points": 10_000}],
        "touch_at": START.isoformat(),
        "attributes": {"country": "DE", "partner_group": "gold", "lead_grade": "Z"},
        "overrides": {},
    }
    return {**pinned, **changes}


def test_grade_and_overrides_follow_the_terms_and_all_else_stays() -> None:
    found = repin(worked_terms(lead_quality=GRADES, overrides=[GOLD]), data(), 7)

    assert {
        **data(),
        "version": 7,
        "attributes": {"country": "DE", "partner_group": "gold", "lead_grade": "A"},
        "overrides": {"won_commission": {"percent": "15", "level": "group"}},
    } == found


def test_terms_without_grades_and_overrides_pin_none() -> None:
    old = {"won_commission": {"percent": "15", "level": "group"}}

    found = repin(worked_terms(), data(overrides=old), 2)

    assert ({}, "lead_grade" in found["attributes"]) == (found["overrides"], False)


@pytest.mark.parametrize(
    ("level", "match", "known"),
    [("partner", "ptr_1", {"partner_id": "ptr_1"}), ("link", "summer", {"link_code": "summer"})],
)
def test_overrides_of_partner_and_link_follow_what_was_pinned(
    level: str, match: str, known: dict[str, str]
) -> None:
    own = {"level": level, "match": match, "rule": "won_commission", "percent": "25"}

    found = repin(worked_terms(overrides=[own, GOLD]), data(**known), 2)
    others = repin(worked_terms(overrides=[own, GOLD]), data(), 2)

    assert {"won_commission": {"percent": "25", "level": level}} == found["overrides"]
    assert {"won_commission": {"percent": "15", "level": "group"}} == others["overrides"]


def test_the_pinned_fact_is_the_same_for_one_job_and_comes_last() -> None:
    story = Story(start=START + DAY).submitted()
    aggregate = Aggregate(referral=referral(), facts=tuple(story.facts))

    def fact(job_id: str, days: int = 0) -> Any:  # noqa: ANN401 - a fact
        return pinned_fact(
            aggregate,
            worked_terms(),
            version=2,
            job_id=job_id,
            actor="ann",
            now=START + days * DAY,
        )

    assert fact("mig_1").fact_id == fact("mig_1", 9).fact_id
    assert fact("mig_1").fact_id != fact("mig_2").fact_id
    late = latest(in_order([*story.facts, fact("mig_1", 9)]), "terms_pinned")
    assert late is not None
    assert (2, "ann", "mig_1") == tuple(late.data[key] for key in ("version", "actor", "migration"))
    # Our clock may run behind the one that dated the submission.
    assert START + DAY <= fact("mig_1").occurred_at


def test_a_referral_without_pinned_terms_is_left_alone() -> None:
    aggregate = Aggregate(referral=referral())

    assert None is pinned_fact(
        aggregate, worked_terms(), version=2, job_id="mig_1", actor="ann", now=START
    )


# -- dates ----------------------------------------------------------------------------------------


def entitled(amount_minor: int, hold: int, **changes: object) -> Entitlement:
    fields: dict[str, Any] = {
        "rule_id": "rule",
        "occurrence": "once",
        "role": "partner",
        "holder_id": "ptr_1",
        "kind": "cash",
        "currency": "USD",
        "amount_minor": amount_minor,
        "release_at": START + hold * DAY,
        "raise_release_at": START + hold * DAY,
        "effective_at": START + hold * DAY,
    }
    return Entitlement(**{**fields, **changes})


def posted(wanted: Entitlement, rewards: tuple[Reward, ...] = (), version: int = 1) -> list[Change]:
    subject = Subject(
        scope="referral", subject_id="ref_1", program_id="prg_1", terms_version=version
    )
    found = difference([wanted], rewards, subject=subject, cause=())
    return [change for effect in found for change in effect.changes]


def test_the_same_amount_under_other_terms_changes_nothing() -> None:
    reward = posted(entitled(500, 30))[0].reward

    assert [] == posted(entitled(500, 90), (reward,), version=2)
    assert START + 90 * DAY == posted(entitled(500, 90), (reward,))[0].reward.release_at


def test_another_amount_is_of_the_other_terms() -> None:
    reward = posted(entitled(500, 30))[0].reward

    after = posted(entitled(700, 90), (reward,), version=2)[0].reward

    assert (2, 700, START + 90 * DAY) == (after.terms_version, after.net_minor, after.release_at)
    # From now on these are its terms, and its dates follow the facts again.
    moved = posted(entitled(700, 60), (after,), version=2)[0].reward
    assert START + 60 * DAY == moved.release_at


def test_a_hold_is_lifted_under_other_terms_too() -> None:
    reward = posted(entitled(500, 30, held="on_hold"))[0].reward

    after = posted(entitled(500, 90), (reward,), version=2)[0].reward

    assert ("", START + 30 * DAY) == (after.held, after.release_at)


# -- who loses ------------------------------------------------------------------------------------


def money(rule_id: str, amount_minor: int, **changes: object) -> Entitlement:
    return entitled(amount_minor, 1, rule_id=rule_id, **changes)


@pytest.mark.parametrize(
    ("after", "loses"),
    [
        ([money("a", 100), money("b", 100)], False),
        ([money("a", 50), money("b", 150)], False),
        ([money("a", 50), money("b", 149)], True),
        ([money("a", 300)], False),
        ([money("a", 50), money("b", 100), money("c", 90, holder_id="ptr_2")], True),
        ([money("a", 50), money("b", 100), money("c", 90, kind="credit")], True),
        ([money("a", 120), money("b", 100)], False),
    ],
)
def test_a_holder_loses_whose_money_of_one_kind_shrinks(
    after: list[Entitlement], *, loses: bool
) -> None:
    before = [money("a", 100), money("b", 100)]
    subject = Subject(scope="referral", subject_id="ref_1", program_id="prg_1", terms_version=1)

    def changes(wanted: list[Entitlement], rewards: tuple[Reward, ...]) -> list[Change]:
        effects = difference(wanted, rewards, subject=subject, cause=())
        return [change for effect in effects for change in effect.changes]

    rewards = tuple(change.reward for change in changes(before, ()))
    other = replace(subject, terms_version=2)
    effects = difference(after, rewards, subject=other, cause=())
    found = [change for effect in effects for change in effect.changes]

    assert loses == somebody_loses(rewards, found)

"""Every reward model does what its scenario says, in any order and any number of times."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

import pytest

from programs.stories import FOLDER, ORDER, SUFFIX, Model, Step, models
from shared.domain.evaluation import evaluate
from tests.builders.scenario_checks import (
    books_and_rewards,
    entitled_of,
    given_under_caps,
    held_at_the_end,
    posted_of,
    said_and_found,
)
from tests.builders.scenario_scripts import Script, end_of
from tests.builders.scenarios import Telling

if TYPE_CHECKING:
    from datetime import datetime


MODELS = models()
each_model = pytest.mark.parametrize("model", MODELS, ids=lambda model: model.name)


def tell_in_order(model: Model, *, check: bool) -> Telling:
    """Tell step by step, as it happened, and settle after each step."""
    script = Script(model=model)
    telling = Telling(script)
    for step, facts in zip(model.steps, script.by_step, strict=True):
        submit_until(telling, end_of(step.day))
        for name, fact in facts:
            telling.tell(name, fact)
            telling.settle([name], fact.received_at)
        if step.matures:
            telling.mature(end_of(step.day))
        if check:
            assert_then(telling, step)
    return telling


def submit_until(telling: Telling, moment: datetime) -> None:
    for name, facts in telling.script.submissions.items():
        if name not in telling.submitted and facts[0].received_at <= moment:
            telling.submit(name)
            telling.settle([name], facts[0].received_at)


def assert_then(telling: Telling, step: Step) -> None:
    for expected, actual in said_and_found(telling, step.then):
        assert expected == actual, f"day {step.day}"
    assert_books_are_whole(telling)


def assert_books_are_whole(telling: Telling) -> None:
    for expected, actual in books_and_rewards(telling):
        assert expected == actual


def tell_shuffled(model: Model, seed: int) -> Telling:
    """Tell everything between two ends of holds shuffled and doubled, and settle only then."""
    script = Script(model=model)
    telling = Telling(script)
    for name in script.submissions:
        telling.submit(name)
    chooser = random.Random(seed)  # noqa: S311 - a fixed sample
    for segment in script.segments():
        facts = [*segment.told, *segment.told]
        chooser.shuffle(facts)
        for name, fact in facts:
            telling.tell(name, fact)
        telling.settle(script.submissions, segment.until)
        if segment.matures:
            telling.mature(segment.until)
    return telling


def tell_late(model: Model, seed: int) -> Telling:
    """Tell everything shuffled and settle after each fact: nearly all of them come too late."""
    script = Script(model=model)
    telling = Telling(script)
    for name in script.submissions:
        telling.submit(name)
    facts = [said for segment in script.segments() for said in segment.told]
    random.Random(seed).shuffle(facts)  # noqa: S311 - a fixed sample
    last = end_of(model.steps[-1].day)
    for name, fact in facts:
        telling.tell(name, fact)
        telling.settle([name], last)
    return telling


def assert_same_end(orderly: Telling, other: Telling) -> None:
    """Demand the same end; where it matters who came first, only that every limit holds."""
    if not orderly.script.model.pinned:
        assert held_at_the_end(orderly) == held_at_the_end(other)
    for given, limit in given_under_caps(other):
        assert given <= limit
    assert_books_are_whole(other)


@each_model
def test_scenario_step_by_step(model: Model) -> None:
    tell_in_order(model, check=True)


@each_model
@pytest.mark.parametrize("seed", [1, 2])
def test_shuffled_and_doubled_facts_end_the_same(model: Model, seed: int) -> None:
    assert_same_end(tell_in_order(model, check=False), tell_shuffled(model, seed))


@each_model
@pytest.mark.parametrize("seed", [3, 4])
def test_facts_that_all_come_late_end_the_same(model: Model, seed: int) -> None:
    assert_same_end(tell_in_order(model, check=False), tell_late(model, seed))


@each_model
def test_what_was_pinned_decides_the_same_in_any_order(model: Model) -> None:
    telling = tell_in_order(model, check=False)
    chooser = random.Random(5)  # noqa: S311 - a fixed sample
    for name in telling.submitted:
        aggregate = telling.load(name)
        facts = [*aggregate.facts, *aggregate.facts]
        chooser.shuffle(facts)
        evaluation = evaluate(telling.script.terms, facts, aggregate.parties)
        assert posted_of(aggregate.rewards) == entitled_of(evaluation.entitlements)


@each_model
def test_scenario_shows_a_reward_a_step_back_and_a_refusal(model: Model) -> None:
    verdicts = {
        verdict.partition(":")[0]
        for step in model.steps
        for rules in step.then.get("trace", {}).values()
        for verdict in rules.values()
    }
    states = {
        reward["state"]
        for step in model.steps
        for part in ("rewards", "bonuses")
        for rewards in step.then.get(part, {}).values()
        for reward in rewards
    }
    assert states & {"pending", "issued"}
    assert states & {"reversed", "voided", "clawed_back"}
    assert verdicts & {"denied", "capped", "not_yet"}


def test_every_file_belongs_to_a_model() -> None:
    found = {path.name for path in FOLDER.glob("*.yaml")}
    assert {f"{name}{end}" for name in ORDER for end in (".yaml", SUFFIX)} == found


def test_every_rule_is_explained_and_shown() -> None:
    for model in MODELS:
        shown = str([step.then for step in model.steps])
        for rule in model.definition["rules"]:
            assert rule["text"]
            assert rule["id"] in shown, (model.name, rule["id"])


def test_lead_quality_grades_the_leads_of_the_story() -> None:
    script = Script(model=next(model for model in MODELS if model.name == "full_funnel"))
    grades = {
        name: pinned.data["attributes"]["lead_grade"]
        for name, (_, pinned) in script.submissions.items()
    }
    assert {"acme": "A", "globex": "B", "initech": "C"} == grades


def test_a_misspelt_word_in_a_scenario_is_refused() -> None:
    with pytest.raises(ValueError, match="day 3: unknown stagee"):
        Step(
            day=3,
            referrals=("acme",),
            told={"stagee": "won"},
            happened=3,
            label="",
            say="",
            then={},
        )

"""What of a reward fits under a limit, given what is taken already."""

from __future__ import annotations

from typing import Any

import pytest

from shared.domain import facts
from shared.domain.caps import NeededAllowance
from shared.domain.entitlements import Allowance
from shared.domain.evaluation import evaluate
from shared.domain.terms_reader import parse_terms
from tests.builders.money import Story, parties


def needed(wanted: int, own: int = 0, **changes: Any) -> NeededAllowance:  # noqa: ANN401 - any field
    fields: dict[str, Any] = {
        "cap_id": "life",
        "scope": "partner",
        "period": "lifetime",
        "limit_minor": 100,
        "policy": "cut",
        "rule_id": "rule",
        "occurrence": "once",
        "holder_id": "ptr_1",
        "wanted_minor": wanted,
        "pinned": allowance(own) if own else None,
    }
    return NeededAllowance(**{**fields, **changes})


def allowance(allowed: int, *, cut: bool = False) -> Allowance:
    return Allowance(
        cap_id="life", scope="partner", period="lifetime", allowed_minor=allowed, cut=cut
    )


@pytest.mark.parametrize(
    ("wanted", "own", "used", "cut", "deny", "whole"),
    [
        (60, 0, 0, 60, 60, 60),
        (60, 0, 40, 60, 60, 60),
        (60, 0, 41, 59, 0, 0),
        (60, 0, 100, 0, 0, 0),
        (60, 0, 170, 0, 0, 0),
        # More than its own: what it has counts as used.
        (60, 50, 90, 60, 60, 60),
        (61, 50, 90, 60, 50, 0),
        # The limit was lowered since: what it has stays.
        (60, 50, 170, 50, 50, 0),
        (50, 50, 170, 50, 50, 50),
        (30, 50, 170, 30, 30, 30),
    ],
)
def test_what_fits_is_what_others_left_and_never_less_than_ones_own(  # noqa: PLR0917
    wanted: int, own: int, used: int, cut: int, deny: int, whole: int
) -> None:
    assert cut == needed(wanted, own).allowed(used)
    assert deny == needed(wanted, own, policy="deny").allowed(used)
    assert whole == needed(wanted, own, whole=True).allowed(used)


def test_what_was_cut_once_stays_cut() -> None:
    assert not needed(60).answered(60).cut
    assert needed(60).answered(59).cut
    assert needed(40, pinned=allowance(50, cut=True)).answered(40).cut
    assert not needed(40, 50).answered(40).cut


CAP = {"id": "life", "scope": "partner", "per": "lifetime", "limit": "1000.00"}
RULE = {
    "id": "rule",
    "beneficiary": "partner",
    "milestone": "won",
    "kind": "cash",
    "value": {"fixed": "50.00"},
}


def numbers(story: Story) -> list[int]:
    terms = parse_terms({"name": "t", "rules": [RULE], "caps": [CAP]}, currency="USD")
    return [need.number for need in evaluate(terms, story.facts, parties("ptr_1")).allowances]


def test_each_allowance_of_an_occurrence_has_the_next_number() -> None:
    story = Story().submitted().reviewed("accepted").stage("won")
    assert [1] == numbers(story)
    data = {"cap": "life", "scope": "partner", "period": "lifetime", "rule_id": "rule"}
    data |= {"occurrence": "once", "holder_id": "ptr_1"}
    for number in (2, 1):
        story.add(facts.FACT_RETRACTED, str(number), {**data, "number": number})
    assert [3] == numbers(story)

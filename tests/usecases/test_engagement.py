"""The minimum engagement on the ledger: which of a partner's referrals earn, in any order."""

from __future__ import annotations

import json
from itertools import permutations
from typing import Any

import pytest

from shared.adapters.dynamodb import keys
from shared.adapters.dynamodb.transactions import put, transact
from shared.domain import facts
from shared.domain.eligibility import ENGAGEMENT
from tests.builders.ledger import CORE, Stored
from tests.builders.money import DAY, START, Story

TERMS: dict[str, Any] = {
    "name": "t",
    "eligibility": {"minimum_engagement": {"accepted_referrals": 2}},
    "rules": [
        {
            "id": "commission",
            "beneficiary": "partner",
            "milestone": "won",
            "kind": "cash",
            "value": {"percent": "10", "of": "deal_amount"},
        },
        {
            "id": "thanks",
            "beneficiary": "lead",
            "milestone": "won",
            "kind": "credit",
            "value": {"fixed": "5.00"},
        },
    ],
}


def deal(number: int) -> Story:
    return Story(referral_id=f"ref_{number}", deal_id=f"D-{number}").submitted()


def opened(count: int) -> tuple[Stored, list[Story]]:
    stored = Stored(TERMS)
    stored.enrol()
    stories = [deal(number) for number in range(1, count + 1)]
    for story in stories:
        stored.submit(story)
    return stored, stories


def accept(stored: Stored, story: Story) -> None:
    story.reviewed("accepted")
    stored.tell(story)
    stored.settle(story)


def win(stored: Stored, story: Story) -> None:
    story.amount("1000.00").stage("won")
    stored.tell(story)
    stored.settle(story)


def paid(stored: Stored, stories: list[Story]) -> list[int]:
    """What stands of each referral's commission."""
    rewards = [stored.rewards(story).get("commission") for story in stories]
    return [reward.net_minor if reward else 0 for reward in rewards]


def places(stored: Stored, story: Story) -> list[int]:
    aggregate = stored.ledger.load(story.referral_id)
    assert aggregate is not None
    return [
        fact.data["position"]
        for fact in aggregate.facts
        if fact.kind == facts.STANDING_PINNED and fact.data["key"] == ENGAGEMENT
    ]


def test_from_the_third_accepted_referral_on_a_partner_earns() -> None:
    stored, stories = opened(4)
    for story in stories:
        accept(stored, story)
        win(stored, story)
        stored.settle(story)

    assert [0, 0, 10_000, 10_000] == paid(stored, stories)
    assert [[1], [2], [3], [4]] == [places(stored, story) for story in stories]
    assert all(stored.rewards(story)["thanks"].net_minor == 500 for story in stories)


@pytest.mark.parametrize("order", list(permutations(range(3))))
def test_the_order_of_acceptance_decides_and_not_that_of_the_deals(order: tuple[int, ...]) -> None:
    stored, stories = opened(3)
    for story in stories:
        accept(stored, story)
    for place in order:
        win(stored, stories[place])

    assert [0, 0, 10_000] == paid(stored, stories)


def test_what_is_rejected_later_moves_no_other() -> None:
    stored, stories = opened(4)
    for story in stories[:3]:
        accept(stored, story)
        win(stored, story)
    stories[0].reviewed("rejected", at=START + DAY)
    stored.tell(stories[0])
    stored.settle(stories[0])
    accept(stored, stories[3])
    win(stored, stories[3])

    # Two others were accepted before the fourth as well.
    assert [0, 0, 10_000, 10_000] == paid(stored, stories)
    standing = stored.ledger.standing("ptr_1", "prg_1")
    assert 3 == standing.sums[ENGAGEMENT]


def test_accepted_again_a_referral_keeps_its_place() -> None:
    stored, stories = opened(3)
    for story in stories:
        accept(stored, story)
    stories[0].reviewed("rejected", at=START + DAY)
    stored.tell(stories[0])
    stored.settle(stories[0])
    stories[0].reviewed("accepted", at=START + 2 * DAY)
    stored.tell(stories[0])
    stored.settle(stories[0])
    win(stored, stories[0])

    assert ([1], [0, 0, 0]) == (places(stored, stories[0]), paid(stored, stories))


def test_other_terms_judge_the_same_places_anew() -> None:
    stored, stories = opened(2)
    for story in stories:
        accept(stored, story)
        win(stored, story)
    easier = {**TERMS, "eligibility": {"minimum_engagement": {"accepted_referrals": 1}}}
    transact(stored.client, [put(CORE, keys.terms("prg_1", 1), {"definition": json.dumps(easier)})])

    for story in stories:
        stored.settle(story)

    assert [0, 10_000] == paid(stored, stories)

"""The books under ``clawback_days``: what is payable stays, in every order of processing."""

from __future__ import annotations

from itertools import permutations
from typing import TYPE_CHECKING, Any

from shared.adapters.dynamodb.books import movements_of_book
from shared.domain import facts
from shared.usecases.mature_rewards import mature_rewards
from tests.builders.ledger import BOOKS, Stored
from tests.builders.money import DAY, START, Story

if TYPE_CHECKING:
    from datetime import datetime

DEFINITION: dict[str, Any] = {
    "name": "t",
    "windows": {"clawback_days": 30},
    "rules": [
        {
            "id": "commission",
            "beneficiary": "partner",
            "milestone": "won",
            "kind": "cash",
            "value": {"percent": "10", "of": "deal_amount"},
            "hold_days": 10,
            "tiers": {
                "by": "count",
                "milestone": "won",
                "steps": [{"from": 2, "percent": "20"}],
            },
        }
    ],
    "caps": [{"id": "yearly", "scope": "partner", "per": "calendar_year", "limit": "150.00"}],
}


def story() -> Story:
    told = Story().submitted().reviewed("accepted", at=START)
    return told.amount("1000.00", at=START).stage("won", at=START)


def refund(told: Story, amount: str, day: int) -> Story:
    data = {"refund_id": f"R-{day}", "of": "deal", "amount": amount, "currency": "USD"}
    return told.add(facts.REFUNDED, f"R-{day}", data, at=START + day * DAY)


def mature(stored: Stored, now: datetime) -> None:
    mature_rewards(stored.ledger, now=now, new_id=stored.new_id, limit=10)


def test_what_is_payable_is_clawed_back_until_the_limit_and_not_after_it() -> None:
    stored, told = Stored(DEFINITION), story()
    stored.submit(told)
    stored.settle(told)
    mature(stored, START + 10 * DAY)
    stored.tell(refund(told, "400.00", 39))
    stored.settle(told, now=START + 39 * DAY)
    assert 6_000 == stored.rewards(told)["commission"].payable_minor
    before = movements_of_book(stored.client, BOOKS, "ptr_1", "prg_1")
    stored.tell(refund(told, "600.00", 400))
    stored.settle(told, now=START + 400 * DAY)
    # The first refund was heard of on day 39: what it left has stood since.
    assert 6_000 == stored.rewards(told)["commission"].payable_minor
    assert before == movements_of_book(stored.client, BOOKS, "ptr_1", "prg_1")


def test_a_lost_deal_keeps_its_money_and_its_part_of_the_cap() -> None:
    stored, told = Stored(DEFINITION), story()
    stored.submit(told)
    stored.settle(told)
    mature(stored, START + 10 * DAY)
    stored.tell(told.stage("lost", at=START + 40 * DAY))
    stored.settle(told, now=START + 40 * DAY)
    assert 10_000 == stored.rewards(told)["commission"].payable_minor
    # It counts no more for the tier, and takes its 100.00 of 150.00 still.
    other = Story(referral_id="ref_2").submitted().reviewed("accepted", at=START)
    stored.submit(other.amount("1000.00", at=START).stage("won", at=START))
    stored.settle(other, now=START + 41 * DAY)
    assert 5_000 == stored.rewards(other)["commission"].net_minor
    aggregate = stored.ledger.load(told.referral_id)
    assert aggregate is not None
    assert ["clawback_limit"] == [line.code for line in aggregate.trace]


def test_every_order_of_processing_ends_with_the_same_money() -> None:
    """The position in the tier is pinned first, as it is by whatever comes first."""
    told = story().position(1)
    known = len(told.facts)
    refund(told, "100.00", 20)
    refund(told, "500.00", 60)
    told.stage("lost", at=START + 61 * DAY)
    told.amount("1100.00", at=START + 62 * DAY)
    first, rest = told.facts[:known], told.facts[known:]
    ends = set()
    for order in permutations(rest):
        stored = Stored(DEFINITION)
        stored.submit(Story(facts=list(first)))
        for count in range(len(order) + 1):
            so_far = Story(facts=[*first, *order[:count]])
            stored.tell(so_far)
            stored.settle(so_far, now=START + 70 * DAY)
            stored.settle(so_far, now=START + 70 * DAY)
            mature(stored, START + 70 * DAY)
        ends.add(stored.rewards(told)["commission"].net_minor)
    assert {9_000} == ends

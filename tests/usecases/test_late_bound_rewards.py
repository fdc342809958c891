"""What was told before the introduction, and is bound by it, earns by when it happened."""

from __future__ import annotations

from datetime import timedelta

import pytest

from shared.adapters.dynamodb.ledger import DynamoLedger
from shared.usecases.post_rewards import post_rewards
from tests.builders.deliveries import CORE, NOW, updated
from tests.builders.intake import click_token
from tests.builders.late_binding import REFERRAL, Town
from tests.builders.ledger import BOOKS, TRIGGER

TOUCHED = timedelta(days=1)
"""How long before the submission the lead clicked."""


def bound_late(before: timedelta) -> tuple[Town, dict[str, str], list[int]]:
    """Tell of a won deal, then submit; return what each rule says and what it posted."""
    town = Town()
    deal = {"id": "D-1", "stage": "won", "amount": "20000.00", "currency": "USD"}
    at = (NOW - before).isoformat()
    town.desk.standard(updated(deal, {"click_id": click_token()}, occurred_at=at))
    town.pump()
    assert ["parked"] == town.states()
    town.submit()
    town.pump()
    assert ["applied"] == town.states()
    ledger = DynamoLedger(town.world.client, core_table=CORE, books_table=BOOKS)
    post_rewards(
        ledger,
        REFERRAL,
        trigger=TRIGGER,
        now=NOW,
        new_id=town.desk.new_id,
        pause=lambda _attempt: None,
    )
    aggregate = ledger.load(REFERRAL)
    assert aggregate is not None
    codes = {line.rule_id: line.code for line in aggregate.trace}
    return town, codes, [reward.net_minor for reward in aggregate.rewards]


@pytest.mark.parametrize("before", [timedelta(days=400), TOUCHED + timedelta(seconds=1)])
def test_a_late_bound_deal_that_was_won_before_the_introduction_earns_nothing(
    before: timedelta,
) -> None:
    town, codes, posted = bound_late(before)
    assert {"milestone_before_referral"} == set(codes.values())
    assert [] == posted
    assert not town.world.client.dump().get(BOOKS)


def test_a_late_bound_deal_that_was_won_after_the_first_touch_earns() -> None:
    town, codes, posted = bound_late(TOUCHED - timedelta(seconds=1))
    assert "review_pending" == codes["won_commission"]
    assert sum(posted) == sum(row["amount_minor"] for row in town.world.client.dump()[BOOKS])
    assert sum(posted) >= 200_000

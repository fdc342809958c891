"""The worked example through the ledger: each step posts the difference, to the cent."""

from __future__ import annotations

from datetime import timedelta

import pytest

from shared.adapters.dynamodb.books import movements_of_book
from shared.domain import books
from shared.usecases.mature_rewards import mature_rewards
from tests.builders.ledger import BOOKS, Stored
from tests.builders.money import DAY, START, Story


def balances(stored: Stored, holder_id: str = "ptr_1") -> dict[str, int]:
    book = stored.ledger.book(holder_id, "prg_1")
    return {name.split("|")[0]: amount for name, amount in book.balances.items()}


def assert_books_are_whole(stored: Stored, holder_id: str = "ptr_1") -> None:
    book = stored.ledger.book(holder_id, "prg_1")
    rows = movements_of_book(stored.client, BOOKS, holder_id, "prg_1")
    assert books.broken_at(rows) is None
    assert books.fold(rows) == book.balances
    assert sum(book.balances.values()) == 0
    assert len(rows) == book.seq


def won_story() -> Story:
    story = Story().submitted().reviewed("accepted")
    return story.amount("20000.00").stage("qualified").stage("won")


def test_worked_example_step_by_step() -> None:
    stored = Stored()
    stored.win_before(2)
    before = balances(stored)["pending"]
    story = Story().submitted()
    stored.submit(story)

    story.reviewed("accepted")
    stored.tell(story)
    stored.settle(story)
    assert balances(stored)["pending"] - before == 5_000

    story.amount("20000.00").stage("qualified")
    stored.tell(story)
    stored.settle(story)
    assert balances(stored)["pending"] - before == 25_000

    story.stage("won")
    stored.tell(story)
    stored.settle(story)
    assert balances(stored)["pending"] - before == 225_000
    assert stored.rewards(story)["lead_discount"].benefit_state == "issued"
    assert dict(stored.rewards(story)["lead_discount"].benefit) == {"percent": "20"}

    story.amount("15000.00")
    stored.tell(story)
    stored.settle(story)
    assert balances(stored)["pending"] - before == 175_000

    story.stage("negotiation")
    stored.tell(story)
    stored.settle(story)
    assert balances(stored)["pending"] - before == 25_000
    assert stored.rewards(story)["lead_discount"].benefit_state == "voided"

    rewon_at = START + 10 * DAY
    story.stage("won", at=rewon_at)
    stored.tell(story)
    stored.settle(story)
    assert balances(stored)["pending"] - before == 175_000
    assert stored.rewards(story)["lead_discount"].benefit_state == "issued"
    assert stored.rewards(story)["won_commission"].release_at == rewon_at + 30 * DAY
    assert_books_are_whole(stored)


def test_nothing_is_posted_twice() -> None:
    stored = Stored()
    story = won_story()
    stored.submit(story)
    assert stored.settle(story).effects == 4
    before = stored.client.dump()
    assert stored.settle(story).effects == 0
    assert stored.client.dump() == before


def test_sixth_win_earns_the_higher_percentage() -> None:
    stored = Stored()
    stored.win_before(5)
    story = Story().submitted().reviewed("accepted").amount("999.99").stage("won")
    stored.submit(story)
    stored.settle(story)
    assert stored.rewards(story)["won_commission"].net_minor == 12_000


def test_rewin_keeps_its_position() -> None:
    stored = Stored()
    stored.win_before(4)
    story = Story().submitted().reviewed("accepted").amount("1000.00").stage("won")
    stored.submit(story)
    stored.settle(story)
    later = Story(referral_id="ref_later", deal_id="L").submitted().reviewed("accepted")
    story.stage("negotiation")
    stored.tell(story)
    stored.settle(story)
    later.amount("1000.00").stage("won")
    stored.submit(later)
    stored.settle(later)
    story.stage("won")
    stored.tell(story)
    stored.settle(story)
    assert stored.rewards(story)["won_commission"].net_minor == 10_000
    assert stored.rewards(later)["won_commission"].net_minor == 10_000
    assert stored.ledger.standing("ptr_1", "prg_1").sums == {"count:won:lifetime": 6}


def test_review_holds_rewards_until_it_is_decided() -> None:
    stored = Stored()
    story = Story().submitted().amount("20000.00").stage("won")
    stored.submit(story)
    stored.settle(story)
    reward = stored.rewards(story)["won_commission"]
    assert (reward.state, reward.pending_minor) == ("held", 200_000)
    assert list(stored.ledger.due(START + 400 * DAY, 100)) == []
    story.reviewed("accepted")
    stored.tell(story)
    stored.settle(story)
    assert stored.rewards(story)["won_commission"].state == "pending"
    assert len(list(stored.ledger.due(START + 400 * DAY, 100))) == 3


@pytest.mark.parametrize("state", ["rejected", "withdrawn", "spam", "expired"])
def test_closed_review_takes_everything_back(state: str) -> None:
    stored = Stored()
    story = Story().submitted().amount("20000.00").stage("won")
    stored.submit(story)
    stored.settle(story)
    story.reviewed(state)
    stored.tell(story)
    stored.settle(story)
    assert {"reversed", "voided"} == {reward.state for reward in stored.rewards(story).values()}
    assert balances(stored) == {"expense": 0, "pending": 0}
    assert_books_are_whole(stored)


def test_holds_that_end_become_payable_once() -> None:
    stored = Stored()
    story = won_story()
    stored.submit(story)
    stored.settle(story)
    early = mature_rewards(stored.ledger, now=START + 30 * DAY, new_id=stored.new_id, limit=100)
    assert early.released == 0
    late = START + 31 * DAY
    first = mature_rewards(stored.ledger, now=late, new_id=stored.new_id, limit=100)
    second = mature_rewards(stored.ledger, now=late, new_id=stored.new_id, limit=100)
    assert (first.released, second.released) == (3, 0)
    assert balances(stored) == {"expense": -225_000, "pending": 0, "payable": 225_000}
    assert_books_are_whole(stored)


def test_unwin_after_maturity_claws_back_and_rewin_waits_again() -> None:
    stored = Stored()
    story = won_story()
    stored.submit(story)
    stored.settle(story)
    mature_rewards(stored.ledger, now=START + 31 * DAY, new_id=stored.new_id, limit=100)
    story.stage("negotiation", at=START + 40 * DAY)
    stored.tell(story)
    stored.settle(story)
    assert balances(stored)["payable"] == 25_000
    rewon_at = START + 50 * DAY
    story.stage("won", at=rewon_at)
    stored.tell(story)
    stored.settle(story)
    reward = stored.rewards(story)["won_commission"]
    assert (reward.pending_minor, reward.clawed_back_minor) == (200_000, 200_000)
    assert reward.release_at == rewon_at + 30 * DAY
    assert_books_are_whole(stored)


def test_increase_after_maturity_is_a_lot_with_its_own_hold() -> None:
    stored = Stored()
    story = won_story()
    stored.submit(story)
    stored.settle(story)
    mature_rewards(stored.ledger, now=START + 31 * DAY, new_id=stored.new_id, limit=100)
    raised_at = START + 40 * DAY
    story.amount("30000.00", at=raised_at)
    stored.tell(story)
    stored.settle(story)
    reward = stored.rewards(story)["won_commission"]
    assert (reward.payable_minor, reward.pending_minor) == (200_000, 100_000)
    assert reward.release_at == raised_at + 30 * DAY


def test_decrease_takes_pending_lots_before_payable() -> None:
    stored = Stored()
    story = won_story()
    stored.submit(story)
    stored.settle(story)
    mature_rewards(stored.ledger, now=START + 31 * DAY, new_id=stored.new_id, limit=100)
    story.amount("30000.00", at=START + 40 * DAY)
    stored.tell(story)
    stored.settle(story)
    story.amount("15000.00", at=START + 41 * DAY)
    stored.tell(story)
    stored.settle(story)
    reward = stored.rewards(story)["won_commission"]
    assert (reward.payable_minor, reward.pending_minor) == (150_000, 0)
    assert (reward.reversed_minor, reward.clawed_back_minor) == (100_000, 50_000)
    assert_books_are_whole(stored)


def test_unattributed_referral_earns_nothing_for_partners_and_says_so() -> None:
    stored = Stored()
    story = Story(partner_id="").submitted().reviewed("accepted").amount("20000.00").stage("won")
    stored.submit(story)
    stored.settle(story)
    aggregate = stored.ledger.load(story.referral_id)
    assert aggregate is not None
    codes = {line.rule_id: line.code for line in aggregate.trace}
    assert codes["won_commission"] == "no_partner"
    assert codes["lead_discount"] == "granted"


def test_every_rule_has_a_line_from_the_start() -> None:
    stored = Stored()
    story = Story().submitted()
    stored.submit(story)
    stored.settle(story)
    aggregate = stored.ledger.load(story.referral_id)
    assert aggregate is not None
    assert {line.rule_id: line.code for line in aggregate.trace} == dict.fromkeys(
        ["accepted_bonus", "qualified_bonus", "won_commission", "lead_discount"],
        "milestone_not_reached",
    )


def test_unknown_referral_is_nothing_to_do() -> None:
    stored = Stored()
    assert stored.settle(Story(referral_id="ref_none")).effects == 0


def test_release_dates_follow_the_receipt_not_the_senders_clock() -> None:
    stored = Stored()
    story = Story().submitted().reviewed("accepted").amount("100.00")
    won_at = START + timedelta(hours=9)
    story.stage("won", at=won_at, received_at=won_at + 3 * DAY)
    stored.submit(story)
    stored.settle(story)
    assert stored.rewards(story)["won_commission"].release_at == won_at + 33 * DAY

"""A fault at any AWS call of the posting, then redelivery: the same books as without it."""

from __future__ import annotations

import threading
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest

from shared.adapters.dynamodb.books import movements_of_book
from shared.domain import books
from shared.domain.errors import GoodwordError, StaleVersionError
from shared.usecases.mature_rewards import mature_rewards
from tests.builders.faults import FAULTS, Crash, at_call, raiser
from tests.builders.ledger import BOOKS, Stored
from tests.builders.money import DAY, START, Story

if TYPE_CHECKING:
    from collections.abc import Callable


def prepared() -> tuple[Stored, Story]:
    """Return a store in which a won deal was lowered and the referral is not settled yet."""
    stored = Stored()
    stored.win_before(2)
    story = Story().submitted().reviewed("accepted").amount("20000.00").stage("won")
    stored.submit(story)
    stored.settle(story)
    story.amount("15000.00").stage("negotiation").stage("won").amount("16000.00")
    stored.tell(story)
    return stored, story


def first_time() -> tuple[Stored, Story]:
    """Return a store with a won deal of which nothing is posted yet."""
    stored = Stored()
    stored.win_before(2)
    story = Story().submitted().reviewed("accepted").amount("20000.00").stage("won")
    stored.submit(story)
    return stored, story


RICH = {
    "name": "rich",
    "caps": [
        {"id": "partner", "scope": "partner", "per": "calendar_year", "limit": "900.00"},
        {"id": "budget", "scope": "program", "per": "lifetime", "limit": "1000.00"},
    ],
    "rules": [
        {
            "id": "won_commission",
            "beneficiary": "partner",
            "milestone": "won",
            "kind": "cash",
            "value": {"percent": "10", "of": "deal_amount"},
            "tiers": {
                "by": "revenue",
                "mode": "retroactive",
                "milestone": "won",
                "steps": [{"from": "5000.00", "percent": "12"}],
            },
            "hold_days": 5,
        },
        {
            "id": "pair",
            "beneficiary": "partner",
            "milestone": "won",
            "kind": "cash",
            "occurrence": "every_nth",
            "nth": 2,
            "value": {"fixed": "70.00"},
            "hold_days": 5,
        },
    ],
}


def rich() -> tuple[Stored, Story]:
    """Return a store with limits, true-ups and counts, where a second deal waits to be posted."""
    stored = Stored(RICH)
    stored.enrol()
    stored.win_before(1)
    stored.settle_partner()
    story = Story().submitted().reviewed("accepted").amount("20000.00").stage("won")
    stored.submit(story)
    stored.settle(story)
    story.amount("6000.00")
    stored.tell(story)
    return stored, story


def engaged() -> tuple[Stored, Story]:
    """Return a store where the first referral that earns, after two that don't, waits."""
    asked = {"minimum_engagement": {"accepted_referrals": 2}}
    stored = Stored({**RICH, "eligibility": asked})
    stored.enrol()
    stored.win_before(2)
    story = Story().submitted().reviewed("accepted").amount("3000.00").stage("won")
    stored.submit(story)
    return stored, story


def run(stored: Stored, story: Story) -> None:
    stored.settle(story, now=START + DAY)
    stored.settle_partner(now=START + DAY)
    mature_rewards(stored.ledger, now=START + 40 * DAY, new_id=stored.new_id, limit=100)


def essence(stored: Stored) -> dict[str, Any]:
    """Return the store without what two honest runs may number differently."""
    rows = []
    for table, items in stored.client.dump().items():
        for item in items:
            if item["pk"].startswith("OUT#"):
                continue
            skip = {"movement_id", "hash", "prev_hash", "head", "version", "program_sk"}
            kept = {k: v for k, v in item.items() if k not in skip and k != "program_pk"}
            rows.append((table, kept))
    return {"rows": sorted(rows, key=lambda row: (row[0], row[1]["pk"], row[1].get("sk", "")))}


def assert_whole(stored: Stored) -> None:
    for holder in ("ptr_1", "led_1"):
        rows = movements_of_book(stored.client, BOOKS, holder, "prg_1")
        book = stored.ledger.book(holder, "prg_1")
        assert books.broken_at(rows) is None
        assert books.fold(rows) == book.balances
        assert 0 == sum(book.balances.values())


def events_of(stored: Stored) -> int:
    return sum(row["pk"].startswith("OUT#") for row in stored.client.dump()["test-core"])


@pytest.mark.parametrize("prepare", [first_time, prepared, rich, engaged])
@pytest.mark.parametrize("kind", FAULTS)
def test_fault_at_every_call_then_redelivery(
    prepare: Callable[[], tuple[Stored, Story]], kind: str
) -> None:
    clean, story = prepare()
    start = len(clean.client.calls)
    run(clean, story)
    calls = len(clean.client.calls) - start
    expected, expected_events = essence(clean), events_of(clean)
    assert calls > 10
    place, make = FAULTS[kind]
    for point in range(calls):
        stored, story = prepare()
        getattr(stored.client, place)["*"] = at_call(point, raiser(make))
        with suppress(Crash, GoodwordError):
            run(stored, story)
        stored.client.before.clear()
        stored.client.after.clear()
        run(stored, story)
        run(stored, story)
        assert expected == essence(stored), f"{kind} at call {point}"
        assert expected_events == events_of(stored), f"{kind} at call {point}"
        assert_whole(stored)


def test_two_at_once_post_once() -> None:
    clean, story = first_time()
    run(clean, story)
    for _ in range(20):
        stored, story = first_time()
        threads = [threading.Thread(target=stored.settle, args=(story,)) for _ in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        stored.settle(story)
        commission = stored.rewards(story)["won_commission"]
        assert (200_000, 1) == (commission.net_minor, commission.sequence)
        assert {"count:won:lifetime": 3} == stored.ledger.standing("ptr_1", "prg_1").sums
        assert_whole(stored)


def interleaved(
    prepare: Callable[[], tuple[Stored, Story]],
    first: Callable[[Stored, Story], object],
    second: Callable[[Stored, Story], object],
) -> list[tuple[Stored, Story]]:
    """Run ``second`` whole between any two calls of ``first``; return every end."""
    clean, story = prepare()
    start = len(clean.client.calls)
    first(clean, story)
    ends = []
    for point in range(len(clean.client.calls) - start):
        stored, story = prepare()
        stored.client.before["*"] = at_call(point, partial(second, stored, story))
        first(stored, story)
        stored.client.before.clear()
        ends.append((stored, story))
    assert ends
    return ends


def settle(stored: Stored, story: Story) -> None:
    stored.settle(story)


def release(stored: Stored, _story: Story) -> None:
    mature_rewards(stored.ledger, now=START + 40 * DAY, new_id=stored.new_id, limit=100)


def leave_won(stored: Stored, story: Story) -> None:
    story.stage("negotiation")
    stored.tell(story)
    stored.settle(story)


def win_another(stored: Stored, _story: Story) -> None:
    other = Story(referral_id="ref_2", deal_id="D-2").submitted().reviewed("accepted")
    other.amount("500.00").stage("won")
    stored.submit(other)
    stored.settle(other)


def settled() -> tuple[Stored, Story]:
    stored, story = first_time()
    stored.settle(story)
    return stored, story


def test_other_run_between_any_two_calls_posts_once() -> None:
    for stored, story in interleaved(first_time, settle, settle):
        commission = stored.rewards(story)["won_commission"]
        assert (200_000, 1) == (commission.net_minor, commission.sequence)
        assert {"count:won:lifetime": 3} == stored.ledger.standing("ptr_1", "prg_1").sums
        assert_whole(stored)


def test_fact_that_arrives_between_any_two_calls_is_not_overlooked() -> None:
    for stored, story in interleaved(first_time, settle, leave_won):
        aggregate = stored.ledger.load(story.referral_id)
        assert aggregate is not None
        lines = {line.rule_id: line.code for line in aggregate.trace}
        assert ("milestone_left", "milestone_left") == (
            lines["won_commission"],
            lines["lead_discount"],
        )
        rewards = stored.rewards(story)
        assert 20_000 == rewards["qualified_bonus"].net_minor
        assert "won_commission" not in rewards or not rewards["won_commission"].net_minor
        assert "lead_discount" not in rewards or "voided" == rewards["lead_discount"].state
        assert {"count:won:lifetime": 2} == stored.ledger.standing("ptr_1", "prg_1").sums
        assert_whole(stored)


def test_other_referral_of_the_partner_between_any_two_calls_keeps_the_book_whole() -> None:
    for stored, story in interleaved(first_time, settle, win_another):
        assert 200_000 == stored.rewards(story)["won_commission"].net_minor
        other = stored.ledger.load("ref_2")
        assert other is not None
        assert {5_000} == {r.net_minor for r in other.rewards if r.rule_id == "won_commission"}
        assert {"count:won:lifetime": 4} == stored.ledger.standing("ptr_1", "prg_1").sums
        assert_whole(stored)


def test_release_and_reversal_at_the_same_time_keep_the_book_whole() -> None:
    for first, second in ((release, leave_won), (leave_won, release)):
        for stored, story in interleaved(settled, first, second):
            release(stored, story)
            reward = stored.rewards(story)["won_commission"]
            assert (0, 0) == (reward.net_minor, reward.pending_minor)
            assert {"pending": 0} == {
                name.split("|")[0]: amount
                for name, amount in stored.ledger.book("ptr_1", "prg_1").balances.items()
                if name.startswith("pending")
            }
            assert_whole(stored)


def test_books_refuse_a_second_row_even_if_the_rewards_were_lost() -> None:
    stored, story = settled()
    rows = movements_of_book(stored.client, BOOKS, "ptr_1", "prg_1")
    for reward in stored.rewards(story).values():
        key = {
            "pk": {"S": f"REF#{story.referral_id}"},
            "sk": {"S": f"REWARD#{'#'.join(reward.identity)}"},
        }
        stored.client.delete_item(TableName="test-core", Key=key)
    with pytest.raises(StaleVersionError):
        stored.settle(story)
    assert rows == movements_of_book(stored.client, BOOKS, "ptr_1", "prg_1")
    assert_whole(stored)

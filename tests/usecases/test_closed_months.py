"""A month closes by itself: no writer posts before what is posted, whatever its clock says."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from shared.adapters.dynamodb import keys
from shared.adapters.dynamodb.books import movements_of_book
from shared.adapters.dynamodb.transactions import put, transact
from shared.domain.books import broken_at
from shared.domain.periods import period_key
from tests.builders.ledger import BOOKS, CORE, Stored
from tests.builders.money import Story

if TYPE_CHECKING:
    from shared.domain.books import Movement

TURN = datetime(2026, 4, 1, tzinfo=UTC)
FAST, SLOW = TURN + timedelta(minutes=10), TURN - timedelta(minutes=10)


def won(stored: Stored, referral_id: str) -> Story:
    story = Story(referral_id=referral_id).submitted().reviewed("accepted")
    stored.submit(story.amount("1000.00").stage("won"))
    return story


def rows(stored: Stored) -> tuple[Movement, ...]:
    return movements_of_book(stored.client, BOOKS, "ptr_1", "prg_1")


def months(stored: Stored) -> list[str]:
    return [period_key("month", row.posted_at, "UTC") for row in rows(stored)]


def test_a_slow_clock_posts_into_the_month_that_has_begun() -> None:
    stored = Stored()
    first, second = won(stored, "ref_1"), won(stored, "ref_2")
    stored.settle(first, now=FAST)
    stored.settle(second, now=SLOW)
    assert {"2026-04"} == set(months(stored))
    assert {FAST} == {row.posted_at for row in rows(stored)}
    assert broken_at(rows(stored)) is None
    # What happened when is told beside it, and stays as it was.
    assert {story.facts[-1].occurred_at for story in (first, second)} <= {
        row.effective_at for row in rows(stored)
    }


def test_a_slow_writer_that_is_overtaken_looks_at_the_book_again() -> None:
    stored = Stored()
    slow, fast = won(stored, "ref_1"), won(stored, "ref_2")

    def overtake(request: dict[str, Any]) -> None:
        if BOOKS in str(request):
            del stored.client.before["transact_write_items"]
            stored.settle(fast, now=FAST)

    stored.client.before["transact_write_items"] = overtake
    stored.settle(slow, now=SLOW)
    assert stored.rewards(slow).keys() == stored.rewards(fast).keys()
    assert {FAST} == {row.posted_at for row in rows(stored)}
    assert broken_at(rows(stored)) is None


def test_each_book_has_its_own_months() -> None:
    stored = Stored()
    stored.settle(won(stored, "ref_1"), now=FAST)
    other = Story(referral_id="ref_3", partner_id="ptr_2").submitted().reviewed("accepted")
    stored.submit(other.amount("1000.00").stage("won"))
    stored.settle(other, now=SLOW)
    found = movements_of_book(stored.client, BOOKS, "ptr_2", "prg_1")
    assert {SLOW} == {row.posted_at for row in found}


def test_a_book_from_before_it_knew_its_last_day_goes_on() -> None:
    stored = Stored()
    stored.settle(won(stored, "ref_1"), now=SLOW)
    book = keys.book("ptr_1", "prg_1")
    (row,) = [row for row in stored.client.dump()[CORE] if (row["pk"], row["sk"]) == book]
    assert SLOW.isoformat() == row.pop("posted_at")
    transact(stored.client, [put(CORE, book, row)])
    stored.settle(won(stored, "ref_2"), now=FAST)
    assert ["2026-03", "2026-04"] == sorted(set(months(stored)))
    assert broken_at(rows(stored)) is None

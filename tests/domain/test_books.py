"""The books: two sides to every movement, one chain to every book."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.domain.books import GENESIS, Book, Movement, broken_at, chain_hash, fold, post
from shared.domain.periods import period_key
from shared.domain.rewards import CLAW_BACK, EARN, MATURE, REVERSE, Change, Reward, Step
from tests.builders.money import START


def change(*steps: tuple[str, int, int]) -> Change:
    reward = Reward(
        reward_id="rwd_1",
        subject_id="ref_1",
        program_id="prg_1",
        rule_id="rule",
        occurrence="once",
        role="partner",
        holder_id="ptr_1",
        kind="cash",
        currency="USD",
        terms_version=1,
        effective_at=START,
    )
    rows = tuple(Step(step=name, sequence=n, amount_minor=amount) for name, n, amount in steps)
    return Change(reward=reward, steps=rows, cause=("fct_1",))


def written(*steps: tuple[str, int, int]) -> tuple[Book, tuple[Movement, ...]]:
    book = Book(holder_id="ptr_1", program_id="prg_1")
    return post(
        book, change(*steps), now=START, movement_ids=[f"mov_{n}" for n, _ in enumerate(steps)]
    )


@pytest.mark.parametrize(
    ("step", "debit", "credit"),
    [
        (EARN, "expense", "pending"),
        (MATURE, "pending", "payable"),
        (REVERSE, "pending", "expense"),
        (CLAW_BACK, "payable", "expense"),
    ],
)
def test_each_step_has_its_two_accounts(step: str, debit: str, credit: str) -> None:
    _, (row,) = written((step, 1, 100))
    assert (debit, credit, 100) == (row.debit, row.credit, row.amount_minor)


def test_balances_are_the_fold_of_the_rows_and_sum_to_zero() -> None:
    book, rows = written((EARN, 1, 500), (REVERSE, 2, 200), (MATURE, 1, 300), (CLAW_BACK, 3, 900))
    assert fold(rows) == book.balances
    assert 0 == sum(book.balances.values())
    assert (0, -600) == (
        book.balance("pending", "cash", "USD"),
        book.balance("payable", "cash", "USD"),
    )
    assert 0 == book.balance("paid", "cash", "USD")


def test_natural_keys_name_the_movement_not_the_attempt() -> None:
    _, (earned, matured) = written((EARN, 1, 500), (MATURE, 1, 500))
    assert "MOV#referral#ref_1#rule#once#partner#000001" == earned.natural_key
    assert "MAT#rwd_1#000001" == matured.natural_key


def test_chain_starts_at_genesis_and_links() -> None:
    book, (first, second) = written((EARN, 1, 5), (EARN, 2, 6))
    assert (GENESIS, first.hash, second.hash) == (first.prev_hash, second.prev_hash, book.head)
    assert (1, 2, 2) == (first.seq, second.seq, book.seq)


ROWS = written(*[(EARN, n, 10 * n) for n in range(1, 9)])[1]


def test_whole_chain_verifies() -> None:
    assert broken_at(ROWS) is None
    assert broken_at([]) is None


@given(st.integers(0, 7), st.sampled_from(["amount_minor", "seq", "debit", "movement_id", "cause"]))
def test_any_changed_row_is_found(place: int, name: str) -> None:
    other: dict[str, Any] = {
        "amount_minor": 7,
        "seq": 99,
        "debit": "paid",
        "movement_id": "mov_x",
        "cause": (),
    }
    rows = list(ROWS)
    rows[place] = replace(rows[place], **{name: other[name]})
    assert place == broken_at(rows)


@given(st.integers(0, 6))
def test_removed_and_swapped_rows_are_found(place: int) -> None:
    removed = [*ROWS[:place], *ROWS[place + 1 :]]
    assert place == broken_at(removed)
    swapped = [*ROWS]
    swapped[place], swapped[place + 1] = swapped[place + 1], swapped[place]
    assert place == broken_at(swapped)


TURN = datetime(2026, 4, 1, tzinfo=UTC)


def posted(*clocks: datetime) -> list[Movement]:
    """Post one movement after another, each by a writer with a clock of its own."""
    book = Book(holder_id="ptr_1", program_id="prg_1")
    rows: list[Movement] = []
    for number, now in enumerate(clocks, start=1):
        step = change((EARN, number, 5))
        book, new = post(book, step, now=now, movement_ids=[f"mov_{number}"])
        rows += new
    return rows


def test_nothing_is_posted_before_what_is_posted() -> None:
    skew = timedelta(minutes=10)
    rows = posted(TURN - skew, TURN + skew, TURN - skew, TURN, TURN + 2 * skew)
    assert [TURN - skew, TURN + skew, TURN + skew, TURN + skew, TURN + 2 * skew] == [
        row.posted_at for row in rows
    ]
    assert broken_at(rows) is None


@given(
    st.lists(st.integers(-10, 10), min_size=1, max_size=8), st.sampled_from(["UTC", "Asia/Tokyo"])
)
def test_a_month_that_has_a_later_row_is_closed(minutes: list[int], zone: str) -> None:
    rows = posted(*(TURN + timedelta(minutes=each) for each in minutes))
    months = [period_key("month", row.posted_at, zone) for row in rows]
    assert sorted(months) == months


def test_a_row_that_was_posted_into_the_past_breaks_the_chain() -> None:
    """A writer that forgets to look at the last row: every hash is right, and the date is not."""
    rows = posted(TURN, TURN, TURN)
    early = replace(rows[1], posted_at=TURN - timedelta(seconds=1), hash="")
    early = replace(early, hash=chain_hash(early))
    last = replace(rows[2], prev_hash=early.hash, hash="")
    forged = [rows[0], early, replace(last, hash=chain_hash(last))]
    assert 1 == broken_at(forged)


def test_a_change_without_movements_leaves_the_book_as_it_was() -> None:
    book = Book(holder_id="ptr_1", program_id="prg_1", posted_at=TURN)
    assert (book, ()) == post(book, change(), now=TURN + timedelta(days=1), movement_ids=[])


def test_rewritten_row_with_a_fresh_hash_breaks_the_next_link() -> None:
    forged = replace(ROWS[3], amount_minor=1, hash="")
    rows = [*ROWS[:3], replace(forged, hash=chain_hash(forged)), *ROWS[4:]]
    assert 4 == broken_at(rows)


def test_a_chain_begins_where_every_stored_chain_began() -> None:
    _, (first,) = written((EARN, 1, 500))
    assert ("0" * 64, 1) == (first.prev_hash, first.seq)


def test_a_movement_names_its_referral_unless_it_is_of_a_partners_file() -> None:
    _, (row,) = written((EARN, 1, 500))
    assert "ref_1" == row.referral_id
    assert not replace(row, scope="partner", subject_id="ptr_1").referral_id


def test_what_has_no_one_spelling_is_never_hashed() -> None:
    _, (row,) = written((EARN, 1, 500))
    unknown: Any = (b"fct_1",)
    with pytest.raises(TypeError):
        chain_hash(replace(row, cause=unknown))


def test_a_movement_is_dated_by_its_writer_and_by_what_it_is_for() -> None:
    book = Book(holder_id="ptr_1", program_id="prg_1")
    book, (row,) = post(book, change((EARN, 1, 5)), now=TURN, movement_ids=["mov_1"])
    assert (TURN, START, TURN) == (row.posted_at, row.effective_at, book.posted_at)
    assert ("mov_1", "ptr_1", ("fct_1",)) == (row.movement_id, row.holder_id, row.cause)

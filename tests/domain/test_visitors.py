from __future__ import annotations

import random
from functools import reduce
from operator import or_

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.domain.visitors import KNOWN, NOBODY, REGISTERS, Visitors, visitors_of

STANDARD_ERROR = 1.04 / REGISTERS**0.5
MARKS = st.lists(st.integers(min_value=0, max_value=3 * KNOWN), max_size=2 * KNOWN)


def people(numbers: range, seed: int = 0) -> Visitors:
    """Visitors with marks as hashes are."""
    marks = (random.Random(f"{seed}/{number}").getrandbits(48) for number in numbers)  # noqa: S311
    return visitors_of(f"{mark:012x}" for mark in marks)


def crowd(size: int, seed: int) -> Visitors:
    """So many visitors, quickly, as the counter remembers them."""
    chance = random.Random(seed)  # noqa: S311 - chance, not a secret
    return visitors_of(f"{chance.getrandbits(48):012x}" for _ in range(size)).kept()


def test_nobody_is_none() -> None:
    assert (0, False) == (NOBODY.number, NOBODY.estimated)
    assert NOBODY == NOBODY.kept() == NOBODY | NOBODY
    assert 0 == Visitors(registers=bytes(REGISTERS)).number


def test_few_are_counted_exactly_and_many_are_not() -> None:
    few, more = people(range(KNOWN)), people(range(KNOWN + 1))

    assert (KNOWN, False) == (few.kept().number, few.kept().estimated)
    assert more.kept().estimated
    assert frozenset() == more.kept().known


def test_who_comes_again_is_one() -> None:
    half = people(range(60)) | people(range(40, 80))

    assert 80 == half.number
    assert people(range(500)).kept() == people(range(500)).kept() | people(range(200, 300))
    assert people(range(500)).kept() == people(range(300)).kept() | people(range(200, 500)).kept()


def test_exact_numbers_of_several_counters_add_up_exactly() -> None:
    both = people(range(KNOWN)) | people(range(KNOWN, 2 * KNOWN))

    assert (2 * KNOWN, False) == (both.number, both.estimated)


@given(marks=MARKS, chance=st.randoms(use_true_random=False))
def test_order_parts_and_repetition_make_no_difference(
    marks: list[int], chance: random.Random
) -> None:
    texts = [f"{mark * 0x9E3779B97F4A % (1 << 48):012x}" for mark in marks]
    whole = visitors_of(texts).kept()
    again = [*texts, *texts[: chance.randint(0, len(texts))]]
    chance.shuffle(again)
    cut = chance.randint(0, len(again))
    left, right = visitors_of(again[:cut]).kept(), visitors_of(again[cut:]).kept()

    assert whole == (left | right).kept() == (right | left).kept()
    one_by_one = (visitors_of([text]) for text in again)
    assert whole == reduce(lambda sofar, one: (sofar | one).kept(), one_by_one, NOBODY)
    assert whole == reduce(or_, [whole, left, right])


@pytest.mark.parametrize(
    ("size", "crowds"), [(101, 40), (200, 40), (1_000, 40), (10_000, 20), (100_000, 8)]
)
def test_the_error_is_what_the_theory_says(size: int, crowds: int) -> None:
    errors = [crowd(size, seed).number / size - 1 for seed in range(crowds)]

    mean = sum(errors) / crowds
    spread = (sum(error**2 for error in errors) / crowds) ** 0.5
    assert abs(mean) < 3 * STANDARD_ERROR / crowds**0.5
    assert 0.5 * STANDARD_ERROR < spread < 1.4 * STANDARD_ERROR
    assert max(map(abs, errors)) < 4 * STANDARD_ERROR


def test_a_million_are_estimated_too() -> None:
    assert abs(crowd(1_000_000, 1).number / 1_000_000 - 1) < 3 * STANDARD_ERROR


def test_marks_of_zeros_and_of_ones_have_a_place() -> None:
    edge = Visitors(registers=bytes(REGISTERS)) | visitors_of(["0" * 12, "f" * 12])

    assert (24, 1) == (edge.registers[0], edge.registers[-1])
    assert 2 == edge.number

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from shared.domain.activity import (
    BURST_CLICKS,
    Arrival,
    Counter,
    CounterId,
    Figures,
    Judged,
    absorb,
    counters_of,
    figures,
    grouped,
    judge,
    recounted,
)
from shared.domain.visitors import KNOWN
from tests.builders.activity import CRAWLER, NOON, a_click

if TYPE_CHECKING:
    from shared.domain.clicks import Click

DAY = date(2026, 11, 20)
COUNTER = Counter(counter_id=CounterId(program_id="prg_1", day=DAY))


def seen(*numbers: int, is_bot: bool = False) -> list[Judged]:
    return [Judged(sequence=number, click=a_click(number), is_bot=is_bot) for number in numbers]


def taken(counter: Counter, shard: str, *numbers: int, now: datetime = NOON) -> Counter:
    after = absorb(counter, shard, seen(*numbers), now)
    assert after is not None
    return after


def bots_among(*clicks: Click) -> list[str]:
    arrivals = [Arrival(sequence=place, click=one) for place, one in enumerate(clicks)]
    judged = judge(arrivals, lambda agent: agent == CRAWLER)
    assert list(clicks) == [one.click for one in judged]
    return [one.click.click_id for one in judged if one.is_bot]


def burst(*seconds: float, visitor: str = "a" * 12, code: str = "spring") -> list[Click]:
    return [
        a_click(
            place,
            clicked_at=NOON + timedelta(seconds=after),
            visitor=visitor,
            code=code,
            click_id=f"clk_{code}_{visitor[:1]}_{place}",
        )
        for place, after in enumerate(seconds)
    ]


def test_a_click_counts_for_its_link_and_for_its_programme() -> None:
    click = a_click(campaign="spring", asset="banner", clicked_at=datetime(2026, 3, 1, tzinfo=UTC))

    assert (
        CounterId(
            program_id="prg_1",
            day=date(2026, 3, 1),
            partner_id="ptr_1",
            code="spring",
            campaign="spring",
            asset="banner",
        ),
        CounterId(program_id="prg_1", day=date(2026, 3, 1), campaign="spring", asset="banner"),
    ) == counters_of(click)


def test_counters_come_in_the_order_of_their_first_clicks() -> None:
    judged = [
        Judged(sequence=place, click=a_click(place, code=code), is_bot=False)
        for place, code in enumerate(("aaa", "bbb", "aaa"))
    ]

    groups = grouped(judged)

    assert ["aaa", "", "bbb"] == [counter_id.code for counter_id in groups]
    assert [[0, 2], [0, 1, 2], [1]] == [[one.sequence for one in each] for each in groups.values()]


def test_clicks_are_added_once() -> None:
    counter = taken(COUNTER, "s1", 1, 2)

    assert (2, 2) == (counter.clicks, counter.visitors.number)
    assert absorb(counter, "s1", seen(1, 2), NOON) is None
    assert absorb(counter, "s1", seen(2), NOON) is None
    assert 3 == taken(counter, "s1", 2, 3).clicks


def test_shards_have_marks_of_their_own() -> None:
    counter = taken(taken(COUNTER, "s1", 7), "s2", 3)

    assert 2 == counter.clicks
    assert absorb(counter, "s2", seen(3), NOON) is None
    assert 3 == taken(counter, "s2", 4).clicks


def test_sequence_numbers_are_longer_than_a_number_of_the_store() -> None:
    last = 10**40 - 1
    counter = taken(COUNTER, "s1", 9, last - 1)

    assert absorb(counter, "s1", seen(10), NOON) is None
    assert 3 == taken(counter, "s1", last).clicks


def test_marks_go_two_days_after_their_last_use() -> None:
    counter = taken(taken(COUNTER, "old", 1), "used", 1)
    counter = taken(counter, "used", 2, now=NOON + timedelta(hours=47))

    within = taken(counter, "new", 1, now=NOON + timedelta(hours=48))
    after = taken(counter, "new", 1, now=NOON + timedelta(hours=49))

    assert {"old", "used", "new"} == set(within.marks)
    assert {"used", "new"} == set(after.marks)
    assert counter.clicks + 1 == after.clicks


def test_a_sealed_counter_takes_nothing() -> None:
    counter = recounted(COUNTER.counter_id, seen(1, 2), version=4)

    assert (2, True, 4) == (counter.clicks, counter.sealed, counter.version)
    assert absorb(counter, "s1", seen(3), NOON) is None


def test_bots_are_clicks_and_no_visitors() -> None:
    counter = absorb(COUNTER, "s1", [*seen(1), *seen(2, 3, is_bot=True)], NOON)

    assert counter is not None
    found = figures([counter])
    assert (3, 1, 2, 1) == (found.clicks, found.humans, found.bots, found.uniques)


def test_a_visitor_without_a_mark_is_a_human_and_no_unique() -> None:
    click = a_click(visitor="")
    counter = absorb(COUNTER, "s1", [Judged(sequence=1, click=click, is_bot=False)], NOON)

    assert counter is not None
    assert Figures(clicks=1, uniques=0) == figures([counter])


def test_a_visitor_of_two_links_is_one() -> None:
    counters = [taken(COUNTER, "s1", 1, 2), taken(COUNTER, "s1", 2, 3)]

    assert Figures(clicks=4, uniques=3) == figures(counters)
    assert Figures() == figures([])


def test_days_add_up() -> None:
    first = Figures(clicks=3, bots=1, uniques=2)

    assert Figures(clicks=6, bots=2, uniques=4) == first + first
    assert (first + Figures(estimated=True)).estimated


def test_visitors_are_exact_up_to_the_limit_and_estimated_above() -> None:
    below = taken(COUNTER, "s1", *range(KNOWN))
    above = taken(below, "s1", *range(KNOWN, 3 * KNOWN))

    assert Figures(clicks=KNOWN, uniques=KNOWN) == figures([below])
    assert figures([above]).estimated
    assert figures([above]) == figures([above, replace(below, clicks=0)])


def test_a_known_program_is_a_bot() -> None:
    assert ["clk_000002"] == bots_among(a_click(1), a_click(2, user_agent=CRAWLER))


def test_a_burst_of_one_visitor_on_one_link_is_a_scanner() -> None:
    clicks = burst(0, 4, 10)

    assert BURST_CLICKS == len(clicks)
    assert [one.click_id for one in clicks] == bots_among(*clicks)
    assert [one.click_id for one in reversed(clicks)] == bots_among(*reversed(clicks))


@pytest.mark.parametrize(
    "clicks",
    [
        burst(0, 1),
        burst(0, 4, 10.001),
        [*burst(0, 1), *burst(2, 3, visitor="b" * 12)],
        [*burst(0, 1), *burst(2, 3, code="autumn")],
        burst(0, 1, 2, 3, visitor=""),
    ],
    ids=["twice", "slowly", "two visitors", "two links", "unknown visitor"],
)
def test_what_is_no_burst(clicks: list[Click]) -> None:
    assert [] == bots_among(*clicks)


def test_a_person_who_comes_back_later_stays_one_beside_a_burst() -> None:
    clicks = burst(0, 1, 2, 60)

    assert [one.click_id for one in clicks[:3]] == bots_among(*clicks)

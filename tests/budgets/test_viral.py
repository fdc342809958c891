"""The load test sees clicks that are lost, doubled, under a hot key, or miscounted."""

from __future__ import annotations

import hashlib
from itertools import count
from typing import TYPE_CHECKING, Any

import pytest

from bench import viral
from bench.viral import Check, Followed
from shared.runtime.ids import base32, new_id

if TYPE_CHECKING:
    from collections.abc import Iterable

CLICKS = 2_000
IDS = [new_id("clk") for _ in range(CLICKS)]
TOTALS = {
    "clicks": CLICKS,
    "humans": CLICKS,
    "bots": 0,
    "uniques": CLICKS // 2,
    "uniques_estimated": False,
}
LINK = {"pk": "LINK#spring", "sk": "META", "version": 1}
COUNTER = {"pk": "ACT#prg_1#ptr_1", "sk": "2026-11-22#spring##"}


def followed(**changes: Any) -> Followed:  # noqa: ANN401 - any of its fields
    values: dict[str, Any] = {"statuses": {302: CLICKS}, "click_ids": IDS, "seconds": 1.0}
    return Followed(**values | changes)


def rows(ids: Iterable[str]) -> list[dict[str, Any]]:
    places = enumerate(ids)
    return [{"pk": one[-4:], "sk": one, "t": 1_000 * (place // 40)} for place, one in places]


def failed(checks: Iterable[Check]) -> list[str]:
    return [check.what for check in checks if not check.holds]


def test_all_is_well() -> None:
    counter = {**COUNTER, "version": 40}

    assert [] == failed(viral.check_clicks(CLICKS, followed(), rows(IDS)))
    assert [] == failed(viral.check_counters(CLICKS, TOTALS, "partner"))
    assert [] == failed(viral.check_shared_rows(CLICKS, [LINK], [LINK, counter]))


def test_a_lost_click_is_seen() -> None:
    assert [
        "rows of clicks",
        "different clicks in them",
        "clicks of tokens that have no row",
    ] == failed(viral.check_clicks(CLICKS, followed(), rows(IDS[1:])))


def test_a_visitor_who_was_not_sent_on_is_seen() -> None:
    result = followed(statuses={302: CLICKS - 1, 503: 1}, click_ids=IDS[1:])

    assert ["visitors who were sent on", "different clicks in their tokens"] == failed(
        viral.check_clicks(CLICKS, result, rows(IDS))
    )


def test_a_key_that_gets_hot_is_seen() -> None:
    hot = [f"{one[:-4]}0000" for one in IDS]

    assert ["most clicks of one partition key within a second"] == failed(
        viral.check_clicks(CLICKS, followed(click_ids=hot), rows(hot))
    )


def test_keys_that_lie_in_one_place_are_seen() -> None:
    keys = (base32(number, 4) for number in count())
    near = (one for one in keys if hashlib.sha256(one.encode()).digest()[0] % 64 < 16)
    crooked = [one[:-4] + lane for one, lane in zip(IDS, near, strict=False)]

    assert ["chi-square of the different keys' hashes over 64 prefixes"] == failed(
        viral.check_clicks(CLICKS, followed(click_ids=crooked), rows(crooked))
    )


def test_a_click_that_is_there_twice_is_seen() -> None:
    same = [IDS[number % 1_000] for number in range(CLICKS)]

    found = failed(viral.check_clicks(CLICKS, followed(click_ids=same), rows(same)))

    assert ["different clicks in their tokens", "different clicks in them"] == found


@pytest.mark.parametrize(
    ("change", "seen"),
    [
        ({"clicks": CLICKS + 1}, "clicks"),
        ({"humans": CLICKS - 1}, "humans"),
        ({"bots": 1}, "bots"),
        ({"uniques": CLICKS // 2 + 1}, "uniques"),
        ({"uniques": CLICKS // 2 * 13 // 10, "uniques_estimated": True}, "uniques"),
    ],
)
def test_a_wrong_figure_is_seen(change: dict[str, Any], seen: str) -> None:
    checks = viral.check_counters(CLICKS, TOTALS | change, "partner")

    assert [f"{seen} of the partner"] == failed(checks)


def test_estimated_uniques_may_be_a_little_off() -> None:
    totals = TOTALS | {"uniques": CLICKS // 2 * 11 // 10, "uniques_estimated": True}

    assert [] == failed(viral.check_counters(CLICKS, totals, "partner"))


def test_a_row_that_is_written_by_each_click_is_seen() -> None:
    counter = {**COUNTER, "version": CLICKS + 3}

    assert ["writes of the counter of the link"] == failed(
        viral.check_shared_rows(CLICKS, [{**COUNTER, "version": 3}], [counter])
    )
    assert ["other rows than counters that changed"] == failed(
        viral.check_shared_rows(CLICKS, [LINK], [{**LINK, "version": 2}])
    )


@pytest.mark.parametrize(("freedom", "table"), [(10, 46.9), (63, 132.0), (100, 182.7)])
def test_chance_is_as_in_the_tables(freedom: int, table: float) -> None:
    """Chi-square that is passed once in a million times."""
    assert abs(viral.chance(freedom) - table) < 1.5

"""Rows of counters: nothing is lost in them, and one write unit is enough."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING

import pytest

from shared import names
from shared.adapters.dynamodb import keys
from shared.adapters.dynamodb.activity import shard_in
from shared.adapters.dynamodb.codec import from_wire, to_wire
from shared.adapters.dynamodb.counter_rows import (
    counter_from,
    counter_row,
    marks_from,
    marks_row,
)
from shared.domain.activity import Counter, CounterId, Mark
from shared.domain.visitors import KNOWN, visitors_of
from tests.fakes.dynamodb_values import row_bytes

if TYPE_CHECKING:
    from shared.adapters.dynamodb.codec import Item

LINK = CounterId(
    program_id="prg_" + "0" * 26,
    partner_id="ptr_" + "1" * 26,
    code="k7m2p9x4qa",
    campaign="spring",
    asset="banner-1",
    day=date(2026, 11, 22),
)
WHOLE = CounterId(program_id="prg_1", campaign="50%#1 %23 %25", asset="", day=LINK.day)


def people(number: int) -> list[str]:
    return [f"{one * 0x9E3779B97F4A % (1 << 48):012x}" for one in range(number)]


def shard(number: int) -> str:
    return shard_in({"shardId": f"shardId-{number:020}-5a5a5a5a"})


def stored(counter: Counter) -> Item:
    """The whole row as the store keeps it."""
    who = counter.counter_id
    parts = (who.code, who.campaign, who.asset) if who.code else (who.campaign, who.asset)
    key = keys.activity(who.program_id, who.partner_id, who.day.isoformat(), *parts)
    return {names.PK: key[0], names.SK: key[1], **counter_row(counter)}


@pytest.mark.parametrize("who", [LINK, WHOLE], ids=["link", "programme"])
@pytest.mark.parametrize("visitors", [0, 1, KNOWN, KNOWN + 1, 5_000])
@pytest.mark.parametrize("sealed", [True, False])
def test_a_counter_comes_back_from_its_row(who: CounterId, visitors: int, *, sealed: bool) -> None:
    counter = Counter(
        counter_id=who,
        clicks=visitors + 2,
        bots=2,
        visitors=visitors_of(people(visitors)).kept(),
        marks={
            shard(number): Mark(sequence=10 ** (20 * number), hour=494_000) for number in (1, 2)
        },
        sealed=sealed,
        version=3,
    )

    found = counter_from(from_wire(to_wire(stored(counter))))

    assert (counter, 4) == (Counter(**{**_fields(found), "version": 3}), found.version)


def _fields(counter: Counter) -> Item:
    return {name: getattr(counter, name) for name in Counter.__slots__}


@pytest.mark.parametrize("visitors", [1, KNOWN, KNOWN + 1, 1_000_000])
def test_a_link_s_day_by_four_shards_that_changed_six_times_is_one_write_unit(
    visitors: int,
) -> None:
    sequence = 4_421_584_500_000_000_017_450_439_091
    counter = Counter(
        counter_id=LINK,
        clicks=10**7,
        bots=10**5,
        visitors=visitors_of(people(min(visitors, 5_000))).kept(),
        marks={shard(number): Mark(sequence=sequence, hour=494_000) for number in range(24)},
        version=10**5,
    )

    assert row_bytes(to_wire(stored(counter))) <= 1_024


def test_marks_of_any_length_come_back() -> None:
    marks = {
        shard(number): Mark(sequence=sequence, hour=number)
        for number, sequence in enumerate((0, 1, 255, 256, 10**40 - 1))
    }

    assert marks == marks_from(marks_row(marks))
    assert {} == marks_from(marks_row({}))


def test_shards_are_told_apart() -> None:
    assert len({shard(number) for number in range(1_000)}) == 1_000
    assert 12 == len(shard(1))

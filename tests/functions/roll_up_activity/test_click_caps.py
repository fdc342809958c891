"""Links that have taken their clicks are closed, once, whatever the stream repeats."""

from __future__ import annotations

from contextlib import suppress
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import ClientError

from shared.adapters.dynamodb import keys
from shared.adapters.dynamodb.click_caps import ClickCaps
from shared.adapters.dynamodb.link_rows import link_row
from shared.adapters.dynamodb.transactions import put, transact, update
from shared.domain.links import Link
from tests.builders.activity import CORE, CRAWLER, NOON, a_click, record_of
from tests.builders.faults import FAULTS, Crash, at_call, raiser

if TYPE_CHECKING:
    from tests.builders.activity import Record
    from tests.functions.roll_up_activity.conftest import World

SINCE = NOON - timedelta(days=1)


def a_link(**changes: Any) -> Link:  # noqa: ANN401 - any of its fields
    values: dict[str, Any] = {
        "code": "spring",
        "program_id": "prg_1",
        "partner_id": "ptr_1",
        "destination": "https://shop.example/",
        "created_at": SINCE,
        "click_cap": 3,
        "cap_from": SINCE,
    }
    return Link(**values | changes)


def store(world: World, link: Link) -> None:
    transact(world.dynamo, [put(CORE, keys.link(link.code), link_row(link))])
    world.dynamo.calls.clear()


def caps(world: World) -> ClickCaps:
    return ClickCaps(client=world.dynamo, core=CORE)


def is_open(world: World, code: str = "spring") -> bool:
    found = caps(world).link(code)
    assert found is not None
    return found.is_live(NOON)


def tallied(world: World) -> int:
    found = caps(world).link("spring")
    assert found is not None
    return caps(world).tally(found).clicks


def records(first: int, last: int, **changes: Any) -> list[Record]:  # noqa: ANN401
    return [record_of(a_click(n, **changes), n) for n in range(first, last + 1)]


def test_a_link_below_its_cap_stays_open(world: World) -> None:
    store(world, a_link())

    assert [] == world.deliver(*records(1, 2))

    assert is_open(world)
    assert 2 == tallied(world)


def test_clicks_whose_links_can_not_be_looked_at_come_again(world: World) -> None:
    store(world, a_link())
    # The first call reads the counters, the second one the links.
    busy = ClientError({"Error": {"Code": "ThrottlingException"}}, "BatchGetItem")
    world.dynamo.before["batch_get_item"] = at_call(1, raiser(lambda: busy))

    assert ["1"] == world.deliver(*records(1, 2))
    assert [] == world.deliver(*records(1, 2))
    assert 2 == tallied(world)


def test_a_link_that_has_taken_its_clicks_is_closed(world: World) -> None:
    store(world, a_link())

    world.deliver(*records(1, 2))
    world.deliver(*records(3, 4))

    assert not is_open(world)
    assert 4 == tallied(world)


def test_other_links_stay_open(world: World) -> None:
    store(world, a_link())
    store(world, a_link(code="autumn"))

    world.deliver(*records(1, 3))

    assert is_open(world, "autumn")


def test_a_link_without_a_cap_is_left_alone(world: World) -> None:
    store(world, a_link(click_cap=0, cap_from=None))

    world.deliver(*records(1, 9))

    assert is_open(world)
    assert [] == [row for row in world.dynamo.dump()[CORE] if row["sk"].startswith("cap#")]


def test_a_click_on_a_link_that_is_gone_is_counted_nowhere_else(world: World) -> None:
    assert [] == world.deliver(*records(1, 3))
    assert {"ACT#prg_1", "ACT#prg_1#ptr_1"} == {row["pk"] for row in world.dynamo.dump()[CORE]}


def test_a_batch_that_comes_again_counts_once(world: World) -> None:
    store(world, a_link())

    for _ in range(3):
        world.deliver(*records(1, 2))

    assert is_open(world)
    assert 2 == tallied(world)


def test_programs_use_up_nothing(world: World) -> None:
    store(world, a_link())

    world.deliver(*records(1, 5, user_agent=CRAWLER))

    assert is_open(world)
    assert 0 == tallied(world)


def test_clicks_before_the_cap_use_up_nothing(world: World) -> None:
    store(world, a_link(cap_from=NOON))
    early = [a_click(n, clicked_at=NOON - timedelta(seconds=30 - n * 9)) for n in range(3)]

    world.deliver(*(record_of(one, place) for place, one in enumerate(early, 1)))
    world.deliver(*records(7, 8))

    assert 2 == tallied(world)


def test_two_shards_add_up(world: World) -> None:
    store(world, a_link())

    world.deliver(*records(1, 2))
    world.deliver(*records(1, 2), shard="shardId-2-b")

    assert 4 == tallied(world)
    assert not is_open(world)


def test_two_shards_at_once_lose_nothing(world: World) -> None:
    store(world, a_link())

    def other() -> None:
        world.dynamo.before.clear()
        world.deliver(*records(1, 2), shard="shardId-2-b")

    world.dynamo.before["transact_write_items"] = at_call(0, other)

    assert [] == world.deliver(*records(5, 6))
    assert 4 == tallied(world)
    assert not is_open(world)


def test_clicks_in_the_moments_after_the_cap_are_counted_too(world: World) -> None:
    store(world, a_link())
    world.deliver(*records(1, 3))

    world.deliver(*records(4, 5))

    assert 5 == tallied(world)


def test_a_cap_that_was_raised_meanwhile_is_the_one_that_counts(world: World) -> None:
    store(world, a_link())

    def raise_it() -> None:
        assign = {"click_cap": 10, "version": 2}
        transact(world.dynamo, [update(CORE, keys.link("spring"), assign=assign)])

    # The first write is the tally's, the second one closes.
    world.dynamo.before["transact_write_items"] = at_call(1, raise_it)

    assert [] == world.deliver(*records(1, 3))
    assert is_open(world)
    assert 3 == tallied(world)


def test_a_cap_that_began_anew_counts_from_zero(world: World) -> None:
    store(world, a_link())
    world.deliver(*records(1, 3))
    store(world, a_link(cap_from=NOON + timedelta(minutes=3, seconds=1)))

    world.deliver(*records(4, 4))

    assert is_open(world)
    assert 1 == tallied(world)


def test_a_store_that_is_down_is_answered_with_the_links_first_record(world: World) -> None:
    store(world, a_link())

    def down(_request: object) -> None:
        raise ClientError({"Error": {"Code": "ThrottlingException"}}, "TransactWriteItems")

    world.dynamo.before["transact_write_items"] = down
    batch = [record_of(a_click(1, code="autumn"), 1), *records(2, 3)]

    assert ["2"] == world.deliver(*batch)


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("point", range(8))
def test_a_fault_at_any_call_ends_in_the_same(world: World, fault: str, point: int) -> None:
    store(world, a_link(click_cap=2))
    when, make = FAULTS[fault]
    hook = at_call(point, raiser(make))
    hooks = world.dynamo.before if when == "before" else world.dynamo.after
    for name in ("get_item", "put_item", "transact_write_items"):
        hooks[name] = hook

    with suppress(Crash):
        world.deliver(*records(1, 2))
    hooks.clear()
    world.deliver(*records(1, 2))

    assert 2 == tallied(world)
    assert not is_open(world)


def test_a_tally_lies_behind_the_counters_of_every_day() -> None:
    last_counter = keys.activity("prg_1", "ptr_1", "9999-12-31", "zzz")

    assert keys.cap_tally("prg_1", "ptr_1", "a", SINCE.isoformat()) > last_counter

"""The meter's own arithmetic, against figures worked out by hand from the documented rules."""

from __future__ import annotations

from typing import Any

import pytest

from bench.meter import Meter
from shared import names
from shared.adapters.dynamodb.client import get, get_many, query
from shared.adapters.dynamodb.transactions import (
    ABSENT,
    ConditionFailedError,
    check,
    put,
    put_new,
    transact,
    update,
)
from tests.fakes.memory_dynamodb import MemoryDynamo

CORE = "test-core"
KEY = ("REF#1", "META")
# "pk", "sk" and "x" are 5 bytes of names, "REF#1" and "META" 9 of values.
OVERHEAD = 14


def row_of(size: int) -> dict[str, Any]:
    return {"x": "x" * (size - OVERHEAD)}


def stored(*sizes: int) -> MemoryDynamo:
    client = MemoryDynamo()
    for number, size in enumerate(sizes):
        key = (KEY[0], "META" if not number else f"M{number:03d}")
        transact(client, [put(CORE, key, row_of(size))])
    return client


@pytest.mark.parametrize(("size", "units"), [(100, 1), (4096, 1), (4097, 2), (8193, 3)])
def test_a_consistent_read_takes_a_unit_for_each_4_kb_begun(size: int, units: int) -> None:
    client = stored(size)
    meter = Meter(client=client)

    get(client, CORE, KEY)

    usage = meter.taken()
    assert (units, 1, 1) == (usage.read_units, usage.rows_read, usage.round_trips)


@pytest.mark.parametrize(("consistent", "units"), [(True, 4), (False, 2)])
def test_rows_read_together_take_units_each_and_absent_ones_too(
    *, consistent: bool, units: float
) -> None:
    client = stored(4097, 100)
    meter = Meter(client=client)

    get_many(client, CORE, [KEY, (KEY[0], "M001"), (KEY[0], "none")], consistent=consistent)

    usage = meter.taken()
    assert (units, 2, 1) == (usage.read_units, usage.rows_read, usage.round_trips)
    assert ["get together: REF/M001, REF/META, REF/none"] == usage.labels


def test_a_read_of_nothing_takes_a_unit_and_no_row() -> None:
    client = stored()
    meter = Meter(client=client)

    get(client, CORE, KEY)

    usage = meter.taken()
    assert (["get REF/META"], 1, 0) == (usage.labels, usage.read_units, usage.rows_read)


def test_an_inconsistent_read_takes_half() -> None:
    client = stored(4097)
    meter = Meter(client=client)

    client.get_item(TableName=CORE, Key={"pk": {"S": KEY[0]}, "sk": {"S": KEY[1]}})

    assert 1.0 == meter.taken().read_units


def test_a_query_is_rounded_up_once() -> None:
    client = stored(3000, 3000, 3000)
    meter = Meter(client=client)

    rows = list(query(client, CORE, KEY[0]))

    usage = meter.taken()
    assert (3, 3, 1) == (len(rows), usage.read_units, usage.round_trips)
    assert 3 == usage.rows_read


def test_every_page_of_a_query_is_a_round_trip() -> None:
    client = stored(*[400_000] * 4)
    meter = Meter(client=client)

    list(query(client, CORE, KEY[0], prefix="M"))

    usage = meter.taken()
    # The third row passes 1 MB and ends the page.
    assert ["query REF M", "query REF M"] == usage.labels
    assert [293, 98] == [call.read_units for call in usage.calls]


@pytest.mark.parametrize(("size", "units"), [(100, 2), (1024, 2), (1025, 4), (2049, 6)])
def test_a_write_in_a_transaction_takes_two_units_for_each_kb_begun(size: int, units: int) -> None:
    client = stored()
    meter = Meter(client=client)

    transact(client, [put(CORE, KEY, row_of(size))])

    usage = meter.taken()
    assert (["transact: put REF/META"], units, 1) == (
        usage.labels,
        usage.write_units,
        usage.transactions,
    )


def test_a_single_write_takes_one_unit_for_each_kb_begun() -> None:
    client = stored()
    meter = Meter(client=client)

    client.put_item(**put(CORE, KEY, row_of(1025))["Put"])

    usage = meter.taken()
    assert (["put REF/META"], 2, 0) == (usage.labels, usage.write_units, usage.transactions)


def test_the_larger_of_the_row_before_and_after_counts() -> None:
    client = stored(3000)
    meter = Meter(client=client)

    transact(client, [update(CORE, KEY, assign={"x": "short"})])

    assert 6 == meter.taken().write_units


def test_a_check_counts_like_a_write() -> None:
    client = stored(1025)
    meter = Meter(client=client)

    transact(client, [check(CORE, KEY, {"x": row_of(1025)["x"]})])

    assert 4 == meter.taken().write_units


def test_a_refused_transaction_is_charged_and_reaches_no_index() -> None:
    client = stored(1025)
    meter = Meter(client=client)
    listed = {names.LIST_PK: "L", names.LIST_SK: "1"}

    with pytest.raises(ConditionFailedError):
        transact(client, [put_new(CORE, KEY, listed), put(CORE, ("REF#2", "META"), listed)])

    usage = meter.taken()
    assert (4 + 2, 0) == (usage.write_units, usage.index_units)


INDEX_CASES = [
    ({}, {"x": "1"}, 0),
    ({}, {names.LIST_PK: "L", names.LIST_SK: "1"}, 1),
    ({names.LIST_PK: "L", names.LIST_SK: "1"}, {"x": "1"}, 1),
    ({names.LIST_PK: "L", names.LIST_SK: "1"}, {names.LIST_PK: "L", names.LIST_SK: "2"}, 2),
    (
        {names.LIST_PK: "L", names.LIST_SK: "1"},
        {names.LIST_PK: "L", names.LIST_SK: "1", "x": "new"},
        1,
    ),
    (
        {names.LIST_PK: "L", names.LIST_SK: "1"},
        {names.LIST_PK: "L", names.LIST_SK: "1"},
        0,
    ),
    ({}, {names.LIST_PK: "L", names.LIST_SK: "1", "x": "x" * 1024}, 2),
]


@pytest.mark.parametrize(("before", "after", "units"), INDEX_CASES)
def test_an_index_takes_units_for_each_entry_that_changes(
    before: dict[str, str], after: dict[str, str], units: int
) -> None:
    client = MemoryDynamo()
    if before:
        transact(client, [put(CORE, KEY, before)])
    meter = Meter(client=client)

    transact(client, [put(CORE, KEY, after)])

    assert units == meter.taken().index_units


def test_the_meters_own_look_ups_are_no_calls() -> None:
    client = stored(100)
    before = len(client.calls)
    meter = Meter(client=client)

    transact(client, [put(CORE, KEY, row_of(100), expect={"other": ABSENT})])

    assert (1, before + 1) == (meter.taken().round_trips, len(client.calls))


def test_members_of_a_transaction_are_named_and_counted() -> None:
    client = stored(100)
    meter = Meter(client=client)

    transact(
        client,
        [
            update(CORE, KEY, assign={"y": 1}),
            *(put_new(CORE, (KEY[0], f"FACT#{number}"), {}) for number in range(2)),
        ],
    )

    assert ["transact: update REF/META, put REF/FACT x2"] == meter.taken().labels

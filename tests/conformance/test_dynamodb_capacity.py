"""What a call is charged: the arithmetic behind the budgets, and what the local cloud reports.

The figures are worked out by hand from the documented rules: a consistent read takes a unit for
each 4 KB begun, a write one for each 1 KB begun of the larger of the row before and after it, twice
that in a transaction, and an index units of its own, never doubled.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from shared import names
from tests.conformance.rows import Rows, n, s
from tests.conformance.stores import Units
from tests.fakes.dynamodb_values import row_bytes

if TYPE_CHECKING:
    from tests.conformance.stores import Store


def of_size(rows: Rows, size: int, sk: str = "0") -> dict[str, Any]:
    """A row of exactly so many bytes, by the documented arithmetic."""
    row = rows.key(sk) | {"x": s("")}
    return row | {"x": s("x" * (size - row_bytes(row)))}


def put(rows: Rows, row: dict[str, Any]) -> None:
    rows.client.put_item(TableName=rows.table, Item=row)


@pytest.mark.parametrize(("size", "units"), [(100, 1), (1024, 1), (1025, 2), (2049, 3)])
def test_a_put_takes_a_unit_for_each_kb_begun(
    store: Store, rows: Rows, size: int, units: int
) -> None:
    found = store.charged("put_item", TableName=rows.table, Item=of_size(rows, size))

    assert Units(table=units) == found


@pytest.mark.parametrize(("before", "after"), [(3000, 100), (100, 3000)])
def test_the_larger_of_the_row_before_and_after_counts(
    store: Store, rows: Rows, before: int, after: int
) -> None:
    put(rows, of_size(rows, before))

    found = store.charged("put_item", TableName=rows.table, Item=of_size(rows, after))

    assert Units(table=3) == found


def test_a_delete_takes_what_the_row_took(store: Store, rows: Rows) -> None:
    put(rows, of_size(rows, 1025))

    assert Units(table=2) == store.charged("delete_item", TableName=rows.table, Key=rows.key())


def test_numbers_take_half_a_byte_a_digit(store: Store, rows: Rows) -> None:
    row = of_size(rows, 1000) | {"y": n("1" * 38)}

    # "y" and 38 digits are 1 + 20 bytes.
    assert 1021 == row_bytes(row)
    assert Units(table=1) == store.charged("put_item", TableName=rows.table, Item=row)
    more = row | {"zz": n(12)}
    assert 1025 == row_bytes(more)
    assert Units(table=2) == store.charged("put_item", TableName=rows.table, Item=more)


@pytest.mark.parametrize(("size", "units"), [(100, 2), (1024, 2), (1025, 4)])
def test_a_write_in_a_transaction_takes_twice_as_much(
    store: Store, rows: Rows, size: int, units: int
) -> None:
    action = {"Put": {"TableName": rows.table, "Item": of_size(rows, size)}}

    assert Units(table=units) == store.charged("transact_write_items", TransactItems=[action])


def test_a_check_in_a_transaction_counts_like_a_write(store: Store, rows: Rows) -> None:
    put(rows, of_size(rows, 1025) | {"a": n(1)})
    actions = [rows.check_action("0", "#a = :a", {":a": n(1)}), rows.put_action("1")]

    assert Units(table=4 + 2) == store.charged("transact_write_items", TransactItems=actions)


PLACED = {names.DUE_PK: s("P"), names.DUE_SK: s("1")}
MOVED = {names.DUE_PK: s("P"), names.DUE_SK: s("2")}


@pytest.mark.parametrize(
    ("before", "after", "units"),
    [
        ({}, {"y": s("1")}, 0),
        ({}, PLACED, 1),
        (PLACED, {}, 1),
        (PLACED, MOVED, 2),
        (PLACED, PLACED | {"y": s("1")}, 1),
        (PLACED, PLACED, 0),
        ({}, PLACED | {"y": s("y" * 1024)}, 2),
    ],
    ids=["outside", "entered", "left", "moved", "changed", "same", "large"],
)
@pytest.mark.parametrize("factor", [1, 2], ids=["alone", "in a transaction"])
def test_an_index_takes_units_for_each_entry_that_changes(
    store: Store,
    rows: Rows,
    *,
    before: dict[str, Any],
    after: dict[str, Any],
    units: int,
    factor: int,
) -> None:
    rows.put(**before)
    row = rows.key() | after
    if factor == 1:
        found = store.charged("put_item", TableName=rows.table, Item=row)
    else:
        action = {"Put": {"TableName": rows.table, "Item": row}}
        found = store.charged("transact_write_items", TransactItems=[action])

    large = 1 + (row_bytes(row) > 1024)
    assert Units(table=factor * large, index=units) == found


@pytest.mark.parametrize(
    ("size", "consistent", "units"),
    [(100, True, 1), (4096, True, 1), (4097, True, 2), (100, False, 0.5), (4097, False, 1)],
    ids=["small", "4 KB", "over 4 KB", "small and stale", "over 4 KB and stale"],
)
def test_a_read_takes_a_unit_for_each_4_kb_begun(
    store: Store, rows: Rows, *, size: int, consistent: bool, units: float
) -> None:
    put(rows, of_size(rows, size))
    request: dict[str, Any] = {"TableName": rows.table, "Key": rows.key()}

    assert Units(table=units) == store.charged("get_item", **request, ConsistentRead=consistent)


def test_a_read_of_nothing_takes_a_unit(store: Store, rows: Rows) -> None:
    request: dict[str, Any] = {"TableName": rows.table, "Key": rows.key(), "ConsistentRead": True}

    assert Units(table=1) == store.charged("get_item", **request)


def test_a_query_is_rounded_up_once(store: Store, rows: Rows) -> None:
    for sk in "abc":
        put(rows, of_size(rows, 3000, sk))
    request = {
        "KeyConditionExpression": "#p = :p",
        "ExpressionAttributeNames": {"#p": "pk"},
        "ExpressionAttributeValues": {":p": s(rows.pk)},
    }

    found = store.charged("query", TableName=rows.table, ConsistentRead=True, **request)

    assert Units(table=3) == found

"""What the functions behind the tables' streams rely on. Nothing here waits for time to live."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from tests.conformance.rows import Rows, code, n

if TYPE_CHECKING:
    from tests.conformance.stores import Store


def test_the_changes_of_a_row_come_in_order_with_both_images(store: Store, rows: Rows) -> None:
    rows.put(a=n(1))
    rows.update("SET #a = :a", {":a": n(2)}, ExpressionAttributeNames={"#a": "a"})
    rows.delete()

    first, second = rows.key() | {"a": n(1)}, rows.key() | {"a": n(2)}
    assert [
        ("INSERT", None, first),
        ("MODIFY", first, second),
        ("REMOVE", second, None),
    ] == [(one.event, one.old, one.new) for one in store.changes(rows.pk)]


def test_sequence_numbers_of_a_row_grow(store: Store, rows: Rows) -> None:
    for number in range(12):
        rows.put(a=n(number))

    told = store.changes(rows.pk)

    assert [one.sequence for one in told] == sorted({one.sequence for one in told})
    assert [n(number) for number in range(12)] == [one.new["a"] for one in told if one.new]


def test_a_transaction_leaves_one_record_for_each_row_that_it_writes(
    store: Store, rows: Rows
) -> None:
    rows.put("checked", a=n(1))
    rows.put("gone")

    rows.transact(
        rows.put_action("new", new=True),
        rows.check_action("checked", "#a = :a", {":a": n(1)}),
        {"Delete": {"TableName": rows.table, "Key": rows.key("gone")}},
    )

    assert [("INSERT", "new"), ("REMOVE", "gone")] == sorted(
        (one.event, one.sk) for one in store.changes(rows.pk)[2:]
    )


def test_a_cancelled_transaction_leaves_no_record(store: Store, rows: Rows) -> None:
    rows.put("taken")

    code(rows.transact, rows.put_action("other"), rows.put_action("taken", new=True, a=n(1)))

    assert [("INSERT", "taken")] == [(one.event, one.sk) for one in store.changes(rows.pk)]


def test_a_transaction_that_is_sent_twice_leaves_its_records_once(store: Store, rows: Rows) -> None:
    for _ in range(2):
        rows.transact(rows.put_action("a", new=True), ClientRequestToken=rows.pk[:36])

    assert [("INSERT", "a")] == [(one.event, one.sk) for one in store.changes(rows.pk)]


def test_a_refused_write_leaves_no_record(store: Store, rows: Rows) -> None:
    rows.put(a=n(1))

    code(
        rows.update,
        "SET #a = :new",
        {":new": n(3), ":old": n(2)},
        ConditionExpression="#a = :old",
        ExpressionAttributeNames={"#a": "a"},
    )

    assert ["INSERT"] == [one.event for one in store.changes(rows.pk)]


def test_a_write_that_changes_nothing_leaves_no_record(store: Store, rows: Rows) -> None:
    rows.put(a=n(1))
    rows.put(a=n("1.0"))
    rows.transact(rows.put_action(a=n(1)))
    rows.delete("absent")

    assert ["INSERT"] == [one.event for one in store.changes(rows.pk)]


def test_records_of_writers_at_once_form_one_history(store: Store, rows: Rows) -> None:
    rows.put(a=n(-1))
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda number: rows.put(a=n(number)), range(24)))

    told = store.changes(rows.pk)

    assert 25 == len(told)
    assert [one.new for one in told[:-1]] == [one.old for one in told[1:]]
    assert rows.get() == told[-1].new

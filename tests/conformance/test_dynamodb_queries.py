"""What the adapters rely on in DynamoDB about queries and indexes."""

# ruff: noqa: ANN401 - requests and answers are as loosely typed as in boto3

from __future__ import annotations

from typing import Any

import pytest

from shared import names
from tests.conformance.rows import Rows, code, n, s


def test_a_query_yields_the_partition_by_utf8_bytes(rows: Rows) -> None:
    for sk in ("b", "a", "é", "Z", "a#1", "\U0001f600", "\uffff"):
        rows.put(sk)

    assert ["Z", "a", "a#1", "b", "é", "\uffff", "\U0001f600"] == rows.sort_keys()


@pytest.mark.parametrize(
    ("condition", "value", "found"),
    [
        ("begins_with(#s, :s)", "b", ["b", "b1"]),
        ("#s < :s", "b", ["a"]),
        ("#s <= :s", "b", ["a", "b"]),
        ("#s > :s", "b1", ["c"]),
        ("#s >= :s", "b1", ["b1", "c"]),
        ("#s = :s", "b", ["b"]),
    ],
)
def test_a_query_keeps_to_its_sort_condition(
    rows: Rows, condition: str, value: str, found: list[str]
) -> None:
    for sk in ("c", "b1", "b", "a"):
        rows.put(sk)

    assert found == rows.sort_keys(condition, s(value))


def test_pages_follow_each_other_without_gap_or_overlap(rows: Rows) -> None:
    wanted = [f"{number:02d}" for number in range(10)]
    for sk in wanted:
        rows.put(sk)
    for forward in (True, False):
        seen: list[str] = []
        extra: dict[str, Any] = {"Limit": 3, "ScanIndexForward": forward}
        while True:
            answer = rows.query(**extra)
            seen += [row["sk"]["S"] for row in answer["Items"]]
            if "LastEvaluatedKey" not in answer:
                break
            extra["ExclusiveStartKey"] = answer["LastEvaluatedKey"]

        assert (wanted if forward else wanted[::-1]) == seen


def test_a_page_that_ends_at_its_limit_promises_more(rows: Rows) -> None:
    for sk in ("a", "b"):
        rows.put(sk)

    page = rows.query(Limit=2)

    assert rows.key("b") == page["LastEvaluatedKey"]
    assert [] == rows.sort_keys(ExclusiveStartKey=page["LastEvaluatedKey"])


def test_a_page_goes_on_after_a_row_that_was_deleted_meanwhile(rows: Rows) -> None:
    for sk in ("a", "b", "c"):
        rows.put(sk)
    start = rows.query(Limit=2)["LastEvaluatedKey"]
    rows.client.delete_item(TableName=rows.table, Key=rows.key("b"))

    assert ["c"] == rows.sort_keys(ExclusiveStartKey=start)


def test_a_page_ends_at_about_one_megabyte(rows: Rows) -> None:
    wanted = ["a", "b", "c", "d"]
    for sk in wanted:
        rows.put(sk, a=s("x" * 390_000))

    first = rows.query()
    found = [row["sk"]["S"] for row in first["Items"]]

    assert found in (wanted[:2], wanted[:3])
    assert rows.key(found[-1]) == first["LastEvaluatedKey"]
    assert wanted[len(found) :] == rows.sort_keys(ExclusiveStartKey=first["LastEvaluatedKey"])


def in_due(rows: Rows, **extra: Any) -> Any:
    request: dict[str, Any] = {
        "TableName": rows.table,
        "IndexName": names.INDEX_DUE,
        "KeyConditionExpression": "#p = :p",
        "ExpressionAttributeNames": {"#p": names.DUE_PK},
        "ExpressionAttributeValues": {":p": s(rows.pk)},
    }
    return rows.client.query(**request | extra)


def due(rows: Rows, when: str) -> dict[str, Any]:
    return {names.DUE_PK: s(rows.pk), names.DUE_SK: s(when)}


def test_a_query_goes_on_behind_a_key_that_no_row_has(rows: Rows) -> None:
    for sk in ("a", "b1", "b2", "c"):
        rows.put(sk)

    found = rows.sort_keys("#s < :s", s("c"), ExclusiveStartKey=rows.key("b"))

    assert ["b1", "b2"] == found


def test_a_scan_sees_every_row_that_its_filter_keeps(rows: Rows) -> None:
    for number in range(5):
        rows.put(str(number), owner=s(rows.pk), day=s(f"2026-11-2{number % 2}T00:00"))
    request: dict[str, Any] = {
        "TableName": rows.table,
        "ConsistentRead": True,
        "Limit": 2,
        "FilterExpression": "#o = :o AND begins_with(#d, :d)",
        "ExpressionAttributeNames": {"#o": "owner", "#d": "day"},
        "ExpressionAttributeValues": {":o": s(rows.pk), ":d": s("2026-11-20")},
    }
    seen: list[str] = []
    while True:
        answer = rows.client.scan(**request)
        seen += [row["sk"]["S"] for row in answer["Items"]]
        if "LastEvaluatedKey" not in answer:
            break
        request["ExclusiveStartKey"] = answer["LastEvaluatedKey"]

    assert ["0", "2", "4"] == sorted(seen)


def test_a_page_of_a_scan_can_be_empty_and_not_the_last(rows: Rows) -> None:
    for sk in ("a", "b"):
        rows.put(sk)

    page = rows.client.scan(
        TableName=rows.table,
        Limit=1,
        FilterExpression="#o = :o",
        ExpressionAttributeNames={"#o": "owner"},
        ExpressionAttributeValues={":o": s("nobody")},
    )

    assert [] == page["Items"]
    assert {"pk", "sk"} == set(page["LastEvaluatedKey"])


def test_a_sparse_index_holds_only_rows_with_both_keys(rows: Rows) -> None:
    rows.put("with", **due(rows, "2"))
    rows.put("half", **{names.DUE_PK: s(rows.pk)})
    rows.put("without")

    assert ["with"] == [row["sk"]["S"] for row in in_due(rows)["Items"]]


def test_an_index_shows_the_row_as_it_was_written_last(rows: Rows) -> None:
    rows.put(**due(rows, "2"), a=n(1))
    rows.put(**due(rows, "1"), a=n(2))

    assert [rows.key() | due(rows, "1") | {"a": n(2)}] == in_due(rows)["Items"]


def test_an_index_of_numbers_is_sorted_by_their_value(books: Rows) -> None:
    for number in (10, 9, 100, -1):
        books.put(str(number), **{names.SEQ: n(number)})

    found = books.client.query(
        TableName=books.table,
        IndexName=names.INDEX_SEQ,
        KeyConditionExpression="#p = :p",
        ExpressionAttributeNames={"#p": names.PK},
        ExpressionAttributeValues={":p": s(books.pk)},
        ScanIndexForward=False,
        Limit=3,
    )

    assert ["100", "10", "9"] == [row["sk"]["S"] for row in found["Items"]]


def test_a_row_leaves_the_index_when_its_keys_are_removed(rows: Rows) -> None:
    rows.put(**due(rows, "2"))
    every = {"#p": names.DUE_PK, "#s": names.DUE_SK}
    rows.update("REMOVE #p, #s", ExpressionAttributeNames=every)

    assert [] == in_due(rows)["Items"]
    assert rows.key() == rows.get()


def test_pages_of_an_index_hold_rows_of_equal_sort_key_once(rows: Rows) -> None:
    for number in range(7):
        rows.put(str(number), **due(rows, "same"))
    seen: list[str] = []
    extra: dict[str, Any] = {"Limit": 2}
    while True:
        answer = in_due(rows, **extra)
        seen += [row["sk"]["S"] for row in answer["Items"]]
        if "LastEvaluatedKey" not in answer:
            break
        extra["ExclusiveStartKey"] = answer["LastEvaluatedKey"]

    assert [str(number) for number in range(7)] == sorted(seen)


def test_an_index_can_not_be_read_consistently(rows: Rows) -> None:
    assert "ValidationException" == code(in_due, rows, ConsistentRead=True)


@pytest.mark.parametrize("value", [n(1), s("")], ids=["other type", "empty"])
def test_an_index_key_of_another_type_or_empty_is_refused(rows: Rows, value: Any) -> None:
    assert "ValidationException" == code(rows.put, **{names.DUE_PK: value, names.DUE_SK: s("1")})

"""What the adapters rely on in DynamoDB about single rows, as its documentation states it."""

# ruff: noqa: ANN401 - requests and answers are as loosely typed as in boto3

from __future__ import annotations

from typing import Any

import pytest

from tests.conformance.rows import NEW, Rows, code, n, refusal, s
from tests.fakes.dynamodb_values import row_bytes

N38 = "12345678901234567890123456789012345678"


def test_a_row_comes_back_as_it_was_put(rows: Rows) -> None:
    attributes: dict[str, Any] = {
        "a": s("x"),
        "b": {"B": b"\x00\xff"},
        "c": {"L": [n(1), {"M": {"d": {"BOOL": True}}}]},
        "e": {"NULL": True},
        "f": s(""),
    }
    rows.put(**attributes)

    assert rows.key() | attributes == rows.get()


def test_an_absent_row_is_no_error(rows: Rows) -> None:
    assert rows.get() is None


def test_rows_are_read_together_and_absent_ones_left_out(rows: Rows) -> None:
    rows.put("a", x=n(1))
    rows.put("b", x=n(2))
    wanted = {rows.table: {"Keys": [rows.key(sk) for sk in ("a", "b", "c")]}}

    answer = rows.client.batch_get_item(RequestItems=wanted)

    found = {row["sk"]["S"]: row["x"] for row in answer["Responses"][rows.table]}
    assert {"a": n(1), "b": n(2)} == found
    assert {} == answer["UnprocessedKeys"]


def test_rows_read_together_are_different_and_at_most_a_hundred(rows: Rows) -> None:
    read = rows.client.batch_get_item
    for sort_keys in (["a", "a"], [f"{number}" for number in range(101)]):
        wanted = {rows.table: {"Keys": [rows.key(sk) for sk in sort_keys]}}
        assert "ValidationException" == code(read, RequestItems=wanted)


def test_numbers_are_exact_to_38_digits_and_normalised(rows: Rows) -> None:
    rows.put(a=n(N38), b=n("1.50"), c=n("-0"), d=n("1E3"))

    assert [n(N38), n("1.5"), n(0), n(1000)] == [rows.get()[name] for name in "abcd"]


@pytest.mark.parametrize("number", [N38 + "9", "1E126", "1E-131"])
def test_a_number_beyond_38_digits_or_the_range_is_refused(rows: Rows, number: str) -> None:
    assert "ValidationException" == code(rows.put, a=n(number))


def test_an_empty_key_is_refused(rows: Rows) -> None:
    assert "ValidationException" == code(rows.put, sk="")


def test_a_missing_sort_key_is_refused(rows: Rows) -> None:
    put = rows.client.put_item

    assert "ValidationException" == code(put, TableName=rows.table, Item={"pk": s(rows.pk)})


def test_a_key_with_other_attributes_is_refused(rows: Rows) -> None:
    key = rows.key() | {"a": s("x")}

    assert "ValidationException" == code(rows.client.get_item, TableName=rows.table, Key=key)


def test_a_key_over_the_limit_is_refused(rows: Rows) -> None:
    assert "ValidationException" == code(rows.put, sk="x" * 1025)


def test_a_row_over_400_kb_is_refused(rows: Rows) -> None:
    assert "ValidationException" == code(rows.put, a=s("x" * 410_000))


@pytest.mark.parametrize(
    "attributes",
    [
        {},
        {"é": s("ß")},
        {"b": {"B": b"123"}, "c": {"BOOL": True}, "d": {"NULL": True}},
        {"c": {"L": [s("x"), {"M": {"d": s("y")}}]}},
        # The size of a number is documented as about so much: whole ones agree.
        {"c": n(123456), "d": n(10)},
    ],
    ids=["plain", "more bytes than characters", "scalars", "nested", "numbers"],
)
def test_a_row_may_have_400_kb_and_no_byte_more(rows: Rows, attributes: dict[str, Any]) -> None:
    left = 400 * 1024 - row_bytes(rows.key() | attributes | {"a": s("")})

    rows.put(a=s("x" * left), **attributes)

    assert "ValidationException" == code(rows.put, a=s("x" * (left + 1)), **attributes)


def test_an_update_to_over_400_kb_is_refused_and_changes_nothing(rows: Rows) -> None:
    rows.put(a=s("x" * 300_000))

    names_ = {"ExpressionAttributeNames": {"#b": "b"}}
    assert "ValidationException" == code(
        rows.update, "SET #b = :b", {":b": s("y" * 150_000)}, **names_
    )
    assert "b" not in rows.get()


def test_a_condition_on_absence_admits_only_the_first_put(rows: Rows) -> None:
    request = {
        "TableName": rows.table,
        "ConditionExpression": NEW,
        "ExpressionAttributeNames": {"#pk": "pk"},
        "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
    }
    rows.client.put_item(Item=rows.key() | {"a": n(1)}, **request)

    response = refusal(rows.client.put_item, Item=rows.key() | {"a": n(2)}, **request)

    assert "ConditionalCheckFailedException" == response["Error"]["Code"]
    assert rows.key() | {"a": n(1)} == response["Item"]
    assert n(1) == rows.get()["a"]


@pytest.mark.parametrize(
    ("condition", "operand", "holds"),
    [
        ("#a = :v", n(5), True),
        ("#a = :v", n("5.0"), True),
        ("#a = :v", s("5"), False),
        ("#a = :v AND #pk = :v", n(5), False),
        ("#a <= :v", n(5), True),
        ("#a < :v", n(5), False),
        ("#a < :v", n(10), True),
        ("#a >= :v", n(5), True),
        ("#a > :v", n(5), False),
        ("#a > :v", n(-10), True),
        ("#missing = :v", n(5), False),
        ("#missing < :v", n(5), False),
        ("attribute_exists(#a) AND #a = :v", n(5), True),
        ("attribute_not_exists(#missing) AND #a = :v", n(5), True),
        ("attribute_not_exists(#a) AND #a = :v", n(5), False),
        ("attribute_exists(#missing) AND #a = :v", n(5), False),
    ],
)
def test_conditions(rows: Rows, condition: str, operand: Any, holds: bool) -> None:  # noqa: FBT001
    rows.put(a=n(5))
    every = {"#a": "a", "#missing": "missing", "#pk": "pk"}
    request = {
        "ConditionExpression": condition,
        "ExpressionAttributeNames": {"#x": "x"}
        | {token: name for token, name in every.items() if token in condition},
    }
    values = {":v": operand, ":x": n(1)}

    if holds:
        rows.update("SET #x = :x", values, **request)
    else:
        failure = code(rows.update, "SET #x = :x", values, **request)
        assert "ConditionalCheckFailedException" == failure
    assert holds == ("x" in rows.get())


def test_an_update_sets_and_removes_and_makes_a_missing_row(rows: Rows) -> None:
    every = {"#a": "a", "#b": "b"}
    rows.update("SET #a = :a, #b = :b", {":a": n(1), ":b": n(2)}, ExpressionAttributeNames=every)
    rows.update("SET #a = :a REMOVE #b", {":a": n(3)}, ExpressionAttributeNames=every)

    assert rows.key() | {"a": n(3)} == rows.get()


def test_an_update_answers_the_row_it_made_or_replaced(rows: Rows) -> None:
    rows.put(a=n(1))
    extra: Any = {"ExpressionAttributeNames": {"#a": "a"}}

    new = rows.update("SET #a = :a", {":a": n(2)}, ReturnValues="ALL_NEW", **extra)
    old = rows.update("SET #a = :a", {":a": n(3)}, ReturnValues="ALL_OLD", **extra)

    assert [n(2), n(2)] == [new["Attributes"]["a"], old["Attributes"]["a"]]


@pytest.mark.parametrize(
    ("expression", "values", "every"),
    [
        ("SET #a = :a, #a = :b", {":a": n(1), ":b": n(2)}, {"#a": "a"}),
        ("SET #a = :a REMOVE #a", {":a": n(1)}, {"#a": "a"}),
        ("SET #a = :a", {":a": s("x")}, {"#a": "pk"}),
        ("SET #a = :a", {":a": n(1), ":unused": n(1)}, {"#a": "a"}),
        ("SET #a = :a", {":a": n(1)}, {"#a": "a", "#unused": "u"}),
        ("SET #a = :undefined", {":a": n(1)}, {"#a": "a"}),
        ("SET #undefined = :a", {":a": n(1)}, {"#a": "a"}),
        ("", {":a": n(1)}, {"#a": "a"}),
    ],
    ids=[
        "path twice",
        "path set and removed",
        "key attribute",
        "unused value",
        "unused name",
        "undefined value",
        "undefined name",
        "empty",
    ],
)
def test_a_faulty_update_is_refused(
    rows: Rows, expression: str, values: dict[str, Any], every: dict[str, str]
) -> None:
    failure = code(rows.update, expression, values, ExpressionAttributeNames=every)

    assert "ValidationException" == failure


def test_a_delete_is_conditional_and_silent_about_absence(rows: Rows) -> None:
    request: Any = {"TableName": rows.table, "Key": rows.key()}
    rows.put(a=n(1))

    failure = code(
        rows.client.delete_item,
        **request,
        ConditionExpression="#a = :a",
        ExpressionAttributeNames={"#a": "a"},
        ExpressionAttributeValues={":a": n(2)},
    )
    rows.client.delete_item(**request)
    rows.client.delete_item(**request)

    assert "ConditionalCheckFailedException" == failure
    assert rows.get() is None

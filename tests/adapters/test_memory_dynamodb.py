"""What the DynamoDB in memory promises beyond the service: hooks, logs, and refusal to guess."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import ParamValidationError

from tests.fakes.memory_dynamodb import MemoryDynamo

if TYPE_CHECKING:
    from collections.abc import Callable

KEY = {"pk": {"S": "A"}, "sk": {"S": "1"}}


@pytest.fixture
def dynamo() -> MemoryDynamo:
    return MemoryDynamo()


def put(dynamo: MemoryDynamo, table: str = "core", **attributes: Any) -> None:  # noqa: ANN401 - values
    dynamo.put_item(TableName=table, Item=KEY | attributes)


@pytest.mark.parametrize(
    "expression",
    [
        "SET #a = #a + :v",
        "SET #a = if_not_exists(#a, :v)",
        "ADD #a :v",
        "SET a = :v",
        "SET #a.b = :v",
    ],
)
def test_an_update_that_it_does_not_know_is_an_error_of_the_test(
    dynamo: MemoryDynamo, expression: str
) -> None:
    with pytest.raises(NotImplementedError):
        dynamo.update_item(
            TableName="core",
            Key=KEY,
            UpdateExpression=expression,
            ExpressionAttributeNames={"#a": "a"},
            ExpressionAttributeValues={":v": {"N": "1"}},
        )


@pytest.mark.parametrize(
    "condition",
    [
        "#a = :v OR #a = :v",
        "NOT #a = :v",
        "#a <> :v",
        "#a BETWEEN :v AND :v",
        "#a IN (:v)",
        "size(#a) = :v",
        "contains(#a, :v)",
        "(#a = :v)",
        "#a = #a",
        "a = :v",
    ],
)
def test_a_condition_that_it_does_not_know_is_an_error_of_the_test(
    dynamo: MemoryDynamo, condition: str
) -> None:
    with pytest.raises(NotImplementedError):
        dynamo.put_item(
            TableName="core",
            Item=KEY,
            ConditionExpression=condition,
            ExpressionAttributeNames={"#a": "a"},
            ExpressionAttributeValues={":v": {"N": "1"}},
        )


@pytest.mark.parametrize(
    "call",
    [
        lambda dynamo: dynamo.get_item(TableName="core", Key=KEY, ProjectionExpression="a"),
        lambda dynamo: dynamo.query(TableName="core", FilterExpression="a"),
        lambda dynamo: dynamo.put_item(TableName="core", Item=KEY, ReturnValues="UPDATED_NEW"),
        lambda dynamo: dynamo.put_item(TableName="core", Item=KEY | {"a": {"SS": ["x"]}}),
    ],
    ids=["projection", "filter", "return values", "sets"],
)
def test_a_parameter_that_it_does_not_know_is_an_error_of_the_test(
    dynamo: MemoryDynamo, call: Callable[[MemoryDynamo], object]
) -> None:
    with pytest.raises(NotImplementedError):
        call(dynamo)


@pytest.mark.parametrize(
    "request_",
    [
        {"TableName": "core", "Key": KEY, "Konsistent": True},
        {"TableName": "core"},
        {"TableName": "core", "Key": {"pk": {"S": 1}, "sk": {"S": "1"}}},
    ],
    ids=["unknown", "missing", "type"],
)
def test_the_real_clients_own_checks_come_first(
    dynamo: MemoryDynamo, request_: dict[str, Any]
) -> None:
    with pytest.raises(ParamValidationError):
        dynamo.get_item(**request_)


def test_errors_are_the_clients_own_classes(dynamo: MemoryDynamo) -> None:
    put(dynamo)

    with pytest.raises(dynamo.exceptions.ConditionalCheckFailedException):
        dynamo.put_item(TableName="core", Item=KEY, ConditionExpression="attribute_not_exists(pk)")


def test_books_are_read_by_sequence(dynamo: MemoryDynamo) -> None:
    for sk, seq in (("a", 10), ("b", 9), ("c", 100)):
        row = {"pk": {"S": "B"}, "sk": {"S": sk}, "seq": {"N": str(seq)}}
        dynamo.put_item(TableName="books", Item=row)

    answer = dynamo.query(
        TableName="books",
        IndexName="by_seq",
        KeyConditionExpression="#p = :p",
        ExpressionAttributeNames={"#p": "pk"},
        ExpressionAttributeValues={":p": {"S": "B"}},
    )

    assert ["b", "a", "c"] == [row["sk"]["S"] for row in answer["Items"]]


def test_what_was_read_can_not_change_what_is_stored(dynamo: MemoryDynamo) -> None:
    put(dynamo, a={"L": [{"N": "1"}]})

    dynamo.get_item(TableName="core", Key=KEY)["Item"]["a"]["L"].append({"N": "2"})

    assert [{"pk": "A", "sk": "1", "a": [1]}] == dynamo.dump()["core"]


def test_the_stream_tells_each_change_in_lambdas_shape(dynamo: MemoryDynamo) -> None:
    put(dynamo, a={"B": b"\x00\xff"})
    put(dynamo, a={"B": b"\x00\xff"})
    put(dynamo, a={"N": "2"})
    dynamo.delete_item(TableName="core", Key=KEY)
    put(dynamo, table="books")

    records = dynamo.stream_records("core")
    changes = [record["dynamodb"] for record in records]
    numbers = [change["SequenceNumber"] for change in changes]

    assert ["INSERT", "MODIFY", "REMOVE"] == [record["eventName"] for record in records]
    assert {"B": base64.b64encode(b"\x00\xff").decode()} == changes[0]["NewImage"]["a"]
    assert {"N": "2"} == changes[1]["NewImage"]["a"] == changes[2]["OldImage"]["a"]
    assert [KEY] * 3 == [change["Keys"] for change in changes]
    assert ["NewImage" in change for change in changes] == [True, True, False]
    assert sorted(set(numbers)) == numbers
    assert records[1:] == dynamo.stream_records("core", after=1)


def test_a_cancelled_transaction_leaves_no_record(dynamo: MemoryDynamo) -> None:
    put(dynamo, a={"N": "1"})
    taken = {
        "TableName": "core",
        "Item": KEY,
        "ConditionExpression": "attribute_not_exists(pk)",
    }
    other = {"TableName": "core", "Item": KEY | {"sk": {"S": "2"}}}

    with pytest.raises(dynamo.exceptions.TransactionCanceledException):
        dynamo.transact_write_items(TransactItems=[{"Put": other}, {"Put": taken}])

    assert 1 == len(dynamo.stream_records("core"))


def test_a_token_is_forgotten_after_ten_minutes() -> None:
    now = 1_000.0
    dynamo = MemoryDynamo(now=lambda: now)
    items = [{"Put": {"TableName": "core", "Item": KEY}}]
    dynamo.transact_write_items(TransactItems=items, ClientRequestToken="t")
    dynamo.delete_item(TableName="core", Key=KEY)

    now += 600
    dynamo.transact_write_items(TransactItems=items, ClientRequestToken="t")
    assert [] == dynamo.dump()["core"]

    now += 1
    dynamo.transact_write_items(TransactItems=items, ClientRequestToken="t")
    assert 1 == len(dynamo.dump()["core"])


class CrashError(BaseException):
    """The process dies."""


def crash(*_arguments: object) -> None:
    raise CrashError


def test_a_crash_before_a_call_leaves_nothing(dynamo: MemoryDynamo) -> None:
    dynamo.before["put_item"] = crash

    with pytest.raises(CrashError):
        put(dynamo)

    assert [] == dynamo.changes


def test_a_crash_after_a_call_leaves_its_effect(dynamo: MemoryDynamo) -> None:
    dynamo.after["*"] = crash

    with pytest.raises(CrashError):
        put(dynamo)

    assert 1 == len(dynamo.dump()["core"])


def test_another_call_can_come_in_between(dynamo: MemoryDynamo) -> None:
    def other(_request: dict[str, Any]) -> None:
        put(dynamo, a={"N": "1"})

    dynamo.before["get_item"] = dynamo.before["put_item"] = other

    answer = dynamo.get_item(TableName="core", Key=KEY)

    assert {"N": "1"} == answer["Item"]["a"]
    assert ["get_item", "put_item"] == [name for name, _ in dynamo.calls]

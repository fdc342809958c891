"""What the adapters rely on in DynamoDB about transactions."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

from botocore.exceptions import ClientError

from tests.conformance.rows import Rows, code, n, reasons, refusal, s


def test_a_transaction_takes_effect_as_a_whole(rows: Rows) -> None:
    rows.put("gone")
    rows.put("changed", a=n(1))

    rows.transact(
        rows.put_action("new", new=True),
        {
            "Update": {
                "TableName": rows.table,
                "Key": rows.key("changed"),
                "UpdateExpression": "SET #a = :new",
                "ConditionExpression": "#a = :old",
                "ExpressionAttributeNames": {"#a": "a"},
                "ExpressionAttributeValues": {":old": n(1), ":new": n(2)},
            }
        },
        {"Delete": {"TableName": rows.table, "Key": rows.key("gone")}},
    )

    assert ["changed", "new"] == rows.sort_keys()
    assert n(2) == rows.get("changed")["a"]


def test_a_cancelled_transaction_changes_nothing_and_says_why(rows: Rows) -> None:
    rows.put("taken", a=n(1))

    response = refusal(
        rows.transact,
        rows.put_action("other"),
        rows.put_action("taken", new=True),
        rows.check_action("absent", "#a = :a", {":a": n(1)}),
    )

    assert "TransactionCanceledException" == response["Error"]["Code"]
    assert ["None", "ConditionalCheckFailed", "ConditionalCheckFailed"] == reasons(response)
    assert rows.key("taken") | {"a": n(1)} == response["CancellationReasons"][1]["Item"]
    assert ["taken"] == rows.sort_keys()


def test_a_condition_check_writes_nothing(rows: Rows) -> None:
    rows.put("checked", a=n(1))

    rows.transact(rows.check_action("checked", "#a = :a", {":a": n(1)}), rows.put_action("other"))

    assert rows.key("checked") | {"a": n(1)} == rows.get("checked")


def test_a_transaction_holds_100_actions(rows: Rows) -> None:
    rows.transact(*(rows.put_action(f"{number:03d}") for number in range(100)))

    assert 100 == len(rows.sort_keys())


def test_a_transaction_of_101_actions_is_refused(rows: Rows) -> None:
    actions = [rows.put_action(f"{number:03d}") for number in range(101)]

    assert "ValidationException" == code(rows.transact, *actions)
    assert [] == rows.sort_keys()


def test_a_transaction_with_an_item_twice_is_refused(rows: Rows) -> None:
    failure = code(rows.transact, rows.put_action("a"), rows.put_action("a", b=n(1)))

    assert "ValidationException" == failure
    assert [] == rows.sort_keys()


def test_a_transaction_over_4_mb_is_refused(rows: Rows) -> None:
    actions = [rows.put_action(str(number), a=s("x" * 390_000)) for number in range(11)]

    assert "ValidationException" == code(rows.transact, *actions)
    assert [] == rows.sort_keys()


def test_a_transaction_that_is_sent_twice_takes_effect_once(rows: Rows) -> None:
    put = rows.put_action(new=True)

    rows.transact(put, ClientRequestToken=rows.pk[:36])
    rows.client.delete_item(TableName=rows.table, Key=rows.key())
    rows.transact(put, ClientRequestToken=rows.pk[:36])

    assert rows.get() is None


def test_a_token_with_another_transaction_is_refused(rows: Rows) -> None:
    token = rows.pk[:36]
    rows.transact(rows.put_action("a"), ClientRequestToken=token)

    failure = code(rows.transact, rows.put_action("b"), ClientRequestToken=token)

    assert "IdempotentParameterMismatchException" == failure
    assert ["a"] == rows.sort_keys()


def test_a_token_of_a_cancelled_transaction_may_be_sent_again(rows: Rows) -> None:
    put = rows.put_action(new=True, a=n(2))
    rows.put(a=n(1))
    refusal(rows.transact, put, ClientRequestToken=rows.pk[:36])
    rows.client.delete_item(TableName=rows.table, Key=rows.key())

    rows.transact(put, ClientRequestToken=rows.pk[:36])

    assert n(2) == rows.get()["a"]


def test_of_many_racers_one_wins(rows: Rows) -> None:
    racers = 8
    start = threading.Barrier(racers)

    def race(number: int) -> bool:
        start.wait()
        try:
            rows.transact(rows.put_action("won", new=True), rows.put_action(f"by{number}"))
        except ClientError:
            return False
        return True

    with ThreadPoolExecutor(racers) as pool:
        won = list(pool.map(race, range(racers)))

    assert 1 == won.count(True)
    assert [f"by{won.index(True)}", "won"] == rows.sort_keys()

"""What the adapters rely on in DynamoDB about transactions."""

# ruff: noqa: ANN401 - requests and answers are as loosely typed as in boto3

from __future__ import annotations

import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, TypeVar

from botocore.exceptions import ClientError

from tests.conformance.rows import Rows, code, n, reasons, refusal, s

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")


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


def test_a_check_that_fails_cancels_and_answers_the_row(rows: Rows) -> None:
    rows.put("checked", a=n(1))

    response = refusal(
        rows.transact,
        rows.check_action("checked", "#a = :a", {":a": n(2)}),
        rows.put_action("other"),
    )

    assert ["ConditionalCheckFailed", "None"] == reasons(response)
    assert rows.key("checked") | {"a": n(1)} == response["CancellationReasons"][0]["Item"]
    assert ["checked"] == rows.sort_keys()


def test_a_check_of_a_row_that_is_written_too_is_refused(rows: Rows) -> None:
    rows.put("0", a=n(1))

    failure = code(
        rows.transact, rows.check_action("0", "#a = :a", {":a": n(1)}), rows.put_action("0", a=n(2))
    )

    assert "ValidationException" == failure
    assert n(1) == rows.get()["a"]


def test_a_transaction_of_checks_alone_is_one(rows: Rows) -> None:
    rows.put("0", a=n(1))
    check = rows.check_action("0", "#a = :a", {":a": n(1)})

    rows.transact(check)
    rows.put("0", a=n(2))

    assert "TransactionCanceledException" == code(rows.transact, check)


def test_a_row_that_grows_too_large_cancels_the_transaction(rows: Rows) -> None:
    rows.put("large", a=s("x" * 300_000))
    update = {
        "TableName": rows.table,
        "Key": rows.key("large"),
        "UpdateExpression": "SET #b = :b",
        "ExpressionAttributeNames": {"#b": "b"},
        "ExpressionAttributeValues": {":b": s("y" * 150_000)},
    }

    response = refusal(rows.transact, rows.put_action("other"), {"Update": update})

    assert ["None", "ValidationError"] == reasons(response)
    assert ["large"] == rows.sort_keys()


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


def test_a_token_outlives_later_writes_of_its_rows(rows: Rows) -> None:
    put = rows.put_action(a=n(1))
    rows.transact(put, ClientRequestToken=rows.pk[:36])
    rows.put(a=n(2))

    rows.transact(put, ClientRequestToken=rows.pk[:36])

    assert n(2) == rows.get()["a"]


def test_a_token_over_36_characters_is_refused(rows: Rows) -> None:
    failure = code(rows.transact, rows.put_action(), ClientRequestToken="x" * 37)

    assert "ValidationException" == failure
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


# -- at the same time -----------------------------------------------------------------------------

WRITERS = 8


def at_once(work: Callable[[int], T]) -> list[T]:
    """Runs the work of all writers from the same moment on."""
    start = threading.Barrier(WRITERS)

    def run(number: int) -> T:
        start.wait()
        return work(number)

    usual = sys.getswitchinterval()
    # The store in memory would otherwise answer before another thread has its turn.
    sys.setswitchinterval(1e-6)
    try:
        with ThreadPoolExecutor(WRITERS) as pool:
            return list(pool.map(run, range(WRITERS)))
    finally:
        sys.setswitchinterval(usual)


def takes_effect(call: Callable[..., Any], *arguments: Any, **options: Any) -> bool:
    try:
        call(*arguments, **options)
    except ClientError:
        return False
    return True


def test_of_many_racers_one_wins(rows: Rows) -> None:
    won = at_once(
        lambda number: takes_effect(
            rows.transact, rows.put_action("won", new=True), rows.put_action(f"by{number}")
        )
    )

    assert 1 == won.count(True)
    assert [f"by{won.index(True)}", "won"] == rows.sort_keys()


def test_of_many_first_puts_one_wins(rows: Rows) -> None:
    won = at_once(
        lambda number: takes_effect(
            rows.client.put_item, **rows.put_action(new=True, a=n(number))["Put"]
        )
    )

    assert 1 == won.count(True)
    assert n(won.index(True)) == rows.get()["a"]


def test_additions_under_a_version_are_never_lost(rows: Rows) -> None:
    rows.put(a=n(0))

    def add(_: int) -> None:
        for _ in range(5):
            while True:
                found = rows.get()["a"]
                values = {":old": found, ":new": n(int(found["N"]) + 1)}
                extra: Any = {"ExpressionAttributeNames": {"#a": "a"}}
                if takes_effect(
                    rows.update, "SET #a = :new", values, ConditionExpression="#a = :old", **extra
                ):
                    break

    at_once(add)

    assert n(5 * WRITERS) == rows.get()["a"]


def test_transactions_at_the_same_time_never_mix(rows: Rows) -> None:
    def write(number: int) -> None:
        for _ in range(5):
            pair = [rows.put_action(sk, a=n(number)) for sk in ("x", "y")]
            takes_effect(rows.transact, *(pair if number % 2 else pair[::-1]))

    at_once(write)

    assert rows.get("x")["a"] == rows.get("y")["a"]

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import ClientError, ReadTimeoutError

from shared.adapters.dynamodb.transactions import (
    ABSENT,
    ConditionFailedError,
    check,
    delete,
    put,
    put_new,
    transact,
    update,
)
from shared.domain.errors import StaleVersionError, UnavailableError
from tests.fakes.memory_dynamodb import MemoryDynamo

if TYPE_CHECKING:
    from collections.abc import Callable

A = ("P", "a")
B = ("P", "b")


@pytest.fixture
def dynamo() -> MemoryDynamo:
    return MemoryDynamo()


@pytest.fixture
def naps() -> list[float]:
    return []


def rows(dynamo: MemoryDynamo) -> dict[str, dict[str, Any]]:
    found = dynamo.dump().get("core", [])
    return {row["sk"]: {k: v for k, v in row.items() if k not in {"pk", "sk"}} for row in found}


def fails(error: Exception, *, times: int) -> Callable[..., None]:
    """Returns a hook that raises at its first calls."""
    left = [error] * times

    def hook(*_arguments: object) -> None:
        if left:
            raise left.pop()

    return hook


def refused(code: str, *reasons: str) -> ClientError:
    response: Any = {"Error": {"Code": code, "Message": "made up"}}
    if reasons:
        response["CancellationReasons"] = [{"Code": reason} for reason in reasons]
    return ClientError(response, "TransactWriteItems")


def test_all_operations_take_effect_together(dynamo: MemoryDynamo) -> None:
    transact(dynamo, [put_new("core", A, {"v": 1, "none": None}), put("core", B, {"v": 1})])
    transact(
        dynamo,
        [
            update("core", A, assign={"v": 2, "w": 1}, expect={"v": 1, "other": ABSENT}),
            delete("core", B, expect={"v": 1}),
        ],
    )

    assert {"a": {"v": 2, "w": 1}} == rows(dynamo)


def test_an_update_removes_attributes(dynamo: MemoryDynamo) -> None:
    transact(dynamo, [put("core", A, {"v": 1, "w": 2})])

    transact(dynamo, [update("core", A, assign={}, remove=["w"])])

    assert {"a": {"v": 1}} == rows(dynamo)


def test_a_put_replaces_the_whole_row(dynamo: MemoryDynamo) -> None:
    transact(dynamo, [put("core", A, {"v": 1, "w": 2})])

    transact(dynamo, [put("core", A, {"v": 3}, expect={"v": 1})])

    assert {"a": {"v": 3}} == rows(dynamo)


@pytest.mark.parametrize(
    "operation",
    [
        put_new("core", A, {"v": 2}),
        put("core", A, {"v": 2}, expect={"v": 2}),
        update("core", A, assign={"v": 2}, expect={"v": 2}),
        update("core", A, assign={"v": 2}, expect={"v": ABSENT}),
        delete("core", A, expect={"v": 2}),
        check("core", A, {"v": 1, "w": 1}),
    ],
)
def test_a_failed_condition_names_its_position_and_row(
    dynamo: MemoryDynamo, operation: dict[str, Any]
) -> None:
    transact(dynamo, [put("core", A, {"v": 1})])

    with pytest.raises(ConditionFailedError) as caught:
        transact(dynamo, [put_new("core", B, {}), operation])

    assert {1: {"pk": "P", "sk": "a", "v": 1}} == caught.value.failed
    assert {"a": {"v": 1}} == rows(dynamo)


def test_a_failed_condition_on_an_absent_row_has_no_row(dynamo: MemoryDynamo) -> None:
    with pytest.raises(StaleVersionError) as caught:
        transact(dynamo, [check("core", A, {"v": 1}), put_new("core", B, {})])

    assert isinstance(caught.value, ConditionFailedError)
    assert {0: None} == caught.value.failed
    assert {} == rows(dynamo)


def test_every_failed_condition_is_named(dynamo: MemoryDynamo) -> None:
    with pytest.raises(ConditionFailedError) as caught:
        transact(dynamo, [check("core", A, {"v": 1}), check("core", B, {"v": 1})])

    assert {0, 1} == set(caught.value.failed)


def test_a_failed_condition_is_not_resent(dynamo: MemoryDynamo, naps: list[float]) -> None:
    with pytest.raises(ConditionFailedError):
        transact(dynamo, [check("core", A, {"v": 1})], sleep=naps.append)

    assert 1 == len(dynamo.calls)
    assert [] == naps


def test_a_failed_condition_outranks_a_conflict(dynamo: MemoryDynamo, naps: list[float]) -> None:
    error = refused("TransactionCanceledException", "TransactionConflict", "ConditionalCheckFailed")
    dynamo.before["*"] = fails(error, times=1)

    with pytest.raises(ConditionFailedError) as caught:
        transact(dynamo, [put("core", A, {}), put("core", B, {})], sleep=naps.append)

    assert {1: None} == caught.value.failed


BUSY = [
    refused("TransactionCanceledException", "None", "TransactionConflict"),
    refused("TransactionCanceledException", "ThrottlingError"),
    refused("TransactionCanceledException", "ProvisionedThroughputExceeded"),
    refused("TransactionInProgressException"),
    refused("ProvisionedThroughputExceededException"),
    refused("ThrottlingException"),
    refused("InternalServerError"),
]


@pytest.mark.parametrize("error", BUSY, ids=str)
def test_a_conflict_is_tried_again(
    dynamo: MemoryDynamo, naps: list[float], error: ClientError
) -> None:
    dynamo.before["*"] = fails(error, times=3)

    transact(dynamo, [put("core", A, {"v": 1})], sleep=naps.append)

    assert {"a": {"v": 1}} == rows(dynamo)
    assert 3 == len(naps)
    assert max(naps) <= 0.2


@pytest.mark.parametrize("error", BUSY, ids=str)
def test_a_lasting_conflict_is_an_outage(
    dynamo: MemoryDynamo, naps: list[float], error: ClientError
) -> None:
    dynamo.before["*"] = fails(error, times=100)

    with pytest.raises(UnavailableError):
        transact(dynamo, [put("core", A, {"v": 1})], sleep=naps.append)

    assert 4 == len(dynamo.calls)


@pytest.mark.parametrize(
    "error",
    [refused("AccessDeniedException"), ReadTimeoutError(endpoint_url="https://dynamodb")],
    ids=["denied", "timeout"],
)
def test_an_outage_is_told_at_once(dynamo: MemoryDynamo, error: Exception) -> None:
    dynamo.before["*"] = fails(error, times=1)

    with pytest.raises(UnavailableError):
        transact(dynamo, [put("core", A, {"v": 1})])

    assert 1 == len(dynamo.calls)


@pytest.mark.parametrize(
    "error",
    [
        refused("ValidationException"),
        refused("IdempotentParameterMismatchException"),
        refused("TransactionCanceledException", "None", "ValidationError"),
    ],
    ids=str,
)
def test_a_mistake_of_ours_stays_a_bug(dynamo: MemoryDynamo, error: ClientError) -> None:
    dynamo.before["*"] = fails(error, times=1)

    with pytest.raises(ClientError):
        transact(dynamo, [put("core", A, {"v": 1})])


def test_an_oversized_row_is_a_bug_and_changes_nothing(dynamo: MemoryDynamo) -> None:
    with pytest.raises(ClientError):
        transact(dynamo, [put("core", B, {}), put("core", A, {"v": "x" * 410_000})])

    assert {} == rows(dynamo)


@pytest.mark.parametrize("build", [put, put_new])
def test_a_float_is_refused_before_anything_is_sent(build: Callable[..., object]) -> None:
    with pytest.raises(TypeError):
        build("core", A, {"amount": 1.5})

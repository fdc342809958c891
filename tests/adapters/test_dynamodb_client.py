from __future__ import annotations

from typing import Any

import pytest
from botocore.exceptions import ClientError, ReadTimeoutError

from shared import names
from shared.adapters.dynamodb.client import dynamodb_client, get, get_many, query
from shared.adapters.dynamodb.transactions import put, transact
from shared.domain.errors import UnavailableError
from tests.fakes.memory_dynamodb import MemoryDynamo

LIST = (names.INDEX_LIST, names.LIST_PK, names.LIST_SK)
SORT_KEYS = ["a1", "a2", "b1", "b2", "c"]


@pytest.fixture
def dynamo() -> MemoryDynamo:
    dynamo = MemoryDynamo()
    for sk in SORT_KEYS:
        in_list = {names.LIST_PK: "L", names.LIST_SK: sk} if sk != "c" else {}
        transact(dynamo, [put("core", ("P", sk), {"v": 1, **in_list})])
    return dynamo


def found(dynamo: MemoryDynamo, partition: str = "P", **options: Any) -> list[str]:  # noqa: ANN401 - as query
    return [row["sk"] for row in query(dynamo, "core", partition, **options)]


def test_a_row_is_read_consistently(dynamo: MemoryDynamo) -> None:
    assert {"pk": "P", "sk": "c", "v": 1} == get(dynamo, "core", ("P", "c"))
    assert dynamo.calls[-1][1]["ConsistentRead"]


def test_an_absent_row_is_none(dynamo: MemoryDynamo) -> None:
    assert get(dynamo, "core", ("P", "absent")) is None


def test_rows_that_were_left_over_are_asked_for_again(dynamo: MemoryDynamo) -> None:
    def leave_one_over(request: dict[str, Any], answer: dict[str, Any]) -> None:
        *others, left = request["RequestItems"]["core"]["Keys"]
        if others:
            answer["UnprocessedKeys"] = {"core": {"Keys": [left]}}
            rows = answer["Responses"]["core"]
            answer["Responses"]["core"] = [row for row in rows if row["sk"] != left["sk"]]

    dynamo.after["batch_get_item"] = leave_one_over

    rows = get_many(
        dynamo, "core", [("P", sk) for sk in ("a1", "b2", "none", "c")], consistent=True
    )

    assert {("P", sk): 1 for sk in ("a1", "b2", "c")} == {
        key: row["v"] for key, row in rows.items()
    }
    assert 2 == [name for name, _ in dynamo.calls].count("batch_get_item")


def test_rows_that_are_left_over_for_ever_are_an_outage(dynamo: MemoryDynamo) -> None:
    def leave_all_over(request: dict[str, Any], answer: dict[str, Any]) -> None:
        answer |= {"Responses": {}, "UnprocessedKeys": request["RequestItems"]}

    dynamo.after["batch_get_item"] = leave_all_over

    with pytest.raises(UnavailableError):
        get_many(dynamo, "core", [("P", "c")], consistent=False)


def test_nothing_is_read_together_without_a_call(dynamo: MemoryDynamo) -> None:
    dynamo.calls.clear()

    assert {} == get_many(dynamo, "core", [], consistent=False)
    assert [] == dynamo.calls


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({}, SORT_KEYS),
        ({"newest_first": True}, SORT_KEYS[::-1]),
        ({"prefix": "b"}, ["b1", "b2"]),
        ({"before": "b2"}, ["a1", "a2", "b1"]),
        ({"before": "b2", "newest_first": True, "limit": 2}, ["b1", "a2"]),
        ({"limit": 3}, ["a1", "a2", "b1"]),
        ({"limit": 99}, SORT_KEYS),
        ({"prefix": "none"}, []),
    ],
)
def test_a_query_keeps_to_its_options(
    dynamo: MemoryDynamo, options: dict[str, Any], expected: list[str]
) -> None:
    assert expected == found(dynamo, **options)


def test_a_query_of_an_index_sees_its_rows(dynamo: MemoryDynamo) -> None:
    assert ["a1", "a2", "b1", "b2"] == found(dynamo, "L", index=LIST)
    assert ["a1", "a2"] == found(dynamo, "L", index=LIST, prefix="a")
    assert "ConsistentRead" not in dynamo.calls[-1][1]


def test_the_base_table_is_queried_consistently(dynamo: MemoryDynamo) -> None:
    found(dynamo)

    assert dynamo.calls[-1][1]["ConsistentRead"]


def test_all_pages_are_read() -> None:
    dynamo = MemoryDynamo()
    wanted = [f"{number:02d}" for number in range(8)]
    for sk in wanted:
        transact(dynamo, [put("core", ("P", sk), {"v": "x" * 390_000})])

    assert wanted == found(dynamo)
    assert 1 < sum(name == "query" for name, _ in dynamo.calls)


def test_a_limit_holds_across_pages() -> None:
    dynamo = MemoryDynamo()
    for number in range(8):
        transact(dynamo, [put("core", ("P", f"{number:02d}"), {"v": "x" * 390_000})])

    assert ["00", "01", "02", "03", "04"] == found(dynamo, limit=5)


@pytest.mark.parametrize(
    "error",
    [
        ClientError({"Error": {"Code": "ThrottlingException"}}, "Query"),
        ClientError({"Error": {"Code": "InternalServerError"}}, "Query"),
        ReadTimeoutError(endpoint_url="https://dynamodb"),
    ],
    ids=["throttled", "internal", "timeout"],
)
def test_an_outage_is_told(dynamo: MemoryDynamo, error: Exception) -> None:
    def fail(*_arguments: object) -> None:
        raise error

    dynamo.before["*"] = fail

    with pytest.raises(UnavailableError):
        get(dynamo, "core", ("P", "c"))
    with pytest.raises(UnavailableError):
        found(dynamo)


def test_a_mistake_of_ours_stays_a_bug(dynamo: MemoryDynamo) -> None:
    with pytest.raises(ClientError):
        get(dynamo, "core", ("", "c"))
    with pytest.raises(ClientError):
        found(dynamo, index=("no_such_index", "pk", "sk"))


def test_the_real_client_gives_up_in_seconds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")

    config: Any = dynamodb_client().meta.config

    assert (1, 3) == (config.connect_timeout, config.read_timeout)

"""Requests about the rows of one partition in few words."""

# ruff: noqa: ANN401 - requests and answers are as loosely typed as in boto3

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import ClientError

if TYPE_CHECKING:
    from collections.abc import Callable

NEW = "attribute_not_exists(#pk)"


def s(text: str) -> dict[str, str]:
    return {"S": text}


def n(text: int | str) -> dict[str, str]:
    return {"N": str(text)}


class Rows:
    """The rows of one partition, and requests about them in few words."""

    def __init__(self, client: Any, table: str, pk: str) -> None:
        self.client = client
        self.table = table
        self.pk = pk

    def key(self, sk: str = "0") -> dict[str, Any]:
        return {"pk": s(self.pk), "sk": s(sk)}

    def put(self, sk: str = "0", **attributes: Any) -> Any:
        return self.client.put_item(TableName=self.table, Item=self.key(sk) | attributes)

    def get(self, sk: str = "0") -> Any:
        answer = self.client.get_item(TableName=self.table, Key=self.key(sk), ConsistentRead=True)
        return answer.get("Item")

    def update(self, expression: str, values: dict[str, Any] | None = None, **extra: Any) -> Any:
        request = {"Key": self.key(), "UpdateExpression": expression, **extra}
        if values:
            request["ExpressionAttributeValues"] = values
        return self.client.update_item(TableName=self.table, **request)

    def query(self, condition: str = "", value: Any = None, **extra: Any) -> Any:
        request: dict[str, Any] = {
            "KeyConditionExpression": "#p = :p" + (f" AND {condition}" if condition else ""),
            "ExpressionAttributeNames": {"#p": "pk"} | ({"#s": "sk"} if condition else {}),
            "ExpressionAttributeValues": {":p": s(self.pk)} | ({":s": value} if condition else {}),
        }
        return self.client.query(TableName=self.table, ConsistentRead=True, **request | extra)

    def sort_keys(self, *arguments: Any, **extra: Any) -> list[str]:
        return [row["sk"]["S"] for row in self.query(*arguments, **extra)["Items"]]

    def put_action(self, sk: str = "0", *, new: bool = False, **attributes: Any) -> Any:
        body: dict[str, Any] = {"TableName": self.table, "Item": self.key(sk) | attributes}
        if new:
            body["ConditionExpression"] = NEW
            body["ExpressionAttributeNames"] = {"#pk": "pk"}
            body["ReturnValuesOnConditionCheckFailure"] = "ALL_OLD"
        return {"Put": body}

    def delete(self, sk: str = "0") -> Any:
        return self.client.delete_item(TableName=self.table, Key=self.key(sk))

    def check_action(self, sk: str, condition: str, values: dict[str, Any]) -> Any:
        return {
            "ConditionCheck": {
                "TableName": self.table,
                "Key": self.key(sk),
                "ConditionExpression": condition,
                "ExpressionAttributeNames": {"#a": "a"},
                "ExpressionAttributeValues": values,
                "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
            }
        }

    def transact(self, *actions: Any, **extra: Any) -> Any:
        return self.client.transact_write_items(TransactItems=list(actions), **extra)


def refusal(call: Callable[..., Any], *arguments: Any, **options: Any) -> Any:
    with pytest.raises(ClientError) as caught:
        call(*arguments, **options)
    return caught.value.response


def code(call: Callable[..., Any], *arguments: Any, **options: Any) -> Any:
    return refusal(call, *arguments, **options)["Error"]["Code"]


def reasons(response: Any) -> list[str]:
    return [reason["Code"] for reason in response["CancellationReasons"]]

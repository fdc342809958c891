"""The same redirect as a plain handler over a boto3 client, made as its documentation says."""

import os
from typing import Any, Final

import boto3

from bench.redirect.rival import Item, Rival
from shared import names
from shared.adapters.dynamodb.codec import from_wire, to_wire
from shared.adapters.dynamodb.keys import Key
from shared.domain.clicks import Visit

_CORE: Final = os.environ[names.ENV_CORE_TABLE]
_CLICKS: Final = os.environ[names.ENV_CLICKS_TABLE]
_client = boto3.client("dynamodb")


def _read(key: Key) -> Item | None:
    wire_key = to_wire({names.PK: key[0], names.SK: key[1]})
    answer = _client.get_item(TableName=_CORE, Key=wire_key)
    return from_wire(answer["Item"]) if "Item" in answer else None


def _write(row: Item) -> None:
    _client.put_item(
        TableName=_CLICKS,
        Item=to_wire(row),
        ConditionExpression="attribute_not_exists(#pk)",
        ExpressionAttributeNames={"#pk": names.PK},
    )


_rival = Rival(read=_read, write=_write)


def handler(event: dict[str, Any], _context: object) -> dict[str, Any]:
    """Answer one request of the HTTP API."""
    request = event["requestContext"]["http"]
    return _rival.answer(
        Visit(
            code=event["pathParameters"]["code"],
            query=event["rawQueryString"],
            method=request["method"],
            headers=event["headers"],
            address=request["sourceIp"],
        )
    )

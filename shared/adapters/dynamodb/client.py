"""One DynamoDB client per function, and the reads that every adapter shares."""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, Final

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from shared import names
from shared.adapters.dynamodb.codec import Item, from_wire
from shared.domain.errors import UnavailableError

if TYPE_CHECKING:
    from types_boto3_dynamodb import DynamoDBClient

    from shared.adapters.dynamodb.keys import Key

# Two attempts of at most 1 + 3 s stay well below the shortest function timeout.
_CONFIG: Final = Config(
    retries={"mode": "standard", "total_max_attempts": 3},
    connect_timeout=1,
    read_timeout=3,
    max_pool_connections=10,
)


_BATCH_KEYS: Final = 100
"""As many as one call may ask for."""
_BATCH_TRIES: Final = 3


def dynamodb_client() -> "DynamoDBClient":
    """Return a client with explicit timeouts and few retries."""
    return boto3.client("dynamodb", config=_CONFIG)


def get(client: "DynamoDBClient", table: str, key: "Key") -> Item | None:
    """Read one row consistently, or return None.

    Raises:
        UnavailableError: when the store does not answer.
    """
    try:
        answer = client.get_item(
            TableName=table,
            Key={names.PK: {"S": key[0]}, names.SK: {"S": key[1]}},
            ConsistentRead=True,
        )
    except (BotoCoreError, ClientError) as error:
        raise unavailable(error) from error
    return from_wire(answer["Item"]) if answer.get("Item") else None


def get_many(
    client: "DynamoDBClient", table: str, wanted: Sequence["Key"], *, consistent: bool
) -> "dict[Key, Item]":
    """Read different rows, each hundred in one call; those that are not there are left out.

    Raises:
        UnavailableError: when the store does not answer, or not completely.
    """
    found: dict[Key, Item] = {}
    for begin in range(0, len(wanted), _BATCH_KEYS):
        chunk = wanted[begin : begin + _BATCH_KEYS]
        rest: Any = [{names.PK: {"S": pk}, names.SK: {"S": sk}} for pk, sk in chunk]
        for _ in range(_BATCH_TRIES):
            asked: Any = {table: {"Keys": rest, "ConsistentRead": consistent}}
            try:
                answer: Any = client.batch_get_item(RequestItems=asked)
            except (BotoCoreError, ClientError) as error:
                raise unavailable(error) from error
            for item in answer["Responses"].get(table, ()):
                row = from_wire(item)
                found[row[names.PK], row[names.SK]] = row
            rest = answer.get("UnprocessedKeys", {}).get(table, {}).get("Keys", [])
            if not rest:
                break
        else:
            raise UnavailableError("keys_left")
    return found


def query(
    client: "DynamoDBClient",
    table: str,
    partition: str,
    *,
    prefix: str = "",
    limit: int | None = None,
    index: tuple[str, str, str] | None = None,
    before: str = "",
    after: str = "",
    newest_first: bool = False,
) -> Iterator[Item]:
    """Yield the rows of one partition in sort order, page by page.

    ``index`` is (index name, partition attribute, sort attribute) and reads without
    consistency; the base table is read consistently. ``prefix`` keeps sort keys that begin with
    it, ``before`` those that sort below it; at most one of the two. ``after`` is the sort key of
    a base table to go on behind.

    Raises:
        UnavailableError: when the store does not answer.
    """
    index_name, pk_name, sk_name = index or ("", names.PK, names.SK)
    request: dict[str, Any] = {
        "TableName": table,
        "KeyConditionExpression": "#p = :p",
        "ExpressionAttributeNames": {"#p": pk_name},
        "ExpressionAttributeValues": {":p": {"S": partition}},
        "ScanIndexForward": not newest_first,
    }
    if index:
        request["IndexName"] = index_name
    else:
        request["ConsistentRead"] = True
    if prefix or before:
        clause = "begins_with(#s, :s)" if prefix else "#s < :s"
        request["KeyConditionExpression"] += f" AND {clause}"
        request["ExpressionAttributeNames"]["#s"] = sk_name
        request["ExpressionAttributeValues"][":s"] = {"S": prefix or before}
    if after:
        request["ExclusiveStartKey"] = {pk_name: {"S": partition}, sk_name: {"S": after}}
    left = limit
    while True:
        if left is not None:
            request["Limit"] = left
        try:
            answer = client.query(**request)
        except (BotoCoreError, ClientError) as error:
            raise unavailable(error) from error
        for item in answer["Items"]:
            yield from_wire(item)
        if left is not None:
            left -= len(answer["Items"])
        if "LastEvaluatedKey" not in answer or (left is not None and left <= 0):
            return
        request["ExclusiveStartKey"] = answer["LastEvaluatedKey"]


def unavailable(error: BotoCoreError | ClientError) -> Exception:
    """Return what a failed call means: a refused request is a bug, all else is an outage."""
    if isinstance(error, ClientError):
        code = error.response["Error"]["Code"]
        return error if code == "ValidationException" else UnavailableError(code)
    return UnavailableError(type(error).__name__)

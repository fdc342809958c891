"""The same redirect as tutorials have it: a boto3 resource behind Powertools' event handler."""

import os
from typing import Any, Final

import boto3
from aws_lambda_powertools import Logger
from aws_lambda_powertools.event_handler import APIGatewayHttpResolver, Response
from aws_lambda_powertools.utilities.typing import LambdaContext

from bench.redirect.rival import Item, Rival
from shared import names
from shared.adapters.dynamodb.keys import Key
from shared.domain.clicks import Visit

_resource = boto3.resource("dynamodb")
_core: Final = _resource.Table(os.environ[names.ENV_CORE_TABLE])
_clicks: Final = _resource.Table(os.environ[names.ENV_CLICKS_TABLE])
_logger = Logger(service="redirect")
_app = APIGatewayHttpResolver()


def _read(key: Key) -> Item | None:
    found = _core.get_item(Key={names.PK: key[0], names.SK: key[1]}).get("Item")
    # The resource answers numbers as decimals and bytes in a wrapper of its own.
    return None if found is None else {name: _plain(value) for name, value in found.items()}


def _plain(value: Any) -> Any:  # noqa: ANN401 - any attribute
    if isinstance(value, dict):
        return {name: _plain(part) for name, part in value.items()}
    if isinstance(value, list):
        return [_plain(part) for part in value]
    return bytes(value) if type(value).__name__ == "Binary" else value


def _write(row: Item) -> None:
    _clicks.put_item(
        Item=row,
        ConditionExpression="attribute_not_exists(#pk)",
        ExpressionAttributeNames={"#pk": names.PK},
    )


_rival = Rival(read=_read, write=_write)


@_app.get("/<code>")
def _follow(code: str) -> Response[str]:
    event = _app.current_event
    answer = _rival.answer(
        Visit(
            code=code,
            query=event["rawQueryString"],
            method=event.http_method,
            headers=event.headers,
            address=event.request_context.http.source_ip,
        )
    )
    return Response(
        status_code=answer["statusCode"], headers=answer["headers"], body=answer["body"]
    )


@_logger.inject_lambda_context
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Answer one request of the HTTP API."""
    return _app.resolve(event, context)

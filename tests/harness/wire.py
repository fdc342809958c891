"""Real boto3 clients whose requests are answered in memory, with faults at botocore's own hooks.

Everything above the socket is the real thing: parameter checks, serialisation, signing, retries
and error classes of the SDK. Only the endpoint is ours.
"""

from __future__ import annotations

import base64
import hashlib
import json
from dataclasses import dataclass, field
from io import BytesIO
from typing import TYPE_CHECKING, Any

import boto3
from botocore.awsrequest import AWSResponse
from botocore.compat import HTTPHeaders
from botocore.exceptions import ClientError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.fakes.memory_bus import MemoryBus
    from tests.fakes.memory_dynamodb import MemoryDynamo

SERVICES = ("dynamodb", "events", "kms", "secrets-manager", "sqs")
OPERATIONS = {
    "GetItem": "get_item",
    "PutItem": "put_item",
    "UpdateItem": "update_item",
    "DeleteItem": "delete_item",
    "Query": "query",
    "BatchGetItem": "batch_get_item",
    "BatchWriteItem": "batch_write_item",
    "Scan": "scan",
    "TransactGetItems": "transact_get_items",
    "TransactWriteItems": "transact_write_items",
}
_PLACE = "place_among_calls"


@dataclass(frozen=True, slots=True, kw_only=True)
class AwsCall:
    """One call as the code made it, whatever the SDK's retries made of it.

    ``what`` names operation and table, and for transactions each member: ``TransactWriteItems
    Put core FACT, Update core META``.
    """

    service: str
    operation: str
    parameters: dict[str, Any]
    what: str


@dataclass(slots=True, kw_only=True)
class Wire:
    """The endpoint of every client that was made from its session.

    ``calls`` are the logical calls since the last ``begin``. ``on_call`` and ``on_answer`` may
    answer or raise in place of the call, or after it; ``on_send`` may raise for a single attempt
    of the SDK; ``resend`` makes the SDK send a request again that succeeded. ``mutate`` changes
    what reaches the store, or swallows it (None); it outlasts ``begin``. While ``hurried``, what
    nobody strikes or looks at goes past the SDK, to the same store.
    """

    store: MemoryDynamo
    bus: MemoryBus
    root_secret: str
    session: boto3.Session = field(
        default_factory=lambda: boto3.Session(
            aws_access_key_id="testing",
            aws_secret_access_key="testing",
            region_name="eu-central-1",
        )
    )
    calls: list[AwsCall] = field(default_factory=list)
    on_call: Callable[[int, AwsCall], tuple[int, dict[str, Any]] | None] | None = None
    on_answer: Callable[[int, AwsCall, int, dict[str, Any]], None] | None = None
    on_send: Callable[[int], None] | None = None
    resend: Callable[[int], bool] | None = None
    mutate: Callable[[str, dict[str, Any]], dict[str, Any] | None] | None = None
    hurried: bool = False

    def __post_init__(self) -> None:
        events: Any = self.session.events
        for service in SERVICES:
            events.register(f"before-call.{service}.*", self._before_call)
            events.register(f"before-send.{service}.*", self._send)
            events.register_first(f"needs-retry.{service}.*", self._needs_retry)
            events.register_first(f"after-call.{service}.*", self._after_call)

    def begin(self) -> None:
        """Start counting calls anew, without any fault."""
        self.calls = []
        self.bus.codes.clear()
        self.on_call = self.on_answer = self.on_send = self.resend = None

    def client(self, service: str, **options: Any) -> Any:  # noqa: ANN401 - boto3's own
        """Return a client as ``boto3.client`` does."""
        session: Any = self.session
        client = session.client(service, **options)
        through_sdk = client._make_api_call

        def call(operation: str, params: dict[str, Any]) -> Any:  # noqa: ANN401 - any answer
            if self.hurried and not self.mutate and service == "dynamodb":
                return getattr(self.store, OPERATIONS[operation])(**params)
            return through_sdk(operation, params)

        client._make_api_call = call
        return client

    # -- the SDK's hooks ------------------------------------------------------------------------

    def _before_call(self, model: Any, params: Any, context: Any, **_more: Any) -> Any:  # noqa: ANN401 - botocore's
        call = _described(model.service_model.service_name, model.name, params)
        place = context[_PLACE] = len(self.calls)  # Others may call before this one is answered.
        self.calls.append(call)
        refused = self.on_call(place, call) if self.on_call else None
        if refused is None:
            return None
        status, answer = refused
        return AWSResponse("", status, HTTPHeaders(), _Raw()), answer

    def _after_call(self, http_response: Any, parsed: Any, context: Any, **_more: Any) -> None:  # noqa: ANN401
        if self.on_answer:
            place = context[_PLACE]
            self.on_answer(place, self.calls[place], http_response.status_code, parsed)

    def _needs_retry(self, response: Any, **_more: Any) -> int | None:  # noqa: ANN401 - botocore's
        answered = response is not None and response[0].status_code == 200
        if answered and self.resend and self.resend(len(self.calls) - 1):
            return 0
        return None

    def _send(self, request: Any, **_more: Any) -> AWSResponse:  # noqa: ANN401 - botocore's
        if self.on_send:
            self.on_send(len(self.calls) - 1)
        target = request.headers["X-Amz-Target"]
        target = target.decode() if isinstance(target, bytes) else target
        service, _, operation = target.partition(".")
        status, answer = self._answer(service, operation, json.loads(request.body))
        raw = json.dumps(answer).encode()
        return AWSResponse(request.url, status, HTTPHeaders(), _Raw(raw))

    # -- the endpoint ---------------------------------------------------------------------------

    def _answer(
        self, service: str, operation: str, request: dict[str, Any]
    ) -> tuple[int, dict[str, Any]]:
        try:
            return 200, self._served(service, operation, request)
        except ClientError as error:
            response: dict[str, Any] = dict(error.response)
            told = {k: v for k, v in response.items() if k not in ("Error", "ResponseMetadata")}
            code = response["Error"]["Code"]
            message = response["Error"]["Message"]
            return 400, wire_texts({"__type": code, "message": message, **told})

    def _served(self, service: str, operation: str, request: dict[str, Any]) -> Any:  # noqa: ANN401
        if service.startswith("DynamoDB"):
            sent = self.mutate(operation, request) if self.mutate else request
            if sent is None:
                return {}
            answer = getattr(self.store, OPERATIONS[operation])(**_binary(sent))
            return wire_texts({k: v for k, v in answer.items() if k != "ResponseMetadata"})
        if service == "AWSEvents":
            return self.bus.put_events(**request)
        if service == "AmazonSQS":
            return _queued(request["MessageBody"])
        if service == "TrentService":
            return _kms(operation, request)
        if service == "secretsmanager":
            secret = json.dumps({"secret": self.root_secret})
            return {"Name": request["SecretId"], "SecretString": secret}
        raise NotImplementedError(f"{service}.{operation}")


class _Raw(BytesIO):
    def stream(self, **_more: object) -> Iterator[bytes]:
        while chunk := self.read(1 << 16):
            yield chunk


def _queued(body: str) -> dict[str, Any]:
    # The SDK compares the digest with its own.
    digest = hashlib.md5(body.encode(), usedforsecurity=False).hexdigest()
    return {"MessageId": digest, "MD5OfMessageBody": digest}


def _kms(operation: str, request: dict[str, Any]) -> dict[str, Any]:
    # The context is part of the ciphertext, as it is for the service.
    context = json.dumps(request["EncryptionContext"], sort_keys=True)
    if operation == "Encrypt":
        sealed = json.dumps([context, request["Plaintext"]])
        return {"CiphertextBlob": base64.b64encode(sealed.encode()).decode()}
    sealed_for, text = json.loads(base64.b64decode(request["CiphertextBlob"]))
    if sealed_for != context:
        error: Any = {"Error": {"Code": "InvalidCiphertextException", "Message": ""}}
        raise ClientError(error, operation)
    return {"Plaintext": text}


def _binary(value: Any) -> Any:  # noqa: ANN401 - any JSON
    """Turn what JSON carries of binary values into what the SDK hands to code."""
    if isinstance(value, dict):
        if set(value) == {"B"} and isinstance(value["B"], str):
            return {"B": base64.b64decode(value["B"])}
        return {name: _binary(inner) for name, inner in value.items()}
    return [_binary(inner) for inner in value] if isinstance(value, list) else value


def wire_texts(value: Any) -> Any:  # noqa: ANN401 - any answer
    """Turn binary values into what JSON carries of them."""
    if isinstance(value, (bytes, bytearray)):
        return base64.b64encode(value).decode()
    if isinstance(value, dict):
        return {name: wire_texts(inner) for name, inner in value.items()}
    return [wire_texts(inner) for inner in value] if isinstance(value, (list, tuple)) else value


# -- what a call is called -----------------------------------------------------------------------


def _described(service: str, operation: str, params: dict[str, Any]) -> AwsCall:
    body = params["body"]
    request = json.loads(body) if body else {}
    what = operation
    if "TableName" in request:
        index = f" by {request['IndexName']}" if "IndexName" in request else ""
        what = f"{operation} {place_of(request)}{index}"
    elif "TransactItems" in request:
        members = [
            f"{action} {place_of(member)}"
            for row in request["TransactItems"]
            for action, member in row.items()
        ]
        what = f"{operation} {', '.join(sorted(set(members)))}"
    return AwsCall(service=service, operation=operation, parameters=request, what=what)


def is_write(call: AwsCall) -> bool:
    """Tell whether a call changes what is stored, or tells others of it."""
    return call.operation.startswith(("Put", "Update", "Delete", "Transact", "Send"))


def may_be_stale(call: AwsCall) -> bool:
    """Tell whether a call reads what was so a moment ago: an index, or a table without haste."""
    request = call.parameters
    asked = request.get("RequestItems", {"": request}).values()
    is_read = call.operation in {"GetItem", "Query", "BatchGetItem", "Scan"}
    return is_read and not all(each.get("ConsistentRead") for each in asked)


def place_of(request: dict[str, Any]) -> str:
    """Name the kind of row: table, then what the two parts of its key begin with."""
    row = request.get("Key") or request.get("Item")
    if row is None:
        values = sorted((request.get("ExpressionAttributeValues") or {}).items())
        row = {"pk": values[0][1]} if values else {}
    parts = [str(row.get(name, {}).get("S", "")) for name in ("pk", "sk")]
    kinds = [part.partition("#")[0] for part in parts if part]
    return " ".join([request["TableName"], *kinds])

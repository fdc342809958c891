"""DynamoDB in memory: a boto3 client look-alike with the service's semantics, for fast tests.

What the adapters use behaves as the service documents it; ``tests/conformance`` holds it to that.
Anything else raises NotImplementedError, so that no test passes on a guess. A table exists from
its first use: one whose name ends in ``clicks`` or ``vault`` has no index, one that ends in
``books`` has the indexes of the books, others those of the core table.
"""

from __future__ import annotations

import functools
import threading
import time
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import botocore.session
from botocore.errorfactory import ClientExceptionsFactory
from botocore.exceptions import ParamValidationError
from botocore.validate import ParamValidator

from shared.adapters.dynamodb.codec import from_wire
from tests.fakes.dynamodb_streams import Recorded, stream_record
from tests.fakes.dynamodb_tables import (
    Answer,
    Table,
    Write,
    judge,
    query_page,
    reason_of,
    scan_page,
    table_named,
)
from tests.fakes.dynamodb_values import RefusedError, copied_row, invalid, row_bytes

if TYPE_CHECKING:
    # Fits wherever the typed client does.
    _Typed = Any
else:
    _Typed = object

Hook = Callable[..., None]

MAX_TRANSACTION_BYTES = 4 * 1024 * 1024
MAX_ACTIONS = 100
TOKEN_SECONDS = 600
_MAX_TOKEN = 36

_CONDITIONAL = {
    "TableName",
    "ConditionExpression",
    "ExpressionAttributeNames",
    "ExpressionAttributeValues",
    "ReturnValuesOnConditionCheckFailure",
}
_KNOWN = {
    "GetItem": {"TableName", "Key", "ConsistentRead"},
    "PutItem": {*_CONDITIONAL, "Item", "ReturnValues"},
    "UpdateItem": {*_CONDITIONAL, "Key", "UpdateExpression", "ReturnValues"},
    "DeleteItem": {*_CONDITIONAL, "Key", "ReturnValues"},
    "BatchGetItem": {"RequestItems"},
    "Query": {
        "TableName",
        "IndexName",
        "KeyConditionExpression",
        "ExpressionAttributeNames",
        "ExpressionAttributeValues",
        "ConsistentRead",
        "ScanIndexForward",
        "Limit",
        "ExclusiveStartKey",
    },
    "Scan": {
        "TableName",
        "FilterExpression",
        "ExpressionAttributeNames",
        "ExpressionAttributeValues",
        "ConsistentRead",
        "Limit",
        "ExclusiveStartKey",
    },
    "TransactWriteItems": {"TransactItems", "ClientRequestToken"},
}


@functools.cache
def _service() -> tuple[Any, Any]:
    model = botocore.session.Session().get_service_model("dynamodb")
    return model, ClientExceptionsFactory().create_client_exceptions(model)


class MemoryDynamo(_Typed):  # type: ignore[misc]
    """A DynamoDB of its own; share one among the "processes" of a test.

    ``before[name]`` is called with the request before a call of that name takes effect,
    ``after[name]`` with the request and the answer once it has; the name ``*`` stands for any
    call. Raise there to inject a fault, or make other calls to interleave: a hook's own calls
    trigger no hooks. ``calls`` lists every call, ``changes`` every change of a row.
    """

    def __init__(self, *, now: Callable[[], float] = time.time) -> None:
        self.before: dict[str, Hook] = {}
        self.after: dict[str, Hook] = {}
        self.calls: list[tuple[str, dict[str, Any]]] = []
        self.changes: list[Recorded] = []
        self.exceptions = _service()[1]
        self._now = now
        self._lock = threading.RLock()
        self._in_hook = threading.local()
        self._tables: dict[str, Table] = {}
        self._tokens: dict[str, tuple[float, str]] = {}

    def get_item(self, **request: Any) -> Answer:  # noqa: ANN401 - as boto3
        return self._call("get_item", "GetItem", request, self._get)

    def batch_get_item(self, **request: Any) -> Answer:  # noqa: ANN401 - as boto3
        return self._call("batch_get_item", "BatchGetItem", request, self._get_batch)

    def put_item(self, **request: Any) -> Answer:  # noqa: ANN401 - as boto3
        return self._call("put_item", "PutItem", request, self._single("Put"))

    def update_item(self, **request: Any) -> Answer:  # noqa: ANN401 - as boto3
        return self._call("update_item", "UpdateItem", request, self._single("Update"))

    def delete_item(self, **request: Any) -> Answer:  # noqa: ANN401 - as boto3
        return self._call("delete_item", "DeleteItem", request, self._single("Delete"))

    def query(self, **request: Any) -> Answer:  # noqa: ANN401 - as boto3
        return self._call("query", "Query", request, self._query)

    def scan(self, **request: Any) -> Answer:  # noqa: ANN401 - as boto3
        return self._call(
            "scan", "Scan", request, lambda one: scan_page(self._table(one["TableName"]), one)
        )

    def transact_write_items(self, **request: Any) -> Answer:  # noqa: ANN401 - as boto3
        return self._call("transact_write_items", "TransactWriteItems", request, self._transact)

    def dump(self) -> dict[str, list[dict[str, Any]]]:
        """Returns every row of every table as plain values, in key order."""
        with self._lock:
            return {
                name: [from_wire(copied_row(row)) for _, row in sorted(table.rows.items())]
                for name, table in sorted(self._tables.items())
            }

    def stream_records(self, table: str, *, after: int = 0) -> list[dict[str, Any]]:
        """Returns the changes of a table, but for the first ``after``, as Lambda gets them."""
        with self._lock:
            found = [recorded for recorded in self.changes if recorded.table == table]
        return [stream_record(recorded) for recorded in found[after:]]

    def _call(
        self,
        name: str,
        operation: str,
        request: dict[str, Any],
        run: Callable[[dict[str, Any]], Answer],
    ) -> Answer:
        self.calls.append((name, request))
        self._hook(self.before, name, request)
        _check_shape(operation, request)
        try:
            with self._lock:
                answer = run(request)
        except RefusedError as refused:
            error = {"Code": refused.code, "Message": refused.message}
            response = {"Error": error, "message": refused.message, **refused.extra}
            raise self.exceptions.from_code(refused.code)(response, operation) from refused
        answer["ResponseMetadata"] = {"HTTPStatusCode": 200, "RetryAttempts": 0}
        self._hook(self.after, name, request, answer)
        return answer

    def _hook(self, hooks: Mapping[str, Hook], name: str, *arguments: Any) -> None:  # noqa: ANN401
        hook = hooks.get(name) or hooks.get("*")
        if hook and not getattr(self._in_hook, "on", False):
            with self._without_hooks():
                hook(*arguments)

    @contextmanager
    def _without_hooks(self) -> Generator[None]:
        self._in_hook.on = True
        try:
            yield
        finally:
            self._in_hook.on = False

    def _table(self, name: str) -> Table:
        return self._tables.setdefault(name, table_named(name))

    def _get(self, request: dict[str, Any]) -> Answer:
        table = self._table(request["TableName"])
        row = table.rows.get(table.key_of(request["Key"]))
        return {} if row is None else {"Item": copied_row(row)}

    def _get_batch(self, request: dict[str, Any]) -> Answer:
        found: dict[str, list[Any]] = {}
        for name, asked in request["RequestItems"].items():
            table = self._table(name)
            places = [table.key_of(key) for key in asked["Keys"]]
            if len(places) > MAX_ACTIONS:
                raise invalid("Too many items requested for the BatchGetItem call")
            if len(set(places)) < len(places):
                raise invalid("Provided list of item keys contains duplicates")
            found[name] = [copied_row(table.rows[one]) for one in places if one in table.rows]
        return {"Responses": found, "UnprocessedKeys": {}}

    def _query(self, request: dict[str, Any]) -> Answer:
        return query_page(self._table(request["TableName"]), request)

    def _single(self, action: str) -> Callable[[dict[str, Any]], Answer]:
        def run(request: dict[str, Any]) -> Answer:
            write = judge(self._table(request["TableName"]), action, request)
            if write.failed:
                old = (
                    {"Item": copied_row(write.before)} if write.return_old and write.before else {}
                )
                raise RefusedError(
                    "ConditionalCheckFailedException", "The conditional request failed", **old
                )
            if write.after is not None:
                write.table.checked(write.after)
            self._apply(write)
            wanted = request.get("ReturnValues", "NONE")
            if wanted not in {"NONE", "ALL_OLD", "ALL_NEW"}:
                raise NotImplementedError(f"ReturnValues={wanted}")
            image = write.before if wanted == "ALL_OLD" else write.after
            return {"Attributes": copied_row(image)} if wanted != "NONE" and image else {}

        return run

    def _apply(self, write: Write) -> None:
        if write.after == write.before:
            return
        if write.after is None:
            del write.table.rows[write.key]
        else:
            write.table.rows[write.key] = write.after
        event_name = "MODIFY"
        if write.before is None or write.after is None:
            event_name = "INSERT" if write.before is None else "REMOVE"
        row = write.after or write.before or {}
        self.changes.append(
            Recorded(
                table=write.table.name,
                event_name=event_name,
                # Longer than a float or 38 digits of anything should be asked to hold.
                sequence_number=f"{100000000000000000000000 + len(self.changes) + 1}",
                at=self._now(),
                keys={name: row[name] for name in write.table.key_names},
                new_image=write.after,
                old_image=write.before,
            )
        )

    def _transact(self, request: dict[str, Any]) -> Answer:
        actions = [_only_action(member) for member in request["TransactItems"]]
        if len(actions) > MAX_ACTIONS:
            raise invalid("Member must have length less than or equal to 100")
        token = request.get("ClientRequestToken", "")
        digest = repr(request["TransactItems"])
        if self._is_replay(token, digest):
            return {}
        writes = [judge(self._table(body["TableName"]), action, body) for action, body in actions]
        places = {(write.table.name, write.key) for write in writes}
        if len(places) < len(writes):
            raise invalid("Transaction request cannot include multiple operations on one item")
        sizes = (row_bytes(write.after or write.before or {}) for write in writes)
        if sum(sizes) > MAX_TRANSACTION_BYTES:
            raise invalid("Member must have a total size less than or equal to 4 MB")
        reasons = [reason_of(write) for write in writes]
        codes = [reason["Code"] for reason in reasons]
        if any(code != "None" for code in codes):
            raise RefusedError(
                "TransactionCanceledException",
                "Transaction cancelled, please refer cancellation reasons for specific reasons "
                f"[{', '.join(codes)}]",
                CancellationReasons=reasons,
            )
        for write in writes:
            self._apply(write)
        if token:
            self._tokens[token] = (self._now(), digest)
        return {}

    def _is_replay(self, token: str, digest: str) -> bool:
        if len(token) > _MAX_TOKEN:
            raise invalid("clientRequestToken must have length less than or equal to 36")
        seen_at, seen = self._tokens.get(token, (0.0, ""))
        if not token or not seen or self._now() - seen_at > TOKEN_SECONDS:
            return False
        if seen != digest:
            raise RefusedError(
                "IdempotentParameterMismatchException",
                "Requests with the same token must have the same parameters",
            )
        return True


def _check_shape(operation: str, request: dict[str, Any]) -> None:
    report = ParamValidator().validate(
        request, _service()[0].operation_model(operation).input_shape
    )
    if report.has_errors():
        raise ParamValidationError(report=report.generate_report())
    unknown = set(request) - _KNOWN[operation]
    if unknown:
        raise NotImplementedError(f"{operation} with {sorted(unknown)}")


def _only_action(member: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    if len(member) != 1:
        raise invalid("TransactItems can only contain one of Check, Put, Update or Delete")
    ((action, body),) = member.items()
    return action, body

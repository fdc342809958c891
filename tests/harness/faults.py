"""Every kind of fault, as a way to arm the wire for one call of a run."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ConnectTimeoutError, ReadTimeoutError

from tests.fakes.memory_dynamodb import MemoryDynamo
from tests.harness.cloud import Cloud, Dead, Saved
from tests.harness.wire import OPERATIONS, AwsCall, is_write, may_be_stale, wire_texts

if TYPE_CHECKING:
    from collections.abc import Callable


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """One kind of fault: which calls it can strike, and how."""

    name: str
    strikes: Callable[[AwsCall], bool]
    arm: Callable[[Cloud, int], None]


def _any(_call: AwsCall) -> bool:
    return True


def _on_table(call: AwsCall) -> bool:
    return call.service == "dynamodb"


def _written_row(call: AwsCall) -> bool:
    return _on_table(call) and is_write(call)


def _put_events(call: AwsCall) -> bool:
    return call.operation == "PutEvents"


def _refusing(code: str, status: int) -> Callable[[Cloud, int], None]:
    """Answer with an error instead of the call; nothing is applied and the SDK does not retry."""

    def arm(cloud: Cloud, point: int) -> None:
        def on_call(place: int, call: AwsCall) -> tuple[int, dict[str, Any]] | None:
            return (status, error_answer(code, call)) if place == point else None

        cloud.wire.on_call = on_call

    return arm


def error_answer(code: str, call: AwsCall) -> dict[str, Any]:
    """An error as the SDK has read it."""
    answer: dict[str, Any] = {"Error": {"Code": code, "Message": ""}, "ResponseMetadata": {}}
    if code == "TransactionConflictException" and call.operation == "TransactWriteItems":
        answer["Error"]["Code"] = "TransactionCanceledException"
        others = [{"Code": "None"} for _ in call.parameters["TransactItems"][1:]]
        answer["CancellationReasons"] = [{"Code": "TransactionConflict"}, *others]
    return answer


def _conflicts_for_long(cloud: Cloud, point: int) -> None:
    # Longer than the adapter's own tries at the same write.
    struck: list[str] = []

    def on_call(place: int, call: AwsCall) -> tuple[int, dict[str, Any]] | None:
        if place == point:
            struck.append(call.what)
        lasting = place >= point and struck == [call.what] and place < point + 6
        return (400, error_answer("TransactionConflictException", call)) if lasting else None

    cloud.wire.on_call = on_call


def _connect_timeout_once(cloud: Cloud, point: int) -> None:
    left = [1]

    def on_send(place: int) -> None:
        if place == point and left:
            left.clear()
            raise ConnectTimeoutError(endpoint_url="https://endpoint.test")

    cloud.wire.on_send = on_send


def _no_connection(cloud: Cloud, point: int) -> None:
    def on_send(place: int) -> None:
        if place == point:
            raise ConnectTimeoutError(endpoint_url="https://endpoint.test")

    cloud.wire.on_send = on_send


def _resend(cloud: Cloud, point: int) -> None:
    left = [1]

    def resend(place: int) -> bool:
        if place == point and left:
            left.clear()
            return True
        return False

    cloud.wire.resend = resend


def _timeout_after_success(cloud: Cloud, point: int) -> None:
    def on_answer(place: int, _call: AwsCall, status: int, _parsed: dict[str, Any]) -> None:
        if place == point and status == 200:
            raise ReadTimeoutError(endpoint_url="https://endpoint.test")

    cloud.wire.on_answer = on_answer


def _crash_before(cloud: Cloud, point: int) -> None:
    def on_call(place: int, _call: AwsCall) -> None:
        if place >= point:  # A dead process makes no further calls, not even in `finally`.
            raise Dead

    cloud.wire.on_call = on_call


def _crash_after(cloud: Cloud, point: int) -> None:
    def on_call(place: int, _call: AwsCall) -> None:
        if place > point:
            raise Dead

    def on_answer(place: int, _call: AwsCall, _status: int, _parsed: dict[str, Any]) -> None:
        if place == point:
            raise Dead

    cloud.wire.on_call = on_call
    cloud.wire.on_answer = on_answer


def _partial_batch(cloud: Cloud, point: int) -> None:
    """Refuse the last entry of a batch inside a 200."""

    def on_call(place: int, call: AwsCall) -> None:
        cloud.bus.codes.clear()
        if place == point:
            last = call.parameters["Entries"][-1]["Detail"]
            cloud.bus.codes[last] = "ThrottlingException"

    cloud.wire.on_call = on_call


def _stale_read(cloud: Cloud, point: int) -> None:
    """Answer as it was before the run: indexes follow their tables late, and so do copies."""
    before = cloud.save()

    def on_answer(place: int, call: AwsCall, _status: int, parsed: dict[str, Any]) -> None:
        if place == point:
            old = getattr(as_of(before, cloud), OPERATIONS[call.operation])(**call.parameters)
            for name in ("Item", "Items", "Responses"):
                parsed.pop(name, None)
                parsed |= {name: wire_texts(old[name])} if name in old else {}

    cloud.wire.on_answer = on_answer


def as_of(saved: Saved, cloud: Cloud) -> MemoryDynamo:
    """A store with the rows as they were."""
    old = MemoryDynamo(now=cloud.now.timestamp)
    for name, rows in saved.tables.items():
        old._table(name).rows = dict(rows)
    return old


KINDS: dict[str, Kind] = {
    kind.name: kind
    for kind in (
        Kind(name="service error", strikes=_any, arm=_refusing("InternalServerError", 500)),
        Kind(name="throttled", strikes=_any, arm=_refusing("ThrottlingException", 400)),
        Kind(
            name="conflict",
            strikes=_written_row,
            arm=_refusing("TransactionConflictException", 400),
        ),
        Kind(name="conflict that lasts", strikes=_written_row, arm=_conflicts_for_long),
        Kind(name="connect timeout, retried", strikes=_any, arm=_connect_timeout_once),
        Kind(name="no connection", strikes=_any, arm=_no_connection),
        Kind(name="resend after success", strikes=is_write, arm=_resend),
        Kind(name="timeout after success", strikes=is_write, arm=_timeout_after_success),
        Kind(name="crash before", strikes=_any, arm=_crash_before),
        Kind(name="crash after", strikes=_any, arm=_crash_after),
        Kind(name="partial batch", strikes=_put_events, arm=_partial_batch),
        Kind(name="stale index", strikes=may_be_stale, arm=_stale_read),
    )
}

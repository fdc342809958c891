"""EventBridge in memory: a boto3 client look-alike that keeps what was put on its buses."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

if TYPE_CHECKING:
    from collections.abc import Callable

    # Fits wherever the typed client does.
    _Typed = Any
else:
    _Typed = object

MAX_ENTRIES = 10
MAX_REQUEST_BYTES = 1024 * 1024


class MemoryBus(_Typed):  # type: ignore[misc]
    """Takes entries as PutEvents does.

    ``fault`` is called with each request first and may raise; ``codes`` maps the event ids whose
    entry is refused to an error code. ``put`` lists the details that were accepted, in order.
    """

    def __init__(self) -> None:
        self.put: list[dict[str, Any]] = []
        self.requests: list[list[dict[str, Any]]] = []
        self.codes: dict[str, str] = {}
        self.fault: Callable[[list[dict[str, Any]]], None] = lambda _entries: None

    def put_events(self, *, Entries: list[dict[str, Any]]) -> dict[str, Any]:  # noqa: N803
        self.requests.append(Entries)
        self.fault(Entries)
        size = sum(
            len((entry["Source"] + entry["DetailType"] + entry["Detail"]).encode())
            for entry in Entries
        )
        if not 1 <= len(Entries) <= MAX_ENTRIES or size > MAX_REQUEST_BYTES:
            raise bus_error("ValidationException")
        answers = [self._answer(entry) for entry in Entries]
        failed = sum("ErrorCode" in answer for answer in answers)
        return {"FailedEntryCount": failed, "Entries": answers}

    def _answer(self, entry: dict[str, Any]) -> dict[str, str]:
        code = next((c for event_id, c in self.codes.items() if event_id in entry["Detail"]), "")
        code = code or ("" if _is_object(entry["Detail"]) else "MalformedDetail")
        if code:
            return {"ErrorCode": code, "ErrorMessage": "made up"}
        self.put.append(entry)
        return {"EventId": f"{len(self.put):08d}-0000-0000-0000-000000000000"}


def _is_object(text: str) -> bool:
    try:
        return isinstance(json.loads(text), dict)
    except ValueError:
        return False


def bus_error(code: str) -> ClientError:
    return ClientError({"Error": {"Code": code, "Message": "made up"}}, "PutEvents")

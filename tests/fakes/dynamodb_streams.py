"""The change log of the DynamoDB in memory, in the shape that Lambda gets from a stream."""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tests.fakes.dynamodb_values import row_bytes

if TYPE_CHECKING:
    from tests.fakes.dynamodb_values import Row


@dataclass(frozen=True, slots=True, kw_only=True)
class Recorded:
    """One change of one row, as the table's stream tells it."""

    table: str
    event_name: str
    sequence_number: str
    at: float
    keys: Row
    new_image: Row | None
    old_image: Row | None


def stream_record(recorded: Recorded) -> dict[str, Any]:
    change_of: dict[str, Any] = {
        "ApproximateCreationDateTime": int(recorded.at),
        "Keys": _as_json(recorded.keys),
        "SequenceNumber": recorded.sequence_number,
        "SizeBytes": row_bytes(recorded.new_image or recorded.keys),
        "StreamViewType": "NEW_AND_OLD_IMAGES",
    }
    if recorded.new_image is not None:
        change_of["NewImage"] = _as_json(recorded.new_image)
    if recorded.old_image is not None:
        change_of["OldImage"] = _as_json(recorded.old_image)
    return {
        "eventID": f"{int(recorded.sequence_number):032x}",
        "eventName": recorded.event_name,
        "eventVersion": "1.1",
        "eventSource": "aws:dynamodb",
        "awsRegion": "us-east-1",
        "dynamodb": change_of,
        "eventSourceARN": (
            f"arn:aws:dynamodb:us-east-1:000000000000:table/{recorded.table}"
            "/stream/2026-01-01T00:00:00.000"
        ),
    }


def _as_json(row: Row) -> Any:  # noqa: ANN401 - what JSON holds
    """Returns the row as Lambda's JSON event spells it: binary values in base 64."""
    return json.loads(json.dumps(row, default=lambda raw: base64.b64encode(raw).decode()))

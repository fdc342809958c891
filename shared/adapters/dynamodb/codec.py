"""Python values to DynamoDB attribute values and back. Integers only: floats are refused.

Standard library only, because the redirect uses it too.
"""

from base64 import b64decode
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

Item = dict[str, Any]
"""One row as plain Python values."""

WireItem = dict[str, dict[str, Any]]
"""One row as typed attribute values."""


def encode(value: object) -> dict[str, Any]:  # noqa: PLR0911 - one return per type reads best
    """Return the typed attribute value.

    Raises:
        TypeError: for floats and anything else that has no exact form.
    """
    match value:
        case bool():
            return {"BOOL": value}
        case str():
            return {"S": value}
        case int():
            return {"N": str(value)}
        case None:
            return {"NULL": True}
        case bytes():
            return {"B": value}
        case list() | tuple():
            return {"L": [encode(part) for part in value]}
        case dict():
            return {"M": {str(key): encode(part) for key, part in value.items()}}
        case _:
            message = f"no exact attribute value for {type(value).__name__}"
            raise TypeError(message)


def decode(value: Mapping[str, Any]) -> Any:  # noqa: ANN401 - a decoder returns any type
    """Return the plain Python value of one typed attribute value."""
    ((kind, raw),) = value.items()
    match kind:
        case "S" | "BOOL":
            return raw
        case "N":
            number = Decimal(raw)
            return int(number) if number == number.to_integral_value() else number
        case "NULL":
            return None
        case "B":
            return bytes(raw) if isinstance(raw, bytes | bytearray) else b64decode(raw)
        case "L":
            return [decode(part) for part in raw]
        case "M":
            return {key: decode(part) for key, part in raw.items()}
        case _:
            message = f"attribute type {kind} is not used here"
            raise TypeError(message)


def to_wire(item: Item) -> WireItem:
    """Encode a row, leaving out attributes that are None."""
    return {name: encode(value) for name, value in item.items() if value is not None}


def from_wire(item: Mapping[str, Any]) -> Item:
    """Decode a row."""
    return {name: decode(value) for name, value in item.items()}

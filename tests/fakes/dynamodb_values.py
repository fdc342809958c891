"""Attribute values as DynamoDB sees them: what it refuses, how it sizes, sorts and stores them."""

from __future__ import annotations

from decimal import Context, Decimal, InvalidOperation
from typing import Any

Value = dict[str, Any]
Row = dict[str, Value]

_MAX_DIGITS = 38
_MAX_DEPTH = 32
_LARGEST = Decimal("9.9999999999999999999999999999999999999E+125")
_SMALLEST = Decimal("1E-130")
_EXACT = Context(prec=400)


class RefusedError(Exception):
    """What the service answers instead of a result."""

    def __init__(self, code: str, message: str, **extra: Any) -> None:  # noqa: ANN401 - any JSON
        self.code = code
        self.message = message
        self.extra = extra
        super().__init__(f"{code}: {message}")


def invalid(message: str) -> RefusedError:
    return RefusedError("ValidationException", message)


def stored(value: Value, depth: int = 0) -> Value:
    """Returns the value as the service keeps it: copied, checked, numbers normalised."""
    if len(value) != 1:
        raise invalid("Supplied AttributeValue must contain exactly one of the supported datatypes")
    if depth > _MAX_DEPTH:
        raise invalid("Nesting Levels have exceeded supported limits")
    ((kind, raw),) = value.items()
    match kind:
        case "N":
            return {"N": number(raw)}
        case "B":
            return {"B": bytes(raw)}
        case "L":
            return {"L": [stored(part, depth + 1) for part in raw]}
        case "M":
            return {"M": {name: stored(part, depth + 1) for name, part in raw.items()}}
        case "S" | "BOOL" | "NULL":
            return {kind: raw}
        case _:
            raise NotImplementedError(f"attribute type {kind}")


def number(text: str) -> str:
    """Returns the canonical text of a number, or refuses what the service can't hold exactly."""
    try:
        value = Decimal(text)
    except InvalidOperation:
        value = Decimal("NaN")
    if not value.is_finite():
        raise invalid(f"The parameter cannot be converted to a numeric value: {text}")
    if value == 0:
        return "0"
    significant = "".join(map(str, value.as_tuple().digits)).strip("0")
    if len(significant) > _MAX_DIGITS:
        raise invalid("Attempting to store more than 38 significant digits in a Number")
    if not _SMALLEST <= abs(value) <= _LARGEST:
        raise invalid("Number overflow. Attempting to store a number outside the supported range")
    return format(value.normalize(_EXACT), "f")


def copied(value: Value) -> Value:
    """Returns a copy that the caller may change."""
    ((kind, raw),) = value.items()
    if kind == "L":
        return {"L": [copied(part) for part in raw]}
    if kind == "M":
        return {"M": {name: copied(part) for name, part in raw.items()}}
    return {kind: raw}


def copied_row(row: Row) -> Row:
    return {name: copied(value) for name, value in row.items()}


def row_bytes(row: Row) -> int:
    return sum(len(name.encode()) + value_bytes(value) for name, value in row.items())


def value_bytes(value: Value) -> int:
    """Returns the size that counts towards the limits, by the documented rules."""
    ((kind, raw),) = value.items()
    match kind:
        case "S":
            return len(str(raw).encode())
        case "N":
            digits = str(raw).replace(".", "").lstrip("-").strip("0")
            return (len(digits) + 1) // 2 + 1
        case "B":
            return len(bytes(raw))
        case "L":
            return 3 + sum(1 + value_bytes(part) for part in raw)
        case "M":
            return 3 + sum(1 + len(k.encode()) + value_bytes(part) for k, part in raw.items())
        case _:
            return 1


def sortable(value: Value) -> Any:  # noqa: ANN401 - bytes or Decimal, by the attribute's type
    """Returns what orders a scalar: strings by their UTF-8 bytes, numbers by value."""
    ((kind, raw),) = value.items()
    match kind:
        case "S":
            return raw.encode()
        case "N":
            return Decimal(raw)
        case "B":
            return raw
        case _:
            raise invalid(f"Invalid operand type for a comparison: {kind}")

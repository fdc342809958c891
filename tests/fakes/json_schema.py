"""As much of JSON Schema as our schemas use; an unknown keyword is an error."""

from __future__ import annotations

import re
from typing import Any

_NOTES = {"$schema", "$defs", "title", "description"}
_TYPES: dict[str, Any] = {
    "object": dict,
    "array": list,
    "string": str,
    "boolean": bool,
    "integer": int,
}


def accepts(schema: dict[str, Any], value: Any, root: dict[str, Any] | None = None) -> bool:  # noqa: ANN401
    """Tells whether a value is what the schema describes."""
    whole = root or schema
    return all(
        _keyword(name, wanted, schema, value, whole)
        for name, wanted in schema.items()
        if name not in _NOTES
    )


def _keyword(  # noqa: C901, PLR0911, PLR0912 - one branch per keyword
    name: str,
    wanted: Any,  # noqa: ANN401
    schema: dict[str, Any],
    value: Any,  # noqa: ANN401
    root: dict[str, Any],
) -> bool:
    match name:
        case "$ref":
            return accepts(root["$defs"][wanted.removeprefix("#/$defs/")], value, root)
        case "type":
            fits = isinstance(value, _TYPES[wanted])
            return fits and (wanted == "boolean" or not isinstance(value, bool))
        case "enum":
            return value in wanted
        case "oneOf":
            return sum(accepts(part, value, root) for part in wanted) == 1
        case "anyOf":
            return any(accepts(part, value, root) for part in wanted)
    if isinstance(value, str):
        match name:
            case "pattern":
                return re.search(wanted, value) is not None
            case "minLength":
                return bool(len(value) >= wanted)
            case "maxLength":
                return bool(len(value) <= wanted)
    if isinstance(value, int):
        match name:
            case "minimum":
                return bool(value >= wanted)
            case "maximum":
                return bool(value <= wanted)
    if isinstance(value, list):
        match name:
            case "items":
                return all(accepts(wanted, part, root) for part in value)
            case "minItems":
                return bool(len(value) >= wanted)
            case "maxItems":
                return bool(len(value) <= wanted)
    if isinstance(value, dict):
        match name:
            case "properties":
                return all(
                    accepts(part, value[key], root) for key, part in wanted.items() if key in value
                )
            case "required":
                return set(wanted) <= set(value)
            case "additionalProperties":
                others = [value[key] for key in value if key not in schema.get("properties", {})]
                return (
                    not others
                    if wanted is False
                    else all(accepts(wanted, part, root) for part in others)
                )
            case "propertyNames":
                return all(accepts(wanted, key, root) for key in value)
            case "maxProperties":
                return bool(len(value) <= wanted)
    if name not in _APPLIED:
        raise NotImplementedError(name)
    return True


_APPLIED = {
    "pattern",
    "minLength",
    "maxLength",
    "minimum",
    "maximum",
    "items",
    "minItems",
    "maxItems",
    "properties",
    "required",
    "additionalProperties",
    "propertyNames",
    "maxProperties",
}

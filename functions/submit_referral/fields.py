"""Read the body of a form into named fields, and sort what is known from what is not."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final
from urllib.parse import parse_qsl

from shared.domain.errors import (
    FieldError,
    InvalidFieldsError,
    MalformedError,
    UnsupportedMediaError,
    invalid,
)
from shared.runtime.http import JSON_TYPE, parse_json

FORM_TYPE: Final = "application/x-www-form-urlencoded"

KNOWN: Final = frozenset(
    {
        "email",
        "first_name",
        "last_name",
        "company",
        "website",
        "phone",
        "country",
        "employees",
        "message",
        "code",
        "via",
        "click_id",
        "consent",
        "declared",
    }
)
SEVERAL: Final = frozenset({"code", "click_id", "declared"})
"""Known fields of which one form may send several: who introduces together, clicked twice, or has
more than one thing to declare."""

TRAP: Final = "_gotcha"
NEXT: Final = "_next"

MAX_FIELDS: Final = 100
MAX_EXTRA: Final = 50
MAX_NAME: Final = 64
MAX_VALUE: Final = 500
_UTM: Final = "utm_"
_MEMBER: Final = re.compile(r"metadata\[([^\[\]]+)\]")
_IGNORED: Final = frozenset({"cf-turnstile-response"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Fields:
    """A body, sorted. ``known`` still has to be checked in shape; ``next_url`` is only a wish."""

    known: Mapping[str, Any]
    utm: Mapping[str, str]
    metadata: Mapping[str, str]
    next_url: str
    trapped: bool


def read_fields(raw: bytes, content_type: str) -> Fields:
    """Return the fields of a JSON object or a urlencoded form.

    Names that start with ``_`` are controls and never stored. Other unknown names become
    metadata, within bounds. In a urlencoded form the last of several equal names counts, but all
    of ``SEVERAL`` do, and the values of an unknown name are joined by commas, so that no ticked
    box is lost.

    Raises:
        UnsupportedMediaError: for any other content type.
        MalformedError: when the body is not what the content type says.
        InvalidFieldsError: when there are too many fields, or they are too long.
    """
    media_type = content_type.split(";", 1)[0].strip().lower()
    if media_type == JSON_TYPE:
        return _sorted(_from_json(raw))
    if media_type == FORM_TYPE:
        return _sorted(_from_form(raw))
    raise UnsupportedMediaError


def _from_json(raw: bytes) -> dict[str, Any]:
    document = parse_json(raw)
    if not isinstance(document, dict):
        raise invalid("$", "wrong_type", "must be an object")
    nested = document.pop("metadata", None)
    if nested is None:
        nested = {}
    if not isinstance(nested, dict):
        raise invalid("metadata", "wrong_type", "must be an object")
    return {**{f"metadata[{name}]": value for name, value in nested.items()}, **document}


def _from_form(raw: bytes) -> dict[str, Any]:
    if raw.count(b"&") >= MAX_FIELDS:
        raise invalid("$", "too_many_fields", f"at most {MAX_FIELDS} fields")
    try:
        pairs = parse_qsl(raw.decode("utf-8"), keep_blank_values=True, errors="strict")
    except ValueError as error:
        # Bytes that are not UTF-8, as they are or percent-encoded.
        raise MalformedError from error
    result: dict[str, Any] = {}
    for name, value in pairs:
        if name in SEVERAL:
            result[name] = [*result.get(name, ()), value]
        elif name == TRAP or not _is_extra(name):
            result[name] = result.get(name, "") + value if name == TRAP else value
        else:
            result[name] = f"{result[name]}, {value}" if name in result else value
    return result


def _is_extra(name: str) -> bool:
    return name not in KNOWN and not name.startswith(("_", _UTM))


def _sorted(fields: Mapping[str, Any]) -> Fields:
    if len(fields) > MAX_FIELDS:
        raise invalid("$", "too_many_fields", f"at most {MAX_FIELDS} fields")
    utm = {name: value for name, value in fields.items() if name.startswith(_UTM)}
    extra = {
        _bare(name): value
        for name, value in fields.items()
        if _is_extra(name) and name not in _IGNORED
    }
    next_url = fields.get(NEXT)
    trap = fields.get(TRAP)
    return Fields(
        known={name: fields[name] for name in KNOWN if name in fields},
        utm=_bounded(utm, ""),
        metadata=_bounded(extra, "metadata."),
        next_url=next_url if isinstance(next_url, str) else "",
        trapped=bool(trap.strip()) if isinstance(trap, str) else bool(trap),
    )


def _bare(name: str) -> str:
    member = _MEMBER.fullmatch(name)
    return member[1] if member else name


def _bounded(extra: Mapping[str, Any], prefix: str) -> dict[str, str]:
    if len(extra) > MAX_EXTRA:
        raise invalid("metadata", "too_many_fields", f"at most {MAX_EXTRA} unknown fields")
    errors: list[FieldError] = []
    result: dict[str, str] = {}
    for position, (name, value) in enumerate(extra.items()):
        text = _text(value)
        problem = _problem(name, text)
        if problem:
            # A name that we refuse is not echoed; its place says which one it is.
            path = f"{prefix}{name}" if _is_good_name(name) else f"metadata[{position}]"
            errors.append(FieldError(path=path, code=problem[0], message=problem[1]))
        elif text:
            result[name] = text
    if errors:
        raise InvalidFieldsError(errors)
    return result


def _text(value: object) -> str | None:
    """Return a scalar as text, and None for what has no place in metadata."""
    match value:
        case None:
            return ""
        case bool():
            return "true" if value else "false"
        case str():
            return value.strip()
        case int() | Decimal():
            return str(value)
        case _:
            return None


def _problem(name: str, text: str | None) -> tuple[str, str] | None:
    if not _is_good_name(name):
        return "bad_name", f"names are 1 to {MAX_NAME} printable characters"
    if text is None:
        return "wrong_type", "must be a text, a number or a truth value"
    if len(text) > MAX_VALUE:
        return "too_long", f"at most {MAX_VALUE} characters"
    if not is_storable(text):
        return "bad_characters", "holds control characters"
    return None


def _is_good_name(name: str) -> bool:
    return 0 < len(name) <= MAX_NAME and name.isprintable()


def is_storable(text: str) -> bool:
    """Tell whether a text is free of control characters and half code points.

    Line breaks and tabs are fine here; a single line is checked by its own field.
    """
    return not any(_is_control(char) for char in text)


def _is_control(char: str) -> bool:
    return (char < " " and char not in "\t\n\r") or "\x7f" <= char <= "\x9f" or _is_half(char)


def _is_half(char: str) -> bool:
    return "\ud800" <= char <= "\udfff"

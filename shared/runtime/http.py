"""HTTP as Lambda sees it: payload version 2 in, problem+json out.

Errors follow RFC 9457. One table maps error codes to statuses; a code that is not in the table
is a bug and answers 500 with a fixed body.
"""

import base64
import binascii
import json
from collections.abc import Mapping
from decimal import Decimal
from typing import Any, Final

from shared.domain.errors import (
    ConflictError,
    ForbiddenError,
    GoodwordError,
    InvalidFieldsError,
    MalformedError,
    NotFoundError,
    StaleVersionError,
    TooLargeError,
    UnauthenticatedError,
    UnavailableError,
    UnsupportedMediaError,
)

JSON_TYPE: Final = "application/json"
PROBLEM_TYPE: Final = "application/problem+json"
_MAX_DEPTH: Final = 32
_MAX_DIGITS: Final = 40

_STATUS: Final[tuple[tuple[type[GoodwordError], int, str], ...]] = (
    (MalformedError, 400, "The body is malformed"),
    (UnauthenticatedError, 401, "No valid credential"),
    (ForbiddenError, 403, "Not allowed"),
    (NotFoundError, 404, "Not found"),
    (ConflictError, 409, "Conflict"),
    (StaleVersionError, 409, "Somebody else wrote first; try again"),
    (TooLargeError, 413, "The body is too large"),
    (UnsupportedMediaError, 415, "Unsupported content type"),
    (InvalidFieldsError, 422, "Some fields are invalid"),
    (UnavailableError, 503, "Temporarily unavailable; try again"),
)


def body_bytes(event: Mapping[str, Any], limit: int) -> bytes:
    """Return the request's body exactly as it was sent.

    Raises:
        TooLargeError: when it is longer than ``limit`` bytes.
        MalformedError: when the gateway's base 64 is broken.
    """
    text = event.get("body") or ""
    if len(text) > 2 * limit:
        raise TooLargeError
    if event.get("isBase64Encoded"):
        try:
            raw = base64.b64decode(text, validate=True)
        except (binascii.Error, ValueError) as error:
            raise MalformedError from error
    else:
        raw = text.encode("utf-8", "surrogatepass")
    if len(raw) > limit:
        raise TooLargeError
    return raw


def parse_json(raw: bytes) -> Any:  # noqa: ANN401 - any JSON value
    """Read JSON strictly: UTF-8, no duplicate keys, no NaN, bounded depth, exact decimals.

    Raises:
        MalformedError: for anything else.
    """
    try:
        text = raw.decode("utf-8")
        _check_depth(text)
        return json.loads(
            text,
            parse_float=_exact,
            parse_int=_whole,
            parse_constant=_refuse,
            object_pairs_hook=_unique,
        )
    except json.JSONDecodeError as error:
        raise MalformedError(f"line {error.lineno}, column {error.colno}") from error
    except (ValueError, RecursionError) as error:
        raise MalformedError from error


def _check_depth(text: str) -> None:
    # Counted before parsing, because the parser recurses.
    depth = 0
    in_string = False
    escaped = False
    for char in text:
        if in_string:
            if escaped:
                escaped = False
            elif char == "\\":
                escaped = True
            elif char == '"':
                in_string = False
        elif char == '"':
            in_string = True
        elif char in "[{":
            depth += 1
            if depth > _MAX_DEPTH:
                raise MalformedError
        elif char in "]}":
            depth -= 1


def _exact(text: str) -> Decimal:
    if len(text) > _MAX_DIGITS:
        raise ValueError
    return Decimal(text)


def _whole(text: str) -> int:
    if len(text) > _MAX_DIGITS:
        raise ValueError
    return int(text)


def _refuse(_text: str) -> None:
    raise ValueError


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    result = dict(pairs)
    if len(result) != len(pairs):
        raise ValueError
    return result


def respond(
    status: int, body: object = None, headers: Mapping[str, str] | None = None
) -> dict[str, Any]:
    """Answer with JSON, or with no body if ``body`` is None."""
    return {
        "statusCode": status,
        "headers": {"content-type": JSON_TYPE, "cache-control": "no-store", **(headers or {})},
        "body": "" if body is None else json.dumps(body, separators=(",", ":")),
    }


def status_of(error: GoodwordError) -> tuple[int, str]:
    """Return the HTTP status and title of an error; 500 for one that has none."""
    for kind, status, title in _STATUS:
        if isinstance(error, kind):
            return status, title
    return 500, "Internal error"


def problem_body(error: GoodwordError, request_id: str) -> dict[str, Any]:
    """Return the problem+json object of an error, without its internal text."""
    status, title = status_of(error)
    body: dict[str, Any] = {
        "type": f"urn:goodword:problem:{error.code}",
        "title": title,
        "status": status,
        "code": error.code,
        "detail": _detail(error, title),
        "request_id": request_id,
        "errors": [],
    }
    if isinstance(error, InvalidFieldsError):
        body["errors"] = [
            {"path": e.path, "code": e.code, "message": e.message} for e in error.errors
        ]
    return body


def _detail(error: GoodwordError, title: str) -> str:
    # The texts of these two are made for who asked; others may name what is nobody's business.
    if isinstance(error, ConflictError):
        return str(error)
    if isinstance(error, MalformedError) and error.args:
        return f"{title}: {error}"
    return title


def problem(error: GoodwordError, request_id: str) -> dict[str, Any]:
    """Answer with problem+json and the status of the error."""
    status, _ = status_of(error)
    headers = {"content-type": PROBLEM_TYPE}
    if status == 503:  # noqa: PLR2004 - the HTTP status itself
        headers["retry-after"] = "2"
    return respond(status, problem_body(error, request_id), headers)

"""What the redirect answers, as HTTP API payloads of version 2."""

import json
from typing import Any, Final

Answer = dict[str, Any]

_COMMON: Final = {
    "cache-control": "private, no-store",
    "referrer-policy": "strict-origin-when-cross-origin",
    "x-robots-tag": "noindex",
}
_PROBLEM_TYPE: Final = "application/problem+json"
_RETRY_SECONDS: Final = "2"
_PAGE: Final = (
    '<!doctype html><html lang="en"><meta charset="utf-8">'
    '<meta name="viewport" content="width=device-width"><title>Link not found</title>'
    "<h1>Link not found</h1><p>This link is unknown or no longer valid.</p></html>"
)


def redirect(location: str) -> Answer:
    """Send the visitor on, and let nobody remember where to."""
    return {"statusCode": 302, "headers": {"location": location, **_COMMON}, "body": ""}


def not_found() -> Answer:
    """Answer a person who followed a link that leads nowhere."""
    headers = {"content-type": "text/html; charset=utf-8", **_COMMON}
    return {"statusCode": 404, "headers": headers, "body": _PAGE}


def healthy() -> Answer:
    """Answer that the function runs; says nothing about the store."""
    headers = {"content-type": "application/json", "cache-control": "no-store"}
    return {"statusCode": 200, "headers": headers, "body": '{"status":"ok"}'}


def problem(status: int, code: str, title: str, request_id: str) -> Answer:
    """Answer a program with problem+json (RFC 9457)."""
    body = {
        "type": f"urn:goodword:problem:{code}",
        "title": title,
        "status": status,
        "code": code,
        "detail": title,
        "request_id": request_id,
        "errors": [],
    }
    return {
        "statusCode": status,
        "headers": {"content-type": _PROBLEM_TYPE, "cache-control": "no-store"},
        "body": json.dumps(body, separators=(",", ":")),
    }


def unavailable(request_id: str) -> Answer:
    """Answer that nobody knows where the link leads, for the moment."""
    answer = problem(503, "store_unavailable", "Temporarily unavailable; try again", request_id)
    answer["headers"]["retry-after"] = _RETRY_SECONDS
    return answer

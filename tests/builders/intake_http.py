"""Requests to the public intake as the gateway sends them, and how to read the answers."""

from __future__ import annotations

import base64
import json
from typing import Any
from urllib.parse import urlencode

from functions.submit_referral import handler as intake

JSON = "application/json"
FORM = "application/x-www-form-urlencoded"
API = "https://api.example.test"
LENA = {"email": "lena@lead.test"}


def event(
    body: bytes | str | None = None,
    *,
    content_type: str | None = JSON,
    method: str = "POST",
    program_id: str = "prg_1",
    **headers: str,
) -> dict[str, Any]:
    """A payload of version 2, as the gateway builds it."""
    sent = {name.replace("_", "-"): value for name, value in headers.items()}
    if content_type is not None:
        sent["content-type"] = content_type
    encoded = isinstance(body, bytes)
    return {
        "version": "2.0",
        "routeKey": f"{method} /v1/programs/{{program_id}}/referrals",
        "rawPath": f"/v1/programs/{program_id}/referrals",
        "rawQueryString": "",
        "headers": sent,
        "pathParameters": {"program_id": program_id},
        "requestContext": {"requestId": "req-1", "http": {"method": method}},
        "body": base64.b64encode(body).decode() if isinstance(body, bytes) else body,
        "isBase64Encoded": encoded,
    }


def receipt_event(token: str, **headers: str) -> dict[str, Any]:
    return {
        "version": "2.0",
        "routeKey": "GET /v1/receipts/{token}",
        "headers": headers,
        "pathParameters": {"token": token},
        "requestContext": {"requestId": "req-1", "http": {"method": "GET"}},
        "isBase64Encoded": False,
    }


def post(document: object, **headers: str) -> dict[str, Any]:
    return intake.handler(event(json.dumps(document), **headers), None)


def post_form(fields: Any, **headers: str) -> dict[str, Any]:  # noqa: ANN401 - as urlencode
    return intake.handler(event(urlencode(fields), content_type=FORM, **headers), None)


def body_of(answer: dict[str, Any]) -> dict[str, Any]:
    found = json.loads(answer["body"])
    assert isinstance(found, dict)
    return found


def problem_of(answer: dict[str, Any]) -> tuple[int, str, list[tuple[str, str]]]:
    body = body_of(answer)
    assert "application/problem+json" == answer["headers"]["content-type"]
    assert body["status"] == answer["statusCode"]
    assert "req-1" == body["request_id"]
    return (
        answer["statusCode"],
        body["code"],
        [(error["path"], error["code"]) for error in body["errors"]],
    )

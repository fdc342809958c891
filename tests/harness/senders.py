"""Requests as the gateway sends them: of people, of forms and of CRMs."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from datetime import datetime

ROOT_SECRET = "r" * 40


def manage_event(
    method: str, path: str, body: object = None, principal_key: str = "", **headers: str
) -> dict[str, Any]:
    """A management request as the gateway sends it."""
    path, _, query = path.partition("?")
    sent = {name.replace("_", "-"): value for name, value in headers.items()}
    sent["authorization"] = f"Bearer {principal_key or 'gw_root_' + ROOT_SECRET}"
    if body is not None:
        sent["content-type"] = "application/json"
    return {
        "version": "2.0",
        "routeKey": f"{method} /v1/manage/{{proxy+}}",
        "rawPath": f"/v1/manage{path}",
        "rawQueryString": query,
        "queryStringParameters": dict(pair.split("=") for pair in query.split("&") if pair),
        "headers": sent,
        "requestContext": {
            "requestId": "req-1",
            "http": {"method": method, "path": f"/v1/manage{path}"},
            "stage": "$default",
        },
        "body": None if body is None else json.dumps(body),
        "isBase64Encoded": False,
    }


def form_event(program_id: str, fields: dict[str, Any]) -> dict[str, Any]:
    """A JSON form as the gateway sends it."""
    return {
        "version": "2.0",
        "routeKey": "POST /v1/programs/{program_id}/referrals",
        "rawPath": f"/v1/programs/{program_id}/referrals",
        "rawQueryString": "",
        "headers": {"content-type": "application/json"},
        "pathParameters": {"program_id": program_id},
        "requestContext": {"requestId": "req-1", "http": {"method": "POST"}},
        "body": json.dumps(fields),
        "isBase64Encoded": False,
    }


def standard_event(
    source: dict[str, Any], body: object, *, message_id: str, now: datetime
) -> dict[str, Any]:
    """A delivery of the generic source, signed and as the gateway sends it."""
    raw = json.dumps(body).encode()
    stamp = str(int(now.timestamp()))
    key = base64.b64decode(source["secret"].removeprefix("whsec_"))
    signed = f"{message_id}.{stamp}.".encode() + raw
    mac = base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()
    path = f"/v1/webhooks/{source['id']}"
    return {
        "version": "2.0",
        "rawPath": path,
        "rawQueryString": "",
        "headers": {
            "content-type": "application/json",
            "webhook-id": message_id,
            "webhook-timestamp": stamp,
            "webhook-signature": f"v1,{mac}",
        },
        "pathParameters": {"source_id": source["id"]},
        "requestContext": {"requestId": "req-1", "http": {"method": "POST", "path": path}},
        "body": base64.b64encode(raw).decode(),
        "isBase64Encoded": True,
    }

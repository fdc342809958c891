"""What a HubSpot account and a Standard Webhooks sender would post, with real signatures."""

import base64
import hashlib
import hmac
import json
import time
import uuid
from dataclasses import dataclass, field
from typing import Any, Final

from shared.adapters.management_api import Reply, send

HUBSPOT_BATCH: Final = 100
JSON: Final = "application/json"
SECRET_PREFIX: Final = "whsec_"  # noqa: S105 - the prefix of all such secrets, not one of them


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """A webhook source as the management API gave it out."""

    source_id: str
    url: str
    secret: str = field(repr=False)


def hubspot_change(deal: int, name: str, value: str, occurred_ms: int) -> dict[str, Any]:
    """Return one ``deal.propertyChange`` event; the same input is the same event.

    HubSpot may send an event again with the same content, so its id is derived from it.
    """
    seed = f"{deal}/{name}/{value}/{occurred_ms}".encode()
    return {
        "eventId": int.from_bytes(hashlib.sha256(seed).digest()[:5], "big"),
        "subscriptionId": 25,
        "portalId": 4711,
        "appId": 1160452,
        "occurredAt": occurred_ms,
        "subscriptionType": "deal.propertyChange",
        "attemptNumber": 0,
        "objectId": deal,
        "propertyName": name,
        "propertyValue": value,
        "changeSource": "CRM_UI",
        "sourceId": "userId:7",
    }


def hubspot_signature(secret: str, url: str, body: bytes, timestamp: str) -> str:
    """Return HubSpot's version 3 signature of a POST to an address without escapes."""
    signed = b"POST" + url.encode() + body + timestamp.encode()
    return base64.b64encode(hmac.digest(secret.encode(), signed, "sha256")).decode()


def post_hubspot(
    source: Address, events: list[dict[str, Any]], *, now_ms: int | None = None
) -> Reply:
    """Post one batch the way HubSpot does."""
    body = json.dumps(events).encode()
    timestamp = str(time.time_ns() // 1_000_000 if now_ms is None else now_ms)
    return send(
        "POST",
        source.url,
        body=body,
        headers={
            "Content-Type": JSON,
            "X-HubSpot-Request-Timestamp": timestamp,
            "X-HubSpot-Signature-v3": hubspot_signature(source.secret, source.url, body, timestamp),
        },
    )


def standard_signature(secret: str, delivery_id: str, timestamp: str, body: bytes) -> str:
    """Return the ``webhook-signature`` of a Standard Webhooks delivery."""
    key = base64.b64decode(secret.removeprefix(SECRET_PREFIX))
    signed = b".".join((delivery_id.encode(), timestamp.encode(), body))
    return "v1," + base64.b64encode(hmac.digest(key, signed, "sha256")).decode()


def post_standard(
    source: Address,
    event: dict[str, Any],
    *,
    delivery_id: str = "",
    now_s: int | None = None,
) -> Reply:
    """Post one event signed by the Standard Webhooks scheme."""
    body = json.dumps(event).encode()
    message_id = delivery_id or f"msg_{uuid.uuid4().hex}"
    timestamp = str(int(time.time()) if now_s is None else now_s)
    return send(
        "POST",
        source.url,
        body=body,
        headers={
            "Content-Type": JSON,
            "webhook-id": message_id,
            "webhook-timestamp": timestamp,
            "webhook-signature": standard_signature(source.secret, message_id, timestamp, body),
        },
    )

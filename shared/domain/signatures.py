"""Verify that a delivery comes from its source: over raw bytes, in constant time, not stale.

* ``hubspot``: signature version 3, HMAC-SHA256 in base 64 over method, address, body and the
  timestamp in milliseconds (HubSpot, "Validate the v3 request signature"). The older versions
  have no timestamp and could be replayed for ever, so they are not accepted.
* ``standard``: Standard Webhooks, HMAC-SHA256 in base 64 over ``id.timestamp.body``, seconds;
  several signatures may be given, and ``v1`` is the symmetric one.

Clocks may differ by five minutes in either direction.
"""

import base64
import binascii
import hmac
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from shared.domain.errors import UnauthenticatedError

HUBSPOT: Final = "hubspot"
STANDARD: Final = "standard"
WINDOW: Final = timedelta(minutes=5)

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_DIGITS: Final = re.compile(r"[0-9]{1,16}")
_MAX_MESSAGE_ID: Final = 256
_MAX_SIGNATURES: Final = 32
_SECRET_PREFIX: Final = "whsec_"  # noqa: S105 - public prefix, not a secret

# The characters that HubSpot decodes before it signs; all others stay as they were sent.
_DECODED: Final = {
    "%3A": ":",
    "%2F": "/",
    "%3F": "?",
    "%40": "@",
    "%21": "!",
    "%24": "$",
    "%27": "'",
    "%28": "(",
    "%29": ")",
    "%2A": "*",
    "%2C": ",",
    "%3B": ";",
}
_ENCODED: Final = re.compile("|".join(_DECODED))


@dataclass(frozen=True, slots=True, kw_only=True)
class SignedRequest:
    """A request as it arrived.

    ``url`` is the public address with its query, built from configuration and never from the
    ``Host`` header. Names of headers are lower case.
    """

    method: str
    url: str
    headers: Mapping[str, str]
    body: bytes


def usable_secret(kind: str, secret: str) -> bool:
    """Tell whether a text can serve as the secret of a source of this kind."""
    return _key(kind, secret) is not None


def verify(kind: str, request: SignedRequest, secrets: Sequence[str], now: datetime) -> str:
    """Return the sender's own message id, empty if its kind has none.

    Every secret is tried, so that the time taken tells nothing about which one fits.

    Raises:
        UnauthenticatedError: when the signature is missing, wrong or outside the window.
    """
    if kind == HUBSPOT:
        return _verify_hubspot(request, secrets, now)
    if kind == STANDARD:
        return _verify_standard(request, secrets, now)
    raise UnauthenticatedError


def _verify_hubspot(request: SignedRequest, secrets: Sequence[str], now: datetime) -> str:
    timestamp = _timestamp(request, "x-hubspot-request-timestamp", timedelta(milliseconds=1), now)
    address = signed_address(request.url)
    signed = b"".join(
        (
            request.method.upper().encode(),
            address.encode("utf-8", "surrogatepass"),
            request.body,
            timestamp.encode(),
        )
    )
    _match(HUBSPOT, signed, secrets, [_header(request, "x-hubspot-signature-v3")])
    return ""


def _verify_standard(request: SignedRequest, secrets: Sequence[str], now: datetime) -> str:
    message_id = _header(request, "webhook-id")
    if len(message_id) > _MAX_MESSAGE_ID or not message_id.isprintable():
        raise UnauthenticatedError
    timestamp = _timestamp(request, "webhook-timestamp", timedelta(seconds=1), now)
    signed = b".".join((message_id.encode(), timestamp.encode(), request.body))
    given = _header(request, "webhook-signature").split(" ")[:_MAX_SIGNATURES]
    candidates = [text.removeprefix("v1,") for text in given if text.startswith("v1,")]
    _match(STANDARD, signed, secrets, candidates)
    return message_id


def signed_address(url: str) -> str:
    """Return the address as HubSpot signs it: some of the query decoded, no fragment."""
    address, _, _ = url.partition("#")
    path, mark, query = address.partition("?")
    return path + mark + _ENCODED.sub(lambda found: _DECODED[found[0]], query)


def _header(request: SignedRequest, name: str) -> str:
    value = request.headers.get(name, "")
    if not value:
        raise UnauthenticatedError
    return value


def _timestamp(request: SignedRequest, name: str, unit: timedelta, now: datetime) -> str:
    """Return the timestamp as it was sent, if it is inside the window."""
    text = _header(request, name)
    if not _DIGITS.fullmatch(text):
        raise UnauthenticatedError
    if abs((now - _EPOCH) // unit - int(text)) > WINDOW // unit:
        raise UnauthenticatedError
    return text


def _match(kind: str, signed: bytes, secrets: Sequence[str], candidates: Sequence[str]) -> None:
    # Bytes on both sides: comparing text raises for anything that is not ASCII.
    given = [text.encode("utf-8", "surrogatepass") for text in candidates]
    found = False
    for secret in secrets:
        key = _key(kind, secret)
        if key is None:
            continue
        expected = base64.b64encode(hmac.digest(key, signed, "sha256"))
        for signature in given:
            found |= hmac.compare_digest(expected, signature)
    if not found:
        raise UnauthenticatedError


def _key(kind: str, secret: str) -> bytes | None:
    """Return the key that a secret stands for, or None if it stands for none."""
    if kind == HUBSPOT:
        return secret.encode() or None
    try:
        return base64.b64decode(secret.removeprefix(_SECRET_PREFIX), validate=True) or None
    except (binascii.Error, ValueError):
        return None

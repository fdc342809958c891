"""Keyed hashes: look-ups of personal data, and receipts, under one secret of the server.

Every purpose gets a key of its own, derived from the secret by a label, so that no value made
for one purpose can pass for another.
"""

import base64
import hashlib
import hmac
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

_EMAIL_LABEL: Final = "email-lookup"
_DOMAIN_LABEL: Final = "domain-lookup"
_RECEIPT_LABEL: Final = "receipt"
_LOOKUP_SYMBOLS: Final = 32
_MAC_BYTES: Final = 16
_MAX_TOKEN: Final = 200
_RECEIPT: Final = re.compile(r"([a-z]{2,5}_[0-9a-z]{1,64})\.([0-9a-f]{1,10})\.([A-Za-z0-9_-]{22})")


@dataclass(frozen=True, slots=True, kw_only=True)
class Receipt:
    """What a receipt token says: this submission reached us at this second."""

    referral_id: str
    received_at: datetime


def derive(secret: bytes, label: str) -> bytes:
    """Return the 32-byte key of one purpose."""
    return hmac.digest(secret, f"goodword/{label}".encode(), "sha256")


def email_hmac(secret: bytes, normalised_email: str) -> str:
    """Return the 32 hexadecimal digits that find equal addresses without storing any.

    ``normalised_email`` comes from ``leads.normalise_email``.
    """
    return _look_up(secret, _EMAIL_LABEL, normalised_email)


def domain_hmac(secret: bytes, domain: str) -> str:
    """Return the 32 hexadecimal digits that find equal domains of addresses.

    ``domain`` comes from ``leads.normalise_email`` or ``leads.normalise_domain``.
    """
    return _look_up(secret, _DOMAIN_LABEL, domain)


def _look_up(secret: bytes, label: str, text: str) -> str:
    mac = hmac.new(derive(secret, label), text.encode(), hashlib.sha256)
    return mac.hexdigest()[:_LOOKUP_SYMBOLS]


def receipt_token(secret: bytes, receipt: Receipt) -> str:
    """Sign a receipt into a token that is safe in a URL; nothing is stored."""
    statement = f"{receipt.referral_id}.{int(receipt.received_at.timestamp()):x}"
    return f"{statement}.{_receipt_mac(secret, statement)}"


def read_receipt_token(text: str, secret: bytes) -> Receipt | None:
    """Return the receipt if we signed it, else None."""
    found = _RECEIPT.fullmatch(text) if len(text) <= _MAX_TOKEN else None
    if not found:
        return None
    referral_id, seconds, mac = found.groups()
    expected = _receipt_mac(secret, f"{referral_id}.{seconds}")
    if not hmac.compare_digest(expected.encode(), mac.encode()):
        return None
    received_at = datetime.fromtimestamp(int(seconds, 16), tz=UTC)
    return Receipt(referral_id=referral_id, received_at=received_at)


def _receipt_mac(secret: bytes, statement: str) -> str:
    mac = hmac.digest(derive(secret, _RECEIPT_LABEL), statement.encode(), "sha256")
    return base64.urlsafe_b64encode(mac[:_MAC_BYTES]).decode().rstrip("=")

"""Click tokens: signed, self-contained proof of a click that rides in the redirect's URL.

Attribution by token needs no read and survives a click row that was lost. Form of version 1::

    v1.<key id>.<payload>.<tag>

``payload`` is base 64 (URL alphabet, no padding) of the JSON array ``[click id, code, partner,
programme, unix milliseconds]``; ``tag`` is HMAC-SHA-256 over everything before it, cut to 128
bits, in the same base 64. The whole needs no escaping in a query. A token doesn't end by itself:
who reads it compares ``clicked_at`` with the attribution window of the terms.
"""

import hashlib
import hmac
import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Final

from shared.domain.errors import ConflictError

MALFORMED: Final = "malformed"
UNKNOWN_KEY: Final = "unknown_key"
BAD_SIGNATURE: Final = "bad_signature"
OTHER_PROGRAM: Final = "other_program"

MAX_LENGTH: Final = 1_024

KNOWN_AFTER: Final = timedelta(minutes=10)
"""A new key signs only when all who remember the ring for five minutes have read it again."""
MAX_KEYS: Final = 16
"""So that the ring is read for half a unit."""
RETIRED_FOR: Final = timedelta(days=90)
"""How long a key verifies at least when it signs no more; as long as there is room otherwise."""

_VERSION: Final = "v1"
_PARTS: Final = 4
_TAG_BYTES: Final = 16
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND: Final = timedelta(milliseconds=1)


class BadTokenError(Exception):
    """The text proves no click; ``reason`` says why, for the trace and never for the sender."""

    def __init__(self, reason: str) -> None:
        """Keep the reason: one of the constants of this module."""
        self.reason = reason
        super().__init__(reason)


@dataclass(frozen=True, slots=True, kw_only=True)
class SigningKey:
    """One key. Its id travels in the token, so it holds no dot; its secret is never shown."""

    key_id: str
    secret: bytes = field(repr=False)
    created_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Keyring:
    """All keys that verify. Retired ones stay for the longest window."""

    keys: tuple[SigningKey, ...]

    def __post_init__(self) -> None:
        """Refuse a ring without a key.

        Raises:
            ValueError: when it is empty.
        """
        if not self.keys:
            raise ValueError("a keyring holds at least one key")

    def newest(self) -> SigningKey:
        """Return the key that was made last."""
        return max(self.keys, key=_age)

    def signing(self, now: datetime) -> SigningKey:
        """Return the key that signs at ``now``: the newest that everybody has read meanwhile."""
        known = [key for key in self.keys if key.created_at + KNOWN_AFTER <= now]
        # A first key signs at once: nobody can have read another one.
        return max(known, key=_age) if known else min(self.keys, key=_age)

    def find(self, key_id: str) -> SigningKey | None:
        """Return the key with this id, or None."""
        for key in self.keys:
            if key.key_id == key_id:
                return key
        return None


@dataclass(frozen=True, slots=True, kw_only=True)
class ClickToken:
    """What a token states. ``clicked_at`` is UTC and survives to the millisecond."""

    click_id: str
    code: str
    partner_id: str
    program_id: str
    clicked_at: datetime


def _age(key: SigningKey) -> tuple[datetime, str]:
    return key.created_at, key.key_id


def rotated(keyring: Keyring, key: SigningKey) -> Keyring:
    """Return the ring with one more key, and without the oldest when there are too many.

    Raises:
        ConflictError: ``keyring_full``: the oldest may have signed a click that still counts.
    """
    younger = sorted(keyring.keys, key=_age)[1:]
    if len(keyring.keys) < MAX_KEYS:
        return Keyring(keys=(*keyring.keys, key))
    if younger[0].created_at + KNOWN_AFTER + RETIRED_FOR > key.created_at:
        message = f"at most {MAX_KEYS} keys, and each stays for {RETIRED_FOR.days} days"
        raise ConflictError("keyring_full", message)
    return Keyring(keys=(*younger, key))


def issue(token: ClickToken, keyring: Keyring) -> str:
    """Return the token's text, signed with the key of its time."""
    key = keyring.signing(token.clicked_at)
    statement = [
        token.click_id,
        token.code,
        token.partner_id,
        token.program_id,
        (token.clicked_at - _EPOCH) // _MILLISECOND,
    ]
    payload = _base64(json.dumps(statement, separators=(",", ":")).encode())
    signed = f"{_VERSION}.{key.key_id}.{payload}"
    return f"{signed}.{_tag(key, signed)}"


def read(text: str, keyring: Keyring, *, program_id: str) -> ClickToken:
    """Return what a token states, once its signature and programme hold.

    Raises:
        BadTokenError: with the reason; its text says nothing that an attacker can use.
    """
    parts = text.split(".") if len(text) <= MAX_LENGTH and text.isascii() else []
    if len(parts) != _PARTS or parts[0] != _VERSION:
        raise BadTokenError(MALFORMED)
    key = keyring.find(parts[1])
    if key is None:
        raise BadTokenError(UNKNOWN_KEY)
    # Compared as text, so that only one spelling of a tag is good.
    if not hmac.compare_digest(_tag(key, text.rpartition(".")[0]), parts[3]):
        raise BadTokenError(BAD_SIGNATURE)
    token = _parse(parts[2])
    if token.program_id != program_id:
        raise BadTokenError(OTHER_PROGRAM)
    return token


def _parse(payload: str) -> ClickToken:
    try:
        statement = json.loads(urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
        click_id, code, partner_id, program, milliseconds = statement
        clicked_at = _EPOCH + milliseconds * _MILLISECOND
    except (ValueError, TypeError, OverflowError) as error:
        raise BadTokenError(MALFORMED) from error
    return ClickToken(
        click_id=click_id,
        code=code,
        partner_id=partner_id,
        program_id=program,
        clicked_at=clicked_at,
    )


def _tag(key: SigningKey, signed: str) -> str:
    return _base64(hmac.digest(key.secret, signed.encode(), hashlib.sha256)[:_TAG_BYTES])


def _base64(raw: bytes) -> str:
    return urlsafe_b64encode(raw).decode().rstrip("=")

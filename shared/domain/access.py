"""Management keys: who may do what. A key names the person or system that acts."""

import hashlib
import hmac
import re
from dataclasses import dataclass
from datetime import datetime
from typing import Final

READ: Final = "read"
PROGRAMS: Final = "programs"
PARTNERS: Final = "partners"
LINKS: Final = "links"
SOURCES: Final = "sources"
REFERRALS: Final = "referrals"
PERSONAL_DATA: Final = "personal_data"
KEYS: Final = "keys"
ALL: Final = "*"

SCOPES: Final = (READ, PROGRAMS, PARTNERS, LINKS, SOURCES, REFERRALS, PERSONAL_DATA, KEYS, ALL)

ROOT: Final = "root"
"""Id of the key that the deployment generates."""

_CREDENTIAL: Final = re.compile(r"gw_([a-z0-9_]{1,64})_([A-Za-z0-9]{16,128})")


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiKey:
    """A management key. Only the hash of its secret is kept."""

    key_id: str
    sha256: str
    scopes: tuple[str, ...]
    principal: str
    created_at: datetime
    revoked_at: datetime | None = None

    def may(self, scope: str) -> bool:
        """Tell whether the key reaches ``scope``."""
        return ALL in self.scopes or scope in self.scopes


@dataclass(frozen=True, slots=True, kw_only=True)
class Credential:
    """A key id and a secret that somebody claims belongs to it."""

    key_id: str
    secret: str


def read_credential(authorization: str) -> Credential | None:
    """Return the credential of an ``Authorization`` header, or None if it holds none of ours."""
    scheme, _, text = authorization.partition(" ")
    found = _CREDENTIAL.fullmatch(text.strip()) if scheme.lower() == "bearer" else None
    return Credential(key_id=found[1], secret=found[2]) if found else None


def written(key_id: str, secret: str) -> str:
    """Return the text that a caller sends as its bearer key."""
    return f"gw_{key_id}_{secret}"


def hash_secret(secret: str) -> str:
    """Return what is kept of a secret. It is random and long, so one round is enough."""
    return hashlib.sha256(secret.encode()).hexdigest()


def opens(key: ApiKey | None, secret: str) -> bool:
    """Tell whether a secret opens a key, in the same time whether or not the key exists."""
    expected = key.sha256 if key else hash_secret("")
    matches = hmac.compare_digest(expected, hash_secret(secret))
    return matches and key is not None and key.revoked_at is None

"""Partners and their enrolments."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final

KINDS: Final = ("advocate", "affiliate", "referral_partner", "reseller")
APPLIED: Final = "applied"
ACTIVE: Final = "active"
SUSPENDED: Final = "suspended"
CLOSED: Final = "closed"
STATUSES: Final = (APPLIED, ACTIVE, SUSPENDED, CLOSED)
MOVES: Final[Mapping[str, frozenset[str]]] = {
    APPLIED: frozenset({ACTIVE, CLOSED}),
    ACTIVE: frozenset({SUSPENDED, CLOSED}),
    SUSPENDED: frozenset({ACTIVE, CLOSED}),
    CLOSED: frozenset(),
}
"""Status -> statuses that may follow. Closed is the end: what it decides about money stays."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Partner:
    """Who refers. The name and address are in the vault; ``email_hmac`` only finds equals."""

    partner_id: str
    kind: str
    status: str = "active"
    country: str = ""
    email_hmac: str = ""
    created_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Move:
    """One change of a partner's status: who decided it, why and when. Moves are only added."""

    before: str
    after: str
    actor: str
    reason: str
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Enrolment:
    """A partner in a programme, with the terms version that the partner accepted.

    ``judged_version`` judges the bonuses instead since a migration moved all referrals there; 0
    is none. To accept other terms ends it.
    """

    partner_id: str
    program_id: str
    terms_version: int
    accepted_at: datetime
    tier: str = ""
    group: str = ""
    cause: str = ""
    judged_version: int = 0

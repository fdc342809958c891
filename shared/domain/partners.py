"""Partners and their enrolments."""

from collections.abc import Mapping
from dataclasses import dataclass, field
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

AGREEMENT: Final = "agreement"
CODE_OF_CONDUCT: Final = "code_of_conduct"
DOCUMENTS: Final = (AGREEMENT, CODE_OF_CONDUCT)
"""What a partner can accept beside the terms of a programme."""

PUBLIC_OFFICIAL: Final = "public_official"
OWN_STAFF: Final = "own_staff"
BUYER_STAFF: Final = "buyer_staff"
CATEGORIES: Final = (PUBLIC_OFFICIAL, OWN_STAFF, BUYER_STAFF)
"""Who may have to be kept from earning: officials, the programme owner's staff, the buyer's."""
OF_PARTNERS: Final = (PUBLIC_OFFICIAL, OWN_STAFF)
"""Those that a partner is in whomever they introduce."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """Keyed hashes of an address, which only find equals.

    ``company_hmac`` is of its domain, "" if anybody can have an address there.
    """

    email_hmac: str
    company_hmac: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Partner:
    """Who refers. The name and address are in the vault; the hashes only find equals."""

    partner_id: str
    kind: str
    status: str = "active"
    country: str = ""
    email_hmac: str = ""
    company_hmac: str = ""
    categories: tuple[str, ...] = ()
    created_at: datetime

    @property
    def address(self) -> Address:
        """Return the hashes of the address."""
        return Address(email_hmac=self.email_hmac, company_hmac=self.company_hmac)


@dataclass(frozen=True, slots=True, kw_only=True)
class Move:
    """One change of a partner's status: who decided it, why and when. Moves are only added."""

    before: str
    after: str
    actor: str
    reason: str
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Acceptance:
    """Which version of a document a partner accepted, and when."""

    version: str
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Enrolment:
    """A partner in a programme, with the terms version and the documents that they accepted.

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
    documents: Mapping[str, Acceptance] = field(default_factory=dict)

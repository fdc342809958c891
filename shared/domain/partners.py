"""Partners and their enrolments."""

from dataclasses import dataclass
from datetime import datetime
from typing import Final

KINDS: Final = ("advocate", "affiliate", "referral_partner", "reseller")
STATUSES: Final = ("applied", "active", "suspended", "closed")


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
class Enrolment:
    """A partner in a programme, with the terms version that the partner accepted."""

    partner_id: str
    program_id: str
    terms_version: int
    accepted_at: datetime
    tier: str = ""
    group: str = ""
    cause: str = ""

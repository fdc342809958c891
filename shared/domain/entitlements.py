"""Who can benefit from a referral, and what the terms say each of them should hold."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from shared.domain import facts as kinds
from shared.domain.facts import Fact, in_order, latest

INTRODUCER: Final = "introducer"
CO_REFERRER: Final = "co_referrer"
ASSIST: Final = "assist"
ROLES: Final = (INTRODUCER, CO_REFERRER, ASSIST)
MAX_SHARES: Final = 8
WHOLE_SHARE: Final = 10_000
"""All of a referral, in basis points."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CreditShare:
    """A partner's part of a referral, in basis points; all parts sum to 10,000."""

    partner_id: str
    role: str
    basis_points: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Parties:
    """Who can benefit from a referral, as pinned at submission."""

    lead_id: str
    shares: tuple[CreditShare, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Allowance:
    """What an occurrence in a partner's file may take of a cap in a period, as it was decided.

    Referrals keep theirs as facts. One that was cut only shrinks.
    """

    cap_id: str
    scope: str
    period: str
    allowed_minor: int
    cut: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Entitlement:
    """What one beneficiary should hold for (rule, occurrence).

    ``amount_minor`` is zero for benefits without a face value, which are in ``benefit``.
    ``release_at`` is the end of the hold; ``raise_release_at`` the end for an amount added after
    some of the reward has matured. ``held`` is the reason that keeps it from maturing, or "".
    ``keeps_dates`` says that the dates of the first posting stay. ``allowances`` are what it takes
    of caps; ``denied`` says that they leave nothing of a benefit: only the decision is kept.
    """

    rule_id: str
    occurrence: str
    role: str
    holder_id: str
    kind: str
    currency: str
    amount_minor: int
    benefit: Mapping[str, str] = field(default_factory=dict)
    worth_minor: int = 0
    release_at: datetime
    raise_release_at: datetime
    held: str = ""
    effective_at: datetime
    cause: tuple[str, ...] = ()
    keeps_dates: bool = False
    allowances: tuple[Allowance, ...] = ()
    denied: bool = False

    @property
    def identity(self) -> tuple[str, str, str]:
        """Return (rule, occurrence, holder): what makes it the same reward."""
        return self.rule_id, self.occurrence, self.holder_id


def shares_of(facts: Iterable[Fact]) -> tuple[CreditShare, ...]:
    """Return the shares that were pinned at submission, in the order that settles remainders."""
    pinned = latest(in_order(facts), kinds.TERMS_PINNED)
    return read_shares(pinned.data.get("shares", [])) if pinned else ()


def read_shares(rows: Iterable[Mapping[str, Any]]) -> tuple[CreditShare, ...]:
    """Return the shares of a fact, in the order that settles remainders."""
    shares = [CreditShare(**row) for row in rows]
    return tuple(sorted(shares, key=lambda share: (share.role != INTRODUCER, share.partner_id)))

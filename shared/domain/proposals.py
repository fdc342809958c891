"""Proposals: facts that take two persons, while they wait for the second."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

OPEN: Final = "open"
APPROVED: Final = "approved"


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposal:
    """What one person wants to state, and the fact that it ``retracts``, if any.

    ``based_on`` is the fact that said who shares when it was proposed.
    """

    proposal_id: str
    referral_id: str
    kind: str
    data: Mapping[str, Any]
    reason: str
    proposed_by: str
    proposed_at: datetime
    expires_at: datetime
    based_on: str
    retracts: str | None = None
    state: str = OPEN
    approved_by: str = ""


def same_person(one: str, other: str) -> bool:
    """Tell whether two principals are the same, however they are written."""
    return one.strip().casefold() == other.strip().casefold()

"""Referrals: the claim that a partner introduced a lead, and the review of that claim."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from shared.domain.errors import ConflictError

SUBMITTED: Final = "submitted"
IN_REVIEW: Final = "in_review"
ACTION_REQUIRED: Final = "action_required"
ACCEPTED: Final = "accepted"
REJECTED: Final = "rejected"
WITHDRAWN: Final = "withdrawn"
EXPIRED: Final = "expired"
SPAM: Final = "spam"

OPEN_REVIEW: Final = frozenset({SUBMITTED, IN_REVIEW, ACTION_REQUIRED})
"""While the review is open, rewards are posted but held."""

_DECISIONS: Final[Mapping[str, tuple[frozenset[str], str]]] = {
    "accept": (OPEN_REVIEW | {REJECTED, EXPIRED, SPAM}, ACCEPTED),
    "reject": (OPEN_REVIEW | {ACCEPTED, SPAM}, REJECTED),
    "request_action": (frozenset({SUBMITTED, IN_REVIEW}), ACTION_REQUIRED),
}
"""Decision -> (states it may be taken in, state it leads to)."""

DECISIONS: Final = tuple(_DECISIONS)


@dataclass(frozen=True, slots=True, kw_only=True)
class Referral:
    """The head of the aggregate; its facts and rewards are rows beside it.

    ``partner_id`` is None when nothing proved an introduction. ``counting`` is what the referral
    adds to partners' sums at this moment, by ``<partner>/<key>``. ``deal`` mirrors the CRM for
    lists:
    ``{source_id, deal_id, stage, outcome, amount, currency}``; it decides nothing.
    ``version`` rises with every write to the aggregate and guards every money transaction.
    """

    referral_id: str
    program_id: str
    lead_id: str
    partner_id: str | None
    terms_version: int
    submitted_at: datetime
    review: str = SUBMITTED
    link_code: str = ""
    click_id: str = ""
    touch_at: datetime | None = None
    attribution: str = ""
    flags: tuple[str, ...] = ()
    source_id: str = ""
    deal_id: str = ""
    deal: Mapping[str, Any] = field(default_factory=dict)
    counting: Mapping[str, int] = field(default_factory=dict)
    version: int = 1


def decide(review: str, decision: str) -> str:
    """Return the review state that a decision leads to.

    Raises:
        ConflictError: ``illegal_review_move`` when the decision is not open in this state.
    """
    allowed_from, target = _DECISIONS[decision]
    if review not in allowed_from:
        message = f"cannot {decision} a referral that is {review}"
        raise ConflictError("illegal_review_move", message)
    return target

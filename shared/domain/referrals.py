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

REVIEWS: Final = (
    SUBMITTED,
    IN_REVIEW,
    ACTION_REQUIRED,
    ACCEPTED,
    REJECTED,
    WITHDRAWN,
    EXPIRED,
    SPAM,
)

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
    ``merged_into`` is the referral that has the deal now, for good, if this one had one of its
    merged deals.
    ``taken_over_by`` is the referral that holds the lead now, if this one does not any more.
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
    merged_into: str = ""
    taken_over_by: str = ""
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


def check_holds_lead(referral: Referral) -> None:
    """Demand that no other referral holds the lead now: it would be paid for twice.

    Raises:
        ConflictError: ``lead_taken_over``.
    """
    if referral.taken_over_by:
        message = "another referral holds the lead now"
        raise ConflictError("lead_taken_over", message)

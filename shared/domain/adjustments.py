"""Adjustments: goodwill or a correction that a named person gives a partner, beside all rules.

Over the programme's limit it takes two: it waits until another person approves it.
"""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Final

from shared.domain.errors import invalid
from shared.domain.money import format_amount, parse_amount
from shared.domain.rewards import (
    BY_PARTNER,
    CLAW_BACK,
    EARN,
    Change,
    Lot,
    Reward,
    Step,
    Subject,
    reward_id,
)
from shared.domain.terms import PARTNER

ADJUSTMENT: Final = "adjustment"
"""The rule id of rewards that a person gave."""

WAITING: Final = "waiting"
APPROVED: Final = "approved"
POSTED: Final = "posted"

_PREFIX: Final = "adj:"
_KIND: Final = "cash"


@dataclass(frozen=True, slots=True, kw_only=True)
class Adjustment:
    """What somebody gives (positive) or takes back (negative), in minor units.

    ``state`` is waiting (for a second person), approved or posted. ``mark`` names the request.
    """

    adjustment_id: str
    partner_id: str
    program_id: str
    amount_minor: int
    currency: str
    reason: str
    reference: str
    requested_by: str
    requested_at: datetime
    mark: str
    expires_at: datetime | None = None
    state: str = APPROVED
    approved_by: str = ""
    approved_at: datetime | None = None
    posted_at: datetime | None = None


def is_adjustment(reward: Reward) -> bool:
    """Tell whether a person gave this reward, so that no rule may take it away."""
    return reward.rule_id == ADJUSTMENT and reward.occurrence.startswith(_PREFIX)


def read_amount(text: str, currency: str) -> int:
    """Return an amount of either sign in minor units.

    Raises:
        InvalidFieldsError: not a decimal string, zero, too large, or with more digits than the
            currency has: nothing that a person wrote is rounded.
    """
    minor = parse_amount(text, currency)
    if Decimal(text) != Decimal(format_amount(minor, currency)):
        raise invalid("amount", "not_an_amount", "has more digits than the currency")
    if minor == 0:
        raise invalid("amount", "out_of_range", "must not be zero")
    return minor


def change_of(adjustment: Adjustment, *, terms_version: int, now: datetime) -> Change:
    """Return the change that posts an adjustment to the partner's file.

    What is given is released at once; what is taken lowers what is payable, below zero if need
    be.
    """
    subject = Subject(
        scope=BY_PARTNER,
        subject_id=adjustment.partner_id,
        program_id=adjustment.program_id,
        terms_version=terms_version,
    )
    occurrence = f"{_PREFIX}{adjustment.adjustment_id}"
    amount = abs(adjustment.amount_minor)
    is_given = adjustment.amount_minor > 0
    reward = Reward(
        reward_id=reward_id(subject, (ADJUSTMENT, occurrence, adjustment.partner_id)),
        scope=BY_PARTNER,
        subject_id=adjustment.partner_id,
        program_id=adjustment.program_id,
        rule_id=ADJUSTMENT,
        occurrence=occurrence,
        role=PARTNER,
        holder_id=adjustment.partner_id,
        kind=_KIND,
        currency=adjustment.currency,
        terms_version=terms_version,
        effective_at=now,
        sequence=1,
        lots=(Lot(sequence=1, amount_minor=amount, release_at=now),) if is_given else (),
        payable_minor=0 if is_given else -amount,
        clawed_back_minor=0 if is_given else amount,
    )
    step = Step(step=EARN if is_given else CLAW_BACK, sequence=1, amount_minor=amount)
    return Change(reward=reward, steps=(step,), cause=(adjustment.adjustment_id,))

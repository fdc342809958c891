"""What became of rewards that we can't pay ourselves: months, discounts, perks."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from shared.domain.errors import ConflictError, invalid
from shared.domain.rewards import FULFILLED, REDEEMED, REFUSED, Change, Reward, fulfil
from shared.domain.terms import FACE_VALUE_KINDS

OUTCOMES: Final = (FULFILLED, REDEEMED, REFUSED)
REWARD_FULFILLED: Final = "RewardFulfilled"


@dataclass(frozen=True, slots=True, kw_only=True)
class Fulfilment:
    """One change of a benefit: who says what became of it, why, and under which reference.

    What the terms gave or took has no actor; ``cause`` names the facts behind it. ``number``
    counts the changes of the reward; there is at most one report for each.
    """

    reward_id: str
    number: int
    outcome: str
    actor: str
    reason: str
    reference: str
    at: datetime
    mark: str = ""
    cause: tuple[str, ...] = ()


def entered(changes: Iterable[Change], now: datetime) -> tuple[Fulfilment, ...]:
    """Return what the terms made of benefits with these changes."""
    return tuple(
        Fulfilment(
            reward_id=change.reward.reward_id,
            number=change.reward.sequence,
            outcome=change.entered,
            actor="",
            reason="",
            reference="",
            at=now,
            cause=change.cause,
        )
        for change in changes
        if change.entered
    )


def fulfilled(reward: Reward, outcome: str, reason: str) -> Reward:
    """Return the reward after a report.

    Raises:
        InvalidFieldsError: for an unknown outcome, or a refusal without a reason.
        ConflictError: ``reward_has_face_value``, ``reward_held`` or ``illegal_fulfilment``.
    """
    if outcome not in OUTCOMES:
        raise invalid("outcome", "not_allowed", "must be one of " + ", ".join(OUTCOMES))
    if outcome == REFUSED and not reason:
        raise invalid("reason", "required", "a refusal needs a reason")
    if reward.kind in FACE_VALUE_KINDS:
        message = f"a reward in {reward.kind} is paid, not fulfilled"
        raise ConflictError("reward_has_face_value", message)
    if reward.held and outcome != REFUSED:
        raise ConflictError("reward_held", f"the reward is held: {reward.held}")
    return fulfil(reward, outcome)

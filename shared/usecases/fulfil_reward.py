"""Report that a reward without a face value was handed over, redeemed or refused."""

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from shared.domain.aggregate import Guard, Standing
from shared.domain.errors import NotFoundError, StaleVersionError
from shared.domain.events import Event
from shared.domain.fulfilments import REWARD_FULFILLED, Fulfilment, fulfilled
from shared.domain.holders import as_held, may_wait
from shared.domain.rewards import Reward
from shared.ports import FulfilmentStore, NewId

TRIES: Final = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where a reward hangs: on a referral, or on a partner's successes in a programme."""

    referral_id: str = ""
    partner_id: str = ""
    program_id: str = ""


def fulfil_reward(
    store: FulfilmentStore,
    place: Place,
    reward_id: str,
    *,
    outcome: str,
    reason: str,
    reference: str,
    actor: str,
    now: datetime,
    new_id: NewId,
    mark: str,
    correlation_id: str,
) -> Reward:
    """Store the report, the reward's new state and the event together; return the reward.

    Reporting again in the same request changes nothing.

    Raises:
        NotFoundError: no such place, or no such reward there.
        InvalidFieldsError: for an unknown outcome, or a refusal without a reason.
        ConflictError: ``reward_has_face_value``, ``reward_held`` or ``illegal_fulfilment``.
        StaleVersionError: others wrote first, five times over.
    """
    for _ in range(TRIES):
        guard = _guard(store, place)
        reward = store.reward(guard, reward_id) if guard else None
        if guard is None or reward is None:
            raise NotFoundError
        if any(report.mark == mark for report in store.reports(guard, reward_id)):
            return reward
        after = _fulfilled(store, reward, outcome, reason)
        report = Fulfilment(
            reward_id=reward_id,
            number=after.sequence,
            outcome=outcome,
            actor=actor,
            reason=reason,
            reference=reference,
            at=now,
            mark=mark,
        )
        event = _event(guard, after, report, event_id=new_id("evt"), request=correlation_id)
        try:
            store.report(guard, after, report, event)
        except StaleVersionError:
            continue
        return after
    raise StaleVersionError


def _fulfilled(store: FulfilmentStore, reward: Reward, outcome: str, reason: str) -> Reward:
    status = store.partner_status(reward.holder_id) if may_wait(reward) else ""
    # What waits for its holder is held, and yet nothing of that is written.
    return replace(fulfilled(as_held(reward, status), outcome, reason), held=reward.held)


def _guard(store: FulfilmentStore, place: Place) -> Guard | None:
    if place.referral_id:
        return store.referral(place.referral_id)
    return store.standing(place.partner_id, place.program_id)


def _event(
    guard: Guard, reward: Reward, report: Fulfilment, *, event_id: str, request: str
) -> Event:
    return Event(
        event_id=event_id,
        name=REWARD_FULFILLED,
        occurred_at=report.at,
        program_id=guard.program_id,
        aggregate_type="partner" if isinstance(guard, Standing) else "referral",
        aggregate_id=reward.subject_id,
        aggregate_version=guard.version + 1,
        correlation_id=request,
        causation_id=request,
        hops=0,
        data={
            "reward_id": reward.reward_id,
            "rule_id": reward.rule_id,
            "holder_id": reward.holder_id,
            "kind": reward.kind,
            "outcome": report.outcome,
        },
    )

"""Release the parts of rewards whose hold is over: pending becomes payable."""

from dataclasses import dataclass
from datetime import datetime

from shared.domain import books
from shared.domain.aggregate import Aggregate
from shared.domain.errors import StaleVersionError
from shared.domain.events import REWARD_MATURED
from shared.domain.posting import Posting
from shared.domain.rewards import Reward, mature
from shared.ports import Ledger, NewId
from shared.usecases.post_rewards import Trigger, reward_event


@dataclass(frozen=True, slots=True, kw_only=True)
class Matured:
    """What one run did. ``skipped`` lost a race or was not due after all; the next run looks."""

    released: int = 0
    skipped: int = 0


def mature_rewards(ledger: Ledger, *, now: datetime, new_id: NewId, limit: int) -> Matured:
    """Release every lot that is due, one transaction per reward, at most ``limit`` rewards.

    The index only says where to look; each decision is made on the referral as it stands.

    Raises:
        UnavailableError: when the store does not answer; what is done stays done.
    """
    released = skipped = 0
    for referral_id, reward_id in ledger.due(now, limit):
        aggregate = ledger.load(referral_id)
        done = aggregate is not None and _release(
            ledger, aggregate, reward_id, now=now, new_id=new_id
        )
        released += done
        skipped += not done
    return Matured(released=released, skipped=skipped)


def _release(
    ledger: Ledger, aggregate: Aggregate, reward_id: str, *, now: datetime, new_id: NewId
) -> bool:
    reward = _find(aggregate, reward_id)
    change = mature(reward, now) if reward else None
    if change is None:
        return False
    referral = aggregate.referral
    opened = ledger.book(change.reward.holder_id, referral.program_id)
    closed, movements = books.post(
        opened, change, now=now, movement_ids=[new_id("mov") for _ in change.steps]
    )
    event_id = new_id("evt")
    posting = Posting(
        referral=referral,
        changes=(change,),
        books=((opened, closed),),
        movements=movements,
        trace=(),
        event=reward_event(
            REWARD_MATURED,
            referral,
            (change,),
            trigger=Trigger(correlation_id=event_id, causation_id=event_id, hops=0),
            now=now,
            event_id=event_id,
        ),
        now=now,
    )
    try:
        ledger.post(posting)
    except StaleVersionError:
        return False
    return True


def _find(aggregate: Aggregate, reward_id: str) -> Reward | None:
    return next((known for known in aggregate.rewards if known.reward_id == reward_id), None)

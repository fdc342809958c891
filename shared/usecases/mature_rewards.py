"""Release the parts of rewards whose hold is over: pending becomes payable."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from shared.domain.aggregate import Guard
from shared.domain.errors import StaleVersionError
from shared.domain.events import REWARD_MATURED
from shared.domain.rewards import BY_REFERRAL, Reward, mature
from shared.ports import Ledger, NewId
from shared.usecases.effects import Trigger, Writer


@dataclass(frozen=True, slots=True, kw_only=True)
class Matured:
    """What one run did. ``skipped`` lost a race or was not due after all; the next run looks."""

    released: int = 0
    skipped: int = 0


def mature_rewards(ledger: Ledger, *, now: datetime, new_id: NewId, limit: int) -> Matured:
    """Release every lot that is due, one transaction per reward, at most ``limit`` rewards.

    The index only says where to look; each decision is made on the rewards as they stand.

    Raises:
        UnavailableError: when the store does not answer; what is done stays done.
    """
    released = skipped = 0
    for scope, subject_id, program_id, reward_id in ledger.due(now, limit):
        guard, rewards = _load(ledger, scope, subject_id, program_id)
        reward = next((known for known in rewards if known.reward_id == reward_id), None)
        done = bool(guard and reward) and _release(ledger, guard, reward, now=now, new_id=new_id)
        released += done
        skipped += not done
    return Matured(released=released, skipped=skipped)


def _load(
    ledger: Ledger, scope: str, subject_id: str, program_id: str
) -> tuple[Guard | None, Iterable[Reward]]:
    if scope == BY_REFERRAL:
        aggregate = ledger.load(subject_id)
        return (aggregate.referral, aggregate.rewards) if aggregate else (None, ())
    found = ledger.load_partner(subject_id, program_id)
    return (found.standing, found.rewards) if found else (None, ())


def _release(
    ledger: Ledger, guard: Guard | None, reward: Reward | None, *, now: datetime, new_id: NewId
) -> bool:
    change = mature(reward, now) if reward else None
    if change is None or guard is None:
        return False
    event_id = new_id("evt")
    trigger = Trigger(correlation_id=event_id, causation_id=event_id, hops=0)
    writer = Writer(ledger=ledger, trigger=trigger, now=now, new_id=new_id)
    try:
        ledger.post(writer.posting(guard, (change,), (), event_name=REWARD_MATURED))
    except StaleVersionError:
        return False
    return True

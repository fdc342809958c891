"""Release the parts of rewards whose hold is over: pending becomes payable.

What a suspended partner holds is looked at again later. What a closed partner forfeits is only
stated here: the evaluation takes it back, by the same difference as everything else.
"""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final

from shared.domain.aggregate import Guard
from shared.domain.errors import NotFoundError, StaleVersionError
from shared.domain.events import FACTS_CHANGED, REWARD_MATURED, Event
from shared.domain.facts import FORFEITED, Fact
from shared.domain.holders import forfeiture, is_forfeit
from shared.domain.partners import CLOSED, SUSPENDED
from shared.domain.referrals import Referral
from shared.domain.rewards import BY_PARTNER, Due, Reward, mature
from shared.domain.terms import Terms
from shared.ports import MaturityLedger, NewId
from shared.usecases.effects import Trigger, Writer
from shared.usecases.holder_status import Holders

LOOK_AGAIN: Final = timedelta(hours=1)
"""How long a partner who is active again waits at most."""

LOOKS: Final = 4
"""Due rewards that a run looks at for each one that it may release: the others may be held."""

_RELEASED: Final = "released"
_HELD: Final = "held"
_FORFEITED: Final = "forfeited"
_SKIPPED: Final = "skipped"


@dataclass(frozen=True, slots=True, kw_only=True)
class Matured:
    """What one run did. ``skipped`` lost a race or was not due after all; the next run looks."""

    released: int = 0
    held: int = 0
    forfeited: int = 0
    skipped: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class _Found:
    """A due reward as it stands, with the row that guards it and the facts behind it."""

    guard: Guard
    reward: Reward
    facts: Iterable[Fact] = ()


def mature_rewards(ledger: MaturityLedger, *, now: datetime, new_id: NewId, limit: int) -> Matured:
    """Release every lot that is due, one transaction per reward, at most ``limit`` rewards.

    The index only says where to look; each decision is made on the rewards as they stand. What
    waits for its holder is moved out of the way and does not count towards the limit.

    Raises:
        UnavailableError: when the store does not answer; what is done stays done.
    """
    run = _Run(ledger=ledger, holders=Holders(ledger), now=now, new_id=new_id)
    done: Counter[str] = Counter()
    for due in ledger.due(now, LOOKS * limit):
        if done.total() - done[_HELD] >= limit:
            break
        done[run.look_at(due)] += 1
    return Matured(**done)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Run:
    """One run. A status that it read before is checked again where it releases money."""

    ledger: MaturityLedger
    holders: Holders
    now: datetime
    new_id: NewId

    def look_at(self, due: Due) -> str:
        """Do what is to be done about a due reward; return what was done."""
        status = self.holders.status(due.reward)
        try:
            if status == SUSPENDED:
                self.ledger.look_later(due, self.now + LOOK_AGAIN)
                return _HELD
            found = self._load(due.reward)
            if found is None:
                return _SKIPPED
            return self._decide(due, found, status)
        except (NotFoundError, StaleVersionError):
            # One reward whose terms are gone must not keep all others from being released.
            return _SKIPPED

    def _load(self, due: Reward) -> _Found | None:
        if due.scope == BY_PARTNER:
            # The standing first: a reward that is newer than it is refused by its version.
            standing = self.ledger.standing(due.subject_id, due.program_id)
            reward = self.ledger.partner_reward(standing, due.rule_id, due.occurrence)
            return _Found(guard=standing, reward=reward) if reward else None
        aggregate = self.ledger.load(due.subject_id)
        for known in aggregate.rewards if aggregate else ():
            if aggregate and known.reward_id == due.reward_id:
                return _Found(guard=aggregate.referral, reward=known, facts=aggregate.facts)
        return None

    def _decide(self, due: Due, found: _Found, status: str) -> str:
        change = mature(found.reward, self.now)
        if change is None:
            return _SKIPPED
        if status == CLOSED and is_forfeit(found.reward, self._terms(found.guard)):
            self._forfeit(due, found)
            return _FORFEITED
        event_id = self.new_id("evt")
        trigger = Trigger(correlation_id=event_id, causation_id=event_id, hops=0)
        writer = Writer(ledger=self.ledger, trigger=trigger, now=self.now, new_id=self.new_id)
        posting = writer.posting(found.guard, (change,), (), event_name=REWARD_MATURED)
        # A partner whom nobody stored can't be suspended either.
        statuses = ((found.reward.holder_id, status),) if status else ()
        self.ledger.post(replace(posting, statuses=statuses))
        return _RELEASED

    def _terms(self, guard: Guard) -> Terms:
        """Return the terms that judge a referral, or those that its partner's file is under."""
        version: int | None
        if isinstance(guard, Referral):
            version = guard.terms_version
        else:
            version = self.ledger.accepted(guard.partner_id, guard.program_id)
        if version is None:
            raise NotFoundError
        return self.ledger.terms(guard.program_id, version)

    def _forfeit(self, due: Due, found: _Found) -> None:
        guard = found.guard
        pinned = None
        if isinstance(guard, Referral):
            fact = forfeiture(found.reward, now=self.now)
            known = {each.fact_id for each in found.facts}
            # If it was stated before, the evaluation has not come to it yet.
            pinned = None if fact.fact_id in known else (guard, fact)
        event_id = self.new_id("evt")
        event = Event(
            event_id=event_id,
            name=FACTS_CHANGED,
            occurred_at=self.now,
            program_id=guard.program_id,
            aggregate_type=found.reward.scope,
            aggregate_id=found.reward.subject_id,
            aggregate_version=guard.version + (1 if pinned else 0),
            correlation_id=event_id,
            causation_id=event_id,
            hops=0,
            data={"kinds": [FORFEITED] if pinned else []},
        )
        self.ledger.forfeit(due, self.now + LOOK_AGAIN, event, pinned=pinned)

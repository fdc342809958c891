"""Evaluate a referral and post the difference, effect by effect, until nothing differs."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING, Final

from shared.domain import books, facts
from shared.domain.aggregate import Aggregate, Standing
from shared.domain.errors import StaleVersionError
from shared.domain.evaluation import Evaluation, TraceLine, evaluate
from shared.domain.events import REWARD_POSTED, Event
from shared.domain.facts import Fact, fact_id
from shared.domain.money import money_json
from shared.domain.posting import Posting
from shared.domain.referrals import Referral
from shared.domain.rewards import Change, Effect, difference
from shared.domain.terms import FACE_VALUE_KINDS
from shared.ports import Ledger, NewId

if TYPE_CHECKING:
    from shared.domain.books import Book, Movement

TRIES: Final = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Trigger:
    """What made us look at the referral: the event that is being handled."""

    correlation_id: str
    causation_id: str
    hops: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Posted:
    """What one run did: transactions that posted effects, and movements in them."""

    effects: int = 0
    movements: int = 0


def post_rewards(
    ledger: Ledger,
    referral_id: str,
    *,
    trigger: Trigger,
    now: datetime,
    new_id: NewId,
    pause: Callable[[int], None],
) -> Posted:
    """Bring a referral's rewards to what its terms say of its facts.

    Can be stopped and started again at any point, run twice, and run beside itself: each effect
    is one transaction under the version that was read, on natural keys.

    Args:
        ledger: the store.
        referral_id: the referral; one that does not exist is nothing to do.
        trigger: the event that is being handled.
        now: the moment of posting.
        new_id: mints ids of movements and events.
        pause: waits a little, longer for a higher try number.

    Raises:
        StaleVersionError: when others kept writing first; the delivery must be tried again.
        UnavailableError: when the store does not answer.
    """
    for attempt in range(TRIES):
        aggregate = ledger.load(referral_id)
        if aggregate is None:
            return Posted()
        run = _Run(ledger, trigger=trigger, now=now, new_id=new_id)
        try:
            return run.settle(aggregate)
        except StaleVersionError:
            pause(attempt)
    raise StaleVersionError(referral_id)


class _Run:
    """One attempt: holds what every step needs, and nothing that outlives it."""

    def __init__(self, ledger: Ledger, *, trigger: Trigger, now: datetime, new_id: NewId) -> None:
        self._ledger = ledger
        self._trigger = trigger
        self._now = now
        self._new_id = new_id

    def settle(self, aggregate: Aggregate) -> Posted:
        referral = aggregate.referral
        terms = self._ledger.terms(referral.program_id, referral.terms_version)
        evaluation = evaluate(terms, aggregate.facts, aggregate.parties)
        while evaluation.counting != frozenset(aggregate.referral.counting):
            aggregate = self._pin_standing(aggregate, evaluation)
            evaluation = evaluate(terms, aggregate.facts, aggregate.parties)
        effects = difference(
            evaluation.entitlements,
            aggregate.rewards,
            referral_id=referral.referral_id,
            program_id=referral.program_id,
            terms_version=referral.terms_version,
            cause=_reasons(evaluation),
        )
        lines = {(line.rule_id, line.occurrence): line for line in evaluation.trace}
        posted = Posted()
        referral = aggregate.referral
        for effect in effects:
            line = lines[effect.rule_id, effect.occurrence]
            posting = self._posting(referral, effect, line)
            self._ledger.post(posting)
            referral = replace(referral, version=referral.version + 1)
            posted = Posted(
                effects=posted.effects + 1,
                movements=posted.movements + len(posting.movements),
            )
        self._explain(referral, aggregate, evaluation, effects)
        return posted

    def _pin_standing(self, aggregate: Aggregate, evaluation: Evaluation) -> Aggregate:
        """Count the referral in or out of one tier's milestone, and pin its position once."""
        referral = aggregate.referral
        before = frozenset(referral.counting)
        milestone = min(evaluation.counting ^ before)
        enters = milestone in evaluation.counting
        partner_id = aggregate.parties.shares[0].partner_id
        standing = self._ledger.standing(partner_id, referral.program_id)
        count = standing.counts.get(milestone, 0) + (1 if enters else -1)
        fact = self._position(referral, partner_id, milestone, count) if enters else None
        if fact and any(known.fact_id == fact.fact_id for known in aggregate.facts):
            fact = None
        after = replace(
            referral,
            counting=tuple(sorted(before ^ {milestone})),
            version=referral.version + 1,
        )
        counted = Standing(
            partner_id=partner_id,
            program_id=referral.program_id,
            counts={**standing.counts, milestone: count},
            version=standing.version + 1,
        )
        self._ledger.pin_standing(referral, after, standing, counted, fact)
        known_facts = (*aggregate.facts, fact) if fact else aggregate.facts
        return replace(aggregate, referral=after, facts=known_facts)

    def _position(self, referral: Referral, partner_id: str, milestone: str, count: int) -> Fact:
        return Fact(
            # The position is not part of the identity: it is given once and then kept.
            fact_id=fact_id(
                source="goodword",
                subject=referral.referral_id,
                attribute=f"position:{milestone}",
                value=partner_id,
                when="",
            ),
            kind=facts.STANDING_PINNED,
            occurred_at=self._now,
            received_at=self._now,
            source="goodword",
            data={"partner_id": partner_id, "milestone": milestone, "position": count},
        )

    def _posting(self, referral: Referral, effect: Effect, line: TraceLine) -> Posting:
        opened: dict[str, Book] = {}
        current: dict[str, Book] = {}
        movements: list[Movement] = []
        for change in effect.changes:
            if not change.steps:
                continue
            holder_id = change.reward.holder_id
            if holder_id not in current:
                opened[holder_id] = self._ledger.book(holder_id, referral.program_id)
                current[holder_id] = opened[holder_id]
            current[holder_id], rows = books.post(
                current[holder_id],
                change,
                now=self._now,
                movement_ids=[self._new_id("mov") for _ in change.steps],
            )
            movements += rows
        return Posting(
            referral=referral,
            changes=effect.changes,
            books=tuple((opened[holder_id], current[holder_id]) for holder_id in opened),
            movements=tuple(movements),
            trace=(line,),
            event=reward_event(
                REWARD_POSTED,
                referral,
                effect.changes,
                trigger=self._trigger,
                now=self._now,
                event_id=self._new_id("evt"),
            ),
            now=self._now,
        )

    def _explain(
        self,
        referral: Referral,
        aggregate: Aggregate,
        evaluation: Evaluation,
        effects: tuple[Effect, ...],
    ) -> None:
        """Store the trace lines that changed without an effect of their own."""
        stored = {(line.rule_id, line.occurrence): line for line in aggregate.trace}
        written = {(effect.rule_id, effect.occurrence) for effect in effects}
        changed = tuple(
            line
            for line in evaluation.trace
            if (line.rule_id, line.occurrence) not in written
            and stored.get((line.rule_id, line.occurrence)) != line
        )
        if changed:
            self._ledger.explain(referral, changed)


def _reasons(evaluation: Evaluation) -> tuple[str, ...]:
    """Return the facts that ended milestones, or failing these the deal's latest statements."""
    deal = evaluation.deal
    found = set(deal.left.values())
    if deal.amount:
        found.add(deal.amount.fact_id)
    return tuple(sorted(found))


def reward_event(
    name: str,
    referral: Referral,
    changes: tuple[Change, ...],
    *,
    trigger: Trigger,
    now: datetime,
    event_id: str,
) -> Event:
    """Return the event that tells the world how rewards of a referral stand now."""
    return Event(
        event_id=event_id,
        name=name,
        occurred_at=now,
        program_id=referral.program_id,
        aggregate_type="referral",
        aggregate_id=referral.referral_id,
        aggregate_version=referral.version + 1,
        correlation_id=trigger.correlation_id,
        causation_id=trigger.causation_id,
        hops=trigger.hops + 1,
        data={"rewards": [_told(change) for change in changes]},
    )


def _told(change: Change) -> dict[str, object]:
    reward = change.reward
    told: dict[str, object] = {
        "reward_id": reward.reward_id,
        "rule_id": reward.rule_id,
        "holder_id": reward.holder_id,
        "kind": reward.kind,
        "state": reward.state,
    }
    if reward.kind in FACE_VALUE_KINDS:
        told["net"] = money_json(reward.net_minor, reward.currency)
    return told

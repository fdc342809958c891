"""Evaluate a referral, pin what must stay decided, and post the difference until none is left."""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from typing import Final

from shared.domain import facts
from shared.domain.aggregate import Aggregate, subject_of
from shared.domain.bases import NeededRate
from shared.domain.caps import NeededAllowance
from shared.domain.causes import latest_news, with_causes
from shared.domain.errors import StaleVersionError
from shared.domain.evaluation import Evaluation, evaluate
from shared.domain.events import FACTS_CHANGED, REWARD_POSTED, Event
from shared.domain.facts import Fact, fact_id
from shared.domain.partner_rules import concerns_partner, has_partner_rules
from shared.domain.referrals import Referral
from shared.domain.rewards import difference
from shared.domain.standing_causes import cause_of
from shared.domain.terms import Terms
from shared.ports import Ledger, NewId
from shared.usecases.effects import Posted, Trigger, Writer

TRIES: Final = 5
MAX_PINS: Final = 200
"""Facts that one try pins at most. What is left is pinned by the next try, or the next delivery."""


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
        run = _Run(Writer(ledger=ledger, trigger=trigger, now=now, new_id=new_id))
        try:
            return run.settle(aggregate)
        except StaleVersionError:
            pause(attempt)
    raise StaleVersionError(referral_id)


class _Run:
    """One attempt on one referral."""

    def __init__(self, writer: Writer) -> None:
        self._writer = writer
        self._ledger = writer.ledger
        self._now = writer.now
        self._awaited: set[str] = set()

    def settle(self, aggregate: Aggregate) -> Posted:
        head = aggregate.referral
        terms = self._ledger.terms(head.program_id, head.terms_version)
        aggregate, evaluation = self._pinned(aggregate, terms)
        effects = difference(
            evaluation.entitlements,
            aggregate.rewards,
            subject=subject_of(aggregate.referral, head.terms_version),
        )
        effects = with_causes(effects, evaluation.trace, aggregate.facts)
        guard, posted = self._writer.post_all(
            aggregate.referral, effects, evaluation.trace, event_name=REWARD_POSTED
        )
        self._writer.explain(guard, aggregate.trace, evaluation.trace, effects)
        return posted

    # -- pinning ------------------------------------------------------------------------------

    def _pinned(self, aggregate: Aggregate, terms: Terms) -> tuple[Aggregate, Evaluation]:
        """Pin what the evaluation asks for until it asks for nothing that can be given."""
        refused: set[NeededRate] = set()
        evaluation = evaluate(terms, aggregate.facts, aggregate.parties)
        for _ in range(MAX_PINS):
            rates = [need for need in evaluation.rates if need not in refused]
            if _owned(evaluation) != aggregate.referral.counting:
                aggregate = self._contribute(aggregate, evaluation, terms)
            elif evaluation.positions:
                aggregate = self._place(aggregate, evaluation)
            elif rates:
                aggregate, found = self._pin_rate(aggregate, rates[0])
                if not found:
                    refused.add(rates[0])
                    continue
            elif evaluation.allowances:
                aggregate = self._pin_allowance(aggregate, evaluation.allowances[0])
            else:
                break
            evaluation = evaluate(terms, aggregate.facts, aggregate.parties)
        else:
            raise StaleVersionError(aggregate.referral.referral_id)
        return aggregate, evaluation

    def _contribute(self, aggregate: Aggregate, evaluation: Evaluation, terms: Terms) -> Aggregate:
        """Move the partner's sums by what the referral adds now, and pin positions with them."""
        head = aggregate.referral
        wanted = _owned(evaluation)
        differing = {
            name for name, amount in wanted.items() if head.counting.get(name) != amount
        } | (head.counting.keys() - wanted.keys())
        # One partner at a time: a change of the introducer moves the sums in two steps.
        partner_id = min(differing).partition("/")[0]
        standing = self._ledger.standing(partner_id, head.program_id)
        sums = dict(standing.sums)
        counting = dict(head.counting)
        for name in sorted(differing):
            owner, _, key = name.partition("/")
            if owner != partner_id:
                continue
            amount = wanted.get(name, 0)
            sums[key] = sums.get(key, 0) + amount - counting.pop(name, 0)
            if name in wanted:
                counting[name] = amount
        positions = [
            self._position(head.referral_id, partner_id, key, sums.get(key, 0))
            for key in sorted(evaluation.positions)
            if f"{partner_id}/{key}" in counting
        ]
        # Other terms may have counted for the partner what these take back.
        moved = (name.partition("/")[2] for name in differing)
        concerns = has_partner_rules(terms) or concerns_partner(moved)
        event = self._partner_event(aggregate, partner_id) if concerns else None
        movers = dict(standing.movers)
        if concerns:
            moved_by = cause_of(head.referral_id, latest_news(aggregate.facts))
            changed = (key for key in sums if sums[key] != standing.sums.get(key))
            movers |= dict.fromkeys(changed, moved_by)
        self._ledger.contribute(
            head,
            counting,
            standing=standing,
            sums=sums,
            movers=movers,
            positions=positions,
            event=event,
            now=self._now,
        )
        after = replace(head, counting=counting, version=head.version + 1)
        return replace(aggregate, referral=after, facts=(*aggregate.facts, *positions))

    def _place(self, aggregate: Aggregate, evaluation: Evaluation) -> Aggregate:
        """Pin positions for sums that this referral is in already."""
        head = aggregate.referral
        partner_id = evaluation.introducer
        standing = self._ledger.standing(partner_id, head.program_id)
        positions = [
            self._position(head.referral_id, partner_id, key, standing.sums.get(key, 0))
            for key in sorted(evaluation.positions)
        ]
        return self._pin(aggregate, positions)

    def _position(self, referral_id: str, partner_id: str, key: str, position: int) -> Fact:
        # The position is not part of the identity: it is given once and then kept.
        return self._own_fact(
            facts.STANDING_PINNED,
            referral_id,
            f"position:{key}",
            {"partner_id": partner_id, "key": key, "position": position},
            value=partner_id,
        )

    def _pin_rate(self, aggregate: Aggregate, need: NeededRate) -> tuple[Aggregate, bool]:
        head = aggregate.referral
        found = self._rate(head, need)
        if found is None:
            return aggregate, False
        rate, on = found
        fact = self._own_fact(
            facts.RATE_PINNED,
            head.referral_id,
            f"rate:{need.subject}",
            {"subject": need.subject, "currency": need.currency, "rate": rate, "on": on},
            value=need.currency,
        )
        return self._pin(aggregate, [fact]), True

    def _rate(self, head: Referral, need: NeededRate) -> tuple[str, str] | None:
        """Return a rate, or leave word that the referral waits for one."""
        found = self._ledger.rate(head.program_id, need.currency, need.on)
        if found or need.currency in self._awaited:
            return found
        self._ledger.await_rate(head.program_id, need.currency, head.referral_id)
        self._awaited.add(need.currency)
        # One that came in between has found no word yet.
        return self._ledger.rate(head.program_id, need.currency, need.on)

    def _pin_allowance(self, aggregate: Aggregate, need: NeededAllowance) -> Aggregate:
        head = aggregate.referral
        used, version = self._ledger.cap_used(head.program_id, need)
        allowance = need.answered(need.allowed(used))
        fact = self._own_fact(
            facts.ALLOWANCE_PINNED if need.wanted_minor else facts.FACT_RETRACTED,
            head.referral_id,
            f"allowance:{need.cap_id}:{need.rule_id}:{need.occurrence}:{need.holder_id}",
            {
                "cap": need.cap_id,
                "scope": need.scope,
                "period": need.period,
                "rule_id": need.rule_id,
                "occurrence": need.occurrence,
                "holder_id": need.holder_id,
                "allowed_minor": allowance.allowed_minor,
                "cut": allowance.cut,
                "number": need.number,
            },
            value=need.number,
            retracts=need.replaces,
        )
        taken = used - need.own_minor + allowance.allowed_minor
        self._ledger.pin_allowance(head, need, fact, used=taken, version=version)
        after = replace(head, version=head.version + 1)
        return replace(aggregate, referral=after, facts=(*aggregate.facts, fact))

    def _pin(self, aggregate: Aggregate, pinned: list[Fact]) -> Aggregate:
        head = aggregate.referral
        self._ledger.pin(head, pinned)
        after = replace(head, version=head.version + 1)
        return replace(aggregate, referral=after, facts=(*aggregate.facts, *pinned))

    def _own_fact(
        self,
        kind: str,
        referral_id: str,
        attribute: str,
        data: dict[str, object],
        *,
        value: object,
        retracts: str | None = None,
    ) -> Fact:
        identity = fact_id(
            source="goodword", subject=referral_id, attribute=attribute, value=value, when=""
        )
        return Fact(
            fact_id=identity,
            kind=kind,
            occurred_at=self._now,
            received_at=self._now,
            source="goodword",
            data=data,
            retracts=retracts,
        )

    def _partner_event(self, aggregate: Aggregate, partner_id: str) -> Event:
        head = aggregate.referral
        trigger = self._writer.trigger
        return Event(
            event_id=self._writer.new_id("evt"),
            name=FACTS_CHANGED,
            occurred_at=self._now,
            program_id=head.program_id,
            aggregate_type="partner",
            aggregate_id=partner_id,
            aggregate_version=0,
            correlation_id=trigger.correlation_id,
            causation_id=trigger.causation_id,
            hops=trigger.hops + 1,
            data={"referral_id": head.referral_id, "kinds": []},
        )


def _owned(evaluation: Evaluation) -> dict[str, int]:
    """Return the contributions with their owner in front, as the head remembers them."""
    return {
        f"{evaluation.introducer}/{key}": amount for key, amount in evaluation.contributions.items()
    }

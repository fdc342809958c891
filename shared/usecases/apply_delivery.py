"""Apply a delivery: bind its deals to referrals, turn its changes into facts, park the rest.

It can be stopped and started again at any point, run twice, and run beside itself: facts and
bindings are written once under conditions, a delivery is parked only while its deal is unbound,
and whoever finds a deal bound looks for what waited for it. A delivery that names a referral
which is not there yet leaves word before it looks a last time, and ``bind_waiting`` reads such
words after the referral is there: whoever comes second sees the other.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import partial
from typing import Final

from shared.domain import deliveries, facts, hubspot, signatures, standard_webhooks
from shared.domain.deal_changes import Change, Content, ReferralKey, facts_of, merged_pair
from shared.domain.deliveries import Awaited, Binding, Delivery, Parse, Reason, is_deal
from shared.domain.errors import MalformedError, NotFoundError, StaleVersionError
from shared.domain.events import Event
from shared.domain.merges import MERGED, is_closed
from shared.domain.referrals import Referral
from shared.domain.sources import Source
from shared.ports import DeliveryStore, NewId
from shared.usecases.deal_facts import Run, lineage, persist, write
from shared.usecases.find_referral import Found, evidence_in, find_referral
from shared.usecases.merge_deals import join, settle

MAX_AT_ONCE: Final = 50
"""Deliveries that one run applies; an event asks for the rest."""

_MAX_RETRIED: Final = 10
_MAX_RUNS: Final = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Applied:
    """What came of it.

    ``state`` and ``reasons`` are the delivery's. ``referral_ids`` and ``new_facts`` cover all
    deliveries that the run applied, as many as ``deliveries``.
    """

    delivery_id: str
    state: str
    reasons: tuple[Reason, ...]
    referral_ids: tuple[str, ...]
    new_facts: int
    deliveries: int


@dataclass(frozen=True, slots=True, kw_only=True)
class _Run(Run):
    parse: Parse


@dataclass(frozen=True, slots=True, kw_only=True)
class _Job:
    """One delivery, read and understood."""

    source: Source
    delivery: Delivery
    content: Content


@dataclass(frozen=True, slots=True, kw_only=True)
class _Deal:
    """What came of one deal. Without a referral it is unbound.

    ``missing`` says that the referral which the delivery names may still come.
    """

    referral_id: str | None
    reasons: tuple[Reason, ...] = ()
    new_facts: int = 0
    missing: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class _Outcome:
    delivery: Delivery
    deals: Mapping[str, _Deal] = field(default_factory=dict)


def apply_delivery(
    store: DeliveryStore,
    delivery_id: str,
    *,
    parse: Parse,
    now: datetime,
    new_id: NewId,
    hops: int,
    correlation_id: str,
    causation_id: str = "",
) -> Applied:
    """Apply a stored delivery, and every other one that waited for a deal that it names.

    ``hops`` is that of the event being handled. ``FactsChanged`` is stored for each referral
    that got new facts.

    Raises:
        NotFoundError: when there is no such delivery, or its source is gone.
        StaleVersionError: when others kept writing first; try the whole again.
        UnavailableError: when the store does not answer; try the whole again.
    """
    run = _Run(
        store=store,
        parse=parse,
        now=now,
        new_id=new_id,
        hops=hops,
        correlation_id=correlation_id,
        causation_id=causation_id,
    )
    history: list[_Outcome] = []
    runs: Counter[str] = Counter()
    finders: dict[str, str] = {}
    queue = {delivery_id: ""}
    while queue and len(history) < MAX_AT_ONCE:
        current = next(iter(queue))
        del queue[current]
        runs[current] += 1
        history.append(persist(partial(_attempt, run, current)))
        for other, deal in _others(run, history[-1], runs).items():
            finders.setdefault(deal, current)
            queue.setdefault(other, deal)
    for unfinished in sorted({finders[deal] for deal in queue.values() if deal}):
        # Applying it again finds what still waits for its deals.
        store.announce(_received(run, history[0].delivery, unfinished), now=now)
    return _applied(history, delivery_id)


def _others(run: _Run, outcome: _Outcome, runs: Mapping[str, int]) -> dict[str, str]:
    """Return what waits for a deal that is bound now, by delivery, or may bind one that is not.

    With the latter comes no deal. A delivery that was applied in vain before its deal was bound
    is applied a second time.
    """
    source_id = outcome.delivery.source_id
    found: dict[str, str] = {}
    for deal_id, deal in outcome.deals.items():
        for other in run.store.waiting(source_id, deal_id, limit=MAX_AT_ONCE):
            before = runs[other.delivery_id]
            if deal.referral_id and before < _MAX_RUNS:
                found[other.delivery_id] = f"{source_id} {deal_id}"
            elif other.names_referral and not before and len(found) < _MAX_RETRIED:
                found.setdefault(other.delivery_id, "")
    return found


def _applied(history: Sequence[_Outcome], delivery_id: str) -> Applied:
    deals = [deal for outcome in history for deal in outcome.deals.values()]
    own = [outcome.delivery for outcome in history if outcome.delivery.delivery_id == delivery_id]
    return Applied(
        delivery_id=delivery_id,
        state=own[-1].state,
        reasons=own[-1].reasons,
        referral_ids=tuple(sorted({deal.referral_id for deal in deals if deal.referral_id})),
        new_facts=sum(deal.new_facts for deal in deals),
        deliveries=len({outcome.delivery.delivery_id for outcome in history}),
    )


def _attempt(run: _Run, delivery_id: str) -> _Outcome:
    delivery = run.store.delivery(delivery_id)
    source = run.store.source(delivery.source_id) if delivery else None
    if delivery is None or source is None:
        raise NotFoundError
    body = run.store.body(delivery)
    if body is None:
        return _without_body(run, delivery)
    content = _content(run, delivery, body)
    job = _Job(source=source, delivery=delivery, content=content)
    deals = _apply_deals(run, job)
    reasons = [*content.reasons, *(reason for deal in deals.values() for reason in deal.reasons)]
    state = deliveries.APPLIED if deals else deliveries.IGNORED
    after = replace(
        delivery,
        state=deliveries.PARKED if reasons else state,
        reasons=deliveries.bounded(reasons),
    )
    if after != delivery or reasons:
        _settle(run, job, after, deals)
    return _Outcome(delivery=after, deals=deals)


def _settle(run: _Run, job: _Job, after: Delivery, deals: Mapping[str, _Deal]) -> None:
    """Write the state and what is waited for, then look once more for what was missing."""
    named = {key.deal_id for key in job.content.keys}
    missing = [deal_id for deal_id, deal in deals.items() if deal.missing]
    bound: list[str] = []
    if job.delivery.state == deliveries.PARKED:
        bound = [deal_id for deal_id, deal in deals.items() if deal.referral_id]
    run.store.settle(
        job.delivery,
        after,
        unbound={deal: deal in named for deal in deals if not deals[deal].referral_id},
        bound=bound,
        awaited={deal_id: _evidence(run, job, deal_id) for deal_id in (*missing, *bound)},
        has_body=True,
    )
    for deal_id in missing:
        # Submitted while we wrote: its own look for what waits may have come too early.
        if _candidate(run, job.source, job.content.key_of(deal_id), deal_id).referral:
            raise StaleVersionError(deal_id)


def _evidence(run: _Run, job: _Job, deal_id: str) -> tuple[Awaited, ...]:
    key = job.content.key_of(deal_id)
    return evidence_in(run.store, key, job.source.program_id) if key else ()


def _without_body(run: _Run, delivery: Delivery) -> _Outcome:
    """Say so if something is still to be done; what was applied needs its bytes no more."""
    if delivery.state in (deliveries.APPLIED, deliveries.IGNORED):
        return _Outcome(delivery=delivery)
    reason = Reason(path="", code=deliveries.BODY_MISSING)
    after = replace(delivery, state=deliveries.PARKED, reasons=(reason,))
    if after != delivery:
        run.store.settle(delivery, after, unbound={}, bound=[], awaited={}, has_body=False)
    return _Outcome(delivery=after)


def _content(run: _Run, delivery: Delivery, body: bytes) -> Content:
    try:
        document = run.parse(body)
    except MalformedError:
        return Content(reasons=(Reason(path="", code=deliveries.MALFORMED_BODY),))
    if delivery.kind == signatures.HUBSPOT:
        return hubspot.content_of(document)
    return standard_webhooks.content_of(
        document, received_at=delivery.received_at, message_id=delivery.message_id
    )


def _apply_deals(run: _Run, job: _Job) -> dict[str, _Deal]:
    """Join the deals that were merged, and then write what is said of each."""
    joined, waiting = _join(run, job, job.content.merges())
    deals = {deal_id: _apply_deal(run, job, deal_id) for deal_id in job.content.deals()}
    if waiting:
        # Of the deals that had no referral at first, this delivery itself may name some.
        late, _ = _join(run, job, waiting)
        joined += late
        unbound = [deal_id for deal_id, deal in deals.items() if not deal.referral_id]
        deals |= {deal_id: _apply_deal(run, job, deal_id) for deal_id in unbound}
    for deal_id, new_facts, reasons in joined:
        deal = deals[deal_id]
        deals[deal_id] = replace(
            deal, new_facts=deal.new_facts + new_facts, reasons=(*deal.reasons, *reasons)
        )
    return deals


def _join(
    run: _Run, job: _Job, merges: Sequence[Change]
) -> tuple[list[tuple[str, int, tuple[Reason, ...]]], list[Change]]:
    """Join what can be, one deal leading to the next; return that and what waits for a binding."""
    source_id = job.source.source_id
    named = {deal_id: None for merge in merges for deal_id in merged_pair(merge)}
    bound = {deal_id for deal_id in named if run.store.binding(source_id, deal_id)}
    done = []
    waiting = list(merges)
    while ready := [merge for merge in waiting if bound & {*merged_pair(merge)}]:
        waiting = [merge for merge in waiting if merge not in ready]
        for merge in ready:
            joined = join(run, job.source, merge, job.delivery.received_at)
            if joined:
                done.append((merge.deal_id, joined.new_facts, joined.reasons))
                bound |= {*merged_pair(merge)}
    return done, waiting


def _apply_deal(run: _Run, job: _Job, deal_id: str) -> _Deal:
    return persist(lambda: _attempt_deal(run, job, deal_id))


def _attempt_deal(run: _Run, job: _Job, deal_id: str) -> _Deal:
    source = job.source
    key = job.content.key_of(deal_id)
    binding = run.store.binding(source.source_id, deal_id)
    if binding is None:
        found = _candidate(run, source, key, deal_id)
        if found.referral is None or key is None:
            reason = Reason(path=key.path if key else "", code=found.reason)
            missing = bool(key) and found.reason != deliveries.REFERRAL_HAS_OTHER_DEAL
            return _Deal(referral_id=None, reasons=(reason,), missing=missing)
        head = lineage(run.store, found.referral)[-1]
        return _append(run, job, head, _bound(run, job, key, found.referral, found), bind=True)
    line = lineage(run.store, run.store.referral(binding.referral_id))
    if key is None or _agrees(run, source, key, binding, line):
        return _append(run, job, line[-1], binding, bind=False)
    return _contested(run, job, key, binding, line[-1])


def _contested(run: _Run, job: _Job, key: ReferralKey, binding: Binding, head: Referral) -> _Deal:
    """Write the facts of a deal of which another referral is named than the one that has it.

    A binding that only follows from a merge gives way to what names a referral, and so does a
    referral that was refused; then the deal has two claims, which are settled. All else is for a
    person: to refuse one of the two, and to have the delivery applied again.
    """
    found = _candidate(run, job.source, key, binding.deal_id)
    rival = found.referral
    weak = binding.evidence == MERGED or is_closed(head)
    if rival and weak and not is_closed(rival):
        rebound = (binding, _bound(run, job, key, rival, found))
        settle(run, head, rival, deal=(binding.source_id, binding.deal_id), rebound=rebound)
        return _attempt_deal(run, job, binding.deal_id)
    done = _append(run, job, head, binding, bind=False)
    other = Reason(path=key.path, code=deliveries.DEAL_BOUND_TO_OTHER_REFERRAL)
    return replace(done, reasons=(*done.reasons, other))


def _bound(run: _Run, job: _Job, key: ReferralKey, referral: Referral, found: Found) -> Binding:
    return Binding(
        source_id=job.source.source_id,
        deal_id=key.deal_id,
        referral_id=referral.referral_id,
        evidence=found.evidence,
        evidence_digest=key.digest,
        bound_at=run.now,
    )


def _candidate(run: _Run, source: Source, key: ReferralKey | None, deal_id: str) -> Found:
    """Return the referral that an unbound deal can be bound to."""
    if key is None:
        return Found(reason=deliveries.DEAL_NOT_BOUND)
    found = find_referral(run.store, key, source.program_id)
    if found.referral and found.referral.deal_id and is_deal(deal_id):
        return Found(reason=deliveries.REFERRAL_HAS_OTHER_DEAL)
    return found


def _agrees(
    run: _Run, source: Source, key: ReferralKey, binding: Binding, line: Sequence[Referral]
) -> bool:
    """Tell whether a key names the referral that the deal is bound to, or one of its line."""
    if key.digest == binding.evidence_digest:
        return True
    if key.code and any(key.code == head.link_code for head in line):
        return True
    named = find_referral(run.store, key, source.program_id).referral
    if named is None:
        return False
    return lineage(run.store, named)[-1].referral_id == line[-1].referral_id


def _append(run: _Run, job: _Job, head: Referral, binding: Binding, *, bind: bool) -> _Deal:
    """Write the facts of one deal that are not there yet, and the binding if it is new."""
    known = run.store.facts(head.referral_id)
    known_ids = {fact.fact_id for fact in known}
    changes = job.content.changes_of(binding.deal_id)
    made, reasons = facts_of(changes, job.source, job.delivery.received_at)
    new = {fact.fact_id: fact for _, fact in made if fact.fact_id not in known_ids}
    if len(known) + len(new) > facts.MAX_FACTS:
        paths = [change.path for change, fact in made if fact.fact_id in new]
        reasons += [Reason(path=path, code=deliveries.TOO_MANY_FACTS) for path in paths]
        new = {}
    deal = (binding.source_id, binding.deal_id)
    write(run, head, known, list(new.values()), deal=deal, binding=binding if bind else None)
    return _Deal(referral_id=head.referral_id, reasons=tuple(reasons), new_facts=len(new))


def _received(run: _Run, near: Delivery, delivery_id: str) -> Event:
    return deliveries.received_event(
        delivery_id,
        event_id=run.new_id("evt"),
        source_id=near.source_id,
        program_id=near.program_id,
        now=run.now,
        hops=run.hops + 1,
        correlation_id=run.correlation_id,
        causation_id=run.causation_id,
    )

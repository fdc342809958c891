"""Merges: deals that became one have one referral, and that alone earns for them.

A deal leads to the referral that it was bound to, and a referral that lost its deal to the one
that took it over. Both are written together under the versions of both referrals, so at no moment
do two of them have the deal. What the loser knew of it goes over afterwards: the event of its last
fact asks for that, so a crash in between loses nothing.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from shared.domain import deliveries, facts
from shared.domain.deal_changes import Change, facts_of, merged_pair
from shared.domain.deliveries import Binding, Reason
from shared.domain.facts import Fact
from shared.domain.merges import MERGED, Precedence, carried, precedence
from shared.domain.referrals import Referral
from shared.domain.sources import Source
from shared.usecases.deal_facts import Run, changed, lineage, mirrored, persist, write


@dataclass(frozen=True, slots=True, kw_only=True)
class Gathered:
    """How many facts a referral got, and whether all that it should know fits into it."""

    new_facts: int
    fits: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Joined:
    """What came of one merge of two deals."""

    new_facts: int
    reasons: tuple[Reason, ...] = ()


def join(run: Run, source: Source, merge: Change, received_at: datetime) -> Joined | None:
    """Let two deals have one referral; None while neither has any.

    A deal without a referral gets that of the other one. Doing it again completes what is missing.

    Raises:
        StaleVersionError: when others kept writing first.
        UnavailableError: when the store does not answer.
    """
    return persist(lambda: _join(run, source, merge, received_at))


def _join(run: Run, source: Source, merge: Change, received_at: datetime) -> Joined | None:
    pair = merged_pair(merge)
    deal = (source.source_id, pair[1])
    bindings = [run.store.binding(source.source_id, deal_id) for deal_id in pair]
    lines = [
        lineage(run.store, run.store.referral(binding.referral_id))
        for binding in bindings
        if binding
    ]
    if not lines:
        return None
    one, other = lines[0][-1], lines[-1][-1]
    if one.referral_id != other.referral_id:
        settle(run, one, other, deal=deal)
        return _join(run, source, merge, received_at)
    unbound = [deal_id for deal_id, binding in zip(pair, bindings, strict=True) if not binding]
    follows = Binding(
        source_id=source.source_id,
        deal_id=unbound[0] if unbound else "",
        referral_id=one.referral_id,
        evidence=MERGED,
        evidence_digest="",
        bound_at=run.now,
    )
    gathered = _gather(
        run,
        one,
        [lost for line in lines for lost in line[:-1]],
        own=[fact for _, fact in facts_of([merge], source, received_at)[0]],
        deal=deal,
        binding=follows if unbound else None,
    )
    reason = Reason(path=merge.path, code=deliveries.TOO_MANY_FACTS)
    return Joined(new_facts=gathered.new_facts, reasons=() if gathered.fits else (reason,))


def settle(
    run: Run,
    one: Referral,
    other: Referral,
    *,
    deal: tuple[str, str],
    rebound: tuple[Binding, Binding] | None = None,
) -> None:
    """Decide which of two referrals has the deal from now on, and end the other one.

    ``deal`` are the ids of the source and of its deal. ``rebound`` is the binding that follows
    from other evidence now: as it was read, and as it becomes.

    Raises:
        StaleVersionError: when a referral or the binding is not as it was read.
        UnavailableError: when the store does not answer.
    """
    known = {head.referral_id: run.store.facts(head.referral_id) for head in (one, other)}

    def first(head: Referral) -> Precedence:
        terms = run.store.terms(head.program_id, head.terms_version)
        return precedence(head, known[head.referral_id], terms)

    keeps, loses = sorted((one, other), key=first)
    absorbed = _decided(run, keeps, {"absorbed": loses.referral_id})
    into = _decided(run, loses, {"into": keeps.referral_id})
    keeps = mirrored(
        replace(keeps, version=keeps.version + 1), [*known[keeps.referral_id], absorbed], deal
    )
    own = (loses.source_id, loses.deal_id) if loses.deal_id else deal
    loses = mirrored(
        replace(loses, version=loses.version + 1, merged_into=keeps.referral_id),
        known[loses.referral_id],
        own,
    )
    loses = replace(loses, deal={**loses.deal, "outcome": MERGED})
    run.store.merge_referrals(
        [
            (head, fact, changed(run, head, [fact]))
            for head, fact in ((keeps, absorbed), (loses, into))
        ],
        rebound=rebound,
        now=run.now,
    )


def _decided(run: Run, head: Referral, data: dict[str, str]) -> Fact:
    """Return the audit fact of a merge; two referrals are merged once and for good."""
    identity = facts.fact_id(
        source="goodword", subject=head.referral_id, attribute=MERGED, value=data, when=""
    )
    return Fact(
        fact_id=identity,
        kind=facts.REFERRAL_MERGED,
        occurred_at=run.now,
        received_at=run.now,
        source="goodword",
        data=data,
    )


def carry_over(run: Run, referral_id: str) -> Gathered:
    """Bring what a referral knows of its deal to the one that took it over.

    Raises:
        NotFoundError: when there is no such referral.
        StaleVersionError: when others kept writing first.
        UnavailableError: when the store does not answer.
    """
    return persist(lambda: _carry_over(run, referral_id))


def _carry_over(run: Run, referral_id: str) -> Gathered:
    line = lineage(run.store, run.store.referral(referral_id))
    head = line[-1]
    deal = (head.source_id, head.deal_id)
    return _gather(run, head, line[:-1], own=(), deal=deal, binding=None)


def _gather(
    run: Run,
    head: Referral,
    lost: Iterable[Referral],
    *,
    own: Sequence[Fact],
    deal: tuple[str, str],
    binding: Binding | None,
) -> Gathered:
    """Write what others knew of the deal, or nothing of it if the referral can't hold all."""
    known = run.store.facts(head.referral_id)
    told = {fact.fact_id for fact in known}
    new = {fact.fact_id: fact for fact in own if fact.fact_id not in told}
    theirs = [fact for each in lost for fact in carried(run.store.facts(each.referral_id))]
    every = new | {fact.fact_id: fact for fact in theirs if fact.fact_id not in told}
    room = facts.MAX_FACTS - len(known)
    fitting = next((each for each in (every, new) if len(each) <= room), {})
    missing = list(fitting.values())
    write(run, head, known, missing, deal=deal, binding=binding)
    return Gathered(new_facts=len(missing), fits=len(fitting) == len(every))

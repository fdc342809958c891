"""How long what was released can be taken back: ``clawback_days`` after the end of its hold.

What we hear later than that takes nothing back. So whatever a reward had come to all the time for
its hold and that many days, as we knew it then, is the least that it comes to ever after. Only the
times at which we received the facts count, so a replay decides the same.

It covers rewards of referrals, by their totals: shares may still move. Bonuses for a partner's
successes hang on sums, and follow them without a limit.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final

from shared.domain import facts as kinds
from shared.domain import referrals
from shared.domain.case import Case, open_case
from shared.domain.facts import Fact, in_order
from shared.domain.occurrences import Worth, occurrences, worth
from shared.domain.terms import FACE_VALUE_KINDS, Rule
from shared.domain.verdicts import Refusal

Earlier = Sequence[tuple[datetime, Case]]
"""The case as it was known right before each of these moments, in order."""

_TIMELESS: Final = frozenset(
    {
        kinds.SUBMITTED,
        kinds.TERMS_PINNED,
        kinds.RATE_PINNED,
        kinds.STANDING_PINNED,
        kinds.ALLOWANCE_PINNED,
        kinds.FORFEITED,
        # What another referral earns from now on must not stay here too.
        kinds.DEAL_MERGED,
        kinds.REFERRAL_MERGED,
    }
)
"""Facts that every earlier moment looks at: they are no news of the deal."""

_PAID: Final = {kinds.INVOICE_PAID: "invoice_id", kinds.RENEWED: "renewal_id"}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Level:
    """That much an occurrence has come to at least, since we heard what raised it so far."""

    found: Worth
    size: int
    since: datetime


def earlier_cases(case: Case, known: Sequence[Fact]) -> Earlier:
    """Return what was known right before each receipt that may have changed what was given.

    There are none without a limit, or before anything could have stood for so long.
    """
    days = case.terms.clawback_days
    if days is None:
        return []
    moments = sorted({fact.received_at for fact in _changing(known)})
    first = min(fact.received_at for fact in known)
    if not moments or moments[-1] < first + timedelta(days=days):
        return []
    found = []
    for moment in moments:
        before = [f for f in known if f.received_at < moment or f.kind in _TIMELESS]
        found.append((moment, open_case(case.terms, in_order(before), (), case.parties)))
    return found


def _changing(known: Iterable[Fact]) -> Iterable[Fact]:
    """Yield all news but one more invoice or renewal after the others, which changes no other."""
    latest: dict[str, datetime] = {}
    seen: set[tuple[str, str]] = set()
    for fact in sorted(known, key=lambda fact: (fact.received_at, fact.occurred_at, fact.fact_id)):
        if fact.kind in _PAID:
            key = (fact.kind, str(fact.data[_PAID[fact.kind]]))
            last = latest.get(fact.kind, fact.occurred_at)
            # One between them moves the numbers of those after it.
            if key in seen or fact.occurred_at < last:
                yield fact
            seen.add(key)
            latest[fact.kind] = max(last, fact.occurred_at)
        elif fact.kind not in _TIMELESS:
            yield fact


def kept(rule: Rule, earlier: Earlier) -> Mapping[str, Worth]:
    """Return the most that can't be taken back any more of each occurrence, by its key."""
    hold = timedelta(days=rule.hold_days)
    best: dict[str, _Level] = {}
    levels: dict[str, list[_Level]] = {}
    previous: datetime | None = None
    for moment, case in earlier:
        given = {each.occurrence.key: each for each in _given(rule, case)}
        limit = hold + timedelta(days=case.terms.clawback_days or 0)
        for key in dict.fromkeys((*levels, *given)):
            now = given.get(key)
            told = (now.raise_release_at - hold, previous) if now else ()
            since = max((at for at in told if at), default=moment)
            levels[key] = _levelled(levels.get(key, []), now, since)
            for level in levels[key]:
                is_more = key not in best or level.size > best[key].size
                if is_more and level.since + limit <= moment:
                    best[key] = level
        previous = moment
    return {key: replace(level.found, is_kept=True) for key, level in best.items()}


def _levelled(levels: list[_Level], now: Worth | None, since: datetime) -> list[_Level]:
    """Return the levels, lowest first, once the occurrence comes to this, or to nothing."""
    if now is None:
        return []
    # Benefits have no size: they are given or not.
    size = now.worked.total_minor or 1
    lower = [level for level in levels if level.size < size]
    others = levels[len(lower) :]
    # What is left of more has stood as long as that.
    stood = others[0].since if others else since
    return [*lower, _Level(found=now, size=size, since=stood)]


def _given(rule: Rule, case: Case) -> Iterable[Worth]:
    """Yield what counted and was held by nobody."""
    if case.deal.review in referrals.OPEN_REVIEW or case.deal.holds:
        return
    try:
        candidates = occurrences(rule, case)
    except Refusal:
        return
    for occurrence in candidates:
        try:
            found = worth(rule, case, occurrence)
        except Refusal:
            continue
        if found.worked.total_minor > 0 or rule.kind not in FACE_VALUE_KINDS:
            yield found

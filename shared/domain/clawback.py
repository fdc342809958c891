"""How long what was released can be taken back: ``clawback_days`` after the end of its hold.

What we hear later than that takes nothing back. So whatever a reward had come to all the time for
its hold and that many days, as we knew it then, is the least that it comes to ever after. Only the
times at which we received the facts count, so a replay decides the same.

It covers rewards of referrals, by their totals: shares may still move. Bonuses for a partner's
successes hang on sums, and follow them without a limit.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from shared.domain import referrals
from shared.domain.case import Case, reached_at
from shared.domain.earlier import Moment, earlier_moments
from shared.domain.facts import Fact
from shared.domain.news import News
from shared.domain.occurrences import Worth, occurrences, worth
from shared.domain.terms import EVERY_INVOICE, EVERY_RENEWAL, FACE_VALUE_KINDS, Percent, Rule, Table
from shared.domain.verdicts import Refusal


@dataclass(frozen=True, slots=True, kw_only=True)
class _Level:
    """That much an occurrence has come to at least, since we heard what raised it so far."""

    found: Worth
    size: int
    since: datetime


def earlier_cases(case: Case, known: Sequence[Fact]) -> Sequence[Moment]:
    """Return what was known right before each receipt.

    There is nothing without a limit, or before anything could have stood for so long.
    """
    days = case.terms.clawback_days
    received = [fact.received_at for fact in known]
    if days is None or max(received) < min(received) + timedelta(days=days):
        return ()
    return earlier_moments(case, known)


def kept(rule: Rule, earlier: Sequence[Moment]) -> Mapping[str, Worth]:
    """Return the most that can't be taken back any more of each occurrence, by its key.

    What an occurrence came to for several moments is looked at once, when it changes or at the end.
    """
    if rule.is_partner_level or not earlier:
        return {}
    hold = timedelta(days=rule.hold_days)
    limit = hold + timedelta(days=earlier[0].case.terms.clawback_days or 0)
    best: dict[str, _Level] = {}
    levels: dict[str, list[_Level]] = {}
    previous: datetime | None = None
    opened = ""
    for moment in earlier:
        opened, before = _opened(rule, moment.case), opened
        only = _changed(rule, moment.news) if opened == before else None
        given = {each.occurrence.key: each for each in _given(rule, moment.case, only)}
        for key in dict.fromkeys((*levels, *given)) if only is None else only:
            if previous:
                _keep(best, key, levels.get(key, ()), previous - limit)
            now = given.get(key)
            told = (now.raise_release_at - hold, previous) if now else ()
            since = max((at for at in told if at), default=moment.at)
            levels[key] = _levelled(levels.get(key, []), now, since)
        previous = moment.at
    for key, stood in levels.items():
        _keep(best, key, stood, earlier[-1].at - limit)
    return {key: replace(level.found, is_kept=True) for key, level in best.items()}


def _opened(rule: Rule, case: Case) -> str:
    """Name what the milestone decides of every invoice and renewal alike."""
    try:
        return reached_at(rule.milestone, case).milestone
    except Refusal as refusal:
        return refusal.code


def _changed(rule: Rule, news: News | None) -> Collection[str] | None:
    """Return the keys of what may be worth another amount, or None if anything may."""
    if news is None or rule.occurrence not in {EVERY_INVOICE, EVERY_RENEWAL}:
        return None
    is_counted = rule.limit_times is not None or rule.limit_months is not None
    if (is_counted and not news.is_in_order) or _rests_on_first_invoice(rule):
        return None
    return news.keys


def _rests_on_first_invoice(rule: Rule) -> bool:
    value = rule.value
    rows = (*(row.value for row in value.rows), value.otherwise) if isinstance(value, Table) else ()
    return any(
        isinstance(plain, Percent) and plain.base == "first_invoice" for plain in (value, *rows)
    )


def _keep(best: dict[str, _Level], key: str, levels: Iterable[_Level], until: datetime) -> None:
    """Remember the highest level that had stood for long enough."""
    for level in levels:
        if level.since <= until and (key not in best or level.size > best[key].size):
            best[key] = level


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


def _given(rule: Rule, case: Case, only: Collection[str] | None) -> Iterable[Worth]:
    """Yield what counted and was held by nobody."""
    if case.deal.review in referrals.OPEN_REVIEW or case.deal.holds:
        return
    try:
        candidates = occurrences(rule, case, only)
    except Refusal:
        return
    for occurrence in candidates:
        try:
            found = worth(rule, case, occurrence)
        except Refusal:
            continue
        if found.worked.total_minor > 0 or rule.kind not in FACE_VALUE_KINDS:
            yield found

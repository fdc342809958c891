"""Evaluate the rules that depend on how many of a partner's referrals count now.

``every_nth`` and ``at_counts`` bonuses, and the true-ups of retroactive tiers. A referral that
stops counting takes its bonus back by the same difference as everything else. What was settled
before is not looked at again: only occasions between the sums then and the sums now.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Final

from shared.domain.contributions import success_key
from shared.domain.entitlements import Entitlement
from shared.domain.money import MAX_MINOR, format_amount, percent_of
from shared.domain.periods import last_moment
from shared.domain.terms import (
    BY_REVENUE,
    EVERY_NTH,
    RETROACTIVE,
    Benefit,
    Fixed,
    Percent,
    Rule,
    Terms,
)
from shared.domain.verdicts import DENIED, GRANTED, NOT_YET, TraceLine

_COUNT: Final = "count:"
_TRUE_UP: Final = "true_up:"
_SUCCESS: Final = success_key("")
_BASE: Final = "base:"


@dataclass(frozen=True, slots=True, kw_only=True)
class PartnerEvaluation:
    """What a partner should hold beside single referrals, and why."""

    entitlements: tuple[Entitlement, ...]
    trace: tuple[TraceLine, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Occasion:
    """One occurrence of a rule that may have changed, or ("") only what is told of the rule.

    ``line`` explains the occurrence, ``summary`` all of the rule. Once it is settled, ``seen`` are
    the sums that ``key`` stands for.
    """

    rule: Rule
    occurrence: str = ""
    amount_minor: int = 0
    is_wanted: bool = False
    key: str
    seen: tuple[int, ...]
    line: TraceLine | None = None
    summary: TraceLine | None = None

    @property
    def is_count(self) -> bool:
        """Tell whether it is one of many counts, which the summary tells of while all is plain."""
        return self.occurrence.startswith(_COUNT)


def has_partner_rules(terms: Terms) -> bool:
    """Tell whether anything in these terms is decided for the partner as a whole."""
    return any(_concerns(rule) for rule in terms.rules)


def concerns_partner(sums: Iterable[str]) -> bool:
    """Tell whether one of these sums is there for rules that are decided for the partner."""
    return any(key.startswith((_SUCCESS, _BASE)) for key in sums)


def _concerns(rule: Rule) -> bool:
    return rule.is_partner_level or _is_retroactive(rule)


def _is_retroactive(rule: Rule) -> bool:
    return bool(rule.tier and rule.tier.mode == RETROACTIVE)


def evaluate_partner(
    terms: Terms, sums: Mapping[str, int], partner_id: str, *, now: datetime
) -> PartnerEvaluation:
    """Return all of the partner's own entitlements, before any cap.

    ``now`` only dates the holds of what is granted for the first time.
    """
    found = tuple(occasions(terms, sums, {}))
    return PartnerEvaluation(
        entitlements=tuple(
            entitlement(terms, each, partner_id, now=now) for each in found if each.is_wanted
        ),
        trace=tuple(
            line
            for each in found
            if (line := each.summary if each.is_count or not each.line else each.line)
        ),
    )


def occasions(
    terms: Terms, sums: Mapping[str, int], seen: Mapping[str, tuple[int, ...]]
) -> Iterator[Occasion]:
    """Yield what may have changed between the sums that were seen and those of now.

    A count moves one step after the other, so that after any of them the file is settled for some
    count between the two.
    """
    for rule in terms.rules:
        if _is_retroactive(rule):
            yield from _true_ups(terms, rule, sums, seen)
        elif rule.is_partner_level:
            yield from _counts(rule, sums, seen)


def is_wanted(terms: Terms, sums: Mapping[str, int], rule_id: str, occurrence: str) -> bool:
    """Tell whether the terms grant this occurrence for these sums."""
    rule = terms.rule(rule_id)
    if rule is None:
        return False
    if _is_retroactive(rule):
        period = occurrence.removeprefix(_TRUE_UP)
        return occurrence != period and _granted(_added(rule, _figures(rule, period, sums))) > 0
    start = occurrence.removeprefix(_COUNT)
    if not rule.is_partner_level or occurrence == start or not start.isdecimal():
        return False
    number = _reached(rule, int(start))
    return 0 < number <= _reached(rule, sums.get(success_key(rule.milestone), 0)) and int(
        start
    ) == _start(rule, number)


def explains(terms: Terms, sums: Mapping[str, int], line: TraceLine) -> bool:
    """Tell whether a stored line is of a rule, or an occurrence, that these terms still have."""
    rule = terms.rule(line.rule_id)
    if rule is None or not _concerns(rule):
        return False
    if _is_retroactive(rule):
        return line.occurrence.startswith(_TRUE_UP)
    return line.occurrence == rule.occurrence or is_wanted(
        terms, sums, line.rule_id, line.occurrence
    )


def entitlement(terms: Terms, occasion: Occasion, partner_id: str, *, now: datetime) -> Entitlement:
    """Return what an occasion that is wanted entitles the partner to, before any cap."""
    rule = occasion.rule
    release_at = now + timedelta(days=rule.hold_days)
    benefit: dict[str, str] = {}
    worth = 0
    if isinstance(rule.value, Benefit):
        benefit = {"quantity": str(rule.value.quantity), "unit": rule.value.unit}
        if rule.value.percent is not None:
            benefit = {"percent": str(rule.value.percent)}
        worth = rule.value.worth_minor
    return Entitlement(
        rule_id=rule.rule_id,
        occurrence=occasion.occurrence,
        role=rule.beneficiary,
        holder_id=partner_id,
        kind=rule.kind,
        currency=terms.currency,
        amount_minor=occasion.amount_minor,
        benefit=benefit,
        worth_minor=worth,
        release_at=release_at,
        raise_release_at=release_at,
        effective_at=now,
        keeps_dates=True,
    )


def sums_behind(rule: Rule, occurrence: str) -> tuple[str, ...]:
    """Return the keys of the sums that decide an occurrence of a partner's file."""
    period = occurrence.removeprefix(_TRUE_UP)
    if rule.tier and period != occurrence:
        return (
            f"{_BASE}{rule.rule_id}:{period}",
            f"{rule.tier.by}:{rule.tier.milestone}:{period}",
        )
    return (success_key(rule.milestone),)


def counts_at(terms: Terms, occurrence: str, now: datetime) -> datetime:
    """Return when something granted now counts against caps: a true-up within its own period."""
    period = occurrence.removeprefix(_TRUE_UP)
    end = last_moment(period, terms.time_zone) if period != occurrence else None
    return min(now, end) if end else now


# -- bonuses by count -----------------------------------------------------------------------------


def _counts(
    rule: Rule, sums: Mapping[str, int], seen: Mapping[str, tuple[int, ...]]
) -> Iterator[Occasion]:
    count = sums.get(success_key(rule.milestone), 0)
    (before,) = seen.get(rule.rule_id, (0,))
    if rule.rule_id in seen and before == count:
        return
    old, new = _reached(rule, before), _reached(rule, count)
    summary = TraceLine(
        rule_id=rule.rule_id,
        occurrence=rule.occurrence,
        outcome=GRANTED if new else NOT_YET,
        code=GRANTED if new else "count_not_reached",
        figures={"count": str(count)},
    )
    rises = new > old
    # Beyond the old number upwards, or from it downwards: what is taken back is the newest.
    steps = range(old + 1, new + 1) if rises else range(old, new, -1)
    for number in steps:
        start = _start(rule, number)
        is_last = number == steps[-1]
        yield Occasion(
            rule=rule,
            occurrence=f"{_COUNT}{start}",
            amount_minor=rule.value.amount_minor if isinstance(rule.value, Fixed) else 0,
            is_wanted=rises,
            key=rule.rule_id,
            seen=(count if is_last else start - (not rises),),
            line=replace(
                summary,
                occurrence=f"{_COUNT}{start}",
                outcome=GRANTED if rises else NOT_YET,
                code=GRANTED if rises else "count_not_reached",
            ),
            summary=summary if is_last else None,
        )
    if not steps:
        yield Occasion(rule=rule, key=rule.rule_id, seen=(count,), summary=summary)


def _reached(rule: Rule, count: int) -> int:
    """Return how many bonuses a count comes to."""
    if rule.occurrence == EVERY_NTH:
        return max(count, 0) // rule.nth
    return sum(count >= start for start in rule.counts)


def _start(rule: Rule, number: int) -> int:
    """Return the count that the bonus of this number, from 1 on, is given for."""
    return rule.nth * number if rule.occurrence == EVERY_NTH else rule.counts[number - 1]


# -- true-ups -------------------------------------------------------------------------------------


def _true_ups(
    terms: Terms, rule: Rule, sums: Mapping[str, int], seen: Mapping[str, tuple[int, ...]]
) -> Iterator[Occasion]:
    """Yield one true-up for each period: what the reached step adds to the whole of it."""
    prefixes = f"{_BASE}{rule.rule_id}:", f"{rule.rule_id}:"
    periods = {
        key.removeprefix(prefix)
        for prefix, keys in zip(prefixes, (sums, seen), strict=True)
        for key in keys
        if key.startswith(prefix)
    }
    for period in sorted(periods):
        key = f"{rule.rule_id}:{period}"
        before, now = seen.get(key), _figures(rule, period, sums)
        if before == now:
            continue
        added = _added(rule, now)
        amount = _granted(added)
        # Nothing was posted, and nothing is to be.
        only_told = not amount and (before is None or not _granted(_added(rule, before)))
        code = GRANTED if amount else "tier_not_reached"
        if added > MAX_MINOR:
            code = "amount_too_large"
        line = TraceLine(
            rule_id=rule.rule_id,
            occurrence=f"{_TRUE_UP}{period}",
            outcome=GRANTED if amount else DENIED if added > MAX_MINOR else NOT_YET,
            code=code,
            figures={"position": _shown(terms, rule, now[1])},
        )
        yield Occasion(
            rule=rule,
            occurrence="" if only_told else line.occurrence,
            amount_minor=amount,
            is_wanted=amount > 0,
            key=key,
            seen=now,
            line=None if only_told else line,
            summary=line if only_told else None,
        )


def _figures(rule: Rule, period: str, sums: Mapping[str, int]) -> tuple[int, int]:
    """Return the base of a period's true-up, and the position that decides its step."""
    tier = rule.tier
    position = f"{tier.by}:{tier.milestone}:{period}" if tier else ""
    return sums.get(f"{_BASE}{rule.rule_id}:{period}", 0), sums.get(position, 0)


def _added(rule: Rule, figures: tuple[int, ...]) -> int:
    """Return what the reached step adds to the rule's own value; just over the bound if more."""
    base, position = figures
    step = rule.tier.reached(position) if rule.tier else None
    if step is None:
        return 0
    if base > MAX_MINOR:
        return MAX_MINOR + 1
    added = 0
    if isinstance(step.value, Decimal) and isinstance(rule.value, Percent):
        added = percent_of(max(base, 0), step.value - rule.value.percent)
    elif isinstance(step.value, int) and isinstance(rule.value, Fixed):
        added = (step.value - rule.value.amount_minor) * max(base, 0)
    return min(added, MAX_MINOR + 1)


def _granted(added: int) -> int:
    return added if 0 < added <= MAX_MINOR else 0


def _shown(terms: Terms, rule: Rule, position: int) -> str:
    by_revenue = rule.tier and rule.tier.by == BY_REVENUE
    return format_amount(position, terms.currency) if by_revenue else str(position)

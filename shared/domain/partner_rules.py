"""Evaluate the rules that depend on how many of a partner's referrals count now.

``every_nth`` and ``at_counts`` bonuses, and the true-ups of retroactive tiers. A referral that
stops counting takes its bonus back by the same difference as everything else.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

from shared.domain.contributions import success_key
from shared.domain.entitlements import Entitlement
from shared.domain.money import format_amount, percent_of
from shared.domain.terms import (
    AT_COUNTS,
    BY_REVENUE,
    EVERY_NTH,
    FACE_VALUE_KINDS,
    RETROACTIVE,
    Benefit,
    Fixed,
    Percent,
    Rule,
    Terms,
    Tier,
)
from shared.domain.verdicts import GRANTED, NOT_YET, TraceLine


@dataclass(frozen=True, slots=True, kw_only=True)
class PartnerEvaluation:
    """What a partner should hold beside single referrals, and why."""

    entitlements: tuple[Entitlement, ...]
    trace: tuple[TraceLine, ...]


def has_partner_rules(terms: Terms) -> bool:
    """Tell whether anything in these terms is decided for the partner as a whole."""
    return any(_concerns(rule) for rule in terms.rules)


def _concerns(rule: Rule) -> bool:
    return rule.is_partner_level or bool(rule.tier and rule.tier.mode == RETROACTIVE)


def evaluate_partner(
    terms: Terms, sums: Mapping[str, int], partner_id: str, *, now: datetime
) -> PartnerEvaluation:
    """Return the partner's own entitlements under the terms that the enrolment accepted.

    ``now`` only dates the holds of what is granted for the first time.
    """
    entitlements: list[Entitlement] = []
    trace: list[TraceLine] = []
    for rule in terms.rules:
        if not _concerns(rule):
            continue
        granted, lines = _judge(terms, rule, sums)
        trace += lines
        for occurrence, amount_minor in granted:
            entitlements.append(
                _entitlement(terms, rule, occurrence, amount_minor, partner_id=partner_id, now=now)
            )
    return PartnerEvaluation(entitlements=tuple(entitlements), trace=tuple(trace))


def _judge(
    terms: Terms, rule: Rule, sums: Mapping[str, int]
) -> tuple[list[tuple[str, int]], list[TraceLine]]:
    if rule.tier and rule.tier.mode == RETROACTIVE:
        return _true_ups(terms, rule, rule.tier, sums)
    count = sums.get(success_key(rule.milestone), 0)
    reached = _reached_counts(rule, count)
    amount = rule.value.amount_minor if isinstance(rule.value, Fixed) else 0
    line = TraceLine(
        rule_id=rule.rule_id,
        occurrence=rule.occurrence,
        outcome=GRANTED if reached else NOT_YET,
        code=GRANTED if reached else "count_not_reached",
        figures={"count": str(count)},
    )
    return [(f"count:{start}", amount) for start in reached], [line]


def _reached_counts(rule: Rule, count: int) -> Iterable[int]:
    if rule.occurrence == EVERY_NTH:
        return [rule.nth * number for number in range(1, count // rule.nth + 1)]
    if rule.occurrence == AT_COUNTS:
        return [start for start in rule.counts if count >= start]
    return []


def _true_ups(
    terms: Terms, rule: Rule, tier: Tier, sums: Mapping[str, int]
) -> tuple[list[tuple[str, int]], list[TraceLine]]:
    """Return one true-up for each period: what the reached step adds to the whole of it."""
    granted: list[tuple[str, int]] = []
    lines: list[TraceLine] = []
    prefix = f"base:{rule.rule_id}:"
    for key in sorted(key for key in sums if key.startswith(prefix)):
        period = key.removeprefix(prefix)
        position = sums.get(f"{tier.by}:{tier.milestone}:{period}", 0)
        step = tier.reached(position)
        amount = _added(rule, step.value, sums[key]) if step else 0
        lines.append(
            TraceLine(
                rule_id=rule.rule_id,
                occurrence=f"true_up:{period}",
                outcome=GRANTED if amount > 0 else NOT_YET,
                code=GRANTED if amount > 0 else "tier_not_reached",
                figures={"position": _shown(terms, tier, position)},
            )
        )
        if amount > 0:
            granted.append((f"true_up:{period}", amount))
    return granted, lines


def _shown(terms: Terms, tier: Tier, position: int) -> str:
    return format_amount(position, terms.currency) if tier.by == BY_REVENUE else str(position)


def _added(rule: Rule, value: Decimal | int, base: int) -> int:
    if isinstance(value, Decimal) and isinstance(rule.value, Percent):
        return percent_of(base, value - rule.value.percent)
    if isinstance(value, int) and isinstance(rule.value, Fixed):
        return (value - rule.value.amount_minor) * base
    return 0


def _entitlement(
    terms: Terms,
    rule: Rule,
    occurrence: str,
    amount_minor: int,
    *,
    partner_id: str,
    now: datetime,
) -> Entitlement:
    release_at = now + timedelta(days=rule.hold_days)
    benefit: dict[str, str] = {}
    worth = 0
    if isinstance(rule.value, Benefit) and rule.kind not in FACE_VALUE_KINDS:
        benefit = {"quantity": str(rule.value.quantity), "unit": rule.value.unit}
        if rule.value.percent is not None:
            benefit = {"percent": str(rule.value.percent)}
        worth = rule.value.worth_minor
    return Entitlement(
        rule_id=rule.rule_id,
        occurrence=occurrence,
        role=rule.beneficiary,
        holder_id=partner_id,
        kind=rule.kind,
        currency=terms.currency,
        amount_minor=amount_minor,
        benefit=benefit,
        worth_minor=worth,
        release_at=release_at,
        raise_release_at=release_at,
        effective_at=now,
        keeps_dates=True,
    )

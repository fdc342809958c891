"""Evaluate terms over the facts of one referral: who should hold what, and why.

The result depends on the pinned terms and the facts alone: no clock, no store. What a replay must
decide alike (positions in a tier, rates, allowances under caps, shares) is itself a fact. What is
not pinned yet comes back as a need; the caller pins it and evaluates again.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from shared.domain import referrals
from shared.domain.bases import NeededRate
from shared.domain.caps import NeededAllowance
from shared.domain.case import (
    Case,
    check_eligible,
    check_floor,
    introducer,
    open_case,
    reached_at,
    shares_at,
    tier_key,
)
from shared.domain.conditions import first_unmet, holds
from shared.domain.contributions import contributions
from shared.domain.deal import Deal, Paid, Reached
from shared.domain.entitlements import Entitlement, Parties
from shared.domain.facts import Fact, in_order
from shared.domain.money import format_amount, split
from shared.domain.periods import months_after
from shared.domain.terms import (
    CAUSE,
    DENY,
    EVERY_INVOICE,
    EVERY_RENEWAL,
    FACE_VALUE_KINDS,
    LEAD,
    ONCE,
    PROSPECTIVE,
    Rule,
    Terms,
)
from shared.domain.values import Worked
from shared.domain.verdicts import (
    CAPPED,
    DENIED,
    GRANTED,
    HELD,
    NOT_YET,
    Refusal,
    TraceLine,
)

REVIEW_PENDING: Final = "review_pending"
ON_HOLD: Final = "on_hold"


@dataclass(frozen=True, slots=True, kw_only=True)
class Evaluation:
    """All entitlements, a trace line per rule and occurrence, and what is still to be pinned.

    ``contributions`` are what the referral adds to the sums of its ``introducer`` at this moment,
    by key (``count:won:lifetime``, ``revenue:won:2026``, ``base:<rule>:2026-Q1``,
    ``success:won``). ``positions`` are keys whose position must be pinned.
    """

    entitlements: tuple[Entitlement, ...]
    trace: tuple[TraceLine, ...]
    introducer: str
    contributions: Mapping[str, int]
    positions: frozenset[str]
    rates: tuple[NeededRate, ...]
    allowances: tuple[NeededAllowance, ...]
    deal: Deal


@dataclass(frozen=True, slots=True, kw_only=True)
class _Occurrence:
    """``number`` counts from the introduction on, and ``first`` is when that count began."""

    key: str
    reached: Reached
    paid: Paid | None = None
    number: int = 1
    first: datetime | None = None


def evaluate(terms: Terms, facts: Iterable[Fact], parties: Parties) -> Evaluation:
    """Return what everybody should hold under ``terms``, whatever the order of ``facts``.

    Raises:
        ValueError: when the facts lack the submission, which is a bug of the caller.
    """
    known = tuple(facts)
    case = open_case(terms, in_order(known), known, parties)
    entitlements: list[Entitlement] = []
    trace: list[TraceLine] = []
    for rule in terms.rules:
        granted, lines = _judge(rule, case)
        entitlements += granted
        trace += lines
    return Evaluation(
        entitlements=tuple(entitlements),
        trace=tuple(trace),
        introducer=introducer(case),
        contributions=contributions(case),
        positions=frozenset(case.missing_positions),
        rates=tuple(case.amounts.needed.values()),
        allowances=case.allowances.needs(),
        deal=case.deal,
    )


# -- one rule -------------------------------------------------------------------------------------


def _judge(rule: Rule, case: Case) -> tuple[list[Entitlement], list[TraceLine]]:
    """Judge every occurrence of a rule; what ends the judgement early explains it instead."""
    if rule.is_partner_level:
        # Decided in the partner's own file, from how many referrals count.
        return [], [_line(rule, rule.occurrence, NOT_YET, "partner_level")]
    try:
        reached = reached_at(rule.milestone, case)
        check_eligible(rule, case)
        _check_conditions(rule, case, reached)
        occurrences = _occurrences(rule, case, reached)
    except Refusal as refusal:
        return [], [_refused(rule, rule.occurrence, refusal)]
    entitlements: list[Entitlement] = []
    lines: list[TraceLine] = []
    spent = 0
    for occurrence in occurrences:
        try:
            granted, line = _grant(rule, case, occurrence, spent)
        except Refusal as refusal:
            lines.append(_refused(rule, occurrence.key, refusal))
            continue
        entitlements += granted
        spent += sum(entitlement.amount_minor for entitlement in granted)
        lines.append(line)
    return entitlements, lines


def _line(rule: Rule, occurrence: str, outcome: str, code: str, **figures: str) -> TraceLine:
    return TraceLine(
        rule_id=rule.rule_id,
        occurrence=occurrence,
        outcome=outcome,
        code=code,
        figures=figures,
    )


def _refused(rule: Rule, occurrence: str, refusal: Refusal) -> TraceLine:
    return TraceLine(
        rule_id=rule.rule_id,
        occurrence=occurrence,
        outcome=refusal.outcome,
        code=refusal.code,
        figures=refusal.figures,
        facts=refusal.facts,
    )


def _check_conditions(rule: Rule, case: Case, reached: Reached) -> None:
    fields = case.valuation.fields
    if rule.when is None or holds(rule.when, fields):
        return
    figures: dict[str, str] = {}
    unmet = first_unmet(rule.when, fields)
    if unmet:
        wanted, actual = unmet.value, fields.read(unmet.field)
        if unmet.field == "deal_amount":
            currency = case.terms.currency
            wanted, actual = (format_amount(int(str(v)), currency) for v in (wanted, actual))
        figures = {
            "condition": f"{unmet.field} {unmet.op}",
            "threshold": str(wanted),
            unmet.field: str(actual),
        }
    raise Refusal(DENIED, "condition_not_met", (reached.fact_id,), **figures)


def _occurrences(rule: Rule, case: Case, reached: Reached) -> list[_Occurrence]:
    """Return what the rule pays for, in order, beyond the limits too (they are explained).

    Raises:
        Refusal: when nothing has occurred yet.
    """
    if rule.occurrence == EVERY_INVOICE:
        prefix, rows, code = "invoice", case.deal.invoices, "no_invoice_yet"
    elif rule.occurrence == EVERY_RENEWAL:
        prefix, rows, code = "renewal", case.deal.renewals, "no_renewal_yet"
    else:
        return [_Occurrence(key=ONCE, reached=reached)]
    if not rows:
        raise Refusal(NOT_YET, code)
    ordered = sorted(rows, key=lambda row: (row.reached.occurred_at, row.reached.fact_id))
    before = sum(row.reached.occurred_at < case.floor for row in ordered)
    first = ordered[before].reached.occurred_at if before < len(ordered) else None
    return [
        _Occurrence(
            key=f"{prefix}:{row.paid_id}",
            reached=row.reached,
            paid=row,
            number=place - before,
            first=first,
        )
        for place, row in enumerate(ordered, start=1)
    ]


def _check_limit(rule: Rule, occurrence: _Occurrence) -> None:
    """Demand that the occurrence is within the rule's times and months.

    Raises:
        Refusal: when the limit is behind it.
    """
    number, first = occurrence.number, occurrence.first
    if rule.limit_times is not None and number > rule.limit_times:
        raise Refusal(DENIED, "limit_reached", number=str(number), limit=str(rule.limit_times))
    if rule.limit_months is not None and first is not None:
        ends_at = months_after(first, rule.limit_months)
        if occurrence.reached.occurred_at >= ends_at:
            raise Refusal(DENIED, "limit_reached", window_end=ends_at.isoformat())


# -- one occurrence -------------------------------------------------------------------------------


def _grant(
    rule: Rule, case: Case, occurrence: _Occurrence, spent: int
) -> tuple[list[Entitlement], TraceLine]:
    reached = occurrence.reached
    check_floor(reached, case)
    _check_limit(rule, occurrence)
    worked = case.valuation.work_out(
        rule, reached, occurrence.paid, _position(rule, case) if rule.tier else None
    )
    # An override stands instead of the tier's steps, so nothing is trued up either.
    case.bases[rule.rule_id] = worked.base_minor if worked.level == "program" else 0
    total, code = _under_rule_caps(rule, worked, spent)
    if rule.kind in FACE_VALUE_KINDS and total <= 0:
        reason = code or worked.refunded or "amount_is_zero"
        raise Refusal(DENIED, reason, worked.facts, **worked.figures)
    parts = _parts(rule, case, reached, total)
    allowed = case.allowances.apply(rule, occurrence.key, reached, parts, worked.worth_minor)
    if allowed.code:
        code = allowed.code
    entitlements = [
        _entitlement(rule, case, occurrence, worked, holder_id=holder_id, part=part)
        for holder_id, part in allowed.parts
        if part or rule.kind not in FACE_VALUE_KINDS
    ]
    figures = dict(worked.figures)
    if rule.kind in FACE_VALUE_KINDS:
        paid_out = sum(part for _, part in allowed.parts)
        figures |= {
            "amount": format_amount(paid_out, case.terms.currency),
            "currency": case.terms.currency,
        }
    held = _held(case)
    return entitlements, TraceLine(
        rule_id=rule.rule_id,
        occurrence=occurrence.key,
        outcome=CAPPED if code else (HELD if held else GRANTED),
        code=code or held or GRANTED,
        figures=figures,
        facts=worked.facts,
        release_at=reached.received_at + timedelta(days=rule.hold_days),
        level=worked.level,
    )


def _entitlement(
    rule: Rule,
    case: Case,
    occurrence: _Occurrence,
    worked: Worked,
    *,
    holder_id: str,
    part: int,
) -> Entitlement:
    reached = occurrence.reached
    hold = timedelta(days=rule.hold_days)
    told = (reached.received_at, worked.told_at, case.deal.returned_at)
    return Entitlement(
        rule_id=rule.rule_id,
        occurrence=occurrence.key,
        role=rule.beneficiary,
        holder_id=holder_id,
        kind=rule.kind,
        currency=case.terms.currency,
        amount_minor=part,
        benefit=worked.benefit,
        worth_minor=worked.worth_minor,
        release_at=reached.received_at + hold,
        raise_release_at=max(moment for moment in told if moment) + hold,
        held=_held(case),
        effective_at=reached.occurred_at,
        cause=worked.facts,
    )


def _held(case: Case) -> str:
    if case.deal.review in referrals.OPEN_REVIEW:
        return REVIEW_PENDING
    return ON_HOLD if case.deal.holds else ""


def _under_rule_caps(rule: Rule, worked: Worked, spent: int) -> tuple[int, str]:
    total, code = worked.total_minor, ""
    caps = rule.caps
    room = (
        (caps.reward_minor, "capped_reward"),
        (None if caps.referral_minor is None else caps.referral_minor - spent, "capped_referral"),
    )
    for limit, name in room:
        if limit is not None and total > limit:
            if caps.policy == DENY:
                raise Refusal(DENIED, name, worked.facts, **worked.figures)
            total, code = max(limit, 0), name
    return total, code


def _position(rule: Rule, case: Case) -> int | None:
    """Return the pinned position in the rule's tier; retroactive tiers pay by true-up instead.

    Without an introducer there are no sums, and the rule's own value stays.

    Raises:
        Refusal: when it is not pinned yet.
    """
    tier = rule.tier
    if tier is None or tier.mode != PROSPECTIVE or not introducer(case):
        return None
    key = tier_key(tier, case)
    position = case.positions.get(key)
    if position is None:
        case.missing_positions.add(key)
        raise Refusal(NOT_YET, "position_not_pinned")
    return position


def _parts(rule: Rule, case: Case, reached: Reached, total: int) -> tuple[tuple[str, int], ...]:
    """Divide a reward among its holders; the parts sum to the whole.

    Raises:
        Refusal: when nobody had introduced the lead by then.
    """
    if rule.beneficiary == LEAD:
        return ((case.parties.lead_id, total),)
    if rule.beneficiary == CAUSE:
        return ((f"cause:{case.attributes['cause']}", total),)
    shares = shares_at(case, reached)
    if not shares:
        raise Refusal(DENIED, "no_partner")
    parts = split(total, [share.basis_points for share in shares])
    return tuple((share.partner_id, part) for share, part in zip(shares, parts, strict=True))

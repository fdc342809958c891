"""Evaluate terms over the facts of one referral: who should hold what, and why.

The result depends on the pinned terms and the facts alone: no clock, no store. What a replay must
decide alike (positions in a tier, rates, allowances under caps, shares) is itself a fact. What is
not pinned yet comes back as a need; the caller pins it and evaluates again.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from shared.domain import referrals
from shared.domain.bases import NeededRate
from shared.domain.caps import NeededAllowance, Parts
from shared.domain.case import (
    Case,
    introducer,
    open_case,
    shares_at,
)
from shared.domain.clawback import earlier_cases, kept
from shared.domain.contributions import contributions
from shared.domain.deal import Deal
from shared.domain.eligibility import LEFT_OUT, all_barred, barred, left_out
from shared.domain.entitlements import Entitlement, Parties
from shared.domain.facts import Fact, in_order
from shared.domain.holders import bounded
from shared.domain.money import format_amount, split
from shared.domain.occurrences import Occurrence, Worth, occurrences, worth
from shared.domain.terms import (
    CAUSE,
    DENY,
    FACE_VALUE_KINDS,
    LEAD,
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
CLAWBACK_LIMIT: Final = "clawback_limit"


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


def evaluate(terms: Terms, facts: Iterable[Fact], parties: Parties) -> Evaluation:
    """Return what everybody should hold under ``terms``, whatever the order of ``facts``.

    Raises:
        ValueError: when the facts lack the submission, which is a bug of the caller.
    """
    known = tuple(facts)
    case = open_case(terms, in_order(known), known, parties)
    earlier = earlier_cases(case, known)
    entitlements: list[Entitlement] = []
    trace: list[TraceLine] = []
    for rule in terms.rules:
        granted, lines = _judge(rule, case, kept(rule, earlier))
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


def _judge(
    rule: Rule, case: Case, standing: Mapping[str, Worth]
) -> tuple[list[Entitlement], list[TraceLine]]:
    """Judge every occurrence of a rule; what ends the judgement early explains it instead."""
    if rule.is_partner_level:
        # Decided in the partner's own file, from how many referrals count.
        return [], [_line(rule, rule.occurrence, NOT_YET, "partner_level")]
    entitlements: list[Entitlement] = []
    lines: list[TraceLine] = []
    spent = 0
    for key, found in _worths(rule, case, standing).items():
        if isinstance(found, Refusal):
            lines.append(_refused(rule, key, found))
            continue
        try:
            granted, line = _grant(rule, case, found, spent)
        except Refusal as refusal:
            lines.append(_refused(rule, key, refusal))
            continue
        # What is forfeited stays spent, so that nobody else's part moves.
        spent += sum(entitlement.amount_minor for entitlement in granted)
        left, line = bounded(granted, line, case.bounds)
        entitlements += left
        lines.append(line)
    return entitlements, lines


def _worths(rule: Rule, case: Case, standing: Mapping[str, Worth]) -> dict[str, Worth | Refusal]:
    """Return what each occurrence comes to, or why it does not, in order, by its key."""
    found: dict[str, Worth | Refusal] = {}
    try:
        for occurrence in occurrences(rule, case):
            try:
                found[occurrence.key] = worth(rule, case, occurrence)
            except Refusal as refusal:
                found[occurrence.key] = refusal
    except Refusal as refusal:
        found[rule.occurrence] = refusal
    for key, least in standing.items():
        now = found.get(key)
        if not isinstance(now, Worth) or now.worked.total_minor < least.worked.total_minor:
            found[key] = least
    return found


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


# -- one occurrence -------------------------------------------------------------------------------


def _grant(rule: Rule, case: Case, found: Worth, spent: int) -> tuple[list[Entitlement], TraceLine]:
    occurrence, worked = found.occurrence, found.worked
    reached = occurrence.reached
    total, code = _under_rule_caps(rule, worked, spent)
    if rule.kind in FACE_VALUE_KINDS and total <= 0:
        reason = code or worked.refunded or "amount_is_zero"
        raise Refusal(DENIED, reason, worked.facts, **worked.figures)
    parts, left = _parts(rule, case, occurrence, total)
    allowed = case.allowances.apply(rule, occurrence.key, reached, parts, worked.worth_minor)
    if allowed.code:
        code = allowed.code
    entitlements = [
        _entitlement(rule, case, found, holder_id=holder_id, part=part)
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
    if left:
        figures[LEFT_OUT] = left
    held = [reason for reason in _held(case) if reason]
    if held:
        figures["held"] = ", ".join(held)
    usual = CLAWBACK_LIMIT if found.is_kept else GRANTED
    return entitlements, TraceLine(
        rule_id=rule.rule_id,
        occurrence=occurrence.key,
        outcome=CAPPED if code else (HELD if held else GRANTED),
        code=code or (held[0] if held else usual),
        figures=figures,
        facts=worked.facts,
        release_at=reached.received_at + timedelta(days=rule.hold_days),
        level=worked.level,
    )


def _entitlement(rule: Rule, case: Case, found: Worth, *, holder_id: str, part: int) -> Entitlement:
    reached, worked = found.occurrence.reached, found.worked
    return Entitlement(
        rule_id=rule.rule_id,
        occurrence=found.occurrence.key,
        role=rule.beneficiary,
        holder_id=holder_id,
        kind=rule.kind,
        currency=case.terms.currency,
        amount_minor=part,
        benefit=worked.benefit,
        worth_minor=worked.worth_minor,
        release_at=reached.received_at + timedelta(days=rule.hold_days),
        raise_release_at=found.raise_release_at,
        held=next(filter(None, _held(case)), ""),
        effective_at=reached.occurred_at,
        cause=worked.facts,
    )


def _held(case: Case) -> tuple[str, str]:
    """Return what the review and what a person keeps from maturing, each "" if it does not."""
    reviewed = REVIEW_PENDING if case.deal.review in referrals.OPEN_REVIEW else ""
    stopped = ON_HOLD if case.deal.holds else ""
    return reviewed, stopped


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


def _parts(rule: Rule, case: Case, occurrence: Occurrence, total: int) -> tuple[Parts, str]:
    """Divide a reward among its holders, and name those who may not earn their part.

    All parts sum to the whole; what somebody may not earn goes to nobody else.

    Raises:
        Refusal: when nobody had introduced the lead by then, or nobody may earn a part.
    """
    if rule.beneficiary == LEAD:
        return ((case.parties.lead_id, total),), ""
    if rule.beneficiary == CAUSE:
        return ((f"cause:{case.attributes['cause']}", total),), ""
    name = occurrence.key if occurrence.paid else rule.milestone
    shares = shares_at(case, occurrence.reached, name)
    if not shares:
        raise Refusal(DENIED, "no_partner")
    parts = split(total, [share.basis_points for share in shares])
    found = {share.partner_id: barred(share.partner_id, case) for share in shares}
    refusals = {partner_id: why for partner_id, why in found.items() if why}
    if len(refusals) == len(found):
        raise all_barred(refusals)
    return tuple(
        (share.partner_id, part)
        for share, part in zip(shares, parts, strict=True)
        if share.partner_id not in refusals
    ), left_out(refusals)

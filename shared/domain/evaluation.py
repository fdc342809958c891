"""Evaluate terms over facts: who should hold what, and why. One pure function.

The result depends on the pinned terms and the facts alone: no clock, no store. What a replay
must decide alike (positions in a tier, shares, the terms' version) is itself a fact.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Final

from shared.domain import facts as kinds
from shared.domain import referrals
from shared.domain.deal import Amount, Deal, Reached, fold
from shared.domain.facts import Fact, in_order, latest
from shared.domain.money import format_amount, parse_decimal, percent_of, split, to_minor
from shared.domain.terms import FACE_VALUE_KINDS, PARTNER, Condition, Rule, Terms

ONCE: Final = "once"
WHOLE_SHARE: Final = 10_000

GRANTED: Final = "granted"
NOT_YET: Final = "not_yet"
DENIED: Final = "denied"
HELD: Final = "held"
REVERSED: Final = "reversed"

REVIEW_PENDING: Final = "review_pending"


@dataclass(frozen=True, slots=True, kw_only=True)
class CreditShare:
    """A partner's part of a referral, in basis points; all parts sum to 10,000."""

    partner_id: str
    role: str
    basis_points: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Parties:
    """Who can benefit from a referral."""

    lead_id: str
    shares: tuple[CreditShare, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Entitlement:
    """What one beneficiary should hold for (rule, occurrence).

    ``amount_minor`` is zero for benefits without a face value, which are in ``benefit``.
    ``release_at`` is the end of the hold; ``raise_release_at`` the end for an amount added after
    some of the reward has matured. ``held`` is the reason that keeps it from maturing, or "".
    """

    rule_id: str
    occurrence: str
    role: str
    holder_id: str
    kind: str
    currency: str
    amount_minor: int
    benefit: Mapping[str, str] = field(default_factory=dict)
    release_at: datetime
    raise_release_at: datetime
    held: str = ""
    effective_at: datetime
    cause: tuple[str, ...] = ()

    @property
    def identity(self) -> tuple[str, str, str]:
        """Return (rule, occurrence, holder): what makes it the same reward."""
        return self.rule_id, self.occurrence, self.holder_id


@dataclass(frozen=True, slots=True, kw_only=True)
class TraceLine:
    """Why a rule paid or did not, with the figures and facts that decided it."""

    rule_id: str
    occurrence: str
    outcome: str
    code: str
    figures: Mapping[str, str] = field(default_factory=dict)
    facts: tuple[str, ...] = ()
    release_at: datetime | None = None
    level: str = "program"


@dataclass(frozen=True, slots=True, kw_only=True)
class Evaluation:
    """All entitlements, one trace line per rule, and the milestones that count for tiers."""

    entitlements: tuple[Entitlement, ...]
    trace: tuple[TraceLine, ...]
    counting: frozenset[str]
    deal: Deal


@dataclass(frozen=True, slots=True, kw_only=True)
class _Case:
    terms: Terms
    deal: Deal
    parties: Parties
    floor: datetime
    submitted_at: datetime
    positions: Mapping[str, int]


class _Refusal(Exception):  # noqa: N818 - a verdict, not a failure
    """Ends the judgement of a rule with the line that explains it."""

    def __init__(
        self, outcome: str, code: str, facts: tuple[str, ...] = (), **figures: str
    ) -> None:
        self.outcome = outcome
        self.code = code
        self.facts = facts
        self.figures = figures
        super().__init__(code)


def shares_of(facts: Iterable[Fact]) -> tuple[CreditShare, ...]:
    """Return the shares that the facts pin, in the order that settles remainders."""
    pinned = latest(in_order(facts), kinds.TERMS_PINNED)
    rows = pinned.data.get("shares", []) if pinned else []
    shares = [CreditShare(**row) for row in rows]
    return tuple(sorted(shares, key=lambda share: (share.role != "introducer", share.partner_id)))


def evaluate(terms: Terms, facts: Iterable[Fact], parties: Parties) -> Evaluation:
    """Return what everybody should hold under ``terms``, whatever the order of ``facts``."""
    ordered = in_order(facts)
    submitted = latest(ordered, kinds.SUBMITTED)
    if submitted is None:
        message = "a referral without its submission cannot be evaluated"
        raise ValueError(message)
    pinned = latest(ordered, kinds.TERMS_PINNED)
    touch_at = pinned.data.get("touch_at") if pinned else None
    introduced = submitted.occurred_at
    if touch_at:
        introduced = min(introduced, datetime.fromisoformat(touch_at))
    case = _Case(
        terms=terms,
        deal=fold(ordered, terms),
        parties=parties,
        floor=introduced - timedelta(days=terms.prior_days),
        submitted_at=submitted.occurred_at,
        positions={
            str(fact.data["milestone"]): int(fact.data["position"])
            for fact in ordered
            if fact.kind == kinds.STANDING_PINNED
        },
    )
    entitlements: list[Entitlement] = []
    trace: list[TraceLine] = []
    for rule in terms.rules:
        granted, line = _judge(rule, case)
        entitlements += granted
        trace.append(line)
    return Evaluation(
        entitlements=tuple(entitlements),
        trace=tuple(trace),
        counting=_counting(case),
        deal=case.deal,
    )


def _judge(rule: Rule, case: _Case) -> tuple[list[Entitlement], TraceLine]:
    try:
        return _grant(rule, case)
    except _Refusal as refusal:
        return [], TraceLine(
            rule_id=rule.rule_id,
            occurrence=ONCE,
            outcome=refusal.outcome,
            code=refusal.code,
            figures=refusal.figures,
            facts=refusal.facts,
        )


def _grant(rule: Rule, case: _Case) -> tuple[list[Entitlement], TraceLine]:
    if rule.beneficiary == PARTNER and not case.parties.shares:
        raise _Refusal(DENIED, "no_partner")
    reached = _reached(rule.milestone, case)
    figures: dict[str, str] = {}
    _check_conditions(rule, case, reached, figures)
    total = _value(rule, case, reached, figures)
    hold = timedelta(days=rule.hold_days)
    release_at = reached.received_at + hold
    amount = case.deal.amount
    newest = reached.received_at
    if rule.percent is not None and amount is not None:
        newest = max(newest, amount.received_at)
    held = REVIEW_PENDING if case.deal.review in referrals.OPEN_REVIEW else ""
    cause = (reached.fact_id, *((amount.fact_id,) if amount and "deal_amount" in figures else ()))
    entitlements = [
        Entitlement(
            rule_id=rule.rule_id,
            occurrence=ONCE,
            role=rule.beneficiary,
            holder_id=holder_id,
            kind=rule.kind,
            currency=case.terms.currency,
            amount_minor=part,
            benefit={} if rule.kind in FACE_VALUE_KINDS else {"percent": str(rule.percent)},
            release_at=release_at,
            raise_release_at=newest + hold,
            held=held,
            effective_at=reached.occurred_at,
            cause=cause,
        )
        for holder_id, part in _parts(rule, case.parties, total)
    ]
    line = TraceLine(
        rule_id=rule.rule_id,
        occurrence=ONCE,
        outcome=HELD if held else GRANTED,
        code=held or GRANTED,
        figures=figures,
        facts=cause,
        release_at=release_at,
    )
    return entitlements, line


def _reached(milestone: str, case: _Case) -> Reached:
    """Return when the milestone was reached, if it was and may count.

    Raises:
        _Refusal: with the reason why it does not.
    """
    deal = case.deal
    if deal.review not in referrals.OPEN_REVIEW | {referrals.ACCEPTED}:
        raise _Refusal(DENIED, f"review_{deal.review}")
    reached = deal.milestones.get(milestone)
    if reached is None:
        if milestone in deal.left:
            raise _Refusal(REVERSED, "milestone_left", (deal.left[milestone],))
        raise _Refusal(NOT_YET, "milestone_not_reached")
    facts = (reached.fact_id,)
    at = reached.occurred_at.isoformat()
    if reached.occurred_at < case.floor:
        raise _Refusal(
            DENIED,
            "milestone_before_referral",
            facts,
            occurred_at=at,
            referral_since=case.floor.isoformat(),
        )
    ends_at = case.submitted_at + timedelta(days=case.terms.credit_days)
    if reached.occurred_at >= ends_at:
        raise _Refusal(
            DENIED, "credit_window_over", facts, occurred_at=at, window_end=ends_at.isoformat()
        )
    if reached.received_at >= ends_at + timedelta(days=case.terms.late_grace_days):
        raise _Refusal(
            DENIED,
            "received_too_late",
            facts,
            received_at=reached.received_at.isoformat(),
            window_end=ends_at.isoformat(),
        )
    return reached


def _check_conditions(rule: Rule, case: _Case, reached: Reached, figures: dict[str, str]) -> None:
    if not rule.conditions:
        return
    amount_minor = _deal_amount(case, reached, figures)
    results = [_holds(condition, amount_minor) for condition in rule.conditions]
    met = any(results) if rule.any_condition else all(results)
    if not met:
        first = rule.conditions[results.index(False)]
        figures["condition"] = f"{first.field} {first.op}"
        figures["threshold"] = format_amount(first.amount_minor, case.terms.currency)
        raise _Refusal(DENIED, "condition_not_met", (reached.fact_id,), **figures)


def _holds(condition: Condition, amount_minor: int) -> bool:
    match condition.op:
        case "gte":
            return amount_minor >= condition.amount_minor
        case "gt":
            return amount_minor > condition.amount_minor
        case "lte":
            return amount_minor <= condition.amount_minor
        case "lt":
            return amount_minor < condition.amount_minor
        case _:
            return amount_minor == condition.amount_minor


def _deal_amount(case: _Case, reached: Reached, figures: dict[str, str]) -> int:
    """Return the latest gross amount in minor units of the ledger currency.

    Raises:
        _Refusal: when the CRM has not told the amount, or told it in another currency.
    """
    amount: Amount | None = case.deal.amount
    value = parse_decimal(amount.text) if amount else None
    if amount is None or value is None:
        raise _Refusal(NOT_YET, "amount_missing", (reached.fact_id,))
    if amount.currency != case.terms.currency:
        raise _Refusal(
            HELD,
            "fx_rate_missing",
            (reached.fact_id, amount.fact_id),
            deal_amount=amount.text,
            deal_currency=amount.currency,
            ledger_currency=case.terms.currency,
        )
    minor = to_minor(value, amount.currency)
    figures["deal_amount"] = format_amount(minor, amount.currency)
    figures["currency"] = amount.currency
    return minor


def _value(rule: Rule, case: _Case, reached: Reached, figures: dict[str, str]) -> int:
    """Return the reward of all beneficiaries of the rule together, in minor units.

    Raises:
        _Refusal: when a figure is missing or the reward comes to nothing.
    """
    currency = case.terms.currency
    if rule.kind not in FACE_VALUE_KINDS:
        figures["percent"] = str(rule.percent)
        return 0
    if rule.percent is None:
        total = rule.fixed_minor or 0
    else:
        base = _deal_amount(case, reached, figures)
        percent = _tier_percent(rule, rule.percent, case, reached, figures)
        figures["percent"] = str(percent)
        total = percent_of(base, percent)
    if total <= 0:
        raise _Refusal(DENIED, "amount_is_zero", (reached.fact_id,), **figures)
    figures["amount"] = format_amount(total, currency)
    figures["currency"] = currency
    return total


def _tier_percent(
    rule: Rule, percent: Decimal, case: _Case, reached: Reached, figures: dict[str, str]
) -> Decimal:
    if rule.tier is None:
        return percent
    position = case.positions.get(rule.tier.milestone)
    if position is None:
        raise _Refusal(NOT_YET, "position_not_pinned", (reached.fact_id,))
    figures["position"] = str(position)
    return rule.tier.percent_at(position, percent)


def _parts(rule: Rule, parties: Parties, total: int) -> list[tuple[str, int]]:
    if rule.beneficiary != PARTNER:
        return [(parties.lead_id, total)]
    parts = split(total, [share.basis_points for share in parties.shares])
    return [
        (share.partner_id, part)
        for share, part in zip(parties.shares, parts, strict=True)
        if part or rule.kind not in FACE_VALUE_KINDS
    ]


def _counting(case: _Case) -> frozenset[str]:
    """Return the tiers' milestones that this referral counts towards at this moment."""
    wanted = {rule.tier.milestone for rule in case.terms.rules if rule.tier}
    counting = set()
    for milestone in wanted if case.parties.shares else ():
        try:
            _reached(milestone, case)
        except _Refusal:
            continue
        counting.add(milestone)
    return frozenset(counting)

"""What of a rule has occurred in a case, and what each occurrence is worth by itself.

Caps, shares and holds come afterwards.
"""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta

from shared.domain.case import (
    Case,
    check_floor,
    introducer,
    reached_at,
    tier_key,
)
from shared.domain.conditions import first_unmet, holds
from shared.domain.deal import Paid, Reached
from shared.domain.eligibility import check_eligible
from shared.domain.money import format_amount
from shared.domain.periods import months_after
from shared.domain.terms import EVERY_INVOICE, EVERY_RENEWAL, ONCE, PROSPECTIVE, Rule
from shared.domain.values import Worked
from shared.domain.verdicts import DENIED, NOT_YET, Refusal


@dataclass(frozen=True, slots=True, kw_only=True)
class Occurrence:
    """``number`` counts from the introduction on, and ``first`` is when that count began."""

    key: str
    reached: Reached
    paid: Paid | None = None
    number: int = 1
    first: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Worth:
    """An occurrence with its value.

    ``raise_release_at`` is the end of the hold of what was told of it last. ``is_kept`` says that
    later facts give less, which came too late to take it back.
    """

    occurrence: Occurrence
    worked: Worked
    raise_release_at: datetime
    is_kept: bool = False


def occurrences(rule: Rule, case: Case, only: Collection[str] | None = None) -> list[Occurrence]:
    """Return what the rule pays for, in order, beyond its limits too (they are explained).

    With ``only``, invoices and renewals with other keys are left out.

    Raises:
        Refusal: when nothing has occurred yet, or the rule does not pay for any of it.
    """
    reached = reached_at(rule.milestone, case)
    check_eligible(rule, case)
    _check_conditions(rule, case, reached)
    if rule.occurrence == EVERY_INVOICE:
        prefix, rows, code = "invoice", case.deal.invoices, "no_invoice_yet"
    elif rule.occurrence == EVERY_RENEWAL:
        prefix, rows, code = "renewal", case.deal.renewals, "no_renewal_yet"
    else:
        return [Occurrence(key=ONCE, reached=reached)]
    if not rows:
        raise Refusal(NOT_YET, code)
    ordered = sorted(rows, key=lambda row: (row.reached.occurred_at, row.reached.fact_id))
    before = sum(row.reached.occurred_at < case.floor for row in ordered)
    first = ordered[before].reached.occurred_at if before < len(ordered) else None
    return [
        Occurrence(
            key=f"{prefix}:{row.paid_id}",
            reached=row.reached,
            paid=row,
            number=place - before,
            first=first,
        )
        for place, row in enumerate(ordered, start=1)
        if only is None or f"{prefix}:{row.paid_id}" in only
    ]


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


def worth(rule: Rule, case: Case, occurrence: Occurrence) -> Worth:
    """Return what an occurrence comes to.

    Raises:
        Refusal: when it does not count, or a figure is missing.
    """
    reached = occurrence.reached
    check_floor(reached, case)
    _check_limit(rule, occurrence)
    worked = case.valuation.work_out(
        rule, reached, occurrence.paid, _position(rule, case) if rule.tier else None
    )
    # An override stands instead of the tier's steps, so nothing is trued up either.
    case.bases[rule.rule_id] = worked.base_minor if worked.level == "program" else 0
    told = (reached.received_at, worked.told_at, case.deal.returned_at)
    return Worth(
        occurrence=occurrence,
        worked=worked,
        raise_release_at=max(at for at in told if at) + timedelta(days=rule.hold_days),
    )


def _check_limit(rule: Rule, occurrence: Occurrence) -> None:
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

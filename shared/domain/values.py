"""Work out what a rule's value comes to for one occurrence, before caps and shares.

Order: table, override, tier, base, refund policy; one rounding at the end, half up.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from decimal import ROUND_HALF_UP, Decimal, localcontext
from typing import Any, Final

from shared.domain.bases import Amounts
from shared.domain.conditions import Fields, pick
from shared.domain.deal import DEAL, INVOICE_PAID, Paid, Reached
from shared.domain.money import EXACT, MAX_MINOR, format_amount
from shared.domain.terms import (
    KEEP,
    PRO_RATA,
    Benefit,
    Condition,
    Fixed,
    Percent,
    Plain,
    Rule,
    Table,
)
from shared.domain.verdicts import DENIED, NOT_YET, Refusal

_YEAR: Final = 12


@dataclass(frozen=True, slots=True, kw_only=True)
class Worked:
    """A value worked out, with everything that explains it.

    ``base_minor`` is what a retroactive tier counts: the base of a percentage, or 1. ``told_at``
    is when we last heard of an amount that it rests on. ``refunded`` is the reason code when a
    refund took all of it.
    """

    total_minor: int
    base_minor: int
    figures: Mapping[str, str]
    facts: tuple[str, ...]
    level: str = "program"
    told_at: datetime | None = None
    benefit: Mapping[str, str] = field(default_factory=dict)
    worth_minor: int = 0
    refunded: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Base:
    amount: Decimal
    figures: dict[str, str]
    facts: tuple[str, ...]
    subjects: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Valuation:
    """Works out values of one referral.

    ``overrides`` are other rates by rule, with their level, and the fact of one that has its own.
    """

    amounts: Amounts
    fields: Fields
    overrides: Mapping[str, Mapping[str, Any]]

    def work_out(
        self, rule: Rule, reached: Reached, paid: Paid | None, position: int | None
    ) -> Worked:
        """Return what the rule's value comes to.

        Raises:
            Refusal: when a figure is missing, or no row of a table fits.
        """
        worked = self._worked(rule, reached, paid, position)
        told_by = self.overrides.get(rule.rule_id, {}).get("fact")
        return replace(worked, facts=(*worked.facts, told_by)) if told_by else worked

    def _worked(
        self, rule: Rule, reached: Reached, paid: Paid | None, position: int | None
    ) -> Worked:
        plain, level = self._plain(rule)
        figures: dict[str, str] = {}
        if position is not None and rule.tier and level == "program":
            figures["position"] = self._shown_position(rule, position)
            step = rule.tier.reached(position)
            if step:
                plain = _with_rate(plain, step.value)
        figures = self._condition_figures(rule) | figures
        if isinstance(plain, Benefit):
            return self._benefit(
                rule, plain, reached=reached, paid=paid, figures=figures, level=level
            )
        if isinstance(plain, Fixed):
            return self._fixed(
                rule, plain, reached=reached, paid=paid, figures=figures, level=level
            )
        return self._percent(plain, reached, paid, figures, level)

    def _plain(self, rule: Rule) -> tuple[Plain, str]:
        value = rule.value
        if isinstance(value, Table):
            found = pick(value, self.fields)
            if found is None:
                raise Refusal(DENIED, "no_table_row", field=value.field)
            value = found
        override = self.overrides.get(rule.rule_id)
        if not override:
            return value, "program"
        rate = override.get("percent")
        replaced = Decimal(str(rate)) if rate is not None else int(override["fixed_minor"])
        return _with_rate(value, replaced), str(override["level"])

    def _shown_position(self, rule: Rule, position: int) -> str:
        if rule.tier and rule.tier.by == "revenue":
            return format_amount(position, self.amounts.currency)
        return str(position)

    def _condition_figures(self, rule: Rule) -> dict[str, str]:
        members = rule.when.members if rule.when else ()
        names = [part.field for part in members if isinstance(part, Condition)]
        if isinstance(rule.value, Table):
            names.append(rule.value.field)
        found = {}
        for name in names:
            try:
                value = self.fields.read(name)
            except Refusal:
                continue
            shown = str(value)
            if name == "deal_amount":
                shown = format_amount(int(value), self.amounts.currency)
            found[name] = shown
        return found

    # -- the three shapes ---------------------------------------------------------------------

    def _benefit(
        self,
        rule: Rule,
        benefit: Benefit,
        *,
        reached: Reached,
        paid: Paid | None,
        figures: dict[str, str],
        level: str,
    ) -> Worked:
        part = self._kept_part(rule, paid)
        if part < 1 and rule.refund != KEEP:
            raise Refusal(DENIED, "refunded", (reached.fact_id,), **figures)
        if benefit.percent is not None:
            told = {"percent": str(benefit.percent)}
        else:
            told = {"quantity": str(benefit.quantity), "unit": benefit.unit}
        return Worked(
            total_minor=0,
            base_minor=1,
            figures=figures | told,
            facts=(reached.fact_id,),
            level=level,
            benefit=told,
            worth_minor=benefit.worth_minor,
        )

    def _fixed(
        self,
        rule: Rule,
        fixed: Fixed,
        *,
        reached: Reached,
        paid: Paid | None,
        figures: dict[str, str],
        level: str,
    ) -> Worked:
        part = self._kept_part(rule, paid)
        facts = [reached.fact_id]
        if "deal_amount" in figures and self.amounts.deal.amount:
            facts.append(self.amounts.deal.amount.fact_id)
        if part < 1:
            figures["kept_part"] = str(part.quantize(Decimal("0.0001"), rounding=ROUND_HALF_UP))
        return Worked(
            total_minor=_rounded(EXACT.multiply(fixed.amount_minor, part)),
            base_minor=1,
            figures=figures,
            facts=tuple(facts),
            level=level,
            told_at=self.amounts.last_received(_subject(paid)) if part < 1 else None,
            refunded="refunded" if part == 0 else "",
        )

    def _percent(
        self,
        percent: Percent,
        reached: Reached,
        paid: Paid | None,
        figures: dict[str, str],
        level: str,
    ) -> Worked:
        base = self._base(percent, paid)
        figures = figures | base.figures | {"percent": str(percent.percent)}
        with localcontext(EXACT):
            total = _rounded(base.amount * percent.percent / 100)
        if total > MAX_MINOR:
            raise Refusal(DENIED, "amount_too_large", base.facts)
        return Worked(
            total_minor=total,
            base_minor=_rounded(base.amount),
            figures=figures,
            facts=(reached.fact_id, *base.facts),
            level=level,
            told_at=self.amounts.last_received(*base.subjects),
            refunded="refunded" if base.amount == 0 and self.amounts.deal.refunds else "",
        )

    # -- bases and refunds --------------------------------------------------------------------

    def _base(self, percent: Percent, paid: Paid | None) -> _Base:
        if percent.base == "invoice_net" and paid:
            return self._invoice(paid)
        if percent.base == "first_invoice":
            first = self._first_invoice()
            if first is None:
                raise Refusal(NOT_YET, "no_invoice_yet")
            return self._invoice(first)
        if paid and paid.amount and paid.amount.subject.startswith("renewal:"):
            minor = max(self.amounts.minor(paid.amount), 0)
            return self._told("renewal_amount", minor, paid)
        deal = self._deal()
        if percent.base in {"first_year_value", "monthly_value"}:
            return self._per_month(percent, deal)
        return deal

    def _first_invoice(self) -> Paid | None:
        return min(
            self.amounts.deal.invoices,
            key=lambda row: (row.reached.occurred_at, row.reached.fact_id),
            default=None,
        )

    def _deal(self) -> _Base:
        minor = self.amounts.net_deal()
        amount = self.amounts.deal.amount
        figures = {"deal_amount": format_amount(self.amounts.gross_deal(), self.amounts.currency)}
        refunds = [row for row in self.amounts.deal.refunds if row.subject == DEAL]
        if refunds:
            refunded = self.amounts.refunded_of_deal()
            figures["refunded"] = format_amount(refunded, self.amounts.currency)
        told = [row.fact_id for row in (amount, *refunds) if row]
        return _Base(amount=Decimal(minor), figures=figures, facts=tuple(told), subjects=(DEAL,))

    def _invoice(self, paid: Paid) -> _Base:
        base = self._told("invoice_net", self.amounts.net_invoices()[paid.paid_id], paid)
        gross = self.amounts.gross_invoice(paid)
        if base.amount != gross:
            refunded = format_amount(gross - int(base.amount), self.amounts.currency)
            base.figures["refunded"] = refunded
        return replace(base, subjects=(*base.subjects, DEAL))

    def _told(self, name: str, minor: int, paid: Paid) -> _Base:
        return _Base(
            amount=Decimal(minor),
            figures={name: format_amount(minor, self.amounts.currency)},
            facts=(paid.amount.fact_id,) if paid.amount else (),
            subjects=(paid.amount.subject,) if paid.amount else (),
        )

    def _per_month(self, percent: Percent, deal: _Base) -> _Base:
        months = int(self.fields.read("contract_months"))
        if months <= 0:
            raise Refusal(NOT_YET, "field_missing", field="contract_months")
        wanted = percent.months if percent.base == "monthly_value" else min(months, _YEAR)
        with localcontext(EXACT):
            amount = deal.amount * wanted / months
            shown = deal.amount / months if percent.base == "monthly_value" else amount
        figures = deal.figures | {
            "contract_months": str(months),
            percent.base: format_amount(_rounded(shown), self.amounts.currency),
        }
        return replace(deal, amount=amount, figures=figures)

    def _kept_part(self, rule: Rule, paid: Paid | None) -> Decimal:
        """Return the part of a fixed reward that stays after refunds, from 0 to 1."""
        if rule.refund == KEEP or not self.amounts.deal.refunds:
            return Decimal(1)
        if paid is None and rule.milestone == INVOICE_PAID:
            paid = self._first_invoice()
        if paid and paid.amount and paid.amount.subject == f"invoice:{paid.paid_id}":
            gross = self.amounts.gross_invoice(paid)
            net = self.amounts.net_invoices()[paid.paid_id]
        elif self.amounts.deal.amount:
            gross, net = self.amounts.gross_deal(), self.amounts.net_deal()
        else:
            return Decimal(1)
        if net >= gross:
            return Decimal(1)
        with localcontext(EXACT):
            kept = Decimal(net) / Decimal(gross)
            if (1 - kept) * 100 < rule.refund_threshold:
                return Decimal(1)
        return kept if rule.refund == PRO_RATA else Decimal(0)


def _subject(paid: Paid | None) -> str:
    return paid.amount.subject if paid and paid.amount else DEAL


def _with_rate(value: Plain, rate: Decimal | int) -> Plain:
    """Replace a percentage or an amount; a benefit keeps its unit."""
    if isinstance(rate, int):
        return Fixed(amount_minor=rate) if not isinstance(value, Benefit) else value
    if isinstance(value, Percent):
        return replace(value, percent=rate)
    if isinstance(value, Benefit):
        return replace(value, percent=rate) if value.percent is not None else value
    return Percent(percent=rate, base="deal_amount")


def _rounded(amount: Decimal) -> int:
    return int(amount.to_integral_value(rounding=ROUND_HALF_UP))

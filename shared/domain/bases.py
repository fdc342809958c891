"""Amounts that values are taken of: converted to the ledger currency, less what was refunded.

* A refund of an invoice lowers that invoice only, never below zero.
* A refund of the deal lowers the deal's amount; over invoices it spreads pro rata to what remains
  of those paid up to the refund's time, by largest remainder.
* An amount that was told net of refunds is brought back to gross before anything looks at it.
* A rate is the sender's own, else the one that is pinned for the same subject and currency.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal

from shared.domain.deal import DEAL, Amount, Deal, Paid
from shared.domain.money import EXACT, MAX_MINOR, parse_decimal, split, to_minor
from shared.domain.news import News, news
from shared.domain.verdicts import DENIED, HELD, NOT_YET, Refusal


@dataclass(frozen=True, slots=True, kw_only=True)
class NeededRate:
    """A rate into the ledger currency that must be pinned before a rule can decide."""

    subject: str
    currency: str
    on: date


@dataclass(slots=True, kw_only=True)
class Amounts:
    """Reads amounts of one referral in the ledger currency.

    ``rates`` maps (subject, currency) to the pinned rate. What was asked for in vain is in
    ``needed``.
    """

    deal: Deal
    currency: str
    rates: Mapping[tuple[str, str], Decimal]
    needed: dict[tuple[str, str], NeededRate] = field(default_factory=dict)
    _net_invoices: dict[str, int] | None = None
    _refunded: int | None = None
    _heard: dict[str, datetime] | None = None

    def minor(self, amount: Amount, subject: str = "") -> int:
        """Return an amount in minor units of the ledger currency.

        ``subject`` is whose rate converts it: a refund uses the rate of what it refunds.

        Raises:
            Refusal: when there is no rate, or the amount can't be read.
        """
        return self._converted(_exact(amount), amount, subject or amount.subject)

    def _converted(self, value: Decimal, amount: Amount, subject: str) -> int:
        if amount.currency != self.currency:
            value = EXACT.multiply(value, self._rate(amount, subject))
        minor = to_minor(value, self.currency)
        if abs(minor) > MAX_MINOR:
            raise Refusal(DENIED, "amount_too_large", (amount.fact_id,))
        return minor

    def _rate(self, amount: Amount, subject: str) -> Decimal:
        sale = self._sale(subject)
        if sale and sale.currency == amount.currency:
            # Else a whole refund at another day's rate would leave a rest, or take too much.
            amount = sale
        own = parse_decimal(amount.rate)
        if own is not None and own > 0:
            return own
        told = self.deal.rates.get((subject, amount.currency))
        if told is not None:
            return told
        pinned = self.rates.get((subject, amount.currency))
        if pinned is not None:
            return pinned
        self.needed.setdefault(
            (subject, amount.currency),
            NeededRate(subject=subject, currency=amount.currency, on=amount.occurred_at.date()),
        )
        raise Refusal(
            HELD,
            "fx_rate_missing",
            (amount.fact_id,),
            amount=amount.text,
            amount_currency=amount.currency,
            ledger_currency=self.currency,
        )

    def _sale(self, subject: str) -> Amount | None:
        if subject == DEAL:
            return self.deal.amount
        return next(
            (row.amount for row in self.deal.invoices if f"invoice:{row.paid_id}" == subject), None
        )

    def gross_deal(self) -> int:
        """Return the deal's latest gross amount.

        Raises:
            Refusal: when nobody told it yet.
        """
        amount = self.deal.amount
        if amount is None:
            raise Refusal(NOT_YET, "amount_missing")
        value, beside = _exact(amount), 0
        for refund in self.deal.taken_off:
            if refund.currency == amount.currency:
                # Before it is converted: rounding must not tell net and gross apart.
                value = EXACT.add(value, _exact(refund))
            else:
                beside += self.minor(refund, DEAL)
        return self._converted(value, amount, DEAL) + beside

    def refunded_of_deal(self) -> int:
        """Return what was refunded of the deal as a whole."""
        if self._refunded is None:
            self._refunded = self._sum_of_deal(self.deal.refunds)
        return self._refunded

    def _sum_of_deal(self, refunds: Iterable[Amount]) -> int:
        return sum(self.minor(refund, DEAL) for refund in refunds if refund.subject == DEAL)

    def net_deal(self) -> int:
        """Return the deal's amount less its refunds, never below zero."""
        return max(self.gross_deal() - self.refunded_of_deal(), 0)

    def net_invoices(self) -> dict[str, int]:
        """Return what remains of each invoice after all refunds, by invoice id."""
        # Every occurrence asks; a referral may have a thousand invoices.
        if self._net_invoices is None:
            self._net_invoices = self._refunded_invoices()
        return self._net_invoices

    def _refunded_invoices(self) -> dict[str, int]:
        left = {paid.paid_id: self.gross_invoice(paid) for paid in self.deal.invoices}
        self._take_off(self.deal.refunds, left)
        return left

    def _take_off(self, refunds: Iterable[Amount], left: dict[str, int]) -> None:
        for refund in refunds:
            kind, _, invoice_id = refund.subject.partition(":")
            if kind == DEAL:
                self._spread(refund, left)
            elif invoice_id in left:
                left[invoice_id] = max(left[invoice_id] - self.minor(refund), 0)

    def follow(self, before: "Amounts") -> News | None:
        """Carry on what was worked out before later facts came, and return what they tell.

        None if they may tell of anything: then all is worked out anew.
        """
        told = news(before.deal, self.deal) if self.rates == before.rates else None
        if told is None:
            return None
        try:
            self._net_invoices = self._net_after(before, told)
            self._refunded = before.refunded_of_deal() + self._sum_of_deal(told.refunds)
        except Refusal:
            return None
        self._heard = dict(before.heard())
        for subject, row in told.rows.items():
            self._heard.pop(subject, None)
            own = (refund for refund in before.deal.refunds if refund.subject == subject)
            _hear(self._heard, (row.amount, *own))
        _hear(self._heard, told.refunds)
        return told

    def _net_after(self, before: "Amounts", told: News) -> dict[str, int]:
        fresh = {row.paid_id: self.gross_invoice(row) for row in told.invoices.values()}
        left = before.net_invoices() | fresh
        own = (row for row in before.deal.refunds if row.subject in told.invoices)
        self._take_off(own, left)
        self._take_off(told.refunds, left)
        return left

    def gross_invoice(self, paid: Paid) -> int:
        """Return an invoice's latest net amount as it was paid."""
        return max(self.minor(paid.amount), 0) if paid.amount else 0

    def _spread(self, refund: Amount, left: dict[str, int]) -> None:
        open_ids = [
            paid.paid_id
            for paid in self.deal.invoices
            if paid.reached.occurred_at <= refund.occurred_at and left[paid.paid_id]
        ]
        remaining = [left[paid_id] for paid_id in open_ids]
        total = min(self.minor(refund, DEAL), sum(remaining))
        if total > 0:
            for paid_id, part in zip(open_ids, split(total, remaining), strict=True):
                left[paid_id] -= part

    def last_received(self, *subjects: str) -> datetime | None:
        """Return when we last heard of an amount or refund of any of these subjects."""
        heard = self.heard()
        found = (heard.get(subject) for subject in subjects)
        return max((moment for moment in found if moment), default=None)

    def heard(self) -> Mapping[str, datetime]:
        """Return when we last heard of an amount or refund of each subject."""
        if self._heard is None:
            rows = (*self.deal.invoices, *self.deal.renewals)
            self._heard = {}
            _hear(self._heard, (self.deal.amount, *(row.amount for row in rows)))
            _hear(self._heard, self.deal.refunds)
        return self._heard


def _hear(newest: dict[str, datetime], told: Iterable[Amount | None]) -> None:
    for amount in told:
        if amount:
            known = newest.get(amount.subject, amount.received_at)
            newest[amount.subject] = max(known, amount.received_at)


def _exact(amount: Amount) -> Decimal:
    value = parse_decimal(amount.text)
    if value is None:
        raise Refusal(NOT_YET, "amount_missing", (amount.fact_id,))
    return value

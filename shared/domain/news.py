"""What later facts tell of a deal's invoices, renewals and refunds, if they tell no more."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

from shared.domain.deal import DEAL, Amount, Deal, Paid


@dataclass(frozen=True, slots=True, kw_only=True)
class News:
    """Rows that are new or differ, by subject, and refunds that occurred after those before.

    ``is_in_order`` says that what was there before kept its place among the rows, and
    ``first_refund`` that nothing was refunded before.
    """

    invoices: Mapping[str, Paid]
    renewals: Mapping[str, Paid]
    refunds: tuple[Amount, ...]
    is_in_order: bool
    first_refund: bool

    @property
    def keys(self) -> Collection[str] | None:
        """Return the subjects that alone may be worth another amount, or None if any may."""
        if self.first_refund or any(refund.subject == DEAL for refund in self.refunds):
            return None
        return {*self.invoices, *self.renewals, *(refund.subject for refund in self.refunds)}

    @property
    def rows(self) -> Mapping[str, Paid]:
        """Return invoices and renewals."""
        return {**self.invoices, **self.renewals}


def news(old: Deal, new: Deal) -> News | None:
    """Return what is new, or None if it changes what amounts of other invoices come to.

    That is so when rows or refunds vanished, when a rate or the deal's amount changed, and when a
    refund of the deal that was there before falls on a row that is new.
    """
    seen = len(old.refunds)
    if old.amount != new.amount or new.refunds[:seen] != old.refunds:
        return None
    invoices = _fresh("invoice", old.invoices, new.invoices)
    renewals = _fresh("renewal", old.renewals, new.renewals)
    if invoices is None or renewals is None:
        return None
    rates = {subject for (subject, _), _ in old.rates.items() ^ new.rates.items()}
    spread = [refund.occurred_at for refund in old.refunds if refund.subject == DEAL]
    falls_on = (
        row for row in invoices.values() if spread and row.reached.occurred_at <= spread[-1]
    )
    if rates - invoices.keys() - renewals.keys() or any(falls_on):
        return None
    return News(
        invoices=invoices,
        renewals=renewals,
        refunds=new.refunds[seen:],
        first_refund=bool(new.refunds) and not seen,
        is_in_order=_begins_with(new.invoices, old.invoices)
        and _begins_with(new.renewals, old.renewals),
    )


def _fresh(kind: str, old: Iterable[Paid], new: Iterable[Paid]) -> dict[str, Paid] | None:
    known = {row.paid_id: row for row in old}
    fresh = {}
    for row in new:
        before = known.pop(row.paid_id, None)
        if before is not row and before != row:
            fresh[f"{kind}:{row.paid_id}"] = row
    return None if known else fresh


def _begins_with(new: Sequence[Paid], old: Sequence[Paid]) -> bool:
    return len(new) >= len(old) and all(
        before is after or before.reached == after.reached
        for before, after in zip(old, new, strict=False)
    )

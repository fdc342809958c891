"""Fold a referral's facts into what holds now: review, milestones, amount.

The fold walks the facts by event time, so the order of arrival changes nothing.

* Entering a stage of rank r takes back the deal's milestones of higher rank.
* A stage with outcome ``lost`` takes back the milestones marked so: by default ``won`` and all
  that rank above it.
* A milestone implied by another is latched at the event time of the one that implies it, with
  its own rank, so that a skipped path and the full path end alike.
* Review and manual milestones stand apart from the deal's: a stage change never takes them back.
* A deal that was deleted holds no milestones until it is restored.
* A referral whose deal another one took over keeps its submission and acceptance, and no more.
* The sender's own rate for a deal or an invoice stands for what is told of it later without one.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from decimal import Decimal
from typing import Final

from shared.domain import facts as kinds
from shared.domain import referrals
from shared.domain.facts import Fact
from shared.domain.implied import closure
from shared.domain.money import parse_decimal
from shared.domain.sources import NET
from shared.domain.terms import Terms
from shared.domain.whole_deals import WHOLE_DEALS, end_of, taken_by

SUBMITTED: Final = "submitted"
ACCEPTED: Final = "accepted"
WON: Final = "won"
INVOICE_PAID: Final = "invoice_paid"
RENEWED: Final = "renewed"
DEAL: Final = "deal"


@dataclass(frozen=True, slots=True, kw_only=True)
class Reached:
    """A milestone that holds: since when, and the fact that says so."""

    milestone: str
    occurred_at: datetime
    received_at: datetime
    fact_id: str
    rank: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Amount:
    """An amount as the sender wrote it. ``subject`` is ``deal`` or ``invoice:<id>``.

    ``rate`` is the sender's own rate into the ledger currency, or "".
    """

    subject: str
    text: str
    currency: str
    occurred_at: datetime
    received_at: datetime
    fact_id: str
    rate: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Paid:
    """An invoice or a renewal: when it first came, and its latest amount (None: none told)."""

    paid_id: str
    reached: Reached
    amount: Amount | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Deal:
    """What holds now. ``left`` maps milestones that no longer hold to the fact that ended them.

    ``refunds`` are refunds and standing chargebacks in the order they occurred; the ``subject``
    of each says what it is of. ``taken_off`` are those that the deal's amount is net of already.
    ``rates`` are the sender's own by (subject, currency): the last that came with an amount.
    ``holds`` are the reasons that a person gave to hold rewards.
    ``returned_at`` is when we last heard something that gives back what was taken: an acceptance,
    a restored deal, a reversed chargeback.
    """

    review: str
    milestones: Mapping[str, Reached]
    left: Mapping[str, str]
    amount: Amount | None
    stage: Fact | None
    fields: Mapping[str, str | int] = field(default_factory=dict)
    invoices: tuple[Paid, ...] = ()
    renewals: tuple[Paid, ...] = ()
    refunds: tuple[Amount, ...] = ()
    taken_off: tuple[Amount, ...] = ()
    rates: Mapping[tuple[str, str], Decimal] = field(default_factory=dict)
    holds: tuple[str, ...] = ()
    grade: str = ""
    returned_at: datetime | None = None


@dataclass(slots=True, kw_only=True)
class Folding:
    """What holds after the facts so far, which must be added in order, each once."""

    terms: Terms
    review: str = ""
    on_deal: dict[str, Reached] = field(default_factory=dict)
    beside: dict[str, Reached] = field(default_factory=dict)
    left: dict[str, str] = field(default_factory=dict)
    stage: Fact | None = None
    amount: Fact | None = None
    currency: Fact | None = None
    fields: dict[str, str | int] = field(default_factory=dict)
    invoices: dict[str, Paid] = field(default_factory=dict)
    renewals: dict[str, Paid] = field(default_factory=dict)
    rates: dict[tuple[str, str], Decimal] = field(default_factory=dict)
    refunds: list[tuple[str, Amount]] = field(default_factory=list)
    reversals: dict[str, datetime] = field(default_factory=dict)
    holds: dict[str, str] = field(default_factory=dict)
    grade: str = ""
    returned_at: datetime | None = None
    whole: list[Fact] = field(default_factory=list)

    def add(self, ordered: Iterable[Fact]) -> None:
        """Take in facts that follow those before."""
        for fact in ordered:
            handle = _HANDLERS.get(fact.kind)
            if handle:
                handle(self, fact, self.terms)

    def deal(self) -> Deal:
        """Return what holds so far; more facts may follow."""
        on_deal, beside, left = dict(self.on_deal), dict(self.beside), dict(self.left)
        end, taken = end_of(self.whole), taken_by(self.whole)
        if end:
            _leave(on_deal, tuple(on_deal), end, left)
        if taken:
            for group in (on_deal, beside):
                _leave(group, group.keys() - {SUBMITTED, ACCEPTED}, taken, left)
        return Deal(
            review=self.review or referrals.SUBMITTED,
            milestones=_earliest(on_deal, beside),
            left={
                name: fact_id
                for name, fact_id in left.items()
                if name not in on_deal and name not in beside
            },
            amount=_deal_amount(self),
            stage=self.stage,
            fields=dict(self.fields),
            invoices=() if taken else tuple(self.invoices.values()),
            renewals=() if taken else tuple(self.renewals.values()),
            refunds=_standing(self),
            taken_off=_taken_off(self),
            rates=dict(self.rates),
            holds=tuple(sorted(self.holds.values())),
            grade=self.grade,
            returned_at=self.returned_at,
        )


def fold(ordered: Iterable[Fact], terms: Terms) -> Deal:
    """Return what holds after ``ordered``, which must come from ``facts.in_order``."""
    folding = Folding(terms=terms)
    folding.add(ordered)
    return folding.deal()


def _submitted(state: Folding, fact: Fact, _terms: Terms) -> None:
    # A decision stands, even if it was taken in the same moment or by a clock that is behind.
    state.review = state.review or str(fact.data.get("review", referrals.SUBMITTED))
    _latch(state.beside, SUBMITTED, fact, rank=0)


def _review_decided(state: Folding, fact: Fact, _terms: Terms) -> None:
    state.review = str(fact.data["state"])
    if state.review == referrals.ACCEPTED:
        _latch(state.beside, ACCEPTED, fact, rank=0)
        _return(state, fact)
    elif ACCEPTED in state.beside:
        del state.beside[ACCEPTED]
        state.left[ACCEPTED] = fact.fact_id


def _milestone_reached(state: Folding, fact: Fact, terms: Terms) -> None:
    _reach(state, str(fact.data["milestone"]), fact, terms)


def _reach(state: Folding, milestone: str, fact: Fact, terms: Terms) -> None:
    for name in closure(milestone, terms):
        _latch(state.beside, name, fact, rank=0)


def _amount_set(state: Folding, fact: Fact, _terms: Terms) -> None:
    state.amount = fact
    _keep_rate(state, DEAL, fact)


def _currency_set(state: Folding, fact: Fact, _terms: Terms) -> None:
    state.currency = fact


def _field_set(state: Folding, fact: Fact, _terms: Terms) -> None:
    state.fields[str(fact.data["name"])] = fact.data["value"]


def _invoice_paid(state: Folding, fact: Fact, terms: Terms) -> None:
    invoice_id = str(fact.data["invoice_id"])
    amount = _told(fact, f"invoice:{invoice_id}", "amount_net")
    _keep_rate(state, amount.subject, fact)
    _keep_paid(state.invoices, invoice_id, fact, amount)
    _reach(state, INVOICE_PAID, fact, terms)


def _renewed(state: Folding, fact: Fact, terms: Terms) -> None:
    renewal_id = str(fact.data["renewal_id"])
    amount = _told(fact, f"renewal:{renewal_id}", "amount") if fact.data.get("amount") else None
    if amount:
        _keep_rate(state, amount.subject, fact)
    _keep_paid(state.renewals, renewal_id, fact, amount)
    _reach(state, RENEWED, fact, terms)


def _refunded(state: Folding, fact: Fact, _terms: Terms) -> None:
    state.refunds.append((_taking_key(fact), _told(fact, str(fact.data["of"]), "amount")))


def _chargeback_reversed(state: Folding, fact: Fact, _terms: Terms) -> None:
    state.reversals.setdefault(_taking_key(fact), fact.occurred_at)
    _return(state, fact)


def _taking_key(fact: Fact) -> str:
    if fact.kind == kinds.REFUNDED:
        return f"refund:{fact.data['refund_id']}"
    return f"chargeback:{fact.data['chargeback_id']}"


def _whole_deal(state: Folding, fact: Fact, _terms: Terms) -> None:
    state.whole.append(fact)
    if fact.kind == kinds.DEAL_RESTORED:
        _return(state, fact)


def _return(state: Folding, fact: Fact) -> None:
    state.returned_at = max(fact.received_at, state.returned_at or fact.received_at)


def _regraded(state: Folding, fact: Fact, _terms: Terms) -> None:
    state.grade = str(fact.data["grade"])


def _hold_placed(state: Folding, fact: Fact, _terms: Terms) -> None:
    state.holds[str(fact.data["hold_id"])] = fact.fact_id


def _hold_released(state: Folding, fact: Fact, _terms: Terms) -> None:
    state.holds.pop(str(fact.data["hold_id"]), None)


def _keep_paid(into: dict[str, Paid], paid_id: str, fact: Fact, amount: Amount | None) -> None:
    known = into.get(paid_id)
    reached = known.reached if known else _reached(paid_id, fact, rank=0)
    latest = amount or (known.amount if known else None)
    into[paid_id] = Paid(paid_id=paid_id, reached=reached, amount=latest)


def _keep_rate(state: Folding, subject: str, fact: Fact) -> None:
    rate = parse_decimal(fact.data.get("rate"))
    if rate is not None and rate > 0:
        state.rates[subject, _currency(fact)] = rate


def _standing(state: Folding, at: datetime | None = None) -> tuple[Amount, ...]:
    """Return the refunds and chargebacks that stand, or stood at a moment, as they occurred."""
    # Told again, the last word counts.
    standing = {
        key: amount for key, amount in state.refunds if at is None or amount.occurred_at <= at
    }
    for key, reversed_at in state.reversals.items():
        if at is None or reversed_at <= at:
            standing.pop(key, None)
    return tuple(sorted(standing.values(), key=lambda row: (row.occurred_at, row.fact_id)))


def _taken_off(state: Folding) -> tuple[Amount, ...]:
    if state.amount is None or state.amount.data.get("amount_is") != NET:
        return ()
    standing = _standing(state, state.amount.occurred_at)
    return tuple(refund for refund in standing if refund.subject == DEAL)


def _told(fact: Fact, subject: str, name: str) -> Amount:
    return Amount(
        subject=subject,
        text=str(fact.data[name]),
        currency=_currency(fact),
        occurred_at=fact.occurred_at,
        received_at=fact.received_at,
        fact_id=fact.fact_id,
        rate=str(fact.data.get("rate") or ""),
    )


def _currency(fact: Fact) -> str:
    return str(fact.data.get("currency") or fact.data.get("default_currency") or "")


def _enter(state: Folding, fact: Fact, terms: Terms) -> None:
    rank = int(fact.data["rank"])
    ladder: Mapping[str, int] = fact.data.get("ladder", {})
    if fact.data["outcome"] == "lost":
        ended = [name for name in state.on_deal if _ends_when_lost(name, ladder, terms, state)]
    else:
        ended = [name for name, reached in state.on_deal.items() if reached.rank > rank]
    _leave(state.on_deal, ended, fact, state.left)
    milestone = str(fact.data.get("milestone") or "")
    if milestone:
        for name in closure(milestone, terms):
            own_rank = rank if name == milestone else int(ladder.get(name, rank))
            _latch(state.on_deal, name, fact, rank=own_rank)
    state.stage = fact


def _leave(group: dict[str, Reached], names: Iterable[str], by: Fact, left: dict[str, str]) -> None:
    for name in names:
        del group[name]
        left[name] = by.fact_id


def _ends_when_lost(name: str, ladder: Mapping[str, int], terms: Terms, state: Folding) -> bool:
    if terms.retract_on_lost is not None:
        return name in terms.retract_on_lost
    won_rank = ladder.get(WON)
    return name == WON or (won_rank is not None and state.on_deal[name].rank >= won_rank)


def _latch(into: dict[str, Reached], name: str, fact: Fact, *, rank: int) -> None:
    """Keep the first time: reporting a stage again does not move its date."""
    if name not in into:
        into[name] = _reached(name, fact, rank=rank)


def _reached(name: str, fact: Fact, *, rank: int) -> Reached:
    return Reached(
        milestone=name,
        occurred_at=fact.occurred_at,
        received_at=fact.received_at,
        fact_id=fact.fact_id,
        rank=rank,
    )


def _earliest(*groups: Mapping[str, Reached]) -> dict[str, Reached]:
    result: dict[str, Reached] = {}
    for group in groups:
        for name, reached in group.items():
            known = result.get(name)
            if known is None or (reached.occurred_at, reached.fact_id) < (
                known.occurred_at,
                known.fact_id,
            ):
                result[name] = reached
    return result


def _deal_amount(state: Folding) -> Amount | None:
    fact = state.amount
    if fact is None:
        return None
    told = _told(fact, DEAL, "amount")
    if not fact.data.get("currency") and state.currency is not None:
        return replace(told, currency=str(state.currency.data["currency"]))
    return told


_Handler = Callable[[Folding, Fact, Terms], None]

_HANDLERS: Final[Mapping[str, _Handler]] = {
    kinds.SUBMITTED: _submitted,
    kinds.REVIEW_DECIDED: _review_decided,
    kinds.MILESTONE_REACHED: _milestone_reached,
    kinds.STAGE_ENTERED: _enter,
    kinds.AMOUNT_SET: _amount_set,
    kinds.CURRENCY_SET: _currency_set,
    kinds.FIELD_SET: _field_set,
    kinds.INVOICE_PAID: _invoice_paid,
    kinds.RENEWED: _renewed,
    kinds.REFUNDED: _refunded,
    kinds.CHARGED_BACK: _refunded,
    kinds.CHARGEBACK_REVERSED: _chargeback_reversed,
    **dict.fromkeys(WHOLE_DEALS, _whole_deal),
    kinds.REGRADED: _regraded,
    kinds.HOLD_PLACED: _hold_placed,
    kinds.HOLD_RELEASED: _hold_released,
}

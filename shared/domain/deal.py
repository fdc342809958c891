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
from shared.domain.money import parse_decimal
from shared.domain.sources import NET
from shared.domain.terms import Terms
from shared.domain.whole_deals import end_of, taken_by

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


@dataclass(slots=True, kw_only=True)
class _Fold:
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


def fold(ordered: Iterable[Fact], terms: Terms) -> Deal:
    """Return what holds after ``ordered``, which must come from ``facts.in_order``."""
    state = _Fold()
    known = tuple(ordered)
    for fact in known:
        _apply(state, fact, terms)
    end = end_of(known)
    if end:
        _leave(state.on_deal, tuple(state.on_deal), end, state)
    taken = taken_by(known)
    if taken:
        for group in (state.on_deal, state.beside):
            _leave(group, group.keys() - {SUBMITTED, ACCEPTED}, taken, state)
        state.invoices, state.renewals = {}, {}
    return Deal(
        review=state.review or referrals.SUBMITTED,
        milestones=_earliest(state.on_deal, state.beside),
        left={
            name: fact_id
            for name, fact_id in state.left.items()
            if name not in state.on_deal and name not in state.beside
        },
        amount=_deal_amount(state),
        stage=state.stage,
        fields=state.fields,
        invoices=tuple(state.invoices.values()),
        renewals=tuple(state.renewals.values()),
        refunds=_standing(state),
        taken_off=_taken_off(state),
        rates=state.rates,
        holds=tuple(sorted(state.holds.values())),
        grade=state.grade,
        returned_at=state.returned_at,
    )


def _apply(state: _Fold, fact: Fact, terms: Terms) -> None:
    handle = _HANDLERS.get(fact.kind)
    if handle:
        handle(state, fact, terms)


def _submitted(state: _Fold, fact: Fact, _terms: Terms) -> None:
    # A decision stands, even if it was taken in the same moment or by a clock that is behind.
    state.review = state.review or str(fact.data.get("review", referrals.SUBMITTED))
    _latch(state.beside, SUBMITTED, fact, rank=0)


def _review_decided(state: _Fold, fact: Fact, _terms: Terms) -> None:
    state.review = str(fact.data["state"])
    if state.review == referrals.ACCEPTED:
        _latch(state.beside, ACCEPTED, fact, rank=0)
        _return(state, fact)
    elif ACCEPTED in state.beside:
        del state.beside[ACCEPTED]
        state.left[ACCEPTED] = fact.fact_id


def _milestone_reached(state: _Fold, fact: Fact, terms: Terms) -> None:
    for name in closure(str(fact.data["milestone"]), terms):
        _latch(state.beside, name, fact, rank=0)


def _amount_set(state: _Fold, fact: Fact, _terms: Terms) -> None:
    state.amount = fact
    _keep_rate(state, DEAL, fact)


def _currency_set(state: _Fold, fact: Fact, _terms: Terms) -> None:
    state.currency = fact


def _field_set(state: _Fold, fact: Fact, _terms: Terms) -> None:
    state.fields[str(fact.data["name"])] = fact.data["value"]


def _invoice_paid(state: _Fold, fact: Fact, terms: Terms) -> None:
    invoice_id = str(fact.data["invoice_id"])
    amount = _told(fact, f"invoice:{invoice_id}", "amount_net")
    _keep_rate(state, amount.subject, fact)
    _keep_paid(state.invoices, invoice_id, fact, amount)
    for name in closure(INVOICE_PAID, terms):
        _latch(state.beside, name, fact, rank=0)


def _renewed(state: _Fold, fact: Fact, terms: Terms) -> None:
    renewal_id = str(fact.data["renewal_id"])
    amount = _told(fact, f"renewal:{renewal_id}", "amount") if fact.data.get("amount") else None
    if amount:
        _keep_rate(state, amount.subject, fact)
    _keep_paid(state.renewals, renewal_id, fact, amount)
    for name in closure(RENEWED, terms):
        _latch(state.beside, name, fact, rank=0)


def _refunded(state: _Fold, fact: Fact, _terms: Terms) -> None:
    key = f"refund:{fact.data['refund_id']}"
    state.refunds.append((key, _told(fact, str(fact.data["of"]), "amount")))


def _charged_back(state: _Fold, fact: Fact, _terms: Terms) -> None:
    key = f"chargeback:{fact.data['chargeback_id']}"
    state.refunds.append((key, _told(fact, str(fact.data["of"]), "amount")))


def _chargeback_reversed(state: _Fold, fact: Fact, _terms: Terms) -> None:
    state.reversals.setdefault(f"chargeback:{fact.data['chargeback_id']}", fact.occurred_at)
    _return(state, fact)


def _deal_restored(state: _Fold, fact: Fact, _terms: Terms) -> None:
    _return(state, fact)


def _return(state: _Fold, fact: Fact) -> None:
    state.returned_at = max(fact.received_at, state.returned_at or fact.received_at)


def _regraded(state: _Fold, fact: Fact, _terms: Terms) -> None:
    state.grade = str(fact.data["grade"])


def _hold_placed(state: _Fold, fact: Fact, _terms: Terms) -> None:
    state.holds[str(fact.data["hold_id"])] = fact.fact_id


def _hold_released(state: _Fold, fact: Fact, _terms: Terms) -> None:
    state.holds.pop(str(fact.data["hold_id"]), None)


def _keep_paid(into: dict[str, Paid], paid_id: str, fact: Fact, amount: Amount | None) -> None:
    known = into.get(paid_id)
    reached = known.reached if known else _reached(paid_id, fact, rank=0)
    latest = amount or (known.amount if known else None)
    into[paid_id] = Paid(paid_id=paid_id, reached=reached, amount=latest)


def _keep_rate(state: _Fold, subject: str, fact: Fact) -> None:
    rate = parse_decimal(fact.data.get("rate"))
    if rate is not None and rate > 0:
        state.rates[subject, _currency(fact)] = rate


def _standing(state: _Fold, at: datetime | None = None) -> tuple[Amount, ...]:
    """Return the refunds and chargebacks that stand, or stood at a moment, as they occurred."""
    # Told again, the last word counts.
    standing = {
        key: amount for key, amount in state.refunds if at is None or amount.occurred_at <= at
    }
    for key, reversed_at in state.reversals.items():
        if at is None or reversed_at <= at:
            standing.pop(key, None)
    return tuple(sorted(standing.values(), key=lambda row: (row.occurred_at, row.fact_id)))


def _taken_off(state: _Fold) -> tuple[Amount, ...]:
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


def _enter(state: _Fold, fact: Fact, terms: Terms) -> None:
    rank = int(fact.data["rank"])
    ladder: Mapping[str, int] = fact.data.get("ladder", {})
    if fact.data["outcome"] == "lost":
        ended = [name for name in state.on_deal if _ends_when_lost(name, ladder, terms, state)]
    else:
        ended = [name for name, reached in state.on_deal.items() if reached.rank > rank]
    _leave(state.on_deal, ended, fact, state)
    milestone = str(fact.data.get("milestone") or "")
    if milestone:
        for name in closure(milestone, terms):
            own_rank = rank if name == milestone else int(ladder.get(name, rank))
            _latch(state.on_deal, name, fact, rank=own_rank)
    state.stage = fact


def _leave(group: dict[str, Reached], names: Iterable[str], by: Fact, state: _Fold) -> None:
    for name in names:
        del group[name]
        state.left[name] = by.fact_id


def _ends_when_lost(name: str, ladder: Mapping[str, int], terms: Terms, state: _Fold) -> bool:
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


def closure(milestone: str, terms: Terms) -> list[str]:
    """Return the milestone and all that it implies, directly or not."""
    found = [milestone]
    for name in found:
        found += [implied for implied in terms.implies.get(name, ()) if implied not in found]
    return found


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


def _deal_amount(state: _Fold) -> Amount | None:
    fact = state.amount
    if fact is None:
        return None
    told = _told(fact, DEAL, "amount")
    if not fact.data.get("currency") and state.currency is not None:
        return replace(told, currency=str(state.currency.data["currency"]))
    return told


_Handler = Callable[[_Fold, Fact, Terms], None]

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
    kinds.CHARGED_BACK: _charged_back,
    kinds.CHARGEBACK_REVERSED: _chargeback_reversed,
    kinds.DEAL_RESTORED: _deal_restored,
    kinds.REGRADED: _regraded,
    kinds.HOLD_PLACED: _hold_placed,
    kinds.HOLD_RELEASED: _hold_released,
}

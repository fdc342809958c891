"""Fold a referral's facts into what holds now: review, milestones, amount.

The fold walks the facts by event time, so the order of arrival changes nothing.

* Entering a stage of rank r takes back the deal's milestones of higher rank.
* A stage with outcome ``lost`` takes back the milestones marked so: by default ``won`` and all
  that rank above it.
* A milestone implied by another is latched at the event time of the one that implies it, with
  its own rank, so that a skipped path and the full path end alike.
* Review and manual milestones stand apart from the deal's: a stage change never takes them back.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from shared.domain import facts as kinds
from shared.domain import referrals
from shared.domain.facts import Fact
from shared.domain.terms import Terms

SUBMITTED: Final = "submitted"
ACCEPTED: Final = "accepted"
WON: Final = "won"


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
    """The deal's latest gross amount as the sender wrote it."""

    text: str
    currency: str
    received_at: datetime
    fact_id: str


@dataclass(slots=True, kw_only=True)
class _Fold:
    review: str = referrals.SUBMITTED
    on_deal: dict[str, Reached] = field(default_factory=dict)
    beside: dict[str, Reached] = field(default_factory=dict)
    left: dict[str, str] = field(default_factory=dict)
    stage: Fact | None = None
    amount: Fact | None = None
    currency: Fact | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Deal:
    """What holds now. ``left`` maps milestones that no longer hold to the fact that ended them."""

    review: str
    milestones: Mapping[str, Reached]
    left: Mapping[str, str]
    amount: Amount | None
    stage: Fact | None

    def mirror(self) -> dict[str, str]:
        """Return the deal's present state for lists and people."""
        data = self.stage.data if self.stage else {}
        return {
            "stage": str(data.get("stage", "")),
            "outcome": str(data.get("outcome", "")),
            "amount": self.amount.text if self.amount else "",
            "currency": self.amount.currency if self.amount else "",
        }


def fold(ordered: Iterable[Fact], terms: Terms) -> Deal:
    """Return what holds after ``ordered``, which must come from ``facts.in_order``."""
    state = _Fold()
    for fact in ordered:
        _apply(state, fact, terms)
    return Deal(
        review=state.review,
        milestones=_earliest(state.on_deal, state.beside),
        left={
            name: fact_id
            for name, fact_id in state.left.items()
            if name not in state.on_deal and name not in state.beside
        },
        amount=_amount(state),
        stage=state.stage,
    )


def _apply(state: _Fold, fact: Fact, terms: Terms) -> None:
    match fact.kind:
        case kinds.SUBMITTED:
            state.review = str(fact.data.get("review", referrals.SUBMITTED))
            _latch(state.beside, SUBMITTED, fact, rank=0)
        case kinds.REVIEW_DECIDED:
            state.review = str(fact.data["state"])
            if state.review == referrals.ACCEPTED:
                _latch(state.beside, ACCEPTED, fact, rank=0)
            elif ACCEPTED in state.beside:
                del state.beside[ACCEPTED]
                state.left[ACCEPTED] = fact.fact_id
        case kinds.MILESTONE_REACHED:
            for name in _closure(str(fact.data["milestone"]), terms):
                _latch(state.beside, name, fact, rank=0)
        case kinds.STAGE_ENTERED:
            _enter(state, fact, terms)
        case kinds.AMOUNT_SET:
            state.amount = fact
        case kinds.CURRENCY_SET:
            state.currency = fact


def _enter(state: _Fold, fact: Fact, terms: Terms) -> None:
    rank = int(fact.data["rank"])
    ladder: Mapping[str, int] = fact.data.get("ladder", {})
    if fact.data["outcome"] == "lost":
        ended = [name for name in state.on_deal if _ends_when_lost(name, ladder, terms, state)]
    else:
        ended = [name for name, reached in state.on_deal.items() if reached.rank > rank]
    for name in ended:
        del state.on_deal[name]
        state.left[name] = fact.fact_id
    milestone = str(fact.data.get("milestone") or "")
    if milestone:
        for name in _closure(milestone, terms):
            own_rank = rank if name == milestone else int(ladder.get(name, rank))
            _latch(state.on_deal, name, fact, rank=own_rank)
    state.stage = fact


def _ends_when_lost(name: str, ladder: Mapping[str, int], terms: Terms, state: _Fold) -> bool:
    if terms.retract_on_lost is not None:
        return name in terms.retract_on_lost
    won_rank = ladder.get(WON)
    return name == WON or (won_rank is not None and state.on_deal[name].rank >= won_rank)


def _latch(into: dict[str, Reached], name: str, fact: Fact, *, rank: int) -> None:
    """Keep the first time: reporting a stage again does not move its date."""
    if name not in into:
        into[name] = Reached(
            milestone=name,
            occurred_at=fact.occurred_at,
            received_at=fact.received_at,
            fact_id=fact.fact_id,
            rank=rank,
        )


def _closure(milestone: str, terms: Terms) -> list[str]:
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


def _amount(state: _Fold) -> Amount | None:
    fact = state.amount
    if fact is None:
        return None
    named = fact.data.get("currency")
    if not named and state.currency is not None:
        named = state.currency.data["currency"]
    return Amount(
        text=str(fact.data["amount"]),
        currency=str(named or fact.data.get("default_currency") or ""),
        received_at=fact.received_at,
        fact_id=fact.fact_id,
    )

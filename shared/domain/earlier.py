"""What was known of a referral right before each receipt, and what of it was news.

A referral may have a thousand facts. Most come in the order in which they occurred, so what held
before is carried on; and most tell of one invoice or one renewal, so the others are what they were.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from itertools import groupby
from typing import Final

from shared.domain import facts as kinds
from shared.domain.case import Case, case_of, with_deal
from shared.domain.deal import Deal, Folding, Paid
from shared.domain.entitlements import Parties
from shared.domain.facts import Fact, in_order
from shared.domain.news import News
from shared.domain.terms import Terms

_PINNED: Final = kinds.PINS.union(
    {
        kinds.TERMS_PINNED,
        # What may not be paid to somebody at all is taken back however late we learn of it.
        kinds.CATEGORIES_DECLARED,
        # What another referral earns from now on must not stay here too.
        kinds.DEAL_MERGED,
        kinds.REFERRAL_MERGED,
        kinds.LEAD_PASSED_ON,
    }
)
_TIMELESS: Final = _PINNED | {kinds.SUBMITTED}
"""Facts that every earlier moment looks at: they are no news of the deal."""

_FOLDED: Final = frozenset(
    {
        kinds.REVIEW_DECIDED,
        kinds.STAGE_ENTERED,
        kinds.AMOUNT_SET,
        kinds.CURRENCY_SET,
        kinds.FIELD_SET,
        kinds.INVOICE_PAID,
        kinds.RENEWED,
        kinds.REFUNDED,
        kinds.CHARGED_BACK,
        kinds.CHARGEBACK_REVERSED,
        kinds.MILESTONE_REACHED,
        kinds.REGRADED,
        kinds.HOLD_PLACED,
        kinds.HOLD_RELEASED,
    }
)
"""Facts of which only the deal is made, each after those before it; any other reopens the case."""

_Place = tuple[datetime, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Moment:
    """A receipt, the case as it was known right before it, and what was news then.

    ``news`` tells in what alone the case may differ from the moment before, but for milestones
    that were reached or left; it is None if anything may.
    """

    at: datetime
    case: Case
    news: News | None


def earlier_moments(case: Case, known: Iterable[Fact]) -> Sequence[Moment]:
    """Return the moments at which we heard anything new, in order."""
    told = {fact.fact_id: fact for fact in known}.values()
    reader = _Reader(
        terms=case.terms,
        parties=case.parties,
        facts=[fact for fact in told if fact.kind in _TIMELESS],
    )
    now = reader.reopened()
    heard = sorted((f for f in told if f.kind not in _TIMELESS), key=lambda fact: fact.received_at)
    found = []
    last: News | None = None
    for at, received in groupby(heard, key=lambda fact: fact.received_at):
        found.append(Moment(at=at, case=now, news=last))
        now, last = reader.told(now, sorted(received, key=_place))
    return found


@dataclass(slots=True, kw_only=True)
class _Reader:
    """Reads what is told of a case, and begins again only for what can't be added at the end."""

    terms: Terms
    parties: Parties
    facts: list[Fact]
    folding: Folding = field(init=False)
    last: _Place = field(init=False)
    taken_back: set[str | None] = field(init=False)

    def reopened(self) -> Case:
        """Return the case from its beginning."""
        ordered = self._folded()
        return case_of(self.folding.deal(), self.terms, ordered, (), self.parties)

    def told(self, before: Case, received: Sequence[Fact]) -> tuple[Case, News | None]:
        """Return the case once these facts are told too, which are in order, and their news."""
        self.facts += received
        if any(fact.kind not in _FOLDED or fact.retracts for fact in received):
            return self.reopened(), None
        if _place(received[0]) < self.last:
            self._folded()
        else:
            self.last = _place(received[-1])
            self.folding.add(fact for fact in received if fact.fact_id not in self.taken_back)
        after = with_deal(before, self.folding.deal())
        news = after.amounts.follow(before.amounts)
        return after, news if _beside(before.deal) == _beside(after.deal) else None

    def _folded(self) -> tuple[Fact, ...]:
        ordered = in_order(self.facts)
        self.folding = Folding(terms=self.terms)
        self.folding.add(ordered)
        # Pinned facts may bear any date: no fold looks at their place.
        self.last = max(_place(fact) for fact in ordered if fact.kind not in _PINNED)
        self.taken_back = {fact.retracts for fact in self.facts}
        return ordered


def _place(fact: Fact) -> _Place:
    return fact.occurred_at, fact.fact_id


def _beside(deal: Deal) -> Deal:
    """Leave out what news tell of, and milestones."""
    rows: tuple[Paid, ...] = ()
    return replace(deal, invoices=rows, renewals=rows, refunds=(), rates={}, milestones={}, left={})

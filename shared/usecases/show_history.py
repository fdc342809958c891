"""Show how rewards came about: every change of an amount or of a benefit, with what caused it."""

import heapq
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import chain
from typing import Final

from shared.domain.adjustments import Adjustment
from shared.domain.aggregate import Guard
from shared.domain.books import EXPENSE, Movement
from shared.domain.errors import NotFoundError
from shared.domain.facts import Fact
from shared.domain.fulfilments import Fulfilment
from shared.domain.rewards import Reward
from shared.domain.standing_causes import read_cause
from shared.ports import HistoryStore

_DIGITS: Final = 6


@dataclass(frozen=True, slots=True, kw_only=True)
class Cause:
    """What is behind a change: a fact of a referral, an adjustment, or else a reason's code."""

    referral_id: str = ""
    fact: Fact | None = None
    adjustment: Adjustment | None = None
    code: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class AmountChange:
    """One change of a reward's amount, and what it was before and after."""

    movement: Movement
    before_minor: int
    after_minor: int

    @property
    def place(self) -> str:
        """Return where it stands in the history."""
        row = self.movement
        return f"{row.posted_at.isoformat()}#{row.reward_id}#{row.sequence:0{_DIGITS}d}"

    @property
    def cause(self) -> tuple[str, ...]:
        """Return the ids of what caused it."""
        return self.movement.cause


@dataclass(frozen=True, slots=True, kw_only=True)
class BenefitChange:
    """A state that a benefit went into, and the reward that it is."""

    reward: Reward
    report: Fulfilment

    @property
    def place(self) -> str:
        """Return where it stands in the history."""
        told = self.report
        return f"{told.at.isoformat()}#{told.reward_id}#{told.number:0{_DIGITS}d}"

    @property
    def cause(self) -> tuple[str, ...]:
        """Return the ids of what caused it."""
        return self.report.cause


Change = AmountChange | BenefitChange


@dataclass(frozen=True, slots=True, kw_only=True)
class History:
    """A page of changes, newest first, each with its causes; and where the next page begins."""

    changes: tuple[tuple[Change, tuple[Cause, ...]], ...]
    after: str = ""


def show_history(store: HistoryStore, referral_id: str, *, before: str, limit: int) -> History:
    """Return the newest changes of a referral's rewards, of those before the place ``before``.

    Raises:
        NotFoundError: no such referral.
    """
    referral = store.referral(referral_id)
    if referral is None:
        raise NotFoundError
    facts = {fact.fact_id: fact for fact in store.facts(referral_id)}

    def cause(identity: str) -> Cause:
        fact = facts.get(identity)
        return Cause(referral_id=referral_id, fact=fact) if fact else Cause(code=identity)

    changes, after = _page(store, referral, store.rewards(referral_id), before, limit)
    shown = tuple((each, tuple(map(cause, each.cause))) for each in changes)
    return History(changes=shown, after=after)


def show_partner_history(
    store: HistoryStore, partner_id: str, program_id: str, *, before: str, limit: int
) -> History:
    """Return the newest changes of what a partner was given for successes, or by a person.

    Raises:
        NotFoundError: the partner is not enrolled in such a programme.
    """
    file = store.partner_file(partner_id, program_id)
    if file is None:
        raise NotFoundError
    known: dict[str, Cause] = {}

    def cause(identity: str) -> Cause:
        if identity not in known:
            known[identity] = _of_partner(store, identity)
        return known[identity]

    changes, after = _page(store, file.standing, file.rewards, before, limit)
    shown = tuple((each, tuple(map(cause, each.cause))) for each in changes)
    return History(changes=shown, after=after)


def _of_partner(store: HistoryStore, identity: str) -> Cause:
    referral_id, fact_id = read_cause(identity)
    if referral_id:
        return Cause(referral_id=referral_id, fact=store.fact(referral_id, fact_id))
    adjustment = store.adjustment(identity)
    return Cause(adjustment=adjustment) if adjustment else Cause(code=identity)


def _page(
    store: HistoryStore, guard: Guard, rewards: Iterable[Reward], before: str, limit: int
) -> tuple[list[Change], str]:
    """Read all changes once and keep a page of them: books have no list by subject."""
    known = {reward.reward_id: reward for reward in rewards}
    changes: Iterator[Change] = chain(
        _amount_changes(store.movements(guard, known.values())),
        (
            BenefitChange(reward=known[report.reward_id], report=report)
            for report in store.reports(guard)
            if report.reward_id in known
        ),
    )
    wanted = (each for each in changes if not before or each.place < before)
    found = heapq.nlargest(limit + 1, wanted, key=lambda each: each.place)
    page = found[:limit]
    return page, page[-1].place if len(found) > limit else ""


def _amount_changes(movements: Iterable[Movement]) -> Iterator[AmountChange]:
    """Yield what changes an amount; other movements only pass it on."""
    net: dict[str, int] = {}
    for row in movements:
        if EXPENSE not in (row.debit, row.credit):
            continue
        before = net.get(row.reward_id, 0)
        sign = 1 if row.debit == EXPENSE else -1
        net[row.reward_id] = before + sign * row.amount_minor
        yield AmountChange(movement=row, before_minor=before, after_minor=net[row.reward_id])

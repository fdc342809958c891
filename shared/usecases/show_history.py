"""Show how the amounts of a referral's rewards came about, change by change."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from shared.domain.books import EXPENSE, Movement
from shared.domain.errors import NotFoundError
from shared.domain.facts import Fact
from shared.ports import HistoryStore

MAX_MOVEMENTS: Final = 10_000


@dataclass(frozen=True, slots=True, kw_only=True)
class AmountChange:
    """One change of a reward's amount, what it was before and after, and the facts behind it."""

    movement: Movement
    before_minor: int
    after_minor: int
    cause: tuple[Fact, ...]


def show_history(store: HistoryStore, referral_id: str) -> tuple[AmountChange, ...]:
    """Return every change of every reward's amount, oldest first.

    Only movements from and to the expense change an amount; the others move it on.

    Raises:
        NotFoundError: no such referral.
    """
    if store.referral(referral_id) is None:
        raise NotFoundError
    facts = {fact.fact_id: fact for fact in store.facts(referral_id)}
    net: dict[str, int] = {}
    found = []
    for movement in _in_order(store.movements(referral_id, limit=MAX_MOVEMENTS)):
        if EXPENSE not in (movement.debit, movement.credit):
            continue
        before = net.get(movement.reward_id, 0)
        sign = 1 if movement.debit == EXPENSE else -1
        after = before + sign * movement.amount_minor
        net[movement.reward_id] = after
        cause = tuple(facts[fact_id] for fact_id in movement.cause if fact_id in facts)
        found.append(
            AmountChange(movement=movement, before_minor=before, after_minor=after, cause=cause)
        )
    return tuple(found)


def _in_order(movements: Sequence[Movement]) -> list[Movement]:
    # A reward's own numbers rise; between rewards the time of posting is all there is.
    return sorted(movements, key=lambda row: (row.posted_at, row.reward_id, row.sequence))

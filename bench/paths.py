"""The stored paths under the meter: at what is stored, and at what a partner has behind it."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from bench.meter import Usage
from bench.stock import PARTNER, apart_from, count_rows, measured, stock, story
from shared.adapters.dynamodb import keys
from shared.adapters.dynamodb.transactions import transact, update
from shared.domain.facts import INVOICE_PAID, MAX_FACTS
from tests.builders.ledger import CORE, Stored
from tests.builders.money import WORKED_EXAMPLE, Story

_NTH: Final = 5
_BONUS: Final[dict[str, Any]] = {
    "beneficiary": "partner",
    "milestone": "won",
    "kind": "cash",
    "value": {"fixed": "70.00"},
}
EVERY_FIFTH: Final[dict[str, Any]] = {
    **WORKED_EXAMPLE,
    "rules": [
        *WORKED_EXAMPLE["rules"],
        {**_BONUS, "id": "fifth", "occurrence": "every_nth", "nth": _NTH},
    ],
}


GROWTH: Final[dict[str, Any]] = {
    **_BONUS,
    "id": "growth",
    "value": {"percent": "10", "of": "deal_amount"},
    "tiers": {
        "by": "revenue",
        "mode": "retroactive",
        "period": "quarter",
        "milestone": "won",
        "steps": [{"from": "1.00", "percent": "20"}],
    },
}


def achievements(behind: int) -> dict[str, Any]:
    """Return terms with a bonus at two counts; from ``behind``, the next one is six away."""
    star = {**_BONUS, "id": "star", "occurrence": "at_counts", "counts": [1, behind + 1 + _NTH]}
    return {**WORKED_EXAMPLE, "rules": [*WORKED_EXAMPLE["rules"], star]}


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """One operation at one size. ``scale`` names the size, ``rows`` is all that is stored."""

    operation: str
    scale: str
    rows: int
    usage: Usage


def by_stored(sizes: Sequence[int]) -> Iterator[Measured]:
    """Yield every operation at every number of stored referrals."""
    for size in sizes:
        stored = _with_partner(achievements(0), behind=0)
        stock(stored, size)
        yield from _operations(stored, f"{size:,} referrals stored", 0)


def by_partner(sizes: Sequence[int]) -> Iterator[Measured]:
    """Yield every operation for partners with more and more referrals behind them."""
    for size in sizes:
        stored = _with_partner(achievements(size), behind=size)
        stock(stored, size, of=PARTNER)
        yield from _operations(stored, f"partner with {size:,} referrals", size)


def by_successes(sizes: Sequence[int]) -> Iterator[Measured]:
    """Yield what settling takes when every fifth success is a reward of its own."""
    for size in sizes:
        stored = _with_partner(EVERY_FIFTH, behind=size)
        yield from _settling(stored, f"partner with {size:,} successes", "every fifth", size)


def by_facts(sizes: Sequence[int] = (10, 100, MAX_FACTS)) -> Iterator[Measured]:
    """Yield what looking at a referral takes that has more and more facts of its own."""
    for size in sizes:
        stored = Stored()
        told = story()
        for number in range(size - len(told.facts) - 1):
            invoice = {"invoice_id": f"I-{number}", "amount_net": "100.00", "currency": "USD"}
            told.add(INVOICE_PAID, str(number), invoice)
        submit(stored, told)
        stored.settle(told)
        usage = measured(stored.client, lambda stored=stored, told=told: stored.settle(told))  # type: ignore[misc]
        yield _row(stored, "post_rewards: nothing to do", f"referral with {size:,} facts", usage)


def submit(stored: Stored, told: Story) -> None:
    """Store a referral in pieces that fit into transactions."""
    facts, told.facts = told.facts, []
    stored.submit(told)
    for start in range(0, len(facts), _FACTS_AT_ONCE):
        told.facts = facts[: start + _FACTS_AT_ONCE]
        stored.tell(told)


_FACTS_AT_ONCE: Final = 90


def _with_partner(definition: dict[str, Any], *, behind: int) -> Stored:
    """Return a store whose partner is enrolled and settled, with so many successes."""
    stored = Stored(definition)
    stored.enrol()
    if behind:
        succeed(stored, behind)
        settle_whole(stored)
    return stored


def settle_whole(stored: Stored) -> None:
    """Settle the partner in as many runs as it takes."""
    while stored.settle_partner().more:
        pass


def succeed(stored: Stored, total: int) -> None:
    """Let the partner's sums say that so many deals are won, each like the story's."""
    add_up(stored, {key: total * amount for key, amount in _one_success(stored).items()})


def sell(stored: Stored, by_quarter: Mapping[str, int]) -> None:
    """Let the partner's sums say how much was sold in each quarter, in minor units."""
    sums = ("base:growth", "revenue:won")
    add_up(stored, {f"{name}:{key}": minor for key, minor in by_quarter.items() for name in sums})


def add_up(stored: Stored, sums: Mapping[str, int]) -> None:
    """Let the partner's referrals add up to these sums."""
    version = stored.ledger.standing(PARTNER, "prg_1").version
    row = {"sums": dict(sums), "version": version + 1}
    transact(stored.client, [update(CORE, keys.standing(PARTNER, "prg_1"), assign=row)])


def _one_success(stored: Stored) -> Mapping[str, int]:
    """Return what one won deal adds to its partner's sums under the stored terms."""
    apart = apart_from(stored)
    told = story()
    apart.submit(told)
    apart.settle(told)
    return apart.ledger.standing(PARTNER, "prg_1").sums


def _operations(stored: Stored, scale: str, behind: int) -> Iterator[Measured]:
    told = story()
    stored.submit(told)
    yield _settled(stored, told, "post_rewards: first posting", scale)
    told.amount("30000.00")
    stored.tell(told)
    yield _settled(stored, told, "post_rewards: re-amount", scale)
    yield _settled(stored, told, "post_rewards: nothing to do", scale)
    # Its own referral counts too.
    yield from _settling(stored, scale, "achievements", behind + 1)


def _settled(stored: Stored, told: Story, operation: str, scale: str) -> Measured:
    return _row(stored, operation, scale, measured(stored.client, lambda: stored.settle(told)))


def _settling(stored: Stored, scale: str, rule: str, behind: int) -> Iterator[Measured]:
    def settle(what: str) -> Measured:
        usage = measured(stored.client, stored.settle_partner)
        return _row(stored, f"settle_partner, {rule}: {what}", scale, usage)

    settle_whole(stored)
    yield settle("nothing to do")
    # The next reward is five successes away, whatever the number behind it.
    succeed(stored, behind + _NTH)
    yield settle("one bonus")


def _row(stored: Stored, operation: str, scale: str, usage: Usage) -> Measured:
    return Measured(operation=operation, scale=scale, rows=count_rows(stored.client), usage=usage)

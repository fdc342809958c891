"""Merges under faults and races: at any call to the store, the end is that of an honest run."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from shared.usecases import deal_facts
from tests.builders.deliveries import change
from tests.builders.faults import FAULTS, Crash, again, at_call, raiser
from tests.builders.market import Market, merge, names, won

if TYPE_CHECKING:
    from collections.abc import Callable

BOTH = {7, 9}
MANY = [change("amount", f"{n + 20_000}.00", deal=7, minute=1) for n in range(5)]


def both_won() -> Market:
    """Deals of two referrals are won; the second referral was accepted first."""
    market = Market(2, 1)
    market.tell(names(1, 7), *won(7, "20000.00"))
    market.tell(names(2, 9), *won(9, "10000.00", minute=11))
    return market


def with_many_facts() -> Market:
    market = both_won()
    market.tell(*MANY)
    return market


def followed() -> Market:
    """One deal has a referral, and the other one's facts wait."""
    market = Market(1)
    market.tell(*won(7, "10000.00"))
    market.tell(names(1, 9))
    return market


def contested() -> Market:
    """A deal follows a merge, and is about to be claimed by a referral that was accepted first."""
    market = Market(2, 1)
    market.tell(names(1, 9), *won(9, "10000.00"))
    market.tell(merge(7, into=9))
    return market


@pytest.fixture
def small_transactions(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a few facts be as many as hundreds."""
    monkeypatch.setattr(deal_facts, "_FACTS_AT_ONCE", 2)


SCENES: dict[str, tuple[Callable[[], Market], list[dict[str, Any]]]] = {
    "both won": (both_won, [merge(7, into=9)]),
    "many facts": (with_many_facts, [merge(7, into=9)]),
    "one follows": (followed, [merge(7, into=9)]),
    "contested": (contested, [names(2, 7)]),
}


def end_of(market: Market) -> list[dict[str, Any]]:
    """Return the store and the books without what two honest runs may number differently."""
    skip = {"sequence", "cause"}  # of how many steps, and what was known at each
    books = sorted(
        (row["pk"], row["kind"], row["amount_minor"])
        for row in market.client.dump().get("test-books", [])
    )
    rows = [
        {name: value for name, value in row.items() if name not in skip}
        for row in market.essence()
        if not row["pk"].startswith("BOOK#")
    ]
    return [*rows, {"books": books}]


@pytest.mark.usefixtures("small_transactions")
@pytest.mark.parametrize(
    ("scene", "fault"),
    [
        *((scene, "crash before") for scene in SCENES),
        *(("both won", fault) for fault in ("crash after", "conflict", "timeout after success")),
    ],
)
def test_a_fault_at_any_call_of_a_merge_ends_as_without_it(scene: str, fault: str) -> None:
    build, events = SCENES[scene]
    moment, make = FAULTS[fault]
    honest = build()
    honest.tell(*events)
    point = 0
    while True:
        market = build()
        delivery_id = market.hubspot(*events)
        start = len(market.client.calls)
        getattr(market.client, moment)["*"] = at_call(point, raiser(make))
        again(lambda market=market, delivery_id=delivery_id: market.apply(delivery_id))  # type: ignore[misc]
        calls = len(market.client.calls) - start
        getattr(market.client, moment).clear()
        market.check_one_earns(BOTH)
        market.pump()
        if point >= calls:
            break
        point += 1

        assert end_of(honest) == end_of(market), point
    assert point > 8


@pytest.mark.usefixtures("small_transactions")
@pytest.mark.parametrize("moment", ["before", "after"])
def test_what_a_dead_merge_left_is_carried_over_by_the_event_of_the_loser(moment: str) -> None:
    """The delivery itself never comes again: it is in the dead-letter queue."""
    point = 0
    while True:
        market = with_many_facts()
        delivery_id = market.hubspot(merge(7, into=9))
        market.handled |= {row["event_id"] for row in market.rows("OUT#")}
        getattr(market.client, moment)["*"] = at_call(point, raiser(Crash))
        try:
            market.apply(delivery_id)
        except Crash:
            pass
        else:
            break
        finally:
            getattr(market.client, moment).clear()
        market.pump()
        point += 1

        merged = bool(market.load(1).referral.merged_into)
        assert (2 if merged else 1) == market.kinds(2).count("stage_entered")
        assert (7 if merged else 1) == market.kinds(2).count("amount_set")
        if merged:
            market.check_one_earns(BOTH)
            assert {"accepted_bonus": 5_000} == market.earned(1)
    assert point > 10


OTHERS: dict[str, Callable[[Market], object]] = {
    "posting for the one that loses": lambda market: market.post("ref_1"),
    "posting for the one that keeps": lambda market: market.post("ref_2"),
    "the same merge": lambda market: market.apply(market.hubspot(merge(7, into=9))),
    "the merge the other way round": lambda market: market.apply(market.hubspot(merge(9, into=7))),
    "a merge into a third": lambda market: market.apply(market.hubspot(merge(9, into=11))),
    "a fact of the deal that goes": lambda market: market.apply(
        market.hubspot(change("amount", "30000.00", deal=7, minute=25))
    ),
    "a fact of the deal that stays": lambda market: market.apply(
        market.hubspot(change("amount", "30000.00", deal=9, minute=25))
    ),
}


@pytest.mark.parametrize("other", OTHERS)
def test_whatever_happens_at_any_call_of_a_merge_one_alone_earns(other: str) -> None:
    """Nothing is posted yet for the deals, so both runs have everything to do."""
    point = 0
    while True:
        market = Market(3, 2, 1)
        for events in (
            [names(1, 7), *won(7, "20000.00")],
            [names(2, 9), *won(9, "10000.00", minute=11)],
            [names(3, 11)],
        ):
            market.apply(market.hubspot(*events))
        delivery_id = market.hubspot(merge(7, into=9))
        start = len(market.client.calls)
        act = OTHERS[other]
        market.client.before["*"] = at_call(point, lambda market=market, act=act: act(market))  # type: ignore[misc]
        again(lambda market=market, delivery_id=delivery_id: market.apply(delivery_id))  # type: ignore[misc]
        calls = len(market.client.calls) - start
        market.client.before.clear()
        merged = {7, 9, 11} if "third" in other else BOTH
        if point >= calls:
            break
        point += 1

        market.check_one_earns(merged)
        market.pump()
        amount = 300_000 if "fact" in other else 100_000
        keeps = 3 if "third" in other else 2
        for number in (1, 2, 3):
            earned = market.earned(number)
            if number == keeps:
                assert amount == earned["won_commission"], point
            else:
                assert earned.keys() <= {"accepted_bonus"}, point
    assert point > 8


@pytest.mark.parametrize("number", [1, 2])
def test_a_merge_at_any_call_of_a_posting_leaves_one_that_earns(number: int) -> None:
    point = 0
    while True:
        market = Market(2, 1)
        market.apply(market.hubspot(names(1, 7), *won(7, "20000.00")))
        market.apply(market.hubspot(names(2, 9), *won(9, "10000.00", minute=11)))
        start = len(market.client.calls)
        merging = lambda market=market: market.apply(market.hubspot(merge(7, into=9)))  # noqa: E731
        market.client.before["*"] = at_call(point, merging)
        again(lambda market=market: market.post(f"ref_{number}"))  # type: ignore[misc]
        calls = len(market.client.calls) - start
        market.client.before.clear()
        if point >= calls:
            break
        point += 1

        market.pump()
        market.check_one_earns(BOTH)
        assert (5_000, 125_000) == (market.balance(1), market.balance(2)), point
    assert point > 8


def test_two_referrals_that_claim_one_deal_at_the_same_time_do_not_both_earn() -> None:
    point = 0
    while True:
        market = Market(2, 1)
        first = market.hubspot(names(1, 7), *won(7, "20000.00"))
        second = market.hubspot(names(2, 7), *won(7, "20000.00"))
        start = len(market.client.calls)
        claim = lambda market=market, second=second: market.apply(second)  # noqa: E731
        market.client.before["*"] = at_call(point, claim)
        again(lambda market=market, first=first: market.apply(first))  # type: ignore[misc]
        calls = len(market.client.calls) - start
        market.client.before.clear()
        if point >= calls:
            break
        point += 1

        market.pump()
        market.check_one_earns()
        won_by = [n for n in (1, 2) if "won_commission" in market.earned(n)]
        assert 1 == len(won_by)
    assert point > 8


def test_of_two_that_claim_a_deal_which_followed_a_merge_one_is_heard() -> None:
    point = 0
    while True:
        market = Market(1, 2, 3)
        market.tell(names(1, 9), *won(9, "10000.00"))
        market.tell(merge(7, into=9))
        first, second = (market.hubspot(names(number, 7)) for number in (2, 3))
        start = len(market.client.calls)
        claim = lambda market=market, second=second: market.apply(second)  # noqa: E731
        market.client.before["*"] = at_call(point, claim)
        again(lambda market=market, first=first: market.apply(first))  # type: ignore[misc]
        calls = len(market.client.calls) - start
        market.client.before.clear()
        if point >= calls:
            break
        point += 1

        states = [
            delivery.state for each in (first, second) if (delivery := market.store.delivery(each))
        ]
        merged = [bool(market.load(number).referral.merged_into) for number in (2, 3)]
        assert ["applied", "parked"] == sorted(states), point
        assert [state == "applied" for state in states] == merged
    assert point > 8

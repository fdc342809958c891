"""Maturity under a partner's status: a fault at any AWS call, and others between any two calls."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest

from shared.adapters.dynamodb.books import movements_of_book
from shared.domain import books
from shared.domain.errors import GoodwordError
from shared.domain.facts import FORFEITED
from shared.usecases.mature_rewards import LOOK_AGAIN
from tests.builders.faults import FAULTS, Crash, at_call, raiser
from tests.builders.ledger import BOOKS, CORE, Stored
from tests.builders.money import DAY, START, Story

if TYPE_CHECKING:
    from collections.abc import Callable

KINDS = ("crash before", "crash after", "conflict", "timeout after success")
"""The others are refusals before anything happens, which the tests of posting go through."""

DUE = START + 40 * DAY
WON: dict[str, Any] = {"beneficiary": "partner", "milestone": "won", "kind": "cash"}
STAR = {"occurrence": "at_counts", "counts": [1], "value": {"fixed": "90.00"}}
TERMS: dict[str, Any] = {
    "name": "all",
    "partner_closed": "forfeit",
    "rules": [
        {**WON, "id": "commission", "value": {"fixed": "100.00"}, "hold_days": 30},
        {**WON, "id": "star", **STAR, "hold_days": 30},
        {**WON, "id": "thanks", "beneficiary": "lead", "value": {"fixed": "10.00"}},
    ],
}
BOTH = [
    {"partner_id": "ptr_1", "role": "introducer", "basis_points": 5_000},
    {"partner_id": "ptr_2", "role": "co_referrer", "basis_points": 5_000},
]


def due(status: str) -> tuple[Stored, Story]:
    """Return rewards of two partners and a lead that are due; the first one has this status."""
    stored = Stored(TERMS)
    stored.enrol()
    stored.partner("active", "ptr_2")
    story = Story().submitted()
    pinned = story.facts[-1]
    story.facts[-1] = replace(pinned, data={**pinned.data, "shares": BOTH})
    story.reviewed("accepted").amount("500.00").stage("won")
    stored.submit(story)
    stored.settle(story)
    stored.settle_partner()
    stored.partner(status)
    return stored, story


def active_again() -> tuple[Stored, Story]:
    stored, story = due("suspended")
    stored.mature(DUE - LOOK_AGAIN)
    stored.partner("active")
    return stored, story


PREPARED: dict[str, Callable[[], tuple[Stored, Story]]] = {
    "suspended": partial(due, "suspended"),
    "active again": active_again,
    "closed": partial(due, "closed"),
}


def run(stored: Stored, story: Story) -> None:
    """Mature, then evaluate what that announced."""
    stored.mature(DUE)
    stored.settle(story, now=DUE)
    for _ in range(2):
        stored.settle_partner(now=DUE)


def essence(stored: Stored) -> dict[str, Any]:
    """Return the store without what two honest runs may number differently."""
    skip = {"movement_id", "hash", "prev_hash", "head", "version", "program_sk", "program_pk"}
    rows = [
        (table, {name: value for name, value in item.items() if name not in skip})
        for table, items in stored.client.dump().items()
        for item in items
        if not item["pk"].startswith("OUT#")
    ]
    return {"rows": sorted(rows, key=lambda row: (row[0], row[1]["pk"], row[1].get("sk", "")))}


def events_of(stored: Stored) -> list[str]:
    return sorted(row["name"] for row in stored.client.dump()[CORE] if row["pk"][:4] == "OUT#")


def assert_whole(stored: Stored) -> None:
    for holder in ("ptr_1", "ptr_2", "led_1"):
        rows = movements_of_book(stored.client, BOOKS, holder, "prg_1")
        book = stored.ledger.book(holder, "prg_1")
        assert books.broken_at(rows) is None
        assert books.fold(rows) == book.balances
        assert 0 == sum(book.balances.values())


def parts(stored: Stored, holder_id: str = "ptr_1") -> tuple[int, int]:
    """Return what is pending and payable in a holder's book."""
    balances = stored.ledger.book(holder_id, "prg_1").balances
    return balances.get("pending|cash|USD", 0), balances.get("payable|cash|USD", 0)


ENDS = {"suspended": (14_000, 0), "active again": (0, 14_000), "closed": (0, 0)}


@pytest.mark.parametrize("name", PREPARED)
@pytest.mark.parametrize("kind", KINDS)
def test_fault_at_every_call_then_redelivery(name: str, kind: str) -> None:
    prepare = PREPARED[name]
    clean, story = prepare()
    start = len(clean.client.calls)
    run(clean, story)
    calls = len(clean.client.calls) - start
    expected, expected_events = essence(clean), events_of(clean)
    assert calls > 10
    assert (ENDS[name], (0, 5_000)) == (parts(clean), parts(clean, "ptr_2"))
    place, make = FAULTS[kind]
    for point in range(calls):
        stored, story = prepare()
        getattr(stored.client, place)["*"] = at_call(point, raiser(make))
        with suppress(Crash, GoodwordError):
            run(stored, story)
        stored.client.before.clear()
        stored.client.after.clear()
        run(stored, story)
        run(stored, story)
        assert expected == essence(stored), f"{kind} at call {point}"
        assert expected_events == events_of(stored), f"{kind} at call {point}"
        assert_whole(stored)


def interleaved(
    prepare: Callable[[], tuple[Stored, Story]],
    first: Callable[[Stored, Story], object],
    second: Callable[[Stored, Story], object],
) -> list[tuple[Stored, Story]]:
    """Run ``second`` whole between any two calls of ``first``; return every end."""
    clean, story = prepare()
    start = len(clean.client.calls)
    first(clean, story)
    ends = []
    for point in range(len(clean.client.calls) - start):
        stored, story = prepare()
        stored.client.before["*"] = at_call(point, partial(second, stored, story))
        first(stored, story)
        stored.client.before.clear()
        assert_whole(stored)
        ends.append((stored, story))
    assert ends
    return ends


def mature(stored: Stored, _story: Story) -> None:
    stored.mature(DUE)


def becomes(status: str) -> Callable[[Stored, Story], None]:
    return lambda stored, _story: stored.partner(status)


def leave_won(stored: Stored, story: Story) -> None:
    story.stage("negotiation")
    stored.tell(story)
    stored.settle(story)
    stored.settle_partner()


def test_nothing_matures_once_the_suspension_is_stored() -> None:
    payable: dict[int, int] = {}

    def suspend(stored: Stored, _story: Story) -> None:
        stored.partner("suspended")
        payable[id(stored)] = parts(stored)[1]

    ends = interleaved(partial(due, "active"), mature, suspend)

    assert {0, 5_000, 9_000, 14_000} >= set(payable.values())
    assert len(set(payable.values())) > 1
    for stored, _ in ends:
        assert payable[id(stored)] == parts(stored)[1]
        stored.mature(DUE)
        stored.mature(DUE + LOOK_AGAIN)
        assert payable[id(stored)] == parts(stored)[1]
        stored.partner("active")
        stored.mature(DUE + 2 * LOOK_AGAIN)
        assert (0, 14_000) == parts(stored)


def test_a_partner_who_is_active_again_is_paid_within_the_hour_in_any_case() -> None:
    for stored, _ in interleaved(partial(due, "suspended"), mature, becomes("active")):
        stored.mature(DUE + LOOK_AGAIN)
        assert (0, 14_000) == parts(stored)


def test_two_runs_at_once_announce_and_forfeit_once() -> None:
    clean, story = due("closed")
    run(clean, story)
    for stored, story in interleaved(partial(due, "closed"), mature, mature):
        run(stored, story)
        assert (0, 0) == parts(stored)
        aggregate = stored.ledger.load(story.referral_id)
        assert aggregate is not None
        assert 1 == sum(fact.kind == FORFEITED for fact in aggregate.facts)
        assert events_of(clean) == events_of(stored)


def test_closing_during_the_run_forfeits_what_is_not_released_yet() -> None:
    seen = set()
    for stored, story in interleaved(partial(due, "active"), mature, becomes("closed")):
        before = parts(stored)[1]
        run(stored, story)
        assert (0, before) == parts(stored)
        seen.add(before)
    assert len(seen) > 1


def test_what_leaves_while_it_is_forfeited_is_gone_once() -> None:
    for first, second in ((mature, leave_won), (leave_won, mature), (run, leave_won)):
        for stored, story in interleaved(partial(due, "closed"), first, second):
            run(stored, story)
            stored.mature(DUE + 400 * DAY)
            assert (0, 0) == parts(stored)


def test_what_was_forfeited_is_not_brought_back_by_a_run_that_knew_the_partner_as_active() -> None:
    def close_and_forfeit(stored: Stored, story: Story) -> None:
        stored.partner("closed")
        run(stored, story)

    def settle(stored: Stored, story: Story) -> None:
        story.amount("900.00")
        stored.tell(story)
        stored.settle(story, now=DUE)
        stored.settle_partner(now=DUE)

    for stored, story in interleaved(partial(due, "active"), settle, close_and_forfeit):
        run(stored, story)
        assert (0, 0) == parts(stored)

"""A fault at any AWS call of settling a partner, and anything else between any two: same end."""

from __future__ import annotations

import json
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest

from shared.adapters.dynamodb import keys
from shared.adapters.dynamodb.transactions import put, transact
from shared.domain.errors import GoodwordError
from shared.domain.partner_rules import evaluate_partner
from shared.usecases.mature_rewards import mature_rewards
from tests.builders.faults import FAULTS, Crash, at_call, raiser
from tests.builders.ledger import CORE, Stored
from tests.builders.money import DAY, START, Story
from tests.properties.books_checks import Snapshot, check_always

if TYPE_CHECKING:
    from collections.abc import Callable

WON: dict[str, Any] = {"beneficiary": "partner", "milestone": "won", "kind": "cash"}
EACH = {**WON, "id": "each", "occurrence": "every_nth", "nth": 1, "value": {"fixed": "70.00"}}
MONTH = {**WON, "id": "month", "kind": "perk", "occurrence": "every_nth", "nth": 2}
MONTH["value"] = {"quantity": 1, "unit": "seat", "worth": "30.00"}
SALE = {**WON, "id": "sale", "value": {"percent": "10", "of": "deal_amount"}, "hold_days": 5}
SALE["tiers"] = {
    "by": "count",
    "mode": "retroactive",
    "milestone": "won",
    "steps": [{"from": 2, "percent": "12"}],
}
CAPS = [
    {"id": "yearly", "scope": "partner", "per": "calendar_year", "limit": "350.00"},
    {"id": "budget", "scope": "program", "per": "lifetime", "limit": "300.00"},
]
LIMITS = {"yearly": 35_000, "budget": 30_000}
FIRST = {"name": "first", "rules": [EACH, MONTH, SALE], "caps": CAPS}
SECOND = {"name": "second", "rules": [{**EACH, "nth": 2}, SALE], "caps": CAPS[:1]}
HOLDERS = ("ptr_1", "ptr_2")


def deal(number: int, partner_id: str = "ptr_1") -> Story:
    story = Story(referral_id=f"ref_{number}", deal_id=f"D-{number}", partner_id=partner_id)
    return story.submitted().reviewed("accepted").amount("500.00").stage("won")


def prepared() -> Stored:
    """Return a store where one bonus is posted, two wait, and there is not room for all."""
    stored = Stored(FIRST)
    row = {"definition": json.dumps(SECOND)}
    transact(stored.client, [put(CORE, keys.terms("prg_1", 2), row)])
    for partner_id in HOLDERS:
        stored.enrol(partner_id)
    for number in range(3):
        post(stored, deal(number))
        if number == 0:
            stored.settle_partner()
    post(stored, deal(8, "ptr_2"))
    return stored


def post(stored: Stored, story: Story) -> None:
    stored.submit(story)
    stored.settle(story)


def run(stored: Stored) -> None:
    for partner_id in HOLDERS:
        while stored.settle_partner(partner_id, now=START + DAY).more:
            pass


def release(stored: Stored) -> None:
    mature_rewards(stored.ledger, now=START + 40 * DAY, new_id=stored.new_id, limit=100)


def essence(stored: Stored) -> list[tuple[str, dict[str, Any]]]:
    """Return the store without what two honest runs may number differently."""
    skip = {"movement_id", "hash", "prev_hash", "head", "version", "program_sk", "program_pk"}
    rows = [
        (table, {name: value for name, value in item.items() if name not in skip})
        for table, items in stored.client.dump().items()
        for item in items
        if not item["pk"].startswith("OUT#")
    ]
    return sorted(rows, key=lambda row: (row[0], row[1]["pk"], row[1].get("sk", "")))


def check(stored: Stored) -> Snapshot:
    snapshot = Snapshot(stored)
    check_always(snapshot, {}, LIMITS)
    return snapshot


@pytest.mark.parametrize("kind", FAULTS)
def test_fault_at_every_call_then_redelivery(kind: str) -> None:
    clean = prepared()
    start = len(clean.client.calls)
    run(clean)
    calls = len(clean.client.calls) - start
    release(clean)
    assert calls >= 30
    assert any(row.cut for reward in check(clean).rewards for row in reward.allowances)
    expected = essence(clean)
    place, make = FAULTS[kind]
    for point in range(calls):
        stored = prepared()
        getattr(stored.client, place)["*"] = at_call(point, raiser(make))
        with suppress(Crash, GoodwordError):
            run(stored)
        stored.client.before.clear()
        stored.client.after.clear()
        check(stored)
        run(stored)
        release(stored)
        run(stored)
        assert expected == essence(stored), f"{kind} at call {point}"


def settle_too(stored: Stored) -> None:
    stored.settle_partner(now=START + DAY)


def settle_another(stored: Stored) -> None:
    stored.settle_partner("ptr_2", now=START + DAY)


def post_another(stored: Stored) -> None:
    post(stored, deal(9))


def lose_one(stored: Stored) -> None:
    story = deal(1)
    story.stage("lost", at=START + DAY)
    stored.tell(story)
    stored.settle(story)


def lose_one_and_settle(stored: Stored) -> None:
    lose_one(stored)
    settle_too(stored)


def accept_other_terms(stored: Stored) -> None:
    key = keys.enrolment("ptr_1", "prg_1")
    transact(stored.client, [put(CORE, key, {"terms_version": 2})])
    settle_too(stored)


def between(other: Callable[[Stored], None]) -> list[Stored]:
    """Let another run whole between any two calls of settling; return every end."""
    clean = prepared()
    start = len(clean.client.calls)
    settle_too(clean)
    ends = []
    for point in range(len(clean.client.calls) - start):
        stored = prepared()
        stored.client.before["*"] = at_call(point, partial(other, stored))
        settle_too(stored)
        stored.client.before.clear()
        check(stored)
        settled = stored.ledger.standing("ptr_1", "prg_1").settled
        assert stored.ledger.accepted("ptr_1", "prg_1") == settled.terms_version
        run(stored)
        before = len(stored.client.changes)
        run(stored)
        assert before == len(stored.client.changes)
        ends.append(stored)
    assert ends
    return ends


@pytest.mark.parametrize("other", [settle_too, settle_another, post_another, release])
def test_who_comes_first_to_the_last_room_decides_and_there_is_no_third_end(
    other: Callable[[Stored], None],
) -> None:
    expected = {outcome_of(other, settle_too), outcome_of(settle_too, other)}
    assert {outcome(stored) for stored in between(other)} <= expected


def outcome_of(*steps: Callable[[Stored], None]) -> str:
    stored = prepared()
    for step in steps:
        step(stored)
    run(stored)
    return outcome(stored)


def outcome(stored: Stored) -> str:
    snapshot = check(stored)
    held = {row.reward_id: (row.net_minor, row.benefit_state) for row in snapshot.rewards}
    caps = {place: used for place, used in snapshot.caps.items() if used}
    return repr((sorted(held.items()), sorted(caps.items())))


@pytest.mark.parametrize("other", [lose_one, lose_one_and_settle, accept_other_terms])
def test_what_changes_between_any_two_calls_is_what_holds_in_the_end(
    other: Callable[[Stored], None],
) -> None:
    for stored in between(other):
        version = stored.ledger.accepted("ptr_1", "prg_1")
        assert version
        terms = stored.ledger.terms("prg_1", version)
        sums = stored.ledger.standing("ptr_1", "prg_1").sums
        wanted = evaluate_partner(terms, sums, "ptr_1", now=START).entitlements
        amounts = {each.identity: each.amount_minor for each in wanted}
        file = stored.ledger.load_partner("ptr_1", "prg_1")
        assert file is not None
        posted = {reward.identity: reward for reward in file.rewards}
        assert amounts.keys() <= posted.keys()
        for identity, reward in posted.items():
            if any(row.cut for row in reward.allowances):
                assert reward.net_minor < amounts[identity] or reward.kind == "perk"
            else:
                assert amounts.get(identity, 0) == reward.net_minor

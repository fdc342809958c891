"""A fault at any AWS call of an adjustment's posting, then redelivery: posted once, books whole."""

from __future__ import annotations

from contextlib import suppress
from functools import partial

import pytest

from shared.adapters.dynamodb import keys
from shared.adapters.dynamodb.adjustments import Adjustments, AdjustmentsLedger
from shared.adapters.dynamodb.books import movements_of_book
from shared.adapters.dynamodb.partners import enrolment_row
from shared.adapters.dynamodb.programs import program_row
from shared.adapters.dynamodb.transactions import put, transact
from shared.domain import books
from shared.domain.errors import GoodwordError
from shared.domain.partners import Enrolment
from shared.domain.programs import Program
from shared.usecases.adjust import Asked, Wish, adjust, post_adjustment
from tests.builders.faults import FAULTS, Crash, at_call, raiser
from tests.builders.ledger import BOOKS, CORE, TRIGGER, Stored
from tests.builders.money import START, Story


def prepared(amount: str) -> tuple[Stored, str]:
    """Return a store with an approved adjustment that is not posted yet."""
    stored = Stored()
    program = Program(program_id="prg_1", name="P", currency="USD", created_at=START)
    enrolment = Enrolment(
        partner_id="ptr_1", program_id="prg_1", terms_version=1, accepted_at=START
    )
    transact(
        stored.client,
        [
            put(CORE, keys.program("prg_1"), program_row(program)),
            put(CORE, keys.enrolment("ptr_1", "prg_1"), enrolment_row(enrolment)),
        ],
    )
    asked = Asked(
        actor="ann", now=START, new_id=stored.new_id, mark="req_1", correlation_id="req_1"
    )
    wish = Wish(partner_id="ptr_1", program_id="prg_1", amount=amount, reason="goodwill")
    made = adjust(Adjustments(client=stored.client, core=CORE), wish, asked)
    return stored, made.adjustment_id


def post(stored: Stored, adjustment_id: str) -> int:
    ledger = AdjustmentsLedger(stored.client, core_table=CORE, books_table=BOOKS)
    return post_adjustment(
        ledger,
        adjustment_id,
        trigger=TRIGGER,
        now=START,
        new_id=stored.new_id,
        pause=lambda _attempt: None,
    ).movements


def figures(stored: Stored) -> tuple[dict[str, int], int, list[str], int]:
    rows = movements_of_book(stored.client, BOOKS, "ptr_1", "prg_1")
    book = stored.ledger.book("ptr_1", "prg_1")
    assert books.broken_at(rows) is None
    assert books.fold(rows) == book.balances
    (reward,) = stored.partner_rewards().values()
    events = [row["name"] for row in stored.client.dump()[CORE] if row["pk"].startswith("OUT#")]
    version = stored.ledger.standing("ptr_1", "prg_1").version
    return dict(book.balances), reward.net_minor, sorted(events), version


GIVEN = ({"expense|cash|USD": -4_000, "pending|cash|USD": 4_000}, 4_000)
TAKEN = ({"payable|cash|USD": -4_000, "expense|cash|USD": 4_000}, -4_000)


@pytest.mark.parametrize(("amount", "expected"), [("40.00", GIVEN), ("-40.00", TAKEN)])
@pytest.mark.parametrize("kind", FAULTS)
def test_fault_at_every_call_then_redelivery(
    kind: str, amount: str, expected: tuple[dict[str, int], int]
) -> None:
    clean, adjustment_id = prepared(amount)
    start = len(clean.client.calls)
    assert 1 == post(clean, adjustment_id)
    calls = len(clean.client.calls) - start
    whole = (*expected, ["FactsChanged", "RewardPosted"], 1)
    assert whole == figures(clean)
    assert calls > 3
    place, make = FAULTS[kind]
    for point in range(calls):
        stored, adjustment_id = prepared(amount)
        getattr(stored.client, place)["*"] = at_call(point, raiser(make))
        with suppress(Crash, GoodwordError):
            post(stored, adjustment_id)
        stored.client.before.clear()
        stored.client.after.clear()
        post(stored, adjustment_id)
        post(stored, adjustment_id)
        assert whole == figures(stored), f"{kind} at call {point}"


def test_other_posting_between_any_two_calls_posts_once() -> None:
    clean, adjustment_id = prepared("40.00")
    start = len(clean.client.calls)
    post(clean, adjustment_id)
    for point in range(len(clean.client.calls) - start):
        stored, adjustment_id = prepared("40.00")
        other = partial(post, stored, adjustment_id)
        stored.client.before["*"] = at_call(point, other)
        post(stored, adjustment_id)
        assert (*GIVEN, ["FactsChanged", "RewardPosted"], 1) == figures(stored)


def test_first_success_between_any_two_calls_is_not_lost() -> None:
    """The standing's row begins with whoever comes first: the adjustment or a won deal."""

    def win(stored: Stored) -> None:
        story = Story().submitted().reviewed("accepted").amount("20000.00").stage("won")
        stored.submit(story)
        stored.settle(story)

    clean, adjustment_id = prepared("40.00")
    start = len(clean.client.calls)
    post(clean, adjustment_id)
    for point in range(len(clean.client.calls) - start):
        stored, adjustment_id = prepared("40.00")
        stored.client.before["*"] = at_call(point, partial(win, stored))
        post(stored, adjustment_id)
        assert {"count:won:lifetime": 1} == stored.ledger.standing("ptr_1", "prg_1").sums
        rows = movements_of_book(stored.client, BOOKS, "ptr_1", "prg_1")
        assert books.broken_at(rows) is None
        assert 1 == sum(row.rule_id == "adjustment" for row in rows)

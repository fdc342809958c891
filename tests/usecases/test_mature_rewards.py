"""What a partner's status does to rewards whose hold is over."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from shared.adapters.dynamodb import keys
from shared.adapters.dynamodb.adjustments import AdjustmentsLedger, adjustment_row
from shared.adapters.dynamodb.books import movements_of_book
from shared.adapters.dynamodb.referrals import referral_row
from shared.adapters.dynamodb.transactions import put, transact
from shared.domain import books, facts
from shared.domain.adjustments import Adjustment
from shared.domain.errors import StaleVersionError
from shared.usecases.adjust import post_adjustment
from shared.usecases.mature_rewards import LOOK_AGAIN, Matured
from tests.builders.ledger import BOOKS, CORE, TRIGGER, Stored
from tests.builders.money import DAY, START, WORKED_EXAMPLE, Story, referral

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from shared.domain.rewards import Reward
    from shared.domain.verdicts import TraceLine

DUE = START + 40 * DAY
WON: dict[str, Any] = {"beneficiary": "partner", "milestone": "won", "kind": "cash"}
PER_CENT = {"percent": "10", "of": "deal_amount"}
GIFT = {"beneficiary": "cause", "kind": "donation", "value": {"fixed": "5.00"}}
SHARED: dict[str, Any] = {
    "name": "shared",
    "rules": [
        {**WON, "id": "commission", "value": PER_CENT, "hold_days": 30},
        {**WON, "id": "thanks", "beneficiary": "lead", "value": {"fixed": "10.00"}},
        {**WON, "id": "gift", **GIFT},
    ],
}
FORFEIT = {**WORKED_EXAMPLE, "partner_closed": "forfeit"}
HIGHER = {
    "by": "revenue",
    "mode": "retroactive",
    "milestone": "won",
    "steps": [{"from": "100.00", "percent": "12"}],
}
STAR = {"occurrence": "at_counts", "counts": [1, 2], "value": {"fixed": "90.00"}}
COUNTED: dict[str, Any] = {
    "name": "counted",
    "partner_closed": "forfeit",
    "rules": [
        {**WON, "id": "star", **STAR, "hold_days": 5},
        {**WON, "id": "growth", "value": PER_CENT, "tiers": HIGHER, "hold_days": 5},
    ],
}
TWO = [
    {"partner_id": "ptr_1", "role": "introducer", "basis_points": 5_000},
    {"partner_id": "ptr_2", "role": "co_referrer", "basis_points": 5_000},
]


def won(stored: Stored, number: int = 1, partner_id: str = "ptr_1") -> Story:
    """Post a won deal of 20,000.00."""
    story = Story(referral_id=f"ref_{number}", deal_id=f"D-{number}", partner_id=partner_id)
    story.submitted().reviewed("accepted").amount("20000.00").stage("won")
    stored.submit(story)
    stored.settle(story)
    return story


def shared(definition: dict[str, Any]) -> tuple[Stored, Story]:
    """Return a won deal of 20,000.00 of which two partners have a half each."""
    stored = Stored(definition)
    story = Story().submitted()
    pinned = {**story.facts[-1].data, "shares": TWO, "attributes": {"cause": "trees"}}
    story.facts[-1] = replace(story.facts[-1], data=pinned)
    story.reviewed("accepted").amount("20000.00").stage("won")
    stored.submit(story)
    stored.settle(story)
    return stored, story


def held_by(stored: Stored, story: Story) -> dict[str, Reward]:
    aggregate = stored.ledger.load(story.referral_id)
    assert aggregate is not None
    return {reward.holder_id: reward for reward in aggregate.rewards}


def line_of(stored: Stored, story: Story, rule_id: str) -> TraceLine:
    aggregate = stored.ledger.load(story.referral_id)
    assert aggregate is not None
    (line,) = [line for line in aggregate.trace if line.rule_id == rule_id]
    return line


def forfeits(stored: Stored, story: Story) -> list[facts.Fact]:
    aggregate = stored.ledger.load(story.referral_id)
    assert aggregate is not None
    return [fact for fact in aggregate.facts if fact.kind == facts.FORFEITED]


def balances(stored: Stored, holder_id: str = "ptr_1") -> dict[str, int]:
    book = stored.ledger.book(holder_id, "prg_1")
    rows = movements_of_book(stored.client, BOOKS, holder_id, "prg_1")
    assert books.broken_at(rows) is None
    assert books.fold(rows) == book.balances
    return {name.split("|")[0]: amount for name, amount in book.balances.items() if amount}


def events(stored: Stored) -> list[tuple[str, str]]:
    rows = [row for row in stored.client.dump()[CORE] if row["pk"].startswith("OUT#")]
    return [(row["name"], json.loads(row["envelope"])["aggregate"]["id"]) for row in rows]


# -- suspended ------------------------------------------------------------------------------------


def test_nothing_of_a_suspended_partner_matures_and_it_is_looked_at_again() -> None:
    stored = Stored()
    story = won(stored)
    stored.partner("suspended")
    before = stored.rewards(story)

    first = stored.mature(DUE)
    at_once = stored.mature(DUE)
    later = stored.mature(DUE + LOOK_AGAIN)

    assert (Matured(held=3), Matured(), Matured(held=3)) == (first, at_once, later)
    assert before == stored.rewards(story)
    assert {"expense": -225_000, "pending": 225_000} == balances(stored)


def test_an_active_partner_is_paid_within_the_hour() -> None:
    stored = Stored()
    story = won(stored)
    stored.partner("suspended")
    stored.mature(DUE)

    stored.partner("active")

    assert Matured(released=3) == stored.mature(DUE + LOOK_AGAIN)
    assert 200_000 == stored.rewards(story)["won_commission"].payable_minor


def test_a_posting_while_suspended_changes_nothing_about_it() -> None:
    stored = Stored()
    story = won(stored)
    stored.partner("suspended")
    stored.mature(DUE)
    story.amount("30000.00", at=START + DAY)
    stored.tell(story)
    stored.settle(story)

    assert Matured(held=1) == stored.mature(DUE)
    assert {"expense": -325_000, "pending": 325_000} == balances(stored)


def test_only_the_part_of_the_suspended_partner_waits() -> None:
    stored, story = shared(SHARED)
    stored.partner("suspended", "ptr_1")
    stored.partner("active", "ptr_2")

    assert Matured(released=3, held=1) == stored.mature(DUE)

    parts = {
        holder: (reward.pending_minor, reward.payable_minor)
        for holder, reward in held_by(stored, story).items()
    }
    assert {
        "ptr_1": (100_000, 0),
        "ptr_2": (0, 100_000),
        # Neither the lead nor the cause is the partner.
        "led_1": (0, 1_000),
        "cause:trees": (0, 500),
    } == parts


def test_suspended_rewards_never_stand_in_the_way() -> None:
    stored = Stored()
    for number in range(12):
        won(stored, number)
    last = Story(referral_id="ref_last", deal_id="L", partner_id="ptr_2", start=START + DAY)
    last.submitted().reviewed("accepted").stage("accepted")
    stored.submit(last)
    stored.settle(last)
    stored.partner("suspended")
    stored.partner("active", "ptr_2")

    assert Matured(released=1, held=36) == stored.mature(DUE, limit=10)
    assert 5_000 == stored.rewards(last)["accepted_bonus"].payable_minor


def test_a_run_looks_at_so_many_and_the_next_ones_at_the_others() -> None:
    stored = Stored()
    for number in range(4):
        won(stored, number)
    stored.partner("suspended")

    assert [8, 4, 0] == [stored.mature(DUE, limit=2).held for _ in range(3)]


def test_the_longest_overdue_is_released_first() -> None:
    stored = Stored()
    for number in range(9):
        story = Story(referral_id=f"ref_{number}", deal_id=f"D-{number}")
        story.start = START + number * DAY
        story.submitted().reviewed("accepted").stage("accepted")
        stored.submit(story)
        stored.settle(story)

    stored.mature(DUE + 9 * DAY, limit=3)

    released = [
        number
        for number in range(9)
        if stored.rewards(Story(referral_id=f"ref_{number}"))["accepted_bonus"].payable_minor
    ]
    assert [0, 1, 2] == released


def test_a_suspension_during_the_run_holds_what_is_not_released_yet() -> None:
    stored = Stored()
    story = won(stored)
    stored.partner("active")

    def suspend(_request: dict[str, Any]) -> None:
        stored.client.before.clear()
        stored.partner("suspended")

    stored.client.before["transact_write_items"] = suspend

    assert Matured(skipped=3) == stored.mature(DUE)
    assert {"expense": -225_000, "pending": 225_000} == balances(stored)
    assert Matured(held=3) == stored.mature(DUE)
    assert "pending" == stored.rewards(story)["won_commission"].state


def test_a_bonus_for_successes_waits_too() -> None:
    stored = Stored(COUNTED)
    stored.enrol()
    won(stored)
    stored.settle_partner()
    stored.partner("suspended")
    assert Matured(held=3) == stored.mature(DUE)
    stored.partner("active")
    assert Matured(released=3) == stored.mature(DUE + LOOK_AGAIN)
    assert 9_000 == stored.partner_rewards()["count:1"].payable_minor


def give(stored: Stored, amount_minor: int) -> None:
    """Post what a person gives, or takes if it is negative."""
    adjustment = Adjustment(
        adjustment_id=f"adj_{amount_minor}",
        partner_id="ptr_1",
        program_id="prg_1",
        amount_minor=amount_minor,
        currency="USD",
        reason="sorry",
        reference="",
        requested_by="ann",
        requested_at=START,
        mark="m",
    )
    row = adjustment_row(adjustment)
    transact(stored.client, [put(CORE, ("ADJ#" + adjustment.adjustment_id, "META"), row)])
    post_adjustment(
        AdjustmentsLedger(stored.client, core_table=CORE, books_table=BOOKS),
        adjustment.adjustment_id,
        trigger=TRIGGER,
        now=START,
        new_id=stored.new_id,
        pause=lambda _attempt: None,
    )


def test_what_a_person_gives_waits_and_what_a_person_takes_is_taken() -> None:
    stored = Stored()
    stored.enrol()
    stored.partner("suspended")
    give(stored, 4_000)
    give(stored, -1_500)

    assert Matured(held=1) == stored.mature(DUE)
    assert {"expense": -2_500, "pending": 4_000, "payable": -1_500} == balances(stored)


# -- closed ---------------------------------------------------------------------------------------


def test_what_is_pending_for_a_closed_partner_matures() -> None:
    stored = Stored()
    won(stored)
    stored.partner("closed")

    assert Matured(released=3) == stored.mature(DUE)
    assert {"expense": -225_000, "payable": 225_000} == balances(stored)


def closed_and_forfeit() -> tuple[Stored, Story]:
    """Return a deal of which all but a raise is payable, and whose partner is closed then."""
    stored = Stored(FORFEIT)
    story = won(stored)
    stored.partner("active")
    stored.mature(DUE)
    story.amount("30000.00", at=DUE + DAY)
    stored.tell(story)
    stored.settle(story, now=DUE + DAY)
    stored.partner("closed")
    return stored, story


def test_what_is_forfeit_is_stated_and_then_taken_back_with_its_reason() -> None:
    stored, story = closed_and_forfeit()
    assert {"expense": -325_000, "pending": 100_000, "payable": 225_000} == balances(stored)
    assert Matured() == stored.mature(DUE + 30 * DAY)

    assert Matured(forfeited=1) == stored.mature(DUE + 32 * DAY)

    (fact,) = forfeits(stored, story)
    assert {
        "rule_id": "won_commission",
        "occurrence": "once",
        "holder_id": "ptr_1",
        "kept_minor": 200_000,
    } == fact.data
    assert ("FactsChanged", "ref_1") in events(stored)
    stored.settle(story, now=DUE + 32 * DAY)
    assert {"expense": -225_000, "payable": 225_000} == balances(stored)
    last = max(movements_of_book(stored.client, BOOKS, "ptr_1", "prg_1"), key=lambda m: m.seq)
    assert ("reverse", 100_000) == (last.step, last.amount_minor)
    assert fact.fact_id in last.cause
    line = line_of(stored, story, "won_commission")
    assert ("capped", "forfeited_partner_closed") == (line.outcome, line.code)
    assert ("2000.00", "1000.00") == (line.figures["amount"], line.figures["forfeited"])
    assert fact.fact_id in line.facts
    assert Matured() == stored.mature(DUE + 400 * DAY)


def lost_all() -> tuple[Stored, Story]:
    """Return a deal of which all was pending, and is forfeit."""
    stored = Stored(FORFEIT)
    story = won(stored)
    stored.partner("closed")
    assert Matured(forfeited=3) == stored.mature(DUE)
    stored.settle(story, now=DUE)
    return stored, story


def test_nothing_is_left_of_what_was_all_pending() -> None:
    stored, story = lost_all()

    assert {} == balances(stored)
    rewards = stored.rewards(story)
    assert "reversed" == rewards["won_commission"].state
    # Neither the lead's reward nor what has no face value is forfeit.
    assert "issued" == rewards["lead_discount"].state
    line = line_of(stored, story, "won_commission")
    assert ("reversed", "forfeited_partner_closed") == (line.outcome, line.code)
    assert line.release_at is None


def tell_raise(story: Story, at: datetime) -> None:
    story.amount("90000.00", at=at)


def tell_rewin(story: Story, at: datetime) -> None:
    story.stage("negotiation", at=at).stage("won", at=at + timedelta(hours=1))


@pytest.mark.parametrize("tell", [tell_raise, tell_rewin])
def test_no_raise_and_no_rewin_brings_it_back(tell: Callable[[Story, datetime], None]) -> None:
    stored, story = lost_all()
    tell(story, DUE + DAY)
    stored.tell(story)

    stored.settle(story, now=DUE + 2 * DAY)

    assert {} == balances(stored)
    assert Matured() == stored.mature(DUE + 400 * DAY)


def test_what_was_kept_still_follows_the_deal() -> None:
    stored, story = closed_and_forfeit()
    stored.mature(DUE + 32 * DAY)
    stored.settle(story, now=DUE + 32 * DAY)
    story.amount("15000.00", at=DUE + 33 * DAY)
    stored.tell(story)
    stored.settle(story, now=DUE + 33 * DAY)
    assert 175_000 == balances(stored)["payable"]

    story.amount("30000.00", at=DUE + 34 * DAY)
    stored.tell(story)
    stored.settle(story, now=DUE + 34 * DAY)
    # A claim up to what was kept; it is pending, so it is forfeit in its turn.
    assert 50_000 == balances(stored)["pending"]
    assert Matured(forfeited=1) == stored.mature(DUE + 80 * DAY)
    stored.settle(story, now=DUE + 80 * DAY)
    assert {"expense": -175_000, "payable": 175_000} == balances(stored)
    assert [150_000, 200_000] == sorted(f.data["kept_minor"] for f in forfeits(stored, story))


def test_what_was_announced_and_not_heard_of_is_announced_again() -> None:
    stored = Stored(FORFEIT)
    story = won(stored)
    stored.partner("closed")
    stored.mature(DUE)
    told = len(events(stored))

    assert Matured() == stored.mature(DUE + timedelta(minutes=59))
    assert Matured(forfeited=3) == stored.mature(DUE + LOOK_AGAIN)

    assert told + 3 == len(events(stored))
    assert 3 == len(forfeits(stored, story))


def test_what_changes_while_it_is_looked_at_is_judged_by_the_next_run() -> None:
    stored, story = closed_and_forfeit()

    def lower(_request: dict[str, Any]) -> None:
        stored.client.before.clear()
        story.amount("25000.00", at=DUE + 31 * DAY)
        stored.tell(story)
        stored.settle(story, now=DUE + 31 * DAY)

    stored.client.before["transact_write_items"] = lower

    assert Matured(skipped=1) == stored.mature(DUE + 32 * DAY)
    assert [] == forfeits(stored, story)
    assert Matured(forfeited=1) == stored.mature(DUE + 32 * DAY)


def test_a_place_that_is_out_of_date_moves_nothing() -> None:
    stored = Stored()
    story = won(stored)
    places = list(stored.ledger.due(DUE, 10))
    story.add(facts.HOLD_PLACED, "h", {"hold_id": "h", "actor": "ann", "reason": "check"})
    stored.tell(story)
    stored.settle(story)
    before = stored.client.dump()

    for due in places:
        with pytest.raises(StaleVersionError):
            stored.ledger.look_later(due, DUE + DAY)

    assert 3 == len(places)
    assert before == stored.client.dump()


def test_one_reward_without_terms_keeps_no_other_from_being_released() -> None:
    stored = Stored(FORFEIT)
    story = won(stored)
    won(stored, 2, "ptr_2")
    stored.partner("closed")
    head = referral(referral_id="ref_1", terms_version=9, version=5)
    transact(stored.client, [put(CORE, keys.referral("ref_1"), referral_row(head))])

    assert Matured(released=3, skipped=3) == stored.mature(DUE)
    assert [] == forfeits(stored, story)


def test_a_forfeiture_moves_nobody_elses_part() -> None:
    definition = {
        "name": "limited",
        "partner_closed": "forfeit",
        "rules": [
            {
                **WON,
                "id": "share",
                "value": {"percent": "10", "of": "invoice_net"},
                "occurrence": "every_invoice",
                "caps": {"referral": "100.00"},
                "hold_days": 30,
            }
        ],
    }
    stored, story = shared(definition)
    for number, net in enumerate(("600.00", "800.00")):
        data = {"invoice_id": f"I-{number}", "amount_net": net, "currency": "USD"}
        story.add(facts.INVOICE_PAID, net, data, at=START + (1 + 20 * number) * DAY)
    stored.tell(story)
    stored.settle(story)
    stored.partner("closed", "ptr_1")
    assert Matured(released=1, forfeited=1) == stored.mature(START + 32 * DAY)

    stored.settle(story, now=START + 32 * DAY)

    aggregate = stored.ledger.load(story.referral_id)
    assert aggregate is not None
    assert {
        ("invoice:I-0", "ptr_1", 0),
        ("invoice:I-0", "ptr_2", 3_000),
        ("invoice:I-1", "ptr_1", 2_000),
        ("invoice:I-1", "ptr_2", 2_000),
    } == {(row.occurrence, row.holder_id, row.net_minor) for row in aggregate.rewards}
    lines = {line.occurrence: (line.outcome, line.code) for line in aggregate.trace}
    assert ("capped", "forfeited_partner_closed") == lines["invoice:I-0"]
    assert ("capped", "capped_referral") == lines["invoice:I-1"]


def test_goodwill_for_a_closed_partner_is_released() -> None:
    stored = Stored(FORFEIT)
    stored.enrol()
    stored.partner("closed")
    give(stored, 4_000)

    assert Matured(released=1) == stored.mature(DUE)
    stored.settle_partner(now=DUE)
    assert {"expense": -4_000, "payable": 4_000} == balances(stored)


# -- rewards for successes of a closed partner ----------------------------------------------------


def bonus_of(stored: Stored) -> dict[str, tuple[int, int]]:
    return {
        occurrence: (reward.pending_minor, reward.payable_minor)
        for occurrence, reward in stored.partner_rewards().items()
    }


def counted() -> Stored:
    """Return a partner with one payable achievement and true-up, who is closed then."""
    stored = Stored(COUNTED)
    stored.enrol()
    stored.partner("active")
    won(stored)
    stored.settle_partner()
    stored.mature(DUE)
    return stored


def test_pending_bonuses_of_a_closed_partner_are_taken_back() -> None:
    stored = counted()
    won(stored, 2)
    stored.settle_partner(now=DUE)
    assert {
        "count:1": (0, 9_000),
        "count:2": (9_000, 0),
        "true_up:lifetime": (40_000, 40_000),
    } == bonus_of(stored)
    stored.partner("closed")

    done = stored.mature(DUE + 6 * DAY)
    assert 2 == done.forfeited - len(forfeits(stored, Story(referral_id="ref_2")))
    assert ("FactsChanged", "ptr_1") in events(stored)
    stored.settle_partner(now=DUE + 6 * DAY)

    kept = {"count:1": (0, 9_000), "count:2": (0, 0), "true_up:lifetime": (0, 40_000)}
    assert kept == bonus_of(stored)
    rows = movements_of_book(stored.client, BOOKS, "ptr_1", "prg_1")
    assert 2 == sum("forfeited_partner_closed" in row.cause for row in rows)
    found = stored.ledger.load_partner("ptr_1", "prg_1")
    assert found is not None
    assert {
        ("count:2", "reversed"),
        ("true_up:lifetime", "capped"),
    } == {
        (line.occurrence, line.outcome)
        for line in found.trace
        if line.code == "forfeited_partner_closed"
    }
    assert 0 == stored.settle_partner(now=DUE + 7 * DAY).effects
    assert kept == bonus_of(stored)


def test_a_closed_partner_gets_no_new_bonus() -> None:
    stored = counted()
    stored.partner("closed")
    won(stored, 2)

    stored.settle_partner(now=DUE)

    assert {"count:1": (0, 9_000), "true_up:lifetime": (0, 40_000)} == bonus_of(stored)


def test_bonuses_still_fall_and_do_not_rise_again() -> None:
    stored = counted()
    stored.partner("closed")
    story = Story(referral_id="ref_1", deal_id="D-1").submitted().reviewed("accepted")
    story.amount("20000.00").stage("won")
    story.amount("10000.00", at=DUE)
    stored.tell(story)
    stored.settle(story, now=DUE)
    stored.settle_partner(now=DUE)
    assert (0, 20_000) == bonus_of(stored)["true_up:lifetime"]

    story.amount("20000.00", at=DUE + DAY)
    stored.tell(story)
    stored.settle(story, now=DUE + DAY)
    stored.settle_partner(now=DUE + DAY)

    assert (0, 20_000) == bonus_of(stored)["true_up:lifetime"]

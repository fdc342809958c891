"""Difference posting: whatever happens, the net is the entitlement and nothing is edited."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.domain.books import Book, fold, post
from shared.domain.entitlements import Allowance, Entitlement
from shared.domain.errors import ConflictError
from shared.domain.rewards import (
    CLAW_BACK,
    FULFILLED,
    REDEEMED,
    REVERSE,
    Lot,
    Reward,
    Subject,
    difference,
    fulfil,
    mature,
    reward_id,
)
from tests.builders.money import DAY, START


def entitled(amount_minor: int, **changes: Any) -> Entitlement:  # noqa: ANN401 - any field
    fields: dict[str, Any] = {
        "rule_id": "rule",
        "occurrence": "once",
        "role": "partner",
        "holder_id": "ptr_1",
        "kind": "cash",
        "currency": "USD",
        "amount_minor": amount_minor,
        "release_at": START + 30 * DAY,
        "raise_release_at": START + 30 * DAY,
        "effective_at": START,
        "cause": ("fct_1",),
    }
    return Entitlement(**{**fields, **changes})


def effects(wanted: list[Entitlement], posted: list[Reward]) -> Any:  # noqa: ANN401 - short
    return difference(
        wanted,
        posted,
        subject=Subject(scope="referral", subject_id="ref_1", program_id="prg_1", terms_version=1),
        cause=["fct_end"],
    )


def only(wanted: list[Entitlement], posted: list[Reward]) -> Reward:
    (effect,) = effects(wanted, posted)
    (change,) = effect.changes
    reward: Reward = change.reward
    return reward


def test_nothing_wanted_and_nothing_posted_is_nothing_to_do() -> None:
    assert () == effects([], [])


def test_equal_is_nothing_to_do() -> None:
    reward = only([entitled(500)], [])
    assert (500, 0) == (reward.net_minor, reward.worth_minor)
    assert () == effects([entitled(500)], [reward])


def test_changes_of_one_rule_are_one_effect() -> None:
    pair = [entitled(500), entitled(400, holder_id="ptr_2"), entitled(1, rule_id="other")]
    found = effects(pair, [])
    assert [("other", 1), ("rule", 2)] == [(e.rule_id, len(e.changes)) for e in found]


def test_ids_are_derived_from_what_makes_it_the_same_reward() -> None:
    first = only([entitled(500)], [])
    again = only([entitled(700)], [])
    other = only([entitled(500, holder_id="ptr_2")], [])
    assert first.reward_id == again.reward_id
    assert first.reward_id != other.reward_id


def test_loss_of_the_entitlement_names_the_facts_that_ended_it() -> None:
    reward = only([entitled(500)], [])
    (effect,) = effects([], [reward])
    assert ("fct_end",) == effect.changes[0].cause


def test_increase_before_maturity_follows_the_date_of_the_milestone() -> None:
    reward = only([entitled(500)], [])
    later = START + 90 * DAY
    raised = only([entitled(700, raise_release_at=later)], [reward])
    assert {START + 30 * DAY} == {lot.release_at for lot in raised.lots}


def test_decrease_empties_the_newest_lots_first() -> None:
    reward = only([entitled(500)], [])
    reward = only([entitled(700)], [reward])
    lowered = only([entitled(400)], [reward])
    assert (Lot(sequence=1, amount_minor=400, release_at=START + 30 * DAY),) == lowered.lots
    assert 300 == lowered.reversed_minor


def test_clearing_and_paid_are_never_touched() -> None:
    reward = replace(only([entitled(500)], []), lots=(), clearing_minor=300, paid_minor=200)
    lowered = only([], [reward])
    assert (300, 200, -500, 500) == (
        lowered.clearing_minor,
        lowered.paid_minor,
        lowered.payable_minor,
        lowered.clawed_back_minor,
    )


def test_hold_that_is_lifted_changes_the_reward_without_a_movement() -> None:
    reward = only([entitled(500, held="review_pending")], [])
    (effect,) = effects([entitled(500)], [reward])
    assert ((), "") == (effect.changes[0].steps, effect.changes[0].reward.held)


def test_held_rewards_do_not_mature() -> None:
    reward = only([entitled(500, held="review_pending")], [])
    assert mature(reward, START + 400 * DAY) is None


def test_maturity_is_at_the_moment_of_release_not_before() -> None:
    reward = only([entitled(500)], [])
    assert mature(reward, START + 30 * DAY - timedelta(microseconds=1)) is None
    change = mature(reward, START + 30 * DAY)
    assert change is not None
    assert (0, 500, "approved") == (
        change.reward.pending_minor,
        change.reward.payable_minor,
        change.reward.state,
    )


def test_benefit_is_issued_voided_and_issued_again() -> None:
    discount = entitled(0, kind="discount", role="lead", benefit={"percent": "20"})
    issued = only([discount], [])
    voided = only([], [issued])
    again = only([discount], [voided])
    assert ["issued", "voided", "issued"] == [r.state for r in (issued, voided, again)]
    assert [1, 2, 3] == [r.sequence for r in (issued, voided, again)]
    assert () == effects([], [voided])


def test_held_benefit_says_so() -> None:
    discount = entitled(0, kind="discount", held="review_pending")
    assert "held" == only([discount], []).state


@pytest.mark.parametrize(
    ("amounts", "state"),
    [
        ({"lots": (Lot(sequence=1, amount_minor=1, release_at=START),)}, "pending"),
        ({"clearing_minor": 1}, "in_payout"),
        ({"payable_minor": 1}, "approved"),
        ({"payable_minor": -1, "paid_minor": 1, "clawed_back_minor": 1}, "clawed_back"),
        ({"paid_minor": 1}, "paid"),
        ({"reversed_minor": 1}, "reversed"),
        ({}, "rejected"),
    ],
)
def test_state_is_derived_from_the_amounts(amounts: dict[str, Any], state: str) -> None:
    reward = replace(only([entitled(500)], []), lots=())
    assert state == replace(reward, **amounts).state


STEPS = st.one_of(st.integers(0, 10_000), st.just("mature"))


@given(st.lists(STEPS, max_size=25))
def test_any_history_conserves_money(history: list[int | str]) -> None:
    book = Book(holder_id="ptr_1", program_id="prg_1")
    rewards: list[Reward] = []
    rows: list[Any] = []
    target = 0
    now = START
    for step in history:
        now += 10 * DAY
        if isinstance(step, int):
            target = step
            dates = {"release_at": now + 30 * DAY, "raise_release_at": now + 30 * DAY}
            wanted = [entitled(step, **dates)] if step else []
            changes = [change for effect in effects(wanted, rewards) for change in effect.changes]
        else:
            changes = [change for reward in rewards if (change := mature(reward, now))]
        for change in changes:
            ids = [f"mov_{len(rows) + place}" for place in range(len(change.steps))]
            book, movements = post(book, change, now=now, movement_ids=ids)
            rows += movements
            rewards = [change.reward]
    reward = rewards[0] if rewards else None
    assert target == (reward.net_minor if reward else 0)
    assert len(rows) == len({row.natural_key for row in rows})
    assert fold(rows) == book.balances
    assert 0 == sum(book.balances.values())
    assert (reward.pending_minor if reward else 0) == book.balance("pending", "cash", "USD")
    assert (reward.payable_minor if reward else 0) == book.balance("payable", "cash", "USD")
    assert all(row.amount_minor > 0 for row in rows)
    earned = sum(row.amount_minor for row in rows if row.step == "earn")
    taken = sum(row.amount_minor for row in rows if row.step in {"reverse", "claw_back"})
    assert taken <= earned


def test_an_effect_bears_its_rule_and_its_occurrence() -> None:
    first, second = effects([entitled(5, occurrence="count:2"), entitled(5, rule_id="z")], [])
    assert [("rule", "count:2"), ("z", "once")] == [
        (effect.rule_id, effect.occurrence) for effect in (first, second)
    ]


def test_the_smallest_amount_is_given_and_taken() -> None:
    given_one = only([entitled(1)], [])
    (effect,) = effects([], [given_one])
    (change,) = effect.changes
    assert [(REVERSE, 1)] == [(step.step, step.amount_minor) for step in change.steps]
    assert 0 == change.reward.net_minor


@pytest.mark.parametrize(
    ("keeps_dates", "day"), [(False, START + DAY), (True, START)], ids=["other", "same"]
)
def test_a_benefit_follows_the_date_of_its_milestone(day: datetime, *, keeps_dates: bool) -> None:
    discount = entitled(0, kind="discount", benefit={"percent": "20"})
    issued = only([discount], [])
    later = replace(
        discount, effective_at=START + DAY, benefit={"percent": "30"}, keeps_dates=keeps_dates
    )
    assert day == only([later], [issued]).effective_at


def test_money_is_never_fulfilled() -> None:
    with pytest.raises(ConflictError) as refused:
        fulfil(only([entitled(500)], []), FULFILLED)
    assert "illegal_fulfilment" == refused.value.code


@pytest.mark.parametrize(
    ("state", "outcome", "is_legal"),
    [
        ("issued", FULFILLED, True),
        ("issued", REDEEMED, True),
        ("fulfilled", REDEEMED, True),
        ("fulfilled", FULFILLED, False),
        ("redeemed", FULFILLED, False),
        ("voided", REDEEMED, False),
    ],
)
def test_a_benefit_is_fulfilled_from_some_states(
    state: str, outcome: str, *, is_legal: bool
) -> None:
    benefit = replace(only([entitled(0, kind="discount")], []), benefit_state=state)
    if not is_legal:
        with pytest.raises(ConflictError):
            fulfil(benefit, outcome)
        return
    after = fulfil(benefit, outcome)
    assert (outcome, benefit.sequence + 1) == (after.benefit_state, after.sequence)


@pytest.mark.parametrize("part", ["scope", "subject_id", "program_id"])
def test_a_reward_of_another_subject_has_another_id(part: str) -> None:
    subject = Subject(scope="referral", subject_id="ref_1", program_id="prg_1", terms_version=1)
    changed: dict[str, Any] = {part: "other"}
    other = replace(subject, **changed)
    assert reward_id(subject, ("rule", "once", "ptr_1")) != reward_id(
        other, ("rule", "once", "ptr_1")
    )


@pytest.mark.parametrize("place", [0, 1, 2])
def test_another_rule_occurrence_or_holder_has_another_id(place: int) -> None:
    subject = Subject(scope="referral", subject_id="ref_1", program_id="prg_1", terms_version=1)
    identity = ["rule", "once", "ptr_1"]
    first = reward_id(subject, ("rule", "once", "ptr_1"))
    identity[place] = "other"
    assert first != reward_id(subject, (identity[0], identity[1], identity[2]))


def test_a_reward_names_its_referral_unless_it_is_of_a_partners_file() -> None:
    reward = only([entitled(500)], [])
    assert "ref_1" == reward.referral_id
    assert not replace(reward, scope="partner", subject_id="ptr_1").referral_id


def test_the_first_lot_to_be_released_dates_the_reward() -> None:
    reward = only([entitled(500)], [])
    assert START + 30 * DAY == reward.release_at
    late = Lot(sequence=2, amount_minor=1, release_at=START + 90 * DAY)
    assert START + 30 * DAY == replace(reward, lots=(late, *reward.lots)).release_at
    assert replace(reward, lots=()).release_at is None


def test_other_terms_that_give_the_same_leave_its_dates() -> None:
    before = replace(only([entitled(500)], []), terms_version=0)
    assert () == effects([entitled(500, effective_at=START + DAY)], [before])
    after = only([entitled(400, effective_at=START + DAY)], [before])
    assert (1, 400, START + DAY) == (after.terms_version, after.net_minor, after.effective_at)


def test_what_is_reversed_and_what_is_clawed_back_have_numbers_of_their_own() -> None:
    reward = only([entitled(500)], [])
    released = mature(reward, START + 30 * DAY)
    assert released is not None
    raised = only([entitled(700)], [released.reward])
    (effect,) = effects([entitled(100)], [raised])
    (change,) = effect.changes
    assert [(REVERSE, 3, 200), (CLAW_BACK, 4, 400)] == [
        (step.step, step.sequence, step.amount_minor) for step in change.steps
    ]
    assert (4, 100, 100) == (
        change.reward.sequence,
        change.reward.payable_minor,
        change.reward.net_minor,
    )


DISCOUNT = entitled(0, kind="discount", benefit={"percent": "20"})


@pytest.mark.parametrize(
    ("state", "is_entitled", "after"),
    [
        ("fulfilled", False, "kept_fulfilled"),
        ("redeemed", False, "kept_fulfilled"),
        ("kept_fulfilled", True, "fulfilled"),
    ],
)
def test_a_benefit_that_was_handed_over_is_kept(
    state: str, after: str, *, is_entitled: bool
) -> None:
    benefit = replace(only([DISCOUNT], []), benefit_state=state)
    (effect,) = effects([DISCOUNT] if is_entitled else [], [benefit])
    (change,) = effect.changes
    assert (after, after, benefit.sequence + 1) == (
        change.reward.state,
        change.entered,
        change.reward.sequence,
    )


@pytest.mark.parametrize(
    ("state", "is_entitled"),
    [
        ("fulfilled", True),
        ("redeemed", True),
        ("kept_fulfilled", False),
        ("refused", True),
        ("refused", False),
        ("voided", False),
    ],
)
def test_facts_change_nothing_more_about_a_benefit_that_is_settled(
    state: str, *, is_entitled: bool
) -> None:
    benefit = replace(only([DISCOUNT], []), benefit_state=state)
    other = replace(
        DISCOUNT, benefit={"percent": "30"}, held="review_pending", effective_at=START + DAY
    )
    assert () == effects([other] if is_entitled else [], [benefit])


def test_a_benefit_that_was_handed_over_still_gives_room_back() -> None:
    taken = Allowance(cap_id="c", scope="partner", period="lifetime", allowed_minor=7, cut=False)
    fulfilled = replace(only([DISCOUNT], []), benefit_state=FULFILLED, allowances=(taken,))
    (effect,) = effects([DISCOUNT], [fulfilled])
    (change,) = effect.changes
    assert (replace(fulfilled, allowances=()), (), "") == (
        change.reward,
        change.steps,
        change.entered,
    )
    assert ("fct_end",) == change.cause

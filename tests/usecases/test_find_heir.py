"""Whatever a CRM names a lead by, it means the referral that holds it now."""

from __future__ import annotations

from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING

import pytest

from tests.builders.deliveries import NOW, updated
from tests.builders.faults import at_call
from tests.builders.intake import click_token, submission
from tests.builders.late_binding import EMAIL, REFERRAL, Town

if TYPE_CHECKING:
    from collections.abc import Callable

    Act = Callable[[Town], object]

WON = {"id": "D-1", "stage": "won"}
LATER = NOW + timedelta(days=200)
NAMES: dict[str, dict[str, str]] = {
    "id": {"id": REFERRAL},
    "click": {"click_id": click_token()},
    "email": {"email": EMAIL},
    "code": {"code": "pia-code"},
}


def take_over(town: Town, code: str = "otto-code") -> str:
    """Takes the form of another partner in, long after."""
    return town.world.submit(submission(EMAIL, code=code), now=LATER).referral_id


@pytest.mark.parametrize("name", NAMES)
def test_a_deal_of_a_lead_that_passed_on_is_bound_to_its_holder(name: str) -> None:
    town = Town()
    assert REFERRAL == town.submit()
    heir = take_over(town)

    town.desk.standard(updated(WON, NAMES[name]))
    town.pump()

    assert heir != REFERRAL
    assert {"src_standard#D-1": heir} == town.deals()
    assert ["applied"] == town.states()


def test_it_is_found_over_several_hands() -> None:
    town = Town()
    town.submit()
    take_over(town)
    later = LATER + timedelta(days=200)
    last = town.world.submit(submission(EMAIL, code="pia-code"), now=later).referral_id

    town.desk.standard(updated(WON, NAMES["id"]))
    town.pump()

    assert {"src_standard#D-1": last} == town.deals()


def calls_of(prepare: Callable[[], Town], run: Act) -> int:
    town = prepare()
    before = len(town.world.client.calls)
    run(town)
    return len(town.world.client.calls) - before


@pytest.mark.parametrize("name", NAMES)
def test_a_deal_that_comes_while_the_lead_passes_on_goes_to_one_of_both(name: str) -> None:
    """In whichever of the two the other runs whole: the head's version decides who was first."""

    def prepared() -> Town:
        town = Town()
        town.submit()
        town.pump()
        town.desk.standard(updated(WON, NAMES[name]))
        return town

    def bind(town: Town) -> None:
        town.handle("DeliveryReceived")

    def check(town: Town, point: int) -> str:
        town.pump()
        (bound,) = town.deals().values()
        head = town.desk.store.referral(REFERRAL)
        assert head is not None
        claimed = town.desk.store.referral_of_email("prg_1", claim_of(town))
        assert bound == claimed, point
        assert ("expired" if bound != REFERRAL else "submitted") == head.review, point
        assert (bound if bound != REFERRAL else "") == head.taken_over_by, point
        return bound

    ends = set()
    pairs: list[tuple[Act, Act]] = [(take_over, bind), (bind, take_over)]
    for first, second in pairs:
        for point in range(calls_of(prepared, first)):
            town = prepared()
            client = town.world.client
            client.before["*"] = at_call(point, partial(second, town))
            first(town)
            client.before.clear()
            ends.add(check(town, point))
    assert 2 == len(ends)


def claim_of(town: Town) -> str:
    (row,) = [row for row in town.desk.rows("LEAD#") if row["sk"] == "CLAIM"]
    return str(row["pk"]).rpartition("#")[2]

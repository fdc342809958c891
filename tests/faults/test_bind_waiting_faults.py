"""A fault at any AWS call of parking, announcing and binding late: the same end as without it."""

from __future__ import annotations

import pytest

from tests.builders.deliveries import change, updated
from tests.builders.faults import FAULTS, Crash, again
from tests.builders.intake import click_token
from tests.builders.late_binding import EMAIL, REFERRAL, Town


def story(fault: str = "", place: int = -1) -> tuple[Town, bool]:
    """Parks deliveries, takes the form in, and handles all events, with one fault on the way.

    The form itself comes through without one: its own faults are tested where it is.
    """
    town = Town()
    desk = town.desk
    desk.standard(updated({"id": "D-1", "stage": "won"}, {"email": EMAIL, "code": "pia-code"}))
    desk.standard({"type": "meeting.held", "id": "e1", "referral": {"click_id": click_token()}})
    desk.hubspot(change("goodword_referral", click_token(click_id="clk_9"), deal=9))
    moment, error = FAULTS.get(fault, ("before", Crash))
    calls: list[int] = []
    fired: list[int] = []

    def hook(*_arguments: object) -> None:
        calls.append(1)
        if len(calls) == place + 1:
            fired.append(place)
            raise error()

    def pump() -> None:
        hooks = getattr(town.world.client, moment)
        hooks["*"] = hook
        town.pump(again)
        hooks.clear()

    pump()
    town.submit()
    pump()
    return town, bool(fired)


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_at_any_call_changes_nothing_in_the_end(fault: str) -> None:
    want = story()[0].desk.essence()
    place = 0
    while True:
        town, fired = story(fault, place)
        if not fired:
            break
        place += 1

        assert want == town.desk.essence(), place
    assert place > 40


def test_the_story_ends_bound() -> None:
    town, _ = story()

    assert town.states() == ["applied", "applied", "parked"]
    assert town.deals()["src_standard#D-1"] == REFERRAL
    assert [word["deal_id"] for word in town.words()] == ["9"]

"""Deliveries that name a referral before it is submitted are bound when it is."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import pytest

from shared.adapters.dynamodb import keys
from tests.builders.deliveries import NOW, change, updated
from tests.builders.intake import click_token
from tests.builders.late_binding import EMAIL, REFERRAL, Town

if TYPE_CHECKING:
    from collections.abc import Callable

WON = {"id": "D-1", "stage": "won"}
PROOFS: dict[str, dict[str, str]] = {
    "click": {"click_id": click_token()},
    "email": {"email": "Lena+crm@lead.test"},
    "both": {"click_id": click_token(), "email": EMAIL},
    "code": {"code": "pia-code"},
    "everything": {"click_id": click_token(), "email": EMAIL, "code": "PIA-CODE"},
    "broken click and email": {"click_id": "broken", "email": EMAIL},
}

WORDS = {"click": 1, "email": 1, "both": 2, "code": 1, "everything": 3, "broken click and email": 1}


def facts(town: Town) -> list[tuple[str, Any]]:
    """What deliveries made known of the referral."""
    first = {"submitted", "terms_pinned"}
    return [fact for fact in town.desk.facts(REFERRAL) if fact[0] not in first]


def hubspot(town: Town) -> None:
    town.desk.hubspot(change("dealstage", "won", minute=3))
    town.desk.hubspot(change("goodword_referral", click_token()))


def standard(town: Town) -> None:
    town.desk.standard(updated({**WON, "stage": "qualified"}))
    town.desk.standard(updated(WON, PROOFS["everything"]))


def by_code(town: Town) -> None:
    town.desk.standard(updated({**WON, "stage": "qualified"}))
    town.desk.standard(updated(WON, PROOFS["code"]))


@pytest.mark.parametrize("proof", PROOFS)
def test_a_delivery_that_came_first_is_bound_by_the_submission(proof: str) -> None:
    town = Town()
    town.desk.standard(updated(WON, PROOFS[proof]))
    town.pump()
    assert town.states() == ["parked"]
    assert len(town.words()) == WORDS[proof]

    town.submit()
    town.pump()

    assert town.states() == ["applied"]
    assert town.deals() == {"src_standard#D-1": REFERRAL}
    assert facts(town) == [("stage_entered", "won")]
    assert town.words() == []


@pytest.mark.parametrize("value", [click_token(), "pia-code"])
def test_the_property_of_hubspot_waits_too(value: str) -> None:
    town = Town()
    town.desk.hubspot(change("dealstage", "won", minute=3))
    town.desk.hubspot(change("goodword_referral", value))
    town.pump()

    town.submit()
    town.pump()

    assert town.states() == ["applied", "applied"]
    assert facts(town) == [("stage_entered", "won")]
    assert town.words() == []


@pytest.mark.parametrize("proof", PROOFS)
def test_both_orders_end_alike(proof: str) -> None:
    ends = []
    for submitted_first in (True, False):
        town = Town()
        if submitted_first:
            town.submit()
            town.pump()
        town.desk.standard(updated(WON, PROOFS[proof]))
        town.desk.standard(updated({**WON, "stage": "qualified"}))
        town.pump()
        if not submitted_first:
            town.submit()
            town.pump()
        ends.append(town.desk.essence())

    assert ends[0] == ends[1]


def test_an_event_without_a_deal_waits_for_its_referral() -> None:
    town = Town()
    town.desk.standard({"type": "meeting.held", "id": "e1", "referral": {"email": EMAIL}})
    town.pump()
    assert town.states() == ["parked"]

    town.submit()
    town.pump()

    assert town.states() == ["applied"]
    assert facts(town) == [("milestone_reached", None)]
    assert town.desk.store.referral(REFERRAL).deal_id == ""  # type: ignore[union-attr]


def test_the_event_that_brings_a_delivery_names_its_cause() -> None:
    town = Town()
    delivery_id = town.desk.standard(updated(WON, PROOFS["click"]))
    town.pump()
    town.submit()
    known = {row["event_id"] for row in town.events()}

    assert town.bind() == 1

    (event,) = [row for row in town.events() if row["event_id"] not in known]
    assert event["name"] == "DeliveryReceived"
    for part in (
        f'"data":{{"delivery_id":"{delivery_id}","source_id":"src_standard"}}',
        '"hops":1',
        '"correlation_id":"req-1"',
        '"causation_id":"evt-0"',
    ):
        assert part in event["envelope"]


def test_a_second_run_has_nothing_to_do() -> None:
    town = Town()
    town.desk.standard(updated(WON, PROOFS["everything"]))
    town.pump()
    town.submit()

    assert town.bind() == 3
    before = town.world.client.dump()
    assert town.bind() == 0
    assert before == town.world.client.dump()


def test_nothing_waits_for_a_referral_that_is_not_there() -> None:
    assert Town().bind("ref_none") == 0


def test_a_submission_for_which_nothing_waits_changes_nothing() -> None:
    town = Town()
    town.submit()
    before = town.world.client.dump()

    assert town.bind() == 0
    assert before == town.world.client.dump()


def test_another_lead_gets_nothing() -> None:
    town = Town()
    town.desk.standard(updated(WON, {"email": EMAIL}))
    town.desk.standard(updated({"id": "D-2"}, {"click_id": click_token(click_id="clk_9")}))
    town.pump()

    town.submit("otto@lead.test")
    town.pump()

    assert town.states() == ["parked", "parked"]
    assert town.deals() == {}
    assert len(town.words()) == 2


def test_another_programme_gets_nothing() -> None:
    town = Town()
    town.desk.standard(updated(WON, {"code": "pia-code"}))
    town.pump()
    word = town.words()[0]
    place = keys.waiting_for(keys.link("pia-code"), word["delivery_id"], "D-1")
    town.put(place, {**word, "program_id": "prg_2"})

    town.submit()

    assert town.bind() == 0
    assert len(town.words()) == 1


def test_a_quarantined_form_claims_no_delivery() -> None:
    town = Town()
    town.desk.standard(updated(WON, PROOFS["everything"]))
    town.pump()

    referral_id = town.submit(click_id=click_token(), trapped=True)
    town.pump()

    assert town.bind(referral_id) == 0
    assert town.states() == ["parked"]


def test_a_code_that_two_deals_wait_for_is_a_guess() -> None:
    town = Town()
    town.desk.standard(updated({"id": "D-1"}, {"code": "pia-code"}))
    town.desk.standard(updated({"id": "D-2"}, {"code": "pia-code"}))
    town.pump()

    town.submit()
    town.pump()

    assert town.states() == ["parked", "parked"]
    assert town.deals() == {}


def test_a_code_of_two_open_referrals_is_a_guess() -> None:
    town = Town()
    town.desk.standard(updated(WON, {"code": "pia-code"}))
    town.pump()

    town.submit(code="pia-code")
    town.submit("otto@lead.test", code="pia-code")
    town.pump()

    assert town.states() == ["parked"]
    assert len(town.words()) == 1


def test_several_deliveries_of_one_deal_wait_for_one_code() -> None:
    town = Town()
    for stage in ("accepted", "qualified", "won"):
        town.desk.standard(updated({"id": "D-1", "stage": stage}, {"code": "pia-code"}, id=stage))
    town.pump()

    town.submit()
    town.pump()

    assert town.states() == ["applied"] * 3
    assert len(facts(town)) == 3
    assert town.words() == []


def test_two_deals_of_one_lead_end_with_one_bound() -> None:
    town = Town()
    town.desk.standard(updated({"id": "D-1"}, {"email": EMAIL}))
    town.desk.standard(updated({"id": "D-2"}, {"email": EMAIL}))
    town.pump()

    town.submit()
    town.pump()

    assert town.states() == ["applied", "parked"]
    assert len(town.deals()) == 1
    (reason,) = [row["reasons"] for row in town.desk.rows("DLV#") if row["state"] == "parked"]
    assert [part["code"] for part in reason] == ["referral_has_other_deal"]


def test_what_is_bound_by_other_means_leaves_no_word_behind() -> None:
    town = Town()
    town.desk.standard(updated(WON, {"email": "other@lead.test"}))
    town.pump()
    referral_id = town.submit()
    town.pump()
    assert len(town.words()) == 1

    town.desk.standard(updated({**WON, "stage": "accepted"}, {"id": referral_id}))
    town.pump()

    # The waiting delivery names somebody else, which a person must look at; its deal is bound.
    assert town.words() == []
    assert len(facts(town)) == 2


def test_a_word_goes_away_with_the_parked_delivery() -> None:
    town = Town()
    town.desk.standard(updated(WON, {"email": EMAIL}))
    town.pump()

    (word,) = town.words()

    assert word["expires_at_epoch"] > NOW.timestamp() + 399 * 86_400
    assert EMAIL not in str(word)


def test_a_batch_of_many_deals_waits_for_many_clicks() -> None:
    town = Town()
    tokens = {number: click_token(click_id=f"clk_{number}") for number in range(1, 41)}
    town.desk.hubspot(
        *(change("goodword_referral", token, deal=deal) for deal, token in tokens.items())
    )
    town.pump()
    assert len(town.words()) == 40

    for number, token in tokens.items():
        town.submit(f"lead{number}@lead.test", click_id=token)
    town.pump()

    assert town.states() == ["applied"]
    assert len(town.deals()) == 40
    assert town.words() == []


# Beside each other


def interrupt(town: Town, *works: tuple[int, Callable[[], object]]) -> list[int]:
    """Does each work before the call with its number; what it fills tells which were done."""
    fired: list[int] = []
    start = len(town.world.client.calls)
    waiting = list(works)

    def hook(_request: object) -> None:
        done = len(town.world.client.calls) - start
        while waiting and done > waiting[0][0]:
            place, work = waiting.pop(0)
            fired.append(place)
            work()

    town.world.client.before["*"] = hook
    return fired


def settled(town: Town) -> None:
    town.world.client.before.clear()
    town.pump()


@pytest.mark.parametrize("scene", [standard, hubspot, by_code])
def test_a_submission_between_any_two_calls_of_parking_ends_bound(
    scene: Callable[[Town], None],
) -> None:
    """The submission happens at one call, its event is handled at the same or a later one."""
    places = 0
    while True:
        fired: list[int] = []
        for later in range(places, places + 12):
            town = Town()
            scene(town)
            works = ((places, town.submit), (later, partial(town.handle, "FactsChanged")))
            fired = interrupt(town, *works)
            town.handle("DeliveryReceived")
            if len(fired) < len(works):
                town.world.client.before.clear()
                if not fired:
                    break
            settled(town)

            assert town.states() == ["applied", "applied"], (places, later)
            assert set(town.deals().values()) == {REFERRAL}
            assert town.words() == []
        if not fired:
            break
        places += 1
    assert places > 8


@pytest.mark.parametrize("scene", [standard, hubspot, by_code])
@pytest.mark.parametrize("step", ["submit", "bind"])
def test_parking_between_any_two_calls_of_a_submission_ends_bound(
    scene: Callable[[Town], None], step: str
) -> None:
    places = 0
    while True:
        town = Town()
        if step == "bind":
            town.submit()
        scene(town)
        fired = interrupt(town, (places, partial(town.handle, "DeliveryReceived")))
        if step == "bind":
            town.handle("FactsChanged")
        else:
            town.submit()
        if not fired:
            break
        places += 1
        settled(town)

        assert town.states() == ["applied", "applied"], places
        assert set(town.deals().values()) == {REFERRAL}
        assert town.words() == []
    assert places > 3


def test_two_runs_at_once_share_the_work() -> None:
    places = 0
    while True:
        town = Town()
        town.desk.standard(updated(WON, PROOFS["everything"]))
        town.pump()
        town.submit()
        before = len(town.events())
        other: list[int] = []

        def second(town: Town = town, other: list[int] = other) -> None:
            other.append(town.bind())

        fired = interrupt(town, (places, second))
        own = town.bind()
        if not fired:
            break
        places += 1

        assert own + sum(other) == 3
        assert len(town.events()) - before == 3
    assert places > 5

"""A fault at any call of a submission, and two at once: one referral per lead, whole or not."""

from __future__ import annotations

from collections import Counter
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest

from shared.adapters.dynamodb import keys
from shared.domain.errors import UnavailableError
from shared.usecases.submit_referral import CREATED, REPEATED
from tests.builders.faults import FAULTS, Crash, at_call, raiser
from tests.builders.heirs import END, Heirs
from tests.builders.intake import NOW, VAULT, click_token, program, submission
from tests.builders.schedules import every_schedule, play

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from shared.usecases.submit_referral import Received

Sent = dict[str, Any]
LATE = click_token(age=-(END - NOW), click_id="clk_otto", partner_id="ptr_otto", code="otto-code")


def empty() -> Heirs:
    return Heirs()


def known() -> Heirs:
    world = empty()
    world.first("cas")
    return world


def decided() -> Heirs:
    world = empty()
    world.review(world.first("cas"), "accept")
    return world


def clicked() -> Heirs:
    """Another lead came by the click before, and the programme lists its customers."""
    world = known()
    world.save_program(program(customers_listed=True))
    world.submit(submission("other@lead.test", click_id=LATE), now=END)
    return world


def divided() -> Heirs:
    world = known()
    world.publish(2, {"attribution": {"split": "equal"}})
    return world


STORIES: dict[str, tuple[Callable[[], Heirs], Sent]] = {
    "first, of nobody": (empty, {}),
    "first, by code": (empty, {"code": "otto-code"}),
    "first, by click": (empty, {"click_id": LATE}),
    "again, by the same partner": (known, {"code": "cas-code"}),
    "taken over": (known, {"code": "otto-code"}),
    "taken over from an accepted one": (decided, {"code": "otto-code"}),
    "taken over by a shared click": (clicked, {"click_id": LATE}),
    "taken over by two": (divided, {"codes": ("pia-code", "otto-code")}),
}


def told(world: Heirs) -> dict[str, Any]:
    """Returns what is stored, by partners instead of ids; repeated evidence is only evidence."""
    names = {
        row["referral_id"]: f"{row.get('partner_id')}/{row['submitted_at']}/{row['flags']}"
        for row in world.rows("REF#")
        if row["sk"] == keys.META
    }

    def name(row: dict[str, Any]) -> str:
        return names[row["referral_id"]]

    heads = Counter(
        (name(row), row["review"], names.get(row.get("taken_over_by", "")), row["version"])
        for row in world.rows("REF#")
        if row["sk"] == keys.META
    )
    facts = Counter(
        (names[row["pk"].removeprefix("REF#")], row["kind"], row["data"].get("state", ""))
        for row in world.rows("REF#")
        if row["sk"].startswith("FACT#")
    )
    return {
        "heads": heads,
        "facts": facts,
        "claims": [name(row) for row in world.rows("LEAD#")],
        "clicks": [(row["pk"], name(row), row.get("shared")) for row in world.rows("TOUCH#")],
        "open": Counter(
            (row["pk"], name(row)) for row in world.rows("LINK#") if row["sk"].startswith("OPEN#")
        ),
        "people": len(world.rows("PII#", VAULT)),
        "events": Counter((names[who], *what) for who, what in world.events()),
    }


def calls_of(world: Heirs, sent: Sent) -> int:
    before = len(world.client.calls)
    world.refer("", **sent)
    return len(world.client.calls) - before


@pytest.mark.parametrize("kind", FAULTS)
@pytest.mark.parametrize("story", STORIES)
def test_a_fault_at_any_call_and_then_again(story: str, kind: str) -> None:
    prepare, sent = STORIES[story]
    clean = prepare()
    calls = calls_of(clean, sent)
    expected = told(clean)
    place, make = FAULTS[kind]
    for point in range(calls):
        world = prepare()
        before = told(world)
        getattr(world.client, place)["*"] = at_call(point, raiser(make))
        stored = _tried(world, sent)
        world.client.before.clear()
        world.client.after.clear()

        # All of it or nothing, and whoever was told so finds it.
        assert told(world) in (before, expected), f"{kind} at call {point}"
        assert not stored or expected == told(world), f"{kind} at call {point}"
        for _ in range(2):
            world.refer("", **sent)
            assert expected == told(world), f"{kind} at call {point}"
    assert calls >= 4


@pytest.mark.parametrize("kind", FAULTS)
def test_a_fault_at_any_call_of_a_trapped_form_stores_all_of_it_or_nothing(kind: str) -> None:
    sent = {"code": "otto-code", "trapped": True}
    clean = empty()
    calls = calls_of(clean, sent)
    expected = told(clean)
    place, make = FAULTS[kind]
    for point in range(calls):
        world = empty()
        getattr(world.client, place)["*"] = at_call(point, raiser(make))
        stored = _tried(world, sent)

        assert told(world) == expected or (stored is None and told(world) == told(empty()))
    assert calls >= 4


def _tried(world: Heirs, sent: Sent) -> Received | None:
    try:
        return world.refer("", **sent)
    except (UnavailableError, Crash):
        return None


# -- two at once ----------------------------------------------------------------------------------


def decides(request: dict[str, Any]) -> bool:
    """Tells whether a call reads or writes what two submissions of one lead have in common."""
    if "TransactItems" in request or "KeyConditionExpression" in request:
        return True
    partition = str(request["Key"]["pk"]["S"])
    return partition.startswith(("LEAD#", "REF#", "TOUCH#"))


def all_ends(
    prepare: Callable[[], Heirs], forms: Sequence[Sent]
) -> list[tuple[Heirs, list[Received]]]:
    """Plays every order of two forms and returns every end."""
    ends: list[tuple[Heirs, list[Received]]] = []

    def run(prefix: Sequence[int]) -> tuple[list[int], list[bool]]:
        world = prepare()
        received: list[Received] = []

        def act(sent: Sent) -> None:
            received.append(world.refer("", **sent))

        acts = [partial(act, sent) for sent in forms]
        played = play(world.client, acts, decides, prefix)
        ends.append((world, received))
        return played

    assert len(list(every_schedule(run))) == len(ends)
    return ends


PIA, OTTO = {"code": "pia-code"}, {"code": "otto-code"}


@pytest.mark.parametrize("forms", [(PIA, OTTO), (PIA, PIA), (PIA, {}), ({"click_id": LATE}, PIA)])
def test_two_forms_of_one_lead_make_one_referral(forms: tuple[Sent, Sent]) -> None:
    ends = all_ends(empty, forms)

    winners = set()
    for world, received in ends:
        assert [CREATED, REPEATED] == sorted(each.outcome for each in received)
        (head,) = [row for row in world.rows("REF#") if row["sk"] == keys.META]
        assert {head["referral_id"], world.holder()} == {each.referral_id for each in received}
        assert 1 == len(world.events())
        winners.add(head.get("partner_id"))
    # Of what one form does, only its transaction meets the other.
    assert 2 == len(ends)
    assert (1 if forms == (PIA, PIA) else 2) == len(winners)


@pytest.mark.parametrize("prepare", [known, decided])
def test_two_partners_take_a_lead_over_and_one_of_them_gets_it(
    prepare: Callable[[], Heirs],
) -> None:
    ends = all_ends(prepare, (PIA, OTTO))

    winners = set()
    for world, received in ends:
        assert [CREATED, REPEATED] == sorted(each.outcome for each in received)
        (holder,) = {each.referral_id for each in received}
        assert holder == world.holder()
        old, heir = (world.head(each) for each in ("ref_000001", holder))
        assert (holder, "ptr_cas") == (old.taken_over_by, old.partner_id)
        assert 1 == sum(fact.kind == "review_decided" for fact in world.facts("ref_000001"))
        assert 2 == len([row for row in world.rows("REF#") if row["sk"] == keys.META])
        repeats = [row for row in world.rows("REF#") if row["sk"].startswith("REPEAT#")]
        assert [holder] == [row["referral_id"] for row in repeats]
        winners.add(heir.partner_id)
    assert {"ptr_pia", "ptr_otto"} == winners
    assert len(ends) > 100


@pytest.mark.parametrize(("prepare", "sent"), [(known, OTTO), (clicked, {"click_id": LATE})])
def test_a_review_that_comes_first_stays(prepare: Callable[[], Heirs], sent: Sent) -> None:
    """Whichever call of the form it comes before: the head's version tells."""

    def accept(world: Heirs) -> None:
        world.review("ref_000001", "accept")

    for point in range(calls_of(prepare(), sent)):
        world = prepare()
        world.client.before["*"] = at_call(point, partial(accept, world))
        received = world.refer("", **sent)
        world.client.before.clear()
        old = world.head("ref_000001")
        assert ("accepted", received.referral_id) == (old.review, old.taken_over_by), point
        assert received.referral_id == world.holder()

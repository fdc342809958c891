"""Every route of the management API that writes, asked under an idempotency key."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.harness.scenes_money import RATE, unanswered
from tests.harness.senders import manage_event
from tests.harness.world import (
    PROGRAM,
    STAGES,
    TERMS,
    Scene,
    World,
    asked,
    invoking,
    patiently,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.harness.cloud import Cloud
    from tests.harness.world import Acts

Request = tuple[str, str, object]
REASON = {"reason": "a call"}


def _scene(name: str, ask: Callable[[World], Request], terms: object = None) -> Scene:
    """Return how a person asks for something in a programme with one partner."""

    def prepare(cloud: Cloud) -> Acts:
        world = World(cloud, terms)
        request = ask(world)
        cloud.later(minutes=1)  # Of two facts of one moment either may be named as the cause.
        return asked(*request)

    return Scene(name=name, handler="manage_program", prepare=prepare)


def _by_another(name: str, ask: Callable[[World], Request]) -> Scene:
    """Return how a second person approves what the first one asked for."""

    def prepare(cloud: Cloud) -> Acts:
        world = World(cloud)
        request = ask(world)
        cloud.later(minutes=1)
        return asked(*request, principal_key=world.second_person())

    return Scene(name=name, handler="manage_program", prepare=prepare)


# -- what takes more than a line -----------------------------------------------------------------


def _shares(world: World) -> dict[str, object]:
    other_id, _ = world.partner("Grace", "grace@partner.example")
    parts = ((world.partner_id, 6_000), (other_id, 4_000))
    shares = [
        {"partner_id": who, "role": "introducer", "basis_points": part} for who, part in parts
    ]
    return {"kind": "shares_set", "data": {"shares": shares, "retroactive": True}, **REASON}


def _retraction(world: World, referral_id: str) -> dict[str, object]:
    shown = world.cloud.manage("GET", f"/referrals/{referral_id}")["body"]
    facts = [fact["fact_id"] for fact in shown["facts"] if fact["kind"] == "stage_entered"]
    return {"kind": "fact_retracted", "data": {"retracts": facts[0]}, **REASON}


def _proposed(world: World, referral_id: str, wish: object) -> Request:
    path = f"/referrals/{referral_id}"
    proposal = world.cloud.made(f"{path}/facts", wish)
    return "POST", f"{path}/proposals/{proposal['id']}/approve", {}


def _proposed_shares(world: World) -> Request:
    return _proposed(world, world.won(1), _shares(world))


def _proposed_retraction(world: World) -> Request:
    referral_id = world.won(1)
    return _proposed(world, referral_id, _retraction(world, referral_id))


def _large_adjustment(world: World) -> Request:
    made = world.cloud.made("/adjustments", world.goodwill("900.00"))
    return "POST", f"/adjustments/{made['id']}/approve", {}


def _fulfilment(outcome: str) -> Callable[[World], Request]:
    def ask(world: World) -> Request:
        referral_id = world.won(1)
        body = {"referral_id": referral_id, "outcome": outcome, "reason": "it is so"}
        return "POST", f"/rewards/{world.benefit(referral_id)}/fulfilment", body

    return ask


def _parked(world: World) -> None:
    world.tell({"id": "D-1", "stage": "unheard of"}, world.accepted(f"lead{world.told}@lead.test"))


def _replay_all(world: World) -> Request:
    for _ in range(2):
        _parked(world)
    return "POST", f"/deliveries/replay?program_id={PROGRAM}&reason=unknown_stage", {}


def _replay(world: World) -> Request:
    _parked(world)
    (row,) = world.cloud.manage("GET", f"/deliveries?program_id={PROGRAM}")["body"]["items"]
    return "POST", f"/deliveries/{row['id']}/replay", {}


def _customer(world: World) -> Request:
    path = f"/programs/{PROGRAM}/customers"
    made = world.cloud.made(path, {"customers": [{"domain": "acme.example"}]})
    return "DELETE", f"{path}/{made['customers'][0]['id']}", None


def _new_key(world: World) -> Request:
    made = world.cloud.made("/keys", {"principal": "Grace", "scopes": ["read"]})
    return "DELETE", f"/keys/{made['id']}", None


def _someone(world: World) -> str:
    made = world.cloud.made("/partners", {"name": "Cas", "email": "cas@x.test", "kind": "advocate"})
    return str(made["id"])


def _link(world: World) -> dict[str, object]:
    target = "https://www.example.com/else"
    return {"partner_id": world.partner_id, "program_id": PROGRAM, "destination": target}


def _status(status: str) -> Callable[[World], Request]:
    def ask(world: World) -> Request:
        world.won(1)
        return "PATCH", f"/partners/{world.partner_id}", {"status": status, **REASON}

    return ask


def _redrive(cloud: Cloud) -> Acts:
    unanswered(cloud)
    cloud.run_clock()
    (event,) = cloud.manage("GET", "/events?state=parked")["body"]["items"]
    return asked("POST", f"/events/{event['id']}/redrive", {})


def _redrive_all(cloud: Cloud) -> Acts:
    unanswered(cloud)
    cloud.run_clock()
    # The answer tells what its own run let go, so no run's answer is kept for another.
    event = manage_event("POST", "/events/redrive?reason=not_handled", {})
    return [invoking("manage_program", event), patiently("manage_program", event)]


def _very_first(_cloud: Cloud) -> Acts:
    """Nothing is there yet: the root key, the secrets and the programme are all made."""
    return asked("POST", "/programs", {"id": PROGRAM, "name": "One", "currency": "USD"})


PEOPLE: tuple[Scene, ...] = (
    # -- programmes and what belongs to them
    Scene(name="the very first request", handler="manage_program", prepare=_very_first),
    _scene(
        "a programme is made",
        lambda _: ("POST", "/programs", {"id": "prg_2", "name": "Two", "currency": "EUR"}),
    ),
    _scene("a programme changes", lambda _: ("PATCH", f"/programs/{PROGRAM}", {"name": "New"})),
    _scene("terms are published", lambda _: ("POST", f"/programs/{PROGRAM}/terms", TERMS)),
    _scene("a rate is added", lambda _: ("POST", *RATE)),
    _scene(
        "customers are listed",
        lambda _: (
            "POST",
            f"/programs/{PROGRAM}/customers",
            {"customers": [{"domain": "acme.example"}, {"email": "a@b.test"}]},
        ),
    ),
    _scene("a customer is no more", _customer),
    _scene(
        "a source is made",
        lambda _: (
            "POST",
            "/sources",
            {"program_id": PROGRAM, "kind": "standard", "name": "Two", "stage_map": STAGES},
        ),
    ),
    _scene(
        "a source changes",
        lambda world: ("PATCH", f"/sources/{world.source['id']}", {"name": "New"}),
    ),
    # -- partners, links and keys
    _scene(
        "a partner is made",
        lambda _: ("POST", "/partners", {"name": "Cas", "email": "c@x.test", "kind": "advocate"}),
    ),
    _scene(
        "a partner's name changes",
        lambda world: (
            "PATCH",
            f"/partners/{world.partner_id}",
            {"name": "Ada L.", "email": "l@x.test"},
        ),
    ),
    _scene("a partner is suspended", _status("suspended")),
    _scene("a partner is closed", _status("closed")),
    _scene(
        "a partner is enrolled",
        lambda world: (
            "POST",
            "/enrolments",
            {"partner_id": _someone(world), "program_id": PROGRAM, "accept_terms": True},
        ),
    ),
    _scene("a link is made", lambda world: ("POST", "/links", _link(world))),
    _scene("a link of a name", lambda world: ("POST", "/links", {**_link(world), "code": "ada"})),
    _scene("a link changes", lambda world: ("PATCH", f"/links/{world.code}", {"click_cap": 9})),
    _scene("a link is retired", lambda world: ("DELETE", f"/links/{world.code}", None)),
    _scene("a key is made", lambda _: ("POST", "/keys", {"principal": "Cas", "scopes": ["read"]})),
    _scene("a key is revoked", _new_key),
    _scene("click keys are renewed", lambda _: ("POST", "/keyrings/click/rotate", {})),
    # -- referrals
    _scene(
        "a review",
        lambda world: (
            "POST",
            f"/referrals/{world.submitted()}/review",
            {"decision": "accept", "reason": "known company"},
        ),
    ),
    _scene(
        "a rejection of what earned",
        lambda world: (
            "POST",
            f"/referrals/{world.won(1)}/review",
            {"decision": "reject", "reason": "a customer already"},
        ),
    ),
    _scene(
        "a fact by hand",
        lambda world: (
            "POST",
            f"/referrals/{world.accepted()}/facts",
            {"kind": "milestone_reached", "data": {"milestone": "won"}, **REASON},
        ),
    ),
    _scene(
        "shares are proposed",
        lambda world: ("POST", f"/referrals/{world.won(1)}/facts", _shares(world)),
    ),
    _by_another("shares are approved", _proposed_shares),
    _by_another("a fact is taken back by two", _proposed_retraction),
    _scene("a discount is redeemed", _fulfilment("redeemed")),
    _scene("a discount is refused", _fulfilment("refused")),
    # -- adjustments, and what was set aside
    _scene(
        "an adjustment is asked for",
        lambda world: ("POST", "/adjustments", world.goodwill()),
    ),
    _scene(
        "a large adjustment is asked for",
        lambda world: ("POST", "/adjustments", world.goodwill("900.00")),
    ),
    _by_another("a large adjustment is approved", _large_adjustment),
    _scene("a delivery is replayed", _replay),
    Scene(name="an event is redriven", handler="manage_program", prepare=_redrive),
    _scene("all deliveries are replayed", _replay_all),
    Scene(name="all events are redriven", handler="manage_program", prepare=_redrive_all),
)

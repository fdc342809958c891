"""What the harness lets fail: for each writing handler the moments that matter, made by its API.

A scene is prepared once through the public doors and then restored for every point. ``acts`` are
the invocations under test: the first is struck by the fault, the others are what its sender does
afterwards in any case, the same delivery again and the same content as a new one.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tests.harness.cloud import (
    Cloud,
    Message,
    form_event,
    manage_event,
    standard_event,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

PROGRAM = "prg_demo"
STAGES = [
    {"stage": "accepted", "rank": 1, "milestone": "accepted", "outcome": "open"},
    {"stage": "qualified", "rank": 2, "milestone": "qualified", "outcome": "open"},
    {"stage": "won", "rank": 4, "milestone": "won", "outcome": "won"},
    {"stage": "lost", "rank": 5, "outcome": "lost"},
]


def _cash(rule_id: str, milestone: str, value: object, **more: object) -> dict[str, object]:
    return {
        "id": rule_id,
        "beneficiary": "partner",
        "milestone": milestone,
        "kind": "cash",
        "value": value,
        "hold_days": 5,
        **more,
    }


TERMS: dict[str, Any] = {
    "name": "everything at once",
    "caps": [
        {"id": "year", "scope": "partner", "per": "calendar_year", "limit": "2500.00"},
        {"id": "budget", "scope": "program", "per": "lifetime", "limit": "4000.00"},
    ],
    "rules": [
        _cash("thanks", "accepted", {"fixed": "50.00"}),
        _cash(
            "commission",
            "won",
            {"percent": "10", "of": "deal_amount"},
            tiers={"by": "count", "milestone": "won", "steps": [{"from": 2, "percent": "12"}]},
        ),
        _cash("pair", "won", {"fixed": "70.00"}, occurrence="every_nth", nth=2),
        {
            "id": "welcome",
            "beneficiary": "lead",
            "milestone": "won",
            "kind": "discount",
            "value": {"percent": "20", "worth": "100.00"},
        },
    ],
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """One handler at one moment. ``prepare`` returns the acts, on a cloud that is at rest."""

    name: str
    handler: str
    prepare: Callable[[Cloud], list[Callable[[Cloud], None]]]


class World:
    """A programme with a partner, a link and a source, made through the management API."""

    def __init__(self, cloud: Cloud, terms: object = None) -> None:
        self.cloud = cloud
        program = {
            "id": PROGRAM,
            "name": "Demo",
            "currency": "USD",
            "landing_hosts": ["www.example.com"],
        }
        cloud.made("/programs", program)
        cloud.made(f"/programs/{PROGRAM}/terms", terms or TERMS)
        self.partner_id, self.code = self.partner("Ada", "ada@partner.example")
        source = {"program_id": PROGRAM, "kind": "standard", "name": "CRM", "stage_map": STAGES}
        self.source = cloud.made("/sources", source)
        self.told = 0

    def partner(self, name: str, email: str) -> tuple[str, str]:
        """A partner who takes part, with a link of their own."""
        cloud = self.cloud
        made = cloud.made("/partners", {"name": name, "email": email, "kind": "affiliate"})
        partner_id = str(made["id"])
        enrolment = {"partner_id": partner_id, "program_id": PROGRAM, "accept_terms": True}
        cloud.made("/enrolments", enrolment)
        target = {"destination": "https://www.example.com/start"}
        link = cloud.made("/links", {"partner_id": partner_id, "program_id": PROGRAM, **target})
        return partner_id, str(link["code"])

    def form(self, email: str = "lena@lead.test", **fields: object) -> dict[str, Any]:
        """A lead's form as the gateway sends it."""
        return form_event(PROGRAM, {"email": email, "code": self.code, **fields})

    def submitted(self, email: str = "lena@lead.test", **fields: object) -> str:
        """A referral that is at rest."""
        answer = self.cloud.invoke("submit_referral", self.form(email, **fields))
        self.cloud.drain()
        return str(json.loads(answer["body"])["referral_id"])

    def accepted(self, email: str = "lena@lead.test", **fields: object) -> str:
        """A referral that was accepted, and all that follows from it."""
        referral_id = self.submitted(email, **fields)
        self.accept(referral_id)
        self.cloud.drain()
        return referral_id

    def accept(self, referral_id: str) -> None:
        """Let a person accept a referral."""
        decision = {"decision": "accept", "reason": "known company"}
        self.cloud.made(f"/referrals/{referral_id}/review", decision)

    def delivery(
        self,
        deal: Mapping[str, object],
        referral_id: str = "",
        *,
        message_id: str = "",
        **more: Any,  # noqa: ANN401 - any object of the format
    ) -> dict[str, Any]:
        """What the CRM sends of a deal, a minute later than what it sent before."""
        self.told += 1
        document: dict[str, object] = {
            "type": "deal.updated",
            "id": f"evt-{self.told}",
            "occurred_at": self.cloud.now.isoformat(),
            "deal": dict(deal),
            **more,
        }
        if referral_id:
            document["referral"] = {"id": referral_id}
        return standard_event(
            self.source, document, message_id=message_id or f"m-{self.told}", now=self.cloud.now
        )

    def tell(
        self,
        deal: Mapping[str, object],
        referral_id: str = "",
        **more: Any,  # noqa: ANN401 - as delivery
    ) -> None:
        """Let the CRM speak, and all be done that follows."""
        self.cloud.later(minutes=1)
        self.cloud.invoke("receive_webhook", self.delivery(deal, referral_id, **more))
        self.cloud.drain()

    def won(self, number: int, amount: str = "20000.00") -> str:
        """An accepted referral with a won deal, and all that follows from it."""
        referral_id = self.accepted(f"lead{number}@lead.test")
        deal = {"id": f"D-{number}", "stage": "won", "amount": amount, "currency": "USD"}
        self.tell(deal, referral_id)
        return referral_id


def invoking(name: str, event: dict[str, Any]) -> Callable[[Cloud], None]:
    """Invoke a function behind the gateway; what it answers is the sender's business."""

    def act(cloud: Cloud) -> None:
        cloud.attempt(name, event)

    return act


def _patiently(name: str, event: dict[str, Any]) -> Callable[[Cloud], None]:
    """Ask again when the claim of a request that died is over."""

    def act(cloud: Cloud) -> None:
        cloud.later(minutes=2)
        cloud.attempt(name, event)

    return act


def _queue(cloud: Cloud) -> None:
    cloud.run_queue()


def _same_messages(cloud: Cloud, renamed: str = "") -> Callable[[Cloud], None]:
    """Deliver what waits in the queue once more, as the queue may; perhaps under other ids."""
    waiting = [*cloud.queue]

    def act(later: Cloud) -> None:
        later.queue += [
            Message(message_id=f"{message.message_id}{renamed}", body=message.body)
            for message in waiting
        ]

    return act


def _until_queue(cloud: Cloud) -> list[Callable[[Cloud], None]]:
    """Carry what was stored to the queue; return the acts of a queue."""
    cloud.run_stream()
    cloud.run_bus()
    return [_queue, _same_messages(cloud), _same_messages(cloud, "-again")]


# -- intake and deliveries -----------------------------------------------------------------------


def _a_form(cloud: Cloud) -> list[Callable[[Cloud], None]]:
    form = World(cloud).form(first_name="Lena", company="Acme")
    return [invoking("submit_referral", form)] * 2


def _a_repeated_form(cloud: Cloud) -> list[Callable[[Cloud], None]]:
    world = World(cloud)
    world.submitted()
    _, code = world.partner("Grace", "grace@partner.example")
    return [invoking("submit_referral", world.form(code=code))] * 2


def _spam(cloud: Cloud) -> list[Callable[[Cloud], None]]:
    return [invoking("submit_referral", World(cloud).form(_gotcha="x"))] * 2


def _a_delivery(cloud: Cloud) -> list[Callable[[Cloud], None]]:
    world = World(cloud)
    referral_id = world.accepted()
    deal: dict[str, object] = {"id": "D-1", "stage": "won", "amount": "900.00", "currency": "USD"}
    event = world.delivery(deal, referral_id, message_id="m-x")
    world.told -= 1
    renamed = world.delivery(deal, referral_id, message_id="m-y")
    return [invoking("receive_webhook", one) for one in (event, event, renamed)]


# -- evaluation ----------------------------------------------------------------------------------


def _delivery_to_apply(cloud: Cloud) -> list[Callable[[Cloud], None]]:
    acts = _a_delivery(cloud)
    acts[0](cloud)
    return _until_queue(cloud)


def _first_rewards(cloud: Cloud) -> list[Callable[[Cloud], None]]:
    world = World(cloud)
    world.won(1)
    referral_id = world.accepted("lena@lead.test")
    deal: dict[str, object] = {"id": "D-2", "stage": "won", "amount": "9000.00", "currency": "USD"}
    cloud.invoke("receive_webhook", world.delivery(deal, referral_id))
    cloud.run_stream()
    cloud.run_bus()
    cloud.run_queue()  # The delivery is applied; its facts are to be evaluated.
    return _until_queue(cloud)


def _changed_rewards(cloud: Cloud) -> list[Callable[[Cloud], None]]:
    """A won deal is lowered, refunded in part, lost and won again before anybody looks."""
    world = World(cloud)
    world.won(1)
    referral_id = world.won(2)
    cloud.later(days=6)
    cloud.drain()
    refund = {"id": "R-1", "of": "deal", "amount": "500.00", "currency": "USD"}
    steps: list[tuple[dict[str, object], dict[str, Any]]] = [
        ({"id": "D-2", "amount": "7000.00", "currency": "USD"}, {}),
        ({"id": "D-2"}, {"refund": refund, "type": "refund.created"}),
        ({"id": "D-2", "stage": "lost"}, {}),
        ({"id": "D-2", "stage": "won"}, {}),
    ]
    for deal, more in steps:
        cloud.later(minutes=1)
        cloud.invoke("receive_webhook", world.delivery(deal, referral_id, **more))
    cloud.run_stream()
    cloud.run_bus()
    cloud.run_queue()
    return _until_queue(cloud)


def _bonus(cloud: Cloud) -> list[Callable[[Cloud], None]]:
    """The partner's second success asks for the bonus of a pair."""
    acts = _first_rewards(cloud)
    acts[0](cloud)
    return _until_queue(cloud)


def _early_delivery(cloud: Cloud) -> list[Callable[[Cloud], None]]:
    """A deal that named a lead before the lead's form came."""
    world = World(cloud)
    deal: dict[str, object] = {"id": "D-1", "stage": "won", "amount": "900.00", "currency": "USD"}
    cloud.later(hours=1)
    cloud.invoke("receive_webhook", world.delivery(deal, referral={"email": "lena@lead.test"}))
    cloud.drain()
    cloud.invoke("submit_referral", world.form())
    return _until_queue(cloud)


def _adjustment(cloud: Cloud) -> list[Callable[[Cloud], None]]:
    world = World(cloud)
    cloud.made("/adjustments", _goodwill(world))
    return _until_queue(cloud)


def _goodwill(world: World) -> dict[str, object]:
    return {
        "partner_id": world.partner_id,
        "program_id": PROGRAM,
        "amount": "25.00",
        "reason": "a late answer",
    }


# -- publisher and clock -------------------------------------------------------------------------


def _events_to_publish(cloud: Cloud) -> list[Callable[[Cloud], None]]:
    """Many events that are answered, and the one of a reward, which nobody answers."""
    world = World(cloud)
    world.accept(world.submitted())
    cloud.run_stream()
    cloud.run_bus()
    cloud.run_queue()
    for number in range(11):
        cloud.invoke("submit_referral", world.form(f"lead{number}@lead.test"))
    consumed = cloud.consumed

    def again(later: Cloud) -> None:
        later.consumed = consumed

    return [lambda later: void(later.run_stream()), again]


def void(_anything: object) -> None:
    """Nothing."""


def _due_rewards(cloud: Cloud) -> list[Callable[[Cloud], None]]:
    world = World(cloud)
    world.won(1)
    world.won(2)
    cloud.invoke("submit_referral", world.form("late@lead.test"))  # Its event waits to be swept.
    cloud.later(days=6)
    return [Cloud.run_clock, Cloud.run_clock]


# -- people --------------------------------------------------------------------------------------


def _by_hand(
    path: Callable[[World, str], str], body: Callable[[World], object]
) -> Callable[[Cloud], list[Callable[[Cloud], None]]]:
    """A management request about an accepted referral, repeated under its idempotency key."""

    def prepare(cloud: Cloud) -> list[Callable[[Cloud], None]]:
        world = World(cloud)
        referral_id = world.accepted()
        cloud.later(minutes=1)  # Of two facts of one moment either may be named as the cause.
        event = manage_event(
            "POST", path(world, referral_id), body(world), idempotency_key="one-and-only"
        )
        return [invoking("manage_program", event), _patiently("manage_program", event)]

    return prepare


def _a_review(cloud: Cloud) -> list[Callable[[Cloud], None]]:
    referral_id = World(cloud).submitted()
    body = {"decision": "accept", "reason": "known company"}
    event = manage_event(
        "POST", f"/referrals/{referral_id}/review", body, idempotency_key="one-and-only"
    )
    return [invoking("manage_program", event), _patiently("manage_program", event)]


SCENES: tuple[Scene, ...] = (
    Scene(name="a form", handler="submit_referral", prepare=_a_form),
    Scene(name="a known lead", handler="submit_referral", prepare=_a_repeated_form),
    Scene(name="spam", handler="submit_referral", prepare=_spam),
    Scene(name="a delivery", handler="receive_webhook", prepare=_a_delivery),
    Scene(name="a delivery is applied", handler="evaluate_reward", prepare=_delivery_to_apply),
    Scene(name="a deal waited for its lead", handler="evaluate_reward", prepare=_early_delivery),
    Scene(name="first rewards", handler="evaluate_reward", prepare=_first_rewards),
    Scene(name="changed rewards", handler="evaluate_reward", prepare=_changed_rewards),
    Scene(name="a bonus", handler="evaluate_reward", prepare=_bonus),
    Scene(name="an adjustment", handler="evaluate_reward", prepare=_adjustment),
    Scene(name="events", handler="publish_events", prepare=_events_to_publish),
    Scene(name="rewards are due", handler="mature_rewards", prepare=_due_rewards),
    Scene(name="a review", handler="manage_program", prepare=_a_review),
    Scene(
        name="a fact by hand",
        handler="manage_program",
        prepare=_by_hand(
            lambda _world, referral_id: f"/referrals/{referral_id}/facts",
            lambda _world: {
                "kind": "milestone_reached",
                "reason": "a call",
                "data": {"milestone": "won"},
            },
        ),
    ),
    Scene(
        name="an adjustment is asked for",
        handler="manage_program",
        prepare=_by_hand(lambda _world, _id: "/adjustments", _goodwill),
    ),
)

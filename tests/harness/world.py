"""What scenes and races are made of: a programme, its people, and what senders do.

A scene is prepared once through the public doors and then restored for every point. ``acts`` are
the invocations under test: the first is struck by the fault, the others are what its sender does
afterwards in any case, the same delivery again and the same content as a new one.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from tests.harness.cloud import Cloud, Message, sqs_record
from tests.harness.senders import form_event, manage_event, standard_event

Act = Callable[[Cloud], None]
Acts = list[Act]
Prepare = Callable[[Cloud], Acts]

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
    prepare: Prepare


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

    def second_person(self) -> str:
        """The management key of somebody else, who may approve what the first one asked for."""
        wanted = {"principal": "second", "scopes": ["referrals"]}
        return str(self.cloud.made("/keys", wanted)["key"])

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

    def move(self, status: str, partner_id: str = "") -> None:
        """Give a partner another status, Ada if nobody else is named."""
        body = {"status": status, "reason": "a complaint"}
        answer = self.cloud.manage("PATCH", f"/partners/{partner_id or self.partner_id}", body)
        assert answer["statusCode"] == 200, answer

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

    def won(self, number: int, amount: str = "20000.00", **fields: object) -> str:
        """An accepted referral with a won deal, and all that follows from it."""
        referral_id = self.accepted(f"lead{number}@lead.test", **fields)
        deal = {"id": f"D-{number}", "stage": "won", "amount": amount, "currency": "USD"}
        self.tell(deal, referral_id)
        return referral_id

    def benefit(self, referral_id: str) -> str:
        """The discount that a won deal gives its lead."""
        rewards = self.cloud.manage("GET", f"/rewards?referral_id={referral_id}")["body"]["items"]
        (benefit,) = [each["id"] for each in rewards if each["kind"] == "discount"]
        return str(benefit)

    def goodwill(self, amount: str = "25.00") -> dict[str, object]:
        """An adjustment as people ask for it."""
        return {
            "partner_id": self.partner_id,
            "program_id": PROGRAM,
            "amount": amount,
            "reason": "a late answer",
        }


# -- what senders do -----------------------------------------------------------------------------


def invoking(name: str, event: dict[str, Any]) -> Act:
    """Invoke a function behind the gateway; what it answers is the sender's business."""

    def act(cloud: Cloud) -> None:
        cloud.attempt(name, event)

    return act


def patiently(name: str, event: dict[str, Any]) -> Act:
    """Ask again when the claim of a request that died is over."""

    def act(cloud: Cloud) -> None:
        cloud.later(minutes=2)
        cloud.attempt(name, event)

    return act


def asked(method: str, path: str, body: object = None, *, principal_key: str = "") -> Acts:
    """Send a management request, and again under its idempotency key."""
    event = manage_event(
        method, path, body, principal_key=principal_key, idempotency_key="one-and-only"
    )
    return [invoking("manage_program", event), patiently("manage_program", event)]


def _queue(cloud: Cloud) -> None:
    cloud.run_queue()


def _same_messages(cloud: Cloud, renamed: str = "") -> Act:
    """Deliver what waits in the queue once more, as the queue may; perhaps under other ids."""
    waiting = [*cloud.queue]

    def act(later: Cloud) -> None:
        later.queue += [
            Message(message_id=f"{message.message_id}{renamed}", body=message.body)
            for message in waiting
        ]

    return act


def until_queue(cloud: Cloud, rounds: int = 1) -> Acts:
    """Carry what was stored to the queue; return the acts of a queue.

    With more rounds, what waits before is handled, and what follows from it is carried there.
    """
    for turn in range(rounds):
        if turn:
            cloud.run_queue()
        cloud.run_stream()
        cloud.run_bus()
    return [_queue, _same_messages(cloud), _same_messages(cloud, "-again")]


# -- what waits in the queue ----------------------------------------------------------------------


def handled(*messages: Message) -> Act:
    """Evaluate messages in an invocation of their own; what fails goes back to the queue."""
    event = {"Records": [sqs_record(message) for message in messages]}

    def act(cloud: Cloud) -> None:
        answer = cloud.attempt("evaluate_reward", event)
        failed = {row["itemIdentifier"] for row in answer["batchItemFailures"]} if answer else {""}
        again = [one for one in messages if failed == {""} or one.message_id in failed]
        cloud.queue += again

    return act


def taken(cloud: Cloud) -> list[Message]:
    """Take what waits in the queue out of it."""
    messages = [*cloud.queue]
    cloud.queue.clear()
    return messages


def arrived(cloud: Cloud) -> list[Message]:
    """Carry what was stored to the queue, and take it out of there."""
    cloud.run_stream()
    cloud.run_bus()
    return taken(cloud)

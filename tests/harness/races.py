"""Pairs of handlers that meet on one row: a referral, a lead, a partner's file, a cap, a budget."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from tests.harness.cloud import Cloud, Message, manage_event, sqs_record
from tests.harness.scenes import World, invoking

if TYPE_CHECKING:
    from collections.abc import Callable


@dataclass(frozen=True, slots=True, kw_only=True)
class Race:
    """Two acts at once. ``prepare`` returns them, on a cloud that is at rest.

    ``alike`` says in what the end must be as one order would leave it: in every row; in amounts,
    where one act may find the other half done and leave more movements; or in nothing but the
    promises, where first come is first served at several places.
    """

    name: str
    alike: Literal["rows", "amounts", "promises"] = "rows"
    prepare: Callable[[Cloud], list[Callable[[Cloud], None]]]


def _handled(*messages: Message) -> Callable[[Cloud], None]:
    """Evaluate messages in an invocation of their own; what fails goes back to the queue."""
    event = {"Records": [sqs_record(message) for message in messages]}

    def act(cloud: Cloud) -> None:
        answer = cloud.attempt("evaluate_reward", event)
        failed = {row["itemIdentifier"] for row in answer["batchItemFailures"]} if answer else {""}
        again = [one for one in messages if failed == {""} or one.message_id in failed]
        cloud.queue += again

    return act


def _taken(cloud: Cloud) -> list[Message]:
    """Take what waits in the queue out of it."""
    messages = [*cloud.queue]
    cloud.queue.clear()
    return messages


def _told(cloud: Cloud, world: World, referral_id: str, **deal: object) -> None:
    """Let a delivery be applied; what it changed waits in the queue to be evaluated."""
    cloud.later(minutes=1)
    told = {"currency": "USD", **deal}
    cloud.invoke("receive_webhook", world.delivery(told, referral_id))
    for _ in range(2):
        cloud.run_stream()
        cloud.run_bus()
        ready = [message for message in cloud.queue if "DeliveryReceived" in message.body]
        if ready:
            waiting = [message for message in cloud.queue if message not in ready]
            cloud.queue[:] = ready
            cloud.run_queue()
            cloud.queue += waiting


def _one_lead(cloud: Cloud) -> list[Callable[[Cloud], None]]:
    world = World(cloud)
    _, code = world.partner("Grace", "grace@partner.example")
    return [
        invoking("submit_referral", world.form()),
        invoking("submit_referral", world.form(code=code)),
    ]


def _one_message_twice(cloud: Cloud) -> list[Callable[[Cloud], None]]:
    world = World(cloud)
    world.won(1)
    _told(cloud, world, world.accepted(), id="D-2", stage="won", amount="9000.00")
    messages = _taken(cloud)
    return [_handled(*messages)] * 2


def _two_deals(partners: int) -> Callable[[Cloud], list[Callable[[Cloud], None]]]:
    """Two won deals, each enough for the budget, of one partner or of two."""

    def prepare(cloud: Cloud) -> list[Callable[[Cloud], None]]:
        world = World(cloud)
        _, other = world.partner("Grace", "grace@partner.example")
        codes = [world.code, other if partners > 1 else world.code]
        referrals = [
            world.accepted(f"lead{number}@lead.test", code=code)
            for number, code in enumerate(codes)
        ]
        for number, referral_id in enumerate(referrals):
            _told(cloud, world, referral_id, id=f"D-{number}", stage="won", amount="24000.00")
        first, second = _taken(cloud)
        return [_handled(first), _handled(second)]

    return prepare


def _posting_and_release(cloud: Cloud) -> list[Callable[[Cloud], None]]:
    world = World(cloud)
    referral_id = world.won(1)
    cloud.later(days=6)
    _told(cloud, world, referral_id, id="D-1", amount="12000.00")
    return [_handled(*_taken(cloud)), Cloud.run_clock]


def _posting_and_review(cloud: Cloud) -> list[Callable[[Cloud], None]]:
    world = World(cloud)
    referral_id = world.submitted()
    _told(cloud, world, referral_id, id="D-1", stage="won", amount="9000.00")
    body = {"decision": "reject", "reason": "a customer already"}
    event = manage_event("POST", f"/referrals/{referral_id}/review", body)

    def review(later: Cloud) -> None:
        answer = later.attempt("manage_program", event)
        if not answer or answer["statusCode"] != 200:
            later.attempt("manage_program", event)

    return [_handled(*_taken(cloud)), review]


def _two_claims_on_a_deal(cloud: Cloud) -> list[Callable[[Cloud], None]]:
    """The CRM names one referral for a deal, then another, and both deliveries run at once."""
    world = World(cloud)
    _, code = world.partner("Grace", "grace@partner.example")
    referrals = [world.accepted("a@lead.test"), world.accepted("b@lead.test", code=code)]
    for referral_id in referrals:
        cloud.later(minutes=1)
        deal: dict[str, Any] = {"id": "D-1", "stage": "won", "amount": "900.00", "currency": "USD"}
        cloud.invoke("receive_webhook", world.delivery(deal, referral_id))
    cloud.run_stream()
    cloud.run_bus()
    first, second = _taken(cloud)
    return [_handled(first), _handled(second)]


def _two_bonuses(cloud: Cloud) -> list[Callable[[Cloud], None]]:
    """The partner's file is settled twice at once."""
    world = World(cloud)
    world.won(1)
    _told(cloud, world, world.accepted(), id="D-2", stage="won", amount="900.00")
    cloud.run_queue()
    cloud.run_stream()
    cloud.run_bus()
    messages = [one for one in _taken(cloud) if _is_of_partner(one)]
    return [_handled(*messages)] * 2


def _is_of_partner(message: Message) -> bool:
    return bool(json.loads(message.body)["detail"]["aggregate"]["type"] == "partner")


RACES: tuple[Race, ...] = (
    Race(name="two partners claim one lead", prepare=_one_lead),
    Race(name="one message is handled twice", prepare=_one_message_twice),
    Race(name="two deals under one cap", alike="promises", prepare=_two_deals(1)),
    Race(name="two partners under one budget", alike="promises", prepare=_two_deals(2)),
    Race(name="a posting and a release", alike="amounts", prepare=_posting_and_release),
    Race(name="a posting and a rejection", alike="amounts", prepare=_posting_and_review),
    Race(name="two referrals claim one deal", prepare=_two_claims_on_a_deal),
    Race(name="a partner's file is settled twice", prepare=_two_bonuses),
)

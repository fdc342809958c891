"""Pairs of handlers that meet on one row: a referral, a lead, a partner's file, a cap, a job."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from tests.harness.cloud import Cloud, Message
from tests.harness.scenes_intake import deliveries, rolled_up_twice, takeovers
from tests.harness.scenes_jobs import MIGRATION, moving
from tests.harness.scenes_money import IN_EUROS, RATE, STRICT, merging
from tests.harness.senders import manage_event
from tests.harness.world import World, arrived, handled, invoking, taken

if TYPE_CHECKING:
    from tests.harness.world import Act, Acts, Prepare


@dataclass(frozen=True, slots=True, kw_only=True)
class Race:
    """Two acts at once. ``prepare`` returns them, on a cloud that is at rest.

    ``alike`` says in what the end must be as one order would leave it: in every row; in amounts,
    where one act may find the other half done and leave more movements; or in nothing but the
    promises, where first come is first served at several places.
    """

    name: str
    alike: Literal["rows", "amounts", "promises"] = "rows"
    prepare: Prepare


def insisting(event: dict[str, Any]) -> Act:
    """Ask by hand, and once more if that is refused: somebody else may have been quicker."""

    def act(cloud: Cloud) -> None:
        answer = cloud.attempt("manage_program", event)
        if not answer or answer["statusCode"] != 200:
            cloud.attempt("manage_program", event)

    return act


def told(cloud: Cloud, world: World, referral_id: str, **deal: object) -> None:
    """Let a delivery be applied; what it changed waits in the queue to be evaluated."""
    cloud.later(minutes=1)
    said = {"currency": "USD", **deal}
    cloud.invoke("receive_webhook", world.delivery(said, referral_id))
    for _ in range(2):
        cloud.run_stream()
        cloud.run_bus()
        ready = [message for message in cloud.queue if "DeliveryReceived" in message.body]
        if ready:
            waiting = [message for message in cloud.queue if message not in ready]
            cloud.queue[:] = ready
            cloud.run_queue()
            cloud.queue += waiting


def _one_lead(cloud: Cloud) -> Acts:
    world = World(cloud)
    _, code = world.partner("Grace", "grace@partner.example")
    return [
        invoking("submit_referral", world.form()),
        invoking("submit_referral", world.form(code=code)),
    ]


def _one_message_twice(cloud: Cloud) -> Acts:
    world = World(cloud)
    world.won(1)
    told(cloud, world, world.accepted(), id="D-2", stage="won", amount="9000.00")
    messages = taken(cloud)
    return [handled(*messages)] * 2


def _two_deals(partners: int) -> Prepare:
    """Two won deals, each enough for the budget, of one partner or of two."""

    def prepare(cloud: Cloud) -> Acts:
        world = World(cloud)
        _, other = world.partner("Grace", "grace@partner.example")
        codes = [world.code, other if partners > 1 else world.code]
        referrals = [
            world.accepted(f"lead{number}@lead.test", code=code)
            for number, code in enumerate(codes)
        ]
        for number, referral_id in enumerate(referrals):
            told(cloud, world, referral_id, id=f"D-{number}", stage="won", amount="24000.00")
        first, second = taken(cloud)
        return [handled(first), handled(second)]

    return prepare


def _posting_and_release(cloud: Cloud) -> Acts:
    world = World(cloud)
    referral_id = world.won(1)
    cloud.later(days=6)
    told(cloud, world, referral_id, id="D-1", amount="12000.00")
    return [handled(*taken(cloud)), Cloud.run_clock]


def _posting_and_review(cloud: Cloud) -> Acts:
    world = World(cloud)
    referral_id = world.submitted()
    told(cloud, world, referral_id, id="D-1", stage="won", amount="9000.00")
    body = {"decision": "reject", "reason": "a customer already"}
    review = manage_event("POST", f"/referrals/{referral_id}/review", body)
    return [handled(*taken(cloud)), insisting(review)]


def _two_claims_on_a_deal(cloud: Cloud) -> Acts:
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
    first, second = taken(cloud)
    return [handled(first), handled(second)]


def _two_bonuses(cloud: Cloud) -> Acts:
    """The partner's file is settled twice at once."""
    world = World(cloud)
    world.won(1)
    told(cloud, world, world.accepted(), id="D-2", stage="won", amount="900.00")
    cloud.run_queue()
    cloud.run_stream()
    cloud.run_bus()
    messages = [one for one in taken(cloud) if _is_of_partner(one)]
    return [handled(*messages)] * 2


def _is_of_partner(message: Message) -> bool:
    return bool(json.loads(message.body)["detail"]["aggregate"]["type"] == "partner")


# -- intake --------------------------------------------------------------------------------------


def _one_delivery_twice(cloud: Cloud) -> Acts:
    return deliveries(World(cloud))[:1] * 2


def _one_id_for_two_messages(cloud: Cloud) -> Acts:
    world = World(cloud)
    referral_id = world.accepted()
    return [
        invoking("receive_webhook", world.delivery(deal, referral_id, message_id="m-x"))
        for deal in ({"id": "D-1", "stage": "won"}, {"id": "D-1", "stage": "lost"})
    ]


def _one_delivery_applied_twice(cloud: Cloud) -> Acts:
    _one_delivery_twice(cloud)[0](cloud)
    return [handled(*arrived(cloud))] * 2


def _takeover_and_review(cloud: Cloud) -> Acts:
    """A lead is introduced by another partner while a person accepts the first one's referral."""
    (takeover,) = takeovers(cloud, "Grace")
    (first,) = [row["pk"] for row in cloud.store.dump()["test-core"] if _is_referral(row)]
    body = {"decision": "accept", "reason": "known company"}
    referral_id = first.removeprefix("REF#")
    return [takeover, insisting(manage_event("POST", f"/referrals/{referral_id}/review", body))]


def _is_referral(row: dict[str, Any]) -> bool:
    return bool(row["pk"].startswith("REF#") and row["sk"] == "META")


# -- money ---------------------------------------------------------------------------------------


def _first_under_caps(partners: int) -> Prepare:
    """Two referrals are accepted before anything was taken of any cap."""

    def prepare(cloud: Cloud) -> Acts:
        world = World(cloud)
        _, other = world.partner("Grace", "grace@partner.example")
        codes = [world.code, other if partners > 1 else world.code]
        leads = [(f"lead{number}@lead.test", code) for number, code in enumerate(codes)]
        for referral_id in [world.submitted(email, code=code) for email, code in leads]:
            world.accept(referral_id)
        first, second = arrived(cloud)
        return [handled(first), handled(second)]

    return prepare


def _adjustments(number: int) -> Prepare:
    """A partner without any reward is given two things at once, or one that is posted twice."""

    def prepare(cloud: Cloud) -> Acts:
        world = World(cloud)
        for _ in range(number):
            cloud.made("/adjustments", world.goodwill())
        first, *second = arrived(cloud)
        return [handled(first), handled(*second or [first])]

    return prepare


def _two_releases(cloud: Cloud) -> Acts:
    world = World(cloud)
    world.won(1)
    cloud.made("/adjustments", world.goodwill())
    cloud.drain()
    cloud.later(days=6)
    return [Cloud.run_clock] * 2


def _release_and_status(status: str, terms: object = None) -> Prepare:
    """A reward is due in the moment in which its partner is suspended or closed."""

    def prepare(cloud: Cloud) -> Acts:
        world = World(cloud, terms)
        world.accepted()
        cloud.later(days=6)
        body = {"status": status, "reason": "a complaint"}
        event = manage_event("PATCH", f"/partners/{world.partner_id}", body)
        return [Cloud.run_clock, insisting(event)]

    return prepare


def _posting_and_merge(cloud: Cloud) -> Acts:
    """The deal that takes another one over is raised while they are merged."""
    world = merging(cloud)
    (merge,) = arrived(cloud)
    told(cloud, world, "", id="D-2", amount="11000.00")
    (posting,) = taken(cloud)
    return [handled(posting), handled(merge)]


def _posting_and_migration(cloud: Cloud) -> Acts:
    """A referral moves to other terms while what was told of it is evaluated."""
    world, referral_id = moving(cloud)
    path, order = MIGRATION
    cloud.made(path, {**order, "referrals": [referral_id]})
    cloud.queue += arrived(cloud)
    cloud.run_queue()
    (chunk,) = arrived(cloud)
    told(cloud, world, referral_id, id="D-1", amount="4000.00")
    (posting,) = taken(cloud)
    return [handled(posting), handled(chunk)]


def _posting_and_rate(cloud: Cloud) -> Acts:
    """A deal is looked at that needs a rate while this is added."""
    world = World(cloud)
    told(cloud, world, world.accepted(), **IN_EUROS)
    return [handled(*taken(cloud)), insisting(manage_event("POST", *RATE))]


def _loss_and_redemption(cloud: Cloud) -> Acts:
    """The lead redeems a discount while the deal is lost."""
    world = World(cloud)
    referral_id = world.won(1)
    benefit = world.benefit(referral_id)
    told(cloud, world, referral_id, id="D-1", stage="lost")
    body = {"referral_id": referral_id, "outcome": "redeemed"}
    event = manage_event("POST", f"/rewards/{benefit}/fulfilment", body)
    return [handled(*taken(cloud)), insisting(event)]


RACES: tuple[Race, ...] = (
    Race(name="two partners claim one lead", prepare=_one_lead),
    Race(name="two partners take over a lead", prepare=lambda cloud: takeovers(cloud, "Bo", "Cy")),
    Race(name="a takeover and a review", alike="amounts", prepare=_takeover_and_review),
    Race(name="one delivery comes twice", prepare=_one_delivery_twice),
    Race(name="one message id, two texts", prepare=_one_id_for_two_messages),
    Race(name="one delivery is applied twice", prepare=_one_delivery_applied_twice),
    Race(name="one batch of clicks twice", prepare=lambda cloud: rolled_up_twice(cloud, shards=1)),
    Race(name="clicks of two shards", prepare=lambda cloud: rolled_up_twice(cloud, shards=2)),
    Race(name="one message is handled twice", prepare=_one_message_twice),
    Race(name="two deals under one cap", alike="promises", prepare=_two_deals(1)),
    Race(name="two partners under one budget", alike="promises", prepare=_two_deals(2)),
    Race(name="first of one partner", alike="amounts", prepare=_first_under_caps(1)),
    Race(name="first under a budget", alike="amounts", prepare=_first_under_caps(2)),
    Race(name="two adjustments of a partner", alike="amounts", prepare=_adjustments(2)),
    Race(name="one adjustment is posted twice", prepare=_adjustments(1)),
    Race(name="two releases", alike="amounts", prepare=_two_releases),
    Race(name="a posting and a release", alike="amounts", prepare=_posting_and_release),
    Race(name="a posting and a rejection", alike="amounts", prepare=_posting_and_review),
    Race(name="a posting and a merge", alike="amounts", prepare=_posting_and_merge),
    Race(name="a posting and a migration", alike="amounts", prepare=_posting_and_migration),
    Race(name="a posting and its rate", alike="amounts", prepare=_posting_and_rate),
    Race(name="a loss and a redemption", alike="amounts", prepare=_loss_and_redemption),
    Race(
        name="a release and a suspension",
        alike="amounts",
        prepare=_release_and_status("suspended"),
    ),
    Race(
        name="a release and a forfeiture",
        alike="amounts",
        prepare=_release_and_status("closed", STRICT),
    ),
    Race(name="two referrals claim one deal", prepare=_two_claims_on_a_deal),
    Race(name="a partner's file is settled twice", prepare=_two_bonuses),
)

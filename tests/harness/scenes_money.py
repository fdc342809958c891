"""What the evaluation and the clock do with money: deliveries applied, rewards, releases."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

from shared.names import DELIVERY_PREFIX
from tests.harness.cloud import VAULT, Cloud
from tests.harness.scenes_intake import deliveries, takeovers
from tests.harness.world import PROGRAM, TERMS, Scene, World, until_queue

if TYPE_CHECKING:
    from tests.harness.world import Acts, Prepare

STRICT = {**TERMS, "partner_closed": "forfeit"}
"""Who is closed loses what is pending."""

RATE = (
    f"/programs/{PROGRAM}/fx-rates",
    {"from": "EUR", "to": "USD", "rate": "1.1", "on": "2026-03-01"},
)
IN_EUROS = {"id": "D-1", "stage": "won", "amount": "9000.00", "currency": "EUR"}


# -- deliveries ----------------------------------------------------------------------------------


def _delivery_to_apply(cloud: Cloud) -> Acts:
    deliveries(World(cloud))[0](cloud)
    return until_queue(cloud)


def _early_delivery(cloud: Cloud) -> Acts:
    """A deal that named a lead before the lead's form came."""
    world = World(cloud)
    deal: dict[str, object] = {"id": "D-1", "stage": "won", "amount": "900.00", "currency": "USD"}
    cloud.later(hours=1)
    cloud.invoke("receive_webhook", world.delivery(deal, referral={"email": "lena@lead.test"}))
    cloud.drain()
    cloud.invoke("submit_referral", world.form())
    return until_queue(cloud)


def _unreadable_delivery(cloud: Cloud) -> Acts:
    """A stage that the source's map does not name: the delivery is parked for a person."""
    world = World(cloud)
    deal = {"id": "D-1", "stage": "unheard of"}
    cloud.invoke("receive_webhook", world.delivery(deal, world.accepted()))
    return until_queue(cloud)


def _body_gone(cloud: Cloud) -> Acts:
    """The bytes of a delivery are no longer kept when it is applied."""
    deliveries(World(cloud))[0](cloud)
    bodies = cloud.store._table(VAULT).rows
    for key in [key for key in bodies if key[0].startswith(DELIVERY_PREFIX)]:
        del bodies[key]
    return until_queue(cloud)


def merging(cloud: Cloud) -> World:
    """Two deals of two partners that both earned; the CRM says that they became one."""
    world = World(cloud)
    _, code = world.partner("Grace", "grace@partner.example")
    world.won(1)
    world.won(2, "9000.00", code=code)
    cloud.later(minutes=1)
    merged = {"type": "deal.merged", "merged_into": "D-2"}
    cloud.invoke("receive_webhook", world.delivery({"id": "D-1"}, **merged))
    return world


def _merge(cloud: Cloud) -> Acts:
    merging(cloud)
    return until_queue(cloud)


def _merged(cloud: Cloud) -> Acts:
    """What follows from a merge: one's rewards go back, the other's follow all facts."""
    merging(cloud)
    return until_queue(cloud, rounds=2)


# -- rewards -------------------------------------------------------------------------------------


def _first_rewards(cloud: Cloud) -> Acts:
    world = World(cloud)
    world.won(1)
    referral_id = world.accepted("lena@lead.test")
    deal: dict[str, object] = {"id": "D-2", "stage": "won", "amount": "9000.00", "currency": "USD"}
    cloud.invoke("receive_webhook", world.delivery(deal, referral_id))
    return until_queue(cloud, rounds=2)


def _foreign_money(cloud: Cloud) -> Acts:
    """A deal in another currency: the day's rate is pinned before anything is posted."""
    world = World(cloud)
    cloud.made(*RATE)
    cloud.invoke("receive_webhook", world.delivery(IN_EUROS, world.accepted()))
    return until_queue(cloud, rounds=2)


def _no_rate(cloud: Cloud) -> Acts:
    """A deal in another currency is told, and there is no rate for it: it waits for one."""
    world = World(cloud)
    cloud.invoke("receive_webhook", world.delivery(IN_EUROS, world.accepted()))
    return [*until_queue(cloud, rounds=2), _rate_comes]


def _rate_comes(cloud: Cloud) -> None:
    cloud.made(*RATE)


def _rate_at_last(cloud: Cloud) -> Acts:
    """A deal in another currency was told before there was a rate for it."""
    world = World(cloud)
    world.tell(IN_EUROS, world.accepted())
    cloud.made(*RATE)
    return until_queue(cloud)


def _changed_rewards(cloud: Cloud) -> Acts:
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
    return until_queue(cloud, rounds=2)


def _bonus(cloud: Cloud) -> Acts:
    """The partner's second success asks for the bonus of a pair."""
    _first_rewards(cloud)[0](cloud)
    return until_queue(cloud)


def _adjustment(amount: str) -> Prepare:
    def prepare(cloud: Cloud) -> Acts:
        world = World(cloud)
        cloud.made("/adjustments", world.goodwill(amount))
        return until_queue(cloud)

    return prepare


def _given_up(cloud: Cloud) -> Acts:
    """The referral that lost its lead to another partner's is evaluated, and the new one."""
    takeovers(cloud, "Grace")[0](cloud)
    return until_queue(cloud)


# -- the clock -----------------------------------------------------------------------------------


def _due(terms: object = None, status: str = "") -> Prepare:
    """Some rewards are due; the partner may have been suspended or closed meanwhile."""

    def prepare(cloud: Cloud) -> Acts:
        world = World(cloud, terms)
        world.won(1)
        world.won(2)
        if status:
            world.move(status)
        cloud.invoke("submit_referral", world.form("late@lead.test"))  # Waits to be swept.
        cloud.later(days=6)
        return [Cloud.run_clock, Cloud.run_clock]

    return prepare


def _forfeited(cloud: Cloud) -> Acts:
    """What the clock found to be forfeit is taken back, of a referral and of a bonus."""
    _due(STRICT, "closed")(cloud)
    cloud.run_clock()
    return until_queue(cloud)


def _sent_in_vain(cloud: Cloud) -> Acts:
    """An event that got no answer for days is set aside."""
    unanswered(cloud)
    return [Cloud.run_clock, Cloud.run_clock]


def unanswered(cloud: Cloud) -> World:
    """A form came in, and what tells of it was sent in vain as often as it may be."""
    world = World(cloud)
    cloud.dropped = {"bus"}
    cloud.invoke("submit_referral", world.form())
    cloud.live(cloud.now + timedelta(hours=72), timedelta(hours=6))
    cloud.dropped = set()
    cloud.later(hours=24)
    return world


MONEY: tuple[Scene, ...] = (
    Scene(name="a delivery is applied", handler="evaluate_reward", prepare=_delivery_to_apply),
    Scene(name="a delivery is parked", handler="evaluate_reward", prepare=_unreadable_delivery),
    Scene(name="a delivery's body is gone", handler="evaluate_reward", prepare=_body_gone),
    Scene(name="a deal waited for its lead", handler="evaluate_reward", prepare=_early_delivery),
    Scene(name="a merge of two that earned", handler="evaluate_reward", prepare=_merge),
    Scene(name="what follows from a merge", handler="evaluate_reward", prepare=_merged),
    Scene(name="first rewards", handler="evaluate_reward", prepare=_first_rewards),
    Scene(name="a deal in euros", handler="evaluate_reward", prepare=_foreign_money),
    Scene(name="a deal without a rate", handler="evaluate_reward", prepare=_no_rate),
    Scene(name="a deal waited for a rate", handler="evaluate_reward", prepare=_rate_at_last),
    Scene(name="changed rewards", handler="evaluate_reward", prepare=_changed_rewards),
    Scene(name="a bonus", handler="evaluate_reward", prepare=_bonus),
    Scene(name="an adjustment", handler="evaluate_reward", prepare=_adjustment("25.00")),
    Scene(name="taken back by hand", handler="evaluate_reward", prepare=_adjustment("-25.00")),
    Scene(name="a lead was taken over", handler="evaluate_reward", prepare=_given_up),
    Scene(name="rewards are forfeited", handler="evaluate_reward", prepare=_forfeited),
    Scene(name="rewards are due", handler="mature_rewards", prepare=_due()),
    Scene(
        name="due, and suspended",
        handler="mature_rewards",
        prepare=_due(status="suspended"),
    ),
    Scene(name="due, and closed", handler="mature_rewards", prepare=_due(status="closed")),
    Scene(
        name="due, and forfeit",
        handler="mature_rewards",
        prepare=_due(STRICT, "closed"),
    ),
    Scene(name="sent in vain", handler="mature_rewards", prepare=_sent_in_vain),
)

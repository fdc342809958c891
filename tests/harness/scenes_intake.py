"""Forms, deliveries, the events they leave for the publisher, and clicks for the counters."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

from shared.adapters.dynamodb.codec import to_wire
from shared.adapters.dynamodb.link_rows import click_row
from tests.builders.activity import CRAWLER, a_click, record_of
from tests.harness.cloud import CLICKS, START
from tests.harness.world import PROGRAM, TERMS, Scene, World, invoking

if TYPE_CHECKING:
    from shared.domain.clicks import Click
    from tests.harness.cloud import Cloud
    from tests.harness.world import Acts

UNPROTECTED = {**TERMS, "windows": {"protection_days": 0}}
"""Whoever comes next gets a lead of whom nothing came yet."""


# -- forms and deliveries ------------------------------------------------------------------------


def _a_form(cloud: Cloud) -> Acts:
    form = World(cloud).form(first_name="Lena", company="Acme")
    return [invoking("submit_referral", form)] * 2


def _a_repeated_form(cloud: Cloud) -> Acts:
    world = World(cloud)
    world.submitted()
    _, code = world.partner("Grace", "grace@partner.example")
    return [invoking("submit_referral", world.form(code=code))] * 2


def _spam(cloud: Cloud) -> Acts:
    return [invoking("submit_referral", World(cloud).form(_gotcha="x"))] * 2


def _a_takeover(cloud: Cloud) -> Acts:
    """Another partner introduces a lead whom nobody is protected for any more."""
    return takeovers(cloud, "Grace") * 2


def takeovers(cloud: Cloud, *names: str) -> Acts:
    """One form each of partners who may take over a lead of Ada's."""
    world = World(cloud, UNPROTECTED)
    world.submitted()
    cloud.later(days=1)
    codes = [world.partner(name, f"{name.lower()}@partner.example")[1] for name in names]
    return [invoking("submit_referral", world.form(code=code)) for code in codes]


def _a_delivery(cloud: Cloud) -> Acts:
    return deliveries(World(cloud))


def deliveries(world: World) -> Acts:
    """A delivery, the same again, and its content under another message id."""
    referral_id = world.accepted()
    deal: dict[str, object] = {"id": "D-1", "stage": "won", "amount": "900.00", "currency": "USD"}
    event = world.delivery(deal, referral_id, message_id="m-x")
    world.told -= 1
    renamed = world.delivery(deal, referral_id, message_id="m-y")
    return [invoking("receive_webhook", one) for one in (event, event, renamed)]


def _another_text(cloud: Cloud) -> Acts:
    """A known message id comes with other bytes: kept and flagged."""
    world = World(cloud)
    referral_id = world.accepted()
    cloud.invoke("receive_webhook", world.delivery({"id": "D-1"}, referral_id, message_id="m-x"))
    cloud.drain()
    deal = {"id": "D-1", "stage": "won"}
    return [invoking("receive_webhook", world.delivery(deal, referral_id, message_id="m-x"))] * 2


# -- the publisher -------------------------------------------------------------------------------


def _events_to_publish(cloud: Cloud) -> Acts:
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

    return [_stream, again]


def _stream(cloud: Cloud) -> None:
    cloud.run_stream()


# -- clicks --------------------------------------------------------------------------------------


def capped_clicks(cloud: Cloud) -> tuple[World, list[Click]]:
    """Two persons and a crawler on a link that leads on for two."""
    world = World(cloud)
    made = cloud.manage("PATCH", f"/links/{world.code}", {"click_cap": 2})
    assert made["statusCode"] == 200, made
    cloud.later(minutes=1)
    whose = {"code": world.code, "program_id": PROGRAM, "partner_id": world.partner_id}
    agents = [{}, {}, {"user_agent": CRAWLER}]
    return world, [
        a_click(number, clicked_at=cloud.now, **whose, **agent)
        for number, agent in enumerate(agents)
    ]


def batch_of(clicks: list[Click], shard: str) -> dict[str, Any]:
    """A shard's records as Lambda hands them to a function with a window."""
    records = [record_of(click, place + 1) for place, click in enumerate(clicks)]
    return {"Records": records, "shardId": shard, "state": {}}


def _clicks_of_a_shard(cloud: Cloud) -> Acts:
    """A batch, then as the stream goes on after a failure: in two parts, and all of it again."""
    _, clicks = capped_clicks(cloud)
    batch = batch_of(clicks, "shardId-1")
    first, rest = ({**batch, "Records": part} for part in _cut(batch["Records"]))
    return [invoking("roll_up_activity", one) for one in (batch, first, rest, batch)]


def _cut(records: list[Any]) -> tuple[list[Any], list[Any]]:
    return records[:1], records[1:]


def _strange_click(cloud: Cloud) -> Acts:
    """Between clicks comes a record that nobody can read: it is parked."""
    _, clicks = capped_clicks(cloud)
    batch = batch_of(clicks, "shardId-1")
    batch["Records"][1]["dynamodb"]["NewImage"] = {"pk": {"S": "clk_x"}}
    return [invoking("roll_up_activity", batch)] * 2


def rolled_up_twice(cloud: Cloud, *, shards: int) -> Acts:
    """The same batch twice, or clicks of two shards on the same link."""
    _, clicks = capped_clicks(cloud)
    own = batch_of(clicks[:2], "shardId-1")
    other = batch_of(clicks[2:], "shardId-2") if shards > 1 else own
    return [invoking("roll_up_activity", one) for one in (own, other)]


def _recount(cloud: Cloud) -> Acts:
    """A day is counted anew from the table, from which the stream had lost a click."""
    _, clicks = capped_clicks(cloud)
    for click in clicks:
        cloud.store.put_item(TableName=CLICKS, Item=to_wire(click_row(click)))
    cloud.invoke("roll_up_activity", batch_of(clicks[1:], "shardId-1"))
    cloud.now = START + timedelta(days=2)
    wanted = {"recount": {"program_id": PROGRAM, "day": START.date().isoformat()}}
    return [invoking("roll_up_activity", wanted)] * 2


INTAKE: tuple[Scene, ...] = (
    Scene(name="a form", handler="submit_referral", prepare=_a_form),
    Scene(name="a known lead", handler="submit_referral", prepare=_a_repeated_form),
    Scene(name="spam", handler="submit_referral", prepare=_spam),
    Scene(name="a lead is taken over", handler="submit_referral", prepare=_a_takeover),
    Scene(name="a delivery", handler="receive_webhook", prepare=_a_delivery),
    Scene(name="other text, same id", handler="receive_webhook", prepare=_another_text),
    Scene(name="events", handler="publish_events", prepare=_events_to_publish),
    Scene(name="clicks", handler="roll_up_activity", prepare=_clicks_of_a_shard),
    Scene(name="a strange click", handler="roll_up_activity", prepare=_strange_click),
    Scene(name="a day is recounted", handler="roll_up_activity", prepare=_recount),
)

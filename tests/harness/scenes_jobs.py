"""Simulations and migrations: asked for, stopped, resumed, and every step of theirs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from shared.adapters.dynamodb.keys import LIST_SHARDS
from shared.names import EVALUATE_TRIES
from tests.harness.cloud import CORE, sqs_record
from tests.harness.senders import manage_event
from tests.harness.world import PROGRAM, TERMS, Scene, World, asked, until_queue

if TYPE_CHECKING:
    from tests.harness.cloud import Cloud
    from tests.harness.world import Acts, Prepare

_THANKS, *_OTHERS = TERMS["rules"]
RAISED = {**TERMS, "rules": [{**_THANKS, "value": {"fixed": "60.00"}}, *_OTHERS]}
"""The newer terms pay more for an introduction, and nobody less."""

SPAN = {"from": "2026-01-01T00:00:00Z", "to": "2027-01-01T00:00:00Z"}
SIMULATION = (f"/programs/{PROGRAM}/simulations", {"definition": RAISED, **SPAN})
MIGRATION = (
    f"/programs/{PROGRAM}/migrations",
    {"to_version": 2, "referrals": "all", "preview": False},
)
PREVIEW = (MIGRATION[0], {**MIGRATION[1], "preview": True})
Order = tuple[str, dict[str, Any]]

_LAST_PLAN = LIST_SHARDS
CHUNKS = _LAST_PLAN + 1
END = CHUNKS + 1
"""Rounds until what waits is the planning of the last list, the chunks, or what follows them."""


def moving(cloud: Cloud) -> tuple[World, str]:
    """Three referrals, two of them won, and newer terms; with the first referral."""
    world = World(cloud)
    referral_id = world.won(1, "3000.00")
    world.won(2, "2000.00")
    world.accepted("lena@lead.test")
    cloud.made(f"/programs/{PROGRAM}/terms", RAISED)
    cloud.later(minutes=1)
    return world, referral_id


def _asked_for(order: Order) -> Prepare:
    def prepare(cloud: Cloud) -> Acts:
        moving(cloud)
        return asked("POST", *order)

    return prepare


def begun(cloud: Cloud, order: Order, rounds: int) -> str:
    """A job so many steps after it was asked for; its next steps wait in the queue."""
    moving(cloud)
    job = cloud.made(*order)
    until_queue(cloud, rounds)
    return f"{order[0]}/{job['id']}"


def _step(order: Order, rounds: int) -> Prepare:
    def prepare(cloud: Cloud) -> Acts:
        begun(cloud, order, rounds)
        return until_queue(cloud)

    return prepare


def _stopped(order: Order, act: str) -> Prepare:
    """A job whose messages were all lost is cancelled, or goes on."""

    def prepare(cloud: Cloud) -> Acts:
        path = begun(cloud, order, CHUNKS)
        cloud.queue.clear()
        cloud.later(hours=2)
        return asked("POST", f"{path}/{act}", {})

    return prepare


def _last_try(cloud: Cloud) -> Acts:
    """A draft that nobody can read: the job is marked as failed, is mended and goes on."""
    path = begun(cloud, SIMULATION, CHUNKS)
    key = (f"JOB#{path.rpartition('/')[2]}", "META")
    rows = cloud.store._table(CORE).rows
    settings = rows[key]["settings"]
    spoiled = {"M": {**settings["M"], "definition": {"S": "{"}}}
    rows[key] = {**rows[key], "settings": spoiled}
    first, *others = cloud.queue
    cloud.queue[:] = others
    event = {"Records": [sqs_record(first, EVALUATE_TRIES)]}

    def mend(later: Cloud) -> None:
        rows = later.store._table(CORE).rows
        rows[key] = {**rows[key], "settings": settings}
        later.later(hours=2)
        later.attempt("manage_program", manage_event("POST", f"{path}/resume", {}))

    def fail(later: Cloud) -> None:
        later.attempt("evaluate_reward", event)

    return [fail, mend]


JOBS: tuple[Scene, ...] = (
    Scene(
        name="a simulation is planned",
        handler="evaluate_reward",
        prepare=_step(SIMULATION, _LAST_PLAN),
    ),
    Scene(
        name="chunks of a preview",
        handler="evaluate_reward",
        prepare=_step(PREVIEW, CHUNKS),
    ),
    Scene(name="a step that fails for good", handler="evaluate_reward", prepare=_last_try),
    *(
        Scene(name=name, handler=handler, prepare=prepare)
        for kind, order in (("simulation", SIMULATION), ("migration", MIGRATION))
        for name, handler, prepare in (
            (f"a {kind} is asked for", "manage_program", _asked_for(order)),
            (f"chunks of a {kind}", "evaluate_reward", _step(order, CHUNKS)),
            (f"a {kind} ends", "evaluate_reward", _step(order, END)),
            (f"a {kind} is cancelled", "manage_program", _stopped(order, "cancel")),
            (f"a {kind} goes on", "manage_program", _stopped(order, "resume")),
        )
    ),
)

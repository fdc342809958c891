"""Stream, bus or queue lose all they carry, an archive is replayed, poison comes in a batch.

Whatever happens to the messengers, the tables alone bring everything to the end that it would
have come to, and nothing in the queue holds up its neighbours, loops for ever or is lost.
"""

from __future__ import annotations

import json
import random
from dataclasses import dataclass
from datetime import timedelta
from itertools import combinations
from typing import TYPE_CHECKING, Any

import pytest

from shared import names
from tests.harness.cloud import CORE, Cloud, Message, message_of, running_cloud
from tests.harness.explore import come_to_rest
from tests.harness.sameness import amounts, broken_money, outcome
from tests.harness.story import PLAIN, Ending, Told, begun, told_on
from tests.harness.world import World

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

TIMES = 4
"""Messages in a batch."""
PLACES = [set(some) for many in range(1, TIMES) for some in combinations(range(TIMES), many)]
GIVEN_UP = timedelta(hours=96)
"""After that long without an answer an event is parked."""


# -- loss -----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Begun:
    """The story before anything is lost, how to get back there, and how it ends undisturbed."""

    told: Told
    back: Callable[[], None]
    ending: Ending


@pytest.fixture(scope="module")
def story() -> Iterator[Begun]:
    with running_cloud() as cloud:
        told = begun(cloud)
        back = told.bookmark()
        ending = told_on(told, set())
        yield Begun(told=told, back=back, ending=ending)


@pytest.mark.parametrize("dropped", [{"stream"}, {"bus"}, {"stream", "bus"}], ids=sorted)
def test_a_day_without_messengers_ends_as_any_other(story: Begun, dropped: set[str]) -> None:
    story.back()

    ending = told_on(story.told, dropped)

    assert story.ending.pending == ending.pending
    assert story.ending.amounts == ending.amounts
    assert story.ending.outcome == ending.outcome
    assert [] == broken_money(story.told.cloud)
    simulations = jobs(story.told.cloud, "JOB#sim_")
    assert ["done"] == [row["state"] for row in simulations]


def test_the_story_is_worth_telling(story: Begun) -> None:
    """Otherwise equal ends would prove little."""
    text = " ".join([*story.ending.amounts, *story.ending.outcome])

    assert [] != story.ending.pending
    for part in ("pair", "commission", "welcome", "adj_", "D-4", '"state": "posted"'):
        assert part in text, part


def test_what_is_lost_for_as_long_as_it_is_sent_again_waits_for_a_person(story: Begun) -> None:
    story.back()
    cloud = story.told.cloud
    cloud.dropped = {"bus"}
    story.told.submits(3)
    story.told.accepts(3)
    cloud.live(cloud.now + GIVEN_UP, timedelta(hours=6))
    cloud.dropped = set()
    cloud.live(cloud.now + timedelta(days=1), timedelta(hours=6))
    assert {("not_handled", None)} == {(one["reason"], one["error"]) for one in parked(cloud)}
    assert not any(story.told.leads[3] in row for row in amounts(cloud))

    redrive(cloud)

    assert any(story.told.leads[3] in row for row in amounts(cloud))
    come_to_rest(cloud)
    assert [] == broken_money(cloud)


def jobs(cloud: Cloud, prefix: str) -> list[dict[str, Any]]:
    rows = cloud.store.dump()[CORE]
    return [row for row in rows if row["pk"].startswith(prefix) and row["sk"] == "META"]


# -- replay ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("kept", [True, False], ids=["outbox kept", "outbox expired"])
def test_a_replay_of_all_that_ever_happened_changes_nothing(story: Begun, *, kept: bool) -> None:
    seed = random.SystemRandom().randrange(1 << 31)
    print(f"seed {seed}")  # noqa: T201 - shown when the test fails
    story.back()
    told_on(story.told, set())
    cloud = story.told.cloud
    archive = [message_of(entry, f"-{n}") for n in range(2) for entry in cloud.bus.put]
    random.Random(seed).shuffle(archive)  # noqa: S311 - reproducible on purpose
    if not kept:
        rows = cloud.store._table(CORE).rows
        for key in [key for key in rows if key[0].startswith(names.OUTBOX_PREFIX)]:
            del rows[key]
    before = lasting(cloud)

    cloud.queue += archive
    while cloud.run_queue():
        pass
    come_to_rest(cloud)

    assert before == lasting(cloud)
    assert [] == cloud.dead


def lasting(cloud: Cloud) -> dict[str, Any]:
    """All rows as they are, but for the outbox."""
    return {
        table: [row for row in rows if not row[names.PK].startswith(names.OUTBOX_PREFIX)]
        for table, rows in cloud.store.dump().items()
    }


# -- poison ---------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """Some accepted referrals whose events wait in the queue, and what they come to."""

    cloud: Cloud
    back: Callable[[], None]
    referrals: list[str]
    amounts: list[str]
    outcome: list[str]

    def rewarded(self) -> set[int]:
        text = " ".join(amounts(self.cloud))
        return {place for place, one in enumerate(self.referrals) if one in text}


@pytest.fixture(scope="module")
def batch() -> Iterator[Batch]:
    with running_cloud() as cloud:
        world = World(cloud, PLAIN)
        referrals = [world.submitted(f"lead{number}@lead.test") for number in range(TIMES)]
        for referral_id in referrals:
            world.accept(referral_id)
        saved = cloud.save()
        come_to_rest(cloud)
        yield Batch(
            cloud=cloud,
            back=lambda: cloud.restore(saved),
            referrals=referrals,
            amounts=amounts(cloud),
            outcome=outcome(cloud),
        )


def parked(cloud: Cloud) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = cloud.manage("GET", "/events?state=parked")["body"]["items"]
    return found


def redrive(cloud: Cloud) -> None:
    """Let every parked event be sent again."""
    for one in parked(cloud):
        cloud.made(f"/events/{one['id']}/redrive", {})
    cloud.later(minutes=1)
    cloud.drain()
    assert [] == parked(cloud)


def unreadable_fact(batch: Batch, place: int) -> Callable[[], None]:
    """Store a fact as only a later release could; return what mends it."""
    rows = batch.cloud.store._table(CORE).rows
    key = next(
        key
        for key in rows
        if key[0] == f"REF#{batch.referrals[place]}" and key[1].startswith("FACT#")
    )
    good = rows[key]
    rows[key] = {**good, "schema_version": {"N": "99"}}
    return lambda: rows.update({key: good})


def unknown_aggregate(batch: Batch, place: int) -> Callable[[], None]:
    """Let an event be about what only a later release knows; return what mends it."""
    rows = batch.cloud.store._table(CORE).rows
    message = batch.cloud.queue[place]
    key = (f"OUT#{json.loads(message.body)['detail']['event_id']}", "EVENT")
    good = rows[key]

    def strange(text: str) -> str:
        return text.replace('"type":"referral"', '"type":"planet"').replace(
            '"type": "referral"', '"type": "planet"'
        )

    rows[key] = {**good, "envelope": {"S": strange(good["envelope"]["S"])}}
    batch.cloud.queue[place] = Message(message.message_id, strange(message.body))
    return lambda: rows.update({key: {**rows[key], "envelope": good["envelope"]}})


def cut_body(batch: Batch, place: int) -> Callable[[], None]:
    """Spoil the message alone: the outbox still has what it said."""
    message = batch.cloud.queue[place]
    batch.cloud.queue[place] = Message(message.message_id, message.body[:-5])
    return lambda: None


def by_route(cloud: Cloud, _dead: list[Message]) -> None:
    redrive(cloud)


def by_queue(cloud: Cloud, dead: list[Message]) -> None:
    """Move what is in the dead-letter queue back."""
    cloud.queue += dead


def by_itself(_cloud: Cloud, _dead: list[Message]) -> None:
    """Nobody needs to do anything."""


@pytest.mark.parametrize(
    ("poison", "error", "send_again"),
    [
        (unreadable_fact, "newer_fact", by_route),
        (unreadable_fact, "newer_fact", by_queue),
        (unknown_aggregate, "LookupError", by_route),
        (cut_body, "", by_itself),
    ],
)
def test_poison_in_a_queue_batch(
    batch: Batch,
    poison: Callable[[Batch, int], Callable[[], None]],
    error: str,
    send_again: Callable[[Cloud, list[Message]], None],
) -> None:
    cloud = batch.cloud
    for places in PLACES:
        batch.back()
        cloud.run_stream()
        cloud.run_bus()
        assert len(cloud.queue) == TIMES
        mends = [poison(batch, place) for place in sorted(places)]
        spoiled = [cloud.queue[place] for place in sorted(places)]

        cloud.run_queue()
        assert set(range(TIMES)) - places == batch.rewarded()
        cloud.drain()
        assert {*spoiled} == {*cloud.dead}
        cloud.live(cloud.now + GIVEN_UP, timedelta(hours=6))

        expected = [("not_handled", error)] * len(places) if error else []
        assert expected == [(one["reason"], one["error"]) for one in parked(cloud)]
        assert [] == cloud.queue
        dead = [*cloud.dead]
        cloud.dead.clear()
        cloud.receives.clear()
        for mend in mends:
            mend()
        send_again(cloud, dead)
        assert_converged(batch)


def test_events_that_the_bus_refuses(batch: Batch) -> None:
    cloud = batch.cloud
    for places in PLACES:
        batch.back()
        waiting = [record["dynamodb"]["NewImage"] for record in cloud.pending_records()]
        ids = [waiting[place]["event_id"]["S"] for place in sorted(places)]
        cloud.bus.codes.update(dict.fromkeys(ids, "MalformedDetail"))

        cloud.drain()

        assert set(range(TIMES)) - places == batch.rewarded()
        assert {("refused_by_bus", event_id) for event_id in ids} == {
            (one["reason"], one["id"]) for one in parked(cloud)
        }
        cloud.bus.codes.clear()
        redrive(cloud)
        assert_converged(batch)


def assert_converged(batch: Batch) -> None:
    come_to_rest(batch.cloud)
    assert batch.amounts == amounts(batch.cloud)
    assert batch.outcome == outcome(batch.cloud)
    assert [] == broken_money(batch.cloud)
    assert [] == parked(batch.cloud)

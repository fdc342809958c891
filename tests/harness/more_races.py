"""Races that show what single conditions are for: first rows, second copies, rows that went."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, cast

from shared import names
from tests.harness.cloud import CORE, VAULT, Cloud, Dead, Message
from tests.harness.races import Race
from tests.harness.scenes import SCENES
from tests.harness.senders import manage_event
from tests.harness.world import PROGRAM, World, arrived, handled, invoking, taken

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from tests.harness.wire import AwsCall
    from tests.harness.world import Acts, Prepare, Scene

_WON: dict[str, object] = {"id": "D-1", "stage": "won", "amount": "900.00", "currency": "USD"}
_REVIEW = {"decision": "accept", "reason": "known company"}


def _all_that_follows(cloud: Cloud) -> None:
    for _ in range(2):
        cloud.run_stream()
        cloud.run_bus()
        while cloud.run_queue():
            pass


# -- deliveries ----------------------------------------------------------------------------------


def _delivery_again(cloud: Cloud) -> Acts:
    """A sender who got no answer sends the same once more, a minute later."""
    world = World(cloud)
    event = world.delivery(_WON, world.accepted())

    def again(later: Cloud) -> None:
        later.later(minutes=1)
        later.attempt("receive_webhook", event)

    return [invoking("receive_webhook", event), again]


def _parked_and_bound(cloud: Cloud) -> Acts:
    """A delivery is about to wait for a deal's referral while another one names it."""
    world = World(cloud)
    referral_id = world.accepted()
    acts = []
    for deal, known in (({"id": "D-1", "stage": "qualified"}, ""), (_WON, referral_id)):
        cloud.later(minutes=1)
        cloud.invoke("receive_webhook", world.delivery(deal, known))
        acts.append(handled(*arrived(cloud)))
    return acts


def _early(world: World) -> list[Message]:
    """A delivery waits for its lead, who has just come."""
    cloud = world.cloud
    cloud.invoke("receive_webhook", world.delivery(_WON, referral={"email": "lena@lead.test"}))
    cloud.drain()
    cloud.invoke("submit_referral", world.form())
    return arrived(cloud)


def _lead_came_twice(cloud: Cloud) -> Acts:
    messages = _early(World(cloud))
    return [handled(*messages)] * 2


def _lead_comes(cloud: Cloud) -> Acts:
    """A lead comes while a delivery that names it finds nobody."""
    world = World(cloud)
    cloud.invoke("receive_webhook", world.delivery(_WON, referral={"email": "lena@lead.test"}))
    messages = arrived(cloud)
    form = world.form()

    def comes(later: Cloud) -> None:
        later.attempt("submit_referral", form)
        _all_that_follows(later)

    return [handled(*messages), comes]


def _text_expires(cloud: Cloud) -> Acts:
    """The raw text of a delivery expires while the delivery is settled."""
    cloud.queue += _early(World(cloud))
    cloud.run_queue()
    return [handled(*arrived(cloud)), expiring(VAULT, names.DELIVERY_PREFIX)]


def expiring(table: str, prefix: str) -> Callable[[Cloud], None]:
    """Remove rows that have an expiry, by a call of its own for each."""

    def act(cloud: Cloud) -> None:
        client = cloud.wire.client("dynamodb")
        for row in cloud.store.dump()[table]:
            if row[names.PK].startswith(prefix) and names.TTL in row:
                key = {name: {"S": row[name]} for name in (names.PK, names.SK)}
                client.delete_item(TableName=table, Key=key)

    return act


# -- money ---------------------------------------------------------------------------------------


def _release_and_adjustment(cloud: Cloud) -> Acts:
    """Money of one book moves for a referral and for the partner's file."""
    world = World(cloud)
    world.won(1)
    cloud.later(days=6)
    cloud.made("/adjustments", world.goodwill())
    return [handled(*arrived(cloud)), Cloud.run_clock]


def _held_and_changed(cloud: Cloud) -> Acts:
    """A reward is held for its suspended partner while it is taken back."""
    world = World(cloud)
    referral_id = world.won(1)
    world.move("suspended")
    cloud.later(days=6)
    cloud.invoke("receive_webhook", world.delivery({"id": "D-1", "stage": "lost"}, referral_id))
    cloud.queue += arrived(cloud)
    cloud.run_queue()
    return [Cloud.run_clock, handled(*arrived(cloud))]


# -- evaluations and events ----------------------------------------------------------------------


def _overtaken(cloud: Cloud) -> Acts:
    """An evaluation that finds nothing to pay is overtaken by a whole one that does."""
    world = World(cloud)
    answer = cloud.invoke("submit_referral", world.form())
    messages = arrived(cloud)
    path = f"/referrals/{json.loads(answer['body'])['referral_id']}/review"

    def review(later: Cloud) -> None:
        later.attempt("manage_program", manage_event("POST", path, _REVIEW))
        _all_that_follows(later)

    return [handled(*messages), review]


def _replayed_event(cloud: Cloud) -> Acts:
    """An archive sends again what was handled so long ago that its row is gone."""
    world = World(cloud)
    world.accept(world.submitted())
    messages = arrived(cloud)
    cloud.queue += messages
    cloud.drain()
    for message in messages:
        event_id = json.loads(message.body)["detail"]["event_id"]
        expiring(CORE, f"{names.OUTBOX_PREFIX}{event_id}")(cloud)
    return [handled(*messages)] * 2


def _swept_and_handled(cloud: Cloud) -> Acts:
    """An event that nobody answered in time is swept in the moment in which it is handled."""
    world = World(cloud)
    world.accept(world.submitted())
    messages = arrived(cloud)
    cloud.later(hours=1)
    return [Cloud.run_clock, handled(*messages)]


# -- people --------------------------------------------------------------------------------------


def _asked_again_twice(cloud: Cloud) -> Acts:
    """Two try again at once what died a while ago."""
    world = World(cloud)
    path = f"/referrals/{world.accepted()}/facts"
    fact = {"kind": "milestone_reached", "reason": "a call", "data": {"milestone": "won"}}
    event = manage_event("POST", path, fact, idempotency_key="one-and-only")
    _dying(cloud, event)
    cloud.later(minutes=2)
    return [invoking("manage_program", event)] * 2


def _dying(cloud: Cloud, event: dict[str, object]) -> None:
    """Ask for something, and die when nothing but the claim is written."""

    def on_answer(_place: int, call: AwsCall, *_answer: object) -> None:
        if call.operation == "TransactWriteItems":
            raise Dead

    cloud.wire.hurried = False  # Preparations go past the SDK otherwise, where nobody dies.
    cloud.wire.on_answer = on_answer
    cloud.attempt("manage_program", event)
    cloud.wire.begin()


def _two_changes(where: Callable[[World], str], *bodies: Mapping[str, object]) -> Prepare:
    """Two people change one thing."""

    def prepare(cloud: Cloud) -> Acts:
        world = World(cloud)
        path = where(world)
        return [invoking("manage_program", manage_event("PATCH", path, body)) for body in bodies]

    return prepare


def _partner(world: World) -> str:
    return f"/partners/{world.partner_id}"


def _program(_world: World) -> str:
    return f"/programs/{PROGRAM}"


def _link(world: World) -> str:
    return f"/links/{world.code}"


def _a_lead_again(cloud: Cloud) -> Acts:
    """A known lead fills in the same form twice, a minute apart."""
    world = World(cloud)
    world.submitted()
    _, code = world.partner("Grace", "grace@partner.example")
    form = world.form(code=code)

    def again(later: Cloud) -> None:
        later.later(minutes=1)
        later.attempt("submit_referral", form)

    return [invoking("submit_referral", form), again]


def _minted_alike(*forms: dict[str, object]) -> Prepare:
    """Two requests for which the same ids are minted, as by two clones of one machine."""

    def prepare(cloud: Cloud) -> Acts:
        world = World(cloud)
        vars(cloud.modules["submit_referral"])["new_id"] = lambda prefix: f"{prefix}_{'7' * 26}"
        events = [
            world.form(f"lead{number}@lead.test", **form) for number, form in enumerate(forms)
        ]
        return [invoking("submit_referral", event) for event in events]

    return prepare


# -- what people ask, twice at once --------------------------------------------------------------


class _Asked:
    """Hears what an act would ask."""

    event: dict[str, Any]

    def attempt(self, _name: str, event: dict[str, Any]) -> None:
        self.event = event


def _twice(scene: Scene) -> Race:
    """Return how two people ask for the same, each under a key of their own."""

    def prepare(cloud: Cloud) -> Acts:
        first, *_ = scene.prepare(cloud)
        asked = _Asked()
        first(cast("Cloud", asked))
        headers = asked.event["headers"]
        events = [
            {**asked.event, "headers": {**headers, "idempotency-key": key}} for key in ("a", "b")
        ]
        first, second = (invoking("manage_program", event) for event in events)

        def later(cloud: Cloud) -> None:
            cloud.later(minutes=1)
            second(cloud)

        return [first, later]

    return Race(name=f"{scene.name}, twice at once", alike="promises", prepare=prepare)


def _at_once(scene: Scene) -> Race:
    """Return how the messages of a scene are handled twice at once."""

    def prepare(cloud: Cloud) -> Acts:
        scene.prepare(cloud)
        return [handled(*taken(cloud))] * 2

    return Race(name=f"{scene.name}, heard twice", alike="promises", prepare=prepare)


_HEARD = {"a simulation is planned", "chunks of a simulation", "a migration ends"}
_NAMES = [{"name": name} for name in ("One", "Other")]
_PLACES = [{"destination": f"https://www.example.com/{name}"} for name in ("one", "other")]
_ADDRESSES = [{"email": f"{name}@partner.example"} for name in ("new", "newer")]
_MOVES = [{"status": status, "reason": "a look"} for status in ("suspended", "closed")]
MORE_RACES: tuple[Race, ...] = (
    Race(name="one waits, one names the deal", prepare=_parked_and_bound),
    Race(name="a lead came, heard twice", prepare=_lead_came_twice),
    Race(name="a lead comes, nobody found", alike="amounts", prepare=_lead_comes),
    Race(name="a text expires", alike="promises", prepare=_text_expires),
    Race(name="a release and an adjustment", alike="amounts", prepare=_release_and_adjustment),
    Race(name="held and taken back", prepare=_held_and_changed),
    Race(name="an evaluation is overtaken", prepare=_overtaken),
    Race(name="an event of long ago", prepare=_replayed_event),
    Race(name="swept and handled", prepare=_swept_and_handled),
    Race(name="one request, asked twice", prepare=_asked_again_twice),
    Race(name="a partner is moved twice", prepare=_two_changes(_partner, *_MOVES)),
    Race(name="a partner has two new addresses", prepare=_two_changes(_partner, *_ADDRESSES)),
    Race(name="a delivery comes again later", alike="promises", prepare=_delivery_again),
    Race(name="a programme has two new names", prepare=_two_changes(_program, *_NAMES)),
    Race(name="a link leads to two places", prepare=_two_changes(_link, *_PLACES)),
    Race(name="a known lead again", prepare=_a_lead_again),
    Race(name="two forms minted alike", prepare=_minted_alike({}, {})),
    Race(name="two bots minted alike", prepare=_minted_alike({"_gotcha": "x"}, {"_gotcha": "y"})),
    *(_twice(scene) for scene in SCENES if scene.handler == "manage_program"),
    *(_at_once(scene) for scene in SCENES if scene.name in _HEARD),
)

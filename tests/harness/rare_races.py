"""Races to moments that no scene comes to: a migration's end, a cap that moves, a late answer."""

from __future__ import annotations

from typing import TYPE_CHECKING

from shared import names
from tests.builders.activity import a_click
from tests.harness.cloud import CORE, Cloud, Dead, message_of
from tests.harness.more_races import expiring
from tests.harness.races import Race, insisting, told
from tests.harness.scenes_intake import batch_of, capped_clicks
from tests.harness.scenes_jobs import CHUNKS, END, MIGRATION, begun
from tests.harness.scenes_money import unanswered
from tests.harness.senders import manage_event
from tests.harness.world import PROGRAM, TERMS, World, arrived, handled, invoking, until_queue

if TYPE_CHECKING:
    from tests.harness.wire import AwsCall
    from tests.harness.world import Act, Acts, Prepare

_UNHEARD_OF: dict[str, object] = {"id": "D-1", "stage": "unheard of"}
_WON: dict[str, object] = {"id": "D-1", "stage": "won", "amount": "900.00", "currency": "USD"}


# -- deliveries and adjustments ------------------------------------------------------------------


def _nobody_known(cloud: Cloud) -> Acts:
    """A delivery names a deal and a lead of whom nobody knows; the clock is all that goes on."""
    world = World(cloud)
    cloud.invoke("receive_webhook", world.delivery(_WON, referral={"email": "lena@lead.test"}))
    return [handled(*arrived(cloud)), Cloud.run_clock]


def _two_flaws(cloud: Cloud) -> Acts:
    """A delivery can't be read, and its deal is nobody's until another one names a referral."""
    world = World(cloud)
    referral_id = world.accepted()
    acts = []
    for deal, known in ((_UNHEARD_OF, ""), (_WON, referral_id)):
        cloud.later(minutes=1)
        cloud.invoke("receive_webhook", world.delivery(deal, known))
        acts.append(handled(*arrived(cloud)))
    return acts


def _adjustment_twice(cloud: Cloud) -> Acts:
    """A partner who has earned before is given something, and that is posted twice."""
    world = World(cloud)
    world.won(1)
    cloud.made("/adjustments", world.goodwill())
    return [handled(*arrived(cloud))] * 2


# -- clicks --------------------------------------------------------------------------------------


def _counted_before(cloud: Cloud) -> Acts:
    """Clicks of two shards are added to counters that a third one has begun."""
    world, _ = capped_clicks(cloud)
    whose = {"code": world.code, "program_id": PROGRAM, "partner_id": world.partner_id}
    clicks = [a_click(number, clicked_at=cloud.now, **whose) for number in range(3)]
    first, *others = (batch_of([click], f"shardId-{n}") for n, click in enumerate(clicks))
    cloud.invoke("roll_up_activity", first)
    return [invoking("roll_up_activity", one) for one in others]


def _cap_moves(*caps: int | None) -> Prepare:
    """A link takes its last click while somebody gives it another cap, perhaps a new one."""

    def prepare(cloud: Cloud) -> Acts:
        world, clicks = capped_clicks(cloud)
        path = f"/links/{world.code}"

        def changes(later: Cloud) -> None:
            for cap in caps:
                later.later(minutes=1)
                insisting(manage_event("PATCH", path, {"click_cap": cap}))(later)

        return [invoking("roll_up_activity", batch_of(clicks[:2], "shardId-1")), changes]

    return prepare


# -- people --------------------------------------------------------------------------------------


def _accepting(partner_id: str, **documents: str) -> Act:
    """A partner accepts the newest terms, and some documents."""
    wanted = {"partner_id": partner_id, "program_id": PROGRAM, "accept_terms": True}
    body = {**wanted, "accept_documents": documents}
    return invoking("manage_program", manage_event("POST", "/enrolments", body))


def _enrolled_twice(cloud: Cloud) -> Acts:
    """A partner takes part for the first time by two requests, each with another document."""
    World(cloud)
    someone = {"name": "Cas", "email": "cas@partner.example", "kind": "advocate"}
    partner_id = cloud.made("/partners", someone)["id"]
    documents = {"agreement": "1"}, {"code_of_conduct": "1"}
    return [_accepting(partner_id, **each) for each in documents]


def _let_go_and_handled(cloud: Cloud) -> Acts:
    """A person lets a parked event go; it is handled after all, and one day its row expires."""
    unanswered(cloud)
    cloud.run_clock()
    (event,) = cloud.manage("GET", "/events?state=parked")["body"]["items"]
    late = message_of(cloud.bus.put[-1])

    def handle(later: Cloud) -> None:
        handled(late)(later)
        expiring(CORE, f"{names.OUTBOX_PREFIX}{event['id']}")(later)

    redrive = manage_event("POST", f"/events/{event['id']}/redrive", {})
    return [invoking("manage_program", redrive), handle]


# -- migrations ----------------------------------------------------------------------------------


def _dying_and_cancelled(cloud: Cloud) -> Acts:
    """A migration dies when it has moved a referral and not settled it; then it is cancelled."""
    path = begun(cloud, MIGRATION, CHUNKS)
    chunk = handled(*arrived(cloud))

    def on_answer(_place: int, call: AwsCall, *_answer: object) -> None:
        if "Put test-core JOB ITEM" in call.what:
            raise Dead

    def dies(later: Cloud) -> None:
        later.wire.on_answer = on_answer
        chunk(later)
        later.wire.on_answer = None

    return [dies, insisting(manage_event("POST", f"{path}/cancel", {}))]


def _lowered(world: World) -> None:
    """Newer terms give less for a pair."""
    *rules, pair, welcome = TERMS["rules"]
    lower = {**TERMS, "rules": [*rules, {**pair, "value": {"fixed": "50.00"}}, welcome]}
    world.cloud.made(f"/programs/{PROGRAM}/terms", lower)


def _ending(world: World, **settings: object) -> Act:
    """A migration has moved all referrals; partners' files are left."""
    cloud = world.cloud
    path, order = MIGRATION
    cloud.made(path, {**order, **settings})
    until_queue(cloud, END)
    return handled(*arrived(cloud))


def _end_and_bonus(cloud: Cloud) -> Acts:
    """Nobody may lose by a migration; the bonus that it would lower is posted as it ends."""
    world = World(cloud)
    world.won(1)
    referral_id = world.accepted()
    _lowered(world)
    ends = _ending(world, no_decrease=True)
    told(cloud, world, referral_id, id="D-2", stage="won", amount="900.00")
    cloud.run_queue()
    return [ends, handled(*arrived(cloud))]


def _end_and_acceptance(cloud: Cloud) -> Acts:
    """A partner accepts still newer terms as a migration ends."""
    world = World(cloud)
    world.won(1)
    _lowered(world)
    ends = _ending(world)
    cloud.made(f"/programs/{PROGRAM}/terms", TERMS)
    return [ends, _accepting(world.partner_id)]


def _end_and_document(*known: str) -> Prepare:
    """A partner accepts a document as a migration back to older terms ends."""

    def prepare(cloud: Cloud) -> Acts:
        world = World(cloud)
        world.won(1)
        _lowered(world)
        _accepting(world.partner_id, **dict.fromkeys(known, "1"))(cloud)
        return [_ending(world, to_version=1), _accepting(world.partner_id, code_of_conduct="1")]

    return prepare


def _accepted_by_two(*known: str, judged: bool = False) -> Prepare:
    """A partner accepts newer terms by two requests, each with another document."""

    def prepare(cloud: Cloud) -> Acts:
        world = World(cloud)
        world.won(1)
        if known:
            _accepting(world.partner_id, **dict.fromkeys(known, "1"))(cloud)
        if judged:
            _lowered(world)
            _ending(world)(cloud)
            cloud.drain()
        cloud.later(minutes=1)
        cloud.made(f"/programs/{PROGRAM}/terms", TERMS)
        documents = {"agreement": "2"}, {"code_of_conduct": "2"}
        return [_accepting(world.partner_id, **each) for each in documents]

    return prepare


RARE_RACES: tuple[Race, ...] = (
    Race(name="nobody is known", prepare=_nobody_known),
    Race(name="two flaws, and one is mended", prepare=_two_flaws),
    Race(name="a known partner's adjustment is posted twice", prepare=_adjustment_twice),
    Race(name="clicks on counters of old", prepare=_counted_before),
    Race(name="a cap is raised as it is reached", prepare=_cap_moves(5)),
    Race(name="a cap is new as it is reached", alike="promises", prepare=_cap_moves(None, 2)),
    Race(name="a partner is enrolled by two", prepare=_enrolled_twice),
    Race(name="let go and handled", prepare=_let_go_and_handled),
    Race(name="a migration dies and is cancelled", prepare=_dying_and_cancelled),
    Race(name="a migration ends beside a bonus", prepare=_end_and_bonus),
    Race(name="a migration ends beside an acceptance", prepare=_end_and_acceptance),
    Race(name="a migration ends beside a document", prepare=_end_and_document()),
    Race(name="a migration ends beside one more document", prepare=_end_and_document("agreement")),
    Race(name="newer terms are accepted by two", prepare=_accepted_by_two()),
    Race(name="a newer document is accepted by two", prepare=_accepted_by_two("agreement")),
    Race(name="other terms are accepted by two", prepare=_accepted_by_two(judged=True)),
    Race(
        name="other terms and a document are accepted by two",
        prepare=_accepted_by_two("agreement", judged=True),
    ),
)

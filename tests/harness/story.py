"""A month of two partners, told hour by hour through the public doors.

Nothing in it is decided by who comes first, as tiers, caps and budgets are: what messengers lose
comes in any order afterwards.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from tests.harness.cloud import START, Cloud
from tests.harness.explore import come_to_rest
from tests.harness.sameness import amounts, outcome, releases
from tests.harness.world import PROGRAM, TERMS, World

if TYPE_CHECKING:
    from collections.abc import Callable

LOST_FROM, LOST_TO = START + timedelta(hours=2), START + timedelta(hours=28)
HEALED = START + timedelta(hours=72)
"""By then the last of what was lost has been sent again."""
STEP = timedelta(hours=3)
"""How often messengers and schedule are at work, which is every minute in truth."""

_RULES = [
    {name: value for name, value in rule.items() if name != "tiers"} for rule in TERMS["rules"]
]
PLAIN = {"name": "for any order", "rules": _RULES}
RAISED = {**PLAIN, "rules": [{**_RULES[0], "value": {"fixed": "60.00"}}, *_RULES[1:]]}


class Told:
    """The story's people. ``leads`` are referrals by number; odd ones are Ada's, even Grace's."""

    def __init__(self, cloud: Cloud) -> None:
        self.cloud = cloud
        self.world = World(cloud, PLAIN)
        self.grace_id, self.grace_code = self.world.partner("Grace", "grace@partner.example")
        self.leads: dict[int, str] = {}

    def submits(self, number: int) -> None:
        code = self.world.code if number % 2 else self.grace_code
        form = self.world.form(f"lead{number}@lead.test", code=code)
        self.cloud.invoke("submit_referral", form)
        self.leads[number] = _newest(self.cloud)

    def accepts(self, number: int) -> None:
        self.world.accept(self.leads[number])

    def tells(self, number: int, referral: dict[str, str] | None = None, **deal: str) -> None:
        """The CRM speaks of a lead's deal, by the referral's id or by what else it knows."""
        named = referral or {"id": self.leads[number]}
        body = {"id": f"D-{number}", "currency": "USD", **deal}
        self._hears(body, referral=named)

    def refunds(self, number: int, amount: str) -> None:
        refund = {"id": f"R-{number}-{amount}", "of": "deal", "amount": amount, "currency": "USD"}
        self._hears({"id": f"D-{number}"}, type="refund.created", refund=refund)

    def _hears(self, deal: dict[str, str], **more: Any) -> None:  # noqa: ANN401 - of the format
        answer = self.cloud.invoke("receive_webhook", self.world.delivery(deal, **more))
        assert answer["statusCode"] // 100 == 2, answer

    def gives(self, amount: str) -> None:
        wish = {"partner_id": self.grace_id, "program_id": PROGRAM, "reason": "a late answer"}
        self.cloud.made("/adjustments", {**wish, "amount": amount})

    def bookmark(self) -> Callable[[], None]:
        """Return what brings everybody back to this moment."""
        saved, count = self.cloud.save(), self.world.told
        leads = dict(self.leads)

        def back() -> None:
            self.cloud.restore(saved)
            self.world.told = count
            self.leads = dict(leads)

        return back

    def simulates(self) -> None:
        span = {"from": "2026-01-01T00:00:00Z", "to": "2027-01-01T00:00:00Z"}
        self.cloud.made(f"/programs/{PROGRAM}/simulations", {"definition": RAISED, **span})

    def migrates(self) -> None:
        self.cloud.made(f"/programs/{PROGRAM}/terms", RAISED)
        move = {"to_version": 2, "referrals": "all", "preview": False}
        self.cloud.made(f"/programs/{PROGRAM}/migrations", move)


def _newest(cloud: Cloud) -> str:
    heads = [row for row in cloud.store.dump()["test-core"] if row["pk"].startswith("REF#")]
    newest = max((row for row in heads if row["sk"] == "META"), key=lambda row: row["referral_id"])
    return str(newest["referral_id"])


STORY: tuple[tuple[float, Callable[[Told], None]], ...] = (
    (0.1, lambda told: told.submits(1)),
    (0.2, lambda told: told.submits(2)),
    (0.3, lambda told: told.accepts(1)),
    (0.4, lambda told: told.accepts(2)),
    (1.0, lambda told: told.tells(1, stage="won", amount="20000.00")),
    # From here on messengers may lose all that they carry.
    (3, lambda told: told.submits(3)),
    (4, lambda told: told.accepts(3)),
    (5, lambda told: told.tells(3, stage="won", amount="9000.00")),
    (6, lambda told: told.tells(2, stage="won", amount="5000.00")),
    (7, lambda told: told.refunds(1, "500.00")),
    (8, lambda told: told.gives("25.00")),
    (9, lambda told: told.tells(3, amount="8000.00")),
    (10, lambda told: told.tells(2, stage="lost")),
    (11, lambda told: told.tells(4, {"email": "lead4@lead.test"}, stage="won", amount="700.00")),
    (12, lambda told: told.submits(4)),
    (13, lambda told: told.accepts(4)),
    (20, Told.simulates),
    # By now all is well again.
    (73, lambda told: told.refunds(2, "100.00")),
    (74, lambda told: told.tells(2, stage="won")),
    (75, lambda told: told.refunds(3, "8000.00")),
    (76, Told.migrates),
    (77, lambda told: told.gives("-5.00")),
    # Long after what it takes back was released.
    (240, lambda told: told.refunds(1, "1000.00")),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Ending:
    """What it came to; ``pending`` is what was promised until when, once all was well again."""

    pending: list[str]
    amounts: list[str]
    outcome: list[str]


def begun(cloud: Cloud) -> Told:
    """Tell the story up to where messengers may begin to fail."""
    told = Told(cloud)
    cloud.drain()
    _tell(told, until=LOST_FROM)
    return told


def told_on(told: Told, dropped: set[str]) -> Ending:
    """Tell the rest, with messengers that lose everything for a day; all comes to rest."""
    cloud = told.cloud
    cloud.dropped = {*dropped}
    _tell(told, until=LOST_TO)
    cloud.dropped = set()
    _tell(told, until=HEALED)
    pending = releases(cloud)
    _tell(told, until=datetime.max.replace(tzinfo=UTC))
    come_to_rest(cloud)
    return Ending(pending=pending, amounts=amounts(cloud), outcome=outcome(cloud))


def _tell(told: Told, *, until: datetime) -> None:
    cloud = told.cloud
    ahead = [(START + timedelta(hours=hour), act) for hour, act in STORY]
    for moment, act in ahead:
        if cloud.now < moment <= until:
            cloud.live(moment, STEP)
            act(told)
    if until < max(moment for moment, _ in ahead):
        cloud.live(until, STEP)

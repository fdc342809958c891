"""What a partner gets for successes: why, how much, until when held, and how it came about."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from tests.builders.evaluated import Evaluation
from tests.builders.managed import referred, settle
from tests.builders.money import DAY, Story
from tests.functions.manage_program.conftest import NOW

if TYPE_CHECKING:
    from tests.functions.manage_program.conftest import Api

COMMISSION = {
    "id": "commission",
    "beneficiary": "partner",
    "milestone": "won",
    "kind": "cash",
    "value": {"percent": "10", "of": "deal_amount"},
    "tiers": {
        "by": "count",
        "mode": "retroactive",
        "milestone": "won",
        "period": "lifetime",
        "steps": [{"from": 2, "percent": "15"}],
    },
    "text": "10 %, and 15 % of all from the second deal on",
}
BONUS = {"beneficiary": "partner", "milestone": "won"}
PAIR = {
    **BONUS,
    "id": "pair",
    "kind": "cash",
    "value": {"fixed": "70.00"},
    "occurrence": "every_nth",
    "nth": 2,
    "hold_days": 10,
    "text": "70 for every second deal",
}
MONTH = {
    **BONUS,
    "id": "month",
    "kind": "free_period",
    "value": {"quantity": 1, "unit": "month"},
    "occurrence": "at_counts",
    "counts": [1, 3],
    "text": "a month for the first and the third deal",
}
RULES = [COMMISSION, PAIR, MONTH]


class World:
    """A programme with bonuses, one partner, and the queue behind the API."""

    def __init__(self, api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
        self.api = api
        self.partner_id = ""
        self.evaluation = Evaluation(api, monkeypatch, times=2)
        self.stories: list[Story] = []

    @property
    def path(self) -> str:
        return f"/partners/{self.partner_id}/programs/prg_1"

    def begin(self) -> None:
        self.api.program("prg_1")
        self.api.made("/programs/prg_1/terms", {"name": "t", "rules": RULES})
        self.partner_id = self.api.partner()
        body = {"partner_id": self.partner_id, "program_id": "prg_1", "accept_terms": True}
        self.api.made("/enrolments", body)

    def win(self, number: int) -> None:
        """The partner's next deal of 1,000.00 is won, one day after the last."""
        self.api.clock[0] = NOW + number * DAY
        story = Story(
            referral_id=f"ref_{number}",
            deal_id=f"D-{number}",
            partner_id=self.partner_id,
            start=self.api.clock[0] - timedelta(hours=9),
        )
        story.submitted().reviewed("accepted").amount("1000.00").stage("won")
        head = {"referral_id": story.referral_id, "partner_id": self.partner_id}
        referred(self.api, story, review="accepted", **head)
        self.stories.append(story)
        self._settle(story)

    def lose(self, number: int) -> Story:
        story = self.stories[number]
        self.api.clock[0] += DAY
        story.stage("lost", at=self.api.clock[0])
        part = Story(referral_id=story.referral_id, facts=story.facts)
        stored = self.api.services.reviews.referral(story.referral_id)
        assert stored is not None
        referred(
            self.api,
            part,
            referral_id=story.referral_id,
            partner_id=self.partner_id,
            review="accepted",
            version=stored.version,
            counting=stored.counting,
        )
        self._settle(story)
        return story

    def _settle(self, story: Story) -> None:
        settle(self.api, story.referral_id, now=self.api.clock[0])
        self.evaluation.pump()

    def explained(self, query: str = "") -> Any:  # noqa: ANN401 - a body
        reply = self.api.send("GET", f"{self.path}/explanation", query=query)
        assert 200 == reply.status, reply.body
        return reply.body

    def history(self) -> list[dict[str, Any]]:
        """The changes, oldest first."""
        reply = self.api.send("GET", f"{self.path}/history", query="limit=100")
        assert 200 == reply.status, reply.body
        items: list[dict[str, Any]] = reply.body["items"]
        return items[::-1]


@pytest.fixture
def world(api: Api, monkeypatch: pytest.MonkeyPatch) -> World:
    world = World(api, monkeypatch)
    world.begin()
    return world


def by_place(body: Any) -> dict[tuple[str, str], dict[str, Any]]:  # noqa: ANN401 - a body
    return {(line["rule_id"], line["occurrence"]): line for line in body["lines"]}


def test_every_bonus_is_explained_with_its_figures_and_dates(world: World) -> None:
    world.win(0)
    world.win(1)

    body = world.explained("limit=100")

    lines = by_place(body)
    assert {"commission", "pair", "month"} == {rule_id for rule_id, _ in lines}
    assert (world.partner_id, "prg_1", 1) == (
        body["partner_id"],
        body["program_id"],
        body["terms_version"],
    )
    assert 2 == body["sums"]["success:won"]
    pair = lines["pair", "count:2"]
    assert ("granted", "70 for every second deal", "pending") == (
        pair["outcome"],
        pair["text"],
        pair["state"],
    )
    assert "2026-12-02T10:00:00.000Z" == pair["release_at"]
    assert ("70.00", "USD") == (pair["figures"]["amount"], pair["figures"]["currency"])
    assert {"count": "2"} == lines["pair", "every_nth"]["figures"]
    true_up = lines["commission", "true_up:lifetime"]
    assert ("granted", "2", "100.00") == (
        true_up["outcome"],
        true_up["figures"]["position"],
        true_up["figures"]["amount"],
    )
    assert "issued" == lines["month", "count:1"]["state"]
    assert {"granted"} == {line["outcome"] for line in body["lines"]}


def test_what_is_not_reached_is_explained_too(world: World) -> None:
    world.win(0)

    lines = by_place(world.explained())

    assert ("not_yet", "count_not_reached", {"count": "1"}) == tuple(
        lines["pair", "every_nth"][name] for name in ("outcome", "code", "figures")
    )
    assert ("not_yet", "tier_not_reached") == tuple(
        lines["commission", "true_up:lifetime"][name] for name in ("outcome", "code")
    )


def test_before_any_success_there_is_nothing_to_explain(world: World) -> None:
    assert {"lines": [], "next_cursor": None, "sums": {}} == {
        name: world.explained()[name] for name in ("lines", "next_cursor", "sums")
    }
    assert [] == world.history()


def test_the_partner_sees_the_lines_without_what_nobody_decided_to_show(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.win(0)
    world.win(1)
    whole, shown = world.explained("limit=100"), world.explained("limit=100&view=partner")
    hidden = "shared.usecases.explain_referral._PARTNERS_FIGURES"

    assert whole["lines"] == shown["lines"]
    assert "sums" not in shown
    monkeypatch.setattr(hidden, frozenset({"count"}))
    figures = [line["figures"] for line in world.explained("limit=100&view=partner")["lines"]]
    own = {"amount", "currency", "quantity", "unit"}
    assert {"count", *own} == {name for each in figures for name in each}


def test_a_suspended_partner_waits(world: World) -> None:
    world.win(0)
    world.win(1)
    body = {"status": "suspended", "reason": "under suspicion"}
    reply = world.api.send("PATCH", f"/partners/{world.partner_id}", body)
    assert 200 == reply.status, reply.body

    line = by_place(world.explained())["pair", "count:2"]

    assert ("held", "partner_suspended") == (line["outcome"], line["code"])


def test_the_lines_come_in_pages(world: World) -> None:
    for number in range(4):
        world.win(number)
    whole = world.explained("limit=100")["lines"]
    seen: list[Any] = []
    following = ""
    while following != "&cursor=None":
        page = world.explained("limit=2" + following)
        seen += page["lines"]
        following = f"&cursor={page['next_cursor']}"

    assert len(whole) > 6
    assert whole == seen


@pytest.mark.parametrize("what", ["explanation", "history"])
def test_what_is_not_there_is_not_found(world: World, what: str) -> None:
    for path in (
        f"/partners/{world.partner_id}/programs/prg_none/{what}",
        f"/partners/ptr_none/programs/prg_1/{what}",
    ):
        assert 404 == world.api.send("GET", path).status


@pytest.mark.parametrize(
    ("what", "query", "field"),
    [
        ("explanation", "view=lead", "view"),
        ("explanation", "cursor=" + "A" * 40, "cursor"),
        ("explanation", "rule=pair", "rule"),
        ("history", "view=partner", "view"),
        ("history", "limit=101", "limit"),
    ],
)
def test_what_is_asked_wrongly_is_refused(world: World, what: str, query: str, field: str) -> None:
    reply = world.api.send("GET", f"{world.path}/{what}", query=query)

    assert (422, [field]) == (reply.status, reply.paths)


def steps_of(history: list[dict[str, Any]], rule_id: str) -> list[dict[str, Any]]:
    return [item for item in history if item["rule_id"] == rule_id]


def test_a_bonus_leads_to_the_fact_that_made_the_count(world: World) -> None:
    world.win(0)
    world.win(1)

    pair, true_up = (steps_of(world.history(), rule) for rule in ("pair", "commission"))

    assert [("earn", "0.00", "70.00")] == [
        (item["step"], item["before"]["amount"], item["after"]["amount"]) for item in pair
    ]
    for (item,) in (pair, true_up):
        (fact,) = item["facts"]
        assert ("ref_1", "stage_entered", "src_1", "won") == (
            fact["referral_id"],
            fact["kind"],
            fact["source"],
            fact["data"]["stage"],
        )
        assert fact["received_at"]
        assert ([], None) == (item["codes"], item["adjustment"])


def test_a_bonus_that_is_lost_leads_to_the_fact_that_took_it(world: World) -> None:
    world.win(0)
    world.win(1)

    lost = world.lose(0).facts[-1]

    for rule_id in ("pair", "commission"):
        last = steps_of(world.history(), rule_id)[-1]
        assert ("reverse", "0.00") == (last["step"], last["after"]["amount"])
        assert [("ref_0", lost.fact_id)] == [
            (fact["referral_id"], fact["fact_id"]) for fact in last["facts"]
        ]


def test_a_benefit_for_successes_has_its_history(world: World) -> None:
    world.win(0)
    issued = by_place(world.explained())["month", "count:1"]["reward_id"]
    body = {
        "partner_id": world.partner_id,
        "program_id": "prg_1",
        "outcome": "fulfilled",
        "reference": "INV-7",
    }
    world.api.clock[0] += DAY
    reply = world.api.send("POST", f"/rewards/{issued}/fulfilment", body)
    assert 200 == reply.status, reply.body
    world.lose(0)

    month = steps_of(world.history(), "month")

    assert [("issued", None), ("fulfilled", "root"), ("kept_fulfilled", None)] == [
        (item["step"], item["actor"]) for item in month
    ]
    assert [["ref_0"], [], ["ref_0"]] == [
        [fact["referral_id"] for fact in item["facts"]] for item in month
    ]
    assert "INV-7" == month[1]["reference"]
    assert {"quantity": "1", "unit": "month"} == month[0]["benefit"]


def test_what_a_person_gave_is_told_with_who_and_why(world: World) -> None:
    body = {
        "partner_id": world.partner_id,
        "program_id": "prg_1",
        "amount": "5.00",
        "reason": "sorry",
    }
    assert 202 == world.api.send("POST", "/adjustments", body).status
    world.evaluation.pump()

    (item,) = world.history()

    assert ("earn", "5.00") == (item["step"], item["after"]["amount"])
    assert ("root", "sorry") == (
        item["adjustment"]["requested_by"],
        item["adjustment"]["reason"],
    )
    assert ([], []) == (item["facts"], item["codes"])


def test_other_terms_are_told_as_what_changed_a_bonus(world: World) -> None:
    world.win(0)
    world.win(1)
    dearer = [COMMISSION, {**PAIR, "value": {"fixed": "90.00"}}, MONTH]
    world.api.made("/programs/prg_1/terms", {"name": "t", "rules": dearer})
    body = {"partner_id": world.partner_id, "program_id": "prg_1", "accept_terms": True}
    world.api.send("POST", "/enrolments", body)

    world.win(2)

    history = steps_of(world.history(), "pair")
    raised = [item for item in history if item["after"]["amount"] == "90.00"]
    assert [["terms_changed"]] == [item["codes"] for item in raised], history


def test_the_history_comes_in_pages(world: World) -> None:
    for number in range(4):
        world.win(number)
    whole = world.history()
    seen: list[Any] = []
    following = ""
    while following != "&cursor=None":
        page = world.api.send("GET", f"{world.path}/history", query="limit=2" + following).body
        seen += page["items"]
        following = f"&cursor={page['next_cursor']}"

    assert len(whole) > 4
    assert whole == seen[::-1]

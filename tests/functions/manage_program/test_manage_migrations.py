from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest

from shared.domain.facts import RATE_SET
from tests.builders.evaluated import Evaluation
from tests.builders.managed import referred
from tests.builders.money import Story

if TYPE_CHECKING:
    from tests.functions.manage_program.conftest import Api

PATH = "/programs/prg_demo/migrations"
WON: dict[str, Any] = {
    "id": "commission",
    "beneficiary": "partner",
    "milestone": "won",
    "kind": "cash",
    "value": {"percent": "10", "of": "deal_amount"},
    "hold_days": 30,
}
FLAT = {**WON, "id": "flat", "value": {"fixed": "50.00"}}
GIFT = {
    **WON,
    "id": "gift",
    "beneficiary": "lead",
    "kind": "free_period",
    "value": {"quantity": 2, "unit": "month"},
}


def terms(*rules: dict[str, Any], **top: object) -> dict[str, Any]:
    return {"name": "T", "rules": list(rules), **top}


class World:
    """A programme in which ref_1 brought 1,000.00 and ref_2 brought 200.00."""

    def __init__(self, api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
        self.api = api
        api.program("prg_demo")
        self.publish(terms(WON, FLAT, GIFT))
        self.partner_id = api.partner()
        body = {"partner_id": self.partner_id, "program_id": "prg_demo", "accept_terms": True}
        api.made("/enrolments", body)
        self.evaluation = Evaluation(api, monkeypatch, times=2)
        for number, amount in ((1, "1000.00"), (2, "200.00")):
            self.win(f"ref_{number}", amount)

    def publish(self, definition: dict[str, Any]) -> int:
        return int(self.api.made("/programs/prg_demo/terms", definition)["version"])

    def win(self, referral_id: str, amount: str, *rates: dict[str, str]) -> None:
        story = Story(
            referral_id=referral_id, deal_id=f"D-{referral_id}", partner_id=self.partner_id
        )
        story.submitted().reviewed("accepted").amount(amount).stage("won")
        story.facts[1].data["partner_id"] = self.partner_id  # type: ignore[index]
        story.facts[1].data["link_code"] = f"{referral_id}-link".replace("_", "-")  # type: ignore[index]
        for rate in rates:
            story.add(RATE_SET, str(rate), rate)
        head = {"program_id": "prg_demo", "partner_id": self.partner_id, "review": "accepted"}
        referred(self.api, story, referral_id=referral_id, **head)
        self.settle(referral_id)

    def settle(self, referral_id: str) -> None:
        body = {"kind": "milestone_reached", "reason": "r", "data": {"milestone": "seen"}}
        self.api.made(f"/referrals/{referral_id}/facts", body)
        self.evaluation.pump()

    def migrate(self, version: int, referrals: object = "all", **options: object) -> str:
        body = {"to_version": version, "referrals": referrals, "preview": False, **options}
        reply = self.api.send("POST", PATH, body)
        assert reply.status == 202, reply.body
        self.evaluation.pump(("MigrationRequested",))
        return f"{PATH}/{reply.body['id']}"

    def shown(self, path: str, query: str = "") -> dict[str, Any]:
        """Returns a job with what it does to referrals; ``partners`` is what it does to those."""
        shown: dict[str, Any] = self.api.send("GET", path, query=query).body
        items = shown["items"]
        shown["items"] = [item for item in items if item["referral_id"]]
        shown["partners"] = [item for item in items if item["partner_id"]]
        return shown

    def nets(self, referral_id: str = "ref_1") -> dict[str, str]:
        found = self.api.send("GET", "/rewards", query=f"referral_id={referral_id}").body["items"]
        return {
            reward["rule_id"]: reward["amount"]["amount"] if reward["amount"] else reward["state"]
            for reward in found
        }

    def releases(self) -> dict[str, str]:
        found = self.api.send("GET", "/rewards", query="referral_id=ref_1").body["items"]
        return {reward["rule_id"]: reward["release_at"] for reward in found}


@pytest.fixture
def world(api: Api, monkeypatch: pytest.MonkeyPatch) -> World:
    return World(api, monkeypatch)


def told(item: dict[str, Any]) -> tuple[str, str, dict[str, str]]:
    changes = {each["rule_id"]: each["change"]["amount"] for each in item["changes"]}
    return item["referral_id"], item["outcome"], changes


MORE = terms({**WON, "value": {"percent": "12", "of": "deal_amount"}}, FLAT, GIFT)


def test_preview_tells_each_difference_and_changes_nothing(world: World) -> None:
    version = world.publish(MORE)
    before = [row for row in world.api.store.dump()["core"] if row["pk"].startswith("REF#")]

    path = world.migrate(version, preview=True)
    world.evaluation.pump()

    shown = world.shown(path)
    assert ("done", True, {"would_change": 2}) == (
        shown["status"],
        shown["preview"],
        shown["outcomes"],
    )
    assert [
        ("ref_2", "would_change", {"commission": "4.00"}),
        ("ref_1", "would_change", {"commission": "20.00"}),
    ] == [told(item) for item in shown["items"]]
    assert before == [row for row in world.api.store.dump()["core"] if row["pk"].startswith("REF#")]


def test_migration_posts_the_difference_that_the_preview_told(world: World) -> None:
    version = world.publish(MORE)
    previewed = world.shown(world.migrate(version, preview=True))["items"]

    path = world.migrate(version)
    world.evaluation.pump()

    shown = world.shown(path)
    assert ({"migrated": 2}, [each["changes"] for each in previewed]) == (
        shown["outcomes"],
        [each["changes"] for each in shown["items"]],
    )
    assert {"commission": "120.00", "flat": "50.00", "gift": "issued"} == world.nets()
    assert {"commission": "24.00", "flat": "50.00", "gift": "issued"} == world.nets("ref_2")
    referral = world.api.send("GET", "/referrals/ref_1").body
    assert version == referral["terms_version"]
    pinned = [fact for fact in referral["facts"] if fact["kind"] == "terms_pinned"]
    assert [1, version] == [fact["data"]["version"] for fact in pinned]
    assert "root" == pinned[-1]["data"]["actor"]


def test_rates_of_partners_and_links_follow_the_terms(world: World) -> None:
    rate = {"rule": "commission", "percent": "20"}
    of_partner = {**rate, "level": "partner", "match": world.partner_id}
    of_link = {**rate, "level": "link", "match": "ref-2-link", "percent": "30"}
    version = world.publish(terms(WON, FLAT, GIFT, overrides=[of_link, of_partner]))

    world.migrate(version)
    world.evaluation.pump()

    assert ("200.00", "60.00") == tuple(
        world.nets(name)["commission"] for name in ("ref_1", "ref_2")
    )


def test_a_referral_keeps_its_own_rate_as_long_as_the_rule_is_there(world: World) -> None:
    world.win("ref_3", "100.00", {"rule": "commission", "percent": "25"})
    assert "25.00" == world.nets("ref_3")["commission"]
    of_partner = {"level": "partner", "match": world.partner_id, "rule": "commission"}
    more = {**WON, "value": {"percent": "12", "of": "deal_amount"}}
    first = world.publish(terms(more, FLAT, GIFT, overrides=[{**of_partner, "percent": "20"}]))

    world.migrate(first)
    world.evaluation.pump()
    kept = world.nets("ref_3")["commission"]
    best = {**WON, "id": "renamed", "value": {"percent": "30", "of": "deal_amount"}}
    world.migrate(world.publish(terms(best, FLAT, GIFT)))
    world.evaluation.pump()

    assert ("25.00", "30.00") == (kept, world.nets("ref_3")["renamed"])


def test_unchanged_amounts_keep_lots_and_holds(world: World) -> None:
    before = world.releases()
    world.api.clock[0] += timedelta(days=3)
    raised = {**WON, "value": {"percent": "12", "of": "deal_amount"}, "hold_days": 90}
    version = world.publish(terms(raised, {**FLAT, "hold_days": 90}, GIFT))

    world.migrate(version)
    world.evaluation.pump()

    after = world.releases()
    assert before["flat"] == after["flat"]
    assert before["commission"] < after["commission"]
    movements = world.api.send("GET", "/movements", query="referral_id=ref_1").body["items"]
    assert [("commission", "earn", "20.00")] == [
        (each["rule_id"], each["step"], each["amount"]["amount"])
        for each in movements
        if each["terms_version"] == version
    ]


def test_who_would_lose_is_skipped_and_named(world: World) -> None:
    # 6 per cent and 70.00: more for small deals, less for large ones.
    version = world.publish(
        terms(
            {**WON, "value": {"percent": "6", "of": "deal_amount"}},
            {**FLAT, "value": {"fixed": "70.00"}},
            GIFT,
        )
    )

    path = world.migrate(version)
    world.evaluation.pump()

    shown = world.shown(path)
    assert {"migrated": 1, "would_lose": 1} == shown["outcomes"]
    assert [
        ("ref_2", "migrated", {"commission": "-8.00", "flat": "20.00"}),
        ("ref_1", "would_lose", {"commission": "-40.00", "flat": "20.00"}),
    ] == [told(item) for item in shown["items"]]
    assert {"commission": "100.00", "flat": "50.00", "gift": "issued"} == world.nets()
    assert {"commission": "12.00", "flat": "70.00", "gift": "issued"} == world.nets("ref_2")


def test_losing_can_be_asked_for(world: World) -> None:
    version = world.publish(terms(FLAT))

    world.migrate(version, ["ref_1"], no_decrease=False)
    world.evaluation.pump()

    assert {"commission": "0.00", "flat": "50.00", "gift": "voided"} == world.nets()
    assert "100.00" not in world.nets("ref_2").values()
    assert {"commission": "20.00", "flat": "50.00", "gift": "issued"} == world.nets("ref_2")


@pytest.mark.parametrize(
    ("gift", "outcome"),
    [
        ({**GIFT, "value": {"quantity": 1, "unit": "month"}}, "would_lose"),
        ({**GIFT, "value": {"quantity": 3, "unit": "month"}}, "would_change"),
        (None, "would_lose"),
    ],
)
def test_benefits_count_too(world: World, gift: dict[str, Any] | None, outcome: str) -> None:
    version = world.publish(terms(WON, FLAT, *([gift] if gift else [])))

    path = world.migrate(version, ["ref_1"], preview=True)

    (item,) = world.shown(path)["items"]
    assert outcome == item["outcome"]
    (change,) = item["changes"]
    assert ("gift", None, "issued 2 month") == (
        change["rule_id"],
        change["change"],
        change["state_before"],
    )


def test_strangers_and_those_who_are_there_are_told_apart(world: World) -> None:
    path = world.migrate(1, ["ref_1", "ref_none"])

    assert {"already_there": 1, "not_found": 1} == world.shown(path)["outcomes"]


def test_referrals_of_other_programmes_are_not_found(world: World) -> None:
    world.api.program("prg_other")
    world.api.made("/programs/prg_other/terms", terms(FLAT))
    body = {"to_version": 1, "referrals": ["ref_1"], "preview": False}

    made = world.api.send("POST", "/programs/prg_other/migrations", body).body
    world.evaluation.pump()

    shown = world.shown(f"/programs/prg_other/migrations/{made['id']}")
    assert {"not_found": 1} == shown["outcomes"]
    assert 1 == world.api.send("GET", "/referrals/ref_1").body["terms_version"]


def test_usage_of_caps_is_carried_over(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    world = World(api, monkeypatch)
    cap = {"id": "life", "scope": "partner", "per": "lifetime", "limit": "160.00"}
    capped = world.publish(terms(WON, FLAT, GIFT, caps=[cap]))
    world.migrate(capped, no_decrease=False)
    world.evaluation.pump()
    assert 160 == sum(
        Decimal(net)
        for ref in ("ref_1", "ref_2")
        for net in world.nets(ref).values()
        if net != "issued"
    )
    wider = world.publish(terms(WON, FLAT, GIFT, caps=[{**cap, "limit": "170.00"}]))

    path = world.migrate(wider)
    world.evaluation.pump()

    # What was cut stays cut: allowances are pinned by the ids of cap and rule.
    assert {"migrated": 2} == world.shown(path)["outcomes"]
    assert all(not item["changes"] for item in world.shown(path)["items"])


def test_items_come_in_pages(world: World) -> None:
    for number in range(3, 6):
        world.win(f"ref_{number}", "10.00")
    path = world.migrate(world.publish(MORE), preview=True)

    first = world.shown(path, "limit=3")
    second = world.shown(path, f"limit=3&cursor={first['next_cursor']}")

    ids = [item["referral_id"] for page in (first, second) for item in page["items"]]
    assert ["ref_5", "ref_4", "ref_3", "ref_2", "ref_1"] == ids
    partners = [page["partners"] for page in (first, second)]
    assert ([world.partner_id], []) == ([each["partner_id"] for each in partners[0]], partners[1])
    assert second["next_cursor"] is None


@pytest.mark.parametrize(
    ("changes", "path", "code"),
    [
        ({"to_version": 9}, "to_version", "unknown"),
        ({"to_version": 0}, "to_version", "wrong_type"),
        ({"to_version": "1"}, "to_version", "wrong_type"),
        ({"preview": "yes"}, "preview", "wrong_type"),
        ({"note": 1}, "note", "unknown_field"),
    ],
)
def test_a_wrong_field_is_named(
    world: World, changes: dict[str, Any], path: str, code: str
) -> None:
    body = {"to_version": 1, "referrals": "all", "preview": True, **changes}

    reply = world.api.send("POST", PATH, body)

    error = reply.body["errors"][0]
    assert (422, path, code) == (reply.status, error["path"], error["code"])


@pytest.mark.parametrize("referrals", [[], ["x"] * 1_001, "some", ["a#b"], None])
def test_referrals_are_named_or_all(world: World, referrals: object) -> None:
    reply = world.api.send("POST", PATH, {"to_version": 1, "referrals": referrals, "preview": True})

    assert 422 == reply.status
    assert {"referrals"} == {path.partition(".")[0].partition("[")[0] for path in reply.paths}


def test_unknown_jobs_are_not_found(world: World) -> None:
    assert 404 == world.api.send("GET", f"{PATH}/mig_none").status
    body = {"to_version": 1, "referrals": "all", "preview": True}
    assert 404 == world.api.send("POST", "/programs/prg_none/migrations", body).status


def test_a_write_in_between_is_seen(world: World) -> None:
    """A fact that arrives between reading and writing makes the migration look again."""
    version = world.publish(MORE)
    raced: list[bool] = []

    def race(request: dict[str, Any]) -> None:
        if not raced and '"ITEM#ref_1"' in str(request).replace("'", '"'):
            raced.append(True)
            world.api.made(
                "/referrals/ref_1/facts",
                {"kind": "amount_set", "reason": "r", "data": {"amount": "2000.00"}},
            )

    world.api.store.before["transact_write_items"] = race
    path = world.migrate(version, ["ref_1"])
    world.api.store.before.clear()
    world.evaluation.pump()

    assert raced
    (item,) = world.shown(path)["items"]
    assert ("ref_1", "migrated", {"commission": "140.00"}) == told(item)
    assert "240.00" == world.nets()["commission"]

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from shared.adapters.dynamodb import keys
from shared.adapters.dynamodb.referrals import fact_row
from shared.adapters.dynamodb.rewards import reward_key, reward_row
from shared.adapters.dynamodb.transactions import put, transact
from shared.domain.rewards import BY_PARTNER, Reward
from tests.builders.managed import CORE, bump, outgoing, referred, settle
from tests.builders.money import START, WORKED_EXAMPLE, Story

if TYPE_CHECKING:
    from tests.functions.manage_program.conftest import Api


@pytest.fixture
def rewards(api: Api) -> dict[str, str]:
    """The rewards of a won referral by rule; the lead's discount has no face value."""
    api.program("prg_1")
    api.made("/programs/prg_1/terms", WORKED_EXAMPLE)
    story = Story().submitted().reviewed("accepted").amount("20000.00").stage("won")
    referred(api, story, review="accepted")
    settle(api)
    items = api.send("GET", "/rewards", query="referral_id=ref_1").body["items"]
    return {item["rule_id"]: item["id"] for item in items}


def path(reward_id: str) -> str:
    return f"/rewards/{reward_id}/fulfilment"


def body(outcome: str, **more: str) -> dict[str, str]:
    return {"referral_id": "ref_1", "outcome": outcome, **more}


def state(api: Api, reward_id: str) -> str:
    items = api.send("GET", "/rewards", query="referral_id=ref_1").body["items"]
    (found,) = [item["state"] for item in items if item["id"] == reward_id]
    return str(found)


def reports(api: Api) -> list[dict[str, Any]]:
    """What people reported; what the terms gave or took has no actor."""
    rows = [row for row in api.store.dump()[CORE] if row["sk"].startswith("FULFIL#")]
    return [row for row in rows if row["actor"]]


def test_a_benefit_is_fulfilled_and_redeemed(api: Api, rewards: dict[str, str]) -> None:
    discount = rewards["lead_discount"]

    first = api.send("POST", path(discount), body("fulfilled", reference="CPN-7"))
    second = api.send("POST", path(discount), body("redeemed"))

    assert (200, "fulfilled") == (first.status, first.body["state"])
    assert (200, "redeemed") == (second.status, second.body["state"])
    assert "redeemed" == state(api, discount)
    told = [(row["outcome"], row["actor"], row["reference"]) for row in reports(api)]
    assert [("fulfilled", "root", "CPN-7"), ("redeemed", "root", "")] == told
    events = outgoing(api, "RewardFulfilled")
    assert ["fulfilled", "redeemed"] == sorted(event["data"]["outcome"] for event in events)
    assert {discount} == {event["data"]["reward_id"] for event in events}


def test_a_refusal_needs_a_reason(api: Api, rewards: dict[str, str]) -> None:
    discount = rewards["lead_discount"]

    without = api.send("POST", path(discount), body("refused", reason=" "))
    given = api.send("POST", path(discount), body("refused", reason="the lead wants none"))

    assert (422, ["reason"]) == (without.status, without.paths)
    assert (200, "refused") == (given.status, given.body["state"])


@pytest.mark.parametrize(
    "outcomes",
    [
        ("fulfilled", "fulfilled"),
        ("redeemed", "fulfilled"),
        ("redeemed", "redeemed"),
        ("redeemed", "refused"),
        ("refused", "fulfilled"),
        ("refused", "redeemed"),
        ("refused", "refused"),
    ],
)
def test_an_illegal_move_changes_nothing(
    api: Api, rewards: dict[str, str], outcomes: tuple[str, str]
) -> None:
    discount = rewards["lead_discount"]
    assert api.send("POST", path(discount), body(outcomes[0], reason="x")).status == 200

    reply = api.send("POST", path(discount), body(outcomes[1], reason="x"))

    assert (reply.status, reply.code) == (409, "illegal_fulfilment")
    assert outcomes[0] == state(api, discount)
    assert len(reports(api)) == 1


def test_money_is_paid_and_not_fulfilled(api: Api, rewards: dict[str, str]) -> None:
    reply = api.send("POST", path(rewards["won_commission"]), body("fulfilled"))

    assert (reply.status, reply.code) == (409, "reward_has_face_value")


@pytest.mark.usefixtures("rewards")
def test_a_voided_benefit_is_not_fulfilled(api: Api) -> None:
    api.clock[0] += timedelta(minutes=1)
    rejected = {"decision": "reject", "reason": "a duplicate"}
    assert api.send("POST", "/referrals/ref_1/review", rejected).status == 200
    settle(api, now=api.clock[0])
    items = api.send("GET", "/rewards", query="referral_id=ref_1&state=voided").body["items"]

    reply = api.send("POST", path(items[0]["id"]), body("fulfilled"))

    assert (reply.status, reply.code) == (409, "illegal_fulfilment")


def test_a_held_benefit_waits(api: Api, rewards: dict[str, str]) -> None:
    hold = {"kind": "hold_placed", "reason": "looks like fraud"}
    api.made("/referrals/ref_1/facts", hold)
    settle(api, now=api.clock[0])

    replies = [
        api.send("POST", path(rewards["lead_discount"]), body(outcome, reason="x"))
        for outcome in ("fulfilled", "redeemed", "refused")
    ]

    assert [(409, "reward_held")] * 2 == [(reply.status, reply.code) for reply in replies[:2]]
    assert replies[2].status == 200


def test_what_was_handed_over_stays_when_the_deal_is_lost(
    api: Api, rewards: dict[str, str]
) -> None:
    discount = rewards["lead_discount"]
    api.send("POST", path(discount), body("fulfilled"))
    lost = Story().stage("lost", at=START + timedelta(days=2)).facts
    transact(
        api.store, [put(CORE, keys.fact("ref_1", each.fact_id), fact_row(each)) for each in lost]
    )

    settle(api, now=api.clock[0])

    assert "kept_fulfilled" == state(api, discount)


@pytest.mark.parametrize(
    ("sent", "field"),
    [
        (body("given"), "outcome"),
        ({"outcome": "fulfilled"}, "referral_id"),
        ({"outcome": "fulfilled", "partner_id": "ptr_1"}, "referral_id"),
        ({"outcome": "fulfilled", "program_id": "prg_1"}, "referral_id"),
        (body("fulfilled", partner_id="ptr_1"), "referral_id"),
        (body("fulfilled", partner_id="ptr_1", program_id="prg_1"), "referral_id"),
        ({"referral_id": "ref_1"}, "outcome"),
        (body("fulfilled", actor="me"), "actor"),
        (body("fulfilled", reason="x" * 1_001), "reason"),
        (body("fulfilled", reference="x" * 101), "reference"),
    ],
)
def test_a_wrong_report_is_refused(
    api: Api, rewards: dict[str, str], sent: dict[str, str], field: str
) -> None:
    reply = api.send("POST", path(rewards["lead_discount"]), sent)

    assert (422, [field]) == (reply.status, reply.paths)


def test_a_reward_is_found_only_where_it_hangs(api: Api, rewards: dict[str, str]) -> None:
    referred(api, Story(referral_id="ref_2").submitted(), referral_id="ref_2")
    elsewhere = [
        {"outcome": "fulfilled", "referral_id": "ref_2"},
        {"outcome": "fulfilled", "referral_id": "ref_none"},
        {"outcome": "fulfilled", "partner_id": "ptr_1", "program_id": "prg_1"},
        {"outcome": "fulfilled", "partner_id": "ptr_9", "program_id": "prg_1"},
    ]

    replies = [api.send("POST", path(rewards["lead_discount"]), sent) for sent in elsewhere]
    unknown = api.send("POST", path("rwd_none"), body("fulfilled"))

    assert [404] * 5 == [reply.status for reply in (*replies, unknown)]


@pytest.mark.usefixtures("rewards")
def test_a_reward_for_successes_hangs_on_the_partner(api: Api) -> None:
    reward = Reward(
        reward_id="rwd_perk",
        scope=BY_PARTNER,
        subject_id="ptr_1",
        program_id="prg_1",
        rule_id="every_fifth",
        occurrence="count:5",
        role="partner",
        holder_id="ptr_1",
        kind="perk",
        currency="USD",
        terms_version=1,
        effective_at=START,
        sequence=1,
        benefit={"quantity": "1", "unit": "conference ticket"},
        benefit_state="issued",
    )
    row = reward_row(reward)
    transact(api.store, [put(CORE, reward_key(reward), row)])
    sent = {"partner_id": "ptr_1", "program_id": "prg_1", "outcome": "fulfilled"}

    reply = api.send("POST", path("rwd_perk"), sent)

    assert (200, "fulfilled") == (reply.status, reply.body["state"])
    (event,) = outgoing(api, "RewardFulfilled")
    assert ("partner", "ptr_1") == (event["aggregate"]["type"], event["aggregate"]["id"])
    assert api.send("POST", path("rwd_perk"), sent).code == "illegal_fulfilment"


def test_of_two_reports_at_once_one_wins(api: Api, rewards: dict[str, str]) -> None:
    discount = rewards["lead_discount"]
    raced = False

    def race(request: dict[str, Any]) -> None:
        nonlocal raced
        if "FULFIL#" in str(request) and not raced:
            raced = True
            refused = body("refused", reason="the lead wants none")
            assert api.send("POST", path(discount), refused).status == 200

    api.store.before["transact_write_items"] = race

    reply = api.send("POST", path(discount), body("fulfilled"))

    assert (reply.status, reply.code) == (409, "illegal_fulfilment")
    assert "refused" == state(api, discount)


def test_a_report_that_always_loses_is_given_up(api: Api, rewards: dict[str, str]) -> None:
    def race(request: dict[str, Any]) -> None:
        if "FULFIL#" in str(request):
            bump(api)

    api.store.before["transact_write_items"] = race

    reply = api.send("POST", path(rewards["lead_discount"]), body("fulfilled"))

    assert (reply.status, reply.code) == (409, "stale_version")
    assert reports(api) == []


class CrashError(BaseException):
    """The process is gone."""


def test_a_crash_after_the_report_reports_once(api: Api, rewards: dict[str, str]) -> None:
    def crash(request: dict[str, Any], _answer: dict[str, Any]) -> None:
        if "FULFIL#" in str(request):
            raise CrashError

    once = {"idempotency-key": "k-1"}
    discount = rewards["lead_discount"]
    api.store.after["transact_write_items"] = crash
    with pytest.raises(CrashError):
        api.send("POST", path(discount), body("fulfilled"), headers=once)
    api.store.after.clear()
    api.clock[0] += timedelta(minutes=2)

    reply = api.send("POST", path(discount), body("fulfilled"), headers=once)

    assert (200, "fulfilled") == (reply.status, reply.body["state"])
    assert len(reports(api)) == len(outgoing(api, "RewardFulfilled")) == 1

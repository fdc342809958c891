from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from shared.adapters.dynamodb import keys
from shared.adapters.dynamodb.ledger import DynamoLedger
from shared.adapters.dynamodb.referrals import fact_row
from shared.adapters.dynamodb.transactions import put, transact
from shared.domain import facts as kinds
from shared.usecases.mature_rewards import mature_rewards
from tests.builders.managed import BOOKS, CORE, referred, settle
from tests.builders.money import DAY, START, WORKED_EXAMPLE, Story, numbered_ids

if TYPE_CHECKING:
    from tests.functions.manage_program.conftest import Api

HISTORY = "/referrals/ref_1/history"
EXPLANATION = "/referrals/ref_1/explanation"


def programme(api: Api, **changes: object) -> None:
    api.program("prg_1")
    api.made("/programs/prg_1/terms", {**WORKED_EXAMPLE, **changes})


def tell(api: Api, story: Story, day: int) -> None:
    """Stores the newest fact of a story and settles on that day."""
    fact = story.facts[-1]
    transact(api.store, [put(CORE, keys.fact("ref_1", fact.fact_id), fact_row(fact))])
    settle(api, now=START + day * DAY)


@pytest.fixture
def story(api: Api) -> Story:
    """The worked example: won at 20,000.00, lowered to 15,000.00, lost, and won again."""
    programme(api)
    told = Story().submitted().reviewed("accepted").amount("20000.00").stage("won")
    referred(api, told, review="accepted")
    settle(api)
    tell(api, told.amount("15000.00", at=START + 2 * DAY), 2)
    tell(api, told.stage("negotiation", at=START + 3 * DAY), 3)
    tell(api, told.stage("won", at=START + 4 * DAY), 4)
    return told


def test_each_change_is_told_with_its_facts(api: Api, story: Story) -> None:
    items = api.send("GET", HISTORY, query="limit=100").body["items"]

    won = [item for item in items if item["rule_id"] == "won_commission"][::-1]
    assert [
        ("earn", "0.00", "2000.00", "2000.00"),
        ("reverse", "2000.00", "1500.00", "-500.00"),
        ("reverse", "1500.00", "0.00", "-1500.00"),
        ("earn", "0.00", "1500.00", "1500.00"),
    ] == [
        (item["step"], *(item[name]["amount"] for name in ("before", "after", "change")))
        for item in won
    ]
    first, lowered = ({fact["kind"] for fact in item["facts"]} for item in won[:2])
    assert {"stage_entered", "amount_set"} == first
    assert {fact["data"]["amount"] for fact in won[1]["facts"] if "amount" in fact["data"]} == {
        "15000.00"
    }
    assert lowered == first
    left = [fact for fact in won[2]["facts"] if fact["kind"] == "stage_entered"]
    assert ["negotiation"] == [fact["data"]["stage"] for fact in left]
    assert won[0]["holder_id"] == story.partner_id
    assert items == sorted(items, key=lambda item: str(item["posted_at"]), reverse=True)


@pytest.mark.usefixtures("story")
def test_releases_change_no_amount(api: Api) -> None:
    before = api.send("GET", HISTORY, query="limit=100").body["items"]
    ledger = DynamoLedger(api.store, core_table=CORE, books_table=BOOKS)

    matured = mature_rewards(ledger, now=START + 40 * DAY, new_id=numbered_ids(), limit=100)

    assert matured.released == 3
    steps = api.send("GET", "/movements", query="referral_id=ref_1&limit=100").body["items"]
    assert "mature" in {item["step"] for item in steps}
    assert before == api.send("GET", HISTORY, query="limit=100").body["items"]


@pytest.mark.usefixtures("story")
def test_the_history_comes_in_pages(api: Api) -> None:
    whole = api.send("GET", HISTORY, query="limit=100").body["items"]
    seen: list[Any] = []
    following = ""
    while following != "&cursor=None":
        page = api.send("GET", HISTORY, query="limit=2" + following).body
        seen += page["items"]
        following = f"&cursor={page['next_cursor']}"

    assert len(whole) > 4
    assert whole == seen


def test_the_history_of_an_unknown_referral_is_not_found(api: Api) -> None:
    assert api.send("GET", HISTORY).status == 404


def test_a_referral_without_rewards_has_no_history(api: Api) -> None:
    programme(api)
    referred(api, Story().submitted())

    assert {"items": [], "next_cursor": None} == api.send("GET", HISTORY).body


def partners_view(api: Api, partner_id: str = "ptr_1") -> Any:  # noqa: ANN401
    query = f"view=partner&partner_id={partner_id}"
    return api.send("GET", EXPLANATION, query=query).body


def shared_story(*partner_ids: str) -> Story:
    """A referral that partners share, with an attribute that is the lead's own."""
    told = Story().submitted()
    pinned = told.facts[-1]
    rows = [
        {"partner_id": each, "role": "introducer" if place == 0 else "assist", "basis_points": part}
        for place, (each, part) in enumerate(zip(partner_ids, (7_000, 3_000), strict=False))
    ]
    attributes = {"company_size": 40, "industry": "banking"}
    told.facts[-1] = type(pinned)(
        fact_id=pinned.fact_id,
        kind=kinds.TERMS_PINNED,
        occurred_at=pinned.occurred_at,
        received_at=pinned.received_at,
        source=pinned.source,
        data={**pinned.data, "shares": rows, "attributes": attributes},
    )
    return told.reviewed("accepted").amount("20000.00").stage("won")


def test_a_partner_sees_their_own_amounts_alone(api: Api) -> None:
    programme(api)
    referred(api, shared_story("ptr_1", "ptr_2"), review="accepted")
    settle(api)

    first, second = (partners_view(api, each) for each in ("ptr_1", "ptr_2"))

    def amounts(view: Any) -> dict[str, str]:  # noqa: ANN401
        return {line["rule_id"]: line["figures"].get("amount") for line in view["lines"]}

    assert {
        "accepted_bonus": "35.00",
        "qualified_bonus": "140.00",
        "won_commission": "1400.00",
    } == amounts(first)
    assert {
        "accepted_bonus": "15.00",
        "qualified_bonus": "60.00",
        "won_commission": "600.00",
    } == amounts(second)
    for view, hidden in ((first, ("600.00", "2000.00", "ptr_2")), (second, ("1400.00", "ptr_1"))):
        assert not [text for text in hidden if text in str(view)]
    assert "lead_discount" not in str(first)
    assert {"20000.00"} == {
        line["figures"]["deal_amount"] for line in first["lines"] if "percent" in line["figures"]
    }


def test_a_partner_sees_why_not_without_what_is_known_of_the_lead(api: Api) -> None:
    rules: list[dict[str, Any]] = WORKED_EXAMPLE["rules"]
    large = {"all": [{"field": "company_size", "op": "gte", "value": 100}]}
    programme(api, rules=[{**rules[0], "when": large}, *rules[1:]])
    referred(api, shared_story("ptr_1"), review="accepted")
    settle(api)

    whole = api.send("GET", EXPLANATION).body["lines"][0]
    line = partners_view(api)["lines"][0]

    assert ("condition_not_met", "40") == (whole["code"], whole["figures"]["company_size"])
    assert ("denied", "condition_not_met") == (line["outcome"], line["code"])
    assert {"condition": "company_size gte", "threshold": "100"} == line["figures"]
    assert "facts" not in line


def test_spam_is_told_to_a_partner_as_any_refusal(api: Api) -> None:
    programme(api)
    referred(api, Story().submitted(review="spam"), review="spam")
    settle(api)

    lines = partners_view(api)["lines"]

    assert {"review_rejected"} == {line["code"] for line in lines}
    assert "lead_discount" not in {line["rule_id"] for line in lines}
    assert {"review_spam"} == {line["code"] for line in api.send("GET", EXPLANATION).body["lines"]}


def test_a_partner_without_a_part_sees_nothing(api: Api) -> None:
    programme(api)
    referred(api, shared_story("ptr_1"), review="accepted")
    settle(api)
    query = "view=partner&partner_id={}"

    stranger = api.send("GET", EXPLANATION, query=query.format("ptr_9"))
    the_lead = api.send("GET", EXPLANATION, query=query.format("led_1"))

    assert [404, 404] == [stranger.status, the_lead.status]


def test_a_partner_who_joined_later_sees_no_payment_of_others(api: Api) -> None:
    programme(api)
    told = shared_story("ptr_1")
    referred(api, told, review="accepted")
    settle(api)
    late = {"shares": [{"partner_id": "ptr_2", "role": "assist", "basis_points": 10_000}]}
    told.add(kinds.SHARES_SET, "", {**late, "retroactive": False}, at=START + timedelta(days=9))
    tell(api, told, 9)

    assert [] == partners_view(api, "ptr_2")["lines"]
    assert len(partners_view(api, "ptr_1")["lines"]) == 3


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("view=partner", "partner_id"),
        ("partner_id=ptr_1", "view"),
        ("view=lead&partner_id=ptr_1", "view"),
        ("view=partner&partner_id=a b", "partner_id"),
        ("as=partner", "as"),
    ],
)
def test_a_view_is_asked_for_by_name(api: Api, query: str, field: str) -> None:
    programme(api)
    referred(api, Story().submitted())

    reply = api.send("GET", EXPLANATION, query=query)

    assert (422, [field]) == (reply.status, reply.paths)


def discount(api: Api) -> list[dict[str, Any]]:
    """The changes of the lead's discount, oldest first."""
    items = api.send("GET", HISTORY, query="limit=100").body["items"]
    return [item for item in items if item["rule_id"] == "lead_discount"][::-1]


@pytest.mark.usefixtures("story")
def test_a_benefit_has_its_history(api: Api) -> None:
    found = discount(api)

    assert ["issued", "voided", "issued"] == [item["step"] for item in found]
    stages = [
        [fact["data"]["stage"] for fact in item["facts"] if fact["kind"] == "stage_entered"]
        for item in found
    ]
    assert [["won"], ["negotiation"], ["won"]] == stages
    assert [{"percent": "20"}] * 3 == [item["benefit"] for item in found]
    assert {None} == {item[name] for item in found for name in ("before", "actor", "movement_id")}
    assert [START, START + 3 * DAY, START + 4 * DAY] == [
        datetime.fromisoformat(item["posted_at"]) for item in found
    ]


def test_what_people_report_of_a_benefit_is_in_its_history(api: Api, story: Story) -> None:
    path = f"/rewards/{discount(api)[0]['reward_id']}/fulfilment"
    body = {"referral_id": "ref_1", "outcome": "fulfilled", "reference": "CPN-7", "reason": "sent"}
    assert 200 == api.send("POST", path, body).status
    later = api.clock[0] - START + DAY
    tell(api, story.stage("lost", at=START + later), later.days)

    told, kept = discount(api)[-2:]

    assert ("fulfilled", "root", "sent", "CPN-7") == tuple(
        told[name] for name in ("step", "actor", "reason", "reference")
    )
    assert ("2026-11-21T10:00:00.000Z", []) == (told["posted_at"], told["facts"])
    assert ("kept_fulfilled", None) == (kept["step"], kept["actor"])
    assert ["lost"] == [
        fact["data"]["stage"] for fact in kept["facts"] if fact["kind"] == "stage_entered"
    ]


@pytest.mark.usefixtures("story")
def test_a_refusal_is_told_with_its_reason(api: Api) -> None:
    path = f"/rewards/{discount(api)[0]['reward_id']}/fulfilment"
    body = {"referral_id": "ref_1", "outcome": "refused", "reason": "no such plan"}
    assert 200 == api.send("POST", path, body).status

    assert ("refused", "no such plan") == tuple(
        discount(api)[-1][name] for name in ("step", "reason")
    )


def test_a_page_stays_where_it_was_when_something_happens(api: Api, story: Story) -> None:
    whole = api.send("GET", HISTORY, query="limit=100").body["items"]
    first = api.send("GET", HISTORY, query="limit=3").body

    tell(api, story.amount("16000.00", at=START + 9 * DAY), 9)

    query = f"limit=100&cursor={first['next_cursor']}"
    assert whole == first["items"] + api.send("GET", HISTORY, query=query).body["items"]
    assert whole != api.send("GET", HISTORY, query="limit=100").body["items"]


@pytest.mark.usefixtures("story")
def test_a_cursor_opens_no_other_history(api: Api) -> None:
    referred(api, Story(referral_id="ref_2").submitted(), referral_id="ref_2")
    cursor = api.send("GET", HISTORY, query="limit=1").body["next_cursor"]

    reply = api.send("GET", HISTORY.replace("ref_1", "ref_2"), query=f"cursor={cursor}")

    assert (422, ["cursor"]) == (reply.status, reply.paths)


@pytest.mark.usefixtures("story")
def test_every_change_has_a_cause_that_can_be_shown(api: Api) -> None:
    items = api.send("GET", HISTORY, query="limit=100").body["items"]

    assert len(items) > 6
    for item in items:
        assert item["facts"], item
        assert ([], None) == (item["codes"], item["adjustment"])
        assert all(fact["source"] and fact["received_at"] for fact in item["facts"])

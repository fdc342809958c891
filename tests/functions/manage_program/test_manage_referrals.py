from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from functions.manage_program.rewards import STATES
from shared.adapters.dynamodb import keys
from shared.adapters.dynamodb.books import advance, append, movements_of_book, read_book
from shared.adapters.dynamodb.ledger import DynamoLedger
from shared.adapters.dynamodb.referrals import fact_row, referral_row
from shared.adapters.dynamodb.transactions import put, transact, update
from shared.domain.rewards import FULFILLED, ISSUED, KEPT_FULFILLED, REDEEMED, REFUSED, VOIDED
from shared.usecases.effects import Trigger
from shared.usecases.post_rewards import post_rewards
from tests.builders.money import START, WORKED_EXAMPLE, Story, numbered_ids, referral
from tests.functions.manage_program.conftest import BOOKS, CORE, VAULT

if TYPE_CHECKING:
    from shared.domain.referrals import Referral
    from tests.functions.manage_program.conftest import Api

REVIEW = "/referrals/ref_1/review"
ACCEPT = {"decision": "accept", "reason": "a real lead"}


def head(**changes: Any) -> Referral:  # noqa: ANN401
    return referral(
        **{
            "program_id": "prg_1",
            "deal": {
                "source_id": "src_1",
                "deal_id": "D-1",
                "stage": "won",
                "outcome": "won",
                "amount": "20000.00",
                "currency": "USD",
            },
            **changes,
        }
    )


def submit(api: Api, story: Story, row: Referral | None = None) -> None:
    operations = [put(CORE, keys.referral(story.referral_id), referral_row(row or head()))]
    operations += [
        put(CORE, keys.fact(story.referral_id, fact.fact_id), fact_row(fact))
        for fact in story.facts
    ]
    person = {"email": "lead@customer.example", "first_name": "Lee"}
    operations.append(put(VAULT, keys.person("led_1"), person))
    transact(api.store, operations)


def settled(api: Api) -> Story:
    """Stores an accepted, won referral of 20,000.00 with its rewards."""
    definition = {**WORKED_EXAMPLE}
    definition["rules"] = [{**rule, "text": f"about {rule['id']}"} for rule in definition["rules"]]
    api.program("prg_1")
    api.made("/programs/prg_1/terms", definition)
    story = Story().submitted().reviewed("accepted").amount("20000.00").stage("won")
    submit(api, story, head(review="accepted"))
    settle(api)
    return story


def settle(api: Api) -> None:
    ledger = DynamoLedger(api.store, core_table=CORE, books_table=BOOKS)
    trigger = Trigger(correlation_id="evt_c", causation_id="evt_c", hops=1)
    post_rewards(
        ledger,
        "ref_1",
        trigger=trigger,
        now=START,
        new_id=numbered_ids(),
        pause=lambda _attempt: None,
    )


def copy_the_book(api: Api, program_id: str) -> None:
    """Gives ptr_1 the same book in another programme."""
    book = read_book(api.store, CORE, "ptr_1", "prg_1")
    rows = [
        append(BOOKS, replace(movement, program_id=program_id))
        for movement in movements_of_book(api.store, BOOKS, "ptr_1", "prg_1")
    ]
    empty = replace(book, program_id=program_id, seq=0)
    transact(api.store, [*rows, advance(CORE, empty, replace(book, program_id=program_id))])


def outgoing(api: Api, name: str) -> list[dict[str, Any]]:
    return [
        json.loads(row["envelope"])
        for row in api.store.dump()[CORE]
        if row["pk"].startswith("OUT#") and row["name"] == name
    ]


def test_a_referral_shows_its_axes_deal_shares_and_facts(api: Api) -> None:
    story = settled(api)

    shown = api.send("GET", "/referrals/ref_1").body

    assert {"review": "accepted", "deal": "won", "reward": ["issued", "pending"], "payout": []} == (
        shown["axes"]
    )
    assert shown["deal"]["amount"] == {"amount": "20000.00", "currency": "USD"}
    assert [{"partner_id": "ptr_1", "role": "introducer", "basis_points": 10_000}] == shown[
        "shares"
    ]
    assert {fact.fact_id for fact in story.facts} <= {fact["fact_id"] for fact in shown["facts"]}
    assert all(fact["source"] for fact in shown["facts"])
    assert shown["submitted_at"] == "2026-01-05T09:00:00.000Z"


def test_the_lead_is_shown_to_keys_with_the_scope(api: Api) -> None:
    settled(api)
    reader = api.key_with("read")

    assert api.send("GET", "/referrals/ref_1").body["lead"]["first_name"] == "Lee"
    shown = api.send("GET", "/referrals/ref_1", key=reader).body
    assert shown["lead"] is None
    assert "Lee" not in str(shown)


def test_a_referral_without_a_deal_says_so(api: Api) -> None:
    api.program("prg_1")
    submit(api, Story().submitted(), head(deal={}))

    shown = api.send("GET", "/referrals/ref_1").body

    assert shown["deal"] is None
    assert {"review": "submitted", "deal": None, "reward": [], "payout": []} == shown["axes"]


@pytest.mark.parametrize("path", ["", "/explanation"])
def test_an_unknown_referral_is_not_found(api: Api, path: str) -> None:
    assert api.send("GET", f"/referrals/ref_none{path}").status == 404


def test_referrals_are_listed_by_programme_partner_and_review(api: Api) -> None:
    settled(api)

    def count(query: str) -> int:
        return len(api.send("GET", "/referrals", query=query).body["items"])

    assert (1, 1, 1) == (
        count("program_id=prg_1"),
        count("partner_id=ptr_1"),
        count("program_id=prg_1&review=accepted"),
    )
    assert (0, 0, 0) == (
        count("program_id=prg_2"),
        count("partner_id=ptr_1&program_id=prg_2"),
        count("program_id=prg_1&review=spam"),
    )
    assert api.send("GET", "/referrals").status == 422


def test_accepting_writes_head_fact_and_event_together(api: Api) -> None:
    submit(api, Story().submitted())

    reply = api.send("POST", REVIEW, ACCEPT)

    assert (reply.status, reply.body["review"]) == (200, "accepted")
    stored = api.services.reviews.referral("ref_1")
    assert stored is not None
    assert ("accepted", 2) == (stored.review, stored.version)
    (fact,) = [
        fact for fact in api.services.reviews.facts("ref_1") if fact.kind == "review_decided"
    ]
    assert fact.data == {
        "decision": "accept",
        "state": "accepted",
        "actor": "root",
        "reason": "a real lead",
    }
    assert fact.occurred_at == fact.received_at == api.clock[0]
    (event,) = outgoing(api, "FactsChanged")
    assert event["data"] == {"referral_id": "ref_1", "kinds": ["review_decided"]}
    assert event["aggregate"] == {"type": "referral", "id": "ref_1", "version": 2}
    assert event["correlation_id"] == "request-1"


def test_an_illegal_decision_changes_nothing(api: Api) -> None:
    submit(api, Story().submitted(), head(review="withdrawn"))
    before = api.services.reviews.referral("ref_1")

    reply = api.send("POST", REVIEW, ACCEPT)

    assert (reply.status, reply.code) == (409, "illegal_review_move")
    assert before == api.services.reviews.referral("ref_1")
    assert outgoing(api, "FactsChanged") == []


def test_accepting_twice_is_illegal_without_an_idempotency_key(api: Api) -> None:
    submit(api, Story().submitted())
    api.send("POST", REVIEW, ACCEPT)

    assert api.send("POST", REVIEW, ACCEPT).status == 409


@pytest.mark.parametrize(
    ("body", "path"),
    [
        ({"decision": "maybe", "reason": "x"}, "decision"),
        ({"decision": "accept"}, "reason"),
        ({"decision": "accept", "reason": ""}, "reason"),
        ({"decision": "accept", "reason": "  "}, "reason"),
        ({"decision": "accept", "reason": "x" * 1_001}, "reason"),
        ({"decision": "accept", "reason": "x", "actor": "me"}, "actor"),
    ],
)
def test_a_wrong_decision_is_refused(api: Api, body: dict[str, str], path: str) -> None:
    submit(api, Story().submitted())

    reply = api.send("POST", REVIEW, body)

    assert (reply.status, reply.paths) == (422, [path])


def test_deciding_on_an_unknown_referral_is_not_found(api: Api) -> None:
    assert api.send("POST", "/referrals/ref_none/review", ACCEPT).status == 404


def bump(api: Api) -> None:
    stored = api.services.reviews.referral("ref_1")
    assert stored is not None
    transact(
        api.store,
        [update(CORE, keys.referral("ref_1"), assign={"version": stored.version + 1})],
    )


def test_a_decision_that_lost_a_race_is_taken_anew(api: Api) -> None:
    submit(api, Story().submitted())
    lost = 0

    def race(request: dict[str, Any]) -> None:
        nonlocal lost
        if "review_decided" in str(request) and lost < 4:
            lost += 1
            bump(api)

    api.store.before["transact_write_items"] = race

    assert api.send("POST", REVIEW, ACCEPT).status == 200
    stored = api.services.reviews.referral("ref_1")
    assert stored is not None
    assert ("accepted", 6) == (stored.review, stored.version)
    assert len(outgoing(api, "FactsChanged")) == 1


def test_a_decision_that_always_loses_is_given_up(api: Api) -> None:
    submit(api, Story().submitted())

    def race(request: dict[str, Any]) -> None:
        if "review_decided" in str(request):
            bump(api)

    api.store.before["transact_write_items"] = race

    reply = api.send("POST", REVIEW, ACCEPT)

    assert (reply.status, reply.code) == (409, "stale_version")


class CrashError(BaseException):
    """The process is gone."""


def test_a_crash_after_the_decision_decides_once(api: Api) -> None:
    submit(api, Story().submitted())

    def crash(request: dict[str, Any], _answer: dict[str, Any]) -> None:
        if "review_decided" in str(request):
            raise CrashError

    once = {"idempotency-key": "k-1"}
    api.store.after["transact_write_items"] = crash
    with pytest.raises(CrashError):
        api.send("POST", REVIEW, ACCEPT, headers=once)
    api.store.after.clear()
    api.clock[0] += timedelta(minutes=2)

    reply = api.send("POST", REVIEW, ACCEPT, headers=once)

    assert (reply.status, reply.body["review"]) == (200, "accepted")
    assert len(outgoing(api, "FactsChanged")) == 1


def test_an_explanation_has_a_line_for_every_rule_in_its_own_words(api: Api) -> None:
    settled(api)

    shown = api.send("GET", "/referrals/ref_1/explanation").body

    assert ("ref_1", 1) == (shown["referral_id"], shown["terms_version"])
    lines = {line["rule_id"]: line for line in shown["lines"]}
    assert {"accepted_bonus", "qualified_bonus", "won_commission", "lead_discount"} == set(lines)
    won = lines["won_commission"]
    assert ("granted", "about won_commission") == (won["outcome"], won["text"])
    assert won["code"]
    assert won["facts"]
    assert won["release_at"].endswith("Z")


def test_an_explanation_before_any_evaluation_is_empty(api: Api) -> None:
    submit(api, Story().submitted())

    assert api.send("GET", "/referrals/ref_1/explanation").body["lines"] == []


def test_rewards_show_amounts_states_and_release_dates(api: Api) -> None:
    settled(api)

    items = api.send("GET", "/rewards", query="referral_id=ref_1").body["items"]

    by_rule = {item["rule_id"]: item for item in items}
    assert by_rule["won_commission"]["amount"] == {"amount": "2000.00", "currency": "USD"}
    assert by_rule["won_commission"]["state"] == "pending"
    assert by_rule["won_commission"]["release_at"].startswith("2026-02-04T")
    assert by_rule["lead_discount"]["amount"] is None
    assert by_rule["lead_discount"]["benefit"]
    assert by_rule["lead_discount"]["state"] == "issued"


@pytest.mark.parametrize(
    ("query", "count"),
    [
        ("referral_id=ref_1", 4),
        ("referral_id=ref_1&state=pending", 3),
        ("referral_id=ref_1&partner_id=ptr_1", 3),
        ("referral_id=ref_1&program_id=prg_2", 0),
        ("partner_id=ptr_1", 3),
        ("partner_id=ptr_2", 0),
        ("partner_id=ptr_1&program_id=prg_2", 0),
        ("program_id=prg_1", 4),
        ("program_id=prg_1&state=paid", 0),
    ],
)
def test_rewards_are_filtered(api: Api, query: str, count: int) -> None:
    settled(api)

    assert count == len(api.send("GET", "/rewards", query=query).body["items"])


@pytest.mark.parametrize("path", ["/rewards", "/movements"])
@pytest.mark.parametrize("query", ["referral_id=ref_1", "program_id=prg_1"])
def test_pages_of_figures_together_are_the_whole_list(api: Api, path: str, query: str) -> None:
    settled(api)
    whole = api.send("GET", path, query=query).body["items"]
    found: list[dict[str, Any]] = []
    following = ""
    for _ in whole:
        page = api.send("GET", path, query=f"{query}&limit=1{following}").body
        found += page["items"]
        following = f"&cursor={page['next_cursor']}"
    assert following == "&cursor=None"

    assert len(whole) >= 3
    assert whole == found


def test_a_partners_book_is_paged_by_its_chain(api: Api) -> None:
    settled(api)
    query = "partner_id=ptr_1&program_id=prg_1"

    first = api.send("GET", "/movements", query=f"{query}&limit=2").body
    rest = api.send("GET", "/movements", query=f"{query}&cursor={first['next_cursor']}").body

    assert [3, 2, 1] == [item["seq"] for item in first["items"] + rest["items"]]
    assert rest["next_cursor"] is None


def test_movements_name_both_accounts(api: Api) -> None:
    settled(api)

    items = api.send("GET", "/movements", query="referral_id=ref_1").body["items"]

    assert {("expense", "pending")} == {(item["debit"], item["credit"]) for item in items}
    assert ["200.00", "2000.00", "50.00"] == sorted(item["amount"]["amount"] for item in items)


def test_movements_need_somebodys_books(api: Api) -> None:
    assert api.send("GET", "/movements").status == 422
    assert api.send("GET", "/movements", query="partner_id=ptr_none").body["items"] == []


@pytest.mark.parametrize("limit", [1, 2, 3, 4, 100])
def test_a_partners_books_are_paged_one_after_the_other(api: Api, limit: int) -> None:
    settled(api)
    copy_the_book(api, "prg_0")
    copy_the_book(api, "prg_2")
    found: list[tuple[str, int]] = []
    following = ""
    while following != "&cursor=None":
        page = api.send("GET", "/movements", query=f"partner_id=ptr_1&limit={limit}{following}")
        assert 0 < len(page.body["items"]) <= limit
        found += [(item["program_id"], item["seq"]) for item in page.body["items"]]
        following = f"&cursor={page.body['next_cursor']}"

    books = ("prg_0", "prg_1", "prg_2")
    assert [(program_id, seq) for program_id in books for seq in (3, 2, 1)] == found


@pytest.mark.parametrize(
    ("path", "name"),
    [("/referrals", "review"), ("/rewards", "state")],
)
def test_a_filter_by_no_state_is_refused(api: Api, path: str, name: str) -> None:
    reply = api.send("GET", path, query=f"program_id=prg_1&{name}=waiting")

    assert (422, [name]) == (reply.status, reply.paths)


def test_rewards_may_be_asked_for_by_every_state_that_they_can_have(api: Api) -> None:
    settled(api)
    (cash, *_) = (row for row in api.services.explanations.rewards("ref_1") if row.lots)
    empty = replace(cash, lots=())
    amounts = ("clearing", "payable", "clawed_back", "paid", "reversed")
    possible = [cash, replace(cash, held="on_hold"), empty]
    figures: list[dict[str, Any]] = [{f"{name}_minor": 1} for name in amounts]
    possible += [replace(empty, **figure) for figure in figures]
    benefits = (ISSUED, FULFILLED, REDEEMED, REFUSED, VOIDED, KEPT_FULFILLED)
    possible += [replace(empty, kind="perk", benefit_state=state) for state in benefits]

    assert set(STATES) == {reward.state for reward in possible}
    for state in STATES:
        query = f"program_id=prg_1&state={state}"
        assert 200 == api.send("GET", "/rewards", query=query).status


@pytest.mark.parametrize("path", ["/rewards", "/movements"])
def test_figures_of_an_unknown_referral_are_not_found(api: Api, path: str) -> None:
    assert api.send("GET", path, query="referral_id=ref_none").status == 404


@pytest.mark.parametrize("query", ["partner_id=ptr_1", "partner_id=ptr_1&program_id=prg_1"])
def test_balances_show_all_stages(api: Api, query: str) -> None:
    settled(api)

    (item,) = api.send("GET", "/balances", query=query).body["items"]

    assert {
        "partner_id": "ptr_1",
        "program_id": "prg_1",
        "kind": "cash",
        "currency": "USD",
        "pending": {"amount": "2250.00", "currency": "USD"},
        "payable": {"amount": "0.00", "currency": "USD"},
        "in_payout": {"amount": "0.00", "currency": "USD"},
        "paid": {"amount": "0.00", "currency": "USD"},
    } == item


def test_a_partner_without_a_book_has_no_balances(api: Api) -> None:
    assert api.send("GET", "/balances", query="partner_id=ptr_9").body["items"] == []
    assert (
        api.send("GET", "/balances", query="partner_id=ptr_9&program_id=prg_1").body["items"] == []
    )
    assert api.send("GET", "/balances").status == 422

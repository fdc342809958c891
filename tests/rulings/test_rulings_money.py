"""Rulings on money that no other test names; see test_rulings_index."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from shared.adapters.dynamodb import keys
from shared.adapters.dynamodb.books import movements_of_book
from shared.adapters.dynamodb.transactions import put, transact
from shared.domain import facts
from shared.domain.errors import InvalidFieldsError, StaleVersionError
from shared.domain.evaluation import Evaluation, evaluate
from shared.domain.periods import period_key
from shared.domain.terms_reader import parse_terms
from shared.usecases.mature_rewards import mature_rewards
from shared.usecases.post_rewards import TRIES, post_rewards
from tests.builders.ledger import BOOKS, CORE, PROGRAM, TRIGGER, Stored
from tests.builders.money import DAY, START, Story, parties

RULE: dict[str, Any] = {
    "id": "rule",
    "beneficiary": "partner",
    "milestone": "won",
    "kind": "cash",
    "value": {"percent": "10", "of": "deal_amount"},
}
SHARES = [
    {"partner_id": "ptr_2", "role": "introducer", "basis_points": 5_000},
    {"partner_id": "ptr_1", "role": "co_referrer", "basis_points": 5_000},
]


def definition(*rules: dict[str, Any], **top: Any) -> dict[str, Any]:  # noqa: ANN401 - any field
    return {"name": "t", "rules": [{**RULE, **rule} for rule in rules], **top}


def won(amount: str = "1000.00", referral_id: str = "ref_1") -> Story:
    story = Story(referral_id=referral_id).submitted().reviewed("accepted")
    return story.amount(amount).stage("won")


def settled(*rules: dict[str, Any], story: Story | None = None, **top: Any) -> tuple[Stored, Story]:  # noqa: ANN401 - any field
    stored = Stored(definition(*rules, **top))
    told = story or won()
    stored.submit(told)
    stored.settle(told)
    return stored, told


def told_more(stored: Stored, story: Story, now: datetime = START) -> None:
    stored.tell(story)
    stored.settle(story, now=now)


def judged(story: Story, **rule: Any) -> Evaluation:  # noqa: ANN401 - any field of a rule
    terms = parse_terms(definition(rule), currency="USD")
    return evaluate(terms, story.facts, parties("ptr_1"))


def refund(story: Story, amount: str) -> Story:
    data = {"refund_id": "R", "of": "deal", "amount": amount, "currency": "USD"}
    return story.add(facts.REFUNDED, "R", data)


# -- the books ------------------------------------------------------------------------------------


def test_a_row_of_the_books_is_keyed_by_holder_and_natural_key_and_dated_twice() -> None:
    stored, _ = settled({})
    (row,) = stored.client.dump()[BOOKS]
    assert ("BOOK#ptr_1#prg_1", "MOV#referral#ref_1#rule#once#partner#000001") == (
        row["pk"],
        row["sk"],
    )
    assert {"posted_at", "effective_at", "seq", "prev_hash", "hash"} <= set(row)
    assert START.isoformat() == row["posted_at"]


def test_the_head_of_the_book_moves_in_the_transaction_that_appends_to_it() -> None:
    stored, _ = settled({})
    tables = [
        sorted({next(iter(part.values()))["TableName"] for part in request["TransactItems"]})
        for name, request in stored.client.calls
        if name == "transact_write_items" and BOOKS in str(request)
    ]
    assert [[BOOKS, CORE]] == tables


def test_the_books_are_only_added_to_and_only_under_new_keys() -> None:
    stored, story = settled({"hold_days": 1})
    told_more(stored, story.stage("negotiation"))
    mature_rewards(stored.ledger, now=START + 9 * DAY, new_id=stored.new_id, limit=10)
    writes = [
        part
        for name, request in stored.client.calls
        if name == "transact_write_items"
        for part in request["TransactItems"]
        if next(iter(part.values()))["TableName"] == BOOKS
    ]
    assert writes
    for part in writes:
        assert "attribute_not_exists" in part["Put"]["ConditionExpression"]


def test_an_effect_with_all_its_beneficiaries_is_one_transaction() -> None:
    story = Story().submitted().reviewed("accepted").amount("1000.00")
    story.add(facts.SHARES_SET, "s", {"shares": SHARES, "retroactive": False}, at=START)
    stored, _ = settled({}, story=story.stage("won"))
    posted = [
        sum(next(iter(part.values()))["TableName"] == BOOKS for part in request["TransactItems"])
        for name, request in stored.client.calls
        if name == "transact_write_items"
    ]
    assert [2] == [rows for rows in posted if rows]


def test_a_lost_race_is_loaded_and_judged_anew_five_times_and_then_left_to_the_queue() -> None:
    stored = Stored(definition({}))
    story = won()
    stored.submit(story)
    pauses: list[int] = []

    def somebody_else_writes(request: dict[str, Any]) -> None:
        stored.tell(story)

    stored.client.before["transact_write_items"] = somebody_else_writes
    with pytest.raises(StaleVersionError):
        post_rewards(
            stored.ledger,
            story.referral_id,
            trigger=TRIGGER,
            now=START,
            new_id=stored.new_id,
            pause=pauses.append,
        )
    assert (5, list(range(5))) == (TRIES, pauses)
    assert not stored.client.dump().get(BOOKS)


def test_a_negative_balance_stays_inside_its_own_kind() -> None:
    stored, story = settled({}, {"id": "points", "kind": "credit", "value": {"fixed": "5.00"}})
    mature_rewards(stored.ledger, now=START + DAY, new_id=stored.new_id, limit=10)
    told_more(stored, refund(story, "1000.00"), START + DAY)
    book = stored.ledger.book("ptr_1", "prg_1")
    assert (0, 500) == (
        book.balance("payable", "cash", "USD"),
        book.balance("payable", "credit", "USD"),
    )


def test_programmes_without_a_budget_pay_for_no_shared_item() -> None:
    stored, _ = settled({})
    assert not [row for row in stored.client.dump()[CORE] if row["sk"].startswith("CAP#")]
    assert not [
        request for _, request in stored.client.calls if "CAP#" in str(request.get("Key", ""))
    ]


def test_each_step_of_the_way_to_an_amount_is_taken_in_its_order() -> None:
    """Value 100.01, reward cap 90.01, split in halves, partner cap 40.00, budget 75.00."""
    caps = [
        {"id": "p", "scope": "partner", "per": "lifetime", "limit": "40.00"},
        {"id": "b", "scope": "program", "per": "lifetime", "limit": "75.00"},
    ]
    story = Story().submitted().reviewed("accepted").amount("1000.10")
    story.add(facts.SHARES_SET, "s", {"shares": SHARES, "retroactive": False}, at=START)
    stored, _ = settled({"caps": {"reward": "90.01"}}, story=story.stage("won"), caps=caps)
    aggregate = stored.ledger.load("ref_1")
    assert aggregate is not None
    assert {"ptr_2": 4_000, "ptr_1": 3_500} == {r.holder_id: r.net_minor for r in aggregate.rewards}


def test_the_cent_that_is_left_over_goes_to_the_introducer() -> None:
    story = Story().submitted().reviewed("accepted").amount("1000.10")
    story.add(facts.SHARES_SET, "s", {"shares": SHARES, "retroactive": False}, at=START)
    found = judged(story.stage("won"), value={"fixed": "0.01"}).entitlements
    assert {"ptr_2": 1} == {row.holder_id: row.amount_minor for row in found}


# -- tiers and counts -----------------------------------------------------------------------------

TIER = {"by": "count", "milestone": "won", "steps": [{"from": 2, "percent": "20"}]}


def test_a_refund_lowers_future_counts_and_no_rate_that_is_pinned() -> None:
    stored, first = settled({"tiers": TIER})
    second = won(referral_id="ref_2")
    stored.submit(second)
    stored.settle(second)
    told_more(stored, refund(first, "1000.00"))
    assert 20_000 == stored.rewards(second)["rule"].net_minor
    third = won(referral_id="ref_3")
    stored.submit(third)
    stored.settle(third)
    assert 20_000 == stored.rewards(third)["rule"].net_minor
    told_more(stored, refund(third, "1000.00"))
    told_more(stored, refund(second, "1000.00"))
    fourth = won(referral_id="ref_4")
    stored.submit(fourth)
    stored.settle(fourth)
    assert 10_000 == stored.rewards(fourth)["rule"].net_minor


def test_a_retroactive_tier_never_posts_its_referrals_again() -> None:
    stored, first = settled({"tiers": {**TIER, "mode": "retroactive"}})
    stored.enrol()
    second = won(referral_id="ref_2")
    stored.submit(second)
    stored.settle(second)
    stored.settle_partner()
    rows = movements_of_book(stored.client, BOOKS, "ptr_1", "prg_1")
    assert [("rule", "once", 10_000)] * 2 + [("rule", "true_up:lifetime", 20_000)] == [
        (row.rule_id, row.occurrence, row.amount_minor) for row in rows
    ]
    assert 1 == stored.rewards(first)["rule"].sequence


def test_an_override_stands_instead_of_the_steps_of_a_retroactive_tier() -> None:
    story = won()
    pinned = {
        **story.facts[1].data,
        "overrides": {"rule": {"percent": "15", "level": "group"}},
    }
    story.add(facts.TERMS_PINNED, "again", pinned, at=START + timedelta(seconds=1))
    steps = {**TIER, "mode": "retroactive", "steps": [{"from": 1, "fixed": "70.00"}]}
    evaluation = judged(story, value={"fixed": "50.00"}, tiers=steps)
    assert [15_000] == [row.amount_minor for row in evaluation.entitlements]
    assert not [key for key in evaluation.contributions if key.startswith("base:")]


def test_tiers_of_leads_whom_nobody_introduced_stay_at_the_rules_own_value() -> None:
    story = Story(partner_id="").submitted().reviewed("accepted").amount("1000.00").stage("won")
    stored, _ = settled({"beneficiary": "lead", "tiers": TIER}, story=story)
    assert 10_000 == stored.rewards(story)["rule"].net_minor


# -- refunds, holds, un-wins ----------------------------------------------------------------------


def test_a_lower_amount_takes_back_what_a_condition_had_granted() -> None:
    group = {"all": [{"field": "deal_amount", "op": "gte", "value": "1000.00"}]}
    stored, story = settled({"value": {"fixed": "50.00"}, "when": group})
    assert 5_000 == stored.rewards(story)["rule"].net_minor
    told_more(stored, story.amount("999.99"))
    assert 0 == stored.rewards(story)["rule"].net_minor


def test_leaving_won_claws_back_what_is_fixed_too_whatever_the_refund_policy() -> None:
    stored, story = settled({"value": {"fixed": "50.00"}, "refund": "keep"})
    mature_rewards(stored.ledger, now=START + DAY, new_id=stored.new_id, limit=10)
    told_more(stored, story.stage("negotiation"), START + DAY)
    reward = stored.rewards(story)["rule"]
    assert (0, 5_000, "clawed_back") == (
        reward.net_minor,
        reward.clawed_back_minor,
        reward.state,
    )


def test_what_is_taken_back_never_exceeds_what_was_earned() -> None:
    stored, story = settled({})
    mature_rewards(stored.ledger, now=START + DAY, new_id=stored.new_id, limit=10)
    told_more(stored, refund(story, "99999.00"), START + DAY)
    told_more(stored, story.stage("lost"), START + DAY)
    reward = stored.rewards(story)["rule"]
    assert (0, 10_000) == (reward.net_minor, reward.reversed_minor + reward.clawed_back_minor)


def test_a_retained_milestone_counts_from_our_receipt_and_leaving_cancels() -> None:
    story = Story().submitted().reviewed("accepted").amount("1000.00", at=START)
    story.stage("won", at=START + DAY, received_at=START + 5 * DAY)
    (found,) = judged(story, retained_days=60).entitlements
    assert START + 65 * DAY == found.release_at
    story.stage("negotiation", at=START + 6 * DAY)
    assert () == judged(story, retained_days=60).entitlements


def test_a_refund_is_converted_at_the_rate_of_its_sale() -> None:
    story = Story().submitted().reviewed("accepted").stage("won")
    money = {"amount": "1000.00", "currency": "EUR"}
    story.add(facts.AMOUNT_SET, "a", {**money, "rate": "1.10"})
    half = {"refund_id": "R", "of": "deal", "amount": "500.00", "currency": "EUR", "rate": "1.30"}
    story.add(facts.REFUNDED, "R", half)
    assert [5_500] == [row.amount_minor for row in judged(story).entitlements]


# -- programmes and time --------------------------------------------------------------------------


@pytest.mark.parametrize("status", ["paused", "closed"])
def test_referrals_keep_earning_when_their_programme_does_not_run(status: str) -> None:
    stored = Stored(definition({}))
    story = won()
    stored.submit(story)
    row = {**PROGRAM, "status": status}
    transact(stored.client, [put(CORE, keys.program("prg_1"), row)])
    stored.settle(story)
    assert 10_000 == stored.rewards(story)["rule"].net_minor


def test_periods_are_half_open_and_in_the_programmes_own_time_zone() -> None:
    turn = datetime(2026, 4, 1, tzinfo=UTC)
    before = turn - timedelta(microseconds=1)
    assert ("2026-Q1", "2026-Q2") == (
        period_key("quarter", before, "UTC"),
        period_key("quarter", turn, "UTC"),
    )
    midnight = turn - timedelta(hours=2)
    assert ("2026-04", "2026-03") == (
        period_key("month", midnight, "Europe/Berlin"),
        period_key("month", midnight - timedelta(microseconds=1), "Europe/Berlin"),
    )


def test_an_invoice_based_value_needs_an_invoice_in_tables_too() -> None:
    value = {"percent": "10", "of": "invoice_net"}
    table = {"table": {"field": "plan", "rows": [{"is": "pro", "value": value}]}}
    with pytest.raises(InvalidFieldsError, match="not_allowed"):
        parse_terms(definition({"value": table}), currency="USD")


def test_an_amount_over_the_bound_is_refused_and_never_posted() -> None:
    story = won("9999999999999.99")
    story.add(facts.FIELD_SET, "m", {"name": "contract_months", "value": 1})
    value = {"percent": "100", "of": "monthly_value", "months": 120}
    evaluation = judged(story, value=value)
    assert ((), ["amount_too_large"]) == (
        evaluation.entitlements,
        [line.code for line in evaluation.trace],
    )

"""Bonuses and true-ups that hang on how many referrals count, and limits that many share."""

from __future__ import annotations

import json
from typing import Any

from shared.adapters.dynamodb import keys
from shared.adapters.dynamodb.books import movements_of_book
from shared.adapters.dynamodb.client import get
from shared.adapters.dynamodb.fx_rates import rate_on
from shared.adapters.dynamodb.transactions import put, transact, update
from shared.domain import books, facts
from shared.usecases.mature_rewards import mature_rewards
from shared.usecases.post_rewards import MAX_PINS
from tests.builders.ledger import BOOKS, CORE, Stored
from tests.builders.money import DAY, START, Story

COMMISSION = {
    "id": "commission",
    "beneficiary": "partner",
    "milestone": "won",
    "kind": "cash",
    "value": {"percent": "10", "of": "deal_amount"},
}


def definition(*rules: dict[str, Any], **top: Any) -> dict[str, Any]:  # noqa: ANN401 - any field
    return {"name": "t", "rules": [{**COMMISSION, **rule} for rule in rules], **top}


def store(*rules: dict[str, Any], **top: Any) -> Stored:  # noqa: ANN401 - any field
    stored = Stored(definition(*rules, **top))
    stored.enrol()
    return stored


def win(stored: Stored, number: int, amount: str = "1000.00", **at: Any) -> Story:  # noqa: ANN401 - a moment
    story = Story(referral_id=f"ref_{number}", deal_id=f"D-{number}")
    story.submitted().reviewed("accepted").amount(amount).stage("won", **at)
    stored.submit(story)
    stored.settle(story)
    return story


def lose(stored: Stored, story: Story) -> None:
    story.stage("lost")
    stored.tell(story)
    stored.settle(story)


def assert_whole(stored: Stored, holder_id: str = "ptr_1") -> None:
    rows = movements_of_book(stored.client, BOOKS, holder_id, "prg_1")
    book = stored.ledger.book(holder_id, "prg_1")
    assert books.broken_at(rows) is None
    assert books.fold(rows) == book.balances


EVERY_SECOND = {"id": "pair", "occurrence": "every_nth", "nth": 2, "value": {"fixed": "70.00"}}


def test_every_nth_success_pays_and_the_newest_is_taken_back() -> None:
    stored = store(EVERY_SECOND)
    stories = [win(stored, number) for number in range(4)]
    stored.settle_partner()
    assert {"count:2": 7_000, "count:4": 7_000} == {
        key: reward.net_minor for key, reward in stored.partner_rewards().items()
    }
    lose(stored, stories[0])
    stored.settle_partner()
    assert {"count:2": 7_000, "count:4": 0} == {
        key: reward.net_minor for key, reward in stored.partner_rewards().items()
    }
    assert 0 == stored.settle_partner().effects
    assert_whole(stored)


def test_achievements_are_held_while_the_count_lasts_and_regained_with_a_new_hold() -> None:
    rule = {"id": "star", "occurrence": "at_counts", "counts": [2], "value": {"fixed": "90.00"}}
    stored = store({**rule, "hold_days": 10})
    first = win(stored, 1)
    win(stored, 2)
    stored.settle_partner(now=START)
    assert START + 10 * DAY == stored.partner_rewards()["count:2"].release_at
    lose(stored, first)
    stored.settle_partner(now=START + DAY)
    assert "reversed" == stored.partner_rewards()["count:2"].state
    first.stage("won")
    stored.tell(first)
    stored.settle(first)
    stored.settle_partner(now=START + 2 * DAY)
    regained = stored.partner_rewards()["count:2"]
    assert (3, START + 12 * DAY) == (regained.sequence, regained.release_at)


def test_bonus_of_benefits_is_issued_once_and_stays_as_it_is() -> None:
    rule = {
        "id": "months",
        "kind": "free_period",
        "occurrence": "every_nth",
        "nth": 1,
        "value": {"quantity": 1, "unit": "month"},
    }
    stored = store(rule)
    win(stored, 1)
    stored.settle_partner(now=START)
    assert "issued" == stored.partner_rewards()["count:1"].benefit_state
    assert 0 == stored.settle_partner(now=START + DAY).effects


def test_partner_level_rules_say_so_on_every_referral() -> None:
    stored = store(EVERY_SECOND)
    story = win(stored, 1)
    aggregate = stored.ledger.load(story.referral_id)
    assert aggregate is not None
    assert [("pair", "partner_level")] == [(line.rule_id, line.code) for line in aggregate.trace]


def test_retroactive_tier_by_count_is_one_true_up() -> None:
    steps = [{"from": 3, "percent": "15"}]
    tier = {"by": "count", "mode": "retroactive", "milestone": "won", "steps": steps}
    stored = store({"tiers": tier})
    stories = [win(stored, number) for number in range(3)]
    stored.settle_partner()
    assert {"true_up:lifetime": 15_000} == {
        key: reward.net_minor for key, reward in stored.partner_rewards().items()
    }
    assert [10_000] * 3 == [stored.rewards(s)["commission"].net_minor for s in stories]
    lose(stored, stories[1])
    stored.settle_partner()
    assert 0 == stored.partner_rewards()["true_up:lifetime"].net_minor
    assert_whole(stored)


def test_retroactive_tier_by_revenue_counts_within_its_period() -> None:
    tier = {
        "by": "revenue",
        "mode": "retroactive",
        "period": "quarter",
        "milestone": "won",
        "steps": [{"from": "3000.00", "percent": "12"}],
    }
    stored = store({"tiers": tier})
    win(stored, 1, "2000.00", at=START + DAY)
    win(stored, 2, "2000.00", at=START + 2 * DAY)
    win(stored, 3, "9000.00", at=START + 120 * DAY)
    stored.settle_partner()
    assert {"true_up:2026-Q1": 8_000, "true_up:2026-Q2": 18_000} == {
        key: reward.net_minor for key, reward in stored.partner_rewards().items()
    }


def test_prospective_tier_by_revenue_pins_where_the_deal_took_it() -> None:
    tier = {
        "by": "revenue",
        "milestone": "won",
        "steps": [{"from": "3000.00", "percent": "12"}],
    }
    stored = store({"tiers": tier})
    first, second = win(stored, 1, "2000.00"), win(stored, 2, "2000.00")
    assert 20_000 == stored.rewards(first)["commission"].net_minor
    assert 24_000 == stored.rewards(second)["commission"].net_minor
    lose(stored, first)
    assert 24_000 == stored.rewards(second)["commission"].net_minor


def test_bonuses_mature_like_other_rewards() -> None:
    stored = store({**EVERY_SECOND, "hold_days": 5})
    win(stored, 1)
    win(stored, 2)
    stored.settle_partner(now=START)
    done = mature_rewards(stored.ledger, now=START + 6 * DAY, new_id=stored.new_id, limit=100)
    assert 1 == done.released
    assert 7_000 == stored.partner_rewards()["count:2"].payable_minor
    assert_whole(stored)


# -- limits that many share -----------------------------------------------------------------------


def taken(stored: Stored, key: keys.Key) -> int:
    row = get(stored.client, CORE, key)
    return int(row["used"]) if row else 0


def test_partner_cap_cuts_in_the_order_of_commits_and_frees_room() -> None:
    cap = {"id": "life", "scope": "partner", "per": "lifetime", "limit": "150.00"}
    stored = store({}, caps=[cap])
    first, second = win(stored, 1), win(stored, 2)
    key = keys.partner_cap("ptr_1", "prg_1", "life", "lifetime")
    assert (10_000, 5_000, 15_000) == (
        stored.rewards(first)["commission"].net_minor,
        stored.rewards(second)["commission"].net_minor,
        taken(stored, key),
    )
    lose(stored, first)
    assert 5_000 == taken(stored, key)
    assert 5_000 == stored.rewards(second)["commission"].net_minor
    third = win(stored, 3)
    assert (10_000, 15_000) == (
        stored.rewards(third)["commission"].net_minor,
        taken(stored, key),
    )
    first.stage("won")
    stored.tell(first)
    stored.settle(first)
    assert "commission" in stored.rewards(first)
    assert (0, 15_000) == (stored.rewards(first)["commission"].net_minor, taken(stored, key))


def test_budget_denies_what_does_not_fit_whole() -> None:
    budget = {
        "id": "budget",
        "scope": "program",
        "per": "calendar_year",
        "limit": "150.00",
        "policy": "deny",
    }
    stored = store({}, caps=[budget])
    first, second, third = win(stored, 1), win(stored, 2), win(stored, 3, "500.00")
    assert [10_000, None, 5_000] == [
        reward.net_minor if (reward := stored.rewards(story).get("commission")) else None
        for story in (first, second, third)
    ]
    aggregate = stored.ledger.load(second.referral_id)
    assert aggregate is not None
    assert ["capped_budget"] == [line.code for line in aggregate.trace]
    assert 15_000 == taken(stored, keys.program_cap("prg_1", "budget", "2026"))


def test_lower_amount_frees_room_and_a_higher_one_takes_it_again_until_it_is_cut() -> None:
    cap = {"id": "life", "scope": "partner", "per": "lifetime", "limit": "150.00"}
    stored = store({}, caps=[cap])
    story = win(stored, 1)
    told = (("400.00", 4_000), ("1400.00", 14_000), ("1600.00", 15_000), ("400.00", 4_000))
    for amount, expected in (*told, ("1400.00", 4_000)):
        story.amount(amount)
        stored.tell(story)
        stored.settle(story)
        assert expected == stored.rewards(story)["commission"].net_minor
    key = keys.partner_cap("ptr_1", "prg_1", "life", "lifetime")
    assert 4_000 == taken(stored, key)


def test_more_allowances_than_one_try_pins_are_all_pinned() -> None:
    cap = {"id": "life", "scope": "partner", "per": "lifetime", "limit": "100000.00"}
    every = {"occurrence": "every_invoice", "value": {"percent": "10", "of": "invoice_net"}}
    stored = store(every, caps=[cap])
    story = Story().submitted().reviewed("accepted").stage("won")
    stored.submit(story)
    for number in range(MAX_PINS + 5):
        data = {"invoice_id": f"I-{number}", "amount_net": "100.00", "currency": "USD"}
        story.add(facts.INVOICE_PAID, f"I-{number}", data)
        if number % 80 == 0:
            stored.tell(story)
    stored.tell(story)
    stored.settle(story)
    aggregate = stored.ledger.load(story.referral_id)
    assert aggregate is not None
    assert [1_000] * (MAX_PINS + 5) == [reward.net_minor for reward in aggregate.rewards]


# -- rates ----------------------------------------------------------------------------------------


def test_programme_rate_is_pinned_and_later_rates_change_nothing() -> None:
    stored = store({})
    story = Story().submitted().reviewed("accepted").amount("100.00", "EUR").stage("won")
    stored.submit(story)
    stored.settle(story)
    assert "commission" not in stored.rewards(story)
    rows = {"2026-01-01": "1.10", "2026-01-04": "1.20", "2026-02-01": "9.00"}
    for day, rate in rows.items():
        pk, sk = keys.fx_rate("prg_1", "EUR", day)
        row = {"pk": {"S": pk}, "sk": {"S": sk}, "rate": {"S": rate}, "on": {"S": day}}
        stored.client.put_item(TableName=CORE, Item=row)
    found = rate_on(stored.client, CORE, "prg_1", "EUR", START.date())
    assert ("1.20", "2026-01-04") == found
    stored.settle(story)
    assert 1_200 == stored.rewards(story)["commission"].net_minor
    story.amount("200.00", "EUR", at=START + 60 * DAY)
    stored.tell(story)
    stored.settle(story)
    assert 2_400 == stored.rewards(story)["commission"].net_minor


def told(stored: Stored) -> int:
    """Return how often somebody was told to look at the partner's file."""
    rows = [row for row in stored.client.dump()[CORE] if row["pk"].startswith("OUT#")]
    return sum('"type":"partner"' in row["envelope"].replace(" ", "") for row in rows)


def test_a_referral_that_leaves_terms_with_a_bonus_tells_the_partners_file() -> None:
    """The partner is still judged under terms that count it, whatever judges the referral now."""
    stored = store(EVERY_SECOND)
    stories = [win(stored, number) for number in range(2)]
    stored.settle_partner()
    plain = {"definition": json.dumps(definition({}))}
    moved = update(CORE, keys.referral(stories[0].referral_id), assign={"terms_version": 2})
    transact(stored.client, [put(CORE, keys.terms("prg_1", 2), plain), moved])
    before = told(stored)
    stored.settle(stories[0])
    assert 1 == told(stored) - before
    stored.settle_partner()
    assert 0 == stored.partner_rewards()["count:2"].net_minor

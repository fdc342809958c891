"""Simulated terms against what the ledger posts under the same terms."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.domain.simulation import Found, Reader, collect, paid_for, written
from shared.domain.simulation_report import Report, merge
from shared.domain.terms_reader import parse_terms
from tests.builders.ledger import Stored
from tests.builders.money import DAY, START, Story

if TYPE_CHECKING:
    from datetime import date

ALWAYS = {"since": START - 400 * DAY, "until": START + 4_000 * DAY}
COMMISSION: dict[str, Any] = {
    "id": "commission",
    "beneficiary": "partner",
    "milestone": "won",
    "kind": "cash",
    "value": {"percent": "10", "of": "deal_amount"},
}
TIER = {"by": "count", "milestone": "won", "steps": [{"from": 3, "percent": "20"}]}


def no_rate(_currency: str, _on: date) -> None:
    return None


def definition(*rules: dict[str, Any], **top: Any) -> dict[str, Any]:  # noqa: ANN401 - any field
    return {"name": "t", "rules": [{**COMMISSION, **rule} for rule in rules], **top}


def deal(number: int, amount: str, *, day: int = 0, partner_id: str = "ptr_1") -> Story:
    start = START + day * DAY
    story = Story(
        referral_id=f"ref_{number}", deal_id=f"D-{number}", partner_id=partner_id, start=start
    )
    return story.submitted().reviewed("accepted").amount(amount).stage("won")


def history(paid_by: dict[str, Any], *stories: Story) -> Stored:
    stored = Stored(paid_by)
    for partner_id in {story.partner_id for story in stories if story.partner_id}:
        stored.enrol(partner_id)
    for story in stories:
        stored.submit(story)
        stored.settle(story)
    for partner_id in {story.partner_id for story in stories if story.partner_id}:
        stored.settle_partner(partner_id)
    return stored


def found_in(stored: Stored, draft: dict[str, Any], *stories: Story) -> list[Found]:
    terms = parse_terms(draft, currency="USD")
    founds = []
    for story in stories:
        aggregate = stored.ledger.load(story.referral_id)
        assert aggregate is not None
        founds.append(collect(terms, aggregate, no_rate))
    return founds


def simulate(stored: Stored, draft: dict[str, Any], *stories: Story, **period: Any) -> Report:  # noqa: ANN401
    partners = {story.partner_id for story in stories if story.partner_id}
    files = [stored.ledger.load_partner(partner_id, "prg_1") for partner_id in sorted(partners)]
    return merge(
        parse_terms(draft, currency="USD"),
        found_in(stored, draft, *stories),
        [paid for file in files if file for paid in paid_for(file.rewards)],
        **{**ALWAYS, **period},
    )


CAP = {"id": "life", "scope": "partner", "per": "lifetime", "limit": "250.00"}
BUDGET = {"id": "budget", "scope": "program", "per": "calendar_year", "limit": "450.00"}
PAIR = {"id": "pair", "occurrence": "every_nth", "nth": 2, "value": {"fixed": "70.00"}}
STAR = {"id": "star", "occurrence": "at_counts", "counts": [1, 3], "value": {"fixed": "9.00"}}
RETRO = {**TIER, "mode": "retroactive", "period": "calendar_year"}
BY_REVENUE = {
    "by": "revenue",
    "milestone": "won",
    "period": "quarter",
    "steps": [{"from": "1500.00", "percent": "12"}, {"from": "4000.00", "percent": "15"}],
}
SAME: dict[str, dict[str, Any]] = {
    "plain": definition({}),
    "tier by count": definition({"tiers": TIER}),
    "tier by revenue": definition({"tiers": BY_REVENUE}),
    "retroactive": definition({"tiers": RETRO}),
    "partner cap": definition({}, caps=[CAP]),
    "partner cap denies": definition({}, caps=[{**CAP, "policy": "deny"}]),
    "budget and cap": definition({}, caps=[BUDGET, CAP]),
    "successes": definition({}, PAIR, STAR),
    "engagement": definition(
        {"tiers": TIER}, PAIR, eligibility={"minimum_engagement": {"accepted_referrals": 1}}
    ),
    "two tiers": definition(
        {"tiers": TIER},
        {
            "id": "more",
            "value": {"fixed": "5.00"},
            "tiers": {**TIER, "steps": [{"from": 2, "fixed": "6.00"}]},
        },
    ),
}


@pytest.mark.parametrize("name", SAME)
def test_the_terms_that_paid_cost_what_they_paid(name: str) -> None:
    stories = [
        deal(number, amount, day=number, partner_id=f"ptr_{number % 2}")
        for number, amount in enumerate(
            ["1000.00", "700.00", "1500.00", "2000.00", "300.00", "999.99", "4000.00"], 1
        )
    ]
    stored = history(SAME[name], *stories)

    report = simulate(stored, SAME[name], *stories)

    assert report.paid_minor > 0
    assert report.paid_minor == report.simulated_minor
    assert all(line.simulated_minor == line.paid_minor for line in report.cost)
    assert (0, 0) == (report.winning, report.losing)
    assert (7, 2) == (report.referrals, report.partners)


def test_a_draft_is_told_against_what_was_paid() -> None:
    stories = [
        deal(1, "1000.00"),
        deal(2, "500.00", day=31, partner_id="ptr_2"),
        deal(3, "100.00", day=31, partner_id=""),
    ]
    stored = history(definition({}), *stories)
    draft = definition(
        {"value": {"percent": "5", "of": "deal_amount"}},
        {"id": "flat", "value": {"fixed": "40.00"}},
        {
            "id": "thanks",
            "beneficiary": "lead",
            "kind": "discount",
            "value": {"percent": "20", "worth": "3.00"},
        },
    )

    report = simulate(stored, draft, *stories)

    assert (5_000 + 2_500 + 8_000, 15_000, 900) == (
        report.simulated_minor,
        report.paid_minor,
        report.worth_minor,
    )
    assert [
        ("commission", "2026-01", 5_000, 10_000, 0, 0),
        ("commission", "2026-02", 2_500, 5_000, 0, 0),
        ("flat", "2026-01", 4_000, 0, 0, 0),
        ("flat", "2026-02", 4_000, 0, 0, 0),
        ("thanks", "2026-01", 0, 0, 1, 300),
        ("thanks", "2026-02", 0, 0, 2, 600),
    ] == [
        (
            line.rule_id,
            line.month,
            line.simulated_minor,
            line.paid_minor,
            line.benefits,
            line.worth_minor,
        )
        for line in report.cost
    ]
    assert [("ptr_2", 6_500, 5_000)] == [
        (line.partner_id, line.simulated_minor, line.paid_minor) for line in report.winners
    ]
    assert [("ptr_1", 9_000, 10_000)] == [
        (line.partner_id, line.simulated_minor, line.paid_minor) for line in report.losers
    ]


def test_only_the_period_is_told_but_all_of_history_decides_positions_and_room() -> None:
    stories = [deal(number, "1000.00", day=10 * number) for number in range(1, 5)]
    stored = history(definition({}), *stories)
    since = START + 25 * DAY

    tiered = simulate(stored, definition({"tiers": TIER}), *stories, since=since)
    capped = simulate(stored, definition({}, caps=[CAP]), *stories, since=since)

    assert (40_000, 20_000) == (tiered.simulated_minor, tiered.paid_minor)
    assert (5_000, 20_000) == (capped.simulated_minor, capped.paid_minor)
    assert [("life", "partner", "lifetime", 15_000, 2, 1)] == [
        (cap.cap_id, cap.scope, cap.period, cap.cut_minor, cap.rewards, cap.holders)
        for cap in capped.caps
    ]
    nothing = simulate(stored, definition({}), *stories, until=START)
    assert (0, 0, ()) == (nothing.simulated_minor, nothing.paid_minor, nothing.cost)


def test_positions_follow_the_order_of_events_and_not_of_arrival() -> None:
    stories = [deal(1, "1000.00", day=30), deal(2, "100.00", day=20), deal(3, "10.00", day=10)]
    stored = history(definition({"tiers": TIER}), *stories)

    report = simulate(stored, definition({"tiers": TIER}), *stories)

    assert 100_00 + 10_00 + 2_00 == report.paid_minor
    assert 200_00 + 10_00 + 1_00 == report.simulated_minor


def test_pins_of_other_terms_are_not_used() -> None:
    stories = [deal(1, "1000.00"), deal(2, "1000.00", day=1)]
    tight = {**CAP, "limit": "110.00"}
    stored = history(definition({}, caps=[tight]), *stories)

    report = simulate(stored, definition({}, caps=[{**CAP, "limit": "190.00"}]), *stories)

    assert (19_000, 11_000) == (report.simulated_minor, report.paid_minor)


def test_overrides_follow_the_draft() -> None:
    story = deal(1, "1000.00")
    pinned = next(fact for fact in story.facts if fact.kind == "terms_pinned")
    rates = {"commission": {"percent": "50", "level": "group"}}
    pinned.data["attributes"]["partner_group"] = "gold"
    pinned.data["overrides"] = rates  # type: ignore[index]
    stored = history(definition({}), story)
    override = {"level": "group", "match": "gold", "rule": "commission", "percent": "15"}

    without = simulate(stored, definition({}), story)
    with_it = simulate(stored, definition({}, overrides=[override]), story)

    assert (10_000, 15_000, 50_000) == (
        without.simulated_minor,
        with_it.simulated_minor,
        without.paid_minor,
    )


def test_a_referrals_own_rate_holds_under_a_draft_that_has_the_rule() -> None:
    story = deal(1, "1000.00").add("rate_set", "", {"rule": "commission", "percent": "15"})
    stored = history(definition({}), story)

    same = simulate(stored, definition({"value": {"fixed": "1.00"}}), story)
    other = simulate(stored, definition({"id": "renamed"}), story)

    assert (15_000, 15_000, 10_000) == (
        same.paid_minor,
        same.simulated_minor,
        other.simulated_minor,
    )


def test_foreign_amounts_use_the_programmes_rates() -> None:
    story = Story().submitted().reviewed("accepted").amount("100.00", "EUR").stage("won")
    stored = history(definition({}), story)
    aggregate = stored.ledger.load(story.referral_id)
    assert aggregate is not None
    terms = parse_terms(definition({}), currency="USD")

    (claim,) = collect(terms, aggregate, lambda _currency, on: ("1.20", on.isoformat())).claims

    assert (("ptr_1", ((0, 1_200),)),) == claim.parts
    assert () == collect(terms, aggregate, no_rate).claims


def test_a_deal_refunded_whole_keeps_the_step_of_its_place() -> None:
    stories = [deal(number, "1000.00", day=number) for number in range(1, 4)]
    refund = {"refund_id": "R", "of": "deal", "amount": "1000.00", "currency": "USD"}
    stories[2].add("refunded", "R", refund)
    kept = definition(
        {"value": {"fixed": "10.00"}, "tiers": {**TIER, "steps": [{"from": 2, "fixed": "20.00"}]}}
    )
    stored = history(kept, *stories)

    report = simulate(stored, kept, *stories)

    assert (5_000, 5_000) == (report.simulated_minor, report.paid_minor)


@given(
    name=st.sampled_from(sorted(SAME)),
    deals=st.lists(st.tuples(st.integers(0, 500_000), st.integers(1, 2)), min_size=1, max_size=6),
)
@settings(max_examples=40, deadline=None)
def test_any_history_in_order_costs_what_it_paid(name: str, deals: list[tuple[int, int]]) -> None:
    stories = [
        deal(number, f"{minor // 100}.{minor % 100:02d}", day=number, partner_id=f"ptr_{partner}")
        for number, (minor, partner) in enumerate(deals)
    ]
    stored = history(SAME[name], *stories)

    report = simulate(stored, SAME[name], *stories)

    assert all(line.simulated_minor == line.paid_minor for line in report.cost)


def test_what_is_written_is_read_as_it_was() -> None:
    stories = [deal(1, "1000.00"), deal(2, "10.00", day=1, partner_id="")]
    stored = history(SAME["two tiers"], *stories)
    founds = found_in(stored, SAME["two tiers"], *stories)
    reader = Reader()

    rows = json.loads(json.dumps([written(found) for found in founds]))

    assert founds == [reader.found(row) for row in rows]
    assert any(found.claims and found.counted and found.paid for found in founds)

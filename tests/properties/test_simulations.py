"""A simulation costs what the books hold under the same terms, and what a replay would post."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.adapters.dynamodb.books import movements_of_book
from shared.domain import books
from shared.domain import rewards as rewards_of
from shared.domain.simulation import collect, paid_for
from shared.domain.simulation_report import Report, merge
from shared.domain.terms_reader import parse_terms
from tests.builders.ledger import BOOKS, Stored
from tests.builders.money import DAY, START, Story

if TYPE_CHECKING:
    from collections.abc import Iterable

PERIOD = {"since": START - 400 * DAY, "until": START + 4_000 * DAY}
PARTNERS = ("ptr_1", "ptr_2")
RULE: dict[str, Any] = {
    "id": "commission",
    "beneficiary": "partner",
    "milestone": "won",
    "kind": "cash",
    "value": {"percent": "10", "of": "deal_amount"},
    "refund": "pro_rata",
}
PAIR = {**RULE, "id": "pair", "occurrence": "every_nth", "nth": 2, "value": {"fixed": "70.00"}}
STAR = {**RULE, "id": "star", "occurrence": "at_counts", "counts": [1, 3], "value": {"fixed": "9"}}
GIFT = {
    **PAIR,
    "id": "gift",
    "kind": "free_period",
    "value": {"quantity": 1, "unit": "month", "worth": "60.00"},
}
MONTHS = {**RULE, "id": "months", "kind": "free_period", "value": GIFT["value"]}
LEAD = {
    **RULE,
    "id": "thanks",
    "beneficiary": "lead",
    "kind": "credit",
    "value": {"fixed": "11.00"},
}
STEPS = [{"from": 2, "percent": "20"}, {"from": 4, "percent": "25"}]
TIER = {"by": "count", "milestone": "won", "steps": STEPS}
RETRO = {**TIER, "mode": "retroactive", "period": "calendar_year"}
LIFE = {"id": "life", "scope": "partner", "per": "lifetime", "limit": "250.00"}
YEAR = {"id": "year", "scope": "program", "per": "calendar_year", "limit": "450.00"}
ENGAGED = {"minimum_engagement": {"accepted_referrals": 1}}
MONTH = {"id": "month", "scope": "partner", "per": "month", "limit": "90.00"}


def terms(*rules: dict[str, Any], **top: object) -> dict[str, Any]:
    return {"name": "T", "rules": list(rules), **top}


CAPPED: dict[str, dict[str, Any]] = {
    "bonuses under a cap": terms(RULE, PAIR, STAR, caps=[LIFE]),
    "bonuses denied": terms(RULE, PAIR, caps=[{**LIFE, "policy": "deny"}]),
    "bonuses under a budget": terms(RULE, PAIR, LEAD, caps=[YEAR, MONTH]),
    "benefits under a cap": terms(RULE, GIFT, MONTHS, caps=[LIFE]),
    "a true-up under a cap": terms({**RULE, "tiers": RETRO}, caps=[LIFE]),
    "a true-up under two caps": terms({**RULE, "tiers": RETRO}, LEAD, caps=[YEAR, MONTH]),
}
FREE: dict[str, dict[str, Any]] = {
    "plain": terms(RULE, LEAD),
    "a tier": terms({**RULE, "tiers": TIER}),
    "a true-up": terms({**RULE, "tiers": RETRO}, PAIR),
    "bonuses": terms(RULE, PAIR, STAR, GIFT),
    "engagement": terms({**RULE, "tiers": TIER}, PAIR, LEAD, eligibility=ENGAGED),
}
ALL = {**FREE, **CAPPED}


@dataclass(frozen=True, kw_only=True)
class Deal:
    """One deal of a history: ``refund`` and ``lost`` come before the next deal, or at the end."""

    minor: int
    partner: int
    refund: int = 0
    lost: bool = False


def deals(*, fates: bool) -> st.SearchStrategy[list[Deal]]:
    one = st.builds(
        Deal,
        # Small ones leave room under caps for those that follow.
        minor=st.one_of(st.integers(0, 30_000), st.integers(0, 300_000)),
        partner=st.integers(0, 2),
        refund=st.integers(0, 100_000) if fates else st.just(0),
        lost=st.booleans() if fates else st.just(value=False),
    )
    return st.lists(one, min_size=1, max_size=6)


def text(minor: int) -> str:
    return f"{minor // 100}.{minor % 100:02d}"


def told(number: int, deal: Deal) -> Story:
    """Returns the story of a deal up to its success; partner 0 is nobody."""
    story = Story(
        referral_id=f"ref_{number}",
        deal_id=f"D-{number}",
        partner_id=PARTNERS[deal.partner - 1] if deal.partner else "",
        start=START + 9 * number * DAY,
    )
    return story.submitted().reviewed("accepted").amount(text(deal.minor)).stage("won")


def fate(story: Story, deal: Deal) -> None:
    refund = min(deal.refund, deal.minor)
    if refund:
        data = {"refund_id": "R", "of": "deal", "amount": text(refund), "currency": "USD"}
        story.add("refunded", "R", data)
    if deal.lost:
        story.stage("lost")


def opened(definition: dict[str, Any]) -> Stored:
    stored = Stored(definition)
    for partner_id in PARTNERS:
        stored.enrol(partner_id)
    return stored


def settle(stored: Stored, story: Story) -> None:
    """Posts a referral, and its partner's bonuses, at the moment of its last fact."""
    now = story.facts[-1].occurred_at
    stored.settle(story, now)
    if story.partner_id:
        stored.settle_partner(story.partner_id, now)


def simulated(stored: Stored, definition: dict[str, Any], stories: Iterable[Story]) -> Report:
    draft = parse_terms(definition, currency="USD")
    aggregates = [stored.ledger.load(story.referral_id) for story in stories]
    files = [stored.ledger.load_partner(partner_id, "prg_1") for partner_id in PARTNERS]
    return merge(
        draft,
        [collect(draft, each, lambda _currency, _on: None) for each in aggregates if each],
        [paid for file in files if file for paid in paid_for(file.rewards)],
        **PERIOD,
    )


def in_books(stored: Stored) -> int:
    """Returns what all books hold together, from their movements alone."""
    total = 0
    for holder_id in (*PARTNERS, "led_1"):
        rows = movements_of_book(stored.client, BOOKS, holder_id, "prg_1")
        total -= sum(
            amount for account, amount in books.fold(rows).items() if account.startswith("expense|")
        )
    return total


def issued(stored: Stored, stories: Iterable[Story]) -> dict[str, int]:
    """Returns how many benefits stand, by rule."""
    aggregates = [stored.ledger.load(story.referral_id) for story in stories]
    files = [stored.ledger.load_partner(partner_id, "prg_1") for partner_id in PARTNERS]
    rewards = [reward for each in (*aggregates, *files) if each for reward in each.rewards]
    return dict(
        Counter(reward.rule_id for reward in rewards if reward.benefit_state == rewards_of.ISSUED)
    )


def benefits(report: Report) -> dict[str, int]:
    return {rule: found[2] for rule, found in by_rule(report).items() if found[2]}


def by_rule(report: Report) -> dict[str, tuple[int, int, int]]:
    """Returns what each rule costs, what it was paid, and how many benefits it gave."""
    found: dict[str, tuple[int, int, int]] = {}
    for line in report.cost:
        cost, paid, benefits = found.get(line.rule_id, (0, 0, 0))
        found[line.rule_id] = (
            cost + line.simulated_minor,
            paid + line.paid_minor,
            benefits + line.benefits,
        )
    return found


@pytest.mark.parametrize("name", sorted(ALL))
@given(history=deals(fates=False))
@settings(max_examples=8, deadline=None)
def test_the_published_terms_cost_what_the_books_hold(name: str, history: list[Deal]) -> None:
    stored = opened(ALL[name])
    stories = [told(number, deal) for number, deal in enumerate(history)]
    for story in stories:
        stored.submit(story)
        settle(stored, story)

    report = simulated(stored, ALL[name], stories)

    assert in_books(stored) == report.paid_minor == report.simulated_minor
    assert all(line.simulated_minor == line.paid_minor for line in report.cost)
    assert () == report.affected
    assert issued(stored, stories) == benefits(report)


def small(*amounts: int) -> list[Deal]:
    return [Deal(minor=minor, partner=1) for minor in amounts]


@pytest.mark.parametrize(
    ("definition", "history"),
    [
        # A true-up takes room as it grows, and only for what it grew by.
        (
            terms({**RULE, "tiers": RETRO}, caps=[{**LIFE, "limit": "130.00"}]),
            small(*[10_000] * 6),
        ),
        # A benefit that does not fit whole leaves the room to what comes after it.
        (terms(MONTHS, RULE, caps=[{**LIFE, "limit": "70.00"}]), small(0, 10_000)),
    ],
)
def test_room_is_taken_as_the_books_take_it(
    definition: dict[str, Any], history: list[Deal]
) -> None:
    stored = opened(definition)
    stories = [told(number, deal) for number, deal in enumerate(history)]
    for story in stories:
        stored.submit(story)
        settle(stored, story)

    report = simulated(stored, definition, stories)

    assert report.caps
    assert in_books(stored) == report.paid_minor == report.simulated_minor > 0
    assert issued(stored, stories) == benefits(report)


@pytest.mark.parametrize("name", ["plain", "bonuses"])
@given(history=deals(fates=True))
@settings(max_examples=12, deadline=None)
def test_what_was_taken_back_costs_nothing(name: str, history: list[Deal]) -> None:
    """Without limits and places that others gave up, also what was refunded or lost adds up."""
    stored = opened(FREE[name])
    stories = [told(number, deal) for number, deal in enumerate(history)]
    for story, deal in zip(stories, history, strict=True):
        stored.submit(story)
        settle(stored, story)
        fate(story, deal)
        stored.tell(story)
        settle(stored, story)

    report = simulated(stored, FREE[name], stories)

    assert in_books(stored) == report.paid_minor == report.simulated_minor
    assert () == report.affected


@pytest.mark.parametrize("name", sorted(ALL))
@given(history=deals(fates=True), live=st.sampled_from(sorted(ALL)))
@settings(max_examples=8, deadline=None)
def test_a_draft_costs_what_a_full_replay_posts(name: str, history: list[Deal], live: str) -> None:
    """History went its way under other terms; the replay knows from the start how it ended."""
    stored, replay = opened(ALL[live]), opened(ALL[name])
    stories = [told(number, deal) for number, deal in enumerate(history)]
    for story in stories:
        stored.submit(story)
        settle(stored, story)
    for story, deal in zip(stories, history, strict=True):
        fate(story, deal)
        stored.tell(story)
        settle(stored, story)
    for story in stories:
        replay.submit(story)
        settle(replay, story)

    report = simulated(stored, ALL[name], stories)

    assert in_books(stored) == report.paid_minor
    assert in_books(replay) == report.simulated_minor
    assert issued(replay, stories) == benefits(report)
    wanted = by_rule(simulated(replay, ALL[name], stories))
    found = by_rule(report)
    rules = {rule["id"] for rule in ALL[name]["rules"]}
    assert {rule: wanted.get(rule, (0, 0, 0))[1] for rule in rules} == {
        rule: found.get(rule, (0, 0, 0))[0] for rule in rules
    }

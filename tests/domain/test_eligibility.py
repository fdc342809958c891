"""Who may earn: documents, categories, introductions of oneself, minimum engagement."""

from __future__ import annotations

from datetime import timedelta
from itertools import permutations
from typing import Any

import pytest

from shared.domain import facts
from shared.domain.eligibility import ENGAGEMENT
from shared.domain.entitlements import Parties, read_shares
from shared.domain.evaluation import Evaluation, evaluate
from shared.domain.simulation import with_terms
from shared.domain.terms_reader import parse_terms
from tests.builders.money import DAY, START, Story

COMMISSION: dict[str, Any] = {
    "id": "commission",
    "beneficiary": "partner",
    "milestone": "won",
    "kind": "cash",
    "value": {"percent": "10", "of": "deal_amount"},
}
THANKS = {**COMMISSION, "id": "thanks", "beneficiary": "lead", "value": {"fixed": "25.00"}}
GIVEN = {
    **COMMISSION,
    "id": "given",
    "beneficiary": "cause",
    "kind": "donation",
    "value": {"fixed": "5.00"},
}
PAIR = {
    **COMMISSION,
    "id": "pair",
    "occurrence": "every_nth",
    "nth": 2,
    "value": {"fixed": "70.00"},
}
TIERED = {
    **COMMISSION,
    "id": "tiered",
    "tiers": {"by": "count", "milestone": "won", "steps": [{"from": 2, "percent": "20"}]},
}
BOTH = ["agreement", "code_of_conduct"]
OFFICIAL = "public_official"
BLOCKED = ["public_official", "own_staff", "buyer_staff"]
ALL = {"commission": "granted", "thanks": "granted", "given": "granted"}


def told(*, partners: dict[str, Any] | None = None, declared: tuple[str, ...] = ()) -> Story:
    """A deal of 1,000.00 that was submitted with these pins, accepted and won."""
    story = Story()
    story.add(facts.SUBMITTED, "", {}, at=START)
    shares = [{"partner_id": "ptr_1", "role": "introducer", "basis_points": 10_000}]
    pinned = {
        "version": 1,
        "shares": shares,
        "attributes": {"cause": "trees"},
        "partners": partners or {},
        "declared": list(declared),
    }
    story.add(facts.TERMS_PINNED, "", pinned, at=START)
    return story.reviewed("accepted").amount("1000.00").stage("won")


def shared(story: Story, *, partners: dict[str, Any] | None = None) -> Story:
    """The same, with a fifth of it for somebody else from the start."""
    shares = [
        {"partner_id": "ptr_1", "role": "introducer", "basis_points": 8_000},
        {"partner_id": "ptr_2", "role": "co_referrer", "basis_points": 2_000},
    ]
    data: dict[str, Any] = {"shares": shares, "retroactive": True}
    if partners:
        data["partners"] = partners
    return story.add(facts.SHARES_SET, "both", data, at=START + timedelta(minutes=1))


def declared(story: Story, *categories: str, after: timedelta = DAY) -> Story:
    data = {"categories": list(categories), "actor": "ann", "reason": "told"}
    name = f"{after}:{categories}"
    return story.add(facts.CATEGORIES_DECLARED, name, data, at=START + after)


def at_place(story: Story, position: int) -> Story:
    data = {"partner_id": "ptr_1", "key": ENGAGEMENT, "position": position}
    return story.add(facts.STANDING_PINNED, ENGAGEMENT, data, at=START)


def judged(story: Story, *rules: dict[str, Any], **eligibility: object) -> Evaluation:
    definition = {
        "name": "t",
        "rules": [*(rules or (COMMISSION, THANKS, GIVEN))],
        "eligibility": eligibility,
    }
    shares = read_shares(story.facts[1].data["shares"])
    terms = parse_terms(definition, currency="USD")
    return evaluate(terms, story.facts, Parties(lead_id="led_1", shares=shares))


def codes(evaluation: Evaluation) -> dict[str, str]:
    return {line.rule_id: line.code for line in evaluation.trace}


def held(evaluation: Evaluation) -> dict[str, int]:
    return {row.holder_id: row.amount_minor for row in evaluation.entitlements}


def test_terms_that_ask_nothing_pay_everybody() -> None:
    known = {"ptr_1": {"categories": BLOCKED, "self_referral": True}}

    assert codes(judged(told(partners=known, declared=(OFFICIAL,)))) == ALL


# -- documents ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("accepted", "required", "code"),
    [
        ([], BOTH, "agreement_missing"),
        (["code_of_conduct"], BOTH, "agreement_missing"),
        (["agreement"], BOTH, "code_of_conduct_missing"),
        (["agreement"], ["code_of_conduct"], "code_of_conduct_missing"),
        (["agreement"], ["agreement"], "granted"),
        (BOTH, BOTH, "granted"),
    ],
)
def test_a_partner_earns_only_after_accepting_what_the_terms_ask(
    accepted: list[str], required: list[str], code: str
) -> None:
    found = judged(told(partners={"ptr_1": {"accepted": accepted}}), required=required)

    # The cause is the partner's choice; what the new customer gets hangs on no partner.
    assert {"commission": code, "given": code, "thanks": "granted"} == codes(found)


def test_whoever_shares_anew_is_looked_at_anew() -> None:
    story = told()
    refused = judged(story, COMMISSION, required=BOTH)
    shared(story, partners={"ptr_1": {"accepted": BOTH}, "ptr_2": {"accepted": BOTH}})

    assert {} == held(refused)
    assert {"ptr_1": 8_000, "ptr_2": 2_000} == held(judged(story, COMMISSION, required=BOTH))


# -- who shares -----------------------------------------------------------------------------------


def test_the_part_of_whom_may_not_earn_goes_to_nobody() -> None:
    story = shared(told(partners={"ptr_1": {"accepted": BOTH}}))

    found = judged(story, COMMISSION, required=BOTH)

    assert {"ptr_1": 8_000} == held(found)
    (line,) = found.trace
    assert ("granted", "80.00", "ptr_2 agreement_missing") == (
        line.code,
        line.figures["amount"],
        line.figures["left_out"],
    )


def test_a_co_referrer_earns_beside_an_introducer_who_may_not() -> None:
    story = shared(told(), partners={"ptr_2": {"accepted": BOTH}}).position(0)

    found = judged(story, TIERED, PAIR, required=BOTH)

    # By the base value: it counts for nothing of the introducer's.
    assert ({"ptr_2": 2_000}, {}) == (held(found), found.contributions)


def test_benefits_are_left_out_too() -> None:
    licence = {**COMMISSION, "kind": "perk", "value": {"quantity": 1, "unit": "licence"}}
    story = shared(told(partners={"ptr_1": {"accepted": BOTH}}))

    assert ["ptr_1"] == [
        row.holder_id for row in judged(story, licence, required=BOTH).entitlements
    ]


def test_when_nobody_may_earn_the_rule_is_denied_with_every_reason() -> None:
    story = shared(told(partners={"ptr_2": {"accepted": ["agreement"]}}))

    (line,) = judged(story, COMMISSION, required=BOTH).trace

    assert ("denied", "agreement_missing") == (line.outcome, line.code)
    assert "ptr_1 agreement_missing, ptr_2 code_of_conduct_missing" == line.figures["left_out"]


# -- categories -----------------------------------------------------------------------------------


def test_a_partner_of_a_blocked_category_does_not_earn_and_the_lead_does() -> None:
    found = judged(told(partners={"ptr_1": {"categories": [OFFICIAL]}}), blocked=BLOCKED)

    assert {"commission": "blocked_category", "given": "blocked_category", "thanks": "granted"} == (
        codes(found)
    )
    assert OFFICIAL == found.trace[0].figures["own_category"]


def test_categories_that_are_not_blocked_change_nothing() -> None:
    known = {"ptr_1": {"categories": ["own_staff"]}}

    assert ALL == codes(judged(told(partners=known, declared=("own_staff",)), blocked=[OFFICIAL]))


def test_that_partner_and_lead_are_colleagues_is_no_figure_of_the_partners() -> None:
    known = {"ptr_1": {"categories": ["buyer_staff"]}}

    (line,) = judged(told(partners=known), COMMISSION, blocked=["buyer_staff"]).trace

    assert ("blocked_category", "buyer_staff") == (line.code, line.figures["category"])
    assert "own_category" not in line.figures


def test_what_is_declared_of_a_referral_pays_nobody() -> None:
    found = judged(told(declared=(OFFICIAL,)), blocked=BLOCKED)

    assert dict.fromkeys(ALL, "blocked_category") == codes(found)
    assert () == found.entitlements
    assert {} == judged(told(declared=(OFFICIAL,)), PAIR, TIERED, blocked=BLOCKED).contributions


def test_the_reviewer_has_the_last_word() -> None:
    known = {"ptr_1": {"categories": ["buyer_staff"]}}
    story = declared(told(partners=known, declared=(OFFICIAL,)))
    assert ALL == codes(judged(story, blocked=BLOCKED))

    declared(story, "own_staff", after=2 * DAY)
    found = judged(story, blocked=BLOCKED)
    assert dict.fromkeys(ALL, "blocked_category") == codes(found)
    assert ("own_staff", (story.facts[-1].fact_id,)) == (
        found.trace[0].figures["category"],
        found.trace[0].facts,
    )


def test_a_category_is_taken_back_however_late_we_hear_of_it() -> None:
    story = declared(told(), OFFICIAL, after=300 * DAY)
    terms = {"name": "t", "rules": [COMMISSION], "windows": {"clawback_days": 30}}
    read = parse_terms({**terms, "eligibility": {"blocked": [OFFICIAL]}}, currency="USD")
    shares = read_shares(story.facts[1].data["shares"])

    found = evaluate(read, story.facts, Parties(lead_id="led_1", shares=shares))

    assert () == found.entitlements


# -- oneself --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("policy", "expected"),
    [("deny", dict.fromkeys(ALL, "self_referral")), ("review", ALL), ("allow", ALL)],
)
def test_an_introduction_of_oneself_follows_the_policy(
    policy: str, expected: dict[str, str]
) -> None:
    story = told(partners={"ptr_1": {"self_referral": True}})

    assert expected == codes(judged(story, self_referral=policy))


def test_who_shares_in_an_introduction_of_themselves_loses_that_part_only() -> None:
    story = shared(told(partners={"ptr_2": {"self_referral": True}}))

    found = judged(story, COMMISSION, THANKS, self_referral="deny")

    assert {"ptr_1": 8_000, "led_1": 2_500} == held(found)
    assert "ptr_2 self_referral" == found.trace[0].figures["left_out"]


# -- engagement -----------------------------------------------------------------------------------

TWO = {"accepted_referrals": 2}


@pytest.mark.parametrize("position", [1, 2])
def test_the_first_accepted_referrals_earn_nothing(position: int) -> None:
    found = judged(at_place(told(), position), minimum_engagement=TWO)

    assert {
        "commission": "engagement_too_low",
        "given": "engagement_too_low",
        "thanks": "granted",
    } == codes(found)
    assert {"brought": str(position - 1), "needed": "2"} == found.trace[0].figures


def test_the_next_one_earns() -> None:
    assert ALL == codes(judged(at_place(told(), 3), minimum_engagement=TWO))


def test_the_place_is_asked_for_as_soon_as_a_referral_is_accepted() -> None:
    story = Story().submitted().reviewed("accepted")

    found = judged(story, COMMISSION, minimum_engagement=TWO)

    assert (frozenset({ENGAGEMENT}), {ENGAGEMENT: 1}) == (found.positions, found.contributions)


def test_the_place_is_asked_for_even_if_a_refund_came_first() -> None:
    refund = {"refund_id": "R-1", "of": "deal", "amount": "1000.00", "currency": "USD"}
    story = Story().submitted().amount("1000.00").add(facts.REFUNDED, "R-1", refund)
    story.reviewed("accepted")

    found = judged(story, COMMISSION, minimum_engagement=TWO)

    assert (frozenset({ENGAGEMENT}), {ENGAGEMENT: 1}) == (found.positions, found.contributions)


def test_the_engagement_is_that_of_the_introducer_also_for_who_shares() -> None:
    story = shared(told(), partners={"ptr_2": {"accepted": BOTH}})

    found = judged(story, COMMISSION, required=BOTH, minimum_engagement=TWO)

    # Whoever may not earn brings nothing that counts, so the place is that of who comes first.
    assert ({"commission": "position_not_pinned"}, frozenset({ENGAGEMENT}), {}) == (
        codes(found),
        found.positions,
        found.contributions,
    )
    at_place(story, 0)
    found = judged(story, COMMISSION, required=BOTH, minimum_engagement=TWO)
    assert {"commission": "engagement_too_low"} == codes(found)


def test_before_the_review_nothing_is_known() -> None:
    story = Story().submitted().amount("1000.00").stage("won")

    found = judged(story, COMMISSION, THANKS, minimum_engagement=TWO)

    assert {"commission": "review_pending", "thanks": "review_pending"} == codes(found)
    assert ["not_yet", "held"] == [line.outcome for line in found.trace]
    assert (frozenset(), {}) == (found.positions, found.contributions)


@pytest.mark.parametrize(
    ("partners", "eligibility"),
    [
        ({}, {"required": BOTH}),
        ({"ptr_1": {"categories": [OFFICIAL]}}, {"blocked": [OFFICIAL]}),
        ({"ptr_1": {"self_referral": True}}, {"self_referral": "deny"}),
        ({}, {"partner_kinds": ["reseller"]}),
    ],
)
def test_what_may_not_earn_anyway_is_no_engagement(
    partners: dict[str, Any], eligibility: dict[str, Any]
) -> None:
    found = judged(told(partners=partners), COMMISSION, minimum_engagement=TWO, **eligibility)

    assert ({}, frozenset()) == (found.contributions, found.positions)


@pytest.mark.parametrize(("position", "counted"), [(2, {}), (3, {"success:won": 1})])
def test_bonuses_count_from_the_first_referral_that_earns(
    position: int, counted: dict[str, int]
) -> None:
    found = judged(at_place(told(), position), PAIR, minimum_engagement=TWO)

    assert {ENGAGEMENT: 1, **counted} == found.contributions


def test_a_refund_of_the_whole_deal_leaves_an_accepted_referral_accepted() -> None:
    refund = {"refund_id": "R-1", "of": "deal", "amount": "1000.00", "currency": "USD"}
    story = at_place(told(), 1).add(facts.REFUNDED, "R-1", refund)

    assert {ENGAGEMENT: 1} == judged(story, PAIR, minimum_engagement=TWO).contributions


# -- order ----------------------------------------------------------------------------------------


def test_any_order_and_any_repetition_decide_alike() -> None:
    story = told(partners={"ptr_1": {"accepted": BOTH}}, declared=(OFFICIAL,))
    shared(story, partners={"ptr_2": {"accepted": BOTH, "categories": ["own_staff"]}})
    declared(story, "own_staff", after=DAY)
    declared(story, after=2 * DAY)
    at_place(story, 3)
    rules = (COMMISSION, THANKS, GIVEN, TIERED)
    asked: dict[str, Any] = {"required": BOTH, "blocked": BLOCKED, "minimum_engagement": TWO}
    expected = judged(story, *rules, **asked)
    first, told_of_the_deal, later = story.facts[:2], story.facts[2:5], story.facts[5:]
    assert expected.entitlements

    for order in permutations([*later, told_of_the_deal[0]]):
        story.facts = [*first, *order, order[0], order[-1], *told_of_the_deal]
        found = judged(story, *rules, **asked)
        assert (expected.entitlements, expected.trace) == (found.entitlements, found.trace)


def test_other_terms_judge_what_was_pinned_anew() -> None:
    story = told(partners={"ptr_1": {"accepted": ["agreement"], "categories": [OFFICIAL]}})
    before = codes(judged(story, COMMISSION))

    asked = [{"required": BOTH}, {"blocked": [OFFICIAL]}, {"required": ["agreement"]}]
    definition = {"name": "t", "rules": [COMMISSION]}
    found = []
    for eligibility in asked:
        terms = parse_terms({**definition, "eligibility": eligibility}, currency="USD")
        moved = with_terms(terms, story.facts, version=2)
        shares = read_shares(story.facts[1].data["shares"])
        parties = Parties(lead_id="led_1", shares=shares)
        found.append(codes(evaluate(terms, moved, parties))["commission"])

    assert {"commission": "granted"} == before
    assert ["code_of_conduct_missing", "blocked_category", "granted"] == found

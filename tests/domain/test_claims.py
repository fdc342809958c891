"""What a lead keeps of the referral that loses it, and what the next one gives no more."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from shared.domain import claims, facts
from shared.domain.claims import Claim
from shared.domain.evaluation import evaluate
from shared.domain.terms_reader import parse_terms
from tests.builders.money import DAY, START, Story, parties, referral

if TYPE_CHECKING:
    from shared.domain.terms import Terms

RULE: dict[str, Any] = {
    "id": "welcome",
    "beneficiary": "lead",
    "milestone": "accepted",
    "kind": "credit",
    "value": {"fixed": "20.00"},
}


def terms(*rules: dict[str, Any], **top: Any) -> Terms:  # noqa: ANN401 - any field
    return parse_terms({"name": "T", "rules": rules or (RULE,), **top}, currency="USD")


def accepted(**pinned: Any) -> Story:  # noqa: ANN401 - any attribute
    story = Story().submitted()
    data = {**story.facts[1].data, "attributes": pinned}
    story.add(facts.TERMS_PINNED, "again", data, at=START + timedelta(seconds=1))
    return story.reviewed("accepted")


def keeps(story: Story, found: Terms, review: str = "accepted") -> bool:
    return claims.keeps_lead_rewards(referral(review=review), story.facts, found)


def test_a_claim_is_protected_before_its_end_and_not_at_it() -> None:
    claim = Claim(referral_id="ref_1", protected_until=START)

    assert [True, False, False] == [
        claim.is_protected(moment)
        for moment in (START - timedelta(microseconds=1), START, START + DAY)
    ]
    assert Claim(referral_id="ref_1").is_protected(START + 10_000 * DAY)


@pytest.mark.parametrize(("days", "end"), [(0, START), (180, START + 180 * DAY)])
def test_the_protection_counts_from_the_submission(days: int, end: object) -> None:
    found = terms(windows={"protection_days": days})

    assert end == claims.protected_until(found, START)


@pytest.mark.parametrize(
    ("review", "after"),
    [
        ("submitted", "expired"),
        ("in_review", "expired"),
        ("action_required", "expired"),
        ("accepted", "accepted"),
        ("rejected", "rejected"),
        ("withdrawn", "withdrawn"),
        ("expired", "expired"),
    ],
)
def test_only_an_open_review_ends(review: str, after: str) -> None:
    head = referral(review=review)

    left = claims.given_up(head, "ref_2")

    expected = replace(head, review=after, taken_over_by="ref_2", version=head.version + 1)
    assert expected == left


def test_what_is_granted_or_held_is_kept() -> None:
    assert keeps(accepted(), terms())
    story = accepted()
    story.add(facts.HOLD_PLACED, "hold", {"hold_id": "hld_1"})
    assert keeps(story, terms())


@pytest.mark.parametrize(
    "change",
    [
        {"milestone": "won"},
        {"beneficiary": "partner"},
        {"when": {"all": [{"field": "country", "op": "eq", "value": "FR"}]}},
    ],
)
def test_what_the_terms_do_not_give_is_not(change: dict[str, Any]) -> None:
    assert not keeps(accepted(), terms({**RULE, **change}))


def test_a_referral_that_is_not_accepted_keeps_nothing_for_the_lead() -> None:
    story = Story().submitted().reviewed("rejected")

    assert not keeps(story, terms(), review="rejected")


def test_a_limit_that_is_not_pinned_yet_counts_as_kept() -> None:
    """The run that pins it may come after the lead has passed on."""
    limited = terms(caps=[{"id": "all", "scope": "program", "per": "month", "limit": "100.00"}])

    assert "allowance_not_pinned" in {
        line.code for line in evaluate(limited, accepted().facts, parties("ptr_1")).trace
    }
    assert keeps(accepted(), limited)


def test_an_existing_customer_who_got_nothing_keeps_nothing() -> None:
    assert not keeps(accepted(existing_customer=True), terms())


def test_what_an_even_earlier_referral_gave_is_not_forgotten() -> None:
    story = Story().submitted()
    data = {**story.facts[1].data, "attributes": {"lead_rewarded": True}}
    story.add(facts.TERMS_PINNED, "again", data, at=START + timedelta(seconds=1))

    assert keeps(story, terms(), review="expired")


def test_a_rewarded_lead_gets_nothing_more_and_the_partner_does() -> None:
    rules = (RULE, {**RULE, "id": "bonus", "beneficiary": "partner"})

    found = evaluate(terms(*rules), accepted(lead_rewarded=True).facts, parties("ptr_1"))

    assert {"welcome": "lead_rewarded_before", "bonus": "granted"} == {
        line.rule_id: line.code for line in found.trace
    }
    assert ["bonus"] == [each.rule_id for each in found.entitlements]

"""Shares that one person sets move nothing that had counted before, whatever is told later."""

from __future__ import annotations

from itertools import permutations
from typing import TYPE_CHECKING, Any

import pytest

from shared.domain import facts
from shared.domain.evaluation import evaluate
from shared.domain.terms_reader import parse_terms
from tests.builders.money import DAY, START, Story, parties

if TYPE_CHECKING:
    from collections.abc import Callable

BASE = {"beneficiary": "partner", "kind": "cash", "value": {"fixed": "50.00"}}
RULES = [
    {**BASE, "id": "accepted", "milestone": "accepted"},
    {**BASE, "id": "won", "milestone": "won"},
    {**BASE, "id": "invoice", "milestone": "invoice_paid", "occurrence": "every_invoice"},
    {**BASE, "id": "renewal", "milestone": "renewed", "occurrence": "every_renewal"},
]
TERMS = parse_terms({"name": "t", "implies": {"renewed": ["won"]}, "rules": RULES}, currency="USD")


def holders(story: Story) -> dict[str, str]:
    found = evaluate(TERMS, story.facts, parties("ptr_1")).entitlements
    return {row.rule_id: row.holder_id for row in found}


def begun() -> Story:
    """A referral of ptr_1, accepted."""
    return Story().submitted().reviewed("accepted")


def given_away(story: Story) -> Story:
    rows = [{"partner_id": "ptr_2", "role": "introducer", "basis_points": 10_000}]
    return story.add(facts.SHARES_SET, "", {"shares": rows, "retroactive": False})


def milestone(story: Story, name: str, **at: Any) -> Story:  # noqa: ANN401 - a moment
    return story.add(facts.MILESTONE_REACHED, name, {"milestone": name}, **at)


def invoice(story: Story, **at: Any) -> Story:  # noqa: ANN401 - a moment
    data = {"invoice_id": "I-1", "amount_net": "9.00", "currency": "USD"}
    return story.add(facts.INVOICE_PAID, "I-1", data, **at)


def renewal(story: Story, **at: Any) -> Story:  # noqa: ANN401 - a moment
    return story.add(facts.RENEWED, "N-1", {"renewal_id": "N-1"}, **at)


def earlier(tell: Callable[..., Story], story: Story, *names: str) -> Story:
    """Tells it again, a day before, and received after all else."""
    return tell(story, *names, at=START + DAY / 48, received_at=START + 9 * DAY)


def test_an_earlier_date_told_later_moves_no_share() -> None:
    won = earlier(milestone, given_away(milestone(begun(), "won")), "won")
    paid = earlier(invoice, given_away(invoice(begun())))
    renewed = earlier(renewal, given_away(renewal(begun())))

    assert "ptr_1" == holders(won)["won"]
    assert "ptr_1" == holders(paid)["invoice"]
    assert {"renewal": "ptr_1", "won": "ptr_1", "accepted": "ptr_1"} == holders(renewed)


def test_a_deal_that_was_lost_and_won_again_stays_with_who_had_won_it() -> None:
    story = given_away(begun().stage("won").stage("lost")).stage("won")

    assert "ptr_1" == holders(story)["won"]


def test_a_review_that_is_taken_again_moves_no_share() -> None:
    story = given_away(begun()).reviewed("rejected").reviewed("accepted")

    assert {"accepted": "ptr_1"} == holders(story)


@pytest.mark.parametrize("tell", [invoice, renewal])
def test_what_counts_first_afterwards_has_the_new_shares(tell: Callable[..., Story]) -> None:
    found = holders(tell(given_away(milestone(begun(), "won"))))

    assert {"accepted": "ptr_1", "won": "ptr_1"} == {
        name: found[name] for name in ("accepted", "won")
    }
    assert "ptr_2" == found["invoice" if tell is invoice else "renewal"]


def test_what_happened_before_the_introduction_never_counted() -> None:
    story = begun().stage("won", at=START - DAY, received_at=START + DAY / 48)
    given_away(story).stage("lost").stage("won")

    assert "ptr_2" == holders(story)["won"]


def test_what_two_persons_took_back_was_never_heard() -> None:
    story = milestone(begun(), "won")
    wrong = story.facts[-1]
    given_away(story)
    taken_back = Story(start=START + DAY).add(facts.FACT_RETRACTED, "", {}).facts[0]
    story.facts.append(
        type(wrong)(
            fact_id=taken_back.fact_id,
            kind=taken_back.kind,
            occurred_at=taken_back.occurred_at,
            received_at=taken_back.received_at,
            source=taken_back.source,
            retracts=wrong.fact_id,
        )
    )
    milestone(story, "won", at=START + 2 * DAY)

    assert "ptr_2" == holders(story)["won"]


def test_the_order_of_the_facts_moves_no_share() -> None:
    story = earlier(milestone, given_away(milestone(begun(), "won")), "won")

    for mixed in permutations(story.facts):
        found = evaluate(TERMS, mixed, parties("ptr_1")).entitlements
        assert {"ptr_1"} == {row.holder_id for row in found}

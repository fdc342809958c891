"""After its protection a lead may pass to another partner, if nothing has come of it."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from shared.adapters.dynamodb import keys
from shared.adapters.dynamodb.referrals import fact_row
from shared.adapters.dynamodb.transactions import put, transact, update
from shared.domain import facts as kinds
from shared.domain.aggregate import Aggregate
from shared.domain.entitlements import Parties, shares_of
from shared.domain.errors import ConflictError
from shared.domain.evaluation import evaluate
from shared.domain.facts import Fact
from shared.domain.migration import pinned_fact
from shared.domain.terms_reader import parse_terms
from shared.usecases.submit_referral import CREATED, REPEATED
from tests.builders.heirs import CLAIM, END, Heirs
from tests.builders.intake import CORE, NOW, VAULT, click_token, link, partner, submission
from tests.builders.money import WORKED_EXAMPLE

if TYPE_CHECKING:
    from collections.abc import Mapping

    from shared.domain.terms import Terms

SECOND = timedelta(seconds=1)
BONUS: dict[str, Any] = {
    "id": "welcome",
    "beneficiary": "lead",
    "milestone": "accepted",
    "kind": "credit",
    "value": {"fixed": "20.00"},
}


@pytest.fixture
def world() -> Heirs:
    return Heirs()


def tell(world: Heirs, referral_id: str, kind: str, data: Mapping[str, Any]) -> None:
    """Adds a fact behind everybody's back."""
    fact = Fact(
        fact_id=f"fct_{kind}", kind=kind, occurred_at=NOW, received_at=NOW, source="x", data=data
    )
    transact(world.client, [put(CORE, keys.fact(referral_id, fact.fact_id), fact_row(fact))])


def test_another_partner_gets_a_lead_whose_protection_is_over(world: Heirs) -> None:
    old = world.first()

    received = world.refer("otto")

    assert CREATED == received.outcome
    assert received.referral_id != old
    assert world.holder() == received.referral_id
    assert "ptr_otto" == world.head(received.referral_id).partner_id
    earlier = world.head(old)
    assert ("ptr_pia", "expired", received.referral_id, 2) == (
        earlier.partner_id,
        earlier.review,
        earlier.taken_over_by,
        earlier.version,
    )
    assert old == world.pinned(received.referral_id)["earlier_referral_id"]
    (decided,) = [fact for fact in world.facts(old) if fact.kind == kinds.REVIEW_DECIDED]
    assert ("expired", "expire", "terms", END) == (
        decided.data["state"],
        decided.data["decision"],
        decided.data["actor"],
        decided.occurred_at,
    )
    assert [
        (old, ["submitted", "terms_pinned"]),
        (received.referral_id, ["submitted", "terms_pinned"]),
        (old, ["review_decided"]),
    ] == world.events()
    assert [] == [row for row in world.rows("REF#") if row["sk"].startswith("REPEAT#")]
    assert 2 == len(world.rows("PII#", VAULT))


def test_a_lead_is_protected_to_the_last_moment(world: Heirs) -> None:
    old = world.first()

    received = world.refer("otto", now=END - timedelta(microseconds=1))

    assert (old, REPEATED) == (received.referral_id, received.outcome)
    assert ("submitted", "", 1) == (
        world.head(old).review,
        world.head(old).taken_over_by,
        world.head(old).version,
    )


def test_the_next_holder_is_protected_in_turn(world: Heirs) -> None:
    world.first()
    second = world.refer("otto").referral_id

    within = world.refer("cas", now=END + timedelta(days=180) - SECOND)
    after = world.refer("cas", now=END + timedelta(days=180))

    assert second == within.referral_id
    assert second != after.referral_id == world.holder()
    assert after.referral_id == world.head(second).taken_over_by


def test_the_days_are_those_that_the_holder_accepted(world: Heirs) -> None:
    world.publish(1, {"windows": {"protection_days": 10}})
    world.publish(2, {"windows": {"protection_days": 1_000}})
    old = world.first()

    assert old == world.refer("otto", now=NOW + timedelta(days=10) - SECOND).referral_id
    assert old != world.refer("otto", now=NOW + timedelta(days=10)).referral_id


def test_a_lead_of_nobody_is_protected_as_the_newest_terms_say(world: Heirs) -> None:
    world.publish(2, {"windows": {"protection_days": 10}})
    old = world.first("")

    assert old == world.refer("otto", now=NOW + timedelta(days=10) - SECOND).referral_id
    received = world.refer("otto", now=NOW + timedelta(days=10))

    assert "ptr_otto" == world.head(received.referral_id).partner_id
    assert "expired" == world.head(old).review


@pytest.mark.parametrize("who", ["pia", "", "no-such"])
def test_it_takes_another_partner(world: Heirs, who: str) -> None:
    old = world.first()

    received = world.refer(who)

    assert (old, REPEATED) == (received.referral_id, received.outcome)
    assert "submitted" == world.head(old).review


def test_whoever_shares_in_a_lead_does_not_take_it_over(world: Heirs) -> None:
    world.publish(2, {"attribution": {"split": "equal"}})
    old = world.first("", codes=("pia-code", "otto-code"), code="")

    assert old == world.refer("otto").referral_id == world.refer("pia").referral_id
    assert old != world.refer("cas").referral_id


def test_whoever_was_given_a_share_does_not_either(world: Heirs) -> None:
    old = world.first("")
    share = {"partner_id": "ptr_otto", "role": "introducer", "basis_points": 10_000}
    tell(world, old, kinds.SHARES_SET, {"shares": [share], "retroactive": False})

    assert old == world.refer("otto").referral_id
    assert old != world.refer("cas").referral_id


@pytest.mark.parametrize(
    ("decision", "review", "told"),
    [("accept", "accepted", ["lead_passed_on"]), ("reject", "rejected", [])],
)
def test_what_was_decided_stays_decided(
    world: Heirs, decision: str, review: str, told: list[str]
) -> None:
    old = world.first()
    world.review(old, decision)
    before = {fact.fact_id for fact in world.facts(old)}

    received = world.refer("otto")

    assert received.referral_id == world.head(old).taken_over_by == world.holder()
    after = [fact.kind for fact in world.facts(old) if fact.fact_id not in before]
    assert (review, told) == (world.head(old).review, after)
    assert [(old, told)] * len(told) == world.events()[3:]


def test_a_review_that_asked_for_more_expires_too(world: Heirs) -> None:
    old = world.first()
    world.review(old, "request_action")

    world.refer("otto")

    assert "expired" == world.head(old).review


def test_a_deal_keeps_its_lead_for_good(world: Heirs) -> None:
    old = world.first()
    transact(
        world.client,
        [update(CORE, keys.referral(old), assign={"deal_id": "D-1", "source_id": "src_1"})],
    )

    assert old == world.refer("otto", now=END + timedelta(days=3_650)).referral_id


@pytest.mark.parametrize(
    "kind",
    [
        kinds.STAGE_ENTERED,
        kinds.MILESTONE_REACHED,
        kinds.AMOUNT_SET,
        kinds.FIELD_SET,
        kinds.INVOICE_PAID,
        kinds.REFUNDED,
        kinds.DEAL_ENDED,
    ],
)
def test_whatever_was_told_of_a_deal_keeps_the_lead_too(world: Heirs, kind: str) -> None:
    old = world.first()
    tell(world, old, kind, {"milestone": "meeting_held"})

    assert old == world.refer("otto").referral_id


@pytest.mark.parametrize("kind", [kinds.REGRADED, kinds.HOLD_PLACED, kinds.FACT_RETRACTED])
def test_what_says_nothing_of_a_deal_does_not(world: Heirs, kind: str) -> None:
    old = world.first()
    tell(world, old, kind, {"grade": "A", "hold_id": "hld_1"})

    assert old != world.refer("otto").referral_id


def test_evidence_behind_the_known_address_takes_nothing_over(world: Heirs) -> None:
    world.publish(2, {"attribution": {"order": ["code", "email", "click"]}})
    old = world.first()
    token = click_token(age=-timedelta(days=170), partner_id="ptr_otto", code="otto-code")

    assert old == world.refer("", click_id=token).referral_id
    assert old != world.refer("otto").referral_id


def test_a_trapped_form_takes_nothing_over(world: Heirs) -> None:
    old = world.first()

    world.refer("otto", trapped=True)

    assert old == world.holder()
    assert "submitted" == world.head(old).review


def test_a_claim_from_before_there_was_an_end_never_ends(world: Heirs) -> None:
    old = world.first()
    transact(world.client, [update(CORE, CLAIM, assign={}, remove=("protected_until",))])

    assert old == world.refer("otto", now=END + timedelta(days=3_650)).referral_id


def test_the_click_that_led_there_first_may_be_shared(world: Heirs) -> None:
    """The heir comes by a click that had brought another lead."""
    world.first()
    token = click_token(age=-timedelta(days=179), partner_id="ptr_otto", code="otto-code")
    other = world.submit(submission("other@lead.test", click_id=token), now=END).referral_id

    received = world.refer("", click_id=token)

    pointer = world.row(keys.touch("clk_1"))
    assert pointer is not None
    assert (other, True) == (pointer["referral_id"], pointer["shared"])
    assert received.referral_id == world.holder()


def test_a_referral_that_lost_its_lead_is_accepted_no_more(world: Heirs) -> None:
    old = world.first()
    world.refer("otto")

    with pytest.raises(ConflictError) as refused:
        world.review(old, "accept")

    assert "lead_taken_over" == refused.value.code
    assert "expired" == world.head(old).review


# -- what the lead gets ---------------------------------------------------------------------------


def lead_terms(world: Heirs, *rules: dict[str, Any]) -> None:
    for version in (1, 2):
        world.publish(version, {"rules": [*WORKED_EXAMPLE["rules"][:1], *rules]})


def is_rewarded(world: Heirs, referral_id: str) -> bool:
    return bool(world.pinned(referral_id)["attributes"].get("lead_rewarded", False))


@pytest.mark.parametrize(
    ("decision", "rule", "expected"),
    [
        ("accept", BONUS, True),
        ("accept", {**BONUS, "milestone": "submitted"}, True),
        # What only a deal would bring, the lead does not have.
        ("accept", {**BONUS, "milestone": "won"}, False),
        ("accept", {**BONUS, "beneficiary": "partner"}, False),
        ("reject", BONUS, False),
        ("", {**BONUS, "milestone": "submitted"}, False),
    ],
)
def test_a_lead_that_keeps_a_reward_gets_no_second_one(
    world: Heirs, decision: str, rule: dict[str, Any], *, expected: bool
) -> None:
    lead_terms(world, rule)
    old = world.first()
    if decision:
        world.review(old, decision)

    received = world.refer("otto")

    assert expected == is_rewarded(world, received.referral_id)


def test_the_third_referral_knows_what_the_first_one_gave(world: Heirs) -> None:
    lead_terms(world, BONUS)
    world.review(world.first(), "accept")
    second = world.refer("otto").referral_id

    third = world.refer("cas", now=END + timedelta(days=180)).referral_id

    assert [True, True] == [is_rewarded(world, each) for each in (second, third)]
    assert "expired" == world.head(second).review


def lead_rewards(world: Heirs, referral_id: str, terms: Terms, *more: Fact) -> list[str]:
    """What a referral gives the lead under these terms."""
    facts = [*world.facts(referral_id), *more]
    parties = Parties(lead_id="led_1", shares=shares_of(facts))
    entitled = evaluate(terms, facts, parties).entitlements
    return [each.rule_id for each in entitled if each.role == "lead"]


@pytest.mark.parametrize("clawback_days", [None, 0])
@pytest.mark.parametrize(
    ("before", "expected"), [((), [[], ["welcome"]]), ((BONUS,), [["welcome"], []])]
)
def test_moving_the_earlier_referral_to_other_terms_rewards_the_lead_no_second_time(
    world: Heirs,
    before: tuple[dict[str, Any], ...],
    expected: list[list[str]],
    clawback_days: int | None,
) -> None:
    lead_terms(world, *before)
    old = world.first()
    world.review(old, "accept")
    heir = world.refer("otto").referral_id
    world.review(heir, "accept", now=END)
    windows = {} if clawback_days is None else {"clawback_days": clawback_days}
    generous = parse_terms({"name": "t", "rules": [BONUS], "windows": windows}, currency="USD")

    def moved(referral_id: str) -> list[str]:
        aggregate = Aggregate(
            referral=world.head(referral_id), facts=tuple(world.facts(referral_id))
        )
        fact = pinned_fact(
            aggregate, generous, version=3, job_id="mig_1", actor="ann", now=END + timedelta(days=9)
        )
        assert fact
        return lead_rewards(world, referral_id, generous, fact)

    assert expected == [moved(old), moved(heir)]


def test_the_partner_of_a_suspended_account_is_flagged_and_takes_over(world: Heirs) -> None:
    world.first()
    world.save_partner(partner("ptr_otto", email_hmac="", status="suspended"))
    world.save_link(link("otto-code", "ptr_otto"))

    received = world.refer("otto")

    assert ("partner_suspended",) == world.head(received.referral_id).flags

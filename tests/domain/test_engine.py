"""The complete rule model: each feature by the rulings that settle it, to the cent."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from shared.domain import facts
from shared.domain.bases import Amounts
from shared.domain.evaluation import Evaluation, evaluate
from shared.domain.terms_reader import parse_terms
from tests.builders.money import DAY, START, Story, parties

if TYPE_CHECKING:
    from shared.domain.deal import Amount

BASE: dict[str, Any] = {
    "id": "rule",
    "beneficiary": "partner",
    "milestone": "won",
    "kind": "cash",
    "value": {"percent": "10", "of": "deal_amount"},
}


def judged(story: Story, rule: dict[str, Any], **top: Any) -> Evaluation:  # noqa: ANN401 - any field
    definition = {"name": "t", "rules": [{**BASE, **rule}], **top}
    terms = parse_terms(definition, currency="USD")
    return evaluate(terms, story.facts, parties(story.partner_id))


def amounts(evaluation: Evaluation) -> dict[str, int]:
    return {row.occurrence: row.amount_minor for row in evaluation.entitlements}


def codes(evaluation: Evaluation) -> dict[str, str]:
    return {row.occurrence: row.code for row in evaluation.trace}


def won(amount: str = "15000.00", **attributes: Any) -> Story:  # noqa: ANN401 - any attribute
    story = Story()
    story.add(facts.SUBMITTED, "", {}, at=START)
    shares = [{"partner_id": "ptr_1", "role": "introducer", "basis_points": 10_000}]
    pinned = {"version": 1, "shares": shares, "attributes": attributes}
    story.add(facts.TERMS_PINNED, "", pinned, at=START)
    return story.reviewed("accepted").amount(amount).stage("won")


def refund(story: Story, number: int, amount: str, of: str = "deal", **at: Any) -> Story:  # noqa: ANN401 - a moment
    data = {"refund_id": f"R-{number}", "of": of, "amount": amount, "currency": "USD"}
    return story.add(facts.REFUNDED, f"R-{number}", data, **at)


def invoice(story: Story, number: int, amount: str, at: datetime | None = None) -> Story:
    data = {"invoice_id": f"I-{number}", "amount_net": amount, "currency": "USD"}
    return story.add(facts.INVOICE_PAID, f"I-{number}", data, at=at)


# -- refunds --------------------------------------------------------------------------------------


def test_percent_rewards_follow_what_was_kept() -> None:
    story = refund(won(), 1, "5000.00")
    assert {"once": 100_000} == amounts(judged(story, {}))
    refund(story, 2, "0.01")
    assert {"once": 100_000} == amounts(judged(story, {}))


def test_full_refund_nets_to_zero_and_says_why() -> None:
    evaluation = judged(refund(won(), 1, "15000.00"), {})
    assert ({}, {"once": "refunded"}) == (amounts(evaluation), codes(evaluation))


def test_refund_before_the_sale_counts_the_same() -> None:
    story = won()
    before = refund(won(), 1, "5000.00", at=START + timedelta(minutes=1))
    after = refund(story, 1, "5000.00")
    assert amounts(judged(before, {})) == amounts(judged(after, {}))


def test_the_same_refund_twice_is_one() -> None:
    story = refund(refund(won(), 1, "5000.00"), 1, "5000.00")
    assert {"once": 100_000} == amounts(judged(story, {}))


@pytest.mark.parametrize(
    ("policy", "threshold", "expected"),
    [
        ("keep", "0", {"once": 20_000}),
        ("pro_rata", "0", {"once": 13_333}),
        ("pro_rata", "50", {"once": 20_000}),
        ("void", "0", {}),
        ("void", "50", {"once": 20_000}),
    ],
)
def test_fixed_rewards_follow_their_refund_policy(
    policy: str, threshold: str, expected: dict[str, int]
) -> None:
    rule = {"value": {"fixed": "200.00"}, "refund": policy, "refund_threshold": threshold}
    assert expected == amounts(judged(refund(won(), 1, "5000.00"), rule))


@pytest.mark.parametrize(
    ("refunded", "kept_part"),
    [("", None), ("0.01", "1.0000"), ("5000.00", "0.6667"), ("15000.00", "0.0000")],
)
def test_a_fixed_reward_tells_which_part_was_kept(refunded: str, kept_part: str | None) -> None:
    story = refund(won(), 1, refunded) if refunded else won()
    rule = {"value": {"fixed": "200.00"}, "refund": "pro_rata", "refund_threshold": "0"}
    (line,) = judged(story, rule).trace
    assert kept_part == line.figures.get("kept_part")


@pytest.mark.parametrize(("refunded", "code"), [("0.01", "refunded"), ("", "granted")])
def test_a_benefit_ends_with_the_first_refund_that_counts(refunded: str, code: str) -> None:
    story = refund(won(), 1, refunded) if refunded else won()
    perk = {"kind": "discount", "value": {"percent": "20"}, "refund": "void"}
    assert {"once": code} == codes(judged(story, {**perk, "refund_threshold": "0"}))


def test_an_invoice_tells_what_was_refunded_of_it() -> None:
    rule = {"value": {"percent": "10", "of": "invoice_net"}, "occurrence": "every_invoice"}
    whole = judged(invoice(won(), 1, "80.00"), rule).trace
    part = judged(refund(invoice(won(), 1, "80.00"), 1, "30.00", "invoice:I-1"), rule).trace
    assert [None, "30.00"] == [lines[-1].figures.get("refunded") for lines in (whole, part)]


def test_conditions_see_the_gross_amount_never_net_of_refunds() -> None:
    group = {"all": [{"field": "deal_amount", "op": "gte", "value": "15000.00"}]}
    story = refund(won(), 1, "14000.00")
    assert {"once": 10_000} == amounts(judged(story, {"when": group}))
    story.amount("14999.99")
    assert {"once": "condition_not_met"} == codes(judged(story, {"when": group}))


def test_reversed_chargeback_never_happened() -> None:
    data = {"chargeback_id": "C-1", "of": "deal", "amount": "15000.00", "currency": "USD"}
    story = won().add(facts.CHARGED_BACK, "C-1", data)
    assert {} == amounts(judged(story, {}))
    story.add(facts.CHARGEBACK_REVERSED, "C-1", {"chargeback_id": "C-1"})
    assert {"once": 150_000} == amounts(judged(story, {}))


# -- invoices and renewals ------------------------------------------------------------------------

EVERY = {"occurrence": "every_invoice", "value": {"percent": "10", "of": "invoice_net"}}


def test_every_invoice_pays_its_own_share() -> None:
    story = invoice(invoice(won(), 1, "500.00"), 2, "700.00")
    assert {"invoice:I-1": 5_000, "invoice:I-2": 7_000} == amounts(judged(story, EVERY))


def test_no_invoice_yet_is_explained() -> None:
    assert {"every_invoice": "no_invoice_yet"} == codes(judged(won(), EVERY))


def test_limit_of_times_is_explained() -> None:
    story = invoice(invoice(won(), 1, "500.00"), 2, "700.00")
    evaluation = judged(story, {**EVERY, "limit": {"times": 1}})
    assert {"invoice:I-1": "granted", "invoice:I-2": "limit_reached"} == codes(evaluation)


def test_limit_of_months_is_half_open() -> None:
    first = datetime(2026, 1, 31, 12, tzinfo=START.tzinfo)
    last = datetime(2026, 2, 28, 12, tzinfo=START.tzinfo)
    story = invoice(won(), 1, "500.00", at=first)
    invoice(story, 2, "500.00", at=last - timedelta(microseconds=1))
    invoice(story, 3, "500.00", at=last)
    evaluation = judged(story, {**EVERY, "limit": {"months": 1}})
    assert {"invoice:I-1", "invoice:I-2"} == set(amounts(evaluation))


def test_refund_of_an_invoice_lowers_that_invoice_only() -> None:
    story = invoice(invoice(won(), 1, "500.00"), 2, "700.00")
    refund(story, 1, "900.00", of="invoice:I-1")
    assert {"invoice:I-2": 7_000} == amounts(judged(story, EVERY))


def test_refund_of_the_deal_spreads_over_earlier_invoices_by_largest_remainder() -> None:
    story = invoice(invoice(won(), 1, "100.00"), 2, "200.00")
    refund(story, 1, "100.00")
    invoice(story, 3, "300.00")
    assert {"invoice:I-1": 667, "invoice:I-2": 1_333, "invoice:I-3": 3_000} == amounts(
        judged(story, EVERY)
    )


def test_every_renewal_takes_its_own_amount_or_the_deals() -> None:
    story = won("1000.00")
    story.add(facts.RENEWED, "N-1", {"renewal_id": "N-1"})
    story.add(facts.RENEWED, "N-2", {"renewal_id": "N-2", "amount": "500.00", "currency": "USD"})
    evaluation = judged(story, {"occurrence": "every_renewal"})
    assert {"renewal:N-1": 10_000, "renewal:N-2": 5_000} == amounts(evaluation)


# -- values ---------------------------------------------------------------------------------------


def months(story: Story, number: int) -> Story:
    return story.add(facts.FIELD_SET, f"m{number}", {"name": "contract_months", "value": number})


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ({"percent": "10", "of": "first_year_value"}, 60_000),
        ({"percent": "100", "of": "monthly_value", "months": 3}, 150_000),
    ],
)
def test_values_over_a_contract(value: dict[str, Any], expected: int) -> None:
    story = months(won("12000.00"), 24)
    assert {"once": expected} == amounts(judged(story, {"value": value}))


def test_unknown_contract_length_is_not_yet() -> None:
    value = {"percent": "10", "of": "first_year_value"}
    assert {"once": "field_missing"} == codes(judged(won(), {"value": value}))


def test_first_invoice_is_the_earliest_whenever_it_arrives() -> None:
    story = invoice(invoice(won(), 2, "700.00", at=START + 9 * DAY), 1, "500.00", at=START + DAY)
    value = {"percent": "10", "of": "first_invoice"}
    assert {"once": 5_000} == amounts(judged(story, {"value": value}))


TABLE = {
    "table": {
        "field": "contract_months",
        "rows": [
            {"from": "12", "value": {"fixed": "100.00"}},
            {"from": "24", "value": {"fixed": "300.00"}},
        ],
    }
}


@pytest.mark.parametrize(("number", "expected"), [(12, 10_000), (23, 10_000), (24, 30_000)])
def test_tables_pay_by_the_highest_band_reached(number: int, expected: int) -> None:
    assert {"once": expected} == amounts(judged(months(won(), number), {"value": TABLE}))


def test_no_row_of_the_table_is_explained() -> None:
    assert {"once": "no_table_row"} == codes(judged(months(won(), 11), {"value": TABLE}))


def test_tables_by_text_use_the_latest_grade() -> None:
    value = {
        "table": {
            "field": "lead_grade",
            "rows": [{"is": "A", "value": {"fixed": "500.00"}}],
            "else": {"fixed": "100.00"},
        }
    }
    story = won(lead_grade="B")
    assert {"once": 10_000} == amounts(judged(story, {"value": value}))
    story.add(facts.REGRADED, "A", {"grade": "A", "actor": "ann", "reason": "budget"})
    assert {"once": 50_000} == amounts(judged(story, {"value": value}))


def test_benefits_carry_units_and_no_amount() -> None:
    rule = {"kind": "free_period", "value": {"quantity": 2, "unit": "month", "worth": "49.00"}}
    (found,) = judged(won(), rule).entitlements
    assert ({"quantity": "2", "unit": "month"}, 9_800, 0) == (
        dict(found.benefit),
        found.worth_minor,
        found.amount_minor,
    )


# -- who may earn ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("allow", "partner", "lead"),
    [
        (None, False, False),
        ("partner", True, False),
        ("lead", False, True),
        ("both", True, True),
    ],
)
def test_existing_customers_earn_only_where_the_terms_say_so(
    allow: str | None, *, partner: bool, lead: bool
) -> None:
    top = {"eligibility": {"allow_existing": allow}} if allow else {}
    story = won(existing_customer=True)
    for beneficiary, expected in (("partner", partner), ("lead", lead)):
        found = judged(story, {"beneficiary": beneficiary}, **top)
        assert expected == bool(found.entitlements)


def test_kinds_and_regions_that_are_not_eligible() -> None:
    top = {"eligibility": {"partner_kinds": ["reseller"]}}
    assert {"once": "not_eligible"} == codes(judged(won(partner_kind="affiliate"), {}, **top))
    assert {"once": 150_000} == amounts(judged(won(partner_kind="reseller"), {}, **top))


def test_donations_go_to_the_chosen_cause() -> None:
    rule = {"beneficiary": "cause", "kind": "donation", "value": {"fixed": "25.00"}}
    (found,) = judged(won(cause="trees"), rule).entitlements
    assert ("cause:trees", "cause") == (found.holder_id, found.role)
    assert {"once": "no_cause"} == codes(judged(won(), rule))


def test_overrides_are_pinned_and_name_their_level() -> None:
    story = won()
    pinned = {**story.facts[1].data, "overrides": {"rule": {"percent": "15", "level": "group"}}}
    story.add(facts.TERMS_PINNED, "again", pinned, at=START + timedelta(seconds=1))
    evaluation = judged(story, {})
    assert {"once": 225_000} == amounts(evaluation)
    assert "group" == evaluation.trace[0].level


# -- holds ----------------------------------------------------------------------------------------


def test_retained_milestones_start_again_with_every_entry() -> None:
    story = won().stage("negotiation").stage("won", at=START + 20 * DAY)
    (found,) = judged(story, {"retained_days": 60}).entitlements
    assert START + 80 * DAY == found.release_at


def test_hold_by_a_person_holds_until_it_is_released() -> None:
    hold = {"hold_id": "h1", "actor": "ann", "reason": "check"}
    story = won().add(facts.HOLD_PLACED, "h1", hold)
    assert "on_hold" == judged(story, {}).entitlements[0].held
    story.add(facts.HOLD_RELEASED, "h1", hold)
    assert "" == judged(story, {}).entitlements[0].held


def test_a_hold_is_told_beside_what_else_keeps_a_reward() -> None:
    hold = {"hold_id": "h1", "actor": "ann", "reason": "check"}
    waits = Story().submitted().amount("15000.00").stage("won").add(facts.HOLD_PLACED, "h1", hold)
    (line,) = judged(waits, {}).trace
    assert ("held", "review_pending", "review_pending, on_hold") == (
        line.outcome,
        line.code,
        line.figures["held"],
    )
    (line,) = judged(won().add(facts.HOLD_PLACED, "h1", hold), {"caps": {"reward": "5.00"}}).trace
    assert ("capped", "capped_reward", "on_hold") == (line.outcome, line.code, line.figures["held"])
    (line,) = judged(won(), {}).trace
    assert "held" not in line.figures


@pytest.mark.parametrize("how", ["deleted", "merged"])
def test_deals_that_ended_hold_nothing_until_they_are_restored(how: str) -> None:
    story = won().add(facts.DEAL_ENDED, how, {"how": how})
    assert {"once": "milestone_left"} == codes(judged(story, {}))
    story.add(facts.DEAL_RESTORED, "", {})
    assert {"once": 150_000} == amounts(judged(story, {}))


# -- shares ---------------------------------------------------------------------------------------


def shared(story: Story, *, retroactive: bool) -> Story:
    shares = [
        {"partner_id": "ptr_1", "role": "introducer", "basis_points": 7_000},
        {"partner_id": "ptr_2", "role": "co_referrer", "basis_points": 3_000},
    ]
    return story.add(facts.SHARES_SET, "s", {"shares": shares, "retroactive": retroactive})


def test_new_shares_count_for_what_counts_afterwards() -> None:
    story = shared(won(), retroactive=False)
    assert ["ptr_1"] == [row.holder_id for row in judged(story, {}).entitlements]
    invoice(story, 1, "100.01")
    found = {row.holder_id: row.amount_minor for row in judged(story, EVERY).entitlements}
    assert {"ptr_1": 700, "ptr_2": 300} == found


def test_retroactive_shares_move_what_was_earned() -> None:
    found = judged(shared(won(), retroactive=True), {}).entitlements
    assert {"ptr_1": 105_000, "ptr_2": 45_000} == {r.holder_id: r.amount_minor for r in found}


# -- caps -----------------------------------------------------------------------------------------


def test_reward_cap_cuts_or_denies() -> None:
    cut = judged(won(), {"caps": {"reward": "500.00"}})
    deny = judged(won(), {"caps": {"reward": "500.00", "policy": "deny"}})
    assert ({"once": 50_000}, {"once": "capped_reward"}) == (amounts(cut), codes(cut))
    assert ({}, {"once": "capped_reward"}) == (amounts(deny), codes(deny))


def test_referral_cap_is_used_up_in_the_order_of_events() -> None:
    story = invoice(invoice(won(), 1, "500.00"), 2, "700.00")
    evaluation = judged(story, {**EVERY, "caps": {"referral": "80.00"}})
    assert {"invoice:I-1": 5_000, "invoice:I-2": 3_000} == amounts(evaluation)
    assert "capped_referral" == codes(evaluation)["invoice:I-2"]


CAP = {"id": "year", "scope": "partner", "per": "calendar_year", "limit": "1000.00"}


def allowance(story: Story, allowed: int, number: int = 1, retracts: str | None = None) -> Story:
    data = {
        "cap": "year",
        "scope": "partner",
        "period": "2026",
        "rule_id": "rule",
        "occurrence": "once",
        "holder_id": "ptr_1",
        "allowed_minor": allowed,
        "cut": True,
        "number": number,
    }
    return story.add(facts.ALLOWANCE_PINNED, str(number), data, at=START)


def test_allowance_is_asked_for_and_then_kept() -> None:
    evaluation = judged(won(), {}, caps=[CAP])
    (need,) = evaluation.allowances
    assert ({"once": "allowance_not_pinned"}, 150_000, "2026") == (
        codes(evaluation),
        need.wanted_minor,
        need.period,
    )
    assert (100_000, 40_000, 0) == (need.allowed(0), need.allowed(60_000), need.allowed(100_000))
    pinned = judged(allowance(won(), 40_000), {}, caps=[CAP])
    assert ({"once": 40_000}, {"once": "capped_partner"}, ()) == (
        amounts(pinned),
        codes(pinned),
        pinned.allowances,
    )


def test_allowance_only_shrinks() -> None:
    (need,) = judged(allowance(won("300.00"), 40_000), {}, caps=[CAP]).allowances
    assert (3_000, 3_000) == (need.wanted_minor, need.allowed(100_000))
    assert () == judged(allowance(won("9000.00"), 40_000), {}, caps=[CAP]).allowances


def test_allowance_is_given_back_when_nothing_counts() -> None:
    story = allowance(won(), 40_000).stage("negotiation")
    (need,) = judged(story, {}, caps=[CAP]).allowances
    assert (0, 0) == (need.wanted_minor, need.allowed(40_000))
    assert (2, story.facts[-2].fact_id) == (need.number, need.replaces)


def test_one_minor_unit_is_capped_like_any_amount() -> None:
    cent = {"value": {"fixed": "0.01"}}
    (need,) = judged(won(), cent, caps=[CAP]).allowances
    assert 1 == need.wanted_minor


# -- money ----------------------------------------------------------------------------------------


def test_rate_is_asked_for_by_subject_and_date_and_then_kept() -> None:
    story = won().amount("100.00", "EUR")
    (need,) = judged(story, {}).rates
    assert ("deal", "EUR", story.facts[-1].occurred_at.date()) == (
        need.subject,
        need.currency,
        need.on,
    )
    data = {"subject": "deal", "currency": "EUR", "rate": "1.1055", "on": "2026-01-05"}
    story.add(facts.RATE_PINNED, "r", data)
    assert {"once": 1_106} == amounts(judged(story, {}))


def test_the_facts_own_rate_comes_first() -> None:
    story = won()
    story.add(facts.AMOUNT_SET, "x", {"amount": "100.00", "currency": "EUR", "rate": "2"})
    assert {"once": 2_000} == amounts(judged(story, {}))


def test_the_crm_cannot_change_who_the_partner_is() -> None:
    group = {"all": [{"field": "partner_tier", "op": "eq", "value": "gold"}]}
    story = won(partner_tier="silver")
    story.add(facts.FIELD_SET, "t", {"name": "partner_tier", "value": "gold"})
    assert {"once": "condition_not_met"} == codes(judged(story, {"when": group}))


def test_work_grows_with_the_facts_and_not_with_their_square(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def conversions(number: int) -> int:
        story = won()
        for place in range(number):
            refund(invoice(story, place, "100.00"), place, "1.00")
        seen = []
        original = Amounts.minor

        def counted(self: Amounts, amount: Amount, subject: str = "") -> int:
            seen.append(1)
            return original(self, amount, subject)

        with monkeypatch.context() as patch:
            patch.setattr(Amounts, "minor", counted)
            judged(story, {**EVERY, "refund": "pro_rata"})
        return len(seen)

    assert conversions(100) <= 2 * conversions(50) + 10

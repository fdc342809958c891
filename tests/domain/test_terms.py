"""Definitions are read whole, and every mistake is named by its path."""

from __future__ import annotations

from copy import deepcopy
from decimal import Decimal
from typing import Any

import pytest

from shared.domain.errors import InvalidFieldsError
from shared.domain.terms import MAX_CAPS, MAX_OVERRIDES, Fixed, Percent
from shared.domain.terms_reader import MAX_RULES, parse_terms
from tests.builders.money import WORKED_EXAMPLE, worked_terms


def refused(definition: object) -> dict[str, str]:
    with pytest.raises(InvalidFieldsError) as caught:
        parse_terms(definition, currency="USD")
    return {error.path: error.code for error in reversed(caught.value.errors)}


def changed(path: str, value: Any) -> dict[str, Any]:  # noqa: ANN401 - any value of a field
    definition = deepcopy(WORKED_EXAMPLE)
    target: Any = definition
    *parents, last = [int(part) if part.isdigit() else part for part in path.split(".")]
    for part in parents:
        target = target[part]
    if value is ...:
        del target[last]
    else:
        target[last] = value
    return definition


def test_worked_example_reads() -> None:
    terms = worked_terms()
    assert ["accepted_bonus", "qualified_bonus", "won_commission", "lead_discount"] == [
        rule.rule_id for rule in terms.rules
    ]
    assert Fixed(amount_minor=5_000) == terms.rules[0].value
    assert Percent(percent=Decimal(10), base="deal_amount") == terms.rules[2].value
    assert (90, 365, 180, 0, 30, None) == (
        terms.attribution_days,
        terms.credit_days,
        terms.protection_days,
        terms.prior_days,
        terms.late_grace_days,
        terms.clawback_days,
    )


@pytest.mark.parametrize(
    ("path", "value", "where", "code"),
    [
        ("name", ..., "name", "required"),
        ("name", 5, "name", "wrong_type"),
        ("name", "", "name", "wrong_type"),
        ("rules.0.id", ..., "rules[0].id", "required"),
        ("surprise", 1, "surprise", "unknown_field"),
        ("partner_closed", "lose", "partner_closed", "not_allowed"),
        ("partner_closed", True, "partner_closed", "not_allowed"),
        ("eligibility", {"age": 18}, "eligibility.age", "unknown_field"),
        ("eligibility", {"required": "agreement"}, "eligibility.required", "required"),
        ("eligibility", {"required": ["nda"]}, "eligibility.required[0]", "not_allowed"),
        ("eligibility", {"blocked": ["rival"]}, "eligibility.blocked[0]", "not_allowed"),
        (
            "eligibility",
            {"minimum_engagement": {"won_deals": 1}},
            "eligibility.minimum_engagement.won_deals",
            "unknown_field",
        ),
        (
            "eligibility",
            {"minimum_engagement": {"accepted_referrals": "3"}},
            "eligibility.minimum_engagement.accepted_referrals",
            "wrong_type",
        ),
        ("eligibility", {"self_referral": "never"}, "eligibility.self_referral", "not_allowed"),
        ("windows", [], "windows", "wrong_type"),
        ("windows", {"clawback_days": None}, "windows.clawback_days", "wrong_type"),
        ("windows", {"clawback_days": 3_661}, "windows.clawback_days", "wrong_type"),
        ("windows", {"credit_days": "1"}, "windows.credit_days", "wrong_type"),
        ("windows", {"credit_days": True}, "windows.credit_days", "wrong_type"),
        ("windows", {"credit_days": -1}, "windows.credit_days", "wrong_type"),
        ("implies", [], "implies", "wrong_type"),
        ("implies", {"won": "qualified"}, "implies.won", "wrong_type"),
        ("implies", {"Won!": ["qualified"]}, "implies.Won!", "wrong_type"),
        ("lost_retracts", "won", "lost_retracts", "wrong_type"),
        ("lost_retracts", [1], "lost_retracts[0]", "wrong_type"),
        ("rules", ..., "rules", "required"),
        ("rules", [], "rules", "required"),
        ("rules", [{}] * (MAX_RULES + 1), "rules", "too_many"),
        ("caps", [{}] * (MAX_CAPS + 1), "caps", "too_many"),
        ("rules.0", 5, "rules[0]", "wrong_type"),
        ("rules.0.id", "Bad Id", "rules[0].id", "wrong_type"),
        ("rules.0.id", "won_commission", "rules[2].id", "duplicate"),
        ("rules.0.beneficiary", "cat", "rules[0].beneficiary", "not_allowed"),
        ("rules.0.kind", "gold", "rules[0].kind", "not_allowed"),
        ("rules.0.milestone", 4, "rules[0].milestone", "wrong_type"),
        ("rules.0.refund", "maybe", "rules[0].refund", "not_allowed"),
        ("rules.0.hold_days", 10**6, "rules[0].hold_days", "wrong_type"),
        ("rules.0.text", "x" * 501, "rules[0].text", "wrong_type"),
        ("rules.0.value", {}, "rules[0].value", "required"),
        ("rules.0.value", {"fixed": "1", "percent": "1"}, "rules[0].value", "required"),
        ("rules.0.value", {"fixed": 50}, "rules[0].value.fixed", "not_an_amount"),
        ("rules.0.value", {"fixed": "-1"}, "rules[0].value.fixed", "not_an_amount"),
        ("rules.0.value", {"fixed": "9" * 16}, "rules[0].value.fixed", "too_large"),
        ("rules.0.value", {"fixed": "1.505"}, "rules[0].value.fixed", "too_precise"),
        ("rules.0.caps", {"reward": "0.001"}, "rules[0].caps.reward", "too_precise"),
        ("rules.2.value", {"percent": "10"}, "rules[2].value.of", "not_allowed"),
        (
            "rules.2.value",
            {"percent": "101", "of": "deal_amount"},
            "rules[2].value.percent",
            "not_a_percentage",
        ),
        ("rules.3.value", {"fixed": "1"}, "rules[3].value", "not_allowed"),
        ("rules.0.tiers", WORKED_EXAMPLE["rules"][2]["tiers"], "rules[0].tiers", "not_allowed"),
        ("rules.2.tiers", 1, "rules[2].tiers", "wrong_type"),
        ("rules.2.tiers.by", "mood", "rules[2].tiers.by", "not_allowed"),
        ("rules.2.tiers.steps", [], "rules[2].tiers.steps", "required"),
        (
            "rules.2.tiers.steps",
            [{"from": n + 1, "percent": "1"} for n in range(51)],
            "rules[2].tiers.steps",
            "too_many",
        ),
        (
            "rules.2.tiers.steps",
            [{"from": 6, "percent": "12"}, {"from": 6, "percent": "13"}],
            "rules[2].tiers.steps",
            "not_ascending",
        ),
        (
            "rules.2.tiers.steps",
            [{"from": 0, "percent": "12"}],
            "rules[2].tiers.steps[0].from",
            "wrong_type",
        ),
        ("rules.1.when", {}, "rules[1].when", "required"),
        ("rules.1.when", {"all": []}, "rules[1].when.all", "required"),
        ("rules.1.when", {"all": [{}] * 51}, "rules[1].when.all", "too_many"),
        (
            "rules.1.when",
            {"any": [{"field": "mood", "op": "gte", "value": "1"}]},
            "rules[1].when.any[0].field",
            "not_allowed",
        ),
        (
            "rules.1.when",
            {"all": [{"field": "deal_amount", "op": "like", "value": "1"}]},
            "rules[1].when.all[0].op",
            "not_allowed",
        ),
    ],
)
def test_each_mistake_is_named(path: str, value: Any, where: str, code: str) -> None:  # noqa: ANN401 - any value of a field
    assert code == refused(changed(path, value))[where]


OVERRIDE = {"level": "partner", "match": "ptr_1", "rule": "won_commission", "percent": "15"}


@pytest.mark.parametrize(
    ("change", "where", "code"),
    [
        ({"level": "referral"}, "level", "not_allowed"),
        ({"level": "program"}, "level", "not_allowed"),
        ({"level": None}, "level", "not_allowed"),
        ({"match": None}, "match", "required"),
        ({"match": "ada"}, "match", "not_allowed"),
        ({"match": "ptr_"}, "match", "not_allowed"),
        ({"match": "ptr_1#2"}, "match", "not_allowed"),
        ({"level": "link", "match": "Summer"}, "match", "not_allowed"),
        ({"level": "link", "match": "ab"}, "match", "not_allowed"),
        ({"level": "link", "match": "admin"}, "match", "not_allowed"),
        ({"rule": "other"}, "rule", "not_allowed"),
        ({"rule": "lead_discount", "percent": None, "fixed": "1.00"}, "rule", "not_allowed"),
        ({"rule": "pair"}, "rule", "not_allowed"),
        ({"fixed": "1.00"}, "", "required"),
        ({"percent": "0"}, "percent", "not_a_percentage"),
    ],
)
def test_each_mistake_of_an_override_is_named(
    change: dict[str, Any], where: str, code: str
) -> None:
    given = {name: of for name, of in {**OVERRIDE, **change}.items() if of is not None}

    definition = changed("overrides", [OVERRIDE, given])
    pair = {**definition["rules"][0], "id": "pair", "occurrence": "every_nth", "nth": 2}
    definition["rules"].append(pair)

    found = refused(definition)

    assert {f"overrides[1].{where}" if where else "overrides[1]": code} == found


def test_there_is_room_for_many_overrides_and_an_end_to_it() -> None:
    many = [{**OVERRIDE, "match": f"ptr_{number}"} for number in range(MAX_OVERRIDES + 1)]

    assert MAX_OVERRIDES == len(worked_terms(overrides=many[:-1]).overrides)
    assert {"overrides": "too_many"} == refused(changed("overrides", many))


@pytest.mark.parametrize(
    ("amount", "currency", "minor"),
    [("1.5", "USD", 150), ("1.500", "USD", 150), ("2.000", "JPY", 2), ("1.505", "KWD", 1_505)],
)
def test_digits_that_say_nothing_are_taken(amount: str, currency: str, minor: int) -> None:
    rule = {**WORKED_EXAMPLE["rules"][0], "value": {"fixed": amount}}

    terms = parse_terms({"name": "t", "rules": [rule]}, currency=currency)

    assert Fixed(amount_minor=minor) == terms.rules[0].value


@pytest.mark.parametrize("definition", [None, [], "text", 5])
def test_definition_must_be_an_object(definition: object) -> None:
    assert "wrong_type" == refused(definition)["$"]


def test_all_mistakes_come_at_once() -> None:
    definition = changed("rules.0.kind", "gold")
    definition["rules"][1]["kind"] = "silver"
    assert {"rules[0].kind", "rules[1].kind"} <= set(refused(definition))


def test_parts_by_role_are_read() -> None:
    parts = {"introducer": 7_000, "co_referrer": 2_000, "assist": 1_000}
    definition = changed("attribution", {"split": "by_role", "basis_points": parts})

    assert parts == parse_terms(definition, currency="USD").attribution.basis_points


@pytest.mark.parametrize(
    ("attribution", "where", "code"),
    [
        ({"split": "by_role"}, "", "required"),
        ({"basis_points": {"introducer": 10_000}}, "", "not_allowed"),
        ({"split": "by_role", "basis_points": []}, "", "wrong_type"),
        ({"split": "by_role", "basis_points": {"introducer": 9_999}}, "", "not_the_whole"),
        (
            {"split": "by_role", "basis_points": {"introducer": 9_000, "assist": 2_000}},
            "",
            "not_the_whole",
        ),
        (
            {"split": "by_role", "basis_points": {"co_referrer": 10_000}},
            ".introducer",
            "wrong_type",
        ),
        (
            {"split": "by_role", "basis_points": {"introducer": 10_000, "assist": 0}},
            ".assist",
            "wrong_type",
        ),
        (
            {"split": "by_role", "basis_points": {"introducer": "10000"}},
            ".introducer",
            "wrong_type",
        ),
        (
            {"split": "by_role", "basis_points": {"introducer": 10_000, "boss": 1}},
            ".boss",
            "unknown_field",
        ),
    ],
)
def test_parts_by_role_are_the_whole(attribution: object, where: str, code: str) -> None:
    found = refused(changed("attribution", attribution))

    assert code == found[f"attribution.basis_points{where}"]


@pytest.mark.parametrize(
    ("word", "meaning"),
    [("marginal", "prospective"), ("cliff", "retroactive"), ("retroactive", "retroactive")],
)
def test_marginal_and_cliff_are_words_for_how_a_tier_by_count_pays(word: str, meaning: str) -> None:
    written = parse_terms(changed("rules.2.tiers.mode", word), currency="USD")
    meant = parse_terms(changed("rules.2.tiers.mode", meaning), currency="USD")
    assert meant == written
    assert written.rules[2].tier
    assert meaning == written.rules[2].tier.mode


def test_a_marginal_tier_by_revenue_is_refused() -> None:
    steps = [{"from": "5000.00", "percent": "12"}]
    tier = {"by": "revenue", "milestone": "won", "steps": steps, "mode": "marginal"}
    assert {"rules[2].tiers.mode": "not_allowed"} == refused(changed("rules.2.tiers", tier))
    cliff = parse_terms(changed("rules.2.tiers", {**tier, "mode": "cliff"}), currency="USD")
    assert cliff.rules[2].tier
    assert "retroactive" == cliff.rules[2].tier.mode

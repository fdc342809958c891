from __future__ import annotations

import copy
from dataclasses import fields, replace
from datetime import UTC, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest

from shared.domain import terms as model
from shared.domain.terms_changes import changes
from shared.domain.terms_reader import parse_terms
from tests.builders.rich_terms import rich_definition

if TYPE_CHECKING:
    from shared.domain.terms import Terms

BEFORE = parse_terms(rich_definition(), currency="USD")
_MISSING = object()


def after(path: str, value: object = _MISSING) -> Terms:
    """Changes one place of the definition, or removes it."""
    definition: Any = rich_definition()
    *parents, last = [int(part) if part.isdigit() else part for part in path.split(".")]
    place = definition
    for part in parents:
        place = place[part]
    if value is _MISSING:
        del place[last]
    else:
        place[last] = value
    return parse_terms(definition, currency="USD")


def test_the_same_terms_change_nothing() -> None:
    assert () == changes(BEFORE, parse_terms(rich_definition(), currency="USD"))


def test_the_first_version_introduces_its_rules() -> None:
    found = changes(None, BEFORE)

    assert len(BEFORE.rules) == len([text for text in found if text.startswith("New rule ")])
    assert {
        (
            "New budget budget: at most 9,000.00 USD per month for the whole programme,"
            " over commission and perk; what goes beyond is not given at all."
        ),
        (
            "New limit partner_year: at most 5,000.00 USD per calendar year per partner,"
            " over all rules; what is beyond is cut."
        ),
        "Rule commission for partners of tier gold changes from “the usual” to “15 %”.",
        "An introduction can earn for 200 days instead of 365 days.",
    } <= set(found)
    assert [text for text in found if text.startswith("Who may earn changes from ")]
    (commission,) = [text for text in found if text.startswith("New rule commission:")]
    assert commission.endswith(
        "; at most 500.00 USD per reward; what goes beyond is not given at all"
        "; at most 800.00 USD per introduction; what goes beyond is not given at all."
    )
    assert (
        "New rule discount: the new customer gets a discount, when the deal is won:"
        " 20 % off (worth 100.00 USD)."
    ) in found


@pytest.mark.parametrize(
    ("path", "value", "sentence"),
    [
        ("name", "Other", "The name changes from “Everything” to “Other”."),
        ("windows.credit_days", 100, "An introduction can earn for 100 days instead of 200 days."),
        ("windows.prior_days", 1, "What happened before the introduction counts for 1 day"),
        ("implies", {}, "Which milestones imply others changes from “won implies qualified”"),
        ("lost_retracts", [], "What a lost deal takes back changes from “won” to “nothing”."),
        ("lost_retracts", _MISSING, "to “won and what ranks above it”."),
        (
            "attribution",
            {"split": "by_role", "basis_points": {"introducer": 6_650, "assist": 3_350}},
            "share by their roles: 66.5 % for the introducer and 33.5 % for the assist”",
        ),
        ("attribution.split", "none", "one partner is credited for an introduction”"),
        ("attribution.model", "last_touch", "“code, then click; last touch; partners who"),
        ("attribution.order", ["click", "code"], "to “click, then code; first touch; partners"),
        ("lead_quality.decide.C", "review", "C: review"),
        ("lead_quality.grades.0.when.all.0.value", 600, "is less than 600"),
        ("windows.clawback_days", _MISSING, "taken back changes from “only within 300 days” to"),
        ("windows.clawback_days", 0, "to “never”."),
        ("eligibility.allow_existing", "both", "for existing customers lead and partner"),
        ("eligibility.required", ["agreement"], "documents the agreement; from"),
        ("eligibility.required", [], "documents none; from"),
        (
            "eligibility.minimum_engagement.accepted_referrals",
            0,
            "; from the 1st accepted introduction on; not public officials and",
        ),
        ("eligibility.blocked", ["own_staff"], "; not our own staff; introductions of oneself"),
        ("eligibility.blocked", [], "; not restricted by category; introductions of oneself"),
        (
            "eligibility.self_referral",
            "review",
            "introductions of oneself flagged for the review”.",
        ),
        ("eligibility.self_referral", "allow", "of oneself rewarded like any other”."),
        (
            "partner_closed",
            _MISSING,
            "What a closed partner loses changes from “what is still held” to “nothing”.",
        ),
        ("overrides.0.percent", "16", "Rule commission for partners of tier gold changes from"),
        ("overrides", [], "from “15 %” to “the usual”."),
        (
            "overrides.0",
            {"level": "partner", "match": "ptr_1", "rule": "commission", "percent": "5"},
            "Rule commission for the partner ptr_1 changes from “the usual” to “5 %”.",
        ),
        (
            "overrides.0",
            {"level": "link", "match": "summer", "rule": "commission", "fixed": "5.00"},
            "Rule commission through the link summer changes from “the usual” to “5.00 USD”.",
        ),
        ("caps.0.limit", "1.00", "Limit partner_year changes from “at most 5,000.00 USD"),
        ("caps.1.rules", ["perk"], "Budget budget changes from"),
        ("caps.1", _MISSING, "Budget budget ends: at most 9,000.00 USD per month"),
        ("rules.0.value.percent", "11", "how much changes from “10 % of the deal amount” to “11 %"),
        ("rules.0.hold_days", 45, "how long it is held changes from “for 30 days"),
        ("rules.0.tiers.steps.0.from", 7, "how it rises changes"),
        ("rules.0.when", _MISSING, "when it is given changes from"),
        ("rules.0.caps.reward", "501.00", "its limits change from “at most 500.00 USD per reward"),
        ("rules.0.text", "other", "the text changes from “ten per cent” to “other”."),
        ("rules.1.refund", "keep", "what a refund does changes from “taken back” to “kept”."),
        ("rules.7.nth", 6, "every 6th time"),
        ("rules.8.counts", [3, 10], "the 3rd and 10th time"),
        ("rules.9.beneficiary", "lead", "who gets it changes from “the partner” to"),
        ("rules.9", _MISSING, "Rule renewals ends."),
        ("rules.9.id", "other", "New rule other: the partner gets money"),
    ],
)
def test_a_change_is_said_in_plain_words(path: str, value: object, sentence: str) -> None:
    found = changes(BEFORE, after(path, value))

    assert [text for text in found if sentence in text], found


def test_a_change_at_one_place_is_said_once() -> None:
    assert 1 == len(changes(BEFORE, after("rules.0.hold_days", 45)))
    assert 1 == len(changes(BEFORE, after("caps.0.limit", "1.00")))


def test_another_order_is_said_too() -> None:
    definition = rich_definition()
    definition["rules"].reverse()

    (sentence,) = changes(BEFORE, parse_terms(definition, currency="USD"))

    assert "order" in sentence


def _other(value: Any) -> Any:  # noqa: ANN401 - one return per type reads best
    """Return another value of the same type."""
    match value:
        case bool():
            return not value
        case int():
            return value + 1
        case str():
            return f"{value}x"
        case Decimal():
            return value + 1
        case datetime():
            return value.replace(tzinfo=UTC)
        case _:
            return None


@pytest.mark.parametrize("rule", BEFORE.rules, ids=lambda rule: rule.rule_id)
def test_nothing_about_a_rule_changes_in_silence(rule: model.Rule) -> None:
    place = BEFORE.rules.index(rule)
    known = {
        "kind": "perk" if rule.kind != "perk" else "free_period",
        "beneficiary": "lead" if rule.beneficiary != "lead" else "partner",
        "occurrence": "every_invoice" if rule.occurrence == "once" else "once",
        "refund": "void" if rule.refund != "void" else "keep",
        "limit_times": 99,
        "limit_months": 99,
        "counts": (99,),
        "tier": None if rule.tier else BEFORE.rules[0].tier,
        "when": None if rule.when else BEFORE.rules[0].when,
        "caps": model.RuleCaps(reward_minor=1),
        "value": model.Benefit(quantity=9, unit="seat"),
    }
    for field in fields(rule):
        value = known.get(field.name, _other(getattr(rule, field.name)))
        changed = replace(rule, **{field.name: value})
        assert changed != rule
        rules = (*BEFORE.rules[:place], changed, *BEFORE.rules[place + 1 :])

        assert changes(BEFORE, replace(BEFORE, rules=rules)), field.name


def test_nothing_else_about_terms_changes_in_silence() -> None:
    known: dict[str, object] = {
        "rules": BEFORE.rules[1:],
        "implies": {},
        "retract_on_lost": None,
        "attribution": model.AttributionPolicy(),
        "lead_quality": model.LeadQuality(),
        "eligibility": model.Eligibility(),
        "overrides": (),
        "caps": (),
        "currency": "EUR",
        "time_zone": "Europe/Berlin",
    }
    for field in fields(BEFORE):
        value = known.get(field.name, _MISSING)
        value = _other(getattr(BEFORE, field.name)) if value is _MISSING else value
        changed = replace(copy.copy(BEFORE), **{field.name: value})  # type: ignore[arg-type]
        assert changed != BEFORE

        assert changes(BEFORE, changed), field.name

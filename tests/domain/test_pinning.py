"""What a submission pins, so that no later edit re-prices it."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from shared.domain.leads import Lead
from shared.domain.partners import Enrolment, Partner
from shared.domain.pinning import Pinned, fields_used, pin
from shared.domain.terms_reader import parse_terms
from tests.builders.money import DAY, START, WORKED_EXAMPLE

PARTNER = Partner(partner_id="ptr_1", kind="reseller", country="DE", created_at=START)
GRADES = {
    "grades": [
        {
            "grade": "A",
            "when": {
                "all": [
                    {"field": "company_size", "op": "gte", "value": 50},
                    {"field": "country", "op": "in", "value": ["DE", "FR"]},
                ]
            },
        }
    ],
    "otherwise": "C",
    "decide": {"A": "accept", "C": "review"},
}
OVERRIDES = [
    {"level": "group", "match": "gold", "rule": "won_commission", "percent": "15"},
    {"level": "tier", "match": "top", "rule": "won_commission", "percent": "14"},
    {"level": "tier", "match": "top", "rule": "accepted_bonus", "fixed": "70.00"},
]


def enrolment(**fields: Any) -> Enrolment:  # noqa: ANN401 - any field
    return Enrolment(
        partner_id="ptr_1", program_id="prg_1", terms_version=1, accepted_at=START, **fields
    )


def pinned(
    lead: Lead,
    *,
    enrolled: Enrolment | None = None,
    link_code: str = "",
    **top: Any,  # noqa: ANN401 - any field
) -> Pinned:
    terms = parse_terms({**WORKED_EXAMPLE, **top}, currency="USD")
    return pin(
        terms,
        lead,
        partner=PARTNER,
        enrolment=enrolled or enrolment(),
        link_code=link_code,
        campaign="spring",
        touched_at=START - 3 * DAY - timedelta(hours=1),
        now=START,
    )


def test_attributes_of_lead_partner_enrolment_and_link() -> None:
    lead = Lead(email="a@b.test", country="DE", employees="120", metadata={"industry": "retail"})
    found = pinned(lead, enrolled=enrolment(tier="top", group="gold", cause="trees"))
    assert {
        "country": "DE",
        "company_size": 120,
        "industry": "retail",
        "link_campaign": "spring",
        "partner_kind": "reseller",
        "region": "DE",
        "partner_tier": "top",
        "partner_group": "gold",
        "cause": "trees",
        "days_since_touch": 3,
        "existing_customer": False,
    } == found.attributes


@pytest.mark.parametrize("employees", ["", "50-100", "1" * 10, "٣", "-5"])
def test_company_sizes_that_are_no_numbers_stay_out(employees: str) -> None:
    assert "company_size" not in pinned(Lead(email="a@b.test", employees=employees)).attributes


@pytest.mark.parametrize(
    ("employees", "country", "grade", "verdict"),
    [
        ("50", "DE", "A", "accept"),
        ("49", "DE", "C", "review"),
        ("50", "US", "C", "review"),
        ("", "DE", "C", "review"),
    ],
)
def test_first_grade_whose_conditions_hold(
    employees: str, country: str, grade: str, verdict: str
) -> None:
    lead = Lead(email="a@b.test", employees=employees, country=country)
    found = pinned(lead, lead_quality=GRADES)
    assert (grade, verdict) == (found.attributes["lead_grade"], found.verdict)


def test_terms_without_grades_grade_nothing() -> None:
    found = pinned(Lead(email="a@b.test"))
    assert ("", False) == (found.verdict, "lead_grade" in found.attributes)


def test_group_wins_over_tier_and_the_level_is_recorded() -> None:
    found = pinned(
        Lead(email="a@b.test"),
        enrolled=enrolment(tier="top", group="gold"),
        overrides=OVERRIDES,
    )
    assert {
        "won_commission": {"percent": "15", "level": "group"},
        "accepted_bonus": {"fixed_minor": 7_000, "level": "tier"},
    } == found.overrides


LADDER = [
    {"level": "tier", "match": "top", "rule": "won_commission", "percent": "11"},
    {"level": "group", "match": "gold", "rule": "won_commission", "percent": "12"},
    {"level": "partner", "match": "ptr_1", "rule": "won_commission", "percent": "13"},
    {"level": "link", "match": "summer", "rule": "won_commission", "percent": "14"},
]


@pytest.mark.parametrize("number", range(1, len(LADDER) + 1))
@pytest.mark.parametrize("turn", [1, -1])
def test_each_level_wins_over_those_below_it(number: int, turn: int) -> None:
    found = pinned(
        Lead(email="a@b.test"),
        enrolled=enrolment(tier="top", group="gold"),
        link_code="summer",
        overrides=LADDER[:number][::turn],
    )
    highest = LADDER[number - 1]
    rate = {"percent": highest["percent"], "level": highest["level"]}
    assert {"won_commission": rate} == found.overrides


def test_another_partner_and_another_link_have_no_part_in_it() -> None:
    others = [{**LADDER[2], "match": "ptr_2"}, {**LADDER[3], "match": "winter"}]
    found = pinned(Lead(email="a@b.test"), link_code="summer", overrides=others)
    assert {} == found.overrides


def test_a_lead_that_nobody_introduced_has_no_override() -> None:
    terms = parse_terms({**WORKED_EXAMPLE, "overrides": LADDER}, currency="USD")
    found = pin(terms, Lead(email="a@b.test"), partner=None, enrolment=None, now=START)
    assert {} == found.overrides


def test_nobody_else_gets_an_override() -> None:
    found = pinned(Lead(email="a@b.test"), overrides=OVERRIDES)
    assert {} == found.overrides


def test_fields_that_the_terms_read() -> None:
    table = {
        "id": "t",
        "beneficiary": "partner",
        "milestone": "won",
        "kind": "cash",
        "value": {"table": {"field": "plan", "rows": [{"is": "pro", "value": {"fixed": "1"}}]}},
    }
    definition = {**WORKED_EXAMPLE, "lead_quality": GRADES}
    definition["rules"] = [*WORKED_EXAMPLE["rules"], table]
    terms = parse_terms(definition, currency="USD")
    assert {"deal_amount", "company_size", "country", "plan"} == fields_used(terms)

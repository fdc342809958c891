"""What a submission pins: attributes, overrides and the lead's grade under one version of terms.

Everything that conditions, tables and eligibility will ever read beside the deal's own facts is
copied into the ``terms_pinned`` fact here, so that editing a link, a partner or an enrolment never
re-prices history.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any, Final

from shared.domain.bases import Amounts
from shared.domain.conditions import Fields, Known, holds
from shared.domain.deal import Deal
from shared.domain.leads import Lead
from shared.domain.partners import (
    BUYER_STAFF,
    CATEGORIES,
    DOCUMENTS,
    Address,
    Enrolment,
    Partner,
)
from shared.domain.terms import GROUP, LEVELS, LINK, PARTNER, TIER, Condition, Group, Table, Terms
from shared.domain.verdicts import Refusal

_MAX_DIGITS: Final = 9


@dataclass(frozen=True, slots=True, kw_only=True)
class Pinned:
    """The pinned part of a submission. ``verdict`` is what the grade decides, or "".

    ``partners`` is what is known of each partner who takes part, ``declared`` the categories that
    the form told.
    """

    attributes: Mapping[str, Known]
    overrides: Mapping[str, Mapping[str, object]]
    verdict: str = ""
    partners: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    declared: tuple[str, ...] = ()


def fields_used(terms: Terms) -> frozenset[str]:
    """Return the declared fields that any rule or grade of these terms reads."""
    found: set[str] = set()
    groups = [rule.when for rule in terms.rules] + [g.when for g in terms.lead_quality.grades]
    for group in groups:
        if group:
            found |= _fields_of(group)
    found |= {rule.value.field for rule in terms.rules if isinstance(rule.value, Table)}
    return frozenset(found)


def _fields_of(part: Condition | Group) -> set[str]:
    if isinstance(part, Condition):
        return {part.field}
    return {name for member in part.members for name in _fields_of(member)}


def pin(
    terms: Terms,
    lead: Lead,
    *,
    partner: Partner | None,
    enrolment: Enrolment | None,
    link_code: str = "",
    campaign: str = "",
    touched_at: datetime | None = None,
    existing_customer: bool = False,
    now: datetime,
) -> Pinned:
    """Return what a submission of this lead by this partner pins at this moment.

    Whether the lead was a customer already is our own knowledge, never what a form says.
    """
    attributes = _attributes(lead, partner, enrolment, campaign=campaign)
    attributes["existing_customer"] = existing_customer
    if touched_at:
        attributes["days_since_touch"] = max((now - touched_at).days, 0)
    grade = _grade(terms, attributes)
    if grade:
        attributes["lead_grade"] = grade
    partner_id = enrolment.partner_id if enrolment else ""
    return Pinned(
        attributes=attributes,
        overrides=_overrides(terms, attributes, partner_id=partner_id, link_code=link_code),
        verdict=terms.lead_quality.decide.get(grade, "") if grade else "",
    )


def pin_partner(
    partner: Partner, enrolment: Enrolment, lead: Address | None = None
) -> dict[str, Any]:
    """Return what is pinned of a partner at this moment; what does not apply is left out.

    Without the lead's address nobody can say whether they are the same, or colleagues.
    """
    own = partner.address
    is_lead = bool(lead and own.email_hmac and own.email_hmac == lead.email_hmac)
    is_colleague = bool(lead and own.company_hmac and own.company_hmac == lead.company_hmac)
    categories = {*partner.categories, *((BUYER_STAFF,) if is_colleague else ())}
    found: dict[str, Any] = {
        "accepted": [name for name in DOCUMENTS if name in enrolment.documents],
        "categories": [name for name in CATEGORIES if name in categories],
        "self_referral": is_lead,
    }
    return {name: value for name, value in found.items() if value}


def _attributes(
    lead: Lead, partner: Partner | None, enrolment: Enrolment | None, *, campaign: str
) -> dict[str, Known]:
    found: dict[str, Known] = {
        "country": lead.country,
        "industry": lead.metadata.get("industry", ""),
        "link_campaign": campaign,
    }
    if lead.employees.isascii() and lead.employees.isdigit() and len(lead.employees) <= _MAX_DIGITS:
        found["company_size"] = int(lead.employees)
    if partner:
        found |= {"partner_kind": partner.kind, "region": partner.country}
    if enrolment:
        found |= {
            "partner_tier": enrolment.tier,
            "partner_group": enrolment.group,
            "cause": enrolment.cause,
        }
    return {name: value for name, value in found.items() if value != ""}


def _grade(terms: Terms, attributes: Mapping[str, Known]) -> str:
    """Return the first grade whose conditions hold; what is not known does not hold."""
    nothing = Deal(review="", milestones={}, left={}, amount=None, stage=None)
    amounts = Amounts(deal=nothing, currency=terms.currency, rates={})
    fields = Fields(amounts=amounts, attributes=attributes)
    for grade in terms.lead_quality.grades:
        try:
            if holds(grade.when, fields):
                return grade.grade
        except Refusal:
            continue
    return terms.lead_quality.otherwise


def repin(terms: Terms, data: Mapping[str, Any], version: int) -> dict[str, Any]:
    """Return the data of a ``terms_pinned`` fact as this version would have pinned it.

    Who introduced whom, when and how stays; grade and overrides follow the terms. What was given
    to this referral alone is a fact of its own, and stays too.
    """
    attributes = dict(data.get("attributes", {}))
    attributes.pop("lead_grade", None)
    grade = _grade(terms, attributes)
    if grade:
        attributes["lead_grade"] = grade
    overrides = _overrides(
        terms,
        attributes,
        partner_id=str(data.get("partner_id", "")),
        link_code=str(data.get("link_code", "")),
    )
    return {**data, "version": version, "attributes": attributes, "overrides": overrides}


def _overrides(
    terms: Terms, attributes: Mapping[str, Any], *, partner_id: str, link_code: str
) -> dict[str, dict[str, object]]:
    """Return the rate of the highest level for each rule that has one for this introducer."""
    found: dict[str, dict[str, object]] = {}
    own = {
        TIER: attributes.get("partner_tier"),
        GROUP: attributes.get("partner_group"),
        PARTNER: partner_id,
        LINK: link_code,
    }
    for level in LEVELS:
        for override in terms.overrides:
            if override.level == level and override.match == own[level]:
                name = "percent" if isinstance(override.value, Decimal) else "fixed_minor"
                value = str(override.value) if name == "percent" else override.value
                found[override.rule_id] = {name: value, "level": level}
    return found

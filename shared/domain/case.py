"""One referral under one version of terms: what the judgement of its rules rests on."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, Final

from shared.domain import facts as kinds
from shared.domain import referrals
from shared.domain.bases import Amounts
from shared.domain.caps import Allowances
from shared.domain.conditions import Fields
from shared.domain.deal import Deal, Reached, fold
from shared.domain.entitlements import CreditShare, Parties, read_shares
from shared.domain.facts import Fact, latest
from shared.domain.first_heard import first_heard
from shared.domain.holders import Bound, Identity, bounds_of
from shared.domain.money import to_minor
from shared.domain.periods import period_key
from shared.domain.terms import REFERRAL, Terms, Tier
from shared.domain.values import Valuation
from shared.domain.verdicts import DENIED, NOT_YET, REVERSED, Refusal

LEAD_REWARDED: Final = "lead_rewarded"
"""Attribute of a referral: the lead keeps rewards of the referral that held it before."""


@dataclass(slots=True, kw_only=True)
class Case:
    """One referral under one version of terms, and what the judgement collects on its way.

    ``partners`` is what was pinned of each partner who has or had a part. ``declared`` are the
    categories of the referral; the fact ``declared_by`` overrules what was pinned of partners too.
    ``lead_passed_on`` is the fact that another referral rewards the lead, or "".
    """

    terms: Terms
    deal: Deal
    parties: Parties
    amounts: Amounts
    valuation: Valuation
    allowances: Allowances
    attributes: Mapping[str, Any]
    shares: tuple[Fact, ...]
    heard: Mapping[str, datetime]
    floor: datetime
    submitted_at: datetime
    positions: Mapping[str, int]
    bounds: Mapping[Identity, Bound]
    partners: Mapping[str, Mapping[str, Any]]
    declared: frozenset[str]
    declared_by: str
    lead_passed_on: str
    missing_positions: set[str] = field(default_factory=set)
    bases: dict[str, int] = field(default_factory=dict)


def open_case(
    terms: Terms, ordered: tuple[Fact, ...], known: tuple[Fact, ...], parties: Parties
) -> Case:
    """Bring facts, which must be in order, to what the judgement needs.

    ``known`` are all facts, also those that no longer hold.

    Raises:
        ValueError: when the facts lack the submission, which is a bug of the caller.
    """
    return case_of(fold(ordered, terms), terms, ordered, known, parties)


def case_of(
    deal: Deal,
    terms: Terms,
    ordered: tuple[Fact, ...],
    known: tuple[Fact, ...],
    parties: Parties,
) -> Case:
    """Bring the deal and the facts that it comes from to what the judgement needs.

    Raises:
        ValueError: as ``open_case`` does.
    """
    submitted = latest(ordered, kinds.SUBMITTED)
    if submitted is None:
        message = "a referral without its submission cannot be evaluated"
        raise ValueError(message)
    pinned = latest(ordered, kinds.TERMS_PINNED)
    data: Mapping[str, Any] = pinned.data if pinned else {}
    introduced = submitted.occurred_at
    if data.get("touch_at"):
        introduced = min(introduced, datetime.fromisoformat(data["touch_at"]))
    floor = introduced - timedelta(days=terms.prior_days)
    shares = tuple(fact for fact in ordered if fact.kind == kinds.SHARES_SET)
    amounts = Amounts(deal=deal, currency=terms.currency, rates=_rates(ordered))
    attributes = data.get("attributes", {})
    declared = latest(ordered, kinds.CATEGORIES_DECLARED)
    passed_on = latest(ordered, kinds.LEAD_PASSED_ON)
    return Case(
        terms=terms,
        deal=deal,
        parties=parties,
        amounts=amounts,
        valuation=Valuation(
            amounts=amounts,
            fields=Fields(amounts=amounts, attributes=attributes),
            overrides={**data.get("overrides", {}), **_own_rates(ordered, terms.currency)},
        ),
        allowances=Allowances(terms=terms, facts=known),
        attributes=attributes,
        shares=shares,
        heard=first_heard(ordered, terms, since=floor) if shares else {},
        floor=floor,
        submitted_at=submitted.occurred_at,
        positions={
            str(fact.data["key"]): int(fact.data["position"])
            for fact in ordered
            if fact.kind == kinds.STANDING_PINNED
        },
        bounds=bounds_of(ordered),
        partners=pinned_partners(ordered),
        declared=frozenset(declared.data["categories"] if declared else data.get("declared", ())),
        declared_by=declared.fact_id if declared else "",
        lead_passed_on=passed_on.fact_id if passed_on else "",
    )


def pinned_partners(ordered: Iterable[Fact]) -> dict[str, dict[str, Any]]:
    """Return what was pinned of each partner, of several facts all of it.

    ``accepted`` are documents, ``categories`` what the partner is, ``self_referral`` says that the
    partner is the lead. Whoever shares anew is looked at anew, so what was accepted since counts.
    """
    facts = tuple(ordered)
    told = (latest(facts, kinds.TERMS_PINNED), *(f for f in facts if f.kind == kinds.SHARES_SET))
    found: dict[str, dict[str, Any]] = {}
    for fact in told:
        for partner_id, known in (fact.data.get("partners", {}) if fact else {}).items():
            before = found.get(partner_id, {})
            found[partner_id] = {
                name: (*before.get(name, ()), *known.get(name, ()))
                for name in ("accepted", "categories")
            }
            is_lead = before.get("self_referral") or known.get("self_referral")
            found[partner_id]["self_referral"] = bool(is_lead)
    return found


def with_deal(case: Case, deal: Deal) -> Case:
    """Return a new case in which only the deal differs."""
    amounts = Amounts(deal=deal, currency=case.terms.currency, rates=case.amounts.rates)
    fields = Fields(amounts=amounts, attributes=case.attributes)
    return replace(
        case,
        deal=deal,
        amounts=amounts,
        valuation=replace(case.valuation, amounts=amounts, fields=fields),
        missing_positions=set(),
        bases={},
    )


def _rates(ordered: Iterable[Fact]) -> dict[tuple[str, str], Decimal]:
    return {
        (str(fact.data["subject"]), str(fact.data["currency"])): Decimal(str(fact.data["rate"]))
        for fact in ordered
        if fact.kind == kinds.RATE_PINNED
    }


def _own_rates(ordered: Iterable[Fact], currency: str) -> dict[str, dict[str, Any]]:
    """Return the rates of this referral alone, by rule: the one that was set last."""
    found = {}
    for fact in ordered:
        if fact.kind == kinds.RATE_SET:
            rate = {"percent": fact.data.get("percent")}
            if "fixed" in fact.data:
                rate = {"fixed_minor": to_minor(Decimal(fact.data["fixed"]), currency)}
            found[str(fact.data["rule"])] = {**rate, "level": REFERRAL, "fact": fact.fact_id}
    return found


def reached_at(milestone: str, case: Case) -> Reached:
    """Return when the milestone was reached, if it was and may count.

    Raises:
        Refusal: with the reason why it does not.
    """
    deal = case.deal
    if deal.review not in referrals.OPEN_REVIEW | {referrals.ACCEPTED}:
        raise Refusal(DENIED, f"review_{deal.review}")
    reached = deal.milestones.get(milestone)
    if reached is None:
        if milestone in deal.left:
            raise Refusal(REVERSED, "milestone_left", (deal.left[milestone],))
        raise Refusal(NOT_YET, "milestone_not_reached")
    check_floor(reached, case)
    facts = (reached.fact_id,)
    at = reached.occurred_at.isoformat()
    ends_at = case.submitted_at + timedelta(days=case.terms.credit_days)
    if reached.occurred_at >= ends_at:
        raise Refusal(
            DENIED, "credit_window_over", facts, occurred_at=at, window_end=ends_at.isoformat()
        )
    if reached.received_at >= ends_at + timedelta(days=case.terms.late_grace_days):
        raise Refusal(
            DENIED,
            "received_too_late",
            facts,
            received_at=reached.received_at.isoformat(),
            window_end=ends_at.isoformat(),
        )
    return reached


def check_floor(reached: Reached, case: Case) -> None:
    """Demand that it occurred after the introduction.

    Raises:
        Refusal: when it was there before: nobody may claim a deal that was already won.
    """
    if reached.occurred_at < case.floor:
        raise Refusal(
            DENIED,
            "milestone_before_referral",
            (reached.fact_id,),
            occurred_at=reached.occurred_at.isoformat(),
            referral_since=case.floor.isoformat(),
        )


def tier_key(tier: Tier, case: Case) -> str:
    """Name the sum that a tier looks at, in the period of its own milestone.

    Raises:
        Refusal: when the milestone does not count.
    """
    reached = reached_at(tier.milestone, case)
    period = period_key(tier.period, reached.occurred_at, case.terms.time_zone)
    return f"{tier.by}:{tier.milestone}:{period}"


def shares_at(case: Case, reached: Reached, name: str) -> tuple[CreditShare, ...]:
    """Return who shared when we first heard of ``name``, unless told otherwise afterwards.

    ``name`` is the milestone, or the occurrence of an invoice or a renewal. Whoever is named
    first for a referral that nobody had introduced shares in all of it.
    """
    shares = case.parties.shares
    counted_at = case.heard.get(name, reached.received_at)
    for fact in case.shares:
        told_before = fact.received_at <= counted_at
        if not shares or fact.data.get("retroactive") or told_before:
            shares = read_shares(fact.data["shares"])
    return shares


def introducer(case: Case) -> str:
    """Return the partner whose successes the referral counts for, or "" if there is none."""
    shares = case.parties.shares
    for fact in case.shares:
        if not shares or fact.data.get("retroactive"):
            shares = read_shares(fact.data["shares"])
    return shares[0].partner_id if shares else ""

"""Who may earn from a referral: what the terms ask of those who take part in it.

Everything that decides is pinned: what each partner had accepted and was at the submission (or when
a person named them), what the form and the reviewer declared, and the partner's place among their
accepted referrals. So other terms judge the same facts anew, and no later edit re-prices anything.

* The partner's kind and region, an existing customer and the minimum engagement are those of
  whoever introduced, and decide for all who share, and for the cause.
* A document that was not accepted, a blocked category, and being the lead oneself take away only
  the part of the partner whom they concern; nobody else gets it. What the introducer may not earn
  counts for no tier or bonus either.
* An introduction of oneself, and a blocked category that was declared of the referral, take away
  the lead's reward too.
"""

from collections.abc import Iterable, Mapping
from typing import Final

from shared.domain import referrals
from shared.domain.case import LEAD_REWARDED, Case, introducer
from shared.domain.entitlements import read_shares
from shared.domain.partners import AGREEMENT, BUYER_STAFF, CODE_OF_CONDUCT
from shared.domain.terms import CAUSE, DENY, LEAD, PARTNER, Rule
from shared.domain.verdicts import DENIED, NOT_YET, Refusal

ENGAGEMENT: Final = "engagement:accepted"
"""The sum of the partner's accepted referrals that count for the minimum engagement."""

LEFT_OUT: Final = "left_out"
"""Figure that names partners who may not earn their part, each with the code."""

BLOCKED_CATEGORY: Final = "blocked_category"


def check_eligible(rule: Rule, case: Case) -> None:
    """Demand that the terms let the rule's beneficiary earn at all.

    Raises:
        Refusal: with the reason why not.
    """
    side = LEAD if rule.beneficiary == LEAD else PARTNER
    if rule.beneficiary == PARTNER and not introducer(case):
        raise Refusal(DENIED, "no_partner")
    if rule.beneficiary == CAUSE and not case.attributes.get("cause"):
        raise Refusal(DENIED, "no_cause")
    _check_referral(side, case)
    if side == LEAD:
        if case.attributes.get(LEAD_REWARDED):
            raise Refusal(DENIED, "lead_rewarded_before")
        if case.lead_passed_on:
            raise Refusal(DENIED, "lead_passed_on", (case.lead_passed_on,))
        return
    _check_introducer(case)
    _check_partners(rule, case)
    _check_engagement(case)


def counts_for_engagement(case: Case) -> bool:
    """Tell whether it is one of the accepted ones that the terms ask of a partner.

    It is only if whoever introduced is not barred, which the caller has made sure of.
    """
    accepted = case.deal.review == referrals.ACCEPTED
    if not case.terms.eligibility.minimum_engagement or not accepted:
        return False
    try:
        _check_referral(PARTNER, case)
        _check_introducer(case)
    except Refusal:
        return False
    return True


def barred(partner_id: str, case: Case) -> Refusal | None:
    """Return why a partner may not earn a part of this referral, or None."""
    terms = case.terms.eligibility
    known = case.partners.get(partner_id, {})
    missing = set(terms.required).difference(known.get("accepted", ()))
    if AGREEMENT in missing:
        return Refusal(DENIED, "agreement_missing")
    if CODE_OF_CONDUCT in missing:
        return Refusal(DENIED, "code_of_conduct_missing")
    if terms.self_referral == DENY and known.get("self_referral"):
        return Refusal(DENIED, "self_referral")
    own = () if case.declared_by else known.get("categories", ())
    for category in terms.blocked:
        if category in own:
            if category == BUYER_STAFF:
                # Whom the lead works for is not for partners to see.
                return Refusal(DENIED, BLOCKED_CATEGORY, category=category)
            return Refusal(DENIED, BLOCKED_CATEGORY, own_category=category)
    return None


def left_out(refusals: Mapping[str, Refusal]) -> str:
    """Write partners who may not earn their part with the codes that say why, as one figure."""
    return ", ".join(f"{partner_id} {why.code}" for partner_id, why in refusals.items())


def read_left_out(figure: str) -> dict[str, str]:
    """Return what ``left_out`` wrote: codes by partner."""
    pairs = (each.partition(" ") for each in figure.split(", ") if each)
    return {partner_id: code for partner_id, _, code in pairs}


def _check_referral(side: str, case: Case) -> None:
    terms = case.terms.eligibility
    if case.attributes.get("existing_customer") and side not in terms.allow_existing:
        raise Refusal(DENIED, "existing_customer")
    for category in terms.blocked:
        if category in case.declared:
            told = (case.declared_by,) if case.declared_by else ()
            raise Refusal(DENIED, BLOCKED_CATEGORY, told, category=category)
    introduced_by = introducer(case)
    if terms.self_referral == DENY and case.partners.get(introduced_by, {}).get("self_referral"):
        raise Refusal(DENIED, "self_referral", left_out=f"{introduced_by} self_referral")


def _check_introducer(case: Case) -> None:
    terms = case.terms.eligibility
    for name, allowed in (("partner_kind", terms.partner_kinds), ("region", terms.regions)):
        if allowed and case.attributes.get(name) not in allowed:
            raise Refusal(DENIED, "not_eligible", field=name)


def _check_partners(rule: Rule, case: Case) -> None:
    """Demand that one of those whom the rule can pay may earn; with several, ``_parts`` decides."""
    concerned = [introducer(case)]
    if rule.beneficiary == PARTNER and not rule.is_partner_level:
        concerned += _named(case)
    found = {partner_id: barred(partner_id, case) for partner_id in concerned}
    refusals = {partner_id: why for partner_id, why in found.items() if why}
    if len(refusals) == len(found):
        raise all_barred(refusals)


def all_barred(refusals: Mapping[str, Refusal]) -> Refusal:
    """Return the refusal of a reward of which none of these partners may earn a part."""
    first = next(iter(refusals.values()))
    figures = {**first.figures, LEFT_OUT: left_out(refusals)}
    return Refusal(first.outcome, first.code, first.facts, **figures)


def _named(case: Case) -> Iterable[str]:
    """Yield everybody who ever had a part."""
    yield from (share.partner_id for share in case.parties.shares)
    for fact in case.shares:
        yield from (share.partner_id for share in read_shares(fact.data["shares"]))


def _check_engagement(case: Case) -> None:
    needed = case.terms.eligibility.minimum_engagement
    if not needed:
        return
    position = case.positions.get(ENGAGEMENT)
    if position is None and case.deal.review == referrals.ACCEPTED:
        case.missing_positions.add(ENGAGEMENT)
        raise Refusal(NOT_YET, "position_not_pinned")
    if position is None:
        raise Refusal(NOT_YET, "review_pending")
    if position <= needed:
        brought = max(position - 1, 0)
        raise Refusal(DENIED, "engagement_too_low", brought=str(brought), needed=str(needed))

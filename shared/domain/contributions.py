"""What a referral adds to its introducer's sums: counts, revenue, and bases of true-ups.

Only what the introducer may earn by counts. What counts for the minimum engagement counts before
that: it is a referral that was accepted and that nothing else keeps from earning, whatever becomes
of its deal; its place is pinned at once, so that later ones don't move it.

Positions in a tier are needed as soon as a reward is posted, so a referral counts for them while
its review is open. What pays by itself (successes, true-ups) counts only what was accepted.
"""

from contextlib import suppress

from shared.domain import referrals
from shared.domain.case import Case, introducer, reached_at, tier_key
from shared.domain.eligibility import ENGAGEMENT, barred, check_eligible, counts_for_engagement
from shared.domain.terms import BY_COUNT, RETROACTIVE, Rule, Tier
from shared.domain.verdicts import Refusal


def success_key(milestone: str) -> str:
    """Name the sum of accepted successes that bonuses by count look at."""
    return f"success:{milestone}"


def contributions(case: Case) -> dict[str, int]:
    """Return what counts at this moment, by key; a deal refunded whole counts nothing."""
    found: dict[str, int] = {}
    introduced_by = introducer(case)
    if not introduced_by or barred(introduced_by, case):
        return found
    if counts_for_engagement(case):
        found[ENGAGEMENT] = 1
        if ENGAGEMENT not in case.positions:
            case.missing_positions.add(ENGAGEMENT)
    if _is_refunded_whole(case):
        return found
    for rule in case.terms.rules:
        with suppress(Refusal):
            check_eligible(rule, case)
            if rule.is_partner_level:
                _count_success(found, rule, case)
            elif rule.tier:
                _contribute_to_tier(found, rule, rule.tier, case)
    return found


def _count_success(found: dict[str, int], rule: Rule, case: Case) -> None:
    if case.deal.review == referrals.ACCEPTED:
        reached_at(rule.milestone, case)
        found[success_key(rule.milestone)] = 1


def _contribute_to_tier(found: dict[str, int], rule: Rule, tier: Tier, case: Case) -> None:
    if tier.mode == RETROACTIVE and case.deal.review != referrals.ACCEPTED:
        return
    key = tier_key(tier, case)
    found[key] = 1 if tier.by == BY_COUNT else case.amounts.net_deal()
    base = case.bases.get(rule.rule_id, 0)
    if tier.mode == RETROACTIVE and base:
        period = key.rpartition(":")[2]
        found[f"base:{rule.rule_id}:{period}"] = base


def _is_refunded_whole(case: Case) -> bool:
    if not case.deal.refunds:
        return False
    try:
        return case.amounts.gross_deal() > 0 and case.amounts.net_deal() == 0
    except Refusal:
        return False

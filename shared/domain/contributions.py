"""What a referral adds to its introducer's sums: counts, revenue, and bases of true-ups."""

from shared.domain.case import Case, reached_at, tier_key
from shared.domain.terms import BY_COUNT, LIFETIME, RETROACTIVE, Rule, Tier
from shared.domain.verdicts import Refusal


def contributions(case: Case) -> dict[str, int]:
    """Return what counts at this moment, by key; a deal refunded whole counts nothing."""
    found: dict[str, int] = {}
    if not case.parties.shares or _is_refunded_whole(case):
        return found
    for rule in case.terms.rules:
        if rule.is_partner_level:
            _count(found, f"{BY_COUNT}:{rule.milestone}:{LIFETIME}", rule.milestone, case)
        elif rule.tier:
            _contribute_to_tier(found, rule, rule.tier, case)
    return found


def _count(found: dict[str, int], key: str, milestone: str, case: Case) -> None:
    try:
        reached_at(milestone, case)
    except Refusal:
        return
    found[key] = 1


def _contribute_to_tier(found: dict[str, int], rule: Rule, tier: Tier, case: Case) -> None:
    try:
        key = tier_key(tier, case)
        found[key] = 1 if tier.by == BY_COUNT else case.amounts.net_deal()
    except Refusal:
        return
    base = case.bases.get(rule.rule_id, 0)
    if tier.mode == RETROACTIVE and base:
        period = key.rpartition(":")[2]
        found[f"base:{rule.rule_id}:{period}"] = base


def _is_refunded_whole(case: Case) -> bool:
    if not case.deal.refunds or case.deal.amount is None:
        return False
    try:
        return case.amounts.gross_deal() > 0 and case.amounts.net_deal() == 0
    except Refusal:
        return False

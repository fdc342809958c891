"""Claims: which referral a lead belongs to, how long nobody else may claim it, and what follows.

A claim is protected for ``protection_days`` of the terms that its referral was submitted under,
counted by our clock from the submission; terms that say nothing give 180 days. Afterwards another
partner may take the lead over, as long as nothing has come of the earlier referral beyond its
submission and review. The earlier one keeps what it has: an open review ends as expired, a decided
one stays. It takes no more news, is accepted no more, and whatever names it later means the
referral that holds the lead now. So a lead is rewarded by one of them at most: an accepted one
that gave it nothing by then never will, whatever terms it is moved to.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final

from shared.domain import facts as kinds
from shared.domain import referrals
from shared.domain.case import LEAD_REWARDED
from shared.domain.entitlements import Parties, read_shares, shares_of
from shared.domain.evaluation import evaluate
from shared.domain.events import Event
from shared.domain.facts import Fact, in_order, latest
from shared.domain.leads import Lead
from shared.domain.referrals import Referral
from shared.domain.terms import LEAD, Terms
from shared.domain.verdicts import CAPPED, GRANTED, HELD

_BEFORE_ANY_DEAL: Final = kinds.PINS.union(
    {
        kinds.SUBMITTED,
        kinds.TERMS_PINNED,
        kinds.REVIEW_DECIDED,
        kinds.REGRADED,
        kinds.RATE_SET,
        kinds.SHARES_SET,
        kinds.CATEGORIES_DECLARED,
        kinds.LEAD_PASSED_ON,
        kinds.HOLD_PLACED,
        kinds.HOLD_RELEASED,
        kinds.FACT_RETRACTED,
    }
)
"""Facts that a referral may have of which nothing has come beyond its review."""

_BEING_PINNED: Final = frozenset({"position_not_pinned", "allowance_not_pinned"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """Who holds a lead. Without an end of the protection it lasts for good."""

    referral_id: str
    protected_until: datetime | None = None

    def is_protected(self, now: datetime) -> bool:
        """Tell whether nobody else may claim the lead at ``now``."""
        return self.protected_until is None or now < self.protected_until


@dataclass(frozen=True, slots=True, kw_only=True)
class NewReferral:
    """A referral with all that is stored with it.

    ``claim`` is the keyed hash that it claims its lead under, None for one in quarantine, which
    claims nobody and tells nobody.
    """

    referral: Referral
    facts: tuple[Fact, ...]
    lead: Lead
    digest: str
    protected_until: datetime
    claim: str | None
    event: Event | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Succession:
    """What becomes of the referral that loses its lead, with a fact if it could earn for it yet."""

    before: Referral
    after: Referral
    fact: Fact | None = None
    event: Event | None = None


def protected_until(terms: Terms, submitted_at: datetime) -> datetime:
    """Return when other partners may claim the lead."""
    return submitted_at + timedelta(days=terms.protection_days)


def may_pass(facts: Iterable[Fact], partner_id: str) -> bool:
    """Tell whether the lead of an unprotected referral without a deal may go to a partner.

    It may not if the partner had a part in the referral, or if anything was told that comes after
    the review, even if it was taken back since.
    """
    return all(
        fact.kind in _BEFORE_ANY_DEAL
        and partner_id not in {each.partner_id for each in read_shares(fact.data.get("shares", ()))}
        for fact in facts
    )


def given_up(head: Referral, heir_id: str) -> Referral:
    """Return the head of a referral whose lead goes to another one."""
    review = referrals.EXPIRED if head.review in referrals.OPEN_REVIEW else head.review
    return replace(head, review=review, taken_over_by=heir_id, version=head.version + 1)


def keeps_lead_rewards(head: Referral, facts: Iterable[Fact], terms: Terms) -> bool:
    """Tell whether the lead is rewarded by this referral, or by one before it, for good.

    ``head`` is as the succession leaves it. The facts decide, not what is posted by now.
    """
    told = tuple(facts)
    pinned = latest(in_order(told), kinds.TERMS_PINNED)
    if pinned and pinned.data.get("attributes", {}).get(LEAD_REWARDED):
        return True
    if head.review != referrals.ACCEPTED:
        return False
    of_lead = {rule.rule_id for rule in terms.rules if rule.beneficiary == LEAD}
    parties = Parties(lead_id=head.lead_id, shares=shares_of(told))
    return any(
        line.outcome in {GRANTED, HELD, CAPPED} or line.code in _BEING_PINNED
        for line in evaluate(terms, told, parties).trace
        if line.rule_id in of_lead
    )

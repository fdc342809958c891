"""Two referrals of one deal: which one keeps it, and what goes over to it from the other."""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Final

from shared.domain import facts, referrals
from shared.domain.deal import ACCEPTED, fold
from shared.domain.facts import Fact, in_order
from shared.domain.referrals import Referral
from shared.domain.terms import Terms

MERGED: Final = "merged"
"""How a deal ended, and the evidence of a binding that follows another deal's."""

_OF_THE_DEAL: Final = frozenset(
    {
        facts.STAGE_ENTERED,
        facts.AMOUNT_SET,
        facts.CURRENCY_SET,
        facts.FIELD_SET,
        facts.INVOICE_PAID,
        facts.RENEWED,
        facts.REFUNDED,
        facts.CHARGED_BACK,
        facts.CHARGEBACK_REVERSED,
        facts.MILESTONE_REACHED,
        facts.DEAL_ENDED,
        facts.DEAL_RESTORED,
        facts.DEAL_MERGED,
    }
)
"""What is said of a deal, by whomever. What was decided about its referral stays there."""

Precedence = tuple[bool, datetime, datetime, str]


def carried(known: Sequence[Fact]) -> list[Fact]:
    """Return the facts of a referral that go over with its deal, and what takes them back."""
    of_deal = [fact for fact in known if fact.kind in _OF_THE_DEAL]
    ids = {fact.fact_id for fact in of_deal}
    return of_deal + [fact for fact in known if fact.retracts in ids]


def is_closed(referral: Referral) -> bool:
    """Tell whether the review ended with a no, so that the referral earns nothing."""
    return referral.review not in referrals.OPEN_REVIEW | {referrals.ACCEPTED}


def precedence(referral: Referral, known: Iterable[Fact], terms: Terms) -> Precedence:
    """Return by what referrals of one deal are ordered: the least of them keeps it.

    That is the one that was accepted first, by the review or by a milestone; before any was, the
    one that was submitted first. A deal may have been accepted before it was introduced: that
    counts from the introduction.
    """
    accepted = fold(in_order(known), terms).milestones.get(ACCEPTED)
    since = datetime.max.replace(tzinfo=UTC)
    if accepted:
        since = max(accepted.occurred_at, referral.submitted_at)
    return is_closed(referral), since, referral.submitted_at, referral.referral_id

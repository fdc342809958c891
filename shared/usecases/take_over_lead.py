"""Let a lead pass to another partner's referral once nobody is protected and nothing came of it."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from shared.domain import claims, facts, referrals
from shared.domain.attribution import Attribution, may_follow
from shared.domain.claims import Claim, Succession
from shared.domain.errors import NotFoundError
from shared.domain.events import FACTS_CHANGED, Event
from shared.domain.facts import Fact, fact_id
from shared.domain.programs import Program
from shared.domain.referrals import Referral
from shared.ports import IntakeStore, NewId

SOURCE: Final = "form"
_REASON: Final = "the protection ended and another partner introduced the lead"


@dataclass(frozen=True, slots=True, kw_only=True)
class Heir:
    """The referral that may get a lead, with what proved its partner."""

    referral: Referral
    found: Attribution
    correlation_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Passing:
    """A lead that may pass on. ``is_rewarded``: it keeps rewards of an earlier referral."""

    succession: Succession
    is_rewarded: bool


def passing(
    store: IntakeStore,
    program: Program,
    claim: Claim,
    heir: Heir,
    *,
    now: datetime,
    new_id: NewId,
) -> Passing | None:
    """Return how the lead passes from its holder to the heir, or None if it stays.

    Raises:
        NotFoundError: when the holder points into the void.
        UnavailableError: when the store does not answer.
    """
    winner = heir.found.winner
    if winner is None or claim.is_protected(now):
        return None
    newest = store.terms(program, program.terms_version)
    head = store.referral(claim.referral_id)
    if newest is None or head is None:
        raise NotFoundError
    partner_id = winner.partner.partner_id
    if head.deal_id or head.partner_id == partner_id:
        # Most of those who come again; what they told need not be read for it.
        return None
    if not may_follow(newest.attribution, winner.evidence):
        return None
    known = store.facts(head.referral_id)
    if not claims.may_pass(known, partner_id):
        return None
    terms = store.terms(program, head.terms_version)
    if terms is None:
        raise NotFoundError
    heir_id = heir.referral.referral_id
    after = claims.given_up(head, heir_id)
    is_rewarded = claims.keeps_lead_rewards(after, known, terms)
    succession = Succession(before=head, after=after)
    fact = _ending(head, after, heir_id, now, is_rewarded=is_rewarded)
    if fact:
        event = _event(after, fact, heir, now, new_id("evt"))
        succession = replace(succession, fact=fact, event=event)
    return Passing(succession=succession, is_rewarded=is_rewarded)


def _ending(
    head: Referral, after: Referral, heir_id: str, now: datetime, *, is_rewarded: bool
) -> Fact | None:
    """Return what ends the referral's claim to a reward for the lead, if it has one.

    The heir rewards the lead, whatever other terms or later facts would make of this one.
    """
    if after.review != head.review:
        expired = {"decision": "expire", "state": after.review, "actor": "terms"}
        return _fact(after, facts.REVIEW_DECIDED, {**expired, "reason": _REASON}, heir_id, now)
    if after.review != referrals.ACCEPTED or is_rewarded:
        return None
    return _fact(after, facts.LEAD_PASSED_ON, {"into": heir_id}, heir_id, now)


def _fact(
    ended: Referral, kind: str, data: Mapping[str, object], heir_id: str, now: datetime
) -> Fact:
    identity = fact_id(
        source=SOURCE, subject=ended.referral_id, attribute=kind, value=ended.review, when=heir_id
    )
    return Fact(
        fact_id=identity, kind=kind, occurred_at=now, received_at=now, source=SOURCE, data=data
    )


def _event(ended: Referral, fact: Fact, heir: Heir, now: datetime, event_id: str) -> Event:
    return Event(
        event_id=event_id,
        name=FACTS_CHANGED,
        occurred_at=now,
        program_id=ended.program_id,
        aggregate_type="referral",
        aggregate_id=ended.referral_id,
        aggregate_version=ended.version,
        correlation_id=heir.correlation_id,
        causation_id=heir.correlation_id,
        hops=0,
        data={"referral_id": ended.referral_id, "kinds": [fact.kind]},
    )

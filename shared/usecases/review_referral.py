"""Decide on a referral: accept it, reject it, or ask for more."""

from dataclasses import replace
from datetime import datetime
from typing import Final

from shared.domain import facts
from shared.domain.errors import NotFoundError, StaleVersionError
from shared.domain.events import FACTS_CHANGED, Event
from shared.domain.facts import Fact, fact_id
from shared.domain.referrals import ACCEPTED, Referral, check_holds_lead, decide
from shared.ports import NewId, ReviewStore

TRIES: Final = 5
SOURCE: Final = "review"


def review_referral(
    store: ReviewStore,
    referral_id: str,
    *,
    decision: str,
    reason: str,
    actor: str,
    now: datetime,
    new_id: NewId,
    mark: str,
    correlation_id: str,
) -> Referral:
    """Take the decision, with its fact and event in one transaction; return the referral.

    Taking it again in the same request changes nothing.

    Raises:
        NotFoundError: no such referral.
        ConflictError: ``illegal_review_move``; ``lead_taken_over`` for accepting it.
        StaleVersionError: others wrote first, five times over.
    """
    statement = fact_id(
        source=SOURCE, subject=referral_id, attribute="review", value=decision, when=mark
    )
    for _ in range(TRIES):
        referral = store.referral(referral_id)
        if referral is None:
            raise NotFoundError
        if store.has_fact(referral_id, statement):
            return referral
        state = _state_after(referral, decision)
        fact = Fact(
            fact_id=statement,
            kind=facts.REVIEW_DECIDED,
            occurred_at=now,
            received_at=now,
            source=SOURCE,
            data={"decision": decision, "state": state, "actor": actor, "reason": reason},
        )
        decided = replace(referral, review=state, version=referral.version + 1)
        event = Event(
            event_id=new_id("evt"),
            name=FACTS_CHANGED,
            occurred_at=now,
            program_id=referral.program_id,
            aggregate_type="referral",
            aggregate_id=referral_id,
            aggregate_version=decided.version,
            correlation_id=correlation_id,
            causation_id=correlation_id,
            hops=0,
            data={"referral_id": referral_id, "kinds": [facts.REVIEW_DECIDED]},
        )
        try:
            store.record_review(decided, fact, event, version=referral.version, now=now)
        except StaleVersionError:
            continue
        return decided
    raise StaleVersionError


def _state_after(referral: Referral, decision: str) -> str:
    state = decide(referral.review, decision)
    if state == ACCEPTED:
        check_holds_lead(referral)
    return state

"""State a fact by hand: with a reason, by a named person, checked against what is known.

To change shares for what was already decided, to give a referral a rate of its own, or to take back
what nothing newer can say otherwise, takes two: one proposes, and another, who comes with a
management key of another principal, approves. A name in a body would prove nobody.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Final

from shared.domain import facts as kinds
from shared.domain.errors import ConflictError, NotFoundError, StaleVersionError, invalid
from shared.domain.events import FACTS_CHANGED, Event
from shared.domain.facts import MAX_FACTS, Fact, fact_id
from shared.domain.facts_by_hand import (
    DECISIONS,
    KINDS,
    SOURCE,
    Wish,
    basis,
    check_against,
    check_categories,
    check_field,
    check_grade,
    check_rate,
    check_shares,
    check_time,
    checked_money,
    takes_two,
)
from shared.domain.pinning import pin_partner
from shared.domain.proposals import APPROVED, OPEN, Proposal, same_person
from shared.domain.referrals import Referral, check_holds_lead
from shared.domain.terms_reader import parse_terms
from shared.ports import HandStore, NewId

TRIES: Final = 5
PROPOSAL_DAYS: Final = 14
_FOR_ANY_REFERRAL: Final = frozenset(
    {
        kinds.SHARES_SET,
        kinds.CATEGORIES_DECLARED,
        kinds.RATE_SET,
        kinds.HOLD_PLACED,
        kinds.HOLD_RELEASED,
    }
)
"""Facts that say who may earn what of a referral, whichever one holds the lead by now."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """Who asks, when, and under which name. ``mark`` is the same for every run of a request."""

    actor: str
    now: datetime
    new_id: NewId
    mark: str
    correlation_id: str


def add_fact(store: HandStore, referral_id: str, wish: Wish, request: Request) -> Fact | Proposal:
    """Store a fact with its event in one transaction, and return it; or what waits for another.

    Stating it again in the same request changes nothing.

    Raises:
        NotFoundError: no such referral.
        InvalidFieldsError: naming every wrong field.
        ConflictError: ``too_many_facts``, ``fact_not_retractable``, ``fact_already_retracted``,
            ``hold_not_in_place`` or ``lead_taken_over``.
        StaleVersionError: others wrote first, five times over.
    """
    if wish.kind not in KINDS:
        raise invalid("kind", "not_allowed", "must be one of " + ", ".join(KINDS))
    check_time(wish, request.now)
    if wish.kind == kinds.HOLD_PLACED:
        wish = replace(wish, data={**wish.data, "hold_id": request.new_id("hld")})
    statement = _statement(referral_id, wish.kind, request.mark)
    for _ in range(TRIES):
        referral = _read(store, referral_id)
        facts = store.facts(referral_id)
        known = next((fact for fact in facts if fact.fact_id == statement), None)
        if known is not None:
            return known
        data = _checked(store, referral, wish, facts)
        if takes_two(wish, facts):
            proposal = _proposal(replace(wish, data=data), facts, referral_id, request)
            return store.add_proposal(proposal, mark=request.mark)
        fact = _fact(statement, wish, {**data, "actor": request.actor}, request.now)
        try:
            _store(store, referral, fact, None, request)
        except StaleVersionError:
            continue
        return fact
    raise StaleVersionError


def approve_proposal(
    store: HandStore, referral_id: str, proposal_id: str, request: Request
) -> Fact:
    """Make a proposal a fact, if another person than its author asks for it.

    Raises:
        NotFoundError: no such referral or proposal, or it has expired.
        ConflictError: ``second_person_required``; ``proposal_closed`` if somebody approved it
            already; ``proposal_outdated`` if the shares were changed since;
            ``fact_already_retracted``.
        InvalidFieldsError: when a partner is no longer enrolled.
        StaleVersionError: others wrote first, five times over.
    """
    for _ in range(TRIES):
        referral = _read(store, referral_id)
        proposal = store.proposal(referral_id, proposal_id)
        if proposal is None or proposal.expires_at <= request.now:
            raise NotFoundError
        statement = _statement(referral_id, proposal.kind, proposal_id)
        if same_person(proposal.proposed_by, request.actor):
            raise ConflictError("second_person_required", "somebody else must approve this")
        facts = store.facts(referral_id)
        known = next((fact for fact in facts if fact.fact_id == statement), None)
        if known is not None and same_person(proposal.approved_by, request.actor):
            return known
        if proposal.state != OPEN:
            raise ConflictError("proposal_closed", "the proposal is approved already")
        if proposal.based_on != basis(proposal.kind, facts):
            message = "what it was proposed for was changed since: propose anew"
            raise ConflictError("proposal_outdated", message)
        wish = Wish(
            kind=proposal.kind,
            data=proposal.data,
            reason=proposal.reason,
            retracts=proposal.retracts,
        )
        data = _checked(store, referral, wish, facts)
        people = {"actor": proposal.proposed_by, "approved_by": request.actor}
        fact = _fact(statement, wish, {**data, **people}, request.now)
        approved = replace(proposal, state=APPROVED, approved_by=request.actor)
        try:
            _store(store, referral, fact, approved, request)
        except StaleVersionError:
            continue
        return fact
    raise StaleVersionError


def _proposal(wish: Wish, facts: list[Fact], referral_id: str, request: Request) -> Proposal:
    return Proposal(
        proposal_id=request.new_id("prp"),
        referral_id=referral_id,
        kind=wish.kind,
        data=wish.data,
        reason=wish.reason,
        proposed_by=request.actor,
        proposed_at=request.now,
        expires_at=request.now + timedelta(days=PROPOSAL_DAYS),
        based_on=basis(wish.kind, facts),
        retracts=wish.retracts,
    )


def _read(store: HandStore, referral_id: str) -> Referral:
    referral = store.referral(referral_id)
    if referral is None:
        raise NotFoundError
    return referral


def _statement(referral_id: str, kind: str, mark: str) -> str:
    return fact_id(source=SOURCE, subject=referral_id, attribute=kind, value="", when=mark)


def _checked(store: HandStore, referral: Referral, wish: Wish, facts: list[Fact]) -> dict[str, Any]:
    """Return the data to store, after all checks."""
    if len(facts) >= MAX_FACTS:
        raise ConflictError("too_many_facts", f"a referral has at most {MAX_FACTS} facts")
    program = store.program(referral.program_id)
    if program is None:
        raise NotFoundError
    check_against(wish, facts)
    if wish.kind not in _FOR_ANY_REFERRAL:
        check_holds_lead(referral)
    if wish.kind == kinds.SHARES_SET:
        return _with_partners(store, referral.program_id, wish.data)
    if wish.kind == kinds.CATEGORIES_DECLARED:
        check_categories(wish.data["categories"])
    if wish.kind == kinds.FIELD_SET:
        check_field(wish.data["name"], wish.data["value"])
    if wish.kind in (kinds.REGRADED, kinds.RATE_SET):
        _check_by_terms(store, referral, wish, program.currency)
    return dict(wish.data) if wish.kind in DECISIONS else checked_money(wish, program.currency)


def _check_by_terms(store: HandStore, referral: Referral, wish: Wish, currency: str) -> None:
    found = store.terms(referral.program_id, referral.terms_version)
    if found is None:
        raise NotFoundError
    terms = parse_terms(found.definition, currency=currency)
    if wish.kind == kinds.REGRADED:
        check_grade(wish.data["grade"], terms.lead_quality)
    else:
        check_rate(wish.data, terms)


def _with_partners(store: HandStore, program_id: str, data: Mapping[str, Any]) -> dict[str, Any]:
    """Return the data with what is pinned of each partner who shares from now on."""
    check_shares(data["shares"])
    pinned: dict[str, dict[str, Any]] = {}
    for place, share in enumerate(data["shares"]):
        partner_id = share["partner_id"]
        enrolment = store.enrolment(partner_id, program_id)
        partner = store.partner(partner_id)
        if enrolment is None or partner is None:
            path = f"data.shares[{place}].partner_id"
            raise invalid(path, "not_enrolled", "the partner is not enrolled in the programme")
        known = pin_partner(partner, enrolment)
        if known:
            pinned[partner_id] = known
    return {**data, "partners": pinned} if pinned else dict(data)


def _fact(statement: str, wish: Wish, data: Mapping[str, Any], now: datetime) -> Fact:
    return Fact(
        fact_id=statement,
        kind=wish.kind,
        occurred_at=wish.occurred_at or now,
        received_at=now,
        source=SOURCE,
        data={**data, "reason": wish.reason},
        retracts=wish.retracts,
    )


def _store(
    store: HandStore,
    referral: Referral,
    fact: Fact,
    proposal: Proposal | None,
    request: Request,
) -> None:
    after = replace(referral, version=referral.version + 1)
    if referral.partner_id is None and fact.kind == kinds.SHARES_SET:
        # Nobody introduced the lead as far as we knew: now somebody did, and lists must show it.
        after = replace(after, partner_id=fact.data["shares"][0]["partner_id"])
    event = _changed(after, fact, request)
    store.add_fact(referral, after, fact, event, proposal=proposal, now=request.now)


def _changed(referral: Referral, fact: Fact, request: Request) -> Event:
    return Event(
        event_id=request.new_id("evt"),
        name=FACTS_CHANGED,
        occurred_at=request.now,
        program_id=referral.program_id,
        aggregate_type="referral",
        aggregate_id=referral.referral_id,
        aggregate_version=referral.version,
        correlation_id=request.correlation_id,
        causation_id=request.correlation_id,
        hops=0,
        data={"referral_id": referral.referral_id, "kinds": [fact.kind]},
    )

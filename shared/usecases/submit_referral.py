"""Take a form in: attribute it, claim the lead, and store the referral with its first facts."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from shared.domain import attribution, events, facts, referrals
from shared.domain.attribution import Attribution, Evidence, Refusal
from shared.domain.errors import ConflictError, NotFoundError, UnavailableError
from shared.domain.events import Event
from shared.domain.facts import Fact
from shared.domain.keyed import Receipt, email_hmac, receipt_token
from shared.domain.leads import Submission, digest, normalise_email
from shared.domain.pinning import Pinned, fields_used, pin
from shared.domain.programs import Program
from shared.domain.referrals import Referral
from shared.domain.terms import Terms
from shared.domain.terms_reader import parse_terms
from shared.ports import IntakeStore, NewId

_TAKES_REFERRALS: Final = frozenset({"pilot", "active", "paused"})
_SOURCE: Final = "form"

CREATED: Final = "created"
REPEATED: Final = "repeated"
QUARANTINED: Final = "quarantined"

_REVIEW_BY_VERDICT: Final = {"accept": referrals.ACCEPTED, "reject": referrals.REJECTED}


@dataclass(frozen=True, slots=True, kw_only=True)
class Received:
    """The answer to a form, and in ``outcome`` and ``attribution`` what only the log may know."""

    referral_id: str
    received_at: datetime
    digest: str
    receipt: str
    outcome: str
    attribution: str


def open_program(store: IntakeStore, program_id: str) -> Program:
    """Return the programme if it takes referrals.

    Raises:
        NotFoundError: when it does not exist, or is a draft or closed.
        UnavailableError: when the store does not answer.
    """
    program = store.program(program_id)
    if program is None or program.status not in _TAKES_REFERRALS:
        raise NotFoundError
    return program


def submit_referral(
    store: IntakeStore,
    program: Program,
    submission: Submission,
    *,
    now: datetime,
    new_id: NewId,
    correlation_id: str,
) -> Received:
    """Store a submission and answer it; one lead has one referral per programme.

    A repeat of a known lead gets the same referral and an answer of the same shape. A trapped
    submission is kept in quarantine and looks like any other to the sender.

    Raises:
        ConflictError: ``program_has_no_terms`` when nothing was published yet.
        UnavailableError: when the store does not answer; nothing is stored then, or all of it.
    """
    if not program.terms_version:
        message = "the programme has not published any terms yet"
        raise ConflictError("program_has_no_terms", message)
    secret = store.server_secret()
    if secret is None:
        # The keyring is made before the first programme, so this is an outage.
        raise UnavailableError
    lead_hmac = email_hmac(secret, normalise_email(submission.lead.email))
    found = _attribute(store, program, submission, now)
    pinned = _pin(store, program, submission, found, now)
    referral = _referral(
        program, found, submission, lead_hmac, verdict=pinned.verdict, now=now, new_id=new_id
    )
    claimed_by = store.add_referral(
        referral,
        facts=_first_facts(referral, found, pinned, now),
        lead=submission.lead,
        digest=digest(program.program_id, submission),
        claim=None if submission.trapped else lead_hmac,
        event=None if submission.trapped else _event(referral, now, new_id, correlation_id),
    )
    if claimed_by != referral.referral_id:
        store.add_repeat(claimed_by, found, now=now)
    return _received(claimed_by, referral, program, submission, secret=secret, now=now)


def _attribute(
    store: IntakeStore, program: Program, submission: Submission, now: datetime
) -> Attribution:
    if submission.trapped:
        return attribution.nobody(attribution.SPAM)
    reasons = []
    for candidate in _candidates(store, program, submission, now):
        if isinstance(candidate, Refusal):
            reasons.append(candidate.reason)
            continue
        judged = _credit(store, program, candidate, now)
        if isinstance(judged, Attribution):
            return judged
        reasons.append(judged.reason)
    return attribution.nobody(*reasons)


def _candidates(
    store: IntakeStore, program: Program, submission: Submission, now: datetime
) -> Iterator[Evidence | Refusal]:
    # In the order of evidence, and lazily: the next is only read if the one before fails.
    program_id = program.program_id
    if submission.code:
        link = store.link(submission.code)
        yield attribution.from_code(attribution.TYPED_CODE, link, program_id=program_id, now=now)
    if submission.click_id:
        keyring = store.click_keyring()
        yield attribution.from_click(submission.click_id, keyring, program_id=program_id, now=now)
    elif submission.via:
        link = store.link(submission.via)
        yield attribution.from_code(attribution.PAGE_CODE, link, program_id=program_id, now=now)


def _credit(
    store: IntakeStore, program: Program, evidence: Evidence, now: datetime
) -> Attribution | Refusal:
    partner = store.partner(evidence.partner_id)
    enrolment = store.enrolment(evidence.partner_id, program.program_id)
    reason = attribution.refusal_of(evidence, partner, enrolment)
    if reason or partner is None or enrolment is None:
        return Refusal(reason=reason)
    if evidence.touched_at:
        days = _terms(store, program, enrolment.terms_version).attribution_days
        if attribution.is_outside_window(evidence, days, now):
            return Refusal(reason="click_expired")
    return Attribution(
        outcome=evidence.kind, partner=partner, enrolment=enrolment, evidence=evidence
    )


def _terms(store: IntakeStore, program: Program, version: int) -> Terms:
    published = store.terms(program.program_id, version)
    if published is None:
        message = "the programme has not published any terms yet"
        raise ConflictError("program_has_no_terms", message)
    return parse_terms(published.definition, currency=program.currency, time_zone=program.time_zone)


def _pin(
    store: IntakeStore,
    program: Program,
    submission: Submission,
    found: Attribution,
    now: datetime,
) -> Pinned:
    """Copy what the rules will read, so that later edits never re-price this referral."""
    version = found.enrolment.terms_version if found.enrolment else program.terms_version
    terms = _terms(store, program, version)
    campaign = ""
    if found.link_code and "link_campaign" in fields_used(terms):
        link = store.link(found.link_code)
        campaign = link.campaign if link else ""
    return pin(
        terms,
        submission.lead,
        partner=found.partner,
        enrolment=found.enrolment,
        campaign=campaign,
        touched_at=found.touch_at,
        now=now,
    )


def _referral(
    program: Program,
    found: Attribution,
    submission: Submission,
    lead_hmac: str,
    *,
    verdict: str,
    now: datetime,
    new_id: NewId,
) -> Referral:
    return Referral(
        referral_id=new_id("ref"),
        program_id=program.program_id,
        lead_id=new_id("led"),
        partner_id=found.partner_id,
        terms_version=found.enrolment.terms_version if found.enrolment else program.terms_version,
        submitted_at=now,
        review=_first_review(submission, verdict),
        link_code=found.link_code,
        click_id=found.click_id,
        touch_at=found.touch_at,
        attribution=found.outcome,
        flags=attribution.flags(found, lead_hmac),
    )


def _first_review(submission: Submission, verdict: str) -> str:
    if submission.trapped:
        return referrals.SPAM
    return _REVIEW_BY_VERDICT.get(verdict, referrals.SUBMITTED)


def _first_facts(
    referral: Referral, found: Attribution, pinned: Pinned, now: datetime
) -> tuple[Fact, ...]:
    """Return what is true from the start: that it came, and under which terms it is judged."""
    told: dict[str, object] = {
        "version": referral.terms_version,
        "shares": found.shares,
        "attributes": dict(pinned.attributes),
    }
    if pinned.overrides:
        told["overrides"] = {rule_id: dict(rate) for rule_id, rate in pinned.overrides.items()}
    if referral.partner_id:
        told |= {"partner_id": referral.partner_id, "link_code": referral.link_code}
    if referral.touch_at:
        told["touch_at"] = referral.touch_at.isoformat()
    # A referral that starts in quarantine earns nothing until a person decides otherwise.
    quarantined: dict[str, object] = (
        {"review": referral.review} if referral.review == referrals.SPAM else {}
    )
    first = (
        _fact(referral, facts.SUBMITTED, quarantined, now),
        _fact(referral, facts.TERMS_PINNED, told, now),
    )
    if referral.review in {referrals.SUBMITTED, referrals.SPAM}:
        return first
    decided: dict[str, object] = {
        "decision": pinned.verdict,
        "state": referral.review,
        "actor": "terms",
        "reason": f"lead grade {pinned.attributes['lead_grade']}",
    }
    return (*first, _fact(referral, facts.REVIEW_DECIDED, decided, now))


def _fact(referral: Referral, kind: str, data: dict[str, object], now: datetime) -> Fact:
    # A form has no clock and no event id of its own; the referral's id stands for the sending.
    fact_id = facts.fact_id(
        source=_SOURCE,
        subject=referral.referral_id,
        attribute=kind,
        value=data,
        when=referral.referral_id,
    )
    return Fact(
        fact_id=fact_id, kind=kind, occurred_at=now, received_at=now, source=_SOURCE, data=data
    )


def _event(referral: Referral, now: datetime, new_id: NewId, correlation_id: str) -> Event:
    return Event(
        event_id=new_id("evt"),
        name=events.FACTS_CHANGED,
        occurred_at=now,
        program_id=referral.program_id,
        aggregate_type="referral",
        aggregate_id=referral.referral_id,
        aggregate_version=referral.version,
        correlation_id=correlation_id,
        causation_id=correlation_id,
        hops=0,
        data={
            "referral_id": referral.referral_id,
            "kinds": [facts.SUBMITTED, facts.TERMS_PINNED],
        },
    )


def _received(
    referral_id: str,
    referral: Referral,
    program: Program,
    submission: Submission,
    *,
    secret: bytes,
    now: datetime,
) -> Received:
    # The time is that of this submission, also for a repeat: an older one would tell that the
    # lead was known.
    received_at = now.replace(microsecond=0)
    outcome = CREATED if referral_id == referral.referral_id else REPEATED
    return Received(
        referral_id=referral_id,
        received_at=received_at,
        digest=digest(program.program_id, submission),
        receipt=receipt_token(secret, Receipt(referral_id=referral_id, received_at=received_at)),
        outcome=QUARANTINED if submission.trapped else outcome,
        attribution=referral.attribution,
    )

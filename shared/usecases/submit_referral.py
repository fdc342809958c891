"""Take a form in: attribute it, claim the lead, and store the referral with its first facts.

The terms decide three times. The programme's newest version says in which order evidence is asked
and how partners share; the version that each partner accepted, how old a click may be; and the
version that the winner accepted is pinned and prices the referral.
"""

from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from typing import Final

from shared.domain import attribution, claims, customers, events, facts, referrals
from shared.domain.attribution import Attribution, Credit, Evidence, Refusal
from shared.domain.case import LEAD_REWARDED
from shared.domain.claims import NewReferral
from shared.domain.entitlements import MAX_SHARES
from shared.domain.errors import ConflictError, NotFoundError, UnavailableError
from shared.domain.events import Event
from shared.domain.facts import Fact
from shared.domain.keyed import Receipt, email_hmac, receipt_token
from shared.domain.leads import Submission, digest, normalise_email
from shared.domain.partners import Address
from shared.domain.pinning import Pinned, fields_used, pin, pin_partner
from shared.domain.programs import Program
from shared.domain.referrals import Referral
from shared.domain.terms import CLICK, CODE, UNDIVIDED, AttributionPolicy, Terms
from shared.ports import IntakeStore, NewId
from shared.usecases.take_over_lead import SOURCE, Heir, Passing, passing

_TAKES_REFERRALS: Final = frozenset({"pilot", "active", "paused"})
_TRIES: Final = 5

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

    A repeat of a known lead gets the same referral and an answer of the same shape, and so does a
    form by which the lead passes to another partner. A trapped submission is kept in quarantine
    and looks like any other to the sender.

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
    form = _Form(
        store=store,
        program=program,
        submission=submission,
        secret=secret,
        now=now,
        new_id=new_id,
        correlation_id=correlation_id,
    )
    found = _attribute(form)
    pinned = _pin(form, found)
    new = _new_referral(form, found, pinned)
    referral_id = _claim(form, new, found, pinned)
    return _received(form, new.referral, referral_id)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Form:
    """One form on its way in."""

    store: IntakeStore
    program: Program
    submission: Submission
    secret: bytes
    now: datetime
    new_id: NewId
    correlation_id: str

    @property
    def address(self) -> Address:
        email = self.submission.lead.email
        return Address(
            email_hmac=email_hmac(self.secret, normalise_email(email)),
            company_hmac=customers.company_of(self.secret, email),
        )

    def terms(self, version: int) -> Terms:
        found = self.store.terms(self.program, version)
        if found is None:
            message = "the programme has not published any terms yet"
            raise ConflictError("program_has_no_terms", message)
        return found


def _attribute(form: _Form) -> Attribution:
    if form.submission.trapped:
        return attribution.nobody(attribution.SPAM)
    policy = form.terms(form.program.terms_version).attribution
    proved: dict[str, Credit] = {}
    reasons = []
    for candidate in _candidates(form, policy):
        if isinstance(candidate, Evidence) and candidate.partner_id in proved:
            continue
        judged = _credit(form, candidate) if isinstance(candidate, Evidence) else candidate
        if isinstance(judged, Refusal):
            reasons.append(judged.reason)
            continue
        proved[judged.partner.partner_id] = judged
        if policy.split == UNDIVIDED or len(proved) == MAX_SHARES:
            break
    if not proved:
        return attribution.nobody(*reasons)
    return attribution.credited(tuple(proved.values()), policy)


def _candidates(form: _Form, policy: AttributionPolicy) -> Iterator[Evidence | Refusal]:
    # In the order of the terms, and lazily: nothing is read that a winner before it outdoes.
    for listed in dict.fromkeys(policy.order):
        if listed == CODE:
            for code in attribution.in_turn(form.submission.codes, policy):
                yield _from_code(form, attribution.TYPED_CODE, code)
        elif listed == CLICK and form.submission.click_ids:
            yield from attribution.by_time(_clicks(form), policy)
        elif listed == CLICK and form.submission.via:
            yield _from_code(form, attribution.PAGE_CODE, form.submission.via)


def _from_code(form: _Form, kind: str, code: str) -> Evidence | Refusal:
    link = form.store.link(code)
    return attribution.from_code(kind, link, program_id=form.program.program_id, now=form.now)


def _clicks(form: _Form) -> Iterator[Evidence | Refusal]:
    keyring = form.store.click_keyring()
    for token in form.submission.click_ids:
        yield attribution.from_click(
            token, keyring, program_id=form.program.program_id, now=form.now
        )


def _credit(form: _Form, evidence: Evidence) -> Credit | Refusal:
    partner = form.store.partner(evidence.partner_id)
    enrolment = form.store.enrolment(evidence.partner_id, form.program.program_id)
    reason = attribution.refusal_of(evidence, partner, enrolment)
    if reason or partner is None or enrolment is None:
        return Refusal(reason=reason)
    if evidence.touched_at:
        days = form.terms(enrolment.terms_version).attribution_days
        if attribution.is_outside_window(evidence, days, form.now):
            return Refusal(reason="click_expired")
    return Credit(partner=partner, enrolment=enrolment, evidence=evidence)


def _version(form: _Form, found: Attribution) -> int:
    winner = found.winner
    return winner.enrolment.terms_version if winner else form.program.terms_version


def _pin(form: _Form, found: Attribution) -> Pinned:
    """Copy what the rules will read, so that later edits never re-price this referral."""
    terms = form.terms(_version(form, found))
    campaign = ""
    if found.link_code and "link_campaign" in fields_used(terms):
        link = form.store.link(found.link_code)
        campaign = link.campaign if link else ""
    winner = found.winner
    pinned = pin(
        terms,
        form.submission.lead,
        partner=winner.partner if winner else None,
        enrolment=winner.enrolment if winner else None,
        link_code=found.link_code,
        campaign=campaign,
        touched_at=found.touch_at,
        existing_customer=_is_customer(form),
        now=form.now,
    )
    partners = {
        credit.partner.partner_id: pin_partner(credit.partner, credit.enrolment, form.address)
        for credit in found.credits
    }
    return replace(pinned, partners=partners, declared=form.submission.declared)


def _is_customer(form: _Form) -> bool:
    # Quarantine earns nothing until a person has looked, so nothing is looked up for it.
    if form.submission.trapped or not form.program.customers_listed:
        return False
    entries = customers.entries_of(form.secret, form.submission.lead.email)
    return form.store.is_customer(form.program.program_id, entries)


def _claim(form: _Form, new: NewReferral, found: Attribution, pinned: Pinned) -> str:
    """Store the referral, unless the lead belongs to another; return whose it is.

    Raises:
        UnavailableError: when the store does not answer, or the lead keeps changing hands.
    """
    own_id = new.referral.referral_id
    heir = Heir(referral=new.referral, found=found, correlation_id=form.correlation_id)
    holder = form.store.add_referral(new)
    for _ in range(_TRIES):
        if holder.referral_id == own_id:
            return own_id
        passed = passing(form.store, form.program, holder, heir, now=form.now, new_id=form.new_id)
        if passed is None:
            form.store.add_repeat(holder.referral_id, found, now=form.now)
            return holder.referral_id
        again = replace(new, facts=_facts_of_heir(new, found, pinned, passed))
        holder = form.store.add_referral(again, passed.succession)
    raise UnavailableError("the lead keeps changing hands")


def _facts_of_heir(
    new: NewReferral, found: Attribution, pinned: Pinned, passed: Passing
) -> tuple[Fact, ...]:
    if passed.is_rewarded:
        attributes = {**pinned.attributes, LEAD_REWARDED: True}
        pinned = replace(pinned, attributes=attributes)
    earlier_id = passed.succession.before.referral_id
    return _first_facts(new.referral, found, pinned, earlier_id=earlier_id)


def _new_referral(form: _Form, found: Attribution, pinned: Pinned) -> NewReferral:
    trapped = form.submission.trapped
    terms = form.terms(_version(form, found))
    referral = _referral(form, found, pinned, terms)
    return NewReferral(
        referral=referral,
        facts=_first_facts(referral, found, pinned),
        lead=form.submission.lead,
        digest=digest(form.program.program_id, form.submission),
        protected_until=claims.protected_until(terms, form.now),
        claim=None if trapped else form.address.email_hmac,
        event=None if trapped else _event(form, referral),
    )


def _referral(form: _Form, found: Attribution, pinned: Pinned, terms: Terms) -> Referral:
    return Referral(
        referral_id=form.new_id("ref"),
        program_id=form.program.program_id,
        lead_id=form.new_id("led"),
        partner_id=found.partner_id,
        terms_version=_version(form, found),
        submitted_at=form.now,
        review=_first_review(form.submission, pinned.verdict),
        link_code=found.link_code,
        click_id=found.click_id,
        touch_at=found.touch_at,
        attribution=found.outcome,
        flags=attribution.flags(found, pinned, terms.eligibility),
    )


def _first_review(submission: Submission, verdict: str) -> str:
    if submission.trapped:
        return referrals.SPAM
    return _REVIEW_BY_VERDICT.get(verdict, referrals.SUBMITTED)


def _first_facts(
    referral: Referral, found: Attribution, pinned: Pinned, earlier_id: str = ""
) -> tuple[Fact, ...]:
    """Return what is true from the start: that it came, and under which terms it is judged."""
    told: dict[str, object] = {
        "version": referral.terms_version,
        "shares": [asdict(share) for share in found.shares],
        "attributes": dict(pinned.attributes),
    }
    partners = {partner_id: dict(known) for partner_id, known in pinned.partners.items() if known}
    if partners:
        told["partners"] = partners
    if pinned.declared:
        told["declared"] = list(pinned.declared)
    if pinned.overrides:
        told["overrides"] = {rule_id: dict(rate) for rule_id, rate in pinned.overrides.items()}
    if referral.partner_id:
        told |= {"partner_id": referral.partner_id, "link_code": referral.link_code}
    if referral.touch_at:
        told["touch_at"] = referral.touch_at.isoformat()
    if earlier_id:
        told["earlier_referral_id"] = earlier_id
    # A referral that starts in quarantine earns nothing until a person decides otherwise.
    quarantined: dict[str, object] = (
        {"review": referral.review} if referral.review == referrals.SPAM else {}
    )
    first = (
        _fact(referral, facts.SUBMITTED, quarantined),
        _fact(referral, facts.TERMS_PINNED, told),
    )
    if referral.review in {referrals.SUBMITTED, referrals.SPAM}:
        return first
    decided: dict[str, object] = {
        "decision": pinned.verdict,
        "state": referral.review,
        "actor": "terms",
        "reason": f"lead grade {pinned.attributes['lead_grade']}",
    }
    return (*first, _fact(referral, facts.REVIEW_DECIDED, decided))


def _fact(referral: Referral, kind: str, data: dict[str, object]) -> Fact:
    # A form has no clock and no event id of its own; the referral's id stands for the sending.
    fact_id = facts.fact_id(
        source=SOURCE,
        subject=referral.referral_id,
        attribute=kind,
        value=data,
        when=referral.referral_id,
    )
    now = referral.submitted_at
    return Fact(
        fact_id=fact_id, kind=kind, occurred_at=now, received_at=now, source=SOURCE, data=data
    )


def _event(form: _Form, referral: Referral) -> Event:
    return Event(
        event_id=form.new_id("evt"),
        name=events.FACTS_CHANGED,
        occurred_at=form.now,
        program_id=referral.program_id,
        aggregate_type="referral",
        aggregate_id=referral.referral_id,
        aggregate_version=referral.version,
        correlation_id=form.correlation_id,
        causation_id=form.correlation_id,
        hops=0,
        data={
            "referral_id": referral.referral_id,
            "kinds": [facts.SUBMITTED, facts.TERMS_PINNED],
        },
    )


def _received(form: _Form, referral: Referral, referral_id: str) -> Received:
    # The time is that of this submission, also for a repeat: an older one would tell that the
    # lead was known.
    received_at = form.now.replace(microsecond=0)
    outcome = CREATED if referral_id == referral.referral_id else REPEATED
    receipt = Receipt(referral_id=referral_id, received_at=received_at)
    return Received(
        referral_id=referral_id,
        received_at=received_at,
        digest=digest(form.program.program_id, form.submission),
        receipt=receipt_token(form.secret, receipt),
        outcome=QUARANTINED if form.submission.trapped else outcome,
        attribution=referral.attribution,
    )

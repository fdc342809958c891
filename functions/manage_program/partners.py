"""Routes of partners and enrolments. Personal data is shown only to keys with that scope."""

from functions.manage_program import paging, views
from functions.manage_program.calls import Answer, Call
from functions.manage_program.documents import json_body
from functions.manage_program.schema import (
    NewEnrolment,
    NewPartner,
    PartnerChanges,
    given,
    read,
)
from shared.adapters.dynamodb import lists
from shared.adapters.dynamodb.codec import Item
from shared.adapters.dynamodb.partners import partner_from
from shared.domain.access import PERSONAL_DATA
from shared.domain.customers import company_of
from shared.domain.errors import invalid
from shared.domain.keyed import email_hmac
from shared.domain.leads import normalise_email
from shared.domain.partners import Enrolment, Partner
from shared.usecases.manage_partners import (
    Decision,
    change_partner,
    create_partner,
    enrol,
    in_order,
    read_partner,
)


def create(call: Call) -> Answer:
    """Create a partner. The answer holds no name and no address, so that it may be kept."""
    body = read(NewPartner, json_body(call.event))
    partner = create_partner(
        call.services.partners,
        Partner(
            partner_id=call.new_id("ptr"),
            kind=body.kind,
            status=body.status,
            country=body.country,
            categories=in_order(body.categories),
            **_hashes(call, body.email),
            created_at=call.now,
        ),
        {"name": body.name, "email": body.email},
        mark=call.mark,
    )
    return Answer(status=201, body=views.partner(partner))


def page(call: Call) -> Answer:
    """List partners, newest first."""
    query = call.query(*paging.PAGING)
    found = call.services.lists.page(
        lists.PARTNERS,
        lists.EVERYWHERE,
        after=paging.after_of(call, query),
        limit=paging.limit_of(query),
    )

    def view(row: Item) -> views.Json:
        return _with_person(call, partner_from(row))

    return paging.answer(call, query, found, view)


def show(call: Call) -> Answer:
    """Show one partner, with the last changes of its status."""
    partner = read_partner(call.services.partners, call.id_of("partner_id"))
    moves = call.services.partners.moves(partner.partner_id)
    shown = {**_with_person(call, partner), "moves": [views.move(move) for move in moves]}
    return Answer(status=200, body=shown)


def change(call: Call) -> Answer:
    """Change some fields of a partner; another status is recorded with who decided it and why."""
    fields = given(read(PartnerChanges, json_body(call.event)))
    reason = str(fields.pop("reason", "")).strip()
    person: views.Json = {name: fields.pop(name) for name in ("name", "email") if name in fields}
    if "email" in person:
        fields |= _hashes(call, person["email"])
    if "categories" in fields:
        fields["categories"] = in_order(fields["categories"])
    partner = change_partner(
        call.services.partners,
        call.id_of("partner_id"),
        fields,
        person,
        Decision(actor=call.key.principal, reason=reason, now=call.now, mark=call.mark),
    )
    return Answer(status=200, body=views.partner(partner))


def enrol_partner(call: Call) -> Answer:
    """Enrol a partner who accepts the newest terms."""
    body = read(NewEnrolment, json_body(call.event))
    if not body.accept_terms:
        raise invalid("accept_terms", "must_accept", "must be true")
    enrolment = enrol(
        call.services.partners,
        call.services.programs,
        Enrolment(
            partner_id=body.partner_id,
            program_id=body.program_id,
            terms_version=0,
            accepted_at=call.now,
            tier=body.tier,
            group=body.group,
            cause=body.cause,
        ),
        said=body.model_fields_set,
        accepts=body.accept_documents,
        now=call.now,
    )
    return Answer(status=201, body=views.enrolment(enrolment))


def _hashes(call: Call, email: str) -> dict[str, str]:
    secret = call.services.server_secret()
    return {
        "email_hmac": email_hmac(secret, normalise_email(email)),
        "company_hmac": company_of(secret, email),
    }


def _with_person(call: Call, partner: Partner) -> views.Json:
    person = None
    if call.key.may(PERSONAL_DATA):
        person = call.services.partners.person(partner.partner_id)
    known = person or {}
    return {**views.partner(partner), "name": known.get("name"), "email": known.get("email")}

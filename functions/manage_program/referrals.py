"""Routes of referrals: the list, the whole story, the review and the explanation."""

from functions.manage_program import paging, views
from functions.manage_program.calls import Answer, Call
from functions.manage_program.documents import json_body
from functions.manage_program.schema import NewReview, read
from shared.adapters.dynamodb import lists
from shared.adapters.dynamodb.codec import Item
from shared.adapters.dynamodb.referrals import referral_from
from shared.domain.access import PERSONAL_DATA
from shared.domain.errors import NotFoundError, invalid
from shared.domain.facts import in_order
from shared.domain.referrals import DECISIONS, REVIEWS
from shared.usecases.explain_referral import Explanation, explain_referral, explain_to_partner
from shared.usecases.holder_status import Holders
from shared.usecases.review_referral import review_referral
from shared.usecases.show_history import show_history

PARTNER_VIEW = "partner"


def page(call: Call) -> Answer:
    """List the referrals of a programme or of a partner, newest first."""
    query = call.query("program_id", "partner_id", "review", *paging.PAGING)
    after, limit = paging.after_of(call, query), paging.limit_of(query)
    program_id, review = query.get("program_id"), query.get("review")
    if review is not None and review not in REVIEWS:
        raise invalid("review", "not_allowed", "must be one of " + ", ".join(REVIEWS))
    if "partner_id" in query:
        found = call.services.lists.of_partner(
            lists.REFERRALS, query["partner_id"], after=after, limit=limit
        )
    elif program_id:
        found = call.services.lists.page(lists.REFERRALS, program_id, after=after, limit=limit)
    else:
        raise invalid("program_id", "required", "give program_id or partner_id")

    def view(row: Item) -> views.Json | None:
        if program_id and row["program_id"] != program_id:
            return None
        if review and row["review"] != review:
            return None
        return views.referral(referral_from(row))

    return paging.answer(call, query, found, view)


def show(call: Call) -> Answer:
    """Show one referral with its axes, shares and facts; the lead only to keys with the scope."""
    referral = call.services.reviews.referral(call.id_of("referral_id"))
    if referral is None:
        raise NotFoundError
    services = call.services
    facts = tuple(
        sorted(
            services.reviews.facts(referral.referral_id),
            key=lambda fact: (fact.occurred_at, fact.fact_id),
        )
    )
    holders = Holders(services.explanations)
    rewards = tuple(map(holders.as_held, services.explanations.rewards(referral.referral_id)))
    lead = None
    if call.key.may(PERSONAL_DATA):
        lead = services.partners.person(referral.lead_id)
    return Answer(
        status=200,
        body={
            **views.referral(referral),
            "axes": views.axes(referral, rewards),
            "shares": views.shares(in_order(facts)),
            "facts": [views.fact(fact) for fact in facts],
            "lead": lead,
        },
    )


def review(call: Call) -> Answer:
    """Decide on a referral."""
    body = read(NewReview, json_body(call.event))
    if body.decision not in DECISIONS:
        raise invalid("decision", "not_allowed", "must be one of " + ", ".join(DECISIONS))
    if not body.reason.strip():
        raise invalid("reason", "required", "must not be empty")
    referral = review_referral(
        call.services.reviews,
        call.id_of("referral_id"),
        decision=body.decision,
        reason=body.reason,
        actor=call.key.principal,
        now=call.now,
        new_id=call.new_id,
        mark=call.mark,
        correlation_id=call.request_id,
    )
    return Answer(status=200, body=views.referral(referral))


def explanation(call: Call) -> Answer:
    """Show why each rule paid or did not; with ``view=partner`` as that partner may see it."""
    query = call.query("view", "partner_id")
    store, referral_id = call.services.explanations, call.id_of("referral_id")
    if "view" not in query:
        if "partner_id" in query:
            raise invalid("view", "required", "give view=partner with partner_id")
        found = explain_referral(store, referral_id)
        lines = [
            {**line, "facts": list(traced.facts)}
            for line, traced in zip(_lines(found), found.lines, strict=True)
        ]
    else:
        if query["view"] != PARTNER_VIEW:
            raise invalid("view", "not_allowed", "must be partner")
        if "partner_id" not in query:
            raise invalid("partner_id", "required", "give partner_id")
        found = explain_to_partner(store, referral_id, query["partner_id"])
        lines = _lines(found)
    return Answer(
        status=200,
        body={
            "referral_id": found.referral.referral_id,
            "terms_version": found.referral.terms_version,
            "lines": lines,
        },
    )


def _lines(found: Explanation) -> list[views.Json]:
    return [views.trace_line(line, found.texts.get(line.rule_id, "")) for line in found.lines]


def history(call: Call) -> Answer:
    """List every change of an amount or a benefit, newest first, with the facts behind it."""
    query = call.query(*paging.PAGING)
    found = show_history(
        call.services.explanations,
        call.id_of("referral_id"),
        before=paging.after_of(call, query),
        limit=paging.limit_of(query),
    )
    return paging.listed(call, query, [views.change(*each) for each in found.changes], found.after)

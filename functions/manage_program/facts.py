"""Routes of facts by hand, and of those that wait for a second person."""

from functions.manage_program import paging, views
from functions.manage_program.calls import Answer, Call
from functions.manage_program.documents import json_body
from functions.manage_program.fact_shapes import wish_from
from shared.domain.errors import NotFoundError
from shared.domain.proposals import Proposal
from shared.usecases.add_fact import Request, add_fact, approve_proposal


def create(call: Call) -> Answer:
    """State a fact; what takes a second person becomes a proposal and answers 202."""
    wish = wish_from(json_body(call.event))
    store = call.services.facts_by_hand
    stated = add_fact(store, call.id_of("referral_id"), wish, _request(call))
    if isinstance(stated, Proposal):
        return Answer(status=202, body=_view(stated))
    return Answer(status=201, body=views.fact(stated))


def proposals(call: Call) -> Answer:
    """List what waits, or waited, for a second person."""
    store = call.services.facts_by_hand
    referral_id = call.id_of("referral_id")
    call.query()
    if store.referral(referral_id) is None:
        raise NotFoundError
    # Proposals that expired may be gone at any time, so they are gone at once.
    waiting = [each for each in store.proposals(referral_id) if each.expires_at > call.now]
    return paging.listed(call, {}, [_view(each) for each in waiting])


def approve(call: Call) -> Answer:
    """Approve a proposal as the second person."""
    fact = approve_proposal(
        call.services.facts_by_hand,
        call.id_of("referral_id"),
        call.id_of("proposal_id"),
        _request(call),
    )
    return Answer(status=201, body=views.fact(fact))


def _request(call: Call) -> Request:
    return Request(
        actor=call.key.principal,
        now=call.now,
        new_id=call.new_id,
        mark=call.mark,
        correlation_id=call.request_id,
    )


def _view(proposal: Proposal) -> views.Json:
    return {
        "id": proposal.proposal_id,
        "referral_id": proposal.referral_id,
        "kind": proposal.kind,
        "data": dict(proposal.data),
        "retracts": proposal.retracts,
        "reason": proposal.reason,
        "state": proposal.state,
        "proposed_by": proposal.proposed_by,
        "proposed_at": views.time_of(proposal.proposed_at),
        "expires_at": views.time_of(proposal.expires_at),
        "approved_by": proposal.approved_by or None,
    }

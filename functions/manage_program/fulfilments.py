"""The route by which others report what became of a reward without a face value."""

from typing import Annotated

from pydantic import StringConstraints

from functions.manage_program import views
from functions.manage_program.calls import Answer, Call
from functions.manage_program.documents import json_body
from functions.manage_program.schema import Id, Label, Shape, read
from shared.domain.errors import invalid
from shared.usecases.fulfil_reward import Place, fulfil_reward


class NewFulfilment(Shape):
    """``POST /rewards/{id}/fulfilment``.

    A reward is found through what it is for: its referral, or the partner and the programme.
    """

    referral_id: Id = ""
    partner_id: Id = ""
    program_id: Id = ""
    outcome: Label
    reason: Annotated[str, StringConstraints(max_length=1_000)] = ""
    reference: Label = ""


def create(call: Call) -> Answer:
    """Report that a reward was fulfilled, redeemed or refused."""
    body = read(NewFulfilment, json_body(call.event))
    for_partner = bool(body.partner_id and body.program_id)
    if bool(body.referral_id) == for_partner or bool(body.partner_id) != bool(body.program_id):
        message = "give referral_id, or partner_id and program_id for rewards of successes"
        raise invalid("referral_id", "required", message)
    reward = fulfil_reward(
        call.services.fulfilments,
        Place(referral_id=body.referral_id, partner_id=body.partner_id, program_id=body.program_id),
        call.id_of("reward_id"),
        outcome=body.outcome,
        reason=body.reason.strip(),
        reference=body.reference,
        actor=call.key.principal,
        now=call.now,
        new_id=call.new_id,
        mark=call.mark,
        correlation_id=call.request_id,
    )
    return Answer(status=200, body=views.reward(reward))

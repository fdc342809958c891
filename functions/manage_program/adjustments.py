"""Routes of adjustments: what a person gives or takes back, and the second person's approval."""

from typing import Annotated

from pydantic import BeforeValidator, StringConstraints

from functions.manage_program import paging, views
from functions.manage_program.calls import Answer, Call
from functions.manage_program.documents import json_body
from functions.manage_program.schema import Id, Label, Shape, read
from shared.adapters.dynamodb import lists
from shared.adapters.dynamodb.adjustments import adjustment_from
from shared.domain.errors import NotFoundError, invalid
from shared.usecases.adjust import Asked, Wish, adjust, approve_adjustment


class Money(Shape):
    """An amount as all our answers write it."""

    amount: Annotated[str, StringConstraints(max_length=40)]
    currency: Label


def _money(value: object) -> object:
    # A text alone is an amount in the currency of the programme.
    return {"amount": value, "currency": ""} if isinstance(value, str) else value


class NewAdjustment(Shape):
    """``POST /adjustments``."""

    partner_id: Id
    program_id: Id
    amount: Annotated[Money, BeforeValidator(_money)]
    reason: Annotated[str, StringConstraints(min_length=1, max_length=1_000)]
    reference: Label = ""


def create(call: Call) -> Answer:
    """Ask for an adjustment. It is posted soon after it is approved, so the answer is 202."""
    body = read(NewAdjustment, json_body(call.event))
    reason = body.reason.strip()
    if not reason:
        raise invalid("reason", "required", "must not be empty")
    wish = Wish(
        partner_id=body.partner_id,
        program_id=body.program_id,
        amount=body.amount.amount,
        currency=body.amount.currency,
        reason=reason,
        reference=body.reference,
    )
    return Answer(
        status=202, body=views.adjustment(adjust(call.services.adjustments, wish, _asked(call)))
    )


def page(call: Call) -> Answer:
    """List the adjustments of a programme, newest first."""
    query = call.query("program_id", "state", *paging.PAGING)
    if "program_id" not in query:
        raise invalid("program_id", "required", "give program_id")
    found = call.services.lists.page(
        lists.ADJUSTMENTS,
        query["program_id"],
        after=paging.after_of(call, query),
        limit=paging.limit_of(query),
    )

    def view(row: dict[str, object]) -> views.Json | None:
        adjustment = adjustment_from(row)
        return (
            views.adjustment(adjustment)
            if query.get("state", adjustment.state) == adjustment.state
            else None
        )

    return paging.answer(call, query, found, view)


def show(call: Call) -> Answer:
    """Show an adjustment and how far it came."""
    found = call.services.adjustments.adjustment(call.id_of("adjustment_id"))
    if found is None:
        raise NotFoundError
    return Answer(status=200, body=views.adjustment(found))


def approve(call: Call) -> Answer:
    """Approve an adjustment as the second person."""
    store = call.services.adjustments
    approved = approve_adjustment(store, call.id_of("adjustment_id"), _asked(call))
    return Answer(status=202, body=views.adjustment(approved))


def _asked(call: Call) -> Asked:
    return Asked(
        actor=call.key.principal,
        now=call.now,
        new_id=call.new_id,
        mark=call.mark,
        correlation_id=call.request_id,
    )

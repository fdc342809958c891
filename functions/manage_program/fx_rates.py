"""Routes of a programme's dated exchange rates: added once, never changed."""

from datetime import date
from typing import Annotated

from pydantic import Field, StringConstraints

from functions.manage_program import paging, views
from functions.manage_program.calls import Answer, Call
from functions.manage_program.documents import json_body
from functions.manage_program.schema import Label, Shape, read
from shared.adapters.dynamodb import lists
from shared.adapters.dynamodb.codec import Item
from shared.adapters.dynamodb.fx_rates import rate_from
from shared.domain.errors import invalid
from shared.domain.fx_rates import FxRate
from shared.usecases.manage_programs import read_program
from shared.usecases.manage_rates import add_rate


class NewRate(Shape):
    """``POST /programs/{id}/fx-rates``."""

    source: Annotated[Label, Field(alias="from")]
    to: Label
    rate: Label
    on: Annotated[str, StringConstraints(pattern=r"^[0-9]{4}-[0-9]{2}-[0-9]{2}$")]


def create(call: Call) -> Answer:
    """Add the rate of a day."""
    body = read(NewRate, json_body(call.event))
    try:
        on = date.fromisoformat(body.on)
    except ValueError as error:
        raise invalid("on", "not_a_day", "must be a day such as 2027-01-31") from error
    rate = add_rate(
        call.services.fx_rates,
        call.services.programs,
        FxRate(
            program_id=call.id_of("program_id"),
            currency=body.source,
            ledger_currency=body.to,
            rate=body.rate,
            on=on,
            added_by=call.key.principal,
            added_at=call.now,
        ),
        mark=call.mark,
        event_id=call.new_id("evt"),
        correlation_id=call.request_id,
    )
    return Answer(status=201, body=_view(rate))


def page(call: Call) -> Answer:
    """List a programme's rates, newest day first."""
    query = call.query("from", *paging.PAGING)
    program = read_program(call.services.programs, call.id_of("program_id"))
    found = call.services.lists.page(
        lists.FX_RATES,
        program.program_id,
        after=paging.after_of(call, query),
        limit=paging.limit_of(query),
    )

    def view(row: Item) -> views.Json | None:
        rate = rate_from(row)
        return _view(rate) if query.get("from", rate.currency) == rate.currency else None

    return paging.answer(call, query, found, view)


def _view(rate: FxRate) -> views.Json:
    return {
        "program_id": rate.program_id,
        "from": rate.currency,
        "to": rate.ledger_currency,
        "rate": rate.rate,
        "on": rate.on.isoformat(),
        "added_by": rate.added_by,
        "added_at": views.time_of(rate.added_at),
    }

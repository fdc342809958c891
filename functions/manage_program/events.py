"""Routes of parked events: what could not be sent, or got no answer, and its redrive.

What is shown names subjects and reasons, never what an event says.
"""

from dataclasses import replace

from functions.manage_program import paging, views
from functions.manage_program.calls import Answer, Call
from shared.adapters.dynamodb.lists import EVERYWHERE, PARKED_EVENTS, Page
from shared.adapters.dynamodb.outbox import event_from
from shared.domain.errors import invalid
from shared.domain.outgoing import StoredEvent, read_envelope
from shared.usecases.redrive_event import redrive_event

_PARKED = "parked"
_FILTERS = ("reason", "error", "name", "program_id")


def page(call: Call) -> Answer:
    """List the parked events of all programmes, newest first."""
    query = call.query("state", *paging.PAGING)
    if query.get("state", _PARKED) != _PARKED:
        raise invalid("state", "not_allowed", "only parked events are listed")
    found = _parked(call, query)
    return paging.answer(call, query, found, lambda row: _view(event_from(row)))


def redrive(call: Call) -> Answer:
    """Let a parked event be sent again, after its cause was mended."""
    event = redrive_event(call.services.outbox, call.id_of("event_id"), now=call.now)
    return Answer(status=202, body=_view(event))


def redrive_page(call: Call) -> Answer:
    """Let all parked events of one page go that the filters fit; the cursor leads on."""
    query = call.query(*_FILTERS, *paging.PAGING)
    found = _parked(call, query)
    events = [event for event in map(event_from, found.rows) if _fits(event, query)]
    for event in events:
        call.services.outbox.release(event, now=call.now)
    items = [{"id": event.event_id} for event in events]
    return replace(paging.listed(call, query, items, found.after), status=202)


def _parked(call: Call, query: dict[str, str]) -> Page:
    return call.services.lists.page(
        PARKED_EVENTS,
        EVERYWHERE,
        after=paging.after_of(call, query),
        limit=paging.limit_of(query),
    )


def _fits(event: StoredEvent, query: dict[str, str]) -> bool:
    told = {
        "reason": event.reason,
        "error": event.error,
        "name": event.name,
        "program_id": read_envelope(event.envelope).get("program_id"),
    }
    return all(told[name] == query[name] for name in _FILTERS if name in query)


def _view(event: StoredEvent) -> views.Json:
    envelope = read_envelope(event.envelope)
    return {
        "id": event.event_id,
        "name": event.name,
        "program_id": envelope.get("program_id"),
        "aggregate": envelope.get("aggregate"),
        "stored_at": views.time_of(event.stored_at),
        "state": event.state,
        "parked_at": views.time_of(event.parked_at),
        "reason": event.reason or None,
        "error": event.error or None,
    }

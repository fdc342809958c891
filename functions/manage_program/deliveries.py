"""Routes of parked deliveries: what waits for a mapping or a binding, and its replay.

What is shown names places and reasons, never the content of a delivery.
"""

from contextlib import suppress
from dataclasses import replace

from functions.manage_program import paging, views
from functions.manage_program.calls import Answer, Call, ids_of_request
from shared.adapters.dynamodb.deliveries import Deliveries, parked
from shared.domain.deliveries import PARKED, Delivery
from shared.domain.errors import NotFoundError, StaleVersionError, invalid
from shared.domain.facts import digest32
from shared.usecases.replay_delivery import replay_delivery


def page(call: Call) -> Answer:
    """List a programme's parked deliveries, newest first."""
    query = call.query("state", "program_id", *paging.PAGING)
    if query.get("state", PARKED) != PARKED:
        raise invalid("state", "not_allowed", "only parked deliveries are listed")
    found, after = _parked(call, query)
    return paging.listed(call, query, [_view(delivery) for delivery in found], after)


def replay(call: Call) -> Answer:
    """Ask for a delivery to be applied again, after its mapping was mended."""
    delivery_id = call.id_of("delivery_id")
    store = _store(call)
    try:
        delivery = replay_delivery(
            store,
            delivery_id,
            now=call.now,
            new_id=call.new_id,
            correlation_id=call.request_id,
        )
    except StaleVersionError:
        # An earlier run of this very request has announced it.
        known = store.delivery(delivery_id)
        if known is None:
            raise NotFoundError from None
        delivery = known
    return Answer(status=202, body=_view(delivery))


def replay_page(call: Call) -> Answer:
    """Ask for all parked deliveries of one page that the filters fit; the cursor leads on."""
    query = call.query("program_id", "source_id", "reason", *paging.PAGING)
    found, after = _parked(call, query)
    store = _store(call)
    fitting = [delivery for delivery in found if _fits(delivery, query)]
    for delivery in fitting:
        # One that an earlier run of this request announced is not announced again, even if the
        # page has become another one since.
        new_id = ids_of_request(digest32(f"{call.mark}#{delivery.delivery_id}"))
        with suppress(StaleVersionError, NotFoundError):
            replay_delivery(
                store,
                delivery.delivery_id,
                now=call.now,
                new_id=new_id,
                correlation_id=call.request_id,
            )
    items = [{"id": delivery.delivery_id} for delivery in fitting]
    return replace(paging.listed(call, query, items, after), status=202)


def _parked(call: Call, query: dict[str, str]) -> tuple[tuple[Delivery, ...], str]:
    """Return a page of a programme's parked deliveries, and where the next one begins."""
    if "program_id" not in query:
        raise invalid("program_id", "required", "give program_id")
    return parked(
        call.services.client,
        call.services.core,
        query["program_id"],
        limit=paging.limit_of(query),
        before=paging.after_of(call, query),
    )


def _fits(delivery: Delivery, query: dict[str, str]) -> bool:
    if query.get("source_id", delivery.source_id) != delivery.source_id:
        return False
    return "reason" not in query or query["reason"] in {each.code for each in delivery.reasons}


def _store(call: Call) -> Deliveries:
    services = call.services
    return Deliveries(client=services.client, core=services.core, vault=services.vault)


def _view(delivery: Delivery) -> views.Json:
    return {
        "id": delivery.delivery_id,
        "source_id": delivery.source_id,
        "program_id": delivery.program_id,
        "kind": delivery.kind,
        "message_id": delivery.message_id or None,
        "received_at": views.time_of(delivery.received_at),
        "size": delivery.size,
        "digest": delivery.digest,
        "state": delivery.state,
        "reasons": [{"path": reason.path, "code": reason.code} for reason in delivery.reasons],
    }

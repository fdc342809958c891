"""Replay a delivery: ask for it to be applied again."""

from datetime import datetime

from shared.domain import deliveries
from shared.domain.deliveries import Delivery
from shared.domain.errors import NotFoundError
from shared.ports import NewId, ReplayStore


def replay_delivery(
    store: ReplayStore,
    delivery_id: str,
    *,
    now: datetime,
    new_id: NewId,
    correlation_id: str,
) -> Delivery:
    """Ask for a delivery to be applied again, say after a stage map was mended.

    Raises:
        NotFoundError: when there is no such delivery.
        UnavailableError: when the store does not answer.
    """
    delivery = store.delivery(delivery_id)
    if delivery is None:
        raise NotFoundError
    event = deliveries.received_event(
        delivery_id,
        event_id=new_id("evt"),
        source_id=delivery.source_id,
        program_id=delivery.program_id,
        version=delivery.version,
        now=now,
        hops=0,
        correlation_id=correlation_id,
    )
    store.announce(event, now=now)
    return delivery

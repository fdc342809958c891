"""Stream of the core table -> bus: the one outbox.

Answers the first record that must come again; the stream then redelivers it and all after it.
"""

from functools import cache
from typing import Any

from aws_lambda_powertools import Logger

from shared import names
from shared.adapters.dynamodb.client import dynamodb_client
from shared.adapters.dynamodb.outbox import OutboxRows, outgoing_in
from shared.adapters.event_bus import EventBus, events_client
from shared.runtime.clock import utc_now
from shared.runtime.config import required
from shared.runtime.set_aside import count_set_aside
from shared.usecases.publish_events import publish_events

_logger = Logger(service="publish_events")


@cache
def _adapters() -> tuple[OutboxRows, EventBus]:
    outbox = OutboxRows(dynamodb_client(), required(names.ENV_CORE_TABLE))
    return outbox, EventBus(events_client(), required(names.ENV_BUS))


def handler(event: dict[str, Any], _context: object) -> dict[str, Any]:
    """Publish the events of one batch of stream records."""
    outbox, bus = _adapters()
    places: dict[str, str] = {}
    waiting = []
    for record in event["Records"]:
        outgoing = outgoing_in(record)
        if outgoing:
            waiting.append(outgoing)
            places[outgoing.event_id] = record["dynamodb"]["SequenceNumber"]
    result = publish_events(waiting, outbox, bus, now=utc_now())
    if waiting:
        _logger.info(
            "events_published",
            sent=len(result.sent),
            parked=len(result.parked),
            undone=len(result.undone),
        )
    if result.parked:
        _logger.error("events_parked", event_ids=result.parked)
        count_set_aside(len(result.parked))
    first = result.undone[:1]
    return {"batchItemFailures": [{"itemIdentifier": places[event_id]} for event_id in first]}

"""Every minute: release what has waited long enough, publish what the messengers lost."""

from functools import cache
from typing import Any, Final

from aws_lambda_powertools import Logger

from shared import names
from shared.adapters.dynamodb.client import dynamodb_client
from shared.adapters.dynamodb.ledger import DynamoLedger
from shared.adapters.dynamodb.outbox import OutboxRows
from shared.adapters.event_bus import EventBus, events_client
from shared.runtime.clock import utc_now
from shared.runtime.config import required
from shared.runtime.ids import new_id
from shared.runtime.set_aside import count_set_aside
from shared.usecases.mature_rewards import mature_rewards
from shared.usecases.sweep_outbox import sweep_outbox

# What one run can do well within its timeout; the next run, a minute later, goes on.
MAX_REWARDS: Final = 500
MAX_EVENTS: Final = 500

_logger = Logger(service="mature_rewards")


@cache
def _adapters() -> tuple[DynamoLedger, OutboxRows, EventBus]:
    client = dynamodb_client()
    core_table = required(names.ENV_CORE_TABLE)
    return (
        DynamoLedger(client, core_table=core_table, books_table=required(names.ENV_BOOKS_TABLE)),
        OutboxRows(client, core_table),
        EventBus(events_client(), required(names.ENV_BUS)),
    )


def handler(_event: dict[str, Any], _context: object) -> dict[str, int]:
    """Sweep first: an event that got lost may be what a reward waits for."""
    ledger, outbox, bus = _adapters()
    now = utc_now()
    swept = sweep_outbox(outbox, bus, now=now, limit=MAX_EVENTS)
    matured = mature_rewards(ledger, now=now, new_id=new_id, limit=MAX_REWARDS)
    outcome = {
        "published": swept.published,
        "parked": swept.parked,
        "failed": swept.failed,
        "released": matured.released,
        "held": matured.held,
        "forfeited": matured.forfeited,
        "skipped": matured.skipped,
    }
    if any(outcome.values()):
        _logger.info("swept", extra=outcome)
    if swept.parked:
        _logger.error("events_parked", extra={"parked": swept.parked})
        count_set_aside(swept.parked)
    return outcome

"""Apply deliveries and post rewards, one queue message at a time.

A message that fails goes back to the queue alone; after its last try it is in the dead-letter
queue, where a person can see and redrive it.
"""

import json
import random
import time
from functools import cache
from typing import TYPE_CHECKING, Any, Final

from aws_lambda_powertools import Logger

from shared import names
from shared.adapters.dynamodb.client import dynamodb_client
from shared.adapters.dynamodb.deliveries import DeliveryRows
from shared.adapters.dynamodb.ledger import DynamoLedger
from shared.domain.events import DELIVERY_RECEIVED, FACTS_CHANGED, MAX_HOPS
from shared.runtime.clock import utc_now
from shared.runtime.config import required
from shared.runtime.ids import new_id
from shared.usecases.apply_delivery import apply_delivery
from shared.usecases.post_rewards import Trigger, post_rewards

if TYPE_CHECKING:
    from shared.ports import DeliveryStore, Ledger

_PAUSE_SECONDS: Final = 0.05
_logger = Logger(service="evaluate_reward")


@cache
def _adapters() -> "tuple[Ledger, DeliveryStore]":
    client = dynamodb_client()
    core_table = required(names.ENV_CORE_TABLE)
    ledger = DynamoLedger(client, core_table=core_table, books_table=required(names.ENV_BOOKS_TABLE))
    return ledger, DeliveryRows(client, core_table, required(names.ENV_VAULT_TABLE))


def handler(event: dict[str, Any], _context: object) -> dict[str, Any]:
    """Handle every message by itself, and name those that must come again."""
    failed = []
    for record in event["Records"]:
        try:
            _handle(json.loads(record["body"]))
        except Exception as error:  # noqa: BLE001 - one message must not fail its neighbours
            _logger.error("message_failed", message_id=record["messageId"], error=type(error))
            failed.append({"itemIdentifier": record["messageId"]})
    return {"batchItemFailures": failed}


def _handle(message: dict[str, Any]) -> None:
    name, envelope = message["detail-type"], message["detail"]
    if envelope["hops"] > MAX_HOPS:
        _logger.error("loop_stopped", event_id=envelope["event_id"], event_name=name)
        return
    trigger = Trigger(
        correlation_id=envelope["correlation_id"],
        causation_id=envelope["event_id"],
        hops=envelope["hops"],
    )
    ledger, deliveries = _adapters()
    subject = envelope["aggregate"]["id"]
    if name == DELIVERY_RECEIVED:
        applied = apply_delivery(deliveries, subject, trigger=trigger, now=utc_now(), new_id=new_id)
        _logger.info("delivery_applied", delivery_id=subject, outcome=applied)
    elif name == FACTS_CHANGED:
        posted = post_rewards(
            ledger, subject, trigger=trigger, now=utc_now(), new_id=new_id, pause=_pause
        )
        _logger.info(
            "rewards_posted",
            referral_id=subject,
            effects=posted.effects,
            movements=posted.movements,
        )


def _pause(attempt: int) -> None:
    time.sleep(random.uniform(0, _PAUSE_SECONDS * 2**attempt))  # noqa: S311 - jitter

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
from shared.adapters.dynamodb.deliveries import Deliveries
from shared.adapters.dynamodb.ledger import DynamoLedger
from shared.domain.events import DELIVERY_RECEIVED, FACTS_CHANGED
from shared.runtime.clock import utc_now
from shared.runtime.config import required
from shared.runtime.http import parse_json
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
    ledger = DynamoLedger(
        client, core_table=core_table, books_table=required(names.ENV_BOOKS_TABLE)
    )
    deliveries = Deliveries(client=client, core=core_table, vault=required(names.ENV_VAULT_TABLE))
    return ledger, deliveries


def handler(event: dict[str, Any], _context: object) -> dict[str, Any]:
    """Handle every message by itself, and name those that must come again."""
    failed = []
    for record in event["Records"]:
        try:
            _handle(json.loads(record["body"]))
        except Exception as error:  # noqa: BLE001 - one message must not fail its neighbours
            # The type alone: the text of an unknown error may repeat what was sent.
            _logger.error(  # noqa: TRY400 - as above
                "message_failed", message_id=record["messageId"], error=type(error).__name__
            )
            failed.append({"itemIdentifier": record["messageId"]})
    return {"batchItemFailures": failed}


def _handle(message: dict[str, Any]) -> None:
    name, envelope = message["detail-type"], message["detail"]
    trigger = Trigger(
        correlation_id=envelope["correlation_id"],
        causation_id=envelope["event_id"],
        hops=envelope["hops"],
    )
    ledger, deliveries = _adapters()
    subject = envelope["aggregate"]["id"]
    if name == DELIVERY_RECEIVED:
        applied = apply_delivery(
            deliveries,
            subject,
            parse=parse_json,
            now=utc_now(),
            new_id=new_id,
            hops=trigger.hops,
            correlation_id=trigger.correlation_id,
            causation_id=trigger.causation_id,
        )
        _logger.info(
            "delivery_applied",
            delivery_id=subject,
            state=applied.state,
            new_facts=applied.new_facts,
            deliveries=applied.deliveries,
        )
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

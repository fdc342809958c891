"""Apply deliveries and post rewards, one queue message at a time.

A message that fails goes back to the queue alone; after its last try it is in the dead-letter
queue, where a person can see and redrive it.
"""

import json
import random
import time
from functools import cache
from typing import TYPE_CHECKING, Any, Final

# The zones that zoneinfo reads where the image has none.
import tzdata  # type: ignore[import-untyped] # noqa: F401
from aws_lambda_powertools import Logger

from shared import names
from shared.adapters.dynamodb.adjustments import AdjustmentsLedger
from shared.adapters.dynamodb.client import dynamodb_client
from shared.adapters.dynamodb.deliveries import Deliveries
from shared.adapters.dynamodb.simulations import Jobs
from shared.domain.events import (
    DELIVERY_RECEIVED,
    FACTS_CHANGED,
    MIGRATION_REQUESTED,
    SIMULATION_REQUESTED,
)
from shared.domain.facts import SUBMITTED
from shared.domain.jobs import Step
from shared.runtime.clock import utc_now
from shared.runtime.config import required
from shared.runtime.http import parse_json
from shared.runtime.ids import new_id
from shared.usecases.adjust import post_adjustment
from shared.usecases.apply_delivery import apply_delivery
from shared.usecases.bind_waiting import bind_waiting
from shared.usecases.effects import Trigger
from shared.usecases.migrate_referrals import Migration
from shared.usecases.post_rewards import post_rewards
from shared.usecases.run_job import JobRun, Worker
from shared.usecases.run_simulation import Simulation
from shared.usecases.settle_partner import settle_partner

if TYPE_CHECKING:
    from shared.ports import AdjustmentLedger, DeliveryStore

_PAUSE_SECONDS: Final = 0.05
_logger = Logger(service="evaluate_reward")


@cache
def _adapters() -> "tuple[AdjustmentLedger, DeliveryStore, Jobs]":
    client = dynamodb_client()
    core_table = required(names.ENV_CORE_TABLE)
    ledger = AdjustmentsLedger(
        client, core_table=core_table, books_table=required(names.ENV_BOOKS_TABLE)
    )
    deliveries = Deliveries(client=client, core=core_table, vault=required(names.ENV_VAULT_TABLE))
    return ledger, deliveries, Jobs(client=client, core=core_table)


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
    subject = envelope["aggregate"]["id"]
    if name == DELIVERY_RECEIVED:
        _apply_delivery(subject, trigger)
    elif name in (SIMULATION_REQUESTED, MIGRATION_REQUESTED):
        _run_step(name, Step(job_id=subject, **_asked(envelope["data"])), trigger)
    elif name == FACTS_CHANGED and envelope["aggregate"]["type"] == "partner":
        _settle_partner(subject, envelope["program_id"], trigger)
    elif name == FACTS_CHANGED and envelope["aggregate"]["type"] == "adjustment":
        _post_adjustment(subject, trigger)
    elif name == FACTS_CHANGED:
        if SUBMITTED in envelope["data"].get("kinds", ()):
            _bind_waiting(subject, trigger)
        _post_rewards(subject, trigger)


def _apply_delivery(delivery_id: str, trigger: Trigger) -> None:
    _, deliveries, _ = _adapters()
    applied = apply_delivery(
        deliveries,
        delivery_id,
        parse=parse_json,
        now=utc_now(),
        new_id=new_id,
        hops=trigger.hops,
        correlation_id=trigger.correlation_id,
        causation_id=trigger.causation_id,
    )
    _logger.info(
        "delivery_applied",
        delivery_id=delivery_id,
        state=applied.state,
        new_facts=applied.new_facts,
        deliveries=applied.deliveries,
    )


def _bind_waiting(referral_id: str, trigger: Trigger) -> None:
    _, deliveries, _ = _adapters()
    announced = bind_waiting(
        deliveries,
        referral_id,
        now=utc_now(),
        new_id=new_id,
        hops=trigger.hops,
        correlation_id=trigger.correlation_id,
        causation_id=trigger.causation_id,
    )
    _logger.info("waiting_announced", referral_id=referral_id, deliveries=announced)


def _post_rewards(referral_id: str, trigger: Trigger) -> None:
    ledger, _, _ = _adapters()
    posted = post_rewards(
        ledger, referral_id, trigger=trigger, now=utc_now(), new_id=new_id, pause=_pause
    )
    _logger.info(
        "rewards_posted",
        referral_id=referral_id,
        effects=posted.effects,
        movements=posted.movements,
    )


def _settle_partner(partner_id: str, program_id: str, trigger: Trigger) -> None:
    ledger, _, _ = _adapters()
    posted = settle_partner(
        ledger,
        partner_id,
        program_id,
        trigger=trigger,
        now=utc_now(),
        new_id=new_id,
        pause=_pause,
    )
    _logger.info(
        "partner_settled",
        partner_id=partner_id,
        program_id=program_id,
        effects=posted.effects,
        movements=posted.movements,
    )


def _post_adjustment(adjustment_id: str, trigger: Trigger) -> None:
    ledger, _, _ = _adapters()
    posted = post_adjustment(
        ledger, adjustment_id, trigger=trigger, now=utc_now(), new_id=new_id, pause=_pause
    )
    _logger.info("adjustment_posted", adjustment_id=adjustment_id, movements=posted.movements)


def _asked(data: dict[str, Any]) -> dict[str, Any]:
    return {"name": data["step"], "number": data["number"]}


def _run_step(name: str, step: Step, trigger: Trigger) -> None:
    ledger, _, jobs = _adapters()
    now = utc_now()
    worker: Worker = Simulation(ledger)
    if name == MIGRATION_REQUESTED:
        worker = Migration(ledger, jobs, trigger=trigger, now=now, new_id=new_id, pause=_pause)
    run = JobRun(jobs, worker, trigger=trigger, now=now, new_id=new_id, pause=_pause)
    done = run.run(step)
    _logger.info(
        "step_done", job_id=step.job_id, step=step.name, number=step.number, repeated=not done
    )


def _pause(attempt: int) -> None:
    time.sleep(random.uniform(0, _PAUSE_SECONDS * 2**attempt))  # noqa: S311 - jitter

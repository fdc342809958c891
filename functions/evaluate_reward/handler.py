"""Apply deliveries and post rewards, one queue message at a time.

What was handled is acknowledged in the outbox, which sends again whatever was not. A message that
fails goes back to the queue alone; after its last try it is in the dead-letter queue, where a
person can see and redrive it. A job whose step fails so often is marked as failed.
"""

import json
import random
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from typing import TYPE_CHECKING, Any, Final

# The zones that zoneinfo reads where the image has none.
import tzdata  # type: ignore[import-untyped] # noqa: F401
from aws_lambda_powertools import Logger

from shared import names
from shared.adapters.dynamodb.adjustments import AdjustmentsLedger
from shared.adapters.dynamodb.client import dynamodb_client
from shared.adapters.dynamodb.fx_rates import AwaitedRates
from shared.adapters.dynamodb.histories import Histories
from shared.adapters.dynamodb.merges import AppliedDeliveries
from shared.adapters.dynamodb.migrations import Migrations
from shared.adapters.dynamodb.outbox import OutboxRows
from shared.adapters.dynamodb.simulations import Jobs
from shared.domain.deliveries import needs_a_person
from shared.domain.errors import GoodwordError, UnavailableError
from shared.domain.events import (
    DELIVERY_RECEIVED,
    FACTS_CHANGED,
    MIGRATION_REQUESTED,
    SIMULATION_REQUESTED,
)
from shared.domain.facts import REFERRAL_MERGED, SUBMITTED
from shared.domain.jobs import Step
from shared.runtime.clock import utc_now
from shared.runtime.config import required
from shared.runtime.http import parse_json
from shared.runtime.ids import new_id
from shared.runtime.set_aside import count_set_aside
from shared.usecases.adjust import post_adjustment
from shared.usecases.apply_delivery import apply_delivery
from shared.usecases.bind_waiting import bind_waiting
from shared.usecases.control_jobs import fail_job
from shared.usecases.deal_facts import Run
from shared.usecases.effects import Trigger
from shared.usecases.merge_deals import carry_over
from shared.usecases.migrate_referrals import Migration
from shared.usecases.post_rewards import post_rewards
from shared.usecases.run_job import JobRun, Worker
from shared.usecases.run_simulation import Simulation
from shared.usecases.settle_partner import settle_partner
from shared.usecases.use_new_rate import use_new_rate

if TYPE_CHECKING:
    from shared.ports import AdjustmentLedger, DeliveryStore

_PAUSE_SECONDS: Final = 0.05
_STEP_SECONDS: Final = 8.0
"""After this long a step leaves the rest to another one: money waits behind it."""
_STEPS_SECONDS: Final = 20.0
"""As long may all steps of one batch take: a merge that begins then still ends in time."""
_READERS: Final = 8
"""Referrals that a simulation reads at the same time; the client has ten connections."""
_logger = Logger(service="evaluate_reward")


@cache
def _adapters() -> "tuple[AdjustmentLedger, DeliveryStore, Jobs]":
    client = dynamodb_client()
    core_table = required(names.ENV_CORE_TABLE)
    ledger = AdjustmentsLedger(
        client, core_table=core_table, books_table=required(names.ENV_BOOKS_TABLE)
    )
    deliveries = AppliedDeliveries(
        client=client, core=core_table, vault=required(names.ENV_VAULT_TABLE)
    )
    return ledger, deliveries, Jobs(client=client, core=core_table)


def handler(event: dict[str, Any], _context: object) -> dict[str, Any]:
    """Handle every message by itself, and name those that must come again."""
    failed = []
    steps_end = time.monotonic() + _STEPS_SECONDS
    for record in event["Records"]:
        try:
            message = json.loads(record["body"])
            _handle(message, steps_end)
            _acknowledge(message["detail"]["event_id"])
        except Exception as error:  # noqa: BLE001 - one message must not fail its neighbours
            # The type alone: the text of an unknown error may repeat what was sent.
            _logger.error(  # noqa: TRY400 - as above
                "message_failed", message_id=record["messageId"], error=type(error).__name__
            )
            failed.append({"itemIdentifier": record["messageId"]})
            if _was_last_try(record):
                _give_up(record, error)
    return {"batchItemFailures": failed}


def _was_last_try(record: Mapping[str, Any]) -> bool:
    received = record.get("attributes", {}).get("ApproximateReceiveCount", "1")
    return int(received) >= names.EVALUATE_TRIES


def _acknowledge(event_id: str) -> None:
    """Tell the outbox that nobody needs to send the event again."""
    try:
        _outbox().acknowledge(event_id, now=utc_now())
    except UnavailableError:
        # It comes once more, and finds nothing to do.
        _logger.warning("event_not_acknowledged", event_id=event_id)


def _outbox() -> OutboxRows:
    jobs = _adapters()[2]
    return OutboxRows(jobs.client, jobs.core)


def _give_up(record: Mapping[str, Any], error: Exception) -> None:
    """Note what a message failed with that won't come again by itself.

    Its event is sent a few times more, in case that the cause passes, and then is set aside with
    this note. The job of a step is marked: without this it would run for ever.
    """
    try:
        message = json.loads(record["body"])
        if message["detail-type"] in (SIMULATION_REQUESTED, MIGRATION_REQUESTED):
            _fail_job(_step_of(message["detail"]), error)
        code = error.code if isinstance(error, GoodwordError) else type(error).__name__
        _outbox().note_failure(message["detail"]["event_id"], code)
    except Exception as second:  # noqa: BLE001 - the message is set aside all the same
        # Nothing is lost: the event is sent again, and the job is seen to have stalled.
        _logger.error("failure_not_noted", error=type(second).__name__)  # noqa: TRY400 - as above


def _fail_job(step: Step, error: Exception) -> None:
    if fail_job(_adapters()[2], step, error, now=utc_now()):
        _logger.error("job_failed", job_id=step.job_id, step=step.name, number=step.number)


def _handle(message: dict[str, Any], steps_end: float) -> None:
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
        _run_step(name, _step_of(envelope), trigger, steps_end)
    elif name == FACTS_CHANGED and envelope["aggregate"]["type"] == "partner":
        _settle_partner(subject, envelope["program_id"], trigger)
    elif name == FACTS_CHANGED and envelope["aggregate"]["type"] == "adjustment":
        _post_adjustment(subject, trigger)
    elif name == FACTS_CHANGED and envelope["aggregate"]["type"] == "rate":
        _use_new_rate(envelope["program_id"], subject, trigger)
    elif name == FACTS_CHANGED and envelope["aggregate"]["type"] == "referral":
        kinds = envelope["data"].get("kinds", ())
        if SUBMITTED in kinds:
            _bind_waiting(subject, trigger)
        _post_rewards(subject, trigger)
        if REFERRAL_MERGED in kinds:
            _carry_over(subject, trigger)
    elif name == FACTS_CHANGED:
        # A later release may know it; to pass over it would lose it.
        raise LookupError(name)


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
    count_set_aside(int(needs_a_person(applied.state, applied.reasons)))


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


def _carry_over(referral_id: str, trigger: Trigger) -> None:
    _, deliveries, _ = _adapters()
    run = Run(
        store=deliveries,
        now=utc_now(),
        new_id=new_id,
        hops=trigger.hops,
        correlation_id=trigger.correlation_id,
        causation_id=trigger.causation_id,
    )
    gathered = carry_over(run, referral_id)
    _logger.info(
        "deal_carried_over",
        referral_id=referral_id,
        new_facts=gathered.new_facts,
        fits=gathered.fits,
    )


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
        more=posted.more,
    )


def _post_adjustment(adjustment_id: str, trigger: Trigger) -> None:
    ledger, _, _ = _adapters()
    posted = post_adjustment(
        ledger, adjustment_id, trigger=trigger, now=utc_now(), new_id=new_id, pause=_pause
    )
    _logger.info("adjustment_posted", adjustment_id=adjustment_id, movements=posted.movements)


def _use_new_rate(program_id: str, currency: str, trigger: Trigger) -> None:
    jobs = _adapters()[2]
    store = AwaitedRates(client=jobs.client, core=jobs.core)
    announced = use_new_rate(
        store, program_id, currency, trigger=trigger, now=utc_now(), new_id=new_id
    )
    _logger.info("rate_used", program_id=program_id, currency=currency, referrals=announced)


def _step_of(envelope: Mapping[str, Any]) -> Step:
    data = envelope["data"]
    return Step(job_id=envelope["aggregate"]["id"], name=data["step"], number=data["number"])


@cache
def _readers() -> ThreadPoolExecutor:
    """Return threads that wait for the store; only simulations need them."""
    return ThreadPoolExecutor(_READERS)


def _run_step(name: str, step: Step, trigger: Trigger, steps_end: float) -> None:
    ledger, _, jobs = _adapters()
    now = utc_now()
    ends = min(time.monotonic() + _STEP_SECONDS, steps_end)
    worker: Worker
    if name == MIGRATION_REQUESTED:
        migrations = Migrations(client=jobs.client, core=jobs.core)
        worker = Migration(
            ledger, migrations, trigger=trigger, now=now, new_id=new_id, pause=_pause
        )
    else:
        worker = Simulation(Histories(client=jobs.client, core=jobs.core), _readers().map)
    run = JobRun(
        jobs,
        worker,
        trigger=trigger,
        now=now,
        new_id=new_id,
        pause=_pause,
        out_of_time=lambda: time.monotonic() > ends,
    )
    done = run.run(step)
    _logger.info(
        "step_done", job_id=step.job_id, step=step.name, number=step.number, repeated=not done
    )


def _pause(attempt: int) -> None:
    time.sleep(random.uniform(0, _PAUSE_SECONDS * 2**attempt))  # noqa: S311 - jitter

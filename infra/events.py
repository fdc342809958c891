"""Event flow: streams, bus, queue -> evaluation, and the clock; failures land in queues."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from aws_cdk import Duration, RemovalPolicy
from aws_cdk import aws_events as events
from aws_cdk import aws_events_targets as targets
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_scheduler as scheduler
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from infra.catalogue import EVALUATE_REWARD
from shared import names
from shared.domain.events import EVALUATED

if TYPE_CHECKING:
    from collections.abc import Mapping

    from infra.functions import Function
    from infra.settings import Settings

EVALUATE_BATCH: Final = 10
STREAM_BATCH: Final = 100
STREAM_TRIES: Final = 10
STREAM_MAX_AGE_SECONDS: Final = 20 * 3_600
"""Below the 24 h that stream records live, so that the failure note can still be followed up."""
KEPT_FOR: Final = Duration.days(14)

OUTBOX_ROWS: Final[Mapping[str, object]] = {
    "eventName": ["INSERT"],
    "dynamodb": {"Keys": {names.PK: {"S": [{"prefix": names.OUTBOX_PREFIX}]}}},
}
CHANGED_ROWS: Final[Mapping[str, object]] = {"eventName": ["MODIFY", "REMOVE"]}
"""What never happens to the books."""
NEW_ROWS: Final[Mapping[str, object]] = {"eventName": ["INSERT"]}


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """How a stream is cut into batches, and where what the function gave up is noted.

    Only with a tumbling window is the function told which shard a batch is of.
    """

    batch: int = STREAM_BATCH
    gather_seconds: int = 0
    window_seconds: int | None = None
    dead_letters: str = "stream_dlq"


AT_ONCE: Final = Pace()
GATHERED: Final = Pace(
    # The more clicks of a counter come together, the fewer writes they cost. Lambda allows no more.
    batch=1_000,
    gather_seconds=300,
    # As long as it may be: nothing is kept in it.
    window_seconds=900,
    dead_letters="clicks_dlq",
)


class Events(Construct):
    """Bus, queues and rule; ``feed_*`` connect the functions.

    Every way that can fail ends in a queue of its own: ``dead_letter_queues`` by name.
    """

    def __init__(self, scope: Construct, *, settings: Settings) -> None:
        super().__init__(scope, "events")
        self._settings = settings
        self.bus = events.EventBus(self, "bus", event_bus_name=settings.stack_name)
        if settings.event_archive_days:
            archive = self.bus.archive(
                "archive",
                event_pattern=events.EventPattern(source=[names.EVENT_SOURCE]),
                retention=Duration.days(settings.event_archive_days),
            )
            archive.apply_removal_policy(RemovalPolicy.DESTROY)
        self.dead_letter_queues = {
            name: self._queue(name, retention_period=KEPT_FOR)
            for name in ("evaluate_dlq", "rule_dlq", "stream_dlq", "clicks_dlq", "schedule_dlq")
        }
        self.evaluate_queue = self._queue(
            "evaluate",
            retention_period=KEPT_FOR,
            # Lambda asks for six times the function's timeout, so that a throttled batch returns.
            visibility_timeout=Duration.seconds(6 * EVALUATE_REWARD.timeout_seconds),
            dead_letter_queue=sqs.DeadLetterQueue(
                queue=self.dead_letter_queues["evaluate_dlq"],
                max_receive_count=names.EVALUATE_TRIES,
            ),
        )
        events.Rule(
            self,
            "money_path",
            event_bus=self.bus,
            description="Deliveries, changed facts and steps of jobs, to be evaluated",
            event_pattern=events.EventPattern(
                source=[names.EVENT_SOURCE], detail_type=list(EVALUATED)
            ),
            targets=[
                targets.SqsQueue(
                    self.evaluate_queue,
                    dead_letter_queue=self.dead_letter_queues["rule_dlq"],
                    retry_attempts=185,
                    max_event_age=Duration.hours(24),
                )
            ],
        )

    def feed_from_queue(self, function: Function) -> None:
        """Hand the queue's messages to the function; only the failed ones come back."""
        lambda_.CfnEventSourceMapping(
            function,
            "from_queue",
            function_name=function.function.function_arn,
            event_source_arn=self.evaluate_queue.queue_arn,
            batch_size=EVALUATE_BATCH,
            function_response_types=["ReportBatchItemFailures"],
            scaling_config=lambda_.CfnEventSourceMapping.ScalingConfigProperty(
                maximum_concurrency=self._settings.evaluate_concurrency
            ),
        )

    def feed_from_stream(
        self,
        function: Function,
        stream_arn: str,
        pattern: Mapping[str, object],
        pace: Pace = AT_ONCE,
    ) -> None:
        """Hand records of this pattern to the function, in order, from the oldest that is left."""
        mapping = lambda_.CfnEventSourceMapping
        mapping(
            function,
            "from_stream",
            function_name=function.function.function_arn,
            event_source_arn=stream_arn,
            starting_position="TRIM_HORIZON",
            batch_size=pace.batch,
            maximum_batching_window_in_seconds=pace.gather_seconds,
            tumbling_window_in_seconds=pace.window_seconds,
            # One batch of a shard at a time: order is what counters go by.
            parallelization_factor=1,
            bisect_batch_on_function_error=True,
            maximum_retry_attempts=STREAM_TRIES,
            maximum_record_age_in_seconds=STREAM_MAX_AGE_SECONDS,
            function_response_types=["ReportBatchItemFailures"],
            filter_criteria=mapping.FilterCriteriaProperty(
                filters=[mapping.FilterProperty(pattern=json.dumps(pattern))]
            ),
            destination_config=mapping.DestinationConfigProperty(
                on_failure=mapping.OnFailureProperty(
                    destination=self.dead_letter_queues[pace.dead_letters].queue_arn
                )
            ),
        )

    def feed_by_clock(self, function: Function) -> None:
        """Call the function every minute; a run that failed is noted, the next one repeats it."""
        dead_letters = self.dead_letter_queues["schedule_dlq"]
        role = iam.Role(
            function,
            "schedule_role",
            assumed_by=iam.ServicePrincipal("scheduler.amazonaws.com"),
            inline_policies={
                "invoke": iam.PolicyDocument(
                    statements=[
                        iam.PolicyStatement(
                            actions=["lambda:InvokeFunction"],
                            resources=[function.function.function_arn],
                        ),
                        iam.PolicyStatement(
                            actions=["sqs:SendMessage"], resources=[dead_letters.queue_arn]
                        ),
                    ]
                )
            },
        )
        scheduler.CfnSchedule(
            function,
            "every_minute",
            schedule_expression="rate(1 minute)",
            flexible_time_window=scheduler.CfnSchedule.FlexibleTimeWindowProperty(mode="OFF"),
            target=scheduler.CfnSchedule.TargetProperty(
                arn=function.function.function_arn,
                role_arn=role.role_arn,
                input="{}",
                dead_letter_config=scheduler.CfnSchedule.DeadLetterConfigProperty(
                    arn=dead_letters.queue_arn
                ),
                retry_policy=scheduler.CfnSchedule.RetryPolicyProperty(
                    maximum_retry_attempts=2, maximum_event_age_in_seconds=60
                ),
            ),
        )
        # The scheduler's own queue catches what never reached the function, this one what did.
        lambda_.CfnEventInvokeConfig(
            function,
            "when_asynchronous",
            function_name=function.function.function_name,
            qualifier="$LATEST",
            maximum_retry_attempts=0,
            maximum_event_age_in_seconds=60,
            destination_config=lambda_.CfnEventInvokeConfig.DestinationConfigProperty(
                on_failure=lambda_.CfnEventInvokeConfig.OnFailureProperty(
                    destination=dead_letters.queue_arn
                )
            ),
        )

    def _queue(
        self,
        name: str,
        *,
        retention_period: Duration,
        visibility_timeout: Duration | None = None,
        dead_letter_queue: sqs.DeadLetterQueue | None = None,
    ) -> sqs.Queue:
        return sqs.Queue(
            self,
            name,
            encryption=sqs.QueueEncryption.SQS_MANAGED,
            enforce_ssl=True,
            retention_period=retention_period,
            visibility_timeout=visibility_timeout,
            dead_letter_queue=dead_letter_queue,
        )

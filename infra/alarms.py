"""Alarms on what only happens when something is wrong."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from aws_cdk import Duration
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_cloudwatch_actions as actions
from aws_cdk import aws_sns as sns
from aws_cdk import aws_sns_subscriptions as subscriptions
from constructs import Construct

from infra.catalogue import WATCH_BOOKS
from shared import names

if TYPE_CHECKING:
    from collections.abc import Mapping

    from aws_cdk import aws_sqs as sqs

    from infra.settings import Settings

_PERIOD: Final = Duration.minutes(1)


class Alarms(Construct):
    """On each dead-letter queue, on the books and on what was set aside.

    Mailed if the stage has an address for it.
    """

    def __init__(
        self, scope: Construct, *, settings: Settings, dead_letter_queues: Mapping[str, sqs.Queue]
    ) -> None:
        super().__init__(scope, "alarms")
        self._topic = self._mailed_to(settings.alarm_email) if settings.alarm_email else None
        for name, queue in dead_letter_queues.items():
            self._alarm(
                name,
                f"{name} of {settings.stack_name} holds failed work",
                queue.metric_approximate_number_of_messages_visible(
                    period=_PERIOD, statistic="Maximum"
                ),
            )
        for name, description, metric_name, service in (
            (
                "books_tampered",
                f"A row of the books of {settings.stack_name} was changed or removed",
                names.METRIC_BOOKS_TAMPERED,
                WATCH_BOOKS.name,
            ),
            (
                "set_aside",
                f"Events or deliveries of {settings.stack_name} wait for a person",
                names.METRIC_SET_ASIDE,
                names.SET_ASIDE,
            ),
        ):
            metric = cloudwatch.Metric(
                namespace=names.METRICS,
                metric_name=metric_name,
                dimensions_map={
                    names.METRIC_SERVICE: service,
                    names.METRIC_STAGE: settings.stage,
                },
                period=_PERIOD,
                statistic="Sum",
            )
            self._alarm(name, description, metric)

    def _alarm(self, name: str, description: str, metric: cloudwatch.IMetric) -> None:
        alarm = cloudwatch.Alarm(
            self,
            name,
            alarm_description=description,
            metric=metric,
            threshold=0,
            comparison_operator=cloudwatch.ComparisonOperator.GREATER_THAN_THRESHOLD,
            evaluation_periods=1,
            treat_missing_data=cloudwatch.TreatMissingData.NOT_BREACHING,
        )
        if self._topic:
            alarm.add_alarm_action(actions.SnsAction(self._topic))

    def _mailed_to(self, email: str) -> sns.Topic:
        topic = sns.Topic(self, "topic", enforce_ssl=True)
        topic.add_subscription(subscriptions.EmailSubscription(email))
        return topic

"""Alarms on every queue that only fills when something is wrong."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aws_cdk import Duration
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_cloudwatch_actions as actions
from aws_cdk import aws_sns as sns
from aws_cdk import aws_sns_subscriptions as subscriptions
from constructs import Construct

if TYPE_CHECKING:
    from collections.abc import Mapping

    from aws_cdk import aws_sqs as sqs

    from infra.settings import Settings


class Alarms(Construct):
    """One alarm per dead-letter queue; mailed if the stage has an address for it."""

    def __init__(
        self, scope: Construct, *, settings: Settings, dead_letter_queues: Mapping[str, sqs.Queue]
    ) -> None:
        super().__init__(scope, "alarms")
        topic = self._topic(settings.alarm_email) if settings.alarm_email else None
        for name, queue in dead_letter_queues.items():
            alarm = cloudwatch.Alarm(
                self,
                name,
                alarm_description=f"{name} of {settings.stack_name} holds failed work",
                metric=queue.metric_approximate_number_of_messages_visible(
                    period=Duration.minutes(1), statistic="Maximum"
                ),
                threshold=0,
                comparison_operator=cloudwatch.ComparisonOperator.GREATER_THAN_THRESHOLD,
                evaluation_periods=1,
                treat_missing_data=cloudwatch.TreatMissingData.NOT_BREACHING,
            )
            if topic:
                alarm.add_alarm_action(actions.SnsAction(topic))

    def _topic(self, email: str) -> sns.Topic:
        topic = sns.Topic(self, "topic", enforce_ssl=True)
        topic.add_subscription(subscriptions.EmailSubscription(email))
        return topic

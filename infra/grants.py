"""What each function may do, written out by hand: nothing is granted by a construct."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from aws_cdk import aws_iam as iam

from infra import catalogue
from shared import names

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from aws_cdk import aws_dynamodb as dynamodb
    from aws_cdk import aws_sqs as sqs

    from infra.events import Events
    from infra.keys import Keys
    from infra.tables import Tables

CORE_LISTS = (names.INDEX_LIST, names.INDEX_PARTNER, names.INDEX_DUE)
BOOKS_LISTS = (names.INDEX_SEQ, names.INDEX_PROGRAM)

_EVALUATION_ON_CORE = (
    "dynamodb:ConditionCheckItem",
    "dynamodb:DeleteItem",
    "dynamodb:GetItem",
    "dynamodb:PutItem",
    "dynamodb:Query",
    "dynamodb:UpdateItem",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Grants:
    """The statements of every function's role."""

    tables: Tables
    events: Events
    keys: Keys

    def by_function(self) -> Mapping[str, Sequence[iam.PolicyStatement]]:
        """Return the statements by the function's name."""
        return {
            catalogue.TRACK_CLICK.name: self._track_click(),
            catalogue.SUBMIT_REFERRAL.name: self._submit_referral(),
            catalogue.RECEIVE_WEBHOOK.name: self._receive_webhook(),
            catalogue.EVALUATE_REWARD.name: self._evaluate_reward(),
            catalogue.PUBLISH_EVENTS.name: self._publish_events(),
            catalogue.MATURE_REWARDS.name: self._mature_rewards(),
            catalogue.ROLL_UP_ACTIVITY.name: self._roll_up_activity(),
            catalogue.WATCH_BOOKS.name: self._read_stream(self.tables.books),
            catalogue.MANAGE_PROGRAM.name: self._manage_program(),
        }

    def _track_click(self) -> list[iam.PolicyStatement]:
        return [
            _items(
                self.tables.core,
                "dynamodb:GetItem",
                leading_keys=(f"{names.LINK_PREFIX}*", names.CLICK_KEYRING),
            ),
            _items(self.tables.clicks, "dynamodb:PutItem"),
        ]

    def _submit_referral(self) -> list[iam.PolicyStatement]:
        return [
            _items(
                self.tables.core,
                "dynamodb:ConditionCheckItem",
                "dynamodb:GetItem",
                "dynamodb:PutItem",
                "dynamodb:Query",
                "dynamodb:UpdateItem",
            ),
            _items(self.tables.vault, "dynamodb:GetItem", "dynamodb:PutItem"),
        ]

    def _receive_webhook(self) -> list[iam.PolicyStatement]:
        return [
            _items(
                self.tables.core,
                "dynamodb:ConditionCheckItem",
                "dynamodb:GetItem",
                "dynamodb:PutItem",
            ),
            _items(
                self.tables.vault,
                "dynamodb:PutItem",
                leading_keys=(f"{names.DELIVERY_PREFIX}*",),
            ),
            _allow([self.keys.key.key_arn], "kms:Decrypt"),
        ]

    def _evaluate_reward(self) -> list[iam.PolicyStatement]:
        return [
            _items(self.tables.core, *_EVALUATION_ON_CORE),
            # Simulations and migrations walk through a programme's referrals.
            _query_indexes(self.tables.core, names.INDEX_LIST),
            _items(
                self.tables.vault,
                "dynamodb:GetItem",
                "dynamodb:UpdateItem",
                leading_keys=(f"{names.DELIVERY_PREFIX}*",),
            ),
            *self._append_to_books(),
            _consume(self.events.evaluate_queue),
        ]

    def _publish_events(self) -> list[iam.PolicyStatement]:
        core = self.tables.core
        return [
            *self._read_stream(core),
            _items(core, "dynamodb:UpdateItem", leading_keys=(f"{names.OUTBOX_PREFIX}*",)),
            _allow([self.events.bus.event_bus_arn], "events:PutEvents"),
        ]

    def _mature_rewards(self) -> list[iam.PolicyStatement]:
        return [
            _items(self.tables.core, *_EVALUATION_ON_CORE),
            _query_indexes(self.tables.core, names.INDEX_DUE),
            *self._append_to_books(),
            _allow([self.events.bus.event_bus_arn], "events:PutEvents"),
            _allow([self.events.dead_letter_queues["schedule_dlq"].queue_arn], "sqs:SendMessage"),
        ]

    def _manage_program(self) -> list[iam.PolicyStatement]:
        return [
            _items(self.tables.core, *_EVALUATION_ON_CORE),
            _query_indexes(self.tables.core, *CORE_LISTS),
            _items(
                self.tables.vault,
                "dynamodb:DeleteItem",
                "dynamodb:GetItem",
                "dynamodb:PutItem",
                "dynamodb:UpdateItem",
            ),
            _items(self.tables.books, "dynamodb:GetItem", "dynamodb:Query"),
            _query_indexes(self.tables.books, *BOOKS_LISTS),
            _allow([self.keys.key.key_arn], "kms:Decrypt", "kms:Encrypt"),
            _allow([self.keys.admin.secret_arn], "secretsmanager:GetSecretValue"),
        ]

    def _roll_up_activity(self) -> list[iam.PolicyStatement]:
        return [
            *self._read_stream(self.tables.clicks, "clicks_dlq"),
            # Only to recount a day: no request ever waits for it.
            _items(self.tables.clicks, "dynamodb:Scan"),
            _items(
                self.tables.core,
                "dynamodb:BatchGetItem",
                "dynamodb:GetItem",
                "dynamodb:PutItem",
                leading_keys=(f"{names.ACTIVITY_PREFIX}*",),
            ),
            # To close links that are at their click cap.
            _items(
                self.tables.core,
                "dynamodb:BatchGetItem",
                "dynamodb:GetItem",
                "dynamodb:UpdateItem",
                leading_keys=(f"{names.LINK_PREFIX}*",),
            ),
        ]

    def _read_stream(
        self, table: dynamodb.Table, dead_letters: str = "stream_dlq"
    ) -> list[iam.PolicyStatement]:
        """Lambda reads with the function's role, and leaves there what the function gave up."""
        return [
            _allow(
                [stream_arn(table)],
                "dynamodb:DescribeStream",
                "dynamodb:GetRecords",
                "dynamodb:GetShardIterator",
            ),
            # Lambda lists a table's streams before it reads one.
            _allow([f"{table.table_arn}/stream/*"], "dynamodb:ListStreams"),
            _allow([self.events.dead_letter_queues[dead_letters].queue_arn], "sqs:SendMessage"),
        ]

    def _append_to_books(self) -> list[iam.PolicyStatement]:
        """Rows are added inside a transaction with the balances, or not at all."""
        append = _items(self.tables.books, "dynamodb:PutItem")
        # The key has several values, so it needs a set operator.
        append.add_condition(
            "ForAnyValue:StringEquals", {"dynamodb:EnclosingOperation": ["TransactWriteItems"]}
        )
        return [append, _items(self.tables.books, "dynamodb:GetItem", "dynamodb:Query")]


def _allow(resources: Sequence[str], *actions: str) -> iam.PolicyStatement:
    return iam.PolicyStatement(actions=list(actions), resources=list(resources))


def _items(
    table: dynamodb.Table, *actions: str, leading_keys: Sequence[str] = ()
) -> iam.PolicyStatement:
    statement = _allow([table.table_arn], *actions)
    if leading_keys:
        statement.add_condition(
            "ForAllValues:StringLike", {"dynamodb:LeadingKeys": list(leading_keys)}
        )
    return statement


def _query_indexes(table: dynamodb.Table, *indexes: str) -> iam.PolicyStatement:
    return _allow([f"{table.table_arn}/index/{index}" for index in indexes], "dynamodb:Query")


def _consume(queue: sqs.Queue) -> iam.PolicyStatement:
    return _allow(
        [queue.queue_arn],
        "sqs:ChangeMessageVisibility",
        "sqs:DeleteMessage",
        "sqs:GetQueueAttributes",
        "sqs:ReceiveMessage",
    )


def stream_arn(table: dynamodb.Table) -> str:
    """Return the ARN of a table's stream."""
    arn = table.table_stream_arn
    if arn is None:
        raise ValueError("the table has no stream")
    return arn

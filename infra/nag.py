"""Findings of the AwsSolutions pack that we live with, each with its reason."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from aws_cdk import Acknowledgment, Validations
from cdk_nag import AwsSolutionsChecks

if TYPE_CHECKING:
    from aws_cdk import App
    from constructs import IConstruct

    from infra.stack import GoodwordStack

PINNED_RUNTIME: Final = (
    "One runtime is pinned for all functions; it moves when every dependency and the bytecode "
    "build have moved, not on the day a newer one appears."
)
AUTHORISED_INSIDE: Final = (
    "Authorisation is inside the functions with default deny (bearer keys, signatures, capability "
    "tokens), and a test walks every route."
)
IS_A_DEAD_LETTER_QUEUE: Final = (
    "This queue is itself the end of the line for a rule, a stream or a schedule, which the check "
    "can't see."
)
FIRST_MANAGEMENT_KEY: Final = (
    "Only the first management key; operators create their own and revoke this one. Rotating it "
    "behind their back would lock them out."
)
CLICKS_ARE_SHORT_LIVED: Final = (
    "Clicks are many and worth nothing after their window; no money is derived from this table."
)
VAULT_MUST_FORGET: Final = (
    "35 days of recovery would keep what a person had erased; a daily backup kept 7 days (in "
    "prod) replaces it."
)
LOCAL_TABLE: Final = "A throw-away table of the local cloud."
STREAMS_ARE_STAMPED: Final = (
    "ListStreams is asked about the table's streams, whose names end in their creation time."
)
BACKUP_SERVICE: Final = (
    "AWS Backup's own policy for its own service role: it follows the service's needs, and the "
    "plan selects one table."
)


def check(app: App) -> None:
    """Fail synthesis on every finding that is not acknowledged."""
    Validations.of(app).add_plugins(AwsSolutionsChecks(app))


def accept_known_findings(stack: GoodwordStack) -> None:
    """Acknowledge, each on the narrowest construct, what we live with."""
    for function in stack.functions.values():
        _accept(function, "AwsSolutions-L1", PINNED_RUNTIME)
        if function.spec.routes:
            _accept(function, "AwsSolutions-APIG4", AUTHORISED_INSIDE)
    for name, queue in stack.events.dead_letter_queues.items():
        if name != "evaluate_dlq":
            _accept(queue, "AwsSolutions-SQS3", IS_A_DEAD_LETTER_QUEUE)
    _accept(stack.keys.admin, "AwsSolutions-SMG4", FIRST_MANAGEMENT_KEY)

    tables = stack.tables
    _accept(tables.clicks, "AwsSolutions-DDB3", CLICKS_ARE_SHORT_LIVED)
    _accept(tables.vault, "AwsSolutions-DDB3", VAULT_MUST_FORGET)
    if not stack.settings.point_in_time_recovery:
        for table in (tables.core, tables.books):
            _accept(table, "AwsSolutions-DDB3", LOCAL_TABLE)
    if tables.backup_role:
        policy = "AWSBackupServiceRolePolicyForBackup"
        _accept(
            tables.backup_role,
            f"AwsSolutions-IAM4[Policy::arn:<AWS::Partition>:iam::aws:policy/service-role/{policy}]",
            BACKUP_SERVICE,
        )

    for reader, table in (
        (stack.publisher, tables.core),
        (stack.watcher, tables.books),
        (stack.counter, tables.clicks),
    ):
        name = stack.resolve(table.table_arn)["Fn::GetAtt"][0]
        _accept(
            reader.role,
            f"AwsSolutions-IAM5[Resource::<{name}.Arn>/stream/*]",
            STREAMS_ARE_STAMPED,
        )


def _accept(scope: IConstruct, finding: str, reason: str) -> None:
    Validations.of(scope).acknowledge(Acknowledgment(id=f"AwsSolutions::{finding}", reason=reason))

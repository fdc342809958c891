"""The four tables: money apart from volume, personal data apart from both."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aws_cdk import Duration, RemovalPolicy
from aws_cdk import aws_backup as backup
from aws_cdk import aws_dynamodb as dynamodb
from aws_cdk import aws_events as events
from aws_cdk import aws_iam as iam
from constructs import Construct

from shared import names

if TYPE_CHECKING:
    from infra.settings import Settings

VAULT_BACKUP_DAYS = 7
"""What is erased from the vault is gone everywhere within this time."""


class Tables(Construct):
    """``core``, ``books``, ``clicks`` and ``vault``, on demand, as the stage protects them."""

    def __init__(self, scope: Construct, *, settings: Settings) -> None:
        super().__init__(scope, "tables")
        self._settings = settings
        self.backup_role: iam.Role | None = None
        self.core = self._table(
            "core",
            stream=dynamodb.StreamViewType.NEW_IMAGE,
            time_to_live=True,
            point_in_time_recovery=settings.point_in_time_recovery,
        )
        for index, partition, sort in (
            (names.INDEX_LIST, names.LIST_PK, names.LIST_SK),
            (names.INDEX_PARTNER, names.PARTNER_PK, names.PARTNER_SK),
            (names.INDEX_DUE, names.DUE_PK, names.DUE_SK),
        ):
            _index(self.core, index, partition, sort)

        # No TTL: nothing ever leaves the books.
        self.books = self._table(
            "books",
            stream=dynamodb.StreamViewType.NEW_AND_OLD_IMAGES,
            point_in_time_recovery=settings.point_in_time_recovery,
        )
        _index(self.books, names.INDEX_SEQ, names.PK, names.SEQ, dynamodb.AttributeType.NUMBER)
        _index(self.books, names.INDEX_PROGRAM, names.PROGRAM_PK, names.PROGRAM_SK)

        # No point-in-time recovery: clicks are many, and worth nothing after their window.
        self.clicks = self._table(
            "clicks",
            stream=dynamodb.StreamViewType.NEW_IMAGE,
            time_to_live=True,
        )

        # None here either: 35 days of recovery would keep what a person had erased.
        self.vault = self._table("vault", time_to_live=True)
        if settings.vault_backups:
            self._back_up_vault()

    def _table(
        self,
        name: str,
        *,
        stream: dynamodb.StreamViewType | None = None,
        time_to_live: bool = False,
        point_in_time_recovery: bool = False,
    ) -> dynamodb.Table:
        protected = self._settings.protected
        return dynamodb.Table(
            self,
            name,
            partition_key=_string(names.PK),
            sort_key=_string(names.SK),
            billing_mode=dynamodb.BillingMode.PAY_PER_REQUEST,
            stream=stream,
            time_to_live_attribute=names.TTL if time_to_live else None,
            point_in_time_recovery_specification=dynamodb.PointInTimeRecoverySpecification(
                point_in_time_recovery_enabled=point_in_time_recovery
            ),
            deletion_protection=protected,
            removal_policy=RemovalPolicy.RETAIN if protected else RemovalPolicy.DESTROY,
        )

    def _back_up_vault(self) -> None:
        vault = backup.BackupVault(
            self,
            "backup_vault",
            removal_policy=RemovalPolicy.RETAIN,
        )
        plan = backup.BackupPlan(
            self,
            "backup_plan",
            backup_vault=vault,
            backup_plan_rules=[
                backup.BackupPlanRule(
                    rule_name="daily",
                    schedule_expression=events.Schedule.cron(hour="3", minute="0"),
                    delete_after=Duration.days(VAULT_BACKUP_DAYS),
                )
            ],
        )
        role = iam.Role(
            self,
            "backup_role",
            assumed_by=iam.ServicePrincipal("backup.amazonaws.com"),
            managed_policies=[
                iam.ManagedPolicy.from_aws_managed_policy_name(
                    "service-role/AWSBackupServiceRolePolicyForBackup"
                )
            ],
        )
        self.backup_role = role
        plan.add_selection(
            "vault_table",
            role=role,
            disable_default_backup_policy=True,
            resources=[backup.BackupResource.from_dynamo_db_table(self.vault)],
        )


def _string(name: str) -> dynamodb.Attribute:
    return dynamodb.Attribute(name=name, type=dynamodb.AttributeType.STRING)


def _index(
    table: dynamodb.Table,
    name: str,
    partition: str,
    sort: str,
    sort_type: dynamodb.AttributeType = dynamodb.AttributeType.STRING,
) -> None:
    table.add_global_secondary_index(
        index_name=name,
        partition_key=_string(partition),
        sort_key=dynamodb.Attribute(name=sort, type=sort_type),
        projection_type=dynamodb.ProjectionType.ALL,
    )

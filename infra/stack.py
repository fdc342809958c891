"""The one stack: puts the capabilities together, and says who may touch what."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aws_cdk import CfnOutput, Stack

from infra.alarms import Alarms
from infra.api import Api
from infra.catalogue import (
    EVALUATE_REWARD,
    FUNCTIONS,
    MATURE_REWARDS,
    PUBLISH_EVENTS,
    ROLL_UP_ACTIVITY,
    WATCH_BOOKS,
)
from infra.events import CHANGED_ROWS, GATHERED, NEW_ROWS, OUTBOX_ROWS, Events
from infra.functions import build_functions
from infra.grants import Grants, stream_arn
from infra.keys import Keys
from infra.tables import Tables
from shared import names

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from constructs import Construct

    from infra.functions import Function
    from infra.settings import Settings


class GoodwordStack(Stack):
    """Goodword in one account and region.

    ``package_of`` gives the folder of each function's zip.
    """

    def __init__(
        self, scope: Construct, *, settings: Settings, package_of: Callable[[str], Path]
    ) -> None:
        super().__init__(
            scope,
            settings.stack_name,
            description="Goodword: referral and affiliate programmes",
            termination_protection=settings.protected,
        )
        self.settings = settings
        self.tables = Tables(self, settings=settings)
        self.events = Events(self, settings=settings)
        self.keys = Keys(self, settings=settings)
        self.api = Api(self, settings=settings)
        self.functions = build_functions(
            self,
            specs=FUNCTIONS,
            settings=settings,
            package_of=package_of,
            values=self._environment(),
            statements=Grants(tables=self.tables, events=self.events, keys=self.keys).by_function(),
        )
        self.api.serve(self.functions.values())
        self.events.feed_from_queue(self.functions[EVALUATE_REWARD.name])
        self.events.feed_from_stream(self.publisher, stream_arn(self.tables.core), OUTBOX_ROWS)
        self.events.feed_from_stream(self.watcher, stream_arn(self.tables.books), CHANGED_ROWS)
        self.events.feed_from_stream(
            self.counter, stream_arn(self.tables.clicks), NEW_ROWS, GATHERED
        )
        self.events.feed_by_clock(self.functions[MATURE_REWARDS.name])
        if settings.alarms or settings.alarm_email:
            Alarms(self, settings=settings, dead_letter_queues=self.events.dead_letter_queues)
        self._outputs()

    @property
    def publisher(self) -> Function:
        """The function that reads the outbox from the core table's stream."""
        return self.functions[PUBLISH_EVENTS.name]

    @property
    def watcher(self) -> Function:
        """The function that tells of changed rows from the books table's stream."""
        return self.functions[WATCH_BOOKS.name]

    @property
    def counter(self) -> Function:
        """The function that counts clicks from the clicks table's stream."""
        return self.functions[ROLL_UP_ACTIVITY.name]

    @property
    def api_url(self) -> str:
        """The public base URL of the API."""
        return self.settings.api_url or self.api.url

    @property
    def short_url(self) -> str:
        """The public base URL of short links."""
        return self.settings.short_url or self.api.url

    def _environment(self) -> dict[str, str]:
        return {
            names.ENV_STAGE: self.settings.stage,
            names.ENV_CORE_TABLE: self.tables.core.table_name,
            names.ENV_BOOKS_TABLE: self.tables.books.table_name,
            names.ENV_CLICKS_TABLE: self.tables.clicks.table_name,
            names.ENV_VAULT_TABLE: self.tables.vault.table_name,
            names.ENV_PARKED_CLICKS: self.events.dead_letter_queues["clicks_dlq"].queue_url,
            names.ENV_BUS: self.events.bus.event_bus_name,
            names.ENV_API_URL: self.api_url,
            names.ENV_SHORT_URL: self.short_url,
            names.ENV_FALLBACK_URL: self.settings.fallback_url,
            names.ENV_SECRETS_KEY: self.keys.key.key_arn,
            names.ENV_ADMIN_SECRET: self.keys.admin.secret_arn,
        }

    def _outputs(self) -> None:
        outputs = {
            "StackName": self.stack_name,
            "ApiUrl": self.api_url,
            "ApiId": self.api.api_id,
            "ShortUrl": self.short_url,
            "BusName": self.events.bus.event_bus_name,
            "CoreTableName": self.tables.core.table_name,
            "BooksTableName": self.tables.books.table_name,
            "ClicksTableName": self.tables.clicks.table_name,
            "VaultTableName": self.tables.vault.table_name,
            "AdminSecretName": self.keys.admin.secret_arn,
            "EvaluateQueueUrl": self.events.evaluate_queue.queue_url,
            "EvaluateDlqUrl": self.events.dead_letter_queues["evaluate_dlq"].queue_url,
            "RuleDlqUrl": self.events.dead_letter_queues["rule_dlq"].queue_url,
            "StreamDlqUrl": self.events.dead_letter_queues["stream_dlq"].queue_url,
            "ClicksDlqUrl": self.events.dead_letter_queues["clicks_dlq"].queue_url,
            "ScheduleDlqUrl": self.events.dead_letter_queues["schedule_dlq"].queue_url,
        }
        for name, value in outputs.items():
            CfnOutput(self, name, value=value)

"""The roll-up over a store and a queue in memory."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import ClientError

from functions.roll_up_activity import handler as module
from shared import names
from tests.builders.activity import CLICKS, CORE, NOON
from tests.fakes.memory_dynamodb import MemoryDynamo

if TYPE_CHECKING:
    from collections.abc import Generator
    from datetime import datetime

    from tests.builders.activity import Record

SHARD = "shardId-00000001414576573621-f55eea83"


@dataclass
class MemoryQueue:
    """Keeps messages; refuses them while it is down."""

    messages: list[str] = field(default_factory=list)
    down: bool = False

    def send_message(self, **request: Any) -> None:  # noqa: ANN401 - as boto3
        if self.down:
            raise ClientError({"Error": {"Code": "ServiceUnavailable"}}, "SendMessage")
        assert "the-queue" == request["QueueUrl"]
        self.messages.append(request["MessageBody"])


class World:
    """The handler's surroundings, fresh on demand."""

    def __init__(self) -> None:
        self.renew()

    def renew(self) -> None:
        self.dynamo = MemoryDynamo()
        self.queue = MemoryQueue()
        self.now: datetime = NOON
        module._adapters.cache_clear()

    def handle(self, event: dict[str, Any]) -> dict[str, Any]:
        return module.handler(event, None)

    def deliver(self, *records: Record, shard: str = SHARD) -> list[str]:
        """Hands over one batch and returns the records that are to come again."""
        answer = self.handle({"Records": list(records), "shardId": shard, "state": {}})
        assert {"state", "batchItemFailures"} == set(answer)
        assert {} == answer["state"]
        return [failure["itemIdentifier"] for failure in answer["batchItemFailures"]]


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> Generator[World]:
    world = World()
    monkeypatch.setenv(names.ENV_CORE_TABLE, CORE)
    monkeypatch.setenv(names.ENV_CLICKS_TABLE, CLICKS)
    monkeypatch.setenv(names.ENV_PARKED_CLICKS, "the-queue")
    monkeypatch.setattr(module, "dynamodb_client", lambda: world.dynamo)
    monkeypatch.setattr(module, "sqs_client", lambda: world.queue)
    monkeypatch.setattr(module, "utc_now", lambda: world.now)
    yield world
    module._adapters.cache_clear()

"""What a killed local cloud loses: the last seconds, and no transaction by half."""

from __future__ import annotations

import os
import signal
import threading
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import BotoCoreError

from local.emulator import AUTOSAVE_S, LOST_WHEN_KILLED_S
from tests.builders.emulated import emulated

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

TABLES = ("first", "second")


@dataclass(slots=True, kw_only=True)
class Writer:
    """Writes one row into each table, transaction after transaction, until nobody answers."""

    client: Any
    acknowledged: list[float] = field(default_factory=list)

    def run(self) -> None:
        try:
            while True:
                row = {"pk": {"S": str(len(self.acknowledged))}}
                self.client.transact_write_items(
                    TransactItems=[{"Put": {"TableName": name, "Item": row}} for name in TABLES]
                )
                self.acknowledged.append(time.monotonic())
        except BotoCoreError:
            return


def rows(client: Any, table: str) -> set[int]:  # noqa: ANN401 - a boto3 client
    pages = client.get_paginator("scan").paginate(TableName=table)
    found = [row["pk"]["S"] for page in pages for row in page["Items"]]
    return {int(pk) for pk in found if pk.isdecimal()}


def test_a_kill_under_load_loses_seconds_and_tears_no_transaction(tmp_path: Path) -> None:
    with emulated(tmp_path) as running:
        client = running.client("dynamodb")
        for name in TABLES:
            client.create_table(
                TableName=name,
                BillingMode="PAY_PER_REQUEST",
                KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}],
                AttributeDefinitions=[{"AttributeName": "pk", "AttributeType": "S"}],
            )
        for number in range(20):
            # Much to copy, so that a save takes longer than many writes.
            item = {"pk": {"S": f"ballast {number}"}, "parts": {"L": [{"N": "1"}] * 5_000}}
            client.put_item(TableName=TABLES[number % 2], Item=item)
        writer = Writer(client=client)
        thread = threading.Thread(target=writer.run)
        thread.start()
        time.sleep(2.5 * AUTOSAVE_S)
        killed = time.monotonic()
        os.killpg(running.emulator.process.pid, signal.SIGKILL)
        thread.join()
    with emulated(tmp_path) as running:
        first, second = (rows(running.client("dynamodb"), name) for name in TABLES)

    durable = {
        number for number, at in enumerate(writer.acknowledged) if at < killed - LOST_WHEN_KILLED_S
    }
    assert durable
    assert set() == durable - first
    assert first == second
    # What is kept is a beginning: nothing in the middle is missing.
    assert first == set(range(len(first)))

"""The emulator with and without the project's corrections, and functions that note their events."""

# ruff: noqa: ANN401 - boto3 clients, and events of any shape

from __future__ import annotations

import io
import json
import time
import uuid
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from local.emulator import LAUNCHER
from tests.builders.emulated import Emulated, emulated

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

PLAIN = Path(__file__).with_name("plain_launcher.py")
LAUNCHERS = {"plain": PLAIN, "corrected": LAUNCHER}

SOURCE = """
import json, os

def handler(event, context):
    with open(os.environ["SEEN"], "a") as file:
        file.write(json.dumps(event) + chr(10))
    if os.environ["ANSWER"] == "raise":
        raise RuntimeError("refused")
    if os.environ["ANSWER"] == "first failed":
        number = event["Records"][0]["dynamodb"]["SequenceNumber"]
        return {"batchItemFailures": [{"itemIdentifier": number}]}
    return json.loads(os.environ["ANSWER"])
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Function:
    """A function in the emulator that notes what it was called with."""

    name: str
    arn: str
    notes: Path

    def seen(self) -> list[Any]:
        if not self.notes.exists():
            return []
        return [json.loads(line) for line in self.notes.read_text(encoding="utf-8").splitlines()]

    def wait_for(self, count: int, *, seconds: float = 10) -> list[Any]:
        """Returns its events as soon as there are so many; fails if there never are."""
        deadline = time.monotonic() + seconds
        while len(found := self.seen()) < count and time.monotonic() < deadline:
            time.sleep(0.05)
        assert len(found) >= count, f"{len(found)} of {count} calls"
        return found


def function(running: Emulated, home: Path, answer: str = "{}") -> Function:
    """Creates a function that answers this JSON, or ``raise``, or ``first failed``."""
    name = f"canary-{uuid.uuid4().hex[:8]}"
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr("canary.py", SOURCE)
    notes = home / f"{name}.jsonl"
    made = running.client("lambda").create_function(
        FunctionName=name,
        Runtime="python3.13",
        Handler="canary.handler",
        Role="arn:aws:iam::000000000000:role/canary",
        Code={"ZipFile": archive.getvalue()},
        Environment={"Variables": {"SEEN": str(notes), "ANSWER": answer}},
    )
    return Function(name=name, arn=made["FunctionArn"], notes=notes)


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamedTable:
    """A table whose stream feeds functions."""

    running: Emulated
    name: str
    stream: str

    def put(self, pk: str) -> None:
        self.running.client("dynamodb").put_item(TableName=self.name, Item={"pk": {"S": pk}})

    def feed(self, target: Function, **settings: Any) -> None:
        self.running.client("lambda").create_event_source_mapping(
            EventSourceArn=self.stream,
            FunctionName=target.name,
            StartingPosition="TRIM_HORIZON",
            FunctionResponseTypes=["ReportBatchItemFailures"],
            **settings,
        )


def streamed_table(running: Emulated) -> StreamedTable:
    name = f"canary-{uuid.uuid4().hex[:8]}"
    made = running.client("dynamodb").create_table(
        TableName=name,
        BillingMode="PAY_PER_REQUEST",
        KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "pk", "AttributeType": "S"}],
        StreamSpecification={"StreamEnabled": True, "StreamViewType": "NEW_IMAGE"},
    )["TableDescription"]
    return StreamedTable(running=running, name=name, stream=made["LatestStreamArn"])


@pytest.fixture(scope="session")
def both(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mapping[str, Emulated]]:
    homes = {name: tmp_path_factory.mktemp(name) for name in LAUNCHERS}
    with (
        emulated(homes["plain"], launcher=PLAIN) as plain,
        emulated(homes["corrected"]) as corrected,
    ):
        yield {"plain": plain, "corrected": corrected}


@pytest.fixture
def corrected(both: Mapping[str, Emulated]) -> Emulated:
    """The emulator as the product runs on it."""
    return both["corrected"]

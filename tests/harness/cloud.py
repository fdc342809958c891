"""The whole of Goodword in one process: every writing handler, the streams, the bus, the queue.

Handlers are the deployed ones, loaded as modules of their own, so that nothing they keep in
memory is shared with other tests. What stands for AWS delivers at least once and in no hurry:
nothing moves until ``drain`` or a step is called.
"""

from __future__ import annotations

import importlib.util
import json
import logging
import time
from collections import Counter
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import boto3
import pytest

from shared import names
from shared.adapters.dynamodb.transactions import transact
from shared.domain.events import EVALUATED
from shared.usecases.migrate_referrals import Migration
from shared.usecases.run_simulation import Simulation
from tests.fakes.dynamodb_streams import stream_record
from tests.fakes.memory_bus import MemoryBus
from tests.fakes.memory_dynamodb import MemoryDynamo
from tests.harness.senders import ROOT_SECRET, manage_event
from tests.harness.wire import Wire

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import ModuleType

ROOT = Path(__file__).parents[2]
CORE, BOOKS, VAULT, CLICKS = "test-core", "test-books", "test-vault", "test-clicks"
START = datetime(2026, 3, 1, 9, 0, tzinfo=UTC)
API_URL = "https://api.example.test"
MAX_ROUNDS = 60
"""Rounds of stream, queue and clock within which everything must come to rest."""

MAX_RECEIVES = 5
"""Tries of a queue message before it is in the dead-letter queue, as the template says."""

_ENVIRONMENT = {
    names.ENV_STAGE: "test",
    names.ENV_CORE_TABLE: CORE,
    names.ENV_BOOKS_TABLE: BOOKS,
    names.ENV_VAULT_TABLE: VAULT,
    names.ENV_CLICKS_TABLE: CLICKS,
    names.ENV_BUS: "test-bus",
    names.ENV_API_URL: API_URL,
    names.ENV_SHORT_URL: "https://go.example.test",
    names.ENV_SECRETS_KEY: "key-1",
    names.ENV_ADMIN_SECRET: "admin-secret",
    names.ENV_PARKED_CLICKS: "https://sqs.eu-central-1.amazonaws.com/1/parked",
    "POWERTOOLS_LOG_LEVEL": "CRITICAL",
    "POWERTOOLS_METRICS_DISABLED": "true",
    "AWS_DEFAULT_REGION": "eu-central-1",
}
HANDLERS = (
    "submit_referral",
    "receive_webhook",
    "evaluate_reward",
    "publish_events",
    "mature_rewards",
    "roll_up_activity",
    "manage_program",
)
"""The functions that write through the SDK."""


class Dead(BaseException):
    """The process is gone: no ``except Exception`` may swallow it, and nothing runs after it."""


@dataclass(frozen=True, slots=True)
class Saved:
    """Everything that lasts, as it was at one moment."""

    tables: dict[str, Any]
    changes: int
    published: int
    consumed: int
    queue: tuple[Message, ...]
    dead: tuple[Message, ...]
    now: datetime
    minted: Counter[str]


@dataclass(frozen=True, slots=True)
class Message:
    """One message of the evaluation queue."""

    message_id: str
    body: str


@dataclass(slots=True)
class Cloud:
    """Tables, streams, bus, queue and clock.

    Messengers that are ``dropped`` lose what they are given. ``answer`` is the last attempt's.
    """

    store: MemoryDynamo
    bus: MemoryBus
    wire: Wire
    modules: dict[str, ModuleType]
    now: datetime = START
    consumed: int = 0
    queue: list[Message] = field(default_factory=list)
    dead: list[Message] = field(default_factory=list)
    taken: int = 0
    dropped: set[str] = field(default_factory=set)
    receives: Counter[str] = field(default_factory=Counter)
    minted: Counter[str] = field(default_factory=Counter)
    answer: Any = None

    def invoke(self, name: str, event: dict[str, Any]) -> Any:  # noqa: ANN401 - the handler's answer
        """Run one invocation of a function."""
        return self.modules[name].handler(event, _Context(name))

    def attempt(self, name: str, event: dict[str, Any]) -> Any:  # noqa: ANN401 - as above
        """Run one invocation that may die; return its answer, or None."""
        answer = None
        with suppress(Exception, Dead):  # What its sender sees then is no answer.
            answer = self.invoke(name, event)
        self.answer = answer
        return answer

    def new_id(self, prefix: str) -> str:
        """Return the next id of a kind: the same ones whatever was done in between."""
        self.minted[prefix] += 1
        # Of a request's id others are made, which must not be among those that are minted.
        first = 1 if prefix == "req" else 0
        return f"{prefix}_{first}{self.minted[prefix]:025d}"

    # -- time and state -------------------------------------------------------------------------

    def later(self, **ahead: float) -> None:
        """Let time pass."""
        self.now += timedelta(**ahead)

    def save(self) -> Saved:
        """Remember everything that lasts."""
        tables = {name: dict(table.rows) for name, table in self.store._tables.items()}
        return Saved(
            tables=tables,
            changes=len(self.store.changes),
            published=len(self.bus.put),
            consumed=self.consumed,
            queue=tuple(self.queue),
            dead=tuple(self.dead),
            now=self.now,
            minted=Counter(self.minted),
        )

    def restore(self, saved: Saved) -> None:
        """Go back to what was remembered; nothing of the time between is left."""
        for name in [*self.store._tables]:
            rows = saved.tables.get(name)
            if rows is None:
                del self.store._tables[name]
            else:
                self.store._tables[name].rows = dict(rows)
        self.store._tokens.clear()
        del self.store.changes[saved.changes :]
        self.store.calls.clear()
        del self.bus.put[saved.published :]
        self.bus.requests.clear()
        self.bus.codes.clear()
        self.consumed = saved.consumed
        self.taken = saved.published
        self.queue[:] = saved.queue
        self.dead[:] = saved.dead
        self.now = saved.now
        self.minted = Counter(saved.minted)
        self.dropped.clear()
        self.receives.clear()
        self.wire.begin()

    # -- the messengers -------------------------------------------------------------------------

    def pending_records(self) -> list[dict[str, Any]]:
        """Return what the core table's stream holds for the publisher, as its filter lets it."""
        return [
            stream_record(change)
            for change in self.store.changes
            if change.table == CORE
            and change.event_name == "INSERT"
            and int(change.sequence_number) > self.consumed
            and change.keys[names.PK]["S"].startswith(names.OUTBOX_PREFIX)
        ]

    def run_stream(self) -> bool:
        """Hand the stream's records to the publisher, once; say whether there were any."""
        records = self.pending_records()[:100]
        if not records:
            return False
        last = int(records[-1]["dynamodb"]["SequenceNumber"])
        if "stream" in self.dropped:
            self.consumed = last
            return True
        try:
            answer = self.invoke("publish_events", {"Records": records})
        except (Exception, Dead):  # noqa: BLE001 - as Lambda: the batch comes again
            return True
        failed = [int(row["itemIdentifier"]) for row in answer["batchItemFailures"]]
        self.consumed = min(failed) - 1 if failed else last
        return True

    def run_bus(self) -> bool:
        """Carry events that the bus took to the queue."""
        fresh = self.bus.put[self.taken :]
        self.taken = len(self.bus.put)
        if "bus" in self.dropped:
            return bool(fresh)
        for entry in fresh:
            if entry["DetailType"] in EVALUATED:
                self.queue.append(message_of(entry))
        return bool(fresh)

    def run_queue(self, batch: int = 10) -> bool:
        """Hand a batch of messages to the evaluation; the failed ones come again, five times."""
        records, self.queue[:] = self.queue[:batch], self.queue[batch:]
        if not records:
            return False
        tries = [self.receives[message.message_id] + 1 for message in records]
        event = {"Records": [*map(sqs_record, records, tries)]}
        try:
            answer = self.invoke("evaluate_reward", event)
            failed = {row["itemIdentifier"] for row in answer["batchItemFailures"]}
        except (Exception, Dead):  # noqa: BLE001 - as Lambda: the batch comes again
            failed = {message.message_id for message in records}
        for message in records:
            if message.message_id in failed:
                self.receives[message.message_id] += 1
                tried = self.receives[message.message_id]
                (self.dead if tried >= MAX_RECEIVES else self.queue).append(message)
        return True

    def run_clock(self) -> None:
        """Let the schedule fire once; a run that breaks off is followed by the next one."""
        with suppress(Exception, Dead):
            self.invoke("mature_rewards", {})

    def live(self, until: datetime, step: timedelta = timedelta(minutes=30)) -> None:
        """Let time pass with messengers and schedule at work, a step at a time."""
        while self.now < until:
            self.now = min(until, self.now + step)
            self.drain()

    def drain(self) -> int:
        """Let messengers and schedule run until all is at rest; return the rounds it took."""
        for rounds in range(1, MAX_ROUNDS + 1):
            moved = self.run_stream()
            moved = self.run_bus() or moved
            moved = self.run_queue() or moved
            if not moved:
                before = len(self.store.changes)
                self.run_clock()
                if len(self.store.changes) == before and not self.pending_records():
                    return rounds
        raise AssertionError("never came to rest")

    # -- the people and systems around it -------------------------------------------------------

    def manage(self, method: str, path: str, body: object = None, **headers: str) -> dict[str, Any]:
        """Send a management request and return its answer with the body read."""
        answer = self.invoke("manage_program", manage_event(method, path, body, **headers))
        return {**answer, "body": json.loads(answer["body"]) if answer["body"] else None}

    def made(self, path: str, body: object, **headers: str) -> dict[str, Any]:
        """Send a management POST that must succeed; return what was made."""
        answer = self.manage("POST", path, body, **headers)
        assert answer["statusCode"] in {200, 201, 202}, answer
        made: dict[str, Any] = answer["body"]
        return made


@dataclass(frozen=True, slots=True)
class _Context:
    function_name: str
    aws_request_id: str = "req-1"

    def get_remaining_time_in_millis(self) -> int:
        return 60_000


def message_of(entry: dict[str, Any], mark: str = "") -> Message:
    """The message that the rule makes of an event; with a mark, as an archive's replay does."""
    detail = json.loads(entry["Detail"])
    body = {"detail-type": entry["DetailType"], "source": entry["Source"], "detail": detail}
    return Message(message_id=f"msg-{detail['event_id']}{mark}", body=json.dumps(body))


def sqs_record(message: Message, tries: int = 1) -> dict[str, Any]:
    """A queue message as Lambda gets it."""
    return {
        "messageId": message.message_id,
        "body": message.body,
        "attributes": {"ApproximateReceiveCount": str(tries)},
    }


# -- loading the functions -----------------------------------------------------------------------


@contextmanager
def running_cloud() -> Iterator[Cloud]:
    """Load every handler over one wire; sleeping takes no time meanwhile."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in _ENVIRONMENT.items():
            patch.setenv(name, value)
        clock: list[Callable[[], datetime]] = [lambda: START]
        store = MemoryDynamo(now=lambda: clock[0]().timestamp())
        bus = MemoryBus()
        wire = Wire(store=store, bus=bus, root_secret=ROOT_SECRET)
        patch.setattr(boto3, "client", wire.client)
        patch.setattr(time, "sleep", lambda _seconds: None)
        defaults: Any = transact.__kwdefaults__
        patch.setitem(defaults, "sleep", lambda _seconds: None)
        for name in HANDLERS:  # Their loggers are quiet here, and those of others stay as they are.
            patch.delitem(logging.Logger.manager.loggerDict, name, raising=False)
        modules = {name: _loaded(name) for name in HANDLERS}
        for name in HANDLERS:
            logging.Logger.manager.loggerDict.pop(name, None)
        cloud = Cloud(store=store, bus=bus, wire=wire, modules=modules)
        clock[0] = lambda: cloud.now
        for module in modules.values():
            patch.setattr(module, "utc_now", lambda: cloud.now)
            if hasattr(module, "new_id"):
                patch.setattr(module, "new_id", cloud.new_id)
        # Jobs work in small chunks here, and read one referral after the other.
        for worker in (Simulation, Migration):
            patch.setattr(worker, "chunk_size", 2)
        patch.setattr(modules["evaluate_reward"], "_readers", _InTurn)
        yield cloud


class _InTurn:
    map = staticmethod(map)


def _loaded(name: str) -> ModuleType:
    path = ROOT / "functions" / name / "handler.py"
    spec = importlib.util.spec_from_file_location(f"harness_{name}", path)
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module

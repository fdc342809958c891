"""The corrections of the emulator, against stand-ins for its modules."""

import asyncio
import threading
import time
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import pytest

from local import launcher


@pytest.fixture
def modules(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    found: dict[str, Any] = {}
    monkeypatch.setattr(launcher, "emulator_module", found.__getitem__)
    return found


def test_stream_positions_are_not_saved(modules: dict[str, Any]) -> None:
    state = {"functions": 1, "dynamodb_stream_positions": {"esm": 120}}
    service = SimpleNamespace(get_state=lambda: state)
    modules["services.lambda_svc"] = service

    launcher.forget_stream_positions()

    assert service.get_state() == {"functions": 1}


STREAM = {"Records": [{"eventSource": "aws:dynamodb"}]}


def executing(modules: dict[str, Any], answer: dict[str, Any]) -> SimpleNamespace:
    """An emulator whose functions all give this answer; ``events`` are what they got."""
    events: list[object] = []

    def execute(_function: object, event: object) -> dict[str, Any]:
        events.append(event)
        return answer

    service = SimpleNamespace(_execute_function=execute, events=events)
    modules["services.lambda_svc"] = service
    modules["services.dynamodb_streams"] = SimpleNamespace(_DEFAULT_SHARD_ID="shardId-0")
    launcher.tell_shards()
    return service


def test_a_batch_of_a_stream_tells_its_shard(modules: dict[str, Any]) -> None:
    service = executing(modules, {"body": {"batchItemFailures": []}})

    answer = service._execute_function({}, STREAM)

    assert answer == {"body": {"batchItemFailures": []}}
    assert service.events == [{**STREAM, "shardId": "shardId-0", "state": {}}]


def test_failed_records_of_a_stream_come_again(modules: dict[str, Any]) -> None:
    service = executing(modules, {"body": {"batchItemFailures": [{"itemIdentifier": "1"}]}})

    assert service._execute_function({}, STREAM)["error"] is True


@pytest.mark.parametrize(
    "event",
    [{}, [], None, {"Records": []}, {"Records": 1}, {"Records": [{"eventSource": "aws:sqs"}]}],
)
def test_other_events_are_left_alone(modules: dict[str, Any], event: object) -> None:
    failed = {"body": {"batchItemFailures": [{"itemIdentifier": "1"}]}}
    service = executing(modules, failed)

    assert service._execute_function({}, event) == failed
    assert service.events == [event]


@pytest.mark.parametrize(("rule", "excluded"), [(True, True), ("true", True), (False, False)])
def test_punctuation_is_left_out_when_asked(
    modules: dict[str, Any], rule: object, *, excluded: bool
) -> None:
    provisioners = SimpleNamespace(
        _sm_secret_string=lambda p: p["GenerateSecretString"].get("ExcludeCharacters", "")
    )
    modules["services.cloudformation.provisioners"] = provisioners

    launcher.exclude_punctuation()
    found = provisioners._sm_secret_string({"GenerateSecretString": {"ExcludePunctuation": rule}})

    assert excluded == ('"' in found)


def test_a_given_secret_stays(modules: dict[str, Any]) -> None:
    provisioners = SimpleNamespace(_sm_secret_string=lambda p: p["SecretString"])
    modules["services.cloudformation.provisioners"] = provisioners

    launcher.exclude_punctuation()

    assert provisioners._sm_secret_string({"SecretString": "x"}) == "x"


def changing() -> dict[str, Any]:
    message = "dictionary changed size during iteration"
    raise RuntimeError(message)


def test_a_service_that_changes_meanwhile_is_left_for_next_time() -> None:
    services = {"tables": lambda: {"a": 1}, "queues": changing, "unused": lambda: None}

    assert launcher.states_of(services) == {"tables": {"a": 1}}


@pytest.fixture
def loop() -> Iterator[asyncio.AbstractEventLoop]:
    """An event loop in a thread of its own, as the emulator's."""
    running = asyncio.new_event_loop()
    thread = threading.Thread(target=running.run_forever)
    thread.start()
    yield running
    running.call_soon_threadsafe(running.stop)
    thread.join()
    running.close()


class Saving:
    """An emulator's state, and what was saved of it; ``copied_on`` are the threads that copied."""

    def __init__(self, modules: dict[str, Any], loop: asyncio.AbstractEventLoop) -> None:
        self.saved: list[str] = []
        self.copied_on: set[int | None] = set()
        self.copying: Callable[[], None] = lambda: None
        persistence = SimpleNamespace(
            save_all=lambda services: self.saved.append("at the end"),
            save_state=lambda name, state: self.saved.append(f"{name} {state}"),
        )
        services = {"tables": self.copy}
        self.app = SimpleNamespace(_MAIN_LOOP=loop, _build_persistence_save_dict=lambda: services)
        modules |= {"app": self.app, "core.persistence": persistence}

    def copy(self) -> dict[str, int]:
        self.copied_on.add(threading.current_thread().ident)
        self.copying()
        return {"rows": 1}

    def wait_for_a_save(self) -> None:
        deadline = time.monotonic() + 10
        while not self.saved and time.monotonic() < deadline:
            time.sleep(0.01)


def test_the_state_is_copied_where_it_changes(
    modules: dict[str, Any], loop: asyncio.AbstractEventLoop
) -> None:
    saving = Saving(modules, loop)
    launcher.save_every(0.01)

    saving.wait_for_a_save()
    saving.app.save_all({})

    async def here() -> int | None:
        return threading.current_thread().ident

    assert saving.saved[0] == "tables {'rows': 1}"
    assert saving.copied_on == {asyncio.run_coroutine_threadsafe(here(), loop).result()}


def test_what_was_copied_before_the_end_is_not_saved_after_it(
    modules: dict[str, Any], loop: asyncio.AbstractEventLoop
) -> None:
    saving = Saving(modules, loop)
    ended = threading.Event()

    def end() -> None:
        saving.app.save_all({})
        ended.set()

    # The emulator ends between the copy and its saving.
    saving.copying = end
    launcher.save_every(0.01)

    assert ended.wait(10)
    for thread in threading.enumerate():
        if thread.name == "autosave":
            thread.join(10)
    assert saving.saved == ["at the end"]


def test_the_stderr_wait_is_shortened(modules: dict[str, Any]) -> None:
    def drain(a: float = 0.05, b: float = 0.005, c: float = 0.25) -> tuple[float, float, float]:
        return a, b, c

    modules["core.lambda_runtime"] = SimpleNamespace(
        Worker=SimpleNamespace(_drain_stderr_bounded=drain)
    )

    launcher.shorten_stderr_wait()

    assert launcher.STDERR_WAITS == drain()

"""Start MiniStack with the few corrections that this project needs.

Runs inside the emulator's own environment (``.local/venv``), as a script, and imports nothing of
the project. Every correction belongs to one exact version: with another one the emulator starts
as it is and says so.
"""

# ruff: noqa: SLF001 - correcting another program means reaching for what it does not offer

import asyncio
import contextlib
import os
import signal
import string
import sys
import threading
import time
from collections.abc import Callable
from importlib import import_module
from importlib.metadata import version
from typing import Any

KNOWN_VERSION = "1.5.33"
PARENT_POLL_S = 1.0
EXIT_GRACE_S = 15.0

# First-line wait, idle confirmation and hard cap, in seconds.
STDERR_WAITS = (0.002, 0.001, 0.05)


def emulator_module(name: str) -> Any:  # noqa: ANN401 - nothing of it is typed
    """Return a module of the emulator, which the project's own environment does not have."""
    return import_module(f"ministack.{name}")


def shorten_stderr_wait() -> None:
    """Take 50 ms off every warm call of a handler that prints nothing.

    Can go when the emulator stops polling a worker's stderr after each answer.
    """
    lambda_runtime = emulator_module("core.lambda_runtime")
    lambda_runtime.Worker._drain_stderr_bounded.__defaults__ = STDERR_WAITS


def forget_stream_positions() -> None:
    """Let stream consumers start at the beginning of the stream after a restart.

    The emulator saves a consumer's position but not the records: after a restart the position
    points behind the end of an empty stream, and as many new records as were read before are
    skipped. Can go when both are saved, or neither.
    """
    lambda_svc = emulator_module("services.lambda_svc")
    get_state = lambda_svc.get_state

    def without_positions() -> dict[str, Any]:
        state: dict[str, Any] = dict(get_state())
        state.pop("dynamodb_stream_positions", None)
        return state

    lambda_svc.get_state = without_positions


def tell_shards() -> None:
    """Tell with each batch of a table's stream which shard it is of, and redeliver failed ones.

    A mapping with a tumbling window does both: the shard is in the event, and an answer that
    names failed records brings them again. The emulator knows no windows, has one shard per
    stream, and takes every answer for a success. Can go when it does otherwise.
    """
    lambda_svc = emulator_module("services.lambda_svc")
    shard = emulator_module("services.dynamodb_streams")._DEFAULT_SHARD_ID
    execute = lambda_svc._execute_function

    def with_shard(function: dict[str, Any], event: Any) -> dict[str, Any]:  # noqa: ANN401 - any JSON
        if not _is_of_a_stream(event):
            answer: dict[str, Any] = execute(function, event)
            return answer
        result: dict[str, Any] = execute(function, {**event, "shardId": shard, "state": {}})
        body = result.get("body")
        if isinstance(body, dict) and body.get("batchItemFailures"):
            return {**result, "error": True}
        return result

    lambda_svc._execute_function = with_shard


def _is_of_a_stream(event: Any) -> bool:  # noqa: ANN401 - any JSON
    records = event.get("Records") if isinstance(event, dict) else None
    first = records[0] if isinstance(records, list) and records else None
    return isinstance(first, dict) and first.get("eventSource") == "aws:dynamodb"


def exclude_punctuation() -> None:
    """Let a generated secret keep to the characters that the template asks for.

    Can go when the emulator's CloudFormation reads ``ExcludePunctuation``.
    """
    provisioners = emulator_module("services.cloudformation.provisioners")
    secret_string = provisioners._sm_secret_string

    def without_punctuation(properties: dict[str, Any]) -> str:
        rule = properties.get("GenerateSecretString") or {}
        if str(rule.get("ExcludePunctuation", "")).lower() == "true":
            excluded = rule.get("ExcludeCharacters", "") + string.punctuation
            properties = {
                **properties,
                "GenerateSecretString": {**rule, "ExcludeCharacters": excluded},
            }
        return str(secret_string(properties))

    provisioners._sm_secret_string = without_punctuation


def save_every(interval_s: float) -> None:
    """Save the state every few seconds, so that a killed emulator loses only those.

    The copy is taken on the emulator's event loop, where tables change: beside it, a busy table
    could not be copied at all, and a transaction would be saved by half. Can go when the
    emulator saves by itself; now it does so on a clean exit only.
    """
    app, persistence = emulator_module("app"), emulator_module("core.persistence")
    save_all, lock, ended = persistence.save_all, threading.Lock(), threading.Event()

    def save_at_the_end(services: dict[str, Callable[[], Any]]) -> None:
        # Two savers would write the same temporary file.
        with lock:
            ended.set()
            save_all(services)

    app.save_all = save_at_the_end

    async def copies() -> dict[str, Any]:
        return states_of(app._build_persistence_save_dict())

    def loop() -> None:
        while not ended.wait(interval_s):
            try:
                states = asyncio.run_coroutine_threadsafe(copies(), app._MAIN_LOOP).result()
                with lock:
                    # What was copied before the end is older than what was saved there.
                    if not ended.is_set():
                        for name, state in states.items():
                            persistence.save_state(name, state)
            except Exception as error:  # noqa: BLE001 - saving must go on
                print(f"state not saved this time: {type(error).__name__}", file=sys.stderr)

    threading.Thread(target=loop, name="autosave", daemon=True).start()


def states_of(services: dict[str, Callable[[], Any]]) -> dict[str, Any]:
    """Return what each service has to save; one that changes meanwhile is left for next time."""
    states: dict[str, Any] = {}
    for name, get_state in services.items():
        # Queues and functions have threads of their own.
        with contextlib.suppress(RuntimeError):
            states[name] = get_state()
    return {name: state for name, state in states.items() if state is not None}


def exit_with_parent(parent: int) -> None:
    """Stop when the process that started us is gone, however it ended."""

    def loop() -> None:
        while os.getppid() == parent:
            time.sleep(PARENT_POLL_S)
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(EXIT_GRACE_S)
        with contextlib.suppress(ProcessLookupError):
            # We lead our own session, so this ends the handlers' processes as well.
            os.killpg(os.getpgid(0), signal.SIGKILL)

    threading.Thread(target=loop, name="parent-watch", daemon=True).start()


def main() -> None:
    """Run the emulator in the foreground until SIGTERM, or until the parent is gone."""
    exit_with_parent(int(os.environ["GOODWORD_PARENT_PID"]))
    app = emulator_module("app")
    found = version("ministack")
    if found == KNOWN_VERSION:
        shorten_stderr_wait()
        forget_stream_positions()
        tell_shards()
        exclude_punctuation()
        save_every(float(os.environ.get("GOODWORD_AUTOSAVE_S", "3")))
    else:
        print(f"ministack {found} is not {KNOWN_VERSION}: started as it is", file=sys.stderr)
    app.main()


if __name__ == "__main__":
    main()

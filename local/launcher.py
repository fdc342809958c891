"""Start MiniStack with the few corrections that this project needs.

Runs inside the emulator's own environment (``.local/venv``), as a script, and imports nothing of
the project. Every correction belongs to one exact version: with another one the emulator starts
as it is and says so.
"""

# ruff: noqa: SLF001 - correcting another program means reaching for what it does not offer

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

    Can go when the emulator saves by itself; now it does so on a clean exit only.
    """
    app, persistence = emulator_module("app"), emulator_module("core.persistence")
    save_all, lock = persistence.save_all, threading.Lock()

    def save_one_at_a_time(services: dict[str, Callable[[], Any]]) -> None:
        # Two savers would write the same temporary file.
        with lock:
            save_all(services)

    app.save_all = save_one_at_a_time

    def loop() -> None:
        while True:
            time.sleep(interval_s)
            try:
                save_one_at_a_time(app._build_persistence_save_dict())
            except Exception as error:  # noqa: BLE001 - saving must go on
                # A table that changes while it is copied: the next round saves it.
                print(f"state not saved this time: {type(error).__name__}", file=sys.stderr)

    threading.Thread(target=loop, name="autosave", daemon=True).start()


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
        exclude_punctuation()
        save_every(float(os.environ.get("GOODWORD_AUTOSAVE_S", "3")))
    else:
        print(f"ministack {found} is not {KNOWN_VERSION}: started as it is", file=sys.stderr)
    app.main()


if __name__ == "__main__":
    main()

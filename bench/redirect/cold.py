"""What a cold start takes: instructions, modules and time until the first event is asked for.

Started is Lambda's runtime client with the handler, which reads the signing keys while it is
imported. Instructions are counted by valgrind, so they hardly depend on what else the machine
does; what is started then waits longer for its store, and does nothing else otherwise.
"""

import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Final

from bench.redirect.runtime import CLIENT, Runtime, RuntimeFailedError
from bench.redirect.store import Counts, Store
from bench.redirect.warm import HANDLERS, NOOP, OURS, OtherWorkError, request
from bench.timing import Timings

_VALGRIND: Final = ("valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null")
_COLLECTED: Final = re.compile(r"Collected : (\d+)")
_PATIENT: Final = (sys.executable, "-m", "bench.redirect.patient")


@dataclass(frozen=True, slots=True, kw_only=True)
class Started:
    """Milliseconds on the clock by handler and round; instructions where valgrind is there."""

    clock: Timings
    instructions: Mapping[str, int]
    modules: tuple[str, ...]


def measure(store: Store, *, rounds: int, count: bool) -> Started:
    """Start every handler again and again, and once under valgrind.

    Raises:
        OtherWorkError: a handler read something else than the keys.
        RuntimeFailedError: one of them failed.
    """
    taken: dict[str, list[float]] = {name: [] for name in HANDLERS}
    order = list(HANDLERS)
    for _ in range(rounds):
        for name in order:
            taken[name].append(_start(name, store).seconds_to_ready)
        order.append(order.pop(0))
    return Started(
        clock=Timings(seconds={name: tuple(values) for name, values in taken.items()}),
        instructions={name: instructions(name, store) for name in HANDLERS} if count else {},
        modules=modules(store),
    )


def has_runtime_client() -> bool:
    """Say whether the runtime client is installed: on Linux it is."""
    return find_spec("awslambdaric") is not None


def can_count() -> bool:
    """Say whether instructions can be counted here."""
    return shutil.which("valgrind") is not None


def instructions(name: str, store: Store) -> int:
    """Return the instructions from the start of the process until it asks for an event.

    Raises:
        OtherWorkError: the handler read something else than the keys.
        RuntimeFailedError: it did not get so far.
    """
    client = _PATIENT if name == OURS else CLIENT
    with tempfile.TemporaryFile() as log:
        _start(name, store, command=(*_VALGRIND, *client), errors=log.fileno())
        log.seek(0)
        text = log.read().decode("utf-8", "replace")
    found = _COLLECTED.search(text)
    if not found:
        raise RuntimeFailedError(text[-500:])
    return int(found.group(1))


def modules(store: Store) -> tuple[str, ...]:
    """Return what is loaded in the runtime client once the redirect is ready."""
    runtime = Runtime("bench.redirect.with_modules.handler", store)
    try:
        return tuple(runtime.invoke(request("spring"))["modules"])
    finally:
        runtime.stop()


def _start(
    name: str, store: Store, *, command: tuple[str, ...] = CLIENT, errors: int = subprocess.DEVNULL
) -> Runtime:
    before = store.counts()
    runtime = Runtime(HANDLERS[name], store, command=command, errors=errors)
    runtime.stop()
    asked = store.counts() - before
    if asked != Counts(gets=0 if name == NOOP else 1, puts=0):
        raise OtherWorkError(f"{name}: {asked} for a start")
    return runtime

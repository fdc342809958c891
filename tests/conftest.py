"""Keeps every test off the network: loopback only for those that are marked for it."""

from __future__ import annotations

import ipaddress
import os
import socket
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import pytest
from hypothesis import settings
from xdist.scheduler import LoadScopeScheduling

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    from xdist.remote import Producer

LOOPBACK_MARKERS = ("e2e", "loopback")
ONE_AT_A_TIME = frozenset(
    {"infra", "local", "canaries", "conformance", "e2e", "budgets", "track_click"}
)

PREPARED_ONCE = frozenset({"test_every_write.py", "test_harness_sees.py"})
"""Files whose tests share what takes long to prepare."""
POINTS_STRUCK = "points struck"

# The gate must give the same answer twice; `HYPOTHESIS_PROFILE=explore` looks further.
settings.register_profile("gate", deadline=None, derandomize=True)
settings.register_profile("explore", deadline=None, max_examples=2_000)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "gate"))

_loopback_allowed = pytest.StashKey[bool]()


class NetworkBlockedError(RuntimeError):
    """A test reached for the network."""


def _is_loopback(host: object) -> bool:
    if isinstance(host, bytes):
        host = host.decode("ascii", "replace")
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(str(host)).is_loopback
    except ValueError:
        return False


def _guard(config: pytest.Config, original: Callable[..., Any]) -> Callable[..., Any]:
    def guarded(self: socket.socket, *arguments: Any) -> Any:  # noqa: ANN401 - any socket call
        target = arguments[-1]
        # A UNIX socket's target is a path: it can't leave the machine.
        if isinstance(target, tuple):
            allowed = config.stash[_loopback_allowed] and _is_loopback(target[0])
            if not allowed:
                _refuse(target[0])
        return original(self, *arguments)

    return guarded


def _guard_lookup(config: pytest.Config, original: Callable[..., Any]) -> Callable[..., Any]:
    def guarded(host: object, *arguments: Any, **options: Any) -> Any:  # noqa: ANN401 - as above
        if not (config.stash[_loopback_allowed] and (host is None or _is_loopback(host))):
            _refuse(host)
        return original(host, *arguments, **options)

    return guarded


def _refuse(host: object) -> NoReturn:
    marks = " or ".join(LOOPBACK_MARKERS)
    raise NetworkBlockedError(f"no network in tests ({host!r}); loopback needs the mark {marks}")


def pytest_configure(config: pytest.Config) -> None:
    config.stash[_loopback_allowed] = False
    patch = pytest.MonkeyPatch()
    for name in ("connect", "connect_ex", "sendto"):
        patch.setattr(socket.socket, name, _guard(config, getattr(socket.socket, name)))
    patch.setattr(socket, "getaddrinfo", _guard_lookup(config, socket.getaddrinfo))
    config.add_cleanup(patch.undo)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Runs end-to-end tests last: the quick ones fail first, and teardown keeps loopback."""
    items.sort(key=lambda item: item.get_closest_marker("e2e") is not None)


class _Together(LoadScopeScheduling):  # type: ignore[misc]
    """Lets one process alone build packages and run clouds, and prepares dear files once.

    All else goes where there is room.
    """

    def _split_scope(self, nodeid: str) -> str:
        file = Path(nodeid.partition("::")[0])
        if ONE_AT_A_TIME.intersection(file.parts):
            return "clouds"
        return file.name if file.name in PREPARED_ONCE else nodeid


def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> _Together:
    # The plugin's own groups (`xdist_group`) are lost with this pytest: it renames tests for them.
    return _Together(config, log)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, object, object]:
    """Sets the rule around the whole test, so that its session fixtures obey it too."""
    marked = any(item.get_closest_marker(name) for name in LOOPBACK_MARKERS)
    item.config.stash[_loopback_allowed] = marked
    try:
        return (yield)
    finally:
        item.config.stash[_loopback_allowed] = False


@pytest.fixture
def tell(
    record_property: Callable[[str, object], None],
) -> Callable[[str, str, int, int], None]:
    """Notes a line of the table of faults: handler, scene, points, violated."""

    def note(handler: str, scene: str, points: int, violated: int) -> None:
        record_property(POINTS_STRUCK, [handler, scene, points, violated])

    return note


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Prints what `tests/faults` struck, also where other processes did it."""
    reports = [one for kind in ("passed", "failed") for one in terminalreporter.getreports(kind)]
    rows = [row for one in reports for name, row in one.user_properties if name == POINTS_STRUCK]
    if not rows:
        return
    terminalreporter.section("faults: points struck, and violated")
    for handler, scene, points, violated in sorted(rows):
        terminalreporter.write_line(f"{handler:18}{scene:44}{points:6}{violated:6}")
    total, bad = sum(row[2] for row in rows), sum(row[3] for row in rows)
    terminalreporter.write_line(f"{'all':18}{'':44}{total:6}{bad:6}")

"""Runs tests against changes: each in a process of its own, nothing on disk is changed.

A change within a function is put into the functions that are loaded already, and only the tests
that run its line are run, those that take least first. A change of what happens while the module
is loaded (a constant, a default) needs all of them anew.
"""

from __future__ import annotations

import gc
import importlib.abc
import importlib.machinery
import importlib.util
import os
import pickle
import signal
import sys
import time
import traceback
from collections import defaultdict
from pathlib import Path
from types import CodeType, FunctionType
from typing import TYPE_CHECKING, NamedTuple, TypeVar

import coverage
import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from types import ModuleType

    from tests.mutants.changes import Mutant

ROOT = Path(__file__).parents[2]
DOMAIN = ROOT / "shared" / "domain"
ALONE = ["-x", "-q", "-s", "-p", "no:cacheprovider", "--no-header", "--no-summary"]
SECONDS = 10.0
"""So much of tests is run for each change: what only longer tests would see counts as not seen."""

CPU_SECONDS = 5
"""A test that a change keeps busy for so much longer than it took has seen the change."""

PASSED = 0
WHILE_LOADING = ""
_Told = TypeVar("_Told")


def in_child(work: Callable[[], _Told]) -> _Told | None:
    """Return what work in a process of its own came to, or None when a signal ended it."""
    reads, writes = os.pipe()
    child = os.fork()
    if not child:
        code = 1
        try:
            os.close(reads)
            with os.fdopen(writes, "wb") as told:
                pickle.dump(work(), told)
            code = 0
        except BaseException:  # noqa: BLE001 - it must not go on as the parent does
            traceback.print_exc()
        finally:
            os._exit(code)
    os.close(writes)
    with os.fdopen(reads, "rb") as answer:
        raw = answer.read()
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    if code > 0:
        raise RuntimeError("a run of tests failed in itself")
    return pickle.loads(raw) if code == 0 else None  # noqa: S301 - ours


def _be_silent() -> None:
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)
    os.dup2(nowhere, 2)


# -- while the module is loaded -------------------------------------------------------------------


class _Changed(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Loads one module from a changed tree."""

    def __init__(self, mutant: Mutant) -> None:
        self.name = f"shared.domain.{mutant.module}"
        self.tree = mutant.tree()

    def find_spec(
        self, fullname: str, _path: Sequence[str] | None, _target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        found = fullname == self.name
        return importlib.util.spec_from_loader(fullname, self) if found else None

    def exec_module(self, module: ModuleType) -> None:
        exec(compile(self.tree, self.name, "exec"), module.__dict__)  # noqa: S102 - the point


def is_seen_anew(mutant: Mutant | None, files: Sequence[str]) -> bool:
    """Tell whether a test fails when everything is loaded with a change, or without any."""

    def run() -> bool:
        _be_silent()
        if mutant:
            sys.meta_path.insert(0, _Changed(mutant))
        return pytest.main([*ALONE, *files], plugins=[_Limits({})]) != PASSED

    return in_child(run) is not False


class _Limits:
    """Looks for failures without looking for the smallest, and ends what would go on for ever."""

    def __init__(self, took: Mapping[str, float]) -> None:
        self.took = took

    @pytest.hookimpl(tryfirst=True)
    def pytest_collection(self) -> None:
        from hypothesis import Phase, settings  # noqa: PLC0415 - pytest loads it first

        # Every run examines the same examples, as the gate does.
        settings.register_profile(
            "mutants",
            deadline=None,
            derandomize=True,
            database=None,
            phases=(Phase.explicit, Phase.generate),
            report_multiple_bugs=False,
        )
        settings.load_profile("mutants")

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_setup(self, item: pytest.Item) -> None:
        limit = CPU_SECONDS + 10 * self.took.get(item.nodeid, CPU_SECONDS)
        signal.setitimer(signal.ITIMER_PROF, limit)


# -- within functions -----------------------------------------------------------------------------


class _Look(NamedTuple):
    """How the tests ran without any change."""

    failed: list[str]
    took: dict[str, float]
    lines: dict[str, dict[int, frozenset[str]]]


class Trials(_Limits):
    """Runs changes against the tests that were collected, in place of the tests alone.

    ``seen`` says of each change, by name, whether a test failed. ``unclear`` are those that take
    place, also or only, while the module is loaded. ``files`` are tests by module, those that show
    most for the time they take first.
    """

    def __init__(
        self, mutants: Sequence[Mutant], tell: Callable[[Mutant, bool, float], None]
    ) -> None:
        super().__init__({})
        self.mutants = mutants
        self.modules = {mutant.module for mutant in mutants}
        self.tell = tell
        self.seen: dict[str, bool] = {}
        self.unclear: list[str] = []
        self.files: dict[str, list[str]] = {}
        self.failed: list[str] = []
        self.spent: dict[str, float] = defaultdict(float)
        self.coverage = coverage.Coverage(
            data_file=None,
            config_file=False,
            include=[str(DOMAIN / f"{module}.py") for module in self.modules],
        )
        self.coverage.start()

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        self.spent[report.nodeid] += report.duration
        if report.failed:
            self.failed.append(report.nodeid)

    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        look = in_child(lambda: self._looked_at(session.items))
        self.coverage.stop()
        if look is None or look.failed:
            self.failed = look.failed if look else ["died"]
            return True
        self.took = look.took
        if self._is_seen(None, self._affordable(session.items, frozenset(self.took))):
            self.failed = ["run again without any change"]
            return True
        for mutant in self.mutants:
            began = time.monotonic()
            lines = look.lines[mutant.module]
            by = frozenset[str]().union(*(lines.get(line, ()) for line in mutant.lines))
            within = bool(mutant.function)
            seen = within and self._is_seen(mutant, self._affordable(session.items, by))
            if not seen and (WHILE_LOADING in by or not within):
                self.unclear.append(mutant.name)
                continue
            self.seen[mutant.name] = seen
            self.tell(mutant, seen, time.monotonic() - began)
        for module, lines in look.lines.items():
            self.files[module] = self._files(session.items, frozenset().union(*lines.values()))
        return True

    def _looked_at(self, items: Sequence[pytest.Item]) -> _Look:
        _be_silent()
        for item in items:
            self.coverage.switch_context(item.nodeid)
            _run(item, None)
        self.coverage.stop()
        data = self.coverage.get_data()
        lines = {
            name: {
                line: frozenset(by)
                for line, by in data.contexts_by_lineno(str(DOMAIN / f"{name}.py")).items()
            }
            for name in self.modules
        }
        return _Look(self.failed, dict(self.spent), lines)

    def _is_seen(self, mutant: Mutant | None, items: Sequence[pytest.Item]) -> bool:
        def run() -> bool:
            _be_silent()
            if mutant:
                _put(mutant)
            for item, following in zip(items, (*items[1:], None), strict=True):
                _run(item, following)
                if self.failed:
                    return True
            return False

        # What ends the process was seen too.
        return bool(items) and in_child(run) is not False

    def _affordable(self, items: Sequence[pytest.Item], by: frozenset[str]) -> list[pytest.Item]:
        ordered = sorted(items, key=lambda item: self.took[item.nodeid])
        found: list[pytest.Item] = []
        left = SECONDS
        for item in ordered:
            if item.nodeid in by and left > 0:
                left -= self.took[item.nodeid]
                found.append(item)
        return found

    def _files(self, items: Sequence[pytest.Item], by: frozenset[str]) -> list[str]:
        # Others may rest on a constant without a line of its module. What a file takes to be
        # loaded is seldom more than its tests take.
        others = frozenset(self.took) - by
        chosen = [*self._affordable(items, by), *self._affordable(items, others)]
        return list(dict.fromkeys(str(item.path) for item in chosen))


def _run(item: pytest.Item, following: pytest.Item | None) -> None:
    item.ihook.pytest_runtest_protocol(item=item, nextitem=following)


def _put(mutant: Mutant) -> None:
    file = str(DOMAIN / f"{mutant.module}.py")
    changed = dict(_codes(compile(mutant.tree(), file, "exec")))
    for found in gc.get_objects():
        if isinstance(found, FunctionType) and found.__code__.co_filename == file:
            key = (found.__code__.co_qualname, found.__code__.co_firstlineno)
            found.__code__ = changed[key]


def _codes(code: CodeType) -> Iterator[tuple[tuple[str, int], CodeType]]:
    yield (code.co_qualname, code.co_firstlineno), code
    for part in code.co_consts:
        if isinstance(part, CodeType):
            yield from _codes(part)

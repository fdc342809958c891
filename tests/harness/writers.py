"""Which code of ours writes, as its text says, and which of it wrote while scenes were played."""

from __future__ import annotations

import ast
import sys
from collections import defaultdict
from functools import cache
from typing import TYPE_CHECKING

from tests.harness.cloud import ROOT, running_cloud
from tests.harness.scenes import SCENES
from tests.harness.wire import is_write

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from types import CodeType, FrameType

    from tests.harness.wire import AwsCall

_ADAPTERS = [
    path
    for path in sorted((ROOT / "shared" / "adapters").rglob("*.py"))
    if not path.name.startswith("lean")
]
_DECIDE = (ROOT / "shared" / "usecases", ROOT / "functions")
_SENDING = {"transact", ".put_item", ".update_item", ".put_events", ".send_message"}
Function = str
"""``folder/file.py:function``, whatever class it is of."""


# -- as the text says ----------------------------------------------------------------------------


@cache
def that_write() -> frozenset[Function]:
    """Return the functions of use cases and handlers that call what writes, by its name."""
    writing: set[str] = set()
    for path in _ADAPTERS:
        here: dict[str, set[str]] = defaultdict(set)
        for name, called in _functions(path):
            here[name] |= called
        found = {name for name, called in here.items() if called & _SENDING}
        while more := {name for name, called in here.items() if called & found} - found:
            found |= more
        writing |= {f".{name}" for name in found if not name.startswith("_")}
    return frozenset(
        f"{path.relative_to(ROOT).as_posix()}:{name}"
        for folder in _DECIDE
        for path in folder.rglob("*.py")
        for name, called in _functions(path)
        if called & writing
    )


def _functions(path: Path) -> Iterator[tuple[str, set[str]]]:
    """Yield the functions of a file with what they call, ``.post`` for what is another's."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.FunctionDef):
            yield node.name, set(_called(node))


def _called(function: ast.FunctionDef) -> Iterator[str]:
    for node in ast.walk(function):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            yield node.func.id
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            owner = node.func.value
            own = isinstance(owner, ast.Name) and owner.id == "self"
            yield node.func.attr if own else f".{node.func.attr}"


# -- as they were played -------------------------------------------------------------------------


@cache
def that_wrote() -> dict[Function, frozenset[str]]:
    """Return the functions that were at work at any write of a scene's act, with the scenes."""
    found: dict[Function, set[str]] = defaultdict(set)
    for scene in SCENES:
        with running_cloud() as cloud:
            cloud.wire.hurried = True
            act = scene.prepare(cloud)[0]
            cloud.wire.hurried = False
            cloud.wire.begin()

            def note(_place: int, call: AwsCall, name: str = scene.name) -> None:
                if is_write(call):
                    for code in _at_work(sys._getframe()):
                        found[_named(code)].add(name)

            cloud.wire.on_call = note
            act(cloud)
    return {function: frozenset(scenes) for function, scenes in found.items()}


def _at_work(frame: FrameType | None) -> Iterator[CodeType]:
    folders = tuple(str(folder) for folder in _DECIDE)
    while frame:
        if frame.f_code.co_filename.startswith(folders):
            yield frame.f_code
        frame = frame.f_back


def _named(code: CodeType) -> Function:
    return f"{code.co_filename.removeprefix(f'{ROOT}/')}:{code.co_name}"

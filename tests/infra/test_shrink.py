"""Modules without what they never run."""

from __future__ import annotations

import ast
import marshal
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from infra.shrink import NeedsTypesError, main, shrunk

if TYPE_CHECKING:
    from pathlib import Path


def left(**modules: str) -> dict[str, str]:
    sources = {f"{name}.py": text for name, text in modules.items()}
    return {name: ast.unparse(tree) for name, tree in shrunk(sources).items()}


def left_of(source: str) -> str:
    return left(one=source)["one.py"]


def test_texts_and_annotations_go() -> None:
    assert "def handler(a, *b, c=1, **d):\n    e = a\n    return e" == left_of(
        '"""A module."""\n'
        "from typing import Any, Final\n"
        "from collections.abc import Mapping\n"
        'def handler(a: int, *b: str, c: Any = 1, **d: "Mapping[str, int]") -> None:\n'
        '    """Say something."""\n'
        "    e: Final = a\n"
        "    later: int\n"
        "    return e\n"
    )


def test_a_function_of_nothing_but_text_does_nothing() -> None:
    assert "def handler():\n    pass" == left_of('def handler():\n    """Wait."""')


def test_what_only_a_type_checker_sees_goes() -> None:
    assert "def handler():\n    pass" == left_of(
        "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import ssl\ndef handler(): pass"
    )


def test_what_nobody_names_goes_with_what_it_needed() -> None:
    assert "def handler():\n    return 1" == left_of(
        "import json\n"
        "from base64 import b64decode, b64encode\n"
        "LIMITS = frozenset({1})\n"
        "def read(): return json.loads(b64decode(inner()))\n"
        "def inner(): return LIMITS\n"
        "class Error(Exception): pass\n"
        "def handler(): return 1"
    )


def test_what_another_module_names_stays() -> None:
    assert {
        "one.py": "from two import used\n\ndef handler():\n    return used()",
        "two.py": "def used():\n    return 1",
    } == left(
        one="from two import used\ndef handler(): return used()",
        two="def used(): return 1\ndef unused(): return 2",
    )


def test_what_does_something_stays() -> None:
    source = "import os\nprime = os.getpid()\nos.sync()\n\ndef handler():\n    pass"

    assert source == left_of(source)


def test_methods_that_nobody_names_go() -> None:
    assert (
        "class A:\n\n    def __len__(self):\n        return 0\n\n    def used(self):\n"
        "        return 1\n\ndef handler():\n    return A().used()"
    ) == left_of(
        "class A:\n"
        "    def __len__(self): return 0\n"
        "    def used(self): return 1\n"
        "    def unused(self): return 2\n"
        "def handler(): return A().used()"
    )


def test_a_dataclass_keeps_its_fields() -> None:
    source = (
        '"""A module."""\n'
        "from dataclasses import dataclass\n"
        "from typing import Generic, TypeVar\n"
        'T = TypeVar("T")\n'
        "@dataclass(frozen=True, slots=True)\n"
        "class Box(Generic[T]):\n"
        '    """Holds something."""\n'
        "    content: T\n"
        "    size: int = 1\n"
        "def handler(): return Box(2)\n"
    )
    space: dict[str, object] = {"__name__": "one"}

    code = compile(left_of(source), "one.py", "exec", dont_inherit=True)
    exec(code, space)  # noqa: S102 - the source above

    assert "Box(content=2, size=1)" == repr(space["handler"]())  # type: ignore[operator]
    assert "typing" not in left_of(source)


def test_a_type_that_is_used_at_run_time_is_refused() -> None:
    with pytest.raises(NeedsTypesError, match=r"one\.py uses Mapping"):
        left_of(
            "from collections.abc import Mapping\n"
            "def handler(value): return isinstance(value, Mapping)"
        )


def test_a_traceback_names_file_and_line(tmp_path: Path) -> None:
    (tmp_path / "one.py").write_text(
        '"""A module."""\n\n\ndef handler() -> None:\n    """Fail."""\n    raise ValueError\n',
        "utf-8",
    )
    main(tmp_path)

    done = subprocess.run(
        [sys.executable, "-c", "import one; one.handler()"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )

    assert ["one.pyc"] == [path.name for path in tmp_path.iterdir()]
    assert 'File "/var/task/one.py", line 6, in handler' in done.stderr


def test_bytecode_is_never_checked_against_a_source(tmp_path: Path) -> None:
    (tmp_path / "one.py").write_text("def handler(): return 1", "utf-8")

    main(tmp_path)

    content = (tmp_path / "one.pyc").read_bytes()
    assert b"\x01\x00\x00\x00" == content[4:8]
    assert "/var/task/one.py" == marshal.loads(content[16:]).co_filename  # noqa: S302 - just made

"""Nothing near money is binary floating point: no literal, no conversion, no true division.

Dividing is left to ``Decimal``; each place that does is listed. Seconds are no money: a constant
that is named so may be a float, and other places that wait or look at a clock are listed.
"""

from __future__ import annotations

import ast
from collections import Counter
from pathlib import Path

ROOT = Path(__file__).parents[2]
FOLDERS = ("shared", "functions")
SOURCES = sorted(
    path
    for folder in FOLDERS
    for path in (ROOT / folder).rglob("*.py")
    if "__pycache__" not in path.parts
)

DECIMALS = {
    "shared/domain/money.py:percent_of": {"/": 1},
    "shared/domain/plain_words.py:_part": {"/": 1},
    "shared/domain/values.py:_kept_part": {"/": 1},
    "shared/domain/values.py:_per_month": {"/": 2},
    "shared/domain/values.py:_percent": {"/": 1},
}
"""Where a ``Decimal`` is divided by another or by a whole number."""

CLOCKS = {
    "shared/adapters/dynamodb/intake.py:_ring": {"literal": 1},
    "shared/adapters/dynamodb/transactions.py:transact": {"literal": 1},
}
"""Where seconds are compared or waited for."""


class Finder(ast.NodeVisitor):
    """Counts what could make a float, by file and function."""

    def __init__(self, file: str) -> None:
        self.found: dict[str, Counter[str]] = {}
        self._file = file
        self._function = "module"

    def _note(self, what: str) -> None:
        self.found.setdefault(f"{self._file}:{self._function}", Counter())[what] += 1

    def visit_FunctionDef(self, node: ast.FunctionDef) -> None:
        outer, self._function = self._function, node.name
        self.generic_visit(node)
        self._function = outer

    def visit_AnnAssign(self, node: ast.AnnAssign) -> None:
        name = node.target.id if isinstance(node.target, ast.Name) else ""
        if not name.endswith("_SECONDS"):
            self.generic_visit(node)

    def visit_Constant(self, node: ast.Constant) -> None:
        if isinstance(node.value, float | complex):
            self._note("literal")

    def visit_BinOp(self, node: ast.BinOp) -> None:
        # Paths are joined by the same sign.
        if isinstance(node.op, ast.Div) and not is_text(node.right):
            self._note("/")
        self.generic_visit(node)

    def visit_AugAssign(self, node: ast.AugAssign) -> None:
        if isinstance(node.op, ast.Div):
            self._note("/")
        self.generic_visit(node)

    def visit_Call(self, node: ast.Call) -> None:
        if isinstance(node.func, ast.Name) and node.func.id in {"float", "round"}:
            self._note(node.func.id)
        self.generic_visit(node)


def is_text(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and isinstance(node.value, str)


def floats_in(text: str, file: str = "file.py") -> dict[str, dict[str, int]]:
    finder = Finder(file)
    finder.visit(ast.parse(text))
    return {place: dict(found) for place, found in finder.found.items()}


def test_the_finder_finds() -> None:
    text = "def f(a, b):\n    a /= b\n    return float(a) / b + 0.5 + round(b), 'x' / 'y', a // b\n"
    assert {"file.py:f": {"/": 2, "float": 1, "literal": 1, "round": 1}} == floats_in(text)
    assert {"file.py:module": {"literal": 1}} == floats_in("RATE: Final = 1e3")
    assert {} == floats_in("PAUSE_SECONDS: Final = 0.5")


def test_money_never_meets_a_float() -> None:
    found: dict[str, dict[str, int]] = {}
    for path in SOURCES:
        found |= floats_in(path.read_text("utf-8"), path.relative_to(ROOT).as_posix())
    assert found == DECIMALS | CLOCKS

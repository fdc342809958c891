"""The table of deviations names checks and tests that are there."""

from __future__ import annotations

import ast
from functools import cache
from pathlib import Path

import pytest

from tests.conformance.deviations import DEVIATIONS, Deviation, deviation_of

TESTS = Path(__file__).parents[1]


@cache
def names_in(path: Path) -> frozenset[str]:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    return frozenset(node.name for node in tree.body if isinstance(node, ast.FunctionDef))


@pytest.mark.parametrize("known", DEVIATIONS, ids=lambda known: known.check)
def test_a_deviation_names_its_check_and_what_catches_it(known: Deviation) -> None:
    checks = frozenset().union(*(names_in(path) for path in Path(__file__).parent.glob("test_*")))
    file, _, test = known.caught_by.partition("::")

    assert known.check in checks
    assert test in names_in(TESTS / file)
    assert known.reason


@pytest.mark.parametrize("known", DEVIATIONS, ids=lambda known: known.check)
def test_a_deviation_is_one_of_its_backend_alone(known: Deviation) -> None:
    case = f"-{known.case}" if known.case else ""

    assert known == deviation_of(f"{known.check}[{known.backend}{case}]")
    assert deviation_of(f"{known.check}[memory{case}]") is None

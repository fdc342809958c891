"""The page of guarantees names tests that are there, and every guarantee once."""

from __future__ import annotations

import ast
import re
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "guarantees.md").read_text(encoding="utf-8")
ROWS = re.findall(r"^\| (G\d+) \| (.+?) \| (.+) \|$", PAGE, flags=re.MULTILINE)


@cache
def names_in(file: str) -> frozenset[str]:
    tree = ast.parse((ROOT / "tests" / file).read_text(encoding="utf-8"))
    return frozenset(node.name for node in tree.body if isinstance(node, ast.FunctionDef))


def test_every_guarantee_has_its_row() -> None:
    assert [f"G{number}" for number in range(1, 36)] == [row[0] for row in ROWS]


@pytest.mark.parametrize(("number", "held_by"), [(row[0], row[2]) for row in ROWS])
def test_a_guarantee_names_its_tests_or_what_is_missing(number: str, held_by: str) -> None:
    places = re.findall(r"`([^`]+)::([^`]+)`", held_by)
    missing = [f"{file}::{name}" for file, name in places if name not in names_in(file)]
    assert [] == missing, number
    assert places or held_by.startswith("- "), number

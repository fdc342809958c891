"""Limits that keep every file readable; who imports whom is import-linter's task."""

from __future__ import annotations

import ast
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FOLDERS = ("cli", "functions", "infra", "local", "programs", "shared")
SOURCES = sorted(
    path
    for folder in FOLDERS
    for path in (ROOT / folder).rglob("*.py")
    if "__pycache__" not in path.parts
)
MAX_FILE_LINES = 400
MAX_FUNCTION_LINES = 60
UNWANTED = {"common", "helper", "helpers", "misc", "util", "utils"}
MAX_CONTRACTS = 6


def name_of(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def test_there_are_sources() -> None:
    assert {name_of(path).split("/")[0] for path in SOURCES} >= {"functions", "infra", "shared"}


def test_files_are_short() -> None:
    lengths = {name_of(path): len(path.read_text("utf-8").splitlines()) for path in SOURCES}

    assert {} == {name: length for name, length in lengths.items() if length >= MAX_FILE_LINES}


def test_functions_fit_a_screen() -> None:
    lengths = {
        f"{name_of(path)}:{node.name}": (node.end_lineno or 0) - node.lineno + 1
        for path in SOURCES
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    }

    assert {} == {name: length for name, length in lengths.items() if length > MAX_FUNCTION_LINES}


def test_nothing_is_named_after_nothing() -> None:
    names = {part for path in SOURCES for part in path.relative_to(ROOT).with_suffix("").parts}

    assert set() == names & UNWANTED


def test_the_cdk_is_not_shadowed() -> None:
    """A folder or file of that name hides the package when the app runs as a script."""
    assert not list((ROOT / "infra").glob("constructs*"))


@pytest.mark.parametrize("folder", ["cli", "functions", "infra", "local"])
def test_doors_have_one_contract_each_and_few_in_all(folder: str) -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    linter = project["tool"]["importlinter"]

    assert folder in linter["root_packages"]
    assert len(linter["contracts"]) <= MAX_CONTRACTS


def test_every_ignored_rule_has_its_reason() -> None:
    text = (ROOT / "pyproject.toml").read_text("utf-8")
    section = text[text.index("[tool.ruff.lint]") : text.index("[tool.ruff.lint.flake8")]
    rules = [line for line in section.splitlines() if line.startswith('    "')]

    assert rules
    assert [] == [line for line in rules if " # " not in line]

"""The README's tables say what is so."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "README.md").read_text()


def table(heading: str) -> list[list[str]]:
    """Return the cells of the first table after a heading, without its head."""
    part = TEXT.split(heading, 1)[1]
    rows = re.search(r"(?:^\|.*\n)+", part, flags=re.MULTILINE)
    assert rows
    return [
        [cell.strip() for cell in row.strip("|").split("|")]
        for row in rows.group().strip().split("\n")[2:]
    ]


def test_every_command_is_a_target_of_the_makefile() -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), flags=re.MULTILINE))
    named = {row[0].strip("`").removeprefix("make ") for row in table("## Try it")}
    assert named <= targets
    assert named


def test_every_function_has_its_row_and_no_other() -> None:
    folders = {path.parent.name for path in (ROOT / "functions").glob("*/handler.py")}
    assert folders == {row[0].strip("`") for row in table("## The functions")}


@pytest.mark.parametrize("row", table("## Guarantees"), ids=lambda row: row[0][:40])
def test_every_guarantee_names_a_test_file_with_tests(row: list[str]) -> None:
    path = ROOT / row[1].strip("`")
    assert path.is_file()
    assert "def test_" in path.read_text()


@pytest.mark.parametrize("target", re.findall(r"\]\(([^)#]+)\)", TEXT))
def test_every_link_leads_somewhere(target: str) -> None:
    assert target.startswith("https://") or (ROOT / target).exists()


def test_parts_are_either_there_or_not() -> None:
    assert {"works", "not yet"} == {row[1] for row in table("## What works")}

"""Changes are real changes, each with a name of its own, and leave alone what no run shows."""

from __future__ import annotations

import ast

import pytest

from tests.mutants.changes import mutants

SOURCE = '''
"""What it is for."""
from typing import Final
LIMIT: Final = 3

def more(left: int, rows: list[int]) -> int:
    """Return more."""
    found = min(left, LIMIT) + 1
    if found > LIMIT and not rows:
        raise ValueError(f"{found} is too much")
    return sum(a * b for a, b in zip(rows, rows, strict=True))
'''


def test_every_change_has_a_name_of_its_own_and_gives_another_module() -> None:
    found = list(mutants("sample", SOURCE))
    assert len(found) == len({mutant.name for mutant in found})
    original = ast.dump(ast.parse(SOURCE))
    assert original not in {ast.dump(mutant.tree()) for mutant in found}
    for mutant in found:
        compile(mutant.tree(), "sample", "exec")


@pytest.mark.parametrize(
    "change",
    [
        "3 -> 4 in LIMIT: Final = 3",
        "min -> max in found = min(left, LIMIT) + 1",
        "min(left, LIMIT) + 1 -> min(left, LIMIT) - 1 in found = min(left, LIMIT) + 1",
        "raise ValueError(f'{found} is too much') -> pass",
    ],
)
def test_operators_constants_and_statements_are_changed(change: str) -> None:
    assert change in {mutant.name.partition(": ")[2] for mutant in mutants("sample", SOURCE)}


def test_what_only_tells_people_and_what_no_input_reaches_stays() -> None:
    told = " ".join(mutant.name for mutant in mutants("sample", SOURCE))
    assert "What it is for" not in told
    assert "True -> False" not in told


def test_a_change_knows_whether_it_takes_place_while_the_module_is_loaded() -> None:
    within = {mutant.function for mutant in mutants("sample", SOURCE)}
    assert {"", "more"} == within

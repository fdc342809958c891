"""A fault at every AWS call of every handler that writes, then what its sender does: same end."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from infra.catalogue import FUNCTIONS
from tests.harness.cloud import HANDLERS, running_cloud
from tests.harness.explore import explore, stage
from tests.harness.scenes import SCENES

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.harness.world import Scene

EXPECTED = Path(__file__).parents[1] / "harness" / "expected_calls.json"
PAIRS = 4
MOST = 90
"""Points of one scene; ``make faults`` strikes at all of them, and at other pairs."""
SEED = 20_261_122

ELSEWHERE = {
    # Its client is its own.
    "track_click": "functions/track_click/test_track_click_memory.py",
    # It writes nothing.
    "watch_books": "functions/watch_books/test_watch_books_handler.py",
}


@cache
def expected_calls() -> dict[str, list[str]]:
    found: dict[str, list[str]] = json.loads(EXPECTED.read_text(encoding="utf-8"))
    return found


@pytest.mark.parametrize("scene", SCENES, ids=lambda scene: scene.name)
def test_any_fault_ends_as_no_fault(
    scene: Scene, tell: Callable[[str, str, int, int], None]
) -> None:
    with running_cloud() as cloud:
        staged = stage(cloud, scene)

        tally = explore(cloud, staged, pairs=PAIRS, seed=SEED, most=MOST)

    tell(scene.handler, scene.name, tally.points, len(tally.violated))
    assert [] == tally.violated[:3]
    # No call is struck that nobody expects, and none that somebody does is missed.
    assert expected_calls()[scene.name] == sorted(call.what for call in staged.calls)


def test_every_function_is_struck_somewhere() -> None:
    struck = {scene.handler for scene in SCENES}
    assert set(HANDLERS) == struck
    assert {function.name for function in FUNCTIONS} == struck | set(ELSEWHERE)
    tests = Path(__file__).parents[1]
    assert [] == [place for place in ELSEWHERE.values() if not (tests / place).is_file()]


def test_what_is_expected_names_the_scenes_and_nothing_else() -> None:
    assert {scene.name for scene in SCENES} == set(expected_calls())

"""Two handlers at once on one row, one call at a time: they end as one after the other would."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.harness.cloud import running_cloud
from tests.harness.meetings import arrange, schedules, wrong_after
from tests.harness.races import RACES, Race

if TYPE_CHECKING:
    from collections.abc import Callable

WALKED = 50
DRAWN = 15
SEED = 20_261_122


@pytest.mark.parametrize("race", RACES, ids=lambda race: race.name)
def test_at_once_ends_as_one_after_the_other(
    race: Race, tell: Callable[[str, str, int, int], None]
) -> None:
    violated = []
    points = 0
    with running_cloud() as cloud:
        meeting = arrange(cloud, race)
        for schedule in schedules(cloud, meeting, walk=WALKED, draw=DRAWN, seed=SEED):
            points += 1
            wrong = wrong_after(cloud, meeting)
            if wrong:
                violated.append(f"{schedule.turns}: {wrong}")
    tell("(two at once)", race.name, points, len(violated))
    assert [] == violated[:2]
    assert points > 1

"""Scenes and races as plays that are told in a line, so that one that was found is played again.

A scene is told by its faults, ``crash after @3 | no fault``, a race by its turns: ``0x3 1x7 0x2``
are three calls of the first act, then seven of the second.
"""

from __future__ import annotations

import random
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING

from tests.harness.cloud import running_cloud
from tests.harness.explore import points, stage, strike
from tests.harness.faults import KINDS, Kind
from tests.harness.history import History
from tests.harness.meetings import arrange, schedules, wrong_after
from tests.harness.more_races import MORE_RACES
from tests.harness.races import RACES, Race
from tests.harness.rare_races import RARE_RACES
from tests.harness.scenes import SCENES
from tests.harness.turns import play

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from tests.harness.cloud import Cloud
    from tests.harness.explore import Staged
    from tests.harness.meetings import Meeting
    from tests.harness.wire import AwsCall
    from tests.harness.world import Acts

_NO_FAULT = "no fault"
_LONGEST = 200
_FURTHER = (*MORE_RACES, *RARE_RACES)
ALL_RACES: tuple[Race, ...] = (*RACES, *_FURTHER)
OTHERS = frozenset(race.name for race in _FURTHER)
"""What is played for the sites that scenes and races pass, not for its own."""

Plan = list[tuple[int, Kind] | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Effort:
    """How long to look: ``singles`` and ``pairs`` of faults in a scene, schedules of a race.

    ``patience`` is how many plays of one of these are tried for a site.
    """

    singles: int = 10_000
    pairs: int = 60
    walk: int = 70
    draw: int = 60
    patience: int = 60


BRIEF = Effort(singles=12, pairs=0, walk=12, draw=8, patience=6)
THOROUGH = Effort()


# -- scenes and races, ready to be played --------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class SceneStand:
    """A scene to be struck by faults."""

    cloud: Cloud
    history: History
    staged: Staged
    plain: str = _NO_FAULT

    @property
    def name(self) -> str:
        """The scene's name."""
        return self.staged.scene.name

    def wrong(self, told: str) -> list[str]:
        """Play what is told; return what is wrong in the end."""
        return self._wrong(_plan_of(told))

    def tries(self, effort: Effort, seed: int) -> Iterator[tuple[str, list[str]]]:
        """Yield plays, each as just played, with what was wrong."""
        chance = random.Random(f"{seed} {self.staged.scene.name}")  # noqa: S311 - reproducible
        every = list(points(self.staged))
        plans: list[Plan] = [[None]]
        plans += [[one] for one in chance.sample(every, min(effort.singles, len(every)))]
        plans += [[chance.choice(every), chance.choice(every)] for _ in range(effort.pairs)]
        for plan in plans:
            yield _told(plan), self._wrong(plan)

    def _wrong(self, plan: Plan) -> list[str]:
        wrong = strike(self.cloud, self.staged, plan)
        return wrong + self.history.broken(self.staged.saved.changes)


@dataclass(frozen=True, slots=True, kw_only=True)
class RaceStand:
    """A race to be run in any order of calls."""

    cloud: Cloud
    history: History
    meeting: Meeting
    plain: str = "0x1"

    @property
    def name(self) -> str:
        """The race's name."""
        return self.meeting.race.name

    def wrong(self, told: str) -> list[str]:
        """Play what is told; return what is wrong in the end."""
        left = _turns_of(told)

        def pick(pending: dict[int, AwsCall]) -> int:
            wanted = left.pop(0) if left else -1
            return wanted if wanted in pending else min(pending)

        self.cloud.restore(self.meeting.saved)
        play(self.cloud, self.meeting.acts, pick)
        return self._wrong()

    def tries(self, effort: Effort, seed: int) -> Iterator[tuple[str, list[str]]]:
        """Yield plays, each as just played: one act stopped once by the other, then any order."""
        for turns in self._gaps():
            yield _turns_told(turns), self._wrong()
        some = schedules(self.cloud, self.meeting, walk=effort.walk, draw=effort.draw, seed=seed)
        for schedule in some:
            yield _turns_told(schedule.turns), self._wrong()

    def _gaps(self) -> Iterator[list[int]]:
        for first in (0, 1):
            for length in range(1, _LONGEST):
                turns: list[int] = []

                def pick(
                    pending: dict[int, AwsCall],
                    first: int = first,
                    length: int = length,
                    turns: list[int] = turns,
                ) -> int:
                    stops = len(turns) >= length and 1 - first in pending
                    turns.append(first if first in pending and not stops else 1 - first)
                    return turns[-1]

                self.cloud.restore(self.meeting.saved)
                play(self.cloud, self.meeting.acts, pick)
                if turns.count(first) <= length:
                    break
                yield turns

    def _wrong(self) -> list[str]:
        wrong = wrong_after(self.cloud, self.meeting)
        return wrong + self.history.broken(self.meeting.saved.changes)


Stand = SceneStand | RaceStand


def names() -> list[str]:
    """Return the names of all scenes and races."""
    return [*(scene.name for scene in SCENES), *(race.name for race in ALL_RACES)]


def prepared(cloud: Cloud, name: str) -> Acts:
    """Prepare a scene or race; return its acts."""
    scenes = {scene.name: scene.prepare for scene in SCENES}
    return {**scenes, **{race.name: race.prepare for race in ALL_RACES}}[name](cloud)


@contextmanager
def stand_of(name: str) -> Iterator[Stand]:
    """Set up a scene or race."""
    with running_cloud() as cloud:
        history = History(cloud.store)
        for scene in SCENES:
            if scene.name == name:
                yield SceneStand(cloud=cloud, history=history, staged=stage(cloud, scene))
        for race in ALL_RACES:
            if race.name == name:
                yield RaceStand(cloud=cloud, history=history, meeting=arrange(cloud, race))


# -- plays as text -------------------------------------------------------------------------------


def _told(plan: Plan) -> str:
    return " | ".join(f"{one[1].name} @{one[0]}" if one else _NO_FAULT for one in plan)


def _plan_of(told: str) -> Plan:
    plan: Plan = []
    for part in told.split(" | "):
        name, _, place = part.partition(" @")
        plan.append(None if part == _NO_FAULT else (int(place), KINDS[name]))
    return plan


def _turns_told(turns: Iterable[int]) -> str:
    return " ".join(f"{act}x{len([*run])}" for act, run in groupby(turns))


def _turns_of(told: str) -> list[int]:
    runs = (run.split("x") for run in told.split())
    return [int(act) for act, length in runs for _ in range(int(length))]

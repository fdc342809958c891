"""Take each site away in turn and look for a play of a scene or a race that goes wrong without it.

What was found is remembered as a witness, so that the gate need not search: a scene with its
faults, ``first rewards | crash after @3``, or a race with its turns, ``one lead | 0110``.
"""

from __future__ import annotations

import json
import random
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from tests.harness.cloud import running_cloud
from tests.harness.explore import points, stage, strike
from tests.harness.faults import KINDS, Kind
from tests.harness.meetings import arrange, schedules, wrong_after
from tests.harness.races import RACES
from tests.harness.scenes import SCENES
from tests.harness.sites import Site, sites_of, without
from tests.harness.turns import play

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from tests.harness.cloud import Cloud
    from tests.harness.explore import Staged
    from tests.harness.meetings import Meeting
    from tests.harness.sites import Request
    from tests.harness.wire import AwsCall

WITNESSES = Path(__file__).with_name("witnesses.json")
_NO_FAULT = "no fault"
Plan = list[tuple[int, Kind] | None]
Killed = dict[Site, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Effort:
    """How long to look: ``singles`` and ``pairs`` of faults in a scene, schedules of a race."""

    singles: int = 10_000
    pairs: int = 60
    walk: int = 70
    draw: int = 60


THOROUGH = Effort()
BRIEF = Effort(singles=12, pairs=0, walk=12, draw=8)


@dataclass(slots=True, kw_only=True)
class Traffic:
    """Which sites are passed in which scenes and races."""

    in_scenes: dict[str, set[Site]] = field(default_factory=dict)
    in_races: dict[str, set[Site]] = field(default_factory=dict)

    @property
    def sites(self) -> list[Site]:
        """All sites, in order."""
        found = [*self.in_scenes.values(), *self.in_races.values()]
        return sorted(set().union(*found))


@contextmanager
def _watched(cloud: Cloud) -> Iterator[set[Site]]:
    seen: set[Site] = set()

    def note(operation: str, request: Request) -> Request:
        seen.update(sites_of(operation, request))
        return request

    cloud.wire.mutate = note
    yield seen
    cloud.wire.mutate = None


@contextmanager
def _lacking(cloud: Cloud, site: Site) -> Iterator[None]:
    cloud.wire.mutate = without(site)
    yield
    cloud.wire.mutate = None


# -- plays and their names -----------------------------------------------------------------------


def _told(plan: Plan) -> str:
    return " | ".join(f"{one[1].name} @{one[0]}" if one else _NO_FAULT for one in plan)


def _read(text: str) -> Plan:
    plan: Plan = []
    for part in text.split(" | "):
        name, _, place = part.partition(" @")
        plan.append(None if part == _NO_FAULT else (int(place), KINDS[name]))
    return plan


def _goes_wrong(cloud: Cloud, staged: Staged, plan: Plan) -> bool:
    """Tell whether a play ends wrong. One that breaks off with a bug would be seen as well."""
    try:
        return bool(strike(cloud, staged, plan))
    except Exception:  # noqa: BLE001 - as it would fail the test
        return True


def _meets_wrong(cloud: Cloud, meeting: Meeting, turns: str) -> bool:
    left = [int(turn) for turn in turns]

    def pick(pending: dict[int, AwsCall]) -> int:
        wanted = left.pop(0) if left else -1
        return wanted if wanted in pending else min(pending)

    cloud.restore(meeting.saved)
    play(cloud, meeting.acts, pick)
    return _is_wrong(cloud, meeting)


def _is_wrong(cloud: Cloud, meeting: Meeting) -> bool:
    try:
        return bool(wrong_after(cloud, meeting))
    except Exception:  # noqa: BLE001 - as it would fail the test
        return True


# -- traffic -------------------------------------------------------------------------------------


def traffic(*, faults: bool) -> Traffic:
    """Return the sites that plays pass: honest ones, and ones with each fault if asked."""
    found = Traffic()
    for scene in SCENES:
        with running_cloud() as cloud:
            staged = stage(cloud, scene)
            with _watched(cloud) as found.in_scenes[scene.name]:
                strike(cloud, staged, [None])
                for point in points(staged) if faults else ():
                    strike(cloud, staged, [point])
    for race in RACES:
        with running_cloud() as cloud:
            meeting = arrange(cloud, race)
            with _watched(cloud) as found.in_races[race.name]:
                for _ in schedules(cloud, meeting, walk=20 if faults else 2, draw=0, seed=0):
                    wrong_after(cloud, meeting)
    return found


# -- the hunt ------------------------------------------------------------------------------------


def hunt(seen: Traffic, sites: Iterable[Site], effort: Effort, *, seed: int) -> Killed:
    """Return the sites that are missed when they are taken away, each with its witness."""
    killed: Killed = {}
    left = set(sites)
    rounds = (BRIEF, effort) if effort != BRIEF else (BRIEF,)
    for each in rounds:
        for scene in SCENES:
            here = sorted(seen.in_scenes[scene.name] & left)
            if here:
                with running_cloud() as cloud:
                    staged = stage(cloud, scene)
                    for site in here:
                        told = _hunt_scene(cloud, staged, site, each, seed)
                        if told:
                            killed[site] = f"{scene.name} | {told}"
                            left.discard(site)
        for race in RACES:
            here = sorted(seen.in_races[race.name] & left)
            if here:
                with running_cloud() as cloud:
                    meeting = arrange(cloud, race)
                    for site in here:
                        told = _hunt_race(cloud, meeting, site, each, seed)
                        if told:
                            killed[site] = f"{race.name} | {told}"
                            left.discard(site)
    return killed


def _hunt_scene(cloud: Cloud, staged: Staged, site: Site, effort: Effort, seed: int) -> str:
    chance = random.Random(f"{seed} {site}")  # noqa: S311 - reproducible on purpose
    every = list(points(staged))
    singles = chance.sample(every, min(effort.singles, len(every)))
    plans: list[Plan] = [[None]]
    plans += [[one] for one in singles]
    plans += [[chance.choice(every), chance.choice(every)] for _ in range(effort.pairs)]
    with _lacking(cloud, site):
        wrong = (plan for plan in plans if _goes_wrong(cloud, staged, plan))
        found = next(wrong, None)
    return _told(found) if found else ""


def _hunt_race(cloud: Cloud, meeting: Meeting, site: Site, effort: Effort, seed: int) -> str:
    plays = schedules(cloud, meeting, walk=effort.walk, draw=effort.draw, seed=seed)
    with _lacking(cloud, site):
        for schedule in plays:
            if _is_wrong(cloud, meeting):
                return "".join(str(turn) for turn in schedule.turns)
    return ""


# -- witnesses -----------------------------------------------------------------------------------


def known_witnesses() -> dict[str, str]:
    """Return what was found before, by the site's text."""
    found: dict[str, str] = json.loads(WITNESSES.read_text(encoding="utf-8"))
    return found


def testified(sites: Iterable[Site], witnesses: dict[str, str]) -> set[Site]:
    """Return the sites whose witness still goes wrong without them."""
    plays: dict[str, list[tuple[Site, str]]] = {}
    for site in sorted(sites):
        name, _, told = witnesses.get(str(site), "").partition(" | ")
        plays.setdefault(name, []).append((site, told))
    killed = set()
    for scene in SCENES:
        with running_cloud() as cloud:
            staged = stage(cloud, scene) if scene.name in plays else None
            for site, told in plays.get(scene.name, []):
                with _lacking(cloud, site):
                    if staged and _goes_wrong(cloud, staged, _read(told)):
                        killed.add(site)
    for race in RACES:
        with running_cloud() as cloud:
            meeting = arrange(cloud, race) if race.name in plays else None
            for site, told in plays.get(race.name, []):
                with _lacking(cloud, site):
                    if meeting and _meets_wrong(cloud, meeting, told):
                        killed.add(site)
    return killed

"""Strike every call of a scene with every kind of fault, and see whether the end is the same."""

from __future__ import annotations

import random
import sys
from dataclasses import dataclass, field
from itertools import product, zip_longest
from typing import TYPE_CHECKING

from tests.harness.faults import KINDS, Kind
from tests.harness.sameness import broken_money, essence
from tests.harness.wire import AwsCall, is_write

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from tests.harness.cloud import Cloud, Saved
    from tests.harness.world import Acts, Scene

_UNTIL_DUE_DAYS = 40
_OK, _REFUSED_BY_US = 200, 400


@dataclass(frozen=True, slots=True, kw_only=True)
class Staged:
    """A scene that can be played again and again. ``calls`` are those of its first act.

    ``ends`` are the states in which honest runs end: each act that is struck may have happened
    or not.
    """

    scene: Scene
    saved: Saved
    acts: Acts
    calls: tuple[AwsCall, ...]
    ends: list[list[str]] = field(default_factory=list)


@dataclass(slots=True, kw_only=True)
class Tally:
    """How many points were struck, and what was wrong after which."""

    points: int = 0
    violated: list[str] = field(default_factory=list)


def stage(cloud: Cloud, scene: Scene) -> Staged:
    """Prepare a scene and play it without any fault."""
    cloud.wire.hurried = True
    acts = scene.prepare(cloud)
    cloud.wire.hurried = False
    saved = cloud.save()
    assert len(acts) > 1, f"{scene.name} has nobody who tries again"
    cloud.wire.begin()
    cloud.answer = None
    acts[0](cloud)
    calls = tuple(cloud.wire.calls)
    status = (cloud.answer or {}).get("statusCode", _OK)
    assert status < _REFUSED_BY_US, f"{scene.name} is refused: {cloud.answer}"
    assert len(cloud.store.changes) > saved.changes, f"{scene.name} changes nothing"
    staged = Staged(scene=scene, saved=saved, acts=acts, calls=calls)
    for refused in _refusals(calls):
        _play(cloud, staged, refused)
        wrong = broken_money(cloud)
        assert not wrong, f"{scene.name} without faults: {wrong}"
        end = essence(cloud, saved)
        if end not in staged.ends:
            staged.ends.append(end)
    return staged


def _refusals(calls: Sequence[AwsCall]) -> Iterator[Sequence[tuple[int, Kind] | None]]:
    """Yield how the first acts may have come to nothing: at once, or before their first write."""
    first_write = next((place for place, call in enumerate(calls) if is_write(call)), 0)
    nothing = [(place, KINDS["crash before"]) for place in sorted({0, first_write})]
    for acts in (1, 2):
        yield from product((None, *nothing), repeat=acts)


def _play(cloud: Cloud, staged: Staged, faults: Sequence[tuple[int, Kind] | None]) -> None:
    """Play a scene with a fault for each of its first acts, and what its sender does after."""
    cloud.restore(staged.saved)
    # Whoever got no answer twice tries a third time.
    for act, fault in zip_longest([*staged.acts[: len(faults)], *staged.acts[1:]], faults):
        cloud.wire.begin()
        cloud.wire.hurried = fault is None
        if fault:
            point, kind = fault
            kind.arm(cloud, point)
        act(cloud)
    cloud.wire.begin()
    come_to_rest(cloud)


def come_to_rest(cloud: Cloud) -> None:
    """Let everything be done that can be done, now and when all holds are over."""
    cloud.wire.hurried = True
    cloud.drain()
    cloud.later(days=_UNTIL_DUE_DAYS)
    cloud.drain()
    cloud.wire.hurried = False


def strike(cloud: Cloud, staged: Staged, faults: Sequence[tuple[int, Kind] | None]) -> list[str]:
    """Play a scene with one fault for each of the first acts; return what is wrong in the end.

    None stands for no fault.
    """
    try:
        _play(cloud, staged, faults)
    except AssertionError as error:
        return [str(error)]
    wrong = broken_money(cloud)
    found = essence(cloud, staged.saved)
    if found not in staged.ends:
        missing = set(staged.ends[0]) - set(found)
        extra = set(found) - set(staged.ends[0])
        wrong += [f"- {row}" for row in sorted(missing)] + [f"+ {row}" for row in sorted(extra)]
    return wrong


def points(staged: Staged) -> Iterator[tuple[int, Kind]]:
    """Yield every call with every kind of fault that can strike it."""
    for place, call in enumerate(staged.calls):
        for kind in KINDS.values():
            if kind.strikes(call):
                yield place, kind


def _sampled(
    every: list[tuple[int, Kind]], most: int, chance: random.Random
) -> list[tuple[int, Kind]]:
    """Return every crash, and of the other points as many as fit."""
    sure = [point for point in every if point[1].name.startswith("crash")]
    others = [point for point in every if point not in sure]
    return sure + chance.sample(others, max(0, min(most - len(sure), len(others))))


def explore(
    cloud: Cloud, staged: Staged, *, pairs: int = 0, seed: int = 0, most: int = sys.maxsize
) -> Tally:
    """Strike at every point, and at drawn pairs: one in the act, one in its repetition.

    Of more than ``most`` points a sample is struck.
    """
    tally = Tally()
    every = list(points(staged))
    chance = random.Random(seed)  # noqa: S311 - reproducible on purpose
    plans = [[one] for one in _sampled(every, most, chance)]
    plans += [[chance.choice(every), chance.choice(every)] for _ in range(pairs)]
    for faults in plans:
        tally.points += 1
        wrong = strike(cloud, staged, faults)
        if wrong:
            told = ", then ".join(
                f"{kind.name} at call {place} ({staged.calls[place].what})"
                for place, kind in faults
            )
            tally.violated.append(f"{staged.scene.name}: {told}: {wrong[:6]}")
    return tally

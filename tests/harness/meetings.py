"""Play a race in every order that matters, and tell which orders end as none of two in turn."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from tests.harness.explore import come_to_rest
from tests.harness.sameness import amounts, broken_money, essence
from tests.harness.turns import drawn_schedules, every_schedule, play

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.harness.cloud import Cloud, Saved
    from tests.harness.races import Race
    from tests.harness.turns import Schedule
    from tests.harness.world import Acts


@dataclass(frozen=True, slots=True, kw_only=True)
class Meeting:
    """A race that can be run again and again. ``ends`` are those of both orders without overlap."""

    race: Race
    saved: Saved
    acts: Acts
    ends: list[list[str]] = field(default_factory=list)


def arrange(cloud: Cloud, race: Race) -> Meeting:
    """Prepare a race and play it one act after the other, in both orders."""
    cloud.wire.hurried = True
    acts = race.prepare(cloud)
    cloud.wire.hurried = False
    meeting = Meeting(race=race, saved=cloud.save(), acts=acts)
    for order in (acts, acts[::-1]):
        cloud.restore(meeting.saved)
        for act in order:
            act(cloud)
        come_to_rest(cloud)
        wrong = broken_money(cloud)
        assert not wrong, f"{race.name} in turn: {wrong}"
        meeting.ends.append(_end(cloud, meeting))
    return meeting


def schedules(
    cloud: Cloud, meeting: Meeting, *, walk: int, draw: int, seed: int
) -> Iterator[Schedule]:
    """Yield the schedules that matter, each as just played; a sample where these are too many."""

    def run(pick: Any) -> None:  # noqa: ANN401 - as play takes it
        cloud.restore(meeting.saved)
        play(cloud, meeting.acts, pick)

    walked = 0
    for schedule in every_schedule(run, limit=walk):
        walked += 1
        if not schedule.redundant:
            yield schedule
    if walked == walk:
        yield from drawn_schedules(run, number=draw, seed=seed)


def wrong_after(cloud: Cloud, meeting: Meeting) -> list[str]:
    """Let everything be done that follows from a schedule just played; return what is wrong."""
    come_to_rest(cloud)
    wrong = broken_money(cloud)
    found = _end(cloud, meeting)
    if found not in meeting.ends:
        strange = [row for row in found if row not in meeting.ends[0]]
        return [*wrong, "no order ends so", *strange[:3]]
    return wrong


def _end(cloud: Cloud, meeting: Meeting) -> list[str]:
    if meeting.race.alike == "promises":
        return []
    return essence(cloud, meeting.saved) if meeting.race.alike == "rows" else amounts(cloud)

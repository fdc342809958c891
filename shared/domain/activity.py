"""Activity: what clicks add up to, by UTC day, per link and per programme.

A click adds to two counters: that of its link (in its partner's file) and that of its programme's
campaign and asset. A partner's figures are the sum over its links. Every counter remembers, for
each shard of the clicks' stream, up to where it has counted: a record at or below that mark is
there already, so whatever comes again, in whatever cut, changes nothing.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from functools import reduce
from operator import or_
from typing import Final

from shared.domain.clicks import Click
from shared.domain.visitors import NOBODY, Visitors, visitors_of

MARK_KEPT: Final = timedelta(hours=48)
"""A shard's records live for 24 hours, so an older mark guards against nothing any more."""

BURST_CLICKS: Final = 3
BURST_WITHIN: Final = timedelta(seconds=10)
"""That many clicks of one visitor on one link in that time: a scanner, and all of them its own."""

_SECONDS_PER_HOUR: Final = 3_600


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrival:
    """A click as a shard of the stream brings it, at a place that grows within the shard."""

    sequence: int
    click: Click


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """A click that is known to be a person's, or not to be."""

    sequence: int
    click: Click
    is_bot: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class CounterId:
    """Whose clicks of which day (UTC). Without a partner and a code, the whole programme's."""

    program_id: str
    day: date
    partner_id: str = ""
    code: str = ""
    campaign: str = ""
    asset: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """Up to where a shard is counted, and the hour (since the epoch) in which that was written."""

    sequence: int
    hour: int


Marks = Mapping[str, Mark]
"""By shard."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Counter:
    """One day's figures. ``visitors`` are persons.

    ``sealed`` counters were recounted from the clicks themselves and take nothing from the stream.
    """

    counter_id: CounterId
    clicks: int = 0
    bots: int = 0
    visitors: Visitors = NOBODY
    marks: Marks = field(default_factory=dict)
    sealed: bool = False
    version: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """What is told of a day or of several. ``uniques`` are persons, each once a day."""

    clicks: int = 0
    bots: int = 0
    uniques: int = 0
    estimated: bool = False

    @property
    def humans(self) -> int:
        """Clicks that are nobody's known program."""
        return self.clicks - self.bots

    def __add__(self, other: "Figures") -> "Figures":
        """Return the figures of both; the same person on two days is two."""
        return Figures(
            clicks=self.clicks + other.clicks,
            bots=self.bots + other.bots,
            uniques=self.uniques + other.uniques,
            estimated=self.estimated or other.estimated,
        )


def judge(arrivals: Sequence[Arrival], is_crawler: Callable[[str], bool]) -> list[Judged]:
    """Tell persons from programs, in the order given: by user agent, and by bursts among these."""
    bursts = _bursts([arrival.click for arrival in arrivals])
    return [
        Judged(
            sequence=arrival.sequence,
            click=arrival.click,
            is_bot=arrival.click.click_id in bursts or is_crawler(arrival.click.user_agent),
        )
        for arrival in arrivals
    ]


def _bursts(clicks: Iterable[Click]) -> set[str]:
    visits: dict[tuple[str, str], list[Click]] = defaultdict(list)
    for click in clicks:
        if click.visitor:
            visits[click.code, click.visitor].append(click)
    found: set[str] = set()
    for group in visits.values():
        group.sort(key=lambda click: click.clicked_at)
        for first, last in zip(group, group[BURST_CLICKS - 1 :], strict=False):
            if last.clicked_at - first.clicked_at <= BURST_WITHIN:
                inside = (first.clicked_at, last.clicked_at)
                found |= {c.click_id for c in group if inside[0] <= c.clicked_at <= inside[1]}
    return found


def counters_of(click: Click) -> tuple[CounterId, CounterId]:
    """Return the counters that a click adds to."""
    whole = CounterId(
        program_id=click.program_id,
        day=click.clicked_at.date(),
        campaign=click.campaign,
        asset=click.asset,
    )
    return replace(whole, partner_id=click.partner_id, code=click.code), whole


def grouped(seen: Iterable[Judged]) -> dict[CounterId, list[Judged]]:
    """Return the clicks by counter; counters in the order of their first clicks."""
    groups: dict[CounterId, list[Judged]] = defaultdict(list)
    for one in seen:
        for counter_id in counters_of(one.click):
            groups[counter_id].append(one)
    return groups


def absorb(counter: Counter, shard: str, seen: Sequence[Judged], now: datetime) -> Counter | None:
    """Return the counter with a shard's clicks, each once; None if there is nothing to add."""
    new = beyond(counter.marks, shard, seen)
    if counter.sealed or not new:
        return None
    return _with(replace(counter, marks=moved(counter.marks, shard, new, now)), new)


def beyond(marks: Marks, shard: str, seen: Iterable[Judged]) -> list[Judged]:
    """Return a shard's clicks that are not counted yet."""
    mark = marks.get(shard)
    return [one for one in seen if mark is None or one.sequence > mark.sequence]


def moved(marks: Marks, shard: str, new: Iterable[Judged], now: datetime) -> Marks:
    """Return the marks once these clicks are counted, without those that guard nothing more."""
    hour = int(now.timestamp()) // _SECONDS_PER_HOUR
    oldest = hour - MARK_KEPT // timedelta(hours=1)
    kept = {name: mark for name, mark in marks.items() if mark.hour >= oldest}
    return {**kept, shard: Mark(sequence=max(one.sequence for one in new), hour=hour)}


def recounted(counter_id: CounterId, seen: Iterable[Judged], *, version: int) -> Counter:
    """Return the counter made of all clicks of its day; it takes no more from the stream."""
    return _with(Counter(counter_id=counter_id, sealed=True, version=version), seen)


def _with(counter: Counter, new: Iterable[Judged]) -> Counter:
    bots = [one.is_bot for one in new]
    persons = {one.click.visitor for one in new if one.click.visitor and not one.is_bot}
    return replace(
        counter,
        clicks=counter.clicks + len(bots),
        bots=counter.bots + sum(bots),
        visitors=(counter.visitors | visitors_of(persons)).kept(),
    )


def figures(counters: Iterable[Counter]) -> Figures:
    """Return the figures of counters of one day and programme that share no click.

    A visitor of several counters is one.
    """
    found = tuple(counters)
    visitors = reduce(or_, (one.visitors for one in found), NOBODY)
    return Figures(
        clicks=sum(one.clicks for one in found),
        bots=sum(one.bots for one in found),
        uniques=visitors.number,
        estimated=visitors.estimated,
    )

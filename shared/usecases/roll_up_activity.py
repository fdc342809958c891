"""Count clicks: what the stream brings, and, as the last word, what the table holds."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import TYPE_CHECKING, Final

from shared.domain.activity import (
    Arrival,
    Counter,
    CounterId,
    Judged,
    absorb,
    grouped,
    judge,
    recounted,
)
from shared.domain.clicks import KEPT_FOR, Click
from shared.domain.errors import StaleVersionError, UnavailableError, invalid

if TYPE_CHECKING:
    from shared.ports import ActivityStore

TRIES: Final = 8
"""Only other shards write the same counter, once in a batch each."""

DAY_OVER_AFTER: Final = timedelta(hours=1)
"""A click is stored within seconds of its time; the rest is for clocks that differ."""

IsCrawler = Callable[[str], bool]
ClicksOfDay = Callable[[str, date], Iterable[Click]]


@dataclass(frozen=True, slots=True, kw_only=True)
class RolledUp:
    """What became of a batch: counters written, and the first place that must come again."""

    counters: int
    undone: int | None = None


def roll_up_activity(
    arrivals: Sequence[Arrival],
    shard: str,
    store: "ActivityStore",
    *,
    is_crawler: IsCrawler,
    now: datetime,
) -> RolledUp:
    """Add a shard's clicks to their counters, each click once however often it comes.

    Each counter is written alone. Those after the first that can't be are left for the next
    delivery, which finds the written ones done. All are read at once, maybe a moment old: such a
    counter never says more than is counted, and is not written over a newer one.
    """
    groups = grouped(judge(arrivals, is_crawler))
    written, undone = 0, arrivals[0].sequence if arrivals else None
    try:
        known = store.known(groups)
        for counter_id, seen in groups.items():
            undone = seen[0].sequence
            written += _add(store, known[counter_id], shard, seen, now)
    except UnavailableError:
        return RolledUp(counters=written, undone=undone)
    return RolledUp(counters=written)


def _add(
    store: "ActivityStore", known: Counter, shard: str, seen: Sequence[Judged], now: datetime
) -> bool:
    for _ in range(TRIES):
        counter = absorb(known, shard, seen, now)
        if counter is None:
            return False
        try:
            store.save(counter)
        except StaleVersionError:
            known = store.counter(known.counter_id)
            continue
        return True
    raise UnavailableError("contended")


def recount(
    program_id: str,
    day: date,
    store: "ActivityStore",
    clicks_of_day: ClicksOfDay,
    *,
    is_crawler: IsCrawler,
    now: datetime,
) -> int:
    """Make a programme's counters of a day anew from the clicks; return how many clicks it has.

    The counters are closed by that: a click is in the table before it is in the stream, so what
    the stream still brings of the day is counted already. Running it again changes nothing.

    Raises:
        InvalidFieldsError: the day is not over yet, or its clicks are no longer kept.
        UnavailableError: the store does not answer; run it again.
    """
    end = datetime.combine(day, time(), UTC) + timedelta(days=1)
    if now < end + DAY_OVER_AFTER:
        raise invalid("day", "in_the_future", "a day is recounted from an hour after its end")
    if now >= end - timedelta(days=1) + KEPT_FOR:
        raise invalid("day", "out_of_range", f"clicks are kept for {KEPT_FOR.days} days")
    arrivals = [Arrival(sequence=0, click=click) for click in clicks_of_day(program_id, day)]
    for counter_id, seen in grouped(judge(arrivals, is_crawler)).items():
        _replace(store, counter_id, seen)
    return len(arrivals)


def _replace(store: "ActivityStore", counter_id: CounterId, seen: Sequence[Judged]) -> None:
    for _ in range(TRIES):
        version = store.counter(counter_id).version
        try:
            store.save(recounted(counter_id, seen, version=version))
        except StaleVersionError:
            continue
        return
    raise UnavailableError("contended")

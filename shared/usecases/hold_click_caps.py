"""Close links that have taken their clicks."""

from collections import defaultdict
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Final

from shared.domain.activity import Arrival, judge
from shared.domain.click_caps import tallied
from shared.domain.errors import StaleVersionError, UnavailableError

if TYPE_CHECKING:
    from shared.ports import CapStore

TRIES: Final = 8
"""Only other shards write the same tally, once in a batch each."""


def hold_click_caps(
    arrivals: Sequence[Arrival],
    shard: str,
    store: "CapStore",
    *,
    is_crawler: Callable[[str], bool],
    now: datetime,
) -> int | None:
    """Count a shard's clicks on links with a cap; return the first place that must come again.

    Each click counts once, however often it comes. A link that is at its cap is closed even if
    the batch brings nothing new: an earlier run may have died between counting and closing.
    """
    groups: dict[str, list[Arrival]] = defaultdict(list)
    for arrival in arrivals:
        groups[arrival.click.code].append(arrival)
    undone = arrivals[0].sequence if arrivals else None
    try:
        capped = store.capped(groups)
        for code, group in groups.items():
            undone = group[0].sequence
            if code in capped:
                _hold(code, group, shard, store, is_crawler=is_crawler, now=now)
    except UnavailableError:
        return undone
    return None


def _hold(
    code: str,
    group: Sequence[Arrival],
    shard: str,
    store: "CapStore",
    *,
    is_crawler: Callable[[str], bool],
    now: datetime,
) -> None:
    judged = judge(group, is_crawler)
    for _ in range(TRIES):
        link = store.link(code)
        if link is None or not link.click_cap:
            return
        before = store.tally(link)
        after = tallied(before, shard, judged, now)
        try:
            if after is not before:
                store.save_tally(after)
            if after.clicks >= link.click_cap and not link.cap_reached:
                store.close(link)
        except StaleVersionError:
            continue
        return
    raise UnavailableError("contended")

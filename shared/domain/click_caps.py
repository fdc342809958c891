"""Click caps: a link that has taken its clicks leads nowhere any more.

A cap is soft. Its clicks are counted where all are counted, some moments after they happened, so
that no visitor waits for it and a viral link has no row that everybody writes.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from shared.domain.activity import Judged, Mark, beyond, moved
from shared.domain.links import Link


@dataclass(frozen=True, slots=True, kw_only=True)
class CapTally:
    """Clicks of people on a link ``since`` it has its cap; ``marks`` as in counters."""

    program_id: str
    partner_id: str
    code: str
    since: datetime
    clicks: int = 0
    marks: Mapping[str, Mark] = field(default_factory=dict)
    version: int = 0


def empty_tally(link: Link, since: datetime) -> CapTally:
    """Return the tally of a link whose cap begins at ``since``."""
    return CapTally(
        program_id=link.program_id, partner_id=link.partner_id, code=link.code, since=since
    )


def tallied(tally: CapTally, shard: str, seen: Sequence[Judged], now: datetime) -> CapTally:
    """Return the tally with a shard's clicks, each once; the same one if there is nothing new."""
    new = beyond(tally.marks, shard, seen)
    if not new:
        return tally
    people = sum(not one.is_bot and one.click.clicked_at >= tally.since for one in new)
    return replace(tally, clicks=tally.clicks + people, marks=moved(tally.marks, shard, new, now))

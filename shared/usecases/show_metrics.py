"""What came of a programme's links, day by day."""

from collections import defaultdict
from dataclasses import dataclass
from datetime import date, timedelta
from typing import TYPE_CHECKING, Final

from shared.domain.activity import Counter, Figures, figures

if TYPE_CHECKING:
    from shared.ports import ActivityStore

MAX_DAYS: Final = 92
"""At most a quarter at once."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """Which clicks, from ``first`` to ``last`` (UTC days, both included).

    Without a partner those of the whole programme; a ``code`` needs its partner. None for a
    campaign or an asset means any, an empty text those without one.
    """

    program_id: str
    first: date
    last: date
    partner_id: str = ""
    code: str = ""
    campaign: str | None = None
    asset: str | None = None

    def covers(self, counter: Counter) -> bool:
        """Tell whether the clicks of a counter are wanted."""
        found = counter.counter_id
        return (
            self.code in {"", found.code}
            and self.campaign in {None, found.campaign}
            and self.asset in {None, found.asset}
        )


def show_metrics(store: "ActivityStore", wanted: Wanted) -> list[tuple[date, Figures]]:
    """Return the figures of every day, oldest first; days without a click are there with zeros."""
    by_day: dict[date, list[Counter]] = defaultdict(list)
    for counter in store.counters(wanted.program_id, wanted.partner_id, wanted.first, wanted.last):
        if wanted.covers(counter):
            by_day[counter.counter_id.day].append(counter)
    days = (wanted.last - wanted.first).days + 1
    every = [wanted.first + timedelta(days=number) for number in range(days)]
    return [(day, figures(by_day.get(day, ()))) for day in every]

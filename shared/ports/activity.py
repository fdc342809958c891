"""What counting clicks needs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

# Only for the type checker, so that a function loads no more of the domain than it uses.
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from datetime import date

    from shared.domain.activity import Counter, CounterId
    from shared.domain.click_caps import CapTally
    from shared.domain.links import Link


class ActivityStore(Protocol):
    """The counters."""

    def known(self, counter_ids: Iterable[CounterId]) -> Mapping[CounterId, Counter]:
        """Return counters as they are or were a moment ago; of zeros if not seen yet."""

    def counter(self, counter_id: CounterId) -> Counter:
        """Return a counter as it is now; one of zeros if it was never written."""

    def save(self, counter: Counter) -> None:
        """Write a counter that is still as it was read, or raise ``StaleVersionError``."""

    def counters(
        self, program_id: str, partner_id: str, first: date, last: date
    ) -> Iterator[Counter]:
        """Yield the counters of a partner's links, or of the programme (no partner), by day."""


class CapStore(Protocol):
    """Links with a click cap, and what is counted for them. Every read is consistent."""

    def capped(self, codes: Iterable[str]) -> set[str]:
        """Return the codes among these whose links have a cap."""

    def link(self, code: str) -> Link | None:
        """Return a link."""

    def tally(self, link: Link) -> CapTally:
        """Return what is counted since the link has its cap."""

    def save_tally(self, tally: CapTally) -> None:
        """Write a tally that is still as it was read, or raise ``StaleVersionError``."""

    def close(self, link: Link) -> None:
        """Mark a link as at its cap, or raise ``StaleVersionError`` if the cap is another."""

"""A posting: everything that one money transaction writes."""

from dataclasses import dataclass
from datetime import datetime

from shared.domain.aggregate import Guard
from shared.domain.books import Book, Movement
from shared.domain.events import Event
from shared.domain.rewards import Change
from shared.domain.verdicts import TraceLine


@dataclass(frozen=True, slots=True, kw_only=True)
class Posting:
    """A new version of a referral or partner's file with its rewards, movements and reasons.

    ``guard`` is the row before the posting; the store demands that it is still so and raises its
    version by one. ``books`` pairs each touched book with its successor. All or nothing.
    """

    guard: Guard
    changes: tuple[Change, ...]
    books: tuple[tuple[Book, Book], ...]
    movements: tuple[Movement, ...]
    trace: tuple[TraceLine, ...]
    event: Event
    now: datetime

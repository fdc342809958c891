"""A posting: everything that one money transaction writes."""

from dataclasses import dataclass
from datetime import datetime

from shared.domain.books import Book, Movement
from shared.domain.evaluation import TraceLine
from shared.domain.events import Event
from shared.domain.referrals import Referral
from shared.domain.rewards import Change


@dataclass(frozen=True, slots=True, kw_only=True)
class Posting:
    """A referral's new version with its rewards, movements and reasons, all or nothing.

    ``referral`` is the head before the posting; the store demands that it is still so and raises
    its version by one. ``books`` pairs each touched book with its successor.
    """

    referral: Referral
    changes: tuple[Change, ...]
    books: tuple[tuple[Book, Book], ...]
    movements: tuple[Movement, ...]
    trace: tuple[TraceLine, ...]
    event: Event
    now: datetime

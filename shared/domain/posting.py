"""A posting: everything that one money transaction writes."""

from dataclasses import dataclass
from datetime import datetime

from shared.domain.aggregate import Guard, Settled
from shared.domain.books import Book, Movement
from shared.domain.caps import NeededAllowance
from shared.domain.events import Event
from shared.domain.rewards import Change
from shared.domain.verdicts import TraceLine


@dataclass(frozen=True, slots=True, kw_only=True)
class CapMove:
    """What is taken of a cap once an allowance is decided, and at which version it was read."""

    need: NeededAllowance
    used_minor: int
    version: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Posting:
    """A new version of a referral or partner's file with its rewards, movements and reasons.

    ``guard`` is the row before the posting; the store demands that it is still so and raises its
    version by one. ``books`` pairs each touched book with its successor. ``statuses`` are
    (partner, status) pairs that must still be so. All or nothing.

    Of a partner's file, ``settled`` is how far it is settled then, ``caps`` is what its rewards
    take of caps, and ``gone`` are trace lines that hold no more.
    """

    guard: Guard
    changes: tuple[Change, ...]
    books: tuple[tuple[Book, Book], ...]
    movements: tuple[Movement, ...]
    trace: tuple[TraceLine, ...]
    event: Event
    now: datetime
    statuses: tuple[tuple[str, str], ...] = ()
    settled: Settled | None = None
    caps: tuple[CapMove, ...] = ()
    gone: tuple[TraceLine, ...] = ()

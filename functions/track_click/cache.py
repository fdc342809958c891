"""What one execution environment remembers of the store."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Final, Generic, TypeVar

from shared.domain.errors import UnavailableError

T = TypeVar("T")

MAX_ENTRIES: Final = 1_000


class Cache(Generic[T]):
    """Remembers what ``load`` returned for a key, and that it returned nothing.

    While the store is down an entry serves on after its time, for at most ``stale``.
    """

    def __init__(
        self,
        load: Callable[[str], T | None],
        *,
        fresh: timedelta,
        absent: timedelta,
        stale: timedelta,
    ) -> None:
        """Start empty. ``absent`` is how long a missing thing stays missing."""
        self._load = load
        self._fresh = fresh
        self._absent = absent
        self._stale = stale
        self._entries: dict[str, tuple[datetime, T | None]] = {}

    def get(self, key: str, now: datetime) -> T | None:
        """Return what is remembered, or else what the store holds.

        Raises:
            UnavailableError: the store is down and nothing usable is remembered.
        """
        known = self._entries.get(key)
        if known is not None:
            loaded_at, value = known
            if now - loaded_at < (self._absent if value is None else self._fresh):
                return value
        try:
            value = self._load(key)
        except UnavailableError:
            if known is None or now - known[0] >= self._stale:
                raise
            return known[1]
        # Taken out first, so that the oldest entry is always the first one.
        self._entries.pop(key, None)
        if len(self._entries) >= MAX_ENTRIES:
            del self._entries[next(iter(self._entries))]
        self._entries[key] = (now, value)
        return value

    def recall(self, key: str) -> T | None:
        """Return what was known at some time, however long ago; None if nothing was."""
        return self._entries.get(key, (None, None))[1]

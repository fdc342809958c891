"""What must be so of every change of a row, read from the changes in their order.

The last state can hide it: a row that was written twice looks like one that was written late.
"""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING, Any

from shared import names
from shared.adapters.dynamodb.codec import from_wire
from shared.domain.partners import SUSPENDED
from shared.domain.rewards import MATURE
from tests.harness.cloud import BOOKS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.fakes.dynamodb_streams import Recorded
    from tests.fakes.memory_dynamodb import MemoryDynamo

Row = dict[str, Any]
Kind = tuple[str, str]

_ONCE = {"FACT", "FULFIL", "REPEAT", "MOVE"}
"""Kinds of rows that nobody may write over."""

_NUMBERS = {"META": "version", "STANDING": "version", "CAP": "version", "HEAD": "seq"}
_GUARDS = {"REF": "META", "PTR": "STANDING"}
_GUARDED = {"FACT", "REWARD", "FULFIL"}
_NEVER = (
    "envelope",
    "created_by",
    "created_at",
    "received_at",
    "requested_at",
    "proposed_at",
    "published_at",
    "revoked_at",
)
"""What no row changes as long as it is there."""

_WHOLE = {"EVENT": "envelope", "BODY": "body"}


class _Change:
    """One change, as plain rows; ``kind`` is what the two parts of its key begin with."""

    def __init__(self, recorded: Recorded) -> None:
        self.before: Row = from_wire(recorded.old_image) if recorded.old_image else {}
        self.after: Row = from_wire(recorded.new_image) if recorded.new_image else {}
        self.row = self.after or self.before
        self.in_books = recorded.table == BOOKS
        place = [str(self.row.get(name, "")) for name in (names.PK, names.SK)]
        self.kind: Kind = (place[0].partition("#")[0], place[1].partition("#")[0])
        self.told = f"{recorded.event_name} {' '.join(place)}"

    @property
    def is_effect(self) -> bool:
        """Tell whether it changes more than when a row is looked at."""
        moved = {names.DUE_SK}
        before, after = ({k: v for k, v in row.items() if k not in moved} for row in self.images)
        return before != after

    @property
    def images(self) -> tuple[Row, Row]:
        return self.before, self.after


class History:
    """The changes of a store, by the calls that made them."""

    def __init__(self, store: MemoryDynamo) -> None:
        self._store = store
        self._begun = 0
        self._calls: dict[int, int] = {}
        store.before["*"] = self._begin
        store.after["*"] = self._end

    def _begin(self, *_call: object) -> None:
        self._begun = len(self._store.changes)

    def _end(self, *_call: object) -> None:
        for place in range(self._begun, len(self._store.changes)):
            self._calls[place] = self._begun

    def broken(self, since: int) -> list[str]:
        """Return what the changes after the first ``since`` should not have done."""
        suspended: set[str] = set()
        found: list[str] = []
        numbered = enumerate(map(_Change, self._store.changes))
        for _, calls in groupby(numbered, key=lambda one: self._calls[one[0]]):
            places, together = zip(*calls, strict=True)
            if places[0] >= since:
                found += _broken_together(together)
                for change in together:
                    found += _broken(change)
                    if change.row.get("step") == MATURE and change.row["holder_id"] in suspended:
                        found.append(f"released while suspended: {change.told}")
            for change in together:
                if change.kind == ("PTR", "META"):
                    is_one = change.row.get("status") == SUSPENDED
                    (suspended.add if is_one else suspended.discard)(change.row["partner_id"])
        return found


def _broken(change: _Change) -> Iterator[str]:
    before, after = change.images
    if before and (change.in_books or change.kind[1] in _ONCE):
        yield f"written over: {change.told}"
    kept = [name for name in _NEVER if before.get(name) is not None]
    if after and any(before[name] != after.get(name) for name in kept):
        yield f"became another: {change.told}"
    if "handled_at" in before and after:
        yield f"done already: {change.told}"
    old, new = (_secrets(row) for row in change.images)
    if any(old[key_id] != new[key_id] for key_id in old.keys() & new.keys()):
        yield f"a key became another: {change.told}"
    whole = _WHOLE.get(change.kind[1])
    if whole and not before and whole not in after:
        yield f"an empty row: {change.told}"
    number = _NUMBERS.get(change.kind[1], "")
    moved = {name for name in before.keys() | after.keys() if before.get(name) != after.get(name)}
    is_held = moved == {"cap_reached"}
    if not is_held and number in before and after and after[number] <= before[number]:
        yield f"{number} {before[number]}, then {after[number]}: {change.told}"


def _secrets(row: Row) -> dict[str, bytes]:
    return {key["key_id"]: key["secret"] for key in row.get("keys", ())}


def _broken_together(together: tuple[_Change, ...]) -> Iterator[str]:
    """Effects change with the version of what guards them, and are told in the same call."""
    guards = {(change.row[names.PK], change.kind[1]) for change in together}
    tells = any(change.kind[1] == "EVENT" and not change.before for change in together)
    for change in together:
        guard = _GUARDS.get(change.kind[0])
        if not guard or change.kind[1] not in _GUARDED or not change.is_effect:
            continue
        if (change.row[names.PK], guard) not in guards:
            yield f"without its guard: {change.told}"
        if change.kind[1] == "REWARD" and not tells:
            yield f"told to nobody: {change.told}"

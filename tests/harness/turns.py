"""Two handlers at once, one AWS call at a time, in every order that can make a difference.

Each act runs in a thread of its own and waits before every call for its turn. Orders that differ
only by neighbouring calls which touch nothing in common end alike, so one of them stands for all
(sleep sets, after Godefroid). When even these are too many, a sample is drawn by a seed.
"""

from __future__ import annotations

import random
import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.harness.cloud import Cloud
    from tests.harness.wire import AwsCall

_PATIENCE_SECONDS = 30.0
_READS = frozenset({"GetItem", "Query", "BatchGetItem"})
_DRAWN_TURNS = 200

Turns = tuple[int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Schedule:
    """What was played: who had each turn, and whether it stands for another one."""

    turns: Turns
    redundant: bool = False


# -- playing one schedule ------------------------------------------------------------------------


@dataclass(slots=True)
class _Stage:
    """Who waits with which call, who is done, and whose turn it is (None: nobody's)."""

    waiting: dict[int, AwsCall] = field(default_factory=dict)
    done: set[int] = field(default_factory=set)
    turn: int | None = None
    changed: threading.Condition = field(default_factory=threading.Condition)

    def wait(self, holds: Callable[[], bool]) -> None:
        if not self.changed.wait_for(holds, _PATIENCE_SECONDS):
            raise TimeoutError("a schedule got stuck")


def play(
    cloud: Cloud,
    acts: list[Callable[[Cloud], None]],
    pick: Callable[[dict[int, AwsCall]], int],
) -> None:
    """Run the acts at once; ``pick`` says at each turn which of the pending calls is made."""
    stage = _Stage()
    me = threading.local()

    def on_call(_place: int, call: AwsCall) -> None:
        with stage.changed:
            stage.waiting[me.number] = call
            stage.turn = None if stage.turn == me.number else stage.turn
            stage.changed.notify_all()
            stage.wait(lambda: stage.turn == me.number)
            del stage.waiting[me.number]

    def run(number: int, act: Callable[[Cloud], None]) -> None:
        me.number = number
        try:
            act(cloud)
        finally:
            with stage.changed:
                stage.done.add(number)
                stage.turn = None if stage.turn == number else stage.turn
                stage.changed.notify_all()

    cloud.wire.begin()
    cloud.wire.on_call = on_call
    threads = [threading.Thread(target=run, args=pair, daemon=True) for pair in enumerate(acts)]
    for thread in threads:
        thread.start()
    while True:
        with stage.changed:
            stage.wait(
                lambda: stage.turn is None and len(stage.waiting) + len(stage.done) == len(acts)
            )
            if not stage.waiting:
                break
            stage.turn = pick(stage.waiting)
            stage.changed.notify_all()
    for thread in threads:
        thread.join(_PATIENCE_SECONDS)
    cloud.wire.begin()


# -- which calls touch something in common -------------------------------------------------------


def depend(one: AwsCall, other: AwsCall) -> bool:
    """Tell whether the order of two calls can make a difference."""
    if one.service != other.service or (one.operation in _READS and other.operation in _READS):
        return False
    return any(_meet(mine, yours) for mine in _touched(one) for yours in _touched(other))


def _meet(mine: tuple[str, ...], yours: tuple[str, ...]) -> bool:
    shared = min(len(mine), len(yours))
    return mine[:shared] == yours[:shared]


def _touched(call: AwsCall) -> list[tuple[str, ...]]:
    """Return places as (table, partition, sort key), shorter where a call reaches further."""
    request = call.parameters
    if "TransactItems" in request:
        members = [body for row in request["TransactItems"] for body in row.values()]
        return [_place(body["TableName"], body.get("Key") or body["Item"]) for body in members]
    if "RequestItems" in request:
        return [
            _place(table, key)
            for table, asked in request["RequestItems"].items()
            for key in asked["Keys"]
        ]
    if "TableName" not in request:
        return [()]
    row = request.get("Key") or request.get("Item")
    if row is not None:
        return [_place(request["TableName"], row)]
    if "IndexName" in request:
        return [(request["TableName"],)]
    names = request["ExpressionAttributeNames"]
    token = next(token for token, name in names.items() if name == "pk")
    condition = request["KeyConditionExpression"].split()
    value = condition[condition.index(token) + 2]
    return [(request["TableName"], request["ExpressionAttributeValues"][value]["S"])]


def _place(table: str, row: dict[str, Any]) -> tuple[str, ...]:
    return (table, *(row[name]["S"] for name in ("pk", "sk") if name in row))


# -- walking through all that matter -------------------------------------------------------------


@dataclass(slots=True, kw_only=True)
class _Walk:
    """One run of the walk: a prefix that is given, then whoever is not asleep."""

    prefix: Turns
    asleep: frozenset[int]
    open_ends: list[tuple[Turns, frozenset[int]]]
    turns: list[int] = field(default_factory=list)
    redundant: bool = False

    def pick(self, pending: dict[int, AwsCall]) -> int:
        place = len(self.turns)
        if place < len(self.prefix):
            chosen = self.prefix[place]
        else:
            awake = [number for number in sorted(pending) if number not in self.asleep]
            self.redundant = self.redundant or not awake
            chosen = (awake or sorted(pending))[0]
            if not self.redundant:
                self._branch(awake[1:], chosen, pending)
            self.asleep = _still(self.asleep, pending[chosen], pending)
        self.turns.append(chosen)
        return chosen

    def _branch(self, others: list[int], chosen: int, pending: dict[int, AwsCall]) -> None:
        asleep = self.asleep | {chosen}
        for other in others:
            left = _still(asleep, pending[other], pending)
            self.open_ends.append(((*self.turns, other), left))
            asleep |= {other}


def _still(asleep: frozenset[int], made: AwsCall, pending: dict[int, AwsCall]) -> frozenset[int]:
    """Return who stays asleep after a call: those whose own call does not depend on it."""
    return frozenset(
        number for number in asleep if number in pending and not depend(pending[number], made)
    )


def every_schedule(run: Callable[[Any], None], *, limit: int) -> Iterator[Schedule]:
    """Yield the schedules that matter after playing each; stop before more than ``limit``.

    ``run`` plays once with a ``pick``. The walk is complete if it ends before ``limit``.
    """
    open_ends: list[tuple[Turns, frozenset[int]]] = [((), frozenset())]
    for _ in range(limit):
        if not open_ends:
            return
        prefix, asleep = open_ends.pop()
        walk = _Walk(prefix=prefix, asleep=asleep, open_ends=open_ends)
        run(walk.pick)
        yield Schedule(turns=tuple(walk.turns), redundant=walk.redundant)


def drawn_schedules(run: Callable[[Any], None], *, number: int, seed: int) -> Iterator[Schedule]:
    """Yield so many schedules that a seed draws, after playing each."""
    chance = random.Random(seed)  # noqa: S311 - reproducible on purpose
    for _ in range(number):
        turns: list[int] = []

        def pick(pending: dict[int, AwsCall], turns: list[int] = turns) -> int:
            turns.append(chance.choice(sorted(pending)))
            return turns[-1]

        run(pick)
        yield Schedule(turns=tuple(turns))

"""Two runs at once, in every order of those of their calls that can make a difference."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from tests.fakes.memory_dynamodb import MemoryDynamo

PATIENCE_SECONDS = 30.0


@dataclass(slots=True)
class _Stage:
    """Who waits before a call, who is done, and whose turn it is."""

    waiting: set[int] = field(default_factory=set)
    done: set[int] = field(default_factory=set)
    turn: int | None = None
    changed: threading.Condition = field(default_factory=threading.Condition)

    def wait(self, holds: Callable[[], bool]) -> None:
        assert self.changed.wait_for(holds, PATIENCE_SECONDS), "a schedule got stuck"


def play(
    client: MemoryDynamo,
    acts: Sequence[Callable[[], object]],
    parks: Callable[[dict[str, Any]], bool],
    prefix: Sequence[int],
) -> tuple[list[int], list[bool]]:
    """Runs the acts at once, each waiting for its turn before a call for which ``parks`` holds.

    Turns go as ``prefix`` says, and then to the first who waits. Returns whose each turn was, and
    at which of them there was a choice.
    """
    stage = _Stage()
    me = threading.local()

    def hook(request: dict[str, Any]) -> None:
        if not parks(request):
            return
        with stage.changed:
            stage.waiting.add(me.number)
            if stage.turn == me.number:
                stage.turn = None
            stage.changed.notify_all()
            stage.wait(lambda: stage.turn == me.number)
            stage.waiting.discard(me.number)

    def run(number: int) -> None:
        me.number = number
        try:
            acts[number]()
        finally:
            with stage.changed:
                stage.done.add(number)
                if stage.turn == number:
                    stage.turn = None
                stage.changed.notify_all()

    client.before["*"] = hook
    threads = [threading.Thread(target=run, args=(each,), daemon=True) for each in range(len(acts))]
    for thread in threads:
        thread.start()
    turns: list[int] = []
    choices: list[bool] = []
    while True:
        with stage.changed:
            stage.wait(
                lambda: stage.turn is None and len(stage.waiting) + len(stage.done) == len(acts)
            )
            if not stage.waiting:
                break
            place = len(turns)
            stage.turn = prefix[place] if place < len(prefix) else min(stage.waiting)
            turns.append(stage.turn)
            choices.append(len(stage.waiting) > 1)
            stage.changed.notify_all()
    for thread in threads:
        thread.join(PATIENCE_SECONDS)
    client.before.clear()
    return turns, choices


def every_schedule(
    run: Callable[[Sequence[int]], tuple[list[int], list[bool]]],
) -> Iterator[list[int]]:
    """Yields the turns of every order of two runs, once it was played by ``run``."""
    prefix: list[int] | None = []
    while prefix is not None:
        turns, choices = run(prefix)
        yield turns
        prefix = None
        # Where the first went last and the second could have, it does next.
        for place in reversed(range(len(turns))):
            if choices[place] and turns[place] == 0:
                prefix = [*turns[:place], 1]
                break

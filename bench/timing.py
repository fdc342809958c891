"""Times pieces of work against each other, round by round.

Processor time, not the clock on the wall: other work on the machine disturbs it less. In every
round each piece is run once, in an order that turns, so that a ratio compares neighbours.
"""

import hashlib
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Final

YARDSTICK: Final = "yardstick"
_HASHED: Final = 2_000
_MAX_LOOPS: Final = 1_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Spread:
    """A median between the least and the greatest of several runs."""

    median: float
    least: float
    greatest: float

    @classmethod
    def of(cls, values: Sequence[float]) -> "Spread":
        """Return the spread of values, of which there must be one."""
        return cls(median=median(values), least=min(values), greatest=max(values))


@dataclass(frozen=True, slots=True, kw_only=True)
class Timings:
    """Seconds of processor time per piece of work, by name and round."""

    seconds: Mapping[str, tuple[float, ...]]

    def per_second(self, name: str) -> Spread:
        """Return how often a piece of work is done in a second."""
        return Spread.of([1 / taken for taken in self.seconds[name]])

    def ratio(self, name: str, other: str) -> Spread:
        """Return how much longer than the other it takes, paired by round."""
        pairs = zip(self.seconds[name], self.seconds[other], strict=True)
        return Spread.of([mine / others for mine, others in pairs])


def yardstick() -> str:
    """Do a fixed piece of pure Python, so that figures of two machines can be compared."""
    digest = ""
    for number in range(_HASHED):
        digest = hashlib.sha256(f"{digest}{number}".encode()).hexdigest()
    return digest


def time_all(
    work: Mapping[str, Callable[[], object]], *, rounds: int, least_seconds: float
) -> Timings:
    """Run every piece of work in every round, for at least ``least_seconds`` each."""
    loops = {name: _loops(run, least_seconds) for name, run in work.items()}
    order = list(work)
    taken: dict[str, list[float]] = {name: [] for name in order}
    for _ in range(rounds):
        for name in order:
            taken[name].append(_run(work[name], loops[name]) / loops[name])
        order.append(order.pop(0))
    return Timings(seconds={name: tuple(values) for name, values in taken.items()})


def _loops(run: Callable[[], object], least_seconds: float) -> int:
    loops = 1
    while loops < _MAX_LOOPS:
        taken = _run(run, loops)
        if taken >= least_seconds:
            break
        loops = max(loops * 2, int(loops * least_seconds / max(taken, 1e-6)))
    return min(loops, _MAX_LOOPS)


def _run(run: Callable[[], object], loops: int) -> float:
    begun = time.process_time()
    for _ in range(loops):
        run()
    return time.process_time() - begun

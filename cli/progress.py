"""How far a long command is: a bar on a terminal, plain lines anywhere else."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final, TextIO

_WIDTH: Final = 30
_STEPS: Final = 10
_MINUTE: Final = 60


@dataclass(slots=True, kw_only=True)
class Bar:
    """Tells of ``total`` things how many are done."""

    total: int
    stream: TextIO
    clock: Callable[[], float] = time.monotonic
    _started: float = field(init=False)
    _told: int = field(init=False, default=0)

    def __post_init__(self) -> None:
        """Remember when it began."""
        self._started = self.clock()

    def show(self, done: int, note: str = "") -> None:
        """Tell that ``done`` are done; a plain line only at every tenth of the way."""
        if self.stream.isatty():
            filled = _WIDTH * done // self.total
            bar = "#" * filled + "." * (_WIDTH - filled)
            self.stream.write(f"\r[{bar}] {self._text(done, note)}\033[K")
            if done == self.total:
                self.stream.write("\n")
        else:
            step = done * _STEPS // self.total
            if step == self._told and done < self.total:
                return
            self._told = step
            self.stream.write(self._text(done, note) + "\n")
        self.stream.flush()

    def _text(self, done: int, note: str) -> str:
        left = (self.clock() - self._started) / max(done, 1) * (self.total - done)
        time_left = f", {int(left) // _MINUTE}:{int(left) % _MINUTE:02} left" if left > 1 else ""
        return f"{done} of {self.total}{note}{time_left}"

    def leave(self) -> None:
        """Go to a line of its own, so that what is said next does not overwrite the bar."""
        if self.stream.isatty():
            self.stream.write("\n")
            self.stream.flush()

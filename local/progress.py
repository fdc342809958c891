"""What the commands say while they work."""

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TextIO


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """Lines with the elapsed time in front, flushed at once."""

    stream: TextIO = field(default_factory=lambda: sys.stdout)
    started: float = field(default_factory=time.monotonic)

    def say(self, text: str = "") -> None:
        """Print one line as it is."""
        self.stream.write(text + "\n")
        self.stream.flush()

    def step(self, text: str) -> None:
        """Print one line with the seconds since the start."""
        self.say(f"[{time.monotonic() - self.started:6.1f} s] {text}")

    @contextmanager
    def timed(self, text: str) -> Iterator[None]:
        """Announce a long step and say how long it took."""
        self.step(f"{text} ...")
        begun = time.monotonic()
        yield
        self.step(f"{text}: {time.monotonic() - begun:.1f} s")

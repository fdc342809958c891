"""What the redirect may take, and whether it does."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from bench.redirect.cold import Started
from bench.redirect.warm import CACHED, CLIENT, OURS
from bench.timing import Timings

MAX_WARM_RATIO: Final = 0.40
"""Of a boto3-client handler's processor time, both with the link cached."""
MAX_START_INSTRUCTIONS: Final = 330_000_000
MAX_START_MODULES: Final = 160
_MILLION: Final = 1_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """One budget. Figures are as shown: ratios, millions, or plain numbers."""

    what: str
    limit: float
    found: float

    @property
    def is_met(self) -> bool:
        """Say whether it holds."""
        return self.found <= self.limit

    def line(self) -> str:
        """Return it in one line that begins with PASS or FAIL."""
        word = "PASS" if self.is_met else "FAIL"
        return f"{word} {self.what}: {self.found:,.2f} of {self.limit:,.2f}"


def judged(warm: Timings, cold: Started) -> Iterator[Verdict]:
    """Yield every budget that was measured."""
    yield Verdict(
        what="warm processor time, as a part of the boto3 client handler's, link cached",
        limit=MAX_WARM_RATIO,
        found=warm.ratio(OURS + CACHED, CLIENT + CACHED).median,
    )
    if cold.instructions:
        yield Verdict(
            what="million instructions until ready, runtime client included",
            limit=MAX_START_INSTRUCTIONS / _MILLION,
            found=cold.instructions[OURS] / _MILLION,
        )
    yield Verdict(
        what="modules when ready, runtime client included",
        limit=MAX_START_MODULES,
        found=len(cold.modules),
    )

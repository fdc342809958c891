"""Bills of a month: what is paid at rest, and what gathering clicks does at a given traffic."""

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from bench.cost import prices
from bench.cost.clicks import (
    CALL_CPU_MS,
    LATENCY_MS,
    REDIRECT_CPU_MS,
    REDIRECT_MB,
    REDIRECT_READ_CPU_MS,
    VCPU_MB,
    Profile,
)
from bench.cost.prices import Line
from bench.cost.rows import ROWS

VOLUMES: Final = (Decimal(10_000), prices.MILLION, 100 * prices.MILLION)
"""Clicks a month."""
LINKS: Final = Decimal(20)
"""That are followed alike, of one campaign."""
SHARDS: Final = 4
"""Of the stream at a time: a new table begins with four partitions."""
SHARD_HOURS: Final = 4
"""So long does a shard live, as a rule; its child goes on."""
LANE_SECONDS: Final = Decimal("0.032")
"""An environment's lane takes one click in that time; the others lie anywhere."""
POLL_SECONDS: Final = Decimal("0.25")
"""How often Lambda looks at a shard; as long are clicks gathered if nothing is set."""
GATHERED: Final = (0, 60, 300)
"""Seconds that may be set; more than 300 are not allowed."""
MAX_BATCH: Final = Decimal(1_000)
FRESH_SECONDS: Final = Decimal(45)
IDLE_SECONDS: Final = Decimal(600)
"""After which an environment is gone, and"""
ENVIRONMENT_SECONDS: Final = Decimal(7_200)
"""how long one lives at most. Both are rules of thumb."""

ALARMS: Final = Decimal(7)
MATURITY_MB: Final = Decimal(512)
MATURITY_TRIPS: Final = Decimal(5)
MATURITY_READS: Final = Decimal(2)
_SECONDS: Final = prices.DAYS_PER_MONTH * 86_400
_MINUTES: Final = prices.DAYS_PER_MONTH * 1_440


def at_rest() -> Iterator[Line]:
    """Yield what a month costs in which nothing happens, in the stage ``prod``."""
    cpu = MATURITY_TRIPS * CALL_CPU_MS * VCPU_MB / MATURITY_MB
    seconds = (MATURITY_TRIPS * LATENCY_MS + cpu) / 1_000
    yield Line(
        what="key of the webhook secrets",
        quantity=Decimal(1),
        unit="key",
        price=prices.KMS_KEY_MONTH,
    )
    yield Line(
        what="first management key",
        quantity=Decimal(1),
        unit="secret",
        price=prices.SECRET_MONTH,
    )
    yield Line(what="alarms", quantity=ALARMS, unit="alarm", price=prices.ALARM_MONTH)
    yield Line(
        what="`mature_rewards`, every minute",
        quantity=_MINUTES,
        unit="call",
        price=prices.LAMBDA_REQUEST
        + prices.SCHEDULER_CALL
        + seconds * MATURITY_MB / 1_024 * prices.LAMBDA_GB_SECOND
        + MATURITY_READS * prices.READ_UNIT,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Traffic:
    """So many clicks a month on so many links, at random, and so many seconds of gathering.

    They are shared alike by ``environments`` of the redirect: as many as there are calls at once
    within ten minutes, if nothing else is said.
    """

    clicks: Decimal
    gather_seconds: Decimal
    links: Decimal = LINKS
    environments: int = 0

    def profile(self) -> Profile:
        """Return how clicks come then, by the chances of a Poisson process."""
        rate = self.clicks / _SECONDS
        batches = self._batches(rate)
        number = sum((each for each, _ in batches), Decimal())
        links = sum((each * links for each, links in batches), Decimal()) / number
        on_a_day = max(self.clicks / prices.DAYS_PER_MONTH / self.links, Decimal(1))
        sizes = [_sizes_over_a_day(clicks) for clicks in (on_a_day, on_a_day * self.links)]
        return Profile(
            name=f"{self.clicks:,} clicks, {self.gather_seconds} s",
            says="at random",
            hits=self._hits(rate),
            cold=(-rate * IDLE_SECONDS).exp() + 1 / (1 + rate * ENVIRONMENT_SECONDS),
            batch=rate / number,
            links=links,
            programmes=Decimal(1),
            writes=_mean([ROWS.write_units(size) for size in sizes[0]]) * links / (links + 1)
            + _mean([ROWS.write_units(size) for size in sizes[1]]) / (links + 1),
            reads=_mean([ROWS.read_units(size) for size in sizes[0]]) * links / (links + 1)
            + _mean([ROWS.read_units(size) for size in sizes[1]]) / (links + 1),
            on_a_day=on_a_day,
        )

    def lanes(self) -> int:
        """Return the number of environments."""
        rate = self.clicks / _SECONDS
        at_once = rate * self._call_ms(rate) / 1_000
        number, part = 1, (-at_once).exp()
        more = 1 - part
        while rate * IDLE_SECONDS * more >= 1:
            part = part * at_once / number
            more -= part
            number += 1
        return self.environments or number

    def _hits(self, rate: Decimal) -> Decimal:
        return 1 - 1 / (1 + rate / self.links * FRESH_SECONDS)

    def _call_ms(self, rate: Decimal) -> Decimal:
        misses = 1 - self._hits(rate)
        cpu = (REDIRECT_CPU_MS + misses * REDIRECT_READ_CPU_MS) * VCPU_MB / REDIRECT_MB
        return cpu + (1 + misses) * LATENCY_MS

    def _batches(self, rate: Decimal) -> list[tuple[Decimal, Decimal]]:
        """Return of each shard how many batches it has in a second, and of how many links each."""
        lanes = self.lanes()
        anywhere = 1 - (-rate / lanes * LANE_SECONDS).exp()
        seconds = max(self.gather_seconds, POLL_SECONDS)
        found = []
        for shard in range(SHARDS):
            own = Decimal(len(range(shard, lanes, SHARDS))) / lanes
            expected = seconds * rate * ((1 - anywhere) * own + anywhere / SHARDS)
            size = min(expected, MAX_BATCH)
            batch = _together(size)
            found.append((expected / seconds / batch, batch / _together(size / self.links)))
        return found


def _sizes_over_a_day(clicks: Decimal) -> list[int]:
    """Return how large a counter is at ten moments of a day with so many clicks, two a visitor."""
    sizes = []
    for moment in range(10):
        so_far = int(clicks * (2 * moment + 1) / 20)
        shards = min(SHARDS * (1 + moment * 24 // 10 // SHARD_HOURS), so_far)
        sizes.append(ROWS.counter(visitors=so_far // 2, shards=shards))
    return sizes


def _mean(values: list[Decimal]) -> Decimal:
    return sum(values, Decimal()) / len(values)


def _together(expected: Decimal) -> Decimal:
    """Return how many come together where any come at all, if so many are expected."""
    return expected / (1 - (-expected).exp()) if expected else Decimal(1)

"""The bill of a click: what a redirect takes, and what counting it takes."""

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import ROUND_CEILING, Decimal
from typing import Final

from bench.cost import prices
from bench.cost.prices import Line
from bench.cost.rows import ROWS

BUDGET: Final = Decimal("2.50")
"""Dollars per million clicks, all in."""

# Assumptions about Lambda and DynamoDB, not tried on AWS.
VCPU_MB: Final = Decimal(1769)
"""Memory that comes with one processor."""
LATENCY_MS: Final = Decimal(5)
"""Of one round trip to DynamoDB."""

REDIRECT_MB: Final = Decimal(512)
REDIRECT_CPU_MS: Final = Decimal("0.6")
"""Measured by ``python -m bench.redirect``, link cached, and rounded up."""
REDIRECT_READ_CPU_MS: Final = Decimal("0.2")
"""More, if the link is read; measured in the same way."""
REDIRECT_INIT_MS: Final = Decimal(400)
"""Billed with each cold start. Assumed: some four times what it takes on the machine measured."""

ROLL_UP_MB: Final = Decimal(1024)
ROLL_UP_OWN_MS: Final = Decimal(3)
"""Processor time of one batch besides what follows."""
ROLL_UP_CLICK_MS: Final = Decimal("0.2")
"""Of one click: most of it is the look at a user agent that was not seen before."""
CALL_CPU_MS: Final = Decimal("1.2")
"""Of one call by boto3, measured by ``python -m bench.redirect``."""
READ_TOGETHER: Final = Decimal(100)
"""Rows that one call reads at most."""
ACCESS_LINE: Final = '{"id":"JKJaXmPLvHcESHA=","route":"GET /{code}","status":"302","ms":"12"}'
CLICK_DAYS: Final = Decimal(92)
"""90 until a row may go, and up to two until it is gone."""
COUNTER_DAYS: Final = Decimal(400)


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """How clicks come.

    ``hits`` is the part of clicks whose link the environment remembers, ``cold`` the part that
    starts an environment. A batch of the roll-up brings ``batch`` clicks of ``links`` links and
    writes a counter for each of these and ``programmes`` more. A counter's row takes ``writes``
    and ``reads`` units, and ``on_a_day`` clicks go into one link's in a day.
    """

    name: str
    says: str
    hits: Decimal
    cold: Decimal
    batch: Decimal
    links: Decimal
    programmes: Decimal
    writes: Decimal
    reads: Decimal
    on_a_day: Decimal


SPARSE: Final = Profile(
    name="sparse",
    says="no click comes with another one: many links, hardly followed",
    hits=Decimal(0),
    cold=Decimal("0.1"),
    batch=Decimal(1),
    links=Decimal(1),
    programmes=Decimal(1),
    writes=ROWS.counter_writes(visitors=1, shards=1),
    reads=ROWS.counter_reads(visitors=1, shards=1),
    on_a_day=Decimal(3),
)
BUNDLED: Final = Profile(
    name="bundled",
    says="a batch brings 100 clicks, ten of each of ten links, in ten campaigns",
    hits=Decimal("0.9"),
    cold=Decimal("0.01"),
    batch=Decimal(100),
    links=Decimal(10),
    programmes=Decimal(10),
    writes=ROWS.counter_writes(visitors=100, shards=4),
    reads=ROWS.counter_reads(visitors=100, shards=4),
    on_a_day=Decimal(100),
)
VIRAL: Final = Profile(
    name="viral",
    says="one link, batches of 1,000 clicks, counters as large as they get",
    hits=Decimal("0.999"),
    cold=Decimal("0.001"),
    batch=Decimal(1_000),
    links=Decimal(1),
    programmes=Decimal(1),
    writes=ROWS.counter_writes(visitors=512, shards=24),
    reads=ROWS.counter_reads(visitors=512, shards=24),
    on_a_day=Decimal(100_000),
)
PROFILES: Final = (SPARSE, BUNDLED, VIRAL)


def bill(profile: Profile) -> list[Line]:
    """Return what one click costs."""
    return [*redirect(profile), *counting(profile)]


def redirect(profile: Profile) -> Iterator[Line]:
    """Yield what sending a visitor on costs, and keeping the click."""
    misses = 1 - profile.hits
    yield Line(what="HTTP API", quantity=Decimal(1), unit="request", price=prices.HTTP_API)
    yield Line(
        what="`track_click`, calls", quantity=Decimal(1), unit="call", price=prices.LAMBDA_REQUEST
    )
    yield Line(
        what="`track_click`, time",
        quantity=_gb_seconds(redirect_ms(profile), REDIRECT_MB),
        unit="GB-second",
        price=prices.LAMBDA_GB_SECOND,
    )
    yield Line(
        what="click rows",
        quantity=ROWS.write_units(ROWS.click),
        unit="write unit",
        price=prices.WRITE_UNIT,
    )
    yield Line(
        what="reads of links and keys",
        # A read without consistency takes half a unit; a start reads the keys.
        quantity=(misses + profile.cold) / 2,
        unit="read unit",
        price=prices.READ_UNIT,
    )
    yield Line(
        what="click rows, kept until their time is over",
        quantity=_gb_months(ROWS.click + prices.TABLE_ROW_OVERHEAD, CLICK_DAYS),
        unit="GB-month",
        price=prices.TABLE_GB_MONTH,
    )
    yield Line(
        what="access log",
        quantity=_gb(len(ACCESS_LINE) + prices.LOG_LINE_OVERHEAD),
        unit="GB",
        price=prices.LOGS_GB,
    )
    yield Line(what="answers", quantity=_gb(ROWS.answer), unit="GB", price=prices.EGRESS_GB)


def redirect_ms(profile: Profile) -> Decimal:
    """Return what a call is billed for on average, its part of cold starts included."""
    misses = 1 - profile.hits
    cpu = (REDIRECT_CPU_MS + misses * REDIRECT_READ_CPU_MS) * VCPU_MB / REDIRECT_MB
    return cpu + (1 + misses) * LATENCY_MS + profile.cold * REDIRECT_INIT_MS


def counting(profile: Profile) -> Iterator[Line]:
    """Yield what adding a click to its counters costs. Reading the stream is free for Lambda."""
    batches = 1 / profile.batch
    counters = (profile.links + profile.programmes) * batches
    yield Line(
        what="`roll_up_activity`, calls",
        quantity=batches,
        unit="call",
        price=prices.LAMBDA_REQUEST,
    )
    yield Line(
        what="`roll_up_activity`, time",
        quantity=_gb_seconds(roll_up_ms(profile) * batches, ROLL_UP_MB),
        unit="GB-second",
        price=prices.LAMBDA_GB_SECOND,
    )
    yield Line(
        what="reads of counters, and of links for their caps",
        # Counters are read without consistency: their version decides when they are written.
        quantity=counters * profile.reads / 2 + profile.links * batches,
        unit="read unit",
        price=prices.READ_UNIT,
    )
    yield Line(
        what="writes of counters",
        quantity=counters * profile.writes,
        unit="write unit",
        price=prices.WRITE_UNIT,
    )
    yield Line(
        what=f"counters of links, kept for {COUNTER_DAYS} days with recovery",
        quantity=_gb_months(_counter_bytes(profile) + prices.TABLE_ROW_OVERHEAD, COUNTER_DAYS)
        / profile.on_a_day,
        unit="GB-month",
        price=prices.TABLE_GB_MONTH + prices.RECOVERY_GB_MONTH,
    )


def roll_up_ms(profile: Profile) -> Decimal:
    """Return what one batch is billed for: counters and links are read together, written alone."""
    counters = profile.links + profile.programmes
    reads = sum(_calls(rows / READ_TOGETHER) for rows in (counters, profile.links))
    trips = counters + reads
    cpu = ROLL_UP_OWN_MS + trips * CALL_CPU_MS + profile.batch * ROLL_UP_CLICK_MS
    return trips * LATENCY_MS + cpu * VCPU_MB / ROLL_UP_MB


def _counter_bytes(profile: Profile) -> int:
    return ROWS.counter(visitors=int(profile.on_a_day), shards=4 if profile.on_a_day > 1 else 1)


def _calls(number: Decimal) -> Decimal:
    return number.to_integral_value(ROUND_CEILING)


def _gb_seconds(milliseconds: Decimal, megabytes: Decimal) -> Decimal:
    return milliseconds / 1_000 * megabytes / 1_024


def _gb(size: int) -> Decimal:
    return Decimal(size) / prices.GIB


def _gb_months(size: int, days: Decimal) -> Decimal:
    return _gb(size) * days / prices.DAYS_PER_MONTH

"""On paper: redirects answered at the edge of a content network. Nothing of it is built."""

from collections.abc import Iterator
from decimal import Decimal
from typing import Final

from bench.cost import prices
from bench.cost.clicks import CLICK_DAYS
from bench.cost.prices import Line
from bench.cost.rows import ROWS

LOG_BYTES: Final = Decimal(400)
"""Of a line with the fields that counting needs."""
BATCHED_MS: Final = Decimal("0.5")
"""Of a gigabyte of memory, for each line that a counting job reads."""
EDGE_MS: Final = Decimal(15)
EDGE_GB: Final = Decimal("0.125")
ORIGIN_PART: Final = Decimal("0.02")
"""Of clicks whose link the edge does not hold."""
KEPT_LOG_MONTHS: Final = Decimal(3)
STORE_BYTES: Final = 5 * 1024 * 1024
"""That a key value store of the edge holds."""
LINK_BYTES: Final = 400


def links_held() -> int:
    """Return how many links fit into one store."""
    return STORE_BYTES // LINK_BYTES


def with_functions() -> Iterator[Line]:
    """Yield a click's costs with CloudFront Functions and their store; counted from logs."""
    yield Line(what="CDN, HTTPS", quantity=Decimal(1), unit="request", price=prices.CDN_REQUEST)
    yield Line(
        what="function at the edge", quantity=Decimal(1), unit="call", price=prices.CDN_FUNCTION
    )
    yield Line(
        what="reads of its store", quantity=Decimal(1), unit="read", price=prices.CDN_VALUE_READ
    )
    yield _answers()
    yield from _counted_from_logs()


def with_lambda() -> Iterator[Line]:
    """Yield a click's costs with Lambda@Edge and a replicated table; counted from logs."""
    yield Line(what="CDN, HTTPS", quantity=Decimal(1), unit="request", price=prices.CDN_REQUEST)
    yield Line(
        what="Lambda@Edge, calls",
        quantity=Decimal(1),
        unit="call",
        price=prices.EDGE_LAMBDA_REQUEST,
    )
    yield Line(
        what="Lambda@Edge, time",
        quantity=EDGE_MS / 1_000 * EDGE_GB,
        unit="GB-second",
        price=prices.EDGE_LAMBDA_GB_SECOND,
    )
    yield Line(
        what="reads of links, one in ten",
        quantity=Decimal("0.05"),
        unit="read unit",
        price=prices.READ_UNIT,
    )
    yield _answers()
    yield from _counted_from_logs()


def exactly() -> Iterator[Line]:
    """Yield what comes on top if each log line becomes a click's row as today."""
    yield Line(
        what="click rows",
        quantity=ROWS.write_units(ROWS.click),
        unit="write unit",
        price=prices.WRITE_UNIT,
    )
    size = Decimal(ROWS.click + prices.TABLE_ROW_OVERHEAD)
    yield Line(
        what="click rows, kept until their time is over",
        quantity=size / prices.GIB * CLICK_DAYS / prices.DAYS_PER_MONTH,
        unit="GB-month",
        price=prices.TABLE_GB_MONTH,
    )


def _answers() -> Line:
    return Line(
        what="answers",
        quantity=Decimal(ROWS.answer) / prices.GIB,
        unit="GB",
        price=prices.CDN_EGRESS_GB,
    )


def _counted_from_logs() -> Iterator[Line]:
    size = LOG_BYTES / prices.GIB
    yield Line(
        what="real-time log, lines", quantity=Decimal(1), unit="line", price=prices.CDN_LOG_LINE
    )
    yield Line(
        what="real-time log, through a stream",
        quantity=2 * size,
        unit="GB",
        price=prices.STREAM_GB,
    )
    yield Line(
        what="counting job",
        quantity=BATCHED_MS / 1_000,
        unit="GB-second",
        price=prices.LAMBDA_GB_SECOND,
    )
    yield Line(
        what="log kept as files",
        quantity=size * KEPT_LOG_MONTHS,
        unit="GB-month",
        price=prices.OBJECT_GB_MONTH,
    )

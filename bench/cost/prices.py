"""List prices and the lines of a bill.

us-east-1, on demand, arm64, US dollars, first tier, without the free tier and without taxes. Looked
up on 2026-11-22 in public copies of the price pages from May 2025 to June 2026, not on the live
pages: check them before relying on a figure.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

MILLION: Final = Decimal(1_000_000)
GIB: Final = Decimal(2**30)
DAYS_PER_MONTH: Final = Decimal("30.4")

HTTP_API: Final = Decimal("1.00") / MILLION
"""A request, metered in 512 KB."""
LAMBDA_REQUEST: Final = Decimal("0.20") / MILLION
LAMBDA_GB_SECOND: Final = Decimal("0.0000133334")
WRITE_UNIT: Final = Decimal("0.625") / MILLION
READ_UNIT: Final = Decimal("0.125") / MILLION
TABLE_GB_MONTH: Final = Decimal("0.25")
RECOVERY_GB_MONTH: Final = Decimal("0.20")
"""Point-in-time recovery."""
LOGS_GB: Final = Decimal("0.50")
EGRESS_GB: Final = Decimal("0.09")
BUS_EVENT: Final = Decimal("1.00") / MILLION
QUEUE_REQUEST: Final = Decimal("0.40") / MILLION
SCHEDULER_CALL: Final = Decimal("1.00") / MILLION
KMS_KEY_MONTH: Final = Decimal("1.00")
SECRET_MONTH: Final = Decimal("0.40")
ALARM_MONTH: Final = Decimal("0.10")

CDN_REQUEST: Final = Decimal("1.00") / MILLION
"""HTTPS, North America and Europe."""
CDN_FUNCTION: Final = Decimal("0.10") / MILLION
CDN_VALUE_READ: Final = Decimal("0.03") / MILLION
CDN_EGRESS_GB: Final = Decimal("0.085")
CDN_LOG_LINE: Final = Decimal("0.01") / MILLION
EDGE_LAMBDA_REQUEST: Final = Decimal("0.60") / MILLION
EDGE_LAMBDA_GB_SECOND: Final = Decimal("0.00005001")
STREAM_GB: Final = Decimal("0.08")
"""Kinesis on demand, in and out about alike."""
OBJECT_GB_MONTH: Final = Decimal("0.023")

TABLE_ROW_OVERHEAD: Final = 100
"""Bytes that the service adds to each row that it stores."""
LOG_LINE_OVERHEAD: Final = 26


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One line of a bill. ``quantity`` is per click, referral or whatever the bill is for."""

    what: str
    quantity: Decimal
    unit: str
    price: Decimal

    @property
    def dollars(self) -> Decimal:
        """What it comes to."""
        return self.quantity * self.price


def total(lines: Iterable[Line]) -> Decimal:
    """Return what lines come to together."""
    return sum((line.dollars for line in lines), Decimal())

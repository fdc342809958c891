"""The one place that reads the clock."""

from datetime import UTC, datetime


def utc_now() -> datetime:
    """Return the present moment, aware and in UTC."""
    return datetime.now(UTC)

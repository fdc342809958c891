"""Calendar periods in a programme's time zone, half-open, and months after a moment."""

import calendar
from datetime import datetime
from functools import cache
from zoneinfo import ZoneInfo

from shared.domain import terms

_MONTHS_IN_YEAR = 12


@cache
def _zone(name: str) -> ZoneInfo:
    return ZoneInfo(name)


def period_key(period: str, moment: datetime, time_zone: str) -> str:
    """Name the period of a moment: ``2026``, ``2026-Q1``, ``2026-01`` or ``lifetime``."""
    local = moment.astimezone(_zone(time_zone))
    match period:
        case terms.YEAR:
            return f"{local.year:04d}"
        case terms.QUARTER:
            return f"{local.year:04d}-Q{(local.month + 2) // 3}"
        case terms.MONTH:
            return f"{local.year:04d}-{local.month:02d}"
        case _:
            return terms.LIFETIME


def months_after(moment: datetime, months: int) -> datetime:
    """Return the same day and time some months later, or the month's last day if it is shorter."""
    place = moment.month - 1 + months
    year, month = moment.year + place // _MONTHS_IN_YEAR, place % _MONTHS_IN_YEAR + 1
    day = min(moment.day, calendar.monthrange(year, month)[1])
    return moment.replace(year=year, month=month, day=day)

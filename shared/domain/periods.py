"""Calendar periods in a programme's time zone, half-open, and months after a moment."""

import calendar
from datetime import MAXYEAR, MINYEAR, datetime, timedelta
from functools import cache
from zoneinfo import ZoneInfo

from shared.domain import terms

_MONTHS_IN_YEAR = 12
_DIGITS_OF_YEAR = 4
_QUARTERS = {"": 12, "1": 3, "2": 6, "3": 9, "4": 12}
"""Quarter -> months from the beginning of the year to its end; a whole year has no quarter."""


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


def last_moment(key: str, time_zone: str) -> datetime | None:
    """Return the last moment of a year or quarter that ``period_key`` named; else None."""
    year, _, quarter = key.partition("-Q")
    if not (year.isdecimal() and len(year) == _DIGITS_OF_YEAR and quarter in _QUARTERS):
        return None
    months = _QUARTERS[quarter]
    if not MINYEAR <= int(year) < MAXYEAR:
        return None
    first = datetime(int(year), 1, 1, tzinfo=_zone(time_zone))
    return months_after(first, months) - timedelta(microseconds=1)


def months_after(moment: datetime, months: int) -> datetime:
    """Return the same day and time some months later, or the month's last day if it is shorter."""
    place = moment.month - 1 + months
    year, month = moment.year + place // _MONTHS_IN_YEAR, place % _MONTHS_IN_YEAR + 1
    day = min(moment.day, calendar.monthrange(year, month)[1])
    return moment.replace(year=year, month=month, day=day)

"""Dated exchange rates of a programme: append-only, into the ledger currency."""

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Final

from shared.domain.errors import FieldError, InvalidFieldsError
from shared.domain.money import is_currency, parse_decimal

EARLIEST: Final = date(2000, 1, 1)
_AHEAD: Final = timedelta(days=1)
"""Where a rate is entered it may be tomorrow already; further ahead nobody knows it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FxRate:
    """One unit of ``currency`` is worth ``rate`` units of ``ledger_currency`` from ``on`` on."""

    program_id: str
    currency: str
    ledger_currency: str
    rate: str
    on: date
    added_by: str
    added_at: datetime


def check_rate(rate: FxRate, program_currency: str, today: date) -> None:
    """Demand a rate between two currencies, into the programme's own.

    Raises:
        InvalidFieldsError: naming every wrong field as it is called outside.
    """
    errors = []

    def fail(path: str, code: str, message: str) -> None:
        errors.append(FieldError(path=path, code=code, message=message))

    if not is_currency(rate.currency):
        fail("from", "not_allowed", "must be an ISO 4217 code")
    elif rate.currency == program_currency:
        fail("from", "not_allowed", "must be another currency than the programme's")
    if rate.ledger_currency != program_currency:
        fail("to", "not_allowed", f"must be the programme's currency {program_currency}")
    value = parse_decimal(rate.rate)
    if value is None or value <= Decimal(0):
        fail("rate", "not_a_rate", 'must be a decimal string above 0 such as "1.0845"')
    if not EARLIEST <= rate.on <= today + _AHEAD:
        fail("on", "out_of_range", "must be a day of this century up to today")
    if errors:
        raise InvalidFieldsError(errors)

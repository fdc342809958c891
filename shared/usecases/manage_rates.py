"""Add dated exchange rates to a programme."""

from dataclasses import replace

from shared.domain.errors import NotFoundError
from shared.domain.fx_rates import FxRate, check_rate
from shared.ports import ProgramStore, RateStore


def add_rate(rates: RateStore, programs: ProgramStore, wanted: FxRate, *, mark: str) -> FxRate:
    """Store a rate for a day that has none yet; what is stored is never overwritten.

    Raises:
        NotFoundError: no such programme.
        InvalidFieldsError: naming every wrong field.
        ConflictError: ``rate_exists``.
    """
    program = programs.program(wanted.program_id)
    if program is None:
        raise NotFoundError
    check_rate(wanted, program.currency, wanted.added_at.date())
    return rates.add_rate(replace(wanted, rate=_shortest(wanted.rate)), mark=mark)


def _shortest(rate: str) -> str:
    """Write a decimal without superfluous zeros, and without rounding."""
    whole, _, part = rate.partition(".")
    whole, part = whole.lstrip("0") or "0", part.rstrip("0")
    return f"{whole}.{part}" if part else whole

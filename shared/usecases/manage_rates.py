"""Add dated exchange rates to a programme."""

from dataclasses import replace

from shared.domain.errors import NotFoundError
from shared.domain.events import FACTS_CHANGED, Event
from shared.domain.fx_rates import FxRate, check_rate
from shared.ports import ProgramStore, RateStore


def add_rate(
    rates: RateStore,
    programs: ProgramStore,
    wanted: FxRate,
    *,
    mark: str,
    event_id: str,
    correlation_id: str,
) -> FxRate:
    """Store a rate for a day that has none yet; what is stored is never overwritten.

    The event is for the referrals that wait for a rate of this currency.

    Raises:
        NotFoundError: no such programme.
        InvalidFieldsError: naming every wrong field.
        ConflictError: ``rate_exists``.
    """
    program = programs.program(wanted.program_id)
    if program is None:
        raise NotFoundError
    check_rate(wanted, program.currency, wanted.added_at.date())
    event = Event(
        event_id=event_id,
        name=FACTS_CHANGED,
        occurred_at=wanted.added_at,
        program_id=wanted.program_id,
        aggregate_type="rate",
        aggregate_id=wanted.currency,
        aggregate_version=0,
        correlation_id=correlation_id,
        causation_id=correlation_id,
        hops=0,
        data={"on": wanted.on.isoformat(), "kinds": []},
    )
    return rates.add_rate(replace(wanted, rate=_shortest(wanted.rate)), event, mark=mark)


def _shortest(rate: str) -> str:
    """Write a decimal without superfluous zeros, and without rounding."""
    whole, _, part = rate.partition(".")
    whole, part = whole.lstrip("0") or "0", part.rstrip("0")
    return f"{whole}.{part}" if part else whole

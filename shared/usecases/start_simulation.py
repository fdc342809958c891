"""Start a simulation of draft terms over stored history."""

import json
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Final

from shared.domain.errors import FieldError, InvalidFieldsError, NotFoundError, invalid
from shared.domain.jobs import SIMULATION, Job
from shared.domain.partner_rules import has_partner_rules
from shared.domain.programs import Program
from shared.domain.terms_reader import parse_terms
from shared.ports import JobStore, NewId
from shared.usecases.control_jobs import request_job

MAX_PERIOD: Final = timedelta(days=3_660)
"""A report has a line for each rule and month of the period."""


def start_simulation(
    store: JobStore,
    program_id: str,
    definition: Mapping[str, object],
    *,
    since: datetime,
    until: datetime,
    actor: str,
    now: datetime,
    new_id: NewId,
    mark: str,
    correlation_id: str,
) -> Job:
    """Store a job that finds what a definition would have cost from ``since`` to ``until``.

    Raises:
        NotFoundError: no such programme.
        InvalidFieldsError: naming every mistake of the definition, or of the period.
    """
    program = store.program(program_id)
    if program is None:
        raise NotFoundError
    if since >= until:
        raise invalid("to", "not_ascending", "must be later than from")
    if until - since > MAX_PERIOD:
        raise invalid("to", "too_long", f"at most {MAX_PERIOD.days:,} days after from")
    try:
        parse_terms(definition, currency=program.currency, time_zone=program.time_zone)
    except InvalidFieldsError as error:
        raise InvalidFieldsError(_inside(each) for each in error.errors) from None
    settings = {
        "definition": json.dumps(definition, separators=(",", ":")),
        "from": since.isoformat(),
        "to": until.isoformat(),
        "currency": program.currency,
        "time_zone": program.time_zone,
        "successes": _paid_for_successes(store, program),
    }
    return request_job(
        store,
        SIMULATION,
        new_id("sim"),
        program_id,
        settings,
        actor=actor,
        now=now,
        event_id=new_id("evt"),
        mark=mark,
        correlation_id=correlation_id,
    )


def _paid_for_successes(store: JobStore, program: Program) -> bool:
    """Tell whether any published terms ever gave a partner something beside single referrals."""
    for version in range(program.terms_version, 0, -1):
        published = store.terms(program.program_id, version)
        if published is None:
            continue
        terms = parse_terms(
            published.definition, currency=program.currency, time_zone=program.time_zone
        )
        if has_partner_rules(terms):
            return True
    return False


def _inside(error: FieldError) -> FieldError:
    path = f"definition.{error.path}" if error.path else "definition"
    return FieldError(path=path, code=error.code, message=error.message)

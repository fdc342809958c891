"""Start a simulation of draft terms over stored history."""

import json
from collections.abc import Mapping
from datetime import datetime

from shared.domain.errors import FieldError, InvalidFieldsError, NotFoundError, invalid
from shared.domain.jobs import PLAN, SIMULATION, Job, Step
from shared.domain.terms_reader import parse_terms
from shared.ports import JobStore, NewId
from shared.usecases.run_job import step_event


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
    }
    job = Job(
        job_id=new_id("sim"),
        program_id=program_id,
        kind=SIMULATION,
        settings=settings,
        requested_by=actor,
        requested_at=now,
        updated_at=now,
        mark=mark,
    )
    event = step_event(
        job,
        Step(job_id=job.job_id, name=PLAN, number=job.version),
        now=now,
        event_id=new_id("evt"),
        correlation_id=correlation_id,
        causation_id=correlation_id,
    )
    return store.add_job(job, event)


def _inside(error: FieldError) -> FieldError:
    path = f"definition.{error.path}" if error.path else "definition"
    return FieldError(path=path, code=error.code, message=error.message)

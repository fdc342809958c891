"""Ask for a job, stop it, note that it failed, and let it go on."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime
from typing import Final

from shared.domain.errors import ConflictError, GoodwordError, StaleVersionError
from shared.domain.events import MIGRATION_REQUESTED, SIMULATION_REQUESTED, Event
from shared.domain.jobs import (
    BROKEN,
    CANCELLED,
    DONE,
    FAILED,
    PLAN,
    RUNNING,
    SIMULATION,
    STALLED,
    STATE_OF,
    WORK,
    Job,
    Step,
)
from shared.ports import JobStore, NewId

TRIES: Final = 5


def request_job(
    store: JobStore,
    kind: str,
    job_id: str,
    program_id: str,
    settings: Mapping[str, object],
    *,
    actor: str,
    now: datetime,
    event_id: str,
    mark: str,
    correlation_id: str,
) -> Job:
    """Store a job with the event that asks for its first step, and return the job as stored."""
    job = Job(
        job_id=job_id,
        program_id=program_id,
        kind=kind,
        settings=dict(settings),
        requested_by=actor,
        requested_at=now,
        updated_at=now,
        mark=mark,
    )
    event = step_event(
        job,
        Step(job_id=job_id, name=PLAN, number=job.version),
        now=now,
        event_id=event_id,
        correlation_id=correlation_id,
        causation_id=correlation_id,
    )
    return store.add_job(job, event)


def fail_job(store: JobStore, step: Step, error: Exception, *, now: datetime) -> bool:
    """Note that a step failed for the last time; return False if it does not hold up its job.

    Raises:
        StaleVersionError: others kept writing first.
        UnavailableError: when the store does not answer; the job will be seen to have stalled.
    """
    reason = error.code if isinstance(error, GoodwordError) else BROKEN

    def failed(job: Job) -> Job | None:
        if job.state != STATE_OF[step.name] or not _is_open(store, job, step):
            return None
        return replace(job, state=FAILED, failed_step=step.name, failed_for=reason)

    job = store.job(step.job_id)
    return job is not None and _moved(store, job, failed, now=now) is not None


def _is_open(store: JobStore, job: Job, step: Step) -> bool:
    """Tell whether the job waits for this very step: what is done can't hold it up."""
    if step.name != WORK:
        return step.number == job.version
    chunk = store.chunk(step.job_id, step.number)
    return chunk is not None and not chunk.run_id


def cancel_job(store: JobStore, job: Job, *, now: datetime) -> Job:
    """Stop a job for good. What a migration moved stays moved.

    Raises:
        ConflictError: ``job_over`` when it is done.
        StaleVersionError: others kept writing first.
    """

    def cancelled(job: Job) -> Job | None:
        if job.state == DONE:
            raise ConflictError("job_over", "the job is done")
        return None if job.state == CANCELLED else replace(job, state=CANCELLED)

    return _moved(store, job, cancelled, now=now) or job


def resume_job(
    store: JobStore,
    job: Job,
    *,
    lanes: int,
    now: datetime,
    new_id: NewId,
    correlation_id: str,
) -> Job:
    """Let a job that failed or stalled go on where it stood; one that goes on is left alone.

    Raises:
        ConflictError: ``job_over`` when it is done or cancelled.
        StaleVersionError: others kept writing first.
    """
    announced: list[Step] = []

    def resumed(job: Job) -> Job | None:
        if job.state in (DONE, CANCELLED):
            raise ConflictError("job_over", f"the job is {job.state}")
        if job.status(now) not in (FAILED, STALLED):
            return None
        state = STATE_OF[job.failed_step] if job.state == FAILED else job.state
        after = replace(job, state=state, failed_step="", failed_for="")
        numbers = [job.version + 1]
        if state == RUNNING:
            # Those that were announced and never finished are the first of them.
            numbers = list(store.open_chunks(job.job_id))[:lanes]
            after = replace(after, announced=max(job.announced, numbers[-1] + 1))
        name = next(name for name, of in STATE_OF.items() if of == state)
        announced[:] = [Step(job_id=job.job_id, name=name, number=number) for number in numbers]
        return after

    def events(job: Job) -> list[Event]:
        return [
            step_event(
                job,
                step,
                now=now,
                event_id=new_id("evt"),
                correlation_id=correlation_id,
                causation_id=correlation_id,
            )
            for step in announced
        ]

    return _moved(store, job, resumed, now=now, events=events) or job


def _moved(
    store: JobStore,
    job: Job,
    move: Callable[[Job], Job | None],
    *,
    now: datetime,
    events: Callable[[Job], list[Event]] = lambda _job: [],
) -> Job | None:
    """Write what ``move`` makes of the job as it is now; return None if it makes nothing."""
    for _ in range(TRIES):
        wanted = move(job)
        if wanted is None:
            return None
        after = replace(wanted, updated_at=now, version=job.version + 1)
        try:
            store.move(job, after, events(after))
        except StaleVersionError:
            found = store.job(job.job_id)
            if found is None:
                return None
            job = found
        else:
            return after
    raise StaleVersionError(job.job_id)


def step_event(
    job: Job,
    step: Step,
    *,
    now: datetime,
    event_id: str,
    correlation_id: str,
    causation_id: str,
) -> Event:
    """Return the event that asks for a step.

    It starts a new count of hops: a job ends by its own count of chunks, and may have thousands.
    """
    is_simulation = job.kind == SIMULATION
    return Event(
        event_id=event_id,
        name=SIMULATION_REQUESTED if is_simulation else MIGRATION_REQUESTED,
        occurred_at=now,
        program_id=job.program_id,
        aggregate_type=job.kind,
        aggregate_id=job.job_id,
        aggregate_version=job.version,
        correlation_id=correlation_id,
        causation_id=causation_id,
        hops=0,
        data={"step": step.name, "number": step.number},
    )

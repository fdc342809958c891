"""Run one step of a job: list its referrals, work on a chunk of them, or merge what was found.

Every step can come twice, be stopped anywhere and run beside itself: what it leads to is stored
in one transaction with the event that announces what follows, under the version of the job. Few
chunks are under way at a time, so that a long job never stands in the way of money.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from datetime import datetime
from typing import Final, Protocol

from shared.domain.errors import NotFoundError, StaleVersionError
from shared.domain.events import MIGRATION_REQUESTED, SIMULATION_REQUESTED, Event
from shared.domain.jobs import (
    DONE,
    MERGE,
    MERGING,
    PLAN,
    PLANNING,
    RUNNING,
    SIMULATION,
    WORK,
    Chunk,
    Job,
    Step,
)
from shared.ports import JobStore, NewId
from shared.usecases.effects import Trigger

TRIES: Final = 5
LANES: Final = 2
"""Chunks of one job that are announced at a time."""
PAGE: Final = 1_000
"""Referrals that one planning step lists."""


class Worker(Protocol):
    """Knows what to do with the referrals of one kind of job."""

    chunk_size: int

    def work(self, job: Job, referral_ids: Iterable[str]) -> tuple[str, Mapping[str, int]]:
        """Return what came of the referrals, as text, and outcomes by name."""

    def merge(self, job: Job, results: Iterable[str]) -> str:
        """Return the report of the whole job, as text; "" if it has none."""


class JobRun:
    """One event's work on one job."""

    def __init__(
        self,
        store: JobStore,
        worker: Worker,
        *,
        trigger: Trigger,
        now: datetime,
        new_id: NewId,
        pause: Callable[[int], None],
    ) -> None:
        """Take what the step needs; nothing outlives it."""
        self._store = store
        self._worker = worker
        self._trigger = trigger
        self._now = now
        self._new_id = new_id
        self._pause = pause

    def run(self, step: Step) -> bool:
        """Run the step; return False if it was done before.

        Raises:
            NotFoundError: no such job.
            StaleVersionError: others kept writing first; the event must be handled again.
            UnavailableError: when the store does not answer.
        """
        if step.name == WORK:
            return self._work(step)
        return self._plan(step) if step.name == PLAN else self._merge(step)

    def _job(self, job_id: str) -> Job:
        job = self._store.job(job_id)
        if job is None:
            raise NotFoundError
        return job

    # -- planning -----------------------------------------------------------------------------

    def _plan(self, step: Step) -> bool:
        job = self._job(step.job_id)
        # While a job is planned, nothing but its planning raises its version.
        if job.state != PLANNING or job.version != step.number:
            return False
        found, after = self._store.heads(job, limit=PAGE)
        size = self._worker.chunk_size
        chunks = [
            Chunk(
                number=job.chunks + place // size, referral_ids=tuple(found[place : place + size])
            )
            for place in range(0, len(found), size)
        ]
        planned = replace(
            job,
            after=after,
            shard=job.shard if after else job.shard + 1,
            chunks=job.chunks + len(chunks),
            referrals=job.referrals + len(found),
            updated_at=self._now,
            version=job.version + 1,
        )
        if planned.shard < self._store.shards(job):
            announced = [self._event(planned, PLAN, planned.version)]
        elif planned.chunks:
            planned = replace(planned, state=RUNNING)
            lanes = range(min(LANES, planned.chunks))
            announced = [self._event(planned, WORK, number) for number in lanes]
        else:
            planned = replace(planned, state=MERGING)
            announced = [self._event(planned, MERGE, 0)]
        self._store.plan(job, planned, chunks, announced)
        return True

    # -- working ------------------------------------------------------------------------------

    def _work(self, step: Step) -> bool:
        job = self._job(step.job_id)
        chunk = self._store.chunk(step.job_id, step.number)
        if chunk is None:
            raise NotFoundError
        if chunk.run_id:
            return False
        text, counts = self._worker.work(job, chunk.referral_ids)
        run_id = self._new_id("run")
        self._store.save_result(job.job_id, chunk.number, run_id, text, now=self._now)
        for attempt in range(TRIES):
            after, announced = self._worked(job, chunk, counts)
            try:
                self._store.finish_chunk(job, after, replace(chunk, run_id=run_id), announced)
            except StaleVersionError:
                self._pause(attempt)
                job = self._job(step.job_id)
                known = self._store.chunk(step.job_id, step.number)
                if known is None or known.run_id:
                    return False
            else:
                return True
        raise StaleVersionError(step.job_id)

    def _worked(self, job: Job, chunk: Chunk, counts: Mapping[str, int]) -> tuple[Job, list[Event]]:
        after = replace(
            job,
            done_chunks=job.done_chunks + 1,
            done_referrals=job.done_referrals + len(chunk.referral_ids),
            counts={
                name: job.counts.get(name, 0) + counts.get(name, 0)
                for name in sorted(job.counts.keys() | counts.keys())
            },
            updated_at=self._now,
            version=job.version + 1,
        )
        announced = []
        if chunk.number + LANES < job.chunks:
            announced.append(self._event(after, WORK, chunk.number + LANES))
        if after.done_chunks == after.chunks:
            after = replace(after, state=MERGING)
            announced.append(self._event(after, MERGE, 0))
        return after, announced

    # -- merging ------------------------------------------------------------------------------

    def _merge(self, step: Step) -> bool:
        job = self._job(step.job_id)
        if job.state != MERGING:
            return False
        report = self._worker.merge(job, self._store.results(job))
        done = replace(job, state=DONE, updated_at=self._now, version=job.version + 1)
        self._store.finish(job, done, report)
        return True

    def _event(self, job: Job, name: str, number: int) -> Event:
        return step_event(
            job,
            Step(job_id=job.job_id, name=name, number=number),
            now=self._now,
            event_id=self._new_id("evt"),
            correlation_id=self._trigger.correlation_id,
            causation_id=self._trigger.causation_id,
        )


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

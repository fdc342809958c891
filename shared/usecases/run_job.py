"""Run one step of a job: list its referrals, work on a chunk of them, or merge what was found.

Every step can come twice, be stopped anywhere and run beside itself: what it leads to is stored
in one transaction with the event that announces what follows, under the version of the job. Few
chunks are under way at a time, so that a long job never stands in the way of money, and a step
that runs out of time leaves the rest to another one.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Final, Protocol

from shared.domain.errors import NotFoundError, StaleVersionError
from shared.domain.events import Event
from shared.domain.jobs import (
    DONE,
    FAILED,
    MERGE,
    MERGING,
    PLAN,
    PLANNING,
    RUNNING,
    TOO_MANY,
    WORK,
    Chunk,
    Job,
    Merged,
    Step,
    Worked,
    added,
)
from shared.ports import JobStore, NewId
from shared.usecases.control_jobs import step_event
from shared.usecases.effects import Trigger

TRIES: Final = 5
LANES: Final = 4
"""Chunks of one job that are under way at a time."""
PAGE: Final = 5_000
"""Referrals that one planning step lists."""

OutOfTime = Callable[[], bool]
"""Tells whether a step should leave the rest to another one."""


class Worker(Protocol):
    """Knows what to do with the referrals of one kind of job."""

    chunk_size: int
    most: int
    """Referrals of one job: more do not fit into the step that merges."""

    def work(self, job: Job, referral_ids: Sequence[str], out_of_time: OutOfTime) -> Worked:
        """Return what came of the referrals, or of the first of them; of one at least."""

    def merge(self, job: Job, results: Iterable[str], out_of_time: OutOfTime) -> Merged:
        """Return what the whole job found, or where merging goes on."""


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
        out_of_time: OutOfTime = lambda: False,
    ) -> None:
        """Take what the step needs; nothing outlives it."""
        self._store = store
        self._worker = worker
        self._trigger = trigger
        self._now = now
        self._new_id = new_id
        self._pause = pause
        self._out_of_time = out_of_time

    def run(self, step: Step) -> bool:
        """Run the step; return False if there was nothing to do.

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
        events: list[Event] = []
        if planned.referrals > self._worker.most:
            planned = replace(planned, state=FAILED, failed_step=PLAN, failed_for=TOO_MANY)
        elif planned.shard < self._store.shards(job):
            events = [self._event(planned, PLAN, planned.version)]
        elif planned.chunks:
            planned = replace(planned, state=RUNNING, announced=min(LANES, planned.chunks))
            events = [self._event(planned, WORK, number) for number in range(planned.announced)]
        else:
            planned = replace(planned, state=MERGING)
            events = [self._event(planned, MERGE, planned.version)]
        self._store.plan(job, planned, chunks, events)
        return True

    # -- working ------------------------------------------------------------------------------

    def _work(self, step: Step) -> bool:
        job = self._job(step.job_id)
        chunk = self._store.chunk(step.job_id, step.number)
        if chunk is None:
            raise NotFoundError
        if chunk.run_id or job.state != RUNNING:
            return False
        worked = self._worker.work(job, chunk.referral_ids, self._out_of_time)
        ran = replace(chunk, run_id=self._new_id("run"))
        self._store.save_result(job.job_id, ran, worked.text, now=self._now)
        for attempt in range(TRIES):
            after, rest, events = self._worked(job, chunk, worked)
            try:
                self._store.finish_chunk(job, after, ran, rest, events)
            except StaleVersionError:
                self._pause(attempt)
                job = self._job(step.job_id)
                known = self._store.chunk(step.job_id, step.number)
                # Also when somebody stopped the job: to go on means to begin the chunk again.
                if known is None or known.run_id or job.state != RUNNING:
                    return False
            else:
                return True
        raise StaleVersionError(step.job_id)

    def _worked(
        self, job: Job, chunk: Chunk, worked: Worked
    ) -> tuple[Job, Chunk | None, list[Event]]:
        left = chunk.referral_ids[worked.done :]
        rest = Chunk(number=job.chunks, referral_ids=left) if left else None
        after = replace(
            job,
            chunks=job.chunks + (1 if rest else 0),
            done_chunks=job.done_chunks + 1,
            done_referrals=job.done_referrals + len(chunk.referral_ids) - len(left),
            counts=added(job.counts, worked.counts),
            updated_at=self._now,
            version=job.version + 1,
        )
        if after.announced < after.chunks:
            number = after.announced
            after = replace(after, announced=number + 1)
            return after, rest, [self._event(after, WORK, number)]
        if after.done_chunks == after.chunks:
            after = replace(after, state=MERGING)
            return after, rest, [self._event(after, MERGE, after.version)]
        return after, rest, []

    # -- merging ------------------------------------------------------------------------------

    def _merge(self, step: Step) -> bool:
        job = self._job(step.job_id)
        # As with planning: nothing else raises the version.
        if job.state != MERGING or job.version != step.number:
            return False
        merged = self._worker.merge(job, self._store.results(job), self._out_of_time)
        after = replace(
            job,
            after=merged.after,
            counts=added(job.counts, merged.counts),
            updated_at=self._now,
            version=job.version + 1,
        )
        if merged.after:
            self._store.move(job, after, [self._event(after, MERGE, after.version)])
            return True
        after = replace(after, state=DONE, merged_by=self._new_id("run"))
        for number, page in enumerate(merged.pages):
            self._store.save_page(after, number, page)
        self._store.finish(job, after, merged.report)
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

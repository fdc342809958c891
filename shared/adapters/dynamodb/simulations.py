"""Simulations and migrations: jobs in the core table, kept for a while."""

import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

from shared import names
from shared.adapters.dynamodb import keys, lists
from shared.adapters.dynamodb.client import get, query
from shared.adapters.dynamodb.codec import Item as Row
from shared.adapters.dynamodb.outbox import stored
from shared.adapters.dynamodb.programs import program_from, terms_from
from shared.adapters.dynamodb.transactions import (
    ABSENT,
    ConditionFailedError,
    Operation,
    put,
    put_new,
    transact,
    update,
)
from shared.domain.events import Event
from shared.domain.jobs import KEPT_DAYS, Chunk, Job
from shared.domain.programs import Program, PublishedTerms

if TYPE_CHECKING:
    from types_boto3_dynamodb import DynamoDBClient

_PART: Final = 300_000
"""Bytes of one row of a result; a row holds at most 400 KB."""
_MOVING: Final = (
    "state",
    "shard",
    "after",
    "chunks",
    "referrals",
    "done_chunks",
    "done_referrals",
    "announced",
    "counts",
    "failed_step",
    "failed_for",
    "merged_by",
    "updated_at",
    "version",
)
"""What of a job changes after it was asked for."""
_BY_LIST: Final = (names.INDEX_LIST, names.LIST_PK, names.LIST_SK)


def job_row(job: Job) -> Row:
    """Return the row of a job."""
    row: Row = {name: getattr(job, name) for name in Job.__dataclass_fields__}
    row["settings"] = dict(job.settings)
    row["counts"] = dict(job.counts)
    row["requested_at"] = job.requested_at.isoformat()
    row["updated_at"] = job.updated_at.isoformat()
    row[names.TTL] = ends(job.requested_at)
    return row


def job_from(row: Row) -> Job:
    """Return a job from its row."""
    fields: dict[str, Any] = {name: row[name] for name in Job.__dataclass_fields__ if name in row}
    fields["requested_at"] = datetime.fromisoformat(row["requested_at"])
    fields["updated_at"] = datetime.fromisoformat(row["updated_at"])
    return Job(**fields)


def ends(began: datetime) -> int:
    """Return when what belongs to a job may go, as the table's expiry wants it."""
    return int((began + timedelta(days=KEPT_DAYS)).timestamp())


@dataclass(frozen=True, slots=True, kw_only=True)
class Jobs:
    """Satisfies ``ports.JobStore`` with the core table."""

    client: "DynamoDBClient"
    core: str

    def program(self, program_id: str) -> Program | None:
        """Read a programme."""
        row = get(self.client, self.core, keys.program(program_id))
        return program_from(row) if row else None

    def terms(self, program_id: str, version: int) -> PublishedTerms | None:
        """Read one version of the terms."""
        row = get(self.client, self.core, keys.terms(program_id, version))
        return terms_from(row) if row else None

    def job(self, job_id: str) -> Job | None:
        """Read a job."""
        row = get(self.client, self.core, keys.job(job_id))
        return job_from(row) if row else None

    def add_job(self, job: Job, event: Event) -> Job:
        """Store a job with its first event; answer the stored one if this request stored it.

        Raises:
            StaleVersionError: when the id is taken.
        """
        operations = [
            put_new(self.core, keys.job(job.job_id), job_row(job)),
            stored(self.core, event, now=job.requested_at),
        ]
        try:
            transact(self.client, operations)
        except ConditionFailedError as error:
            found = error.failed.get(0)
            if found and found.get("mark") == job.mark:
                return job_from(found)
            raise
        return job

    # -- planning -----------------------------------------------------------------------------

    def shards(self, job: Job) -> int:
        """Return how many lists hold the job's referrals; those that were named are one."""
        return 1 if job.settings.get("referrals") is not None else keys.LIST_SHARDS

    def heads(self, job: Job, *, limit: int) -> tuple[list[str], str]:
        """Return one page of referrals, and where the next one begins; "" at the end.

        Those of one partner stand together, so that few chunks ask for the same partner.
        """
        named = job.settings.get("referrals")
        if named is not None:
            return list(named), ""
        partition = keys.list_partitions(lists.REFERRALS, job.program_id)[job.shard]
        rows = query(
            self.client,
            self.core,
            partition,
            index=_BY_LIST,
            limit=limit,
            before=job.after,
            newest_first=True,
        )
        found = [(str(row.get("partner_id", "")), str(row["referral_id"])) for row in rows]
        after = found[-1][1] if len(found) == limit else ""
        return [referral_id for _, referral_id in sorted(found, reverse=True)], after

    def plan(
        self, before: Job, after: Job, chunks: Sequence[Chunk], events: Sequence[Event]
    ) -> None:
        """Store chunks with the job and what is announced.

        Raises:
            StaleVersionError: when the job is not as it was read.
        """
        rows = [self._added(before, chunk) for chunk in chunks]
        transact(self.client, [self._moved(before, after), *rows, *self._announced(after, events)])

    # -- working ------------------------------------------------------------------------------

    def chunk(self, job_id: str, number: int) -> Chunk | None:
        """Read a chunk."""
        row = get(self.client, self.core, keys.job_chunk(job_id, number))
        return _chunk_from(row) if row else None

    def open_chunks(self, job_id: str) -> Iterator[int]:
        """Yield the numbers of the chunks that no run has worked on, in order."""
        for number, run_id in self._runs(job_id).items():
            if not run_id:
                yield number

    def _runs(self, job_id: str) -> dict[int, str]:
        partition, prefix = keys.job_chunks(job_id)
        rows = query(self.client, self.core, partition, prefix=prefix)
        return {row["number"]: row.get("run_id", "") for row in rows}

    def save_result(self, job_id: str, chunk: Chunk, text: str, *, now: datetime) -> None:
        """Store what a run made of a chunk, in as many rows as it needs."""
        if not text:
            return
        packed = zlib.compress(text.encode())
        for part, start in enumerate(range(0, len(packed), _PART)):
            row = {"data": packed[start : start + _PART], names.TTL: ends(now)}
            key = keys.job_result(job_id, chunk.number, chunk.run_id, part)
            transact(self.client, [put(self.core, key, row)])

    def finish_chunk(
        self, before: Job, after: Job, chunk: Chunk, rest: Chunk | None, events: Sequence[Event]
    ) -> None:
        """Store that a run has worked on a chunk, what it left, the job and what is announced.

        Raises:
            StaleVersionError: when another run has, or the job is not as it was read.
        """
        worked = update(
            self.core,
            keys.job_chunk(before.job_id, chunk.number),
            assign={"run_id": chunk.run_id},
            expect={"number": chunk.number, "run_id": ABSENT},
        )
        left = [self._added(before, rest)] if rest else []
        announced = self._announced(after, events)
        transact(self.client, [self._moved(before, after), worked, *left, *announced])

    def move(self, before: Job, after: Job, events: Sequence[Event]) -> None:
        """Store a job with what is announced.

        Raises:
            StaleVersionError: when the job is not as it was read.
        """
        transact(self.client, [self._moved(before, after), *self._announced(after, events)])

    # -- merging ------------------------------------------------------------------------------

    def results(self, job: Job) -> Iterator[str]:
        """Yield what came of each chunk, in order."""
        runs = self._runs(job.job_id)
        partition, prefix = keys.all_job_results(job.job_id)
        parts: list[bytes] = []
        found = ""
        for row in query(self.client, self.core, partition, prefix=prefix):
            _, number, run_id, _ = row[names.SK].split("#")
            # A run that died left its parts behind.
            if runs.get(int(number)) != run_id:
                continue
            if found != run_id and parts:
                yield zlib.decompress(b"".join(parts)).decode()
                parts.clear()
            found = run_id
            parts.append(row["data"])
        if parts:
            yield zlib.decompress(b"".join(parts)).decode()

    def save_page(self, job: Job, number: int, text: str) -> None:
        """Store a page that belongs to the report of the run which merged the job."""
        row = {"data": zlib.compress(text.encode()), names.TTL: ends(job.requested_at)}
        key = keys.job_page(job.job_id, job.merged_by, number)
        transact(self.client, [put(self.core, key, row)])

    def page(self, job: Job, number: int) -> str:
        """Read a page beside the report; "" if it has no such page."""
        row = get(self.client, self.core, keys.job_page(job.job_id, job.merged_by, number))
        return zlib.decompress(row["data"]).decode() if row else ""

    def finish(self, before: Job, after: Job, report: str) -> None:
        """Store the report, if there is one, with the job.

        Raises:
            StaleVersionError: when the job is not as it was read.
        """
        operations = [self._moved(before, after)]
        if report:
            row = {
                "data": zlib.compress(report.encode()),
                names.TTL: ends(before.requested_at),
            }
            operations.append(put_new(self.core, keys.job_report(before.job_id), row))
        transact(self.client, operations)

    def report(self, job_id: str) -> str:
        """Read the report; "" if there is none yet."""
        row = get(self.client, self.core, keys.job_report(job_id))
        return zlib.decompress(row["data"]).decode() if row else ""

    def _moved(self, before: Job, after: Job) -> Operation:
        row = job_row(after)
        return update(
            self.core,
            keys.job(before.job_id),
            assign={name: row[name] for name in _MOVING},
            expect={"version": before.version},
        )

    def _added(self, job: Job, chunk: Chunk) -> Operation:
        row = {
            "number": chunk.number,
            "referral_ids": list(chunk.referral_ids),
            names.TTL: ends(job.requested_at),
        }
        return put_new(self.core, keys.job_chunk(job.job_id, chunk.number), row)

    def _announced(self, job: Job, events: Sequence[Event]) -> list[Operation]:
        return [stored(self.core, event, now=job.updated_at) for event in events]


def _chunk_from(row: Row) -> Chunk:
    return Chunk(
        number=row["number"],
        referral_ids=tuple(row["referral_ids"]),
        run_id=row.get("run_id", ""),
    )

"""Simulations and migrations: jobs in the core table, kept for a while."""

import zlib
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

from shared import names
from shared.adapters.dynamodb import keys, lists
from shared.adapters.dynamodb.client import get, query
from shared.adapters.dynamodb.codec import Item as Row
from shared.adapters.dynamodb.outbox import stored
from shared.adapters.dynamodb.programs import program_from, terms_from
from shared.adapters.dynamodb.referrals import fact_row
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
from shared.domain.facts import Fact
from shared.domain.jobs import KEPT_DAYS, Chunk, Job
from shared.domain.migration import Item, RewardChange
from shared.domain.programs import Program, PublishedTerms
from shared.domain.referrals import Referral

if TYPE_CHECKING:
    from types_boto3_dynamodb import DynamoDBClient

_PART: Final = 300_000
"""Bytes of one row of a result; a row holds at most 400 KB."""
_BY_LIST: Final = (names.INDEX_LIST, names.LIST_PK, names.LIST_SK)


def job_row(job: Job) -> Row:
    """Return the row of a job."""
    row: Row = {name: getattr(job, name) for name in Job.__dataclass_fields__}
    row["settings"] = dict(job.settings)
    row["counts"] = dict(job.counts)
    row["requested_at"] = job.requested_at.isoformat()
    row["updated_at"] = job.updated_at.isoformat()
    row[names.TTL] = _ends(job.requested_at)
    return row


def job_from(row: Row) -> Job:
    """Return a job from its row."""
    fields: dict[str, Any] = {name: row[name] for name in Job.__dataclass_fields__}
    fields["requested_at"] = datetime.fromisoformat(row["requested_at"])
    fields["updated_at"] = datetime.fromisoformat(row["updated_at"])
    return Job(**fields)


def item_from(row: Row) -> Item:
    """Return what a migration did to a referral from its row."""
    return Item(
        referral_id=row["referral_id"],
        outcome=row["outcome"],
        from_version=row["from_version"],
        changes=tuple(RewardChange(**change) for change in row["changes"]),
    )


def _item_row(job: Job, item: Item) -> Row:
    return {
        **asdict(item),
        "changes": [asdict(change) for change in item.changes],
        names.TTL: _ends(job.requested_at),
    }


def _ends(began: datetime) -> int:
    return int((began + timedelta(days=KEPT_DAYS)).timestamp())


@dataclass(frozen=True, slots=True, kw_only=True)
class Jobs:
    """Satisfies ``ports.JobStore`` and ``ports.MigrationStore`` with the core table."""

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
        """Return one page of referrals, and where the next one begins; "" at the end."""
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
        found = [str(row["referral_id"]) for row in rows]
        return found, found[-1] if len(found) == limit else ""

    def plan(
        self, before: Job, after: Job, chunks: Sequence[Chunk], events: Sequence[Event]
    ) -> None:
        """Store chunks with the job and what is announced.

        Raises:
            StaleVersionError: when the job is not as it was read.
        """
        ends = _ends(before.requested_at)
        rows = [
            put_new(
                self.core,
                keys.job_chunk(before.job_id, chunk.number),
                {
                    "number": chunk.number,
                    "referral_ids": list(chunk.referral_ids),
                    names.TTL: ends,
                },
            )
            for chunk in chunks
        ]
        transact(self.client, [self._moved(before, after), *rows, *self._announced(after, events)])

    # -- working ------------------------------------------------------------------------------

    def chunk(self, job_id: str, number: int) -> Chunk | None:
        """Read a chunk."""
        row = get(self.client, self.core, keys.job_chunk(job_id, number))
        return _chunk_from(row) if row else None

    def save_result(
        self, job_id: str, number: int, run_id: str, text: str, *, now: datetime
    ) -> None:
        """Store what a run made of a chunk, in as many rows as it needs."""
        if not text:
            return
        packed = zlib.compress(text.encode())
        for part, start in enumerate(range(0, len(packed), _PART)):
            row = {"data": packed[start : start + _PART], names.TTL: _ends(now)}
            key = keys.job_result(job_id, number, run_id, part)
            transact(self.client, [put(self.core, key, row)])

    def finish_chunk(self, before: Job, after: Job, chunk: Chunk, events: Sequence[Event]) -> None:
        """Store that a run has worked on a chunk, with the job and what is announced.

        Raises:
            StaleVersionError: when another run has, or the job is not as it was read.
        """
        worked = update(
            self.core,
            keys.job_chunk(before.job_id, chunk.number),
            assign={"run_id": chunk.run_id},
            expect={"number": chunk.number, "run_id": ABSENT},
        )
        transact(self.client, [self._moved(before, after), worked, *self._announced(after, events)])

    # -- merging ------------------------------------------------------------------------------

    def results(self, job: Job) -> Iterator[str]:
        """Yield what came of each chunk, in order."""
        partition, prefix = keys.job_chunks(job.job_id)
        for row in query(self.client, self.core, partition, prefix=prefix):
            own, parts = keys.job_results(job.job_id, row["number"], row["run_id"])
            rows = query(self.client, self.core, own, prefix=parts)
            packed = b"".join(part["data"] for part in rows)
            if packed:
                yield zlib.decompress(packed).decode()

    def finish(self, before: Job, after: Job, report: str) -> None:
        """Store the report, if there is one, with the job.

        Raises:
            StaleVersionError: when the job is not as it was read.
        """
        operations = [self._moved(before, after)]
        if report:
            row = {
                "data": zlib.compress(report.encode()),
                names.TTL: _ends(before.requested_at),
            }
            operations.append(put_new(self.core, keys.job_report(before.job_id), row))
        transact(self.client, operations)

    def report(self, job_id: str) -> str:
        """Read the report; "" if there is none yet."""
        row = get(self.client, self.core, keys.job_report(job_id))
        return zlib.decompress(row["data"]).decode() if row else ""

    # -- migrating ----------------------------------------------------------------------------

    def item(self, job_id: str, referral_id: str) -> Item | None:
        """Read what a migration did to a referral."""
        row = get(self.client, self.core, keys.job_item(job_id, referral_id))
        return item_from(row) if row else None

    def items(self, job_id: str, *, before: str, limit: int) -> list[Item]:
        """Return what a migration did, newest referral first, below ``before`` ("" at the top)."""
        partition, prefix = keys.job_item(job_id, "")
        # "$" sorts behind "#": above every item. Rows of other kinds sort below them all.
        top = f"{prefix}{before}" if before else f"{prefix[:-1]}$"
        rows = query(self.client, self.core, partition, before=top, limit=limit, newest_first=True)
        return [item_from(row) for row in rows if row[names.SK].startswith(prefix)]

    def add_item(self, job: Job, item: Item) -> None:
        """Store what a migration would do to a referral."""
        key = keys.job_item(job.job_id, item.referral_id)
        transact(self.client, [put(self.core, key, _item_row(job, item))])

    def migrate(
        self, before: Referral, after: Referral, fact: Fact, event: Event, *, job: Job, item: Item
    ) -> None:
        """Write head, fact, event and item if the referral is as it was read.

        Raises:
            StaleVersionError: when somebody else wrote first.
        """
        referral_id = before.referral_id
        transact(
            self.client,
            [
                update(
                    self.core,
                    keys.referral(referral_id),
                    assign={"terms_version": after.terms_version, "version": after.version},
                    expect={"version": before.version},
                ),
                put_new(self.core, keys.fact(referral_id, fact.fact_id), fact_row(fact)),
                stored(self.core, event, now=event.occurred_at),
                put_new(self.core, keys.job_item(job.job_id, referral_id), _item_row(job, item)),
            ],
        )

    def _moved(self, before: Job, after: Job) -> Operation:
        row = job_row(after)
        moving = (
            "state",
            "shard",
            "after",
            "chunks",
            "referrals",
            "done_chunks",
            "done_referrals",
            "counts",
            "updated_at",
            "version",
        )
        return update(
            self.core,
            keys.job(before.job_id),
            assign={name: row[name] for name in moving},
            expect={"version": before.version},
        )

    def _announced(self, job: Job, events: Sequence[Event]) -> list[Operation]:
        return [stored(self.core, event, now=job.updated_at) for event in events]


def _chunk_from(row: Row) -> Chunk:
    return Chunk(
        number=row["number"],
        referral_ids=tuple(row["referral_ids"]),
        run_id=row.get("run_id", ""),
    )

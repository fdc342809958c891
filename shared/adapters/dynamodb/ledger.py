"""The ledger: reads a referral as a whole and writes each effect as one transaction."""

import json
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import TYPE_CHECKING

from shared import names
from shared.adapters.dynamodb import books, keys, outbox
from shared.adapters.dynamodb.client import get, query
from shared.adapters.dynamodb.referrals import fact_from, fact_row, referral_from
from shared.adapters.dynamodb.rewards import (
    reward_from,
    reward_key,
    reward_row,
    trace_from,
    trace_row,
)
from shared.adapters.dynamodb.transactions import (
    ABSENT,
    Operation,
    check,
    put,
    put_new,
    transact,
    update,
)
from shared.domain.aggregate import Aggregate, Standing
from shared.domain.books import Book
from shared.domain.errors import NotFoundError
from shared.domain.evaluation import TraceLine
from shared.domain.facts import Fact
from shared.domain.posting import Posting
from shared.domain.referrals import Referral
from shared.domain.terms import Terms, parse_terms

if TYPE_CHECKING:
    from types_boto3_dynamodb import DynamoDBClient

    from shared.adapters.dynamodb.codec import Item


class DynamoLedger:
    """Satisfies ``ports.Ledger`` with the core and books tables."""

    def __init__(self, client: "DynamoDBClient", *, core_table: str, books_table: str) -> None:
        """Keep the client and the names of the two tables."""
        self._client = client
        self._core = core_table
        self._books = books_table
        # Published terms never change, so one read per environment is enough.
        self._terms: dict[tuple[str, int], Terms] = {}

    def load(self, referral_id: str) -> Aggregate | None:
        """Return a referral with all that belongs to it, in one consistent query."""
        partition, head_key = keys.referral(referral_id)
        head: Referral | None = None
        rows: dict[str, list[Item]] = {"FACT": [], "REWARD": [], "TRACE": []}
        for row in query(self._client, self._core, partition):
            kind = row[names.SK].split("#", 1)[0]
            if row[names.SK] == head_key:
                head = referral_from(row)
            elif kind in rows:
                rows[kind].append(row)
        if head is None:
            return None
        return Aggregate(
            referral=head,
            facts=tuple(fact_from(row) for row in rows["FACT"]),
            rewards=tuple(reward_from(row) for row in rows["REWARD"]),
            trace=tuple(trace_from(row) for row in rows["TRACE"]),
        )

    def terms(self, program_id: str, version: int) -> Terms:
        """Return a published version.

        Raises:
            NotFoundError: when it was never published: a referral points into the void.
        """
        known = self._terms.get((program_id, version))
        if known is None:
            program = get(self._client, self._core, keys.program(program_id))
            published = get(self._client, self._core, keys.terms(program_id, version))
            if program is None or published is None:
                raise NotFoundError
            known = parse_terms(json.loads(published["definition"]), currency=program["currency"])
            self._terms[program_id, version] = known
        return known

    def book(self, holder_id: str, program_id: str) -> Book:
        """Return a holder's book."""
        return books.read_book(self._client, self._core, holder_id, program_id)

    def standing(self, partner_id: str, program_id: str) -> Standing:
        """Return what counts for a partner's tiers."""
        row = get(self._client, self._core, keys.standing(partner_id, program_id))
        return Standing(
            partner_id=partner_id,
            program_id=program_id,
            counts=row["counts"] if row else {},
            version=row["version"] if row else 0,
        )

    def pin_standing(
        self,
        before: Referral,
        after: Referral,
        standing: Standing,
        counted: Standing,
        position: Fact | None,
    ) -> None:
        """Store the new count and the position, under both versions that were read."""
        operations = [
            self._bump(before, counting=list(after.counting)),
            put(
                self._core,
                keys.standing(counted.partner_id, counted.program_id),
                {"counts": dict(counted.counts), "version": counted.version},
                expect={"version": standing.version} if standing.version else {names.PK: ABSENT},
            ),
        ]
        if position:
            key = keys.fact(before.referral_id, position.fact_id)
            operations.append(put_new(self._core, key, fact_row(position)))
        transact(self._client, operations)

    def post(self, posting: Posting) -> None:
        """Store one effect: head, rewards, books, movements, trace and event together."""
        referral = posting.referral
        operations = [self._bump(referral)]
        operations += [
            put(self._core, reward_key(change.reward), reward_row(change.reward))
            for change in posting.changes
        ]
        operations += [
            books.advance(self._core, opened, closed) for opened, closed in posting.books
        ]
        operations += [books.append(self._books, movement) for movement in posting.movements]
        operations += [self._trace(referral, line) for line in posting.trace]
        operations.append(outbox.stored(self._core, posting.event, now=posting.now))
        transact(self._client, operations)

    def explain(self, referral: Referral, lines: Sequence[TraceLine]) -> None:
        """Store trace lines, if the referral is still at the version they explain."""
        guard = check(
            self._core, keys.referral(referral.referral_id), {"version": referral.version}
        )
        transact(self._client, [guard, *(self._trace(referral, line) for line in lines)])

    def due(self, now: datetime, limit: int) -> Iterator[tuple[str, str]]:
        """Yield rewards whose earliest release is not after ``now``."""
        index = (names.INDEX_DUE, names.DUE_PK, names.DUE_SK)
        left = limit
        for partition in keys.due_partitions(keys.DUE_RELEASE):
            if left <= 0:
                return
            # "$" sorts behind "#": a release at this very moment is due.
            before = f"{now.isoformat()}$"
            for row in query(
                self._client, self._core, partition, index=index, limit=left, before=before
            ):
                left -= 1
                yield row["referral_id"], row["reward_id"]

    def _bump(self, referral: Referral, **assign: object) -> Operation:
        return update(
            self._core,
            keys.referral(referral.referral_id),
            assign={"version": referral.version + 1, **assign},
            expect={"version": referral.version},
        )

    def _trace(self, referral: Referral, line: TraceLine) -> Operation:
        key = keys.trace(referral.referral_id, line.rule_id, line.occurrence)
        return put(self._core, key, trace_row(line))

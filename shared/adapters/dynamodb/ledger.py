"""The ledger: reads referrals and partners' files whole, writes each effect as one transaction."""

import heapq
from collections.abc import Iterator, Mapping, Sequence
from datetime import date, datetime
from itertools import islice
from typing import TYPE_CHECKING

from shared import names
from shared.adapters.dynamodb import books, fx_rates, keys, outbox, partner_files
from shared.adapters.dynamodb.client import get, query
from shared.adapters.dynamodb.fulfilments import report_row
from shared.adapters.dynamodb.partners import status_of
from shared.adapters.dynamodb.referrals import fact_from, fact_row, referral_from
from shared.adapters.dynamodb.rewards import (
    due_entry,
    reward_from,
    reward_key,
    reward_row,
    trace_from,
    trace_row,
)
from shared.adapters.dynamodb.terms import published_terms
from shared.adapters.dynamodb.transactions import (
    ABSENT,
    Operation,
    check,
    delete,
    put,
    put_new,
    transact,
    update,
)
from shared.domain.aggregate import Aggregate, Guard, PartnerFile, Settled, Standing
from shared.domain.books import Book
from shared.domain.caps import NeededAllowance
from shared.domain.events import Event
from shared.domain.facts import Fact
from shared.domain.fulfilments import entered
from shared.domain.posting import CapMove, Posting
from shared.domain.referrals import Referral
from shared.domain.rewards import Due, Reward
from shared.domain.terms import PARTNER, Terms
from shared.domain.verdicts import TraceLine

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

    # -- reading ------------------------------------------------------------------------------

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

    def load_partner(self, partner_id: str, program_id: str) -> PartnerFile | None:
        """Return a partner's file in a programme, if the partner is enrolled."""
        return partner_files.read_file(self._client, self._core, partner_id, program_id)

    def accepted(self, partner_id: str, program_id: str) -> int | None:
        """Return the version of the terms that a partner's enrolment accepted, if enrolled."""
        return partner_files.accepted_version(self._client, self._core, partner_id, program_id)

    def partner_reward(self, standing: Standing, rule_id: str, occurrence: str) -> Reward | None:
        """Return one reward of a partner's file."""
        place = standing, rule_id, occurrence
        return partner_files.read_reward(self._client, self._core, *place)

    def partner_rows(
        self, standing: Standing, after: str, limit: int
    ) -> tuple[tuple[Reward, ...], tuple[TraceLine, ...], str | None]:
        """Return the next rewards and then lines of a partner's file, and the place behind."""
        return partner_files.read_rows(self._client, self._core, standing, after, limit)

    def terms(self, program_id: str, version: int) -> Terms:
        """Return a published version.

        Raises:
            NotFoundError: when it was never published: a referral points into the void.
        """
        known = self._terms.get((program_id, version))
        if known is None:
            known = published_terms(self._client, self._core, program_id, version)
            self._terms[program_id, version] = known
        return known

    def book(self, holder_id: str, program_id: str) -> Book:
        """Return a holder's book."""
        return books.read_book(self._client, self._core, holder_id, program_id)

    def standing(self, partner_id: str, program_id: str) -> Standing:
        """Return what a partner's referrals add up to."""
        return partner_files.read_standing(self._client, self._core, partner_id, program_id)

    def rate(self, program_id: str, currency: str, on: date) -> tuple[str, str] | None:
        """Return (rate, its date): the programme's newest rate not after ``on``."""
        return fx_rates.rate_on(self._client, self._core, program_id, currency, on)

    def await_rate(self, program_id: str, currency: str, referral_id: str) -> None:
        """Leave word that a referral waits for a rate."""
        fx_rates.await_rate(self._client, self._core, program_id, currency, referral_id)

    def cap_used(self, program_id: str, need: NeededAllowance) -> tuple[int, int]:
        """Return (minor units taken, version) of the cap that an allowance is wanted under."""
        row = get(self._client, self._core, _cap_key(program_id, need))
        return (row["used"], row["version"]) if row else (0, 0)

    def partner_status(self, partner_id: str) -> str:
        """Return a partner's status; "" if there is no such partner."""
        return status_of(self._client, self._core, partner_id)

    def due(self, now: datetime, limit: int) -> Iterator[Due]:
        """Yield rewards that seem to be due, the longest overdue first."""
        index = (names.INDEX_DUE, names.DUE_PK, names.DUE_SK)
        # "$" sorts behind "#": a release at this very moment is due.
        before = f"{now.isoformat()}$"
        shards = [
            query(self._client, self._core, partition, index=index, limit=limit, before=before)
            for partition in keys.due_partitions(keys.DUE_RELEASE)
        ]
        merged = heapq.merge(*shards, key=lambda row: str(row[names.DUE_SK]))
        for row in islice(merged, limit):
            yield Due(reward=reward_from(row), place=row[names.DUE_SK])

    # -- writing ------------------------------------------------------------------------------

    def contribute(
        self,
        before: Referral,
        counting: Mapping[str, int],
        *,
        standing: Standing,
        sums: Mapping[str, int],
        movers: Mapping[str, str],
        positions: Sequence[Fact],
        event: Event | None,
        now: datetime,
    ) -> None:
        """Store what the referral adds to its partner's sums, under both versions."""
        assign = {"sums": dict(sums), "movers": dict(movers), "version": standing.version + 1}
        operations = [
            self._bump(before, counting=dict(counting)),
            # How far the file is settled stays as it is.
            update(
                self._core,
                _guard_key(standing),
                assign=assign,
                expect=_is_at(standing.version),
            ),
            *(self._add_fact(before, fact) for fact in positions),
        ]
        if event:
            operations.append(outbox.stored(self._core, event, now=now))
        transact(self._client, operations)

    def pin(self, referral: Referral, facts: Sequence[Fact]) -> None:
        """Store facts that the evaluation needs, under the referral's version."""
        added = [self._add_fact(referral, fact) for fact in facts]
        transact(self._client, [self._bump(referral), *added])

    def pin_allowance(
        self, referral: Referral, need: NeededAllowance, fact: Fact, *, used: int, version: int
    ) -> None:
        """Store an allowance and what is taken of its cap now, under both versions."""
        transact(
            self._client,
            [
                self._bump(referral),
                self._add_fact(referral, fact),
                self._take(
                    referral.program_id, CapMove(need=need, used_minor=used, version=version)
                ),
            ],
        )

    def post(self, posting: Posting) -> None:
        """Store one effect: guard, rewards, books, movements, trace and event together."""
        transact(self._client, self._operations(posting))

    def _operations(self, posting: Posting) -> list[Operation]:
        settled = {"settled": partner_files.settled_row(posting.settled)} if posting.settled else {}
        operations = [self._bump(posting.guard, **settled)]
        operations += [
            put(self._core, reward_key(change.reward), reward_row(change.reward))
            for change in posting.changes
        ]
        operations += [
            books.advance(self._core, opened, closed) for opened, closed in posting.books
        ]
        operations += [books.append(self._books, movement) for movement in posting.movements]
        operations += [
            put_new(
                self._core,
                keys.fulfilment(_guard_key(posting.guard), told.reward_id, told.number),
                report_row(told),
            )
            for told in entered(posting.changes, posting.now)
        ]
        operations += [self._take(posting.guard.program_id, move) for move in posting.caps]
        operations += [self._trace(posting.guard, line) for line in posting.trace]
        operations += [delete(self._core, _trace_key(posting.guard, line)) for line in posting.gone]
        operations += [
            check(self._core, keys.partner(partner_id), {"status": status})
            for partner_id, status in posting.statuses
        ]
        operations.append(outbox.stored(self._core, posting.event, now=posting.now))
        return operations

    def look_later(self, due: Due, until: datetime) -> None:
        """Move a reward's place among the due ones; nothing else of it changes."""
        transact(self._client, [self._moved(due, until)])

    def forfeit(
        self, due: Due, until: datetime, event: Event, *, pinned: tuple[Referral, Fact] | None
    ) -> None:
        """Announce that a due reward is forfeit, with what is pinned to its referral."""
        operations = [self._moved(due, until)]
        if pinned:
            operations += [self._bump(pinned[0]), self._add_fact(*pinned)]
        operations.append(outbox.stored(self._core, event, now=event.occurred_at))
        transact(self._client, operations)

    def _moved(self, due: Due, until: datetime) -> Operation:
        return update(
            self._core,
            reward_key(due.reward),
            assign={names.DUE_SK: due_entry(due.reward, until)[names.DUE_SK]},
            expect={names.DUE_SK: due.place},
        )

    def explain(
        self, guard: Guard, lines: Sequence[TraceLine], gone: Sequence[TraceLine] = ()
    ) -> None:
        """Store trace lines and drop those that went, if the guard is still at its version."""
        operations = [check(self._core, _guard_key(guard), _is_at(guard.version))]
        operations += [self._trace(guard, line) for line in lines]
        operations += [delete(self._core, _trace_key(guard, line)) for line in gone]
        transact(self._client, operations)

    def remember(
        self,
        standing: Standing,
        settled: Settled,
        lines: Sequence[TraceLine],
        gone: Sequence[TraceLine],
        event: Event | None,
    ) -> None:
        """Store how far a partner's file is settled, with what explains it."""
        operations = [self._bump(standing, settled=partner_files.settled_row(settled))]
        operations += [self._trace(standing, line) for line in lines]
        operations += [delete(self._core, _trace_key(standing, line)) for line in gone]
        if event:
            operations.append(outbox.stored(self._core, event, now=event.occurred_at))
        transact(self._client, operations)

    def _take(self, program_id: str, move: CapMove) -> Operation:
        return put(
            self._core,
            _cap_key(program_id, move.need),
            {"used": move.used_minor, "version": move.version + 1},
            expect=_is_at(move.version),
        )

    def _bump(self, guard: Guard, **assign: object) -> Operation:
        if not guard.version:
            # A partner's file of which nothing is stored yet: its standing begins here.
            return put_new(self._core, _guard_key(guard), {"sums": {}, **assign, "version": 1})
        return update(
            self._core,
            _guard_key(guard),
            assign={"version": guard.version + 1, **assign},
            expect={"version": guard.version},
        )

    def _add_fact(self, referral: Referral, fact: Fact) -> Operation:
        key = keys.fact(referral.referral_id, fact.fact_id)
        return put_new(self._core, key, fact_row(fact))

    def _trace(self, guard: Guard, line: TraceLine) -> Operation:
        return put(self._core, _trace_key(guard, line), trace_row(line))


def _is_at(version: int) -> dict[str, object]:
    return {"version": version} if version else {names.PK: ABSENT}


def _guard_key(guard: Guard) -> keys.Key:
    if isinstance(guard, Referral):
        return keys.referral(guard.referral_id)
    return keys.standing(guard.partner_id, guard.program_id)


def _trace_key(guard: Guard, line: TraceLine) -> keys.Key:
    if isinstance(guard, Referral):
        return keys.trace(guard.referral_id, line.rule_id, line.occurrence)
    return keys.partner_trace(guard.partner_id, guard.program_id, line.rule_id, line.occurrence)


def _cap_key(program_id: str, need: NeededAllowance) -> keys.Key:
    if need.scope == PARTNER:
        return keys.partner_cap(need.holder_id, program_id, need.cap_id, need.period)
    return keys.program_cap(program_id, need.cap_id, need.period)

"""The ledger: reads referrals and partners' files whole, writes each effect as one transaction."""

import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import date, datetime
from typing import TYPE_CHECKING

from shared import names
from shared.adapters.dynamodb import books, fx_rates, keys, outbox
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
    delete,
    put,
    put_new,
    transact,
    update,
)
from shared.domain.aggregate import Aggregate, Guard, PartnerFile, Standing
from shared.domain.books import Book
from shared.domain.caps import NeededAllowance
from shared.domain.errors import NotFoundError
from shared.domain.events import Event
from shared.domain.facts import Fact
from shared.domain.posting import Posting
from shared.domain.referrals import Referral
from shared.domain.terms import PARTNER, Terms
from shared.domain.terms_reader import parse_terms
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
        enrolment = get(self._client, self._core, keys.enrolment(partner_id, program_id))
        if enrolment is None:
            return None
        partition, prefix = keys.partner_reward(partner_id, program_id, "", "", "")
        rewards = query(self._client, self._core, partition, prefix=prefix.rstrip("#") + "#")
        _, lines = keys.partner_trace(partner_id, program_id, "", "")
        trace = query(self._client, self._core, partition, prefix=lines.rstrip("#") + "#")
        return PartnerFile(
            standing=self.standing(partner_id, program_id),
            terms_version=enrolment["terms_version"],
            rewards=tuple(reward_from(row) for row in rewards),
            trace=tuple(trace_from(row) for row in trace),
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
            known = parse_terms(
                json.loads(published["definition"]),
                currency=program["currency"],
                time_zone=program["time_zone"],
            )
            self._terms[program_id, version] = known
        return known

    def book(self, holder_id: str, program_id: str) -> Book:
        """Return a holder's book."""
        return books.read_book(self._client, self._core, holder_id, program_id)

    def standing(self, partner_id: str, program_id: str) -> Standing:
        """Return what a partner's referrals add up to."""
        row = get(self._client, self._core, keys.standing(partner_id, program_id))
        return Standing(
            partner_id=partner_id,
            program_id=program_id,
            sums=row["sums"] if row else {},
            version=row["version"] if row else 0,
        )

    def rate(self, program_id: str, currency: str, on: date) -> tuple[str, str] | None:
        """Return (rate, its date): the programme's newest rate not after ``on``."""
        return fx_rates.rate_on(self._client, self._core, program_id, currency, on)

    def cap_used(self, program_id: str, need: NeededAllowance) -> tuple[int, int]:
        """Return (minor units taken, version) of the cap that an allowance is wanted under."""
        row = get(self._client, self._core, _cap_key(program_id, need))
        return (row["used"], row["version"]) if row else (0, 0)

    def due(self, now: datetime, limit: int) -> Iterator[tuple[str, str, str, str]]:
        """Yield (scope, subject id, programme, reward id) of rewards that seem to be due."""
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
                yield row["scope"], row["subject_id"], row["program_id"], row["reward_id"]

    # -- writing ------------------------------------------------------------------------------

    def contribute(
        self,
        before: Referral,
        counting: Mapping[str, int],
        *,
        standing: Standing,
        sums: Mapping[str, int],
        positions: Sequence[Fact],
        event: Event | None,
        now: datetime,
    ) -> None:
        """Store what the referral adds to its partner's sums, under both versions."""
        operations = [
            self._bump(before, counting=dict(counting)),
            put(
                self._core,
                keys.standing(standing.partner_id, standing.program_id),
                {"sums": dict(sums), "version": standing.version + 1},
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
                put(
                    self._core,
                    _cap_key(referral.program_id, need),
                    {"used": used, "version": version + 1},
                    expect=_is_at(version),
                ),
            ],
        )

    def post(self, posting: Posting) -> None:
        """Store one effect: guard, rewards, books, movements, trace and event together."""
        transact(self._client, self._operations(posting))

    def _operations(self, posting: Posting) -> list[Operation]:
        operations = [self._bump(posting.guard)]
        operations += [
            put(self._core, reward_key(change.reward), reward_row(change.reward))
            for change in posting.changes
        ]
        operations += [
            books.advance(self._core, opened, closed) for opened, closed in posting.books
        ]
        operations += [books.append(self._books, movement) for movement in posting.movements]
        operations += [self._trace(posting.guard, line) for line in posting.trace]
        operations.append(outbox.stored(self._core, posting.event, now=posting.now))
        return operations

    def explain(
        self, guard: Guard, lines: Sequence[TraceLine], gone: Sequence[TraceLine] = ()
    ) -> None:
        """Store trace lines and drop those that went, if the guard is still at its version."""
        operations = [check(self._core, _guard_key(guard), _is_at(guard.version))]
        operations += [self._trace(guard, line) for line in lines]
        operations += [delete(self._core, _trace_key(guard, line)) for line in gone]
        transact(self._client, operations)

    def _bump(self, guard: Guard, **assign: object) -> Operation:
        if not guard.version:
            # A partner's file of which nothing is stored yet: its standing begins here.
            return put_new(self._core, _guard_key(guard), {"sums": {}, "version": 1})
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

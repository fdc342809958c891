"""Move referrals to another version of the terms: preview what changes, then do it.

To migrate states a new ``terms_pinned`` fact, and the evaluation posts the difference as after any
other fact. What it would post is found by running that very evaluation on a ledger that keeps
every write to itself.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import date, datetime
from typing import Final

from shared.domain.aggregate import Aggregate, Guard, PartnerFile, Standing
from shared.domain.books import Book
from shared.domain.caps import NeededAllowance
from shared.domain.errors import NotFoundError, StaleVersionError, invalid
from shared.domain.events import FACTS_CHANGED, Event
from shared.domain.facts import MAX_FACTS, Fact
from shared.domain.jobs import MIGRATION, Job
from shared.domain.migration import (
    FULL,
    MIGRATED,
    UNCHANGED,
    UNKNOWN,
    WOULD_CHANGE,
    WOULD_LOSE,
    Item,
    pinned_fact,
    reward_changes,
    somebody_loses,
)
from shared.domain.posting import Posting
from shared.domain.referrals import Referral
from shared.domain.rewards import Change
from shared.domain.terms import PARTNER, Terms
from shared.domain.verdicts import TraceLine
from shared.ports import JobStore, Ledger, MigrationStore, NewId
from shared.usecases.effects import Trigger
from shared.usecases.post_rewards import post_rewards
from shared.usecases.run_job import request_job

TRIES: Final = 5
CHUNK: Final = 20
MAX_NAMED: Final = 1_000
"""Referrals that one request may name; more are a migration of all."""


def start_migration(
    store: JobStore,
    program_id: str,
    to_version: int,
    referral_ids: Sequence[str] | None,
    *,
    preview: bool,
    no_decrease: bool,
    actor: str,
    now: datetime,
    new_id: NewId,
    mark: str,
    correlation_id: str,
) -> Job:
    """Store a job that moves the named referrals, or all, or tells what moving them would do.

    Raises:
        NotFoundError: no such programme.
        InvalidFieldsError: naming ``to_version`` if it was never published.
    """
    if store.program(program_id) is None:
        raise NotFoundError
    if store.terms(program_id, to_version) is None:
        raise invalid("to_version", "unknown", "was never published")
    settings = {
        "to_version": to_version,
        "referrals": None if referral_ids is None else sorted(set(referral_ids)),
        "preview": preview,
        "no_decrease": no_decrease,
    }
    return request_job(
        store,
        MIGRATION,
        new_id("mig"),
        program_id,
        settings,
        actor=actor,
        now=now,
        event_id=new_id("evt"),
        mark=mark,
        correlation_id=correlation_id,
    )


class Migration:
    """Satisfies ``run_job.Worker``."""

    chunk_size = CHUNK

    def __init__(
        self,
        ledger: Ledger,
        store: MigrationStore,
        *,
        trigger: Trigger,
        now: datetime,
        new_id: NewId,
        pause: Callable[[int], None],
    ) -> None:
        """Keep where referrals are read and written."""
        self._ledger = ledger
        self._store = store
        self._trigger = trigger
        self._now = now
        self._new_id = new_id
        self._pause = pause

    def work(self, job: Job, referral_ids: Iterable[str]) -> tuple[str, Mapping[str, int]]:
        """Migrate or preview each referral once, and count the outcomes."""
        counts: dict[str, int] = {}
        for referral_id in referral_ids:
            outcome = self._one(job, referral_id).outcome
            counts[outcome] = counts.get(outcome, 0) + 1
        return "", counts

    def merge(self, _job: Job, _results: Iterable[str]) -> str:
        """Return no report: what was done is told referral by referral."""
        return ""

    def _one(self, job: Job, referral_id: str) -> Item:
        for attempt in range(TRIES):
            known = self._store.item(job.job_id, referral_id)
            if known is not None:
                return known
            aggregate = self._ledger.load(referral_id)
            try:
                return self._decide(job, referral_id, aggregate)
            except StaleVersionError:
                self._pause(attempt)
        raise StaleVersionError(referral_id)

    def _decide(self, job: Job, referral_id: str, found: Aggregate | None) -> Item:
        version = job.settings["to_version"]
        if found is None or found.referral.program_id != job.program_id:
            return self._told(job, Item(referral_id=referral_id, outcome=UNKNOWN))
        before = found.referral
        item = Item(referral_id=referral_id, outcome=UNCHANGED, from_version=before.terms_version)
        if before.terms_version == version:
            return self._told(job, item)
        terms = self._ledger.terms(job.program_id, version)
        fact = pinned_fact(
            found,
            terms,
            version=version,
            job_id=job.job_id,
            actor=job.requested_by,
            now=self._now,
        )
        if fact is None or len(found.facts) >= MAX_FACTS:
            return self._told(job, replace(item, outcome=FULL))
        after = replace(before, terms_version=version, version=before.version + 1)
        moved = replace(found, referral=after, facts=(*found.facts, fact))
        changes = self._preview(moved, terms)
        item = replace(item, changes=reward_changes(found.rewards, changes))
        if job.settings["no_decrease"] and somebody_loses(found.rewards, changes):
            return self._told(job, replace(item, outcome=WOULD_LOSE))
        if job.settings["preview"]:
            return self._told(job, replace(item, outcome=WOULD_CHANGE))
        item = replace(item, outcome=MIGRATED)
        event = self._changed(after, fact)
        self._store.migrate(before, after, fact, event, job=job, item=item)
        return item

    def _told(self, job: Job, item: Item) -> Item:
        self._store.add_item(job, item)
        return item

    def _preview(self, moved: Aggregate, terms: Terms) -> tuple[Change, ...]:
        dry = DryLedger(self._ledger, moved, terms)
        post_rewards(
            dry,
            moved.referral.referral_id,
            trigger=self._trigger,
            now=self._now,
            new_id=self._new_id,
            pause=self._pause,
        )
        return tuple(dry.changes)

    def _changed(self, referral: Referral, fact: Fact) -> Event:
        return Event(
            event_id=self._new_id("evt"),
            name=FACTS_CHANGED,
            occurred_at=self._now,
            program_id=referral.program_id,
            aggregate_type="referral",
            aggregate_id=referral.referral_id,
            aggregate_version=referral.version,
            correlation_id=self._trigger.correlation_id,
            causation_id=self._trigger.causation_id,
            hops=self._trigger.hops + 1,
            data={"referral_id": referral.referral_id, "kinds": [fact.kind]},
        )


class DryLedger:
    """Satisfies ``ports.Ledger`` for one referral: reads what is stored, keeps what is written.

    ``changes`` are those that the rewards would see.
    """

    def __init__(self, ledger: Ledger, aggregate: Aggregate, terms: Terms) -> None:
        """Keep the referral as it would be."""
        self._ledger = ledger
        self._aggregate = aggregate
        self._terms = terms
        self._standings: dict[str, Standing] = {}
        self._used: dict[tuple[str, str, str], int] = {}
        self.changes: list[Change] = []

    def load(self, _referral_id: str) -> Aggregate | None:
        """Return the referral as it would be."""
        return self._aggregate

    def load_partner(self, partner_id: str, program_id: str) -> PartnerFile | None:
        """Return a partner's file as it is."""
        return self._ledger.load_partner(partner_id, program_id)

    def terms(self, _program_id: str, _version: int) -> Terms:
        """Return the terms that it would be judged by."""
        return self._terms

    def book(self, holder_id: str, program_id: str) -> Book:
        """Return an empty book: what is in it changes no reward."""
        return Book(holder_id=holder_id, program_id=program_id)

    def standing(self, partner_id: str, program_id: str) -> Standing:
        """Return a partner's sums, with what the referral would add."""
        known = self._standings.get(partner_id)
        return known or self._ledger.standing(partner_id, program_id)

    def rate(self, program_id: str, currency: str, on: date) -> tuple[str, str] | None:
        """Return the programme's rate."""
        return self._ledger.rate(program_id, currency, on)

    def cap_used(self, program_id: str, need: NeededAllowance) -> tuple[int, int]:
        """Return what is taken of a cap, with what the referral would take."""
        used = self._used.get(_cap(need))
        return (used, 0) if used is not None else self._ledger.cap_used(program_id, need)

    def contribute(
        self,
        _before: Referral,
        _counting: Mapping[str, int],
        *,
        standing: Standing,
        sums: Mapping[str, int],
        positions: Sequence[Fact],  # noqa: ARG002 - the run keeps them itself
        event: Event | None,  # noqa: ARG002 - nobody is told
        now: datetime,  # noqa: ARG002 - nothing is dated
    ) -> None:
        """Keep the sums."""
        self._standings[standing.partner_id] = replace(standing, sums=dict(sums))

    def pin(self, _referral: Referral, _facts: Sequence[Fact]) -> None:
        """Keep nothing: the run knows what it pinned."""

    def pin_allowance(
        self,
        _referral: Referral,
        need: NeededAllowance,
        _fact: Fact,
        *,
        used: int,
        version: int,  # noqa: ARG002 - nobody else writes here
    ) -> None:
        """Keep what is taken of the cap."""
        self._used[_cap(need)] = used

    def post(self, posting: Posting) -> None:
        """Keep the changes of the rewards."""
        self.changes += posting.changes

    def explain(
        self, _guard: Guard, _lines: Sequence[TraceLine], _gone: Sequence[TraceLine] = ()
    ) -> None:
        """Keep nothing."""

    def due(self, _now: datetime, _limit: int) -> Iterator[tuple[str, str, str, str]]:
        """Yield nothing."""
        return iter(())


def _cap(need: NeededAllowance) -> tuple[str, str, str]:
    return need.cap_id, need.period, need.holder_id if need.scope == PARTNER else ""

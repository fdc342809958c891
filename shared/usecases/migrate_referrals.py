"""Move referrals to another version of the terms: preview what changes, then do it.

To migrate states a new ``terms_pinned`` fact, and the evaluation posts the difference as after any
other fact. What it would post is found by running that very evaluation on a ledger that keeps
every write to itself. Once all referrals of a partner have moved, the version judges the partner's
bonuses too; what the partner accepted stays on record.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from functools import partial
from typing import Final

from shared.domain.aggregate import Aggregate, PartnerFile
from shared.domain.errors import GoodwordError, NotFoundError, StaleVersionError, invalid
from shared.domain.events import FACTS_CHANGED, Event
from shared.domain.facts import MAX_FACTS
from shared.domain.jobs import MIGRATION, Job, Merged, Worked, added
from shared.domain.migration import (
    FULL,
    MIGRATED,
    OF_PARTNERS,
    REFERRALS_STAY,
    UNCHANGED,
    UNKNOWN,
    UNREADABLE,
    WOULD_CHANGE,
    WOULD_LOSE,
    Brought,
    Item,
    Partners,
    bonuses_count,
    bring,
    brought_by,
    brought_read,
    brought_written,
    lowered,
    pinned_fact,
    reward_changes,
    somebody_loses,
    with_changes,
)
from shared.domain.referrals import Referral
from shared.domain.rewards import Change
from shared.domain.terms import Terms
from shared.ports import JobStore, Ledger, MigrationStore, NewId, PartnerLedger
from shared.usecases.control_jobs import request_job
from shared.usecases.dry_ledger import DryLedger
from shared.usecases.effects import Trigger
from shared.usecases.post_rewards import post_rewards
from shared.usecases.run_job import OutOfTime
from shared.usecases.settle_partner import settle_partner

TRIES: Final = 5
CHUNK: Final = 100
Looked = tuple[Item, Partners]
"""What became of a referral or a partner, and what that means for partners."""
MOST: Final = 10_000_000
"""Referrals of one migration: merging holds only their partners."""
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
    most = MOST

    def __init__(
        self,
        ledger: PartnerLedger,
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

    # -- referrals ----------------------------------------------------------------------------

    def work(self, job: Job, referral_ids: Sequence[str], out_of_time: OutOfTime) -> Worked:
        """Migrate or preview each referral once; tell what that means for its partners."""
        counts: dict[str, int] = {}
        partners: dict[str, Brought] = {}
        done = 0
        for referral_id in referral_ids:
            look = partial(self._look, job, referral_id)
            item, brought = self._tried(job, Item(referral_id=referral_id), look)
            counts = added(counts, {item.outcome: 1})
            bring(partners, brought)
            done += 1
            if out_of_time():
                break
        text = brought_written(partners) if job.settings["referrals"] is None else ""
        return Worked(done=done, text=text, counts=counts)

    def _tried(self, job: Job, item: Item, look: Callable[[], Looked]) -> Looked:
        """Return what a look finds, after others wrote first; one that breaks stops no others."""
        for attempt in range(TRIES):
            try:
                return look()
            except StaleVersionError:
                self._pause(attempt)
            except GoodwordError:
                raise
            except Exception:  # noqa: BLE001 - as said above; the list names it
                return self._told(job, replace(item, outcome=UNREADABLE)), {}
        raise StaleVersionError(item.place)

    def _look(self, job: Job, referral_id: str) -> Looked:
        # A preview may be made anew; what was moved is found to be moved.
        known = None if job.settings["preview"] else self._store.item(job.job_id, referral_id)
        found = self._ledger.load(referral_id)
        if found is None or found.referral.program_id != job.program_id:
            return known or self._told(job, Item(referral_id=referral_id, outcome=UNKNOWN)), {}
        gained: Mapping[str, Mapping[str, int]] = {}
        item = known
        if item is None:
            item, gained = self._decide(job, found)
        if item.outcome == MIGRATED:
            self._settle(referral_id)
        return item, brought_by(found.referral, item.outcome, gained)

    def _decide(self, job: Job, found: Aggregate) -> tuple[Item, Mapping[str, Mapping[str, int]]]:
        """Return what becomes of a referral, and what its partners' sums would gain."""
        version = job.settings["to_version"]
        before = found.referral
        item = Item(
            referral_id=before.referral_id, outcome=UNCHANGED, from_version=before.terms_version
        )
        if before.terms_version == version:
            return self._told(job, item), {}
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
            return self._told(job, replace(item, outcome=FULL)), {}
        after = replace(before, terms_version=version, version=before.version + 1)
        dry = DryLedger(
            self._ledger,
            terms,
            aggregate=replace(found, referral=after, facts=(*found.facts, fact)),
        )
        self._settle_on(dry, before.referral_id)
        item = with_changes(item, reward_changes(found.rewards, dry.changes))
        if job.settings["no_decrease"] and (
            somebody_loses(found.rewards, dry.changes) or self._lowers_bonuses(job, before, dry)
        ):
            return self._told(job, replace(item, outcome=WOULD_LOSE)), {}
        if job.settings["preview"]:
            return self._told(job, replace(item, outcome=WOULD_CHANGE)), dry.added
        item = replace(item, outcome=MIGRATED)
        event = self._changed(job, "referral", before.referral_id, after.version, fact.kind)
        self._store.migrate(before, after, fact, event, job=job, item=item)
        return item, {}

    def _lowers_bonuses(self, job: Job, before: Referral, dry: DryLedger) -> bool:
        """Tell whether anything falls that a bonus of a partner counts now."""
        for partner_id, key in lowered(before.counting, dry.counting):
            version = self._ledger.accepted(partner_id, job.program_id)
            if version and bonuses_count(self._ledger.terms(job.program_id, version), key):
                return True
        return False

    def _settle(self, referral_id: str) -> None:
        """Post the difference now, so that partners' sums are right when they are looked at."""
        try:
            self._settle_on(self._ledger, referral_id)
        except GoodwordError:
            raise
        except Exception:  # noqa: BLE001 - it breaks again for the stored event, which is set aside
            return

    def _settle_on(self, ledger: Ledger, referral_id: str) -> None:
        post_rewards(
            ledger,
            referral_id,
            trigger=self._trigger,
            now=self._now,
            new_id=self._new_id,
            pause=self._pause,
        )

    # -- partners -----------------------------------------------------------------------------

    def merge(self, job: Job, results: Iterable[str], out_of_time: OutOfTime) -> Merged:
        """Have the version judge the bonuses of partners whose referrals all moved."""
        partners: dict[str, Brought] = {}
        for text in results:
            bring(partners, brought_read(text))
        counts: dict[str, int] = {}
        for partner_id in sorted(each for each in partners if each > job.after):
            look = partial(self._look_at_partner, job, partner_id, partners[partner_id])
            item, _ = self._tried(job, Item(partner_id=partner_id), look)
            if item.outcome:
                counts = added(counts, {f"{OF_PARTNERS}{item.outcome}": 1})
            if out_of_time():
                return Merged(counts=counts, after=partner_id)
        return Merged(counts=counts)

    def _look_at_partner(self, job: Job, partner_id: str, brought: Brought) -> Looked:
        item = Item(partner_id=partner_id)
        known = None if job.settings["preview"] else self._store.item(job.job_id, item.place)
        if known is not None:
            return known, {}
        file = self._ledger.load_partner(partner_id, job.program_id)
        # Who is not enrolled gets no bonus.
        return (self._decide_on_file(job, file, brought), {}) if file else (item, {})

    def _decide_on_file(self, job: Job, file: PartnerFile, brought: Brought) -> Item:
        version, partner_id = job.settings["to_version"], file.standing.partner_id
        item = Item(partner_id=partner_id, outcome=UNCHANGED, from_version=file.terms_version)
        is_there = file.terms_version == version
        if is_there and not job.settings["preview"]:
            return self._told(job, item)
        if brought.stay:
            return self._told(job, replace(item, outcome=REFERRALS_STAY))
        # Of those that moved the sums are stored already.
        sums = added(file.standing.sums, brought.sums)
        moved = replace(file, terms_version=version, standing=replace(file.standing, sums=sums))
        changes = self._bonuses(moved, self._ledger.terms(job.program_id, version))
        item = with_changes(item, reward_changes(file.rewards, changes))
        if is_there:
            return self._told(job, item)
        if job.settings["no_decrease"] and somebody_loses(file.rewards, changes):
            return self._told(job, replace(item, outcome=WOULD_LOSE))
        if job.settings["preview"]:
            return self._told(job, replace(item, outcome=WOULD_CHANGE))
        item = replace(item, outcome=MIGRATED)
        event = self._changed(job, "partner", partner_id, file.standing.version + 1)
        self._store.migrate_partner(file, event, job=job, item=item)
        return item

    def _bonuses(self, file: PartnerFile, terms: Terms) -> list[Change]:
        dry = DryLedger(self._ledger, terms, file=file)
        dry.more = True
        while dry.more:
            dry.more = False
            settle_partner(
                dry,
                file.standing.partner_id,
                file.standing.program_id,
                trigger=self._trigger,
                now=self._now,
                new_id=self._new_id,
                pause=self._pause,
            )
        return dry.changes

    def _told(self, job: Job, item: Item) -> Item:
        self._store.add_item(job, item)
        return item

    def _changed(
        self, job: Job, aggregate_type: str, subject_id: str, version: int, *kinds: str
    ) -> Event:
        data: dict[str, object] = {"kinds": list(kinds)}
        if aggregate_type == "referral":
            data["referral_id"] = subject_id
        return Event(
            event_id=self._new_id("evt"),
            name=FACTS_CHANGED,
            occurred_at=self._now,
            program_id=job.program_id,
            aggregate_type=aggregate_type,
            aggregate_id=subject_id,
            aggregate_version=version,
            correlation_id=self._trigger.correlation_id,
            causation_id=self._trigger.causation_id,
            hops=self._trigger.hops + 1,
            data=data,
        )

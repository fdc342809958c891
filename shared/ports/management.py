"""What the management of programmes needs.

``mark`` names the request: a row that carries it was stored by an earlier run of the same request,
and adding it again answers what is stored.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

# Only for the type checker, so that a function loads no more of the domain than it uses.
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from datetime import date, datetime

    from shared.domain.access import ApiKey
    from shared.domain.adjustments import Adjustment
    from shared.domain.aggregate import Aggregate, Guard, PartnerFile, Standing
    from shared.domain.books import Movement
    from shared.domain.click_tokens import Keyring
    from shared.domain.events import Event
    from shared.domain.facts import Fact
    from shared.domain.fulfilments import Fulfilment
    from shared.domain.fx_rates import FxRate
    from shared.domain.jobs import Chunk, Job
    from shared.domain.links import Link
    from shared.domain.migration import Item
    from shared.domain.partners import Enrolment, Move, Partner
    from shared.domain.programs import Program, PublishedTerms
    from shared.domain.proposals import Proposal
    from shared.domain.referrals import Referral
    from shared.domain.rewards import Reward
    from shared.domain.sources import Source
    from shared.domain.verdicts import TraceLine


class ProgramStore(Protocol):
    """Programmes and their published terms."""

    def program(self, program_id: str) -> Program | None:
        """Return a programme."""

    def add_program(self, program: Program, *, mark: str) -> Program:
        """Store a new programme; ``program_exists`` if the id is taken."""

    def save_program(self, program: Program, *, changed: Sequence[str]) -> Program:
        """Write the changed fields, unless somebody wrote since ``program.version``."""

    def publish(self, terms: PublishedTerms, program: Program, *, mark: str) -> None:
        """Store the next version and make it the newest, unless the programme changed."""

    def published_by_request(self, program_id: str, mark: str) -> PublishedTerms | None:
        """Return what an earlier run of this request published."""

    def terms(self, program_id: str, version: int) -> PublishedTerms | None:
        """Return one published version."""


class RateStore(Protocol):
    """Dated exchange rates."""

    def add_rate(self, rate: FxRate, event: Event, *, mark: str) -> FxRate:
        """Store a rate and its event; ``rate_exists`` if the day has one."""


class CustomerStore(Protocol):
    """Lists of existing customers."""

    def add_customers(
        self, program_id: str, customer_ids: Sequence[str], *, actor: str, now: datetime
    ) -> None:
        """Store entries, whether they are there already or not."""

    def remove_customer(self, program_id: str, customer_id: str) -> None:
        """Remove an entry, if it is there."""


class PartnerStore(Protocol):
    """Partners, enrolments and their personal data."""

    def partner(self, partner_id: str) -> Partner | None:
        """Return a partner."""

    def add_partner(self, partner: Partner, person: Mapping[str, Any], *, mark: str) -> Partner:
        """Store a partner with the person behind it."""

    def save_partner(
        self,
        partner: Partner,
        *,
        before: Partner,
        changed: Sequence[str],
        person: Mapping[str, Any],
        move: Move | None,
        mark: str,
    ) -> None:
        """Write changed fields, personal data and the move, unless somebody wrote first."""

    def enrolment(self, partner_id: str, program_id: str) -> Enrolment | None:
        """Return a partner's enrolment."""

    def save_enrolment(self, enrolment: Enrolment, *, before: Enrolment | None) -> None:
        """Write an enrolment that is still as it was read."""


class LinkStore(Protocol):
    """Links by code."""

    def link(self, code: str) -> Link | None:
        """Return a link, also a retired one."""

    def add_link(self, link: Link, *, mark: str) -> Link:
        """Store a link; ``code_taken`` if the code is or was somebody's."""

    def save_link(self, link: Link, *, changed: Sequence[str]) -> Link:
        """Write the changed fields, unless somebody wrote since ``link.version``."""

    def retire_link(self, link: Link) -> Link:
        """Write that a link is retired and take it off all lists, unless somebody wrote since."""

    def clicks_under_cap(self, link: Link) -> int:
        """Return what is counted since the link has its cap."""


class SourceStore(Protocol):
    """Webhook sources."""

    def source(self, source_id: str) -> Source | None:
        """Return a source."""

    def save_source(self, source: Source, *, changed: Sequence[str]) -> None:
        """Write the changed fields."""

    def add_source(self, source: Source, *, mark: str) -> Source:
        """Store a source; return the stored one if an earlier run of this request did."""


class ApiKeyStore(Protocol):
    """Management keys."""

    def api_key(self, key_id: str) -> ApiKey | None:
        """Return a key."""

    def add_api_key(self, key: ApiKey, *, mark: str) -> ApiKey:
        """Store a key; return the stored one if an earlier run of this request did."""

    def revoke(self, key_id: str, *, now: datetime) -> None:
        """Mark a key as revoked, once."""


class KeyringStore(Protocol):
    """The keys that sign click tokens."""

    def click_keyring(self) -> tuple[Keyring, str]:
        """Return the ring and the mark of the request that renewed it last."""

    def save_click_keyring(self, keyring: Keyring, *, before: Keyring, mark: str) -> None:
        """Replace the ring if it is still the one ``before``."""


class ReviewStore(Protocol):
    """Referrals as their reviewers need them."""

    def referral(self, referral_id: str) -> Referral | None:
        """Return the head of a referral."""

    def has_fact(self, referral_id: str, fact_id: str) -> bool:
        """Tell whether a fact is stored."""

    def record_review(
        self, referral: Referral, fact: Fact, event: Event, *, version: int, now: datetime
    ) -> None:
        """Write head, fact and event together, unless somebody wrote since ``version``."""


class HandStore(Protocol):
    """Referrals as those who state facts by hand need them. Every read is consistent."""

    def referral(self, referral_id: str) -> Referral | None:
        """Return the head of a referral."""

    def facts(self, referral_id: str) -> list[Fact]:
        """Return all facts of a referral."""

    def program(self, program_id: str) -> Program | None:
        """Return a programme."""

    def terms(self, program_id: str, version: int) -> PublishedTerms | None:
        """Return one published version."""

    def enrolment(self, partner_id: str, program_id: str) -> Enrolment | None:
        """Return a partner's enrolment."""

    def partner(self, partner_id: str) -> Partner | None:
        """Return a partner."""

    def proposal(self, referral_id: str, proposal_id: str) -> Proposal | None:
        """Return a proposal."""

    def add_proposal(self, proposal: Proposal, *, mark: str) -> Proposal:
        """Store a proposal."""

    def add_fact(
        self,
        before: Referral,
        after: Referral,
        fact: Fact,
        event: Event,
        *,
        proposal: Proposal | None,
        now: datetime,
    ) -> None:
        """Write fact and event, unless somebody wrote since; close the open proposal, if any."""


class StatusStore(Protocol):
    """The status of partners. Every read is consistent."""

    def partner_status(self, partner_id: str) -> str:
        """Return a partner's status; "" if there is no such partner."""


class TraceStore(StatusStore, Protocol):
    """Referrals and partners' files, and the reasons behind their rewards."""

    def partner_file(self, partner_id: str, program_id: str) -> PartnerFile | None:
        """Return an enrolled partner's file."""

    def referral(self, referral_id: str) -> Referral | None:
        """Return the head of a referral."""

    def trace(self, referral_id: str) -> Sequence[TraceLine]:
        """Return the stored trace lines."""

    def terms(self, program_id: str, version: int) -> PublishedTerms | None:
        """Return the terms that judge the referral."""

    def facts(self, referral_id: str) -> Sequence[Fact]:
        """Return all facts of a referral."""

    def rewards(self, referral_id: str) -> Sequence[Reward]:
        """Return the rewards of a referral, of every beneficiary."""


class HistoryStore(Protocol):
    """Referrals and partners' files, with what was posted for them and the facts behind it."""

    def referral(self, referral_id: str) -> Referral | None:
        """Return the head of a referral."""

    def facts(self, referral_id: str) -> Sequence[Fact]:
        """Return all facts of a referral."""

    def rewards(self, referral_id: str) -> Sequence[Reward]:
        """Return the rewards of a referral, of every beneficiary."""

    def partner_file(self, partner_id: str, program_id: str) -> PartnerFile | None:
        """Return an enrolled partner's file."""

    def fact(self, referral_id: str, fact_id: str) -> Fact | None:
        """Return one fact of a referral."""

    def adjustment(self, adjustment_id: str) -> Adjustment | None:
        """Return an adjustment."""

    def movements(self, guard: Guard, rewards: Iterable[Reward]) -> Iterator[Movement]:
        """Yield the movements of a guard's rewards but releases, each reward's in order."""

    def reports(self, guard: Guard) -> Iterator[Fulfilment]:
        """Yield what became of a guard's benefits."""


class AdjustmentStore(Protocol):
    """Adjustments as those who ask for them and approve them need them."""

    def program(self, program_id: str) -> Program | None:
        """Return a programme."""

    def enrolment(self, partner_id: str, program_id: str) -> Enrolment | None:
        """Return a partner's enrolment."""

    def adjustment(self, adjustment_id: str) -> Adjustment | None:
        """Return an adjustment."""

    def add_adjustment(self, adjustment: Adjustment, event: Event | None) -> Adjustment:
        """Store an adjustment with its event; one that this request stored before comes back."""

    def approve(self, adjustment: Adjustment, event: Event) -> None:
        """Write who approved it, with the event, if it still waits."""


class JobStore(Protocol):
    """Simulations and migrations: their plans, results and reports. No read decides money.

    Every write of a job demands that it is still in the version before.
    """

    def job(self, job_id: str) -> Job | None:
        """Return a job."""

    def add_job(self, job: Job, event: Event) -> Job:
        """Store a job with its event; one that this request stored before comes back."""

    def shards(self, job: Job) -> int:
        """Return how many lists hold the job's referrals."""

    def heads(self, job: Job, *, limit: int) -> tuple[Sequence[str], str]:
        """Return referrals of the list that is planned, and where it goes on; "" at its end."""

    def plan(
        self, before: Job, after: Job, chunks: Sequence[Chunk], events: Sequence[Event]
    ) -> None:
        """Store chunks with the job and what is announced."""

    def chunk(self, job_id: str, number: int) -> Chunk | None:
        """Return a chunk."""

    def open_chunks(self, job_id: str) -> Iterator[int]:
        """Yield the numbers of the chunks that no run has worked on, in order."""

    def save_result(self, job_id: str, chunk: Chunk, text: str, *, now: datetime) -> None:
        """Store what a run made of a chunk; nobody reads it before the chunk names the run."""

    def finish_chunk(
        self, before: Job, after: Job, chunk: Chunk, rest: Chunk | None, events: Sequence[Event]
    ) -> None:
        """Store that a run has worked on a chunk, what it left, the job and what is announced."""

    def move(self, before: Job, after: Job, events: Sequence[Event]) -> None:
        """Store a job with what is announced."""

    def results(self, job: Job) -> Iterator[str]:
        """Yield what came of each chunk, in order."""

    def save_page(self, job: Job, number: int, text: str) -> None:
        """Store a page beside the report; nobody reads it before the job names the run."""

    def finish(self, before: Job, after: Job, report: str) -> None:
        """Store the report, if there is one, with the job."""

    def report(self, job_id: str) -> str:
        """Return the report; "" if there is none."""

    def program(self, program_id: str) -> Program | None:
        """Return a programme."""

    def terms(self, program_id: str, version: int) -> PublishedTerms | None:
        """Return one published version."""


class HistoryReader(Protocol):
    """What a simulation reads, from several threads if it likes."""

    def history(self, referral_id: str) -> Aggregate | None:
        """Return a referral with its facts and rewards, without its trace."""

    def success_rewards(self, partner_id: str, program_id: str) -> Sequence[Reward]:
        """Return what a partner was given for successes."""

    def rate(self, program_id: str, currency: str, on: date) -> tuple[str, str] | None:
        """Return (rate, its date): the programme's newest rate not after ``on``."""


class MigrationStore(Protocol):
    """What a migration writes."""

    def item(self, job_id: str, place: str) -> Item | None:
        """Return what a migration did to a referral or a partner, if it did anything yet."""

    def add_item(self, job: Job, item: Item) -> None:
        """Store what a migration would do to a referral or a partner."""

    def migrate(
        self, before: Referral, after: Referral, fact: Fact, event: Event, *, job: Job, item: Item
    ) -> None:
        """Write head, fact, event and item together, unless somebody wrote since."""

    def migrate_partner(self, before: PartnerFile, event: Event, *, job: Job, item: Item) -> None:
        """Write what judges the bonuses, event and item, unless somebody wrote since."""


class FulfilmentStore(StatusStore, Protocol):
    """Rewards that others fulfil. Every read is consistent."""

    def referral(self, referral_id: str) -> Referral | None:
        """Return the head of a referral."""

    def standing(self, partner_id: str, program_id: str) -> Standing | None:
        """Return a partner's standing, if anything ever counted."""

    def reward(self, guard: Guard, reward_id: str) -> Reward | None:
        """Return one reward under its guard."""

    def reports(self, guard: Guard, reward_id: str) -> Sequence[Fulfilment]:
        """Return what was reported on a reward."""

    def report(self, guard: Guard, reward: Reward, report: Fulfilment, event: Event) -> None:
        """Write reward, report and event, unless somebody wrote to the guard since."""

"""What use cases need from the outside, as small Protocols. Adapters satisfy them."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Protocol

# Only for the type checker, so that a function loads no more of the domain than it uses.
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from datetime import date, datetime

    from shared.domain.access import ApiKey
    from shared.domain.adjustments import Adjustment
    from shared.domain.aggregate import Aggregate, Guard, PartnerFile, Standing
    from shared.domain.attribution import Attribution
    from shared.domain.books import Book, Movement
    from shared.domain.caps import NeededAllowance
    from shared.domain.click_tokens import Keyring
    from shared.domain.deliveries import Awaited, Awaiting, Binding, Delivery, Waiting
    from shared.domain.events import Event
    from shared.domain.facts import Fact
    from shared.domain.fulfilments import Fulfilment
    from shared.domain.fx_rates import FxRate
    from shared.domain.jobs import Chunk, Job
    from shared.domain.leads import Lead
    from shared.domain.links import Link
    from shared.domain.migration import Item
    from shared.domain.outgoing import Outcome, Outgoing
    from shared.domain.partners import Enrolment, Partner
    from shared.domain.posting import Posting
    from shared.domain.programs import Program, PublishedTerms
    from shared.domain.proposals import Proposal
    from shared.domain.referrals import Referral
    from shared.domain.rewards import Reward
    from shared.domain.sources import Source
    from shared.domain.terms import Terms
    from shared.domain.verdicts import TraceLine

NewId = Callable[[str], str]
"""Takes a prefix such as ``ref`` and returns a fresh id such as ``ref_01k...``."""


# Intake


class ReceiptSecrets(Protocol):
    """Where the secret behind receipts is kept."""

    def server_secret(self) -> bytes | None:
        """Return the secret that keyed hashes are derived from; None before any programme."""


class IntakeStore(ReceiptSecrets, Protocol):
    """What a submitted form reads and writes. Every read is consistent."""

    def program(self, program_id: str) -> Program | None:
        """Return a programme."""

    def terms(self, program_id: str, version: int) -> PublishedTerms | None:
        """Return one published version."""

    def link(self, code: str) -> Link | None:
        """Return the link that a typed code names; None too for what can't be a code."""

    def partner(self, partner_id: str) -> Partner | None:
        """Return a partner."""

    def enrolment(self, partner_id: str, program_id: str) -> Enrolment | None:
        """Return a partner's enrolment."""

    def click_keyring(self) -> Keyring | None:
        """Return the keys that sign click tokens; None before any programme."""

    def add_referral(
        self,
        referral: Referral,
        *,
        facts: Sequence[Fact],
        lead: Lead,
        digest: str,
        claim: str | None,
        event: Event | None,
    ) -> str:
        """Store all of it or nothing; return the id of the referral that holds the claim.

        That is another referral's id if somebody claimed the lead first; nothing is stored then.
        Without ``claim`` no lead is claimed and the own id comes back.
        """

    def add_repeat(self, referral_id: str, found: Attribution, *, now: datetime) -> None:
        """Remember that the lead of this referral came again, at most once per evidence."""


# Money


class Ledger(Protocol):
    """Referrals, partners' files and the books. Every read but ``due`` is consistent.

    Every write demands that its guard, and each book and counter that it moves, is still as it
    was read.
    """

    def load(self, referral_id: str) -> Aggregate | None:
        """Return a referral with its facts, rewards and trace."""

    def load_partner(self, partner_id: str, program_id: str) -> PartnerFile | None:
        """Return an enrolled partner's standing with the rewards that depend on it."""

    def terms(self, program_id: str, version: int) -> Terms:
        """Return a published version of a programme's terms."""

    def book(self, holder_id: str, program_id: str) -> Book:
        """Return a holder's book; one that nothing was posted to yet is empty."""

    def standing(self, partner_id: str, program_id: str) -> Standing:
        """Return what a partner's referrals add up to."""

    def rate(self, program_id: str, currency: str, on: date) -> tuple[str, str] | None:
        """Return (rate, its date): the programme's newest rate not after ``on``."""

    def cap_used(self, program_id: str, need: NeededAllowance) -> tuple[int, int]:
        """Return (minor units taken, version) of the cap that an allowance is wanted under."""

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
        """Store what the referral adds to its partner's sums, with pinned positions.

        Raises:
            StaleVersionError: when the referral or the standing is not as it was read.
        """

    def pin(self, referral: Referral, facts: Sequence[Fact]) -> None:
        """Store facts that must stay decided.

        Raises:
            StaleVersionError: when the referral is not as it was read.
        """

    def pin_allowance(
        self, referral: Referral, need: NeededAllowance, fact: Fact, *, used: int, version: int
    ) -> None:
        """Store an allowance and what is taken of its cap now.

        Raises:
            StaleVersionError: when the referral or the cap is not as it was read.
        """

    def post(self, posting: Posting) -> None:
        """Store one effect, all or nothing.

        Raises:
            StaleVersionError: when the guard or a book is not as it was read.
        """

    def explain(
        self, guard: Guard, lines: Sequence[TraceLine], gone: Sequence[TraceLine] = ()
    ) -> None:
        """Store trace lines that explain a guard at this version, and drop those that went.

        Raises:
            StaleVersionError: when the guard is not as it was read.
        """

    def due(self, now: datetime, limit: int) -> Iterator[tuple[str, str, str, str]]:
        """Yield (scope, subject id, programme, reward id) of rewards that seem to be due."""


class AdjustmentLedger(Ledger, Protocol):
    """A ledger that knows what persons gave beside all rules."""

    def adjustment(self, adjustment_id: str) -> Adjustment | None:
        """Return an adjustment."""

    def post_adjustment(self, posting: Posting, adjustment: Adjustment) -> None:
        """Store a posting, and the adjustment as posted, all or nothing.

        Raises:
            StaleVersionError: when it was posted already, or anything is not as it was read.
        """


# Management. ``mark`` names the request: a row that carries it was stored by an earlier run of
# the same request, and adding it again answers what is stored.


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

    def add_rate(self, rate: FxRate, *, mark: str) -> FxRate:
        """Store a rate; ``rate_exists`` if the day has one."""


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
    ) -> None:
        """Write changed fields and personal data, unless somebody wrote first."""

    def enrolment(self, partner_id: str, program_id: str) -> Enrolment | None:
        """Return a partner's enrolment."""

    def save_enrolment(self, enrolment: Enrolment, *, before: Enrolment | None) -> None:
        """Write an enrolment that is still as it was read."""


class LinkStore(Protocol):
    """Links by code."""

    def add_link(self, link: Link, *, mark: str) -> Link:
        """Store a link; ``code_taken`` if the code is or was somebody's."""


class SourceStore(Protocol):
    """Webhook sources."""

    def add_source(self, source: Source, *, mark: str) -> bool:
        """Store a source; False if an earlier run of this request did."""


class ApiKeyStore(Protocol):
    """Management keys."""

    def api_key(self, key_id: str) -> ApiKey | None:
        """Return a key."""

    def add_api_key(self, key: ApiKey, *, mark: str) -> bool:
        """Store a key; False if an earlier run of this request did."""

    def revoke(self, key_id: str, *, now: datetime) -> None:
        """Mark a key as revoked, once."""


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


class TraceStore(Protocol):
    """Referrals and the reasons behind their rewards."""

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
    """A referral, its facts and its movements."""

    def referral(self, referral_id: str) -> Referral | None:
        """Return the head of a referral."""

    def facts(self, referral_id: str) -> Sequence[Fact]:
        """Return all facts of a referral."""

    def movements(self, referral_id: str, *, limit: int) -> Sequence[Movement]:
        """Return the movements of a referral's rewards in all books."""


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

    def save_result(
        self, job_id: str, number: int, run_id: str, text: str, *, now: datetime
    ) -> None:
        """Store what a run made of a chunk; nobody reads it before the chunk names the run."""

    def finish_chunk(self, before: Job, after: Job, chunk: Chunk, events: Sequence[Event]) -> None:
        """Store that a run has worked on a chunk, with the job and what is announced."""

    def results(self, job: Job) -> Iterator[str]:
        """Yield what came of each chunk, in order."""

    def finish(self, before: Job, after: Job, report: str) -> None:
        """Store the report, if there is one, with the job."""

    def report(self, job_id: str) -> str:
        """Return the report; "" if there is none."""

    def program(self, program_id: str) -> Program | None:
        """Return a programme."""

    def terms(self, program_id: str, version: int) -> PublishedTerms | None:
        """Return one published version."""


class MigrationStore(Protocol):
    """What a migration writes."""

    def item(self, job_id: str, referral_id: str) -> Item | None:
        """Return what a migration did to a referral, if it did anything yet."""

    def add_item(self, job: Job, item: Item) -> None:
        """Store what a migration would do to a referral."""

    def migrate(
        self, before: Referral, after: Referral, fact: Fact, event: Event, *, job: Job, item: Item
    ) -> None:
        """Write head, fact, event and item together, unless somebody wrote since."""


class FulfilmentStore(Protocol):
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


# Outbox


class Outbox(Protocol):
    """Stored events on their way to the bus. Marks may be written twice."""

    def unsent(self, *, before: datetime, limit: int) -> Sequence[Outgoing]:
        """Return events stored before a moment that are neither sent nor parked."""

    def mark_sent(self, event_id: str, *, now: datetime) -> None:
        """Remember that the bus has the event."""

    def park(self, event_id: str, reason: str, *, now: datetime) -> None:
        """Set an event aside that can't be published as it is; the row stays."""


class Bus(Protocol):
    """Where events go."""

    def publish(self, events: Sequence[Outgoing]) -> Iterator[tuple[Outgoing, Outcome]]:
        """Yield the outcome of each event; stop early once the bus is too busy to go on."""


# Deliveries


class WebhookSecrets(Protocol):
    """Secrets of webhook sources, encrypted at rest."""

    def decrypt(self, ciphertext: bytes, *, source_id: str) -> str:
        """Return the secret; one that was encrypted for another source is refused."""


class Inbox(Protocol):
    """Where deliveries are stored before anything else happens to them."""

    def source(self, source_id: str) -> Source | None:
        """Return a webhook source."""

    def add_delivery(
        self, delivery: Delivery, body: bytes, event: Event, *, now: datetime
    ) -> str | None:
        """Store row, bytes and event together; return the id of what was in the way, or None.

        That is the delivery's own id if it is stored already, and another's if that one came
        under the same message id. A delivery with ``message_id_reused`` claims no message id.
        """


class WaitingStore(Protocol):
    """Referrals, and deliveries that named them too early. Every read is consistent."""

    def referral(self, referral_id: str) -> Referral | None:
        """Return the head of a referral."""

    def lead_of(self, referral_id: str) -> str | None:
        """Return the keyed hash of a referral's lead; None if it claims none."""

    def open_referrals(self, code: str, limit: int) -> Sequence[str]:
        """Return referrals that came by a link and have no deal yet."""

    def awaiting(self, awaited: Awaited, program_id: str) -> Iterator[Awaiting]:
        """Yield the deliveries of a programme that wait for the referral of an evidence."""

    def announce_awaiting(self, awaiting: Awaiting, event: Event, *, now: datetime) -> bool:
        """Store the event instead of the delivery's word, or return False if that is gone."""


class DeliveryStore(WaitingStore, Protocol):
    """What applying a delivery reads and writes. Every read is consistent."""

    def delivery(self, delivery_id: str) -> Delivery | None:
        """Return an inbox row."""

    def body(self, delivery: Delivery) -> bytes | None:
        """Return the raw bytes; None once they have expired."""

    def source(self, source_id: str) -> Source | None:
        """Return a webhook source."""

    def binding(self, source_id: str, deal_id: str) -> Binding | None:
        """Return which referral a deal belongs to."""

    def facts(self, referral_id: str) -> Sequence[Fact]:
        """Return all facts of a referral."""

    def referral_of_click(self, click_id: str) -> str | None:
        """Return the one referral that a click led to; None too if it led to several."""

    def referral_of_email(self, program_id: str, email_hmac: str) -> str | None:
        """Return the referral that claims a lead."""

    def click_keyring(self) -> Keyring:
        """Return the keys that sign click tokens."""

    def server_secret(self) -> bytes:
        """Return the secret that keyed hashes are derived from."""

    def waiting(self, source_id: str, deal_id: str, limit: int) -> Sequence[Waiting]:
        """Return deliveries that wait for the deal's binding, those that could bind it first."""

    def append_facts(
        self,
        referral: Referral,
        facts: Sequence[Fact],
        event: Event | None,
        *,
        binding: Binding | None,
        now: datetime,
    ) -> None:
        """Write the head in its new version with facts, event and binding, all or nothing.

        Raises:
            StaleVersionError: when the referral, or the deal's binding, is not as it was read.
        """

    def settle(
        self,
        before: Delivery,
        after: Delivery,
        *,
        unbound: Mapping[str, bool],
        bound: Sequence[str],
        awaited: Mapping[str, Sequence[Awaited]],
        has_body: bool,
    ) -> None:
        """Write a delivery's state, and which deals and referrals it waits for.

        ``unbound`` maps deals to whether the delivery names their referral; each must still be
        without a binding. ``bound`` are the deals that it waits for no longer. ``awaited`` maps
        either to the evidence of the referral that it named. ``has_body`` says that the raw
        bytes are there to be kept for longer or shorter.

        Raises:
            StaleVersionError: when the delivery or a binding is not as it was read.
        """

    def announce(self, event: Event, *, now: datetime) -> None:
        """Store an outgoing event by itself."""

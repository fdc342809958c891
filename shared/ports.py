"""What use cases need from the outside, as small Protocols. Adapters satisfy them."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Protocol

# Only for the type checker, so that a function loads no more of the domain than it uses.
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from datetime import datetime

    from shared.domain.access import ApiKey
    from shared.domain.aggregate import Aggregate, Standing
    from shared.domain.attribution import Attribution
    from shared.domain.books import Book
    from shared.domain.click_tokens import Keyring
    from shared.domain.deliveries import Binding, Delivery, Waiting
    from shared.domain.evaluation import TraceLine
    from shared.domain.events import Event
    from shared.domain.facts import Fact
    from shared.domain.leads import Lead
    from shared.domain.links import Link
    from shared.domain.outgoing import Outcome, Outgoing
    from shared.domain.partners import Enrolment, Partner
    from shared.domain.posting import Posting
    from shared.domain.programs import Program, PublishedTerms
    from shared.domain.referrals import Referral
    from shared.domain.sources import Source
    from shared.domain.terms import Terms

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
    """Referrals, their rewards and the books. Every read but ``due`` is consistent."""

    def load(self, referral_id: str) -> Aggregate | None:
        """Return a referral with its facts, rewards and trace."""

    def terms(self, program_id: str, version: int) -> Terms:
        """Return a published version of a programme's terms."""

    def book(self, holder_id: str, program_id: str) -> Book:
        """Return a holder's book; one that nothing was posted to yet is empty."""

    def standing(self, partner_id: str, program_id: str) -> Standing:
        """Return what counts for a partner's tiers."""

    def pin_standing(
        self,
        before: Referral,
        after: Referral,
        standing: Standing,
        counted: Standing,
        position: Fact | None,
    ) -> None:
        """Store the new count and the referral's position, all or nothing.

        Raises:
            StaleVersionError: when the referral or the standing is not as it was read.
        """

    def post(self, posting: Posting) -> None:
        """Store one effect, all or nothing.

        Raises:
            StaleVersionError: when the referral or a book is not as it was read.
        """

    def explain(self, referral: Referral, lines: Sequence[TraceLine]) -> None:
        """Store trace lines that explain a referral at this version.

        Raises:
            StaleVersionError: when the referral is not as it was read.
        """

    def due(self, now: datetime, limit: int) -> Iterator[tuple[str, str]]:
        """Yield (referral id, reward id) of rewards with a hold that seems to be over."""


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


class TraceStore(Protocol):
    """Referrals and the reasons behind their rewards."""

    def referral(self, referral_id: str) -> Referral | None:
        """Return the head of a referral."""

    def trace(self, referral_id: str) -> Sequence[TraceLine]:
        """Return the stored trace lines."""

    def terms(self, program_id: str, version: int) -> PublishedTerms | None:
        """Return the terms that judge the referral."""


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


class DeliveryStore(Protocol):
    """What applying a delivery reads and writes. Every read is consistent."""

    def delivery(self, delivery_id: str) -> Delivery | None:
        """Return an inbox row."""

    def body(self, delivery: Delivery) -> bytes | None:
        """Return the raw bytes; None once they have expired."""

    def source(self, source_id: str) -> Source | None:
        """Return a webhook source."""

    def binding(self, source_id: str, deal_id: str) -> Binding | None:
        """Return which referral a deal belongs to."""

    def referral(self, referral_id: str) -> Referral | None:
        """Return the head of a referral."""

    def facts(self, referral_id: str) -> Sequence[Fact]:
        """Return all facts of a referral."""

    def referral_of_click(self, click_id: str) -> str | None:
        """Return the one referral that a click led to; None too if it led to several."""

    def referral_of_email(self, program_id: str, email_hmac: str) -> str | None:
        """Return the referral that claims a lead."""

    def open_referrals(self, code: str, limit: int) -> Sequence[str]:
        """Return referrals that came by a link and have no deal yet."""

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
        has_body: bool,
    ) -> None:
        """Write a delivery's state, and which deals it waits for.

        ``unbound`` maps deals to whether the delivery names their referral; each must still be
        without a binding. ``bound`` are the deals that it waits for no longer. ``has_body`` says
        that the raw bytes are there to be kept for longer or shorter.

        Raises:
            StaleVersionError: when the delivery or a binding is not as it was read.
        """

    def announce(self, event: Event, *, now: datetime) -> None:
        """Store an outgoing event by itself."""

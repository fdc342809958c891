"""What deliveries need."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

# Only for the type checker, so that a function loads no more of the domain than it uses.
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from datetime import datetime

    from shared.domain.click_tokens import Keyring
    from shared.domain.deliveries import Awaited, Awaiting, Binding, Delivery, Waiting
    from shared.domain.events import Event
    from shared.domain.facts import Fact
    from shared.domain.referrals import Referral
    from shared.domain.sources import Source
    from shared.domain.terms import Terms


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


class ReplayStore(Protocol):
    """Deliveries, and the way to ask for one again."""

    def delivery(self, delivery_id: str) -> Delivery | None:
        """Return an inbox row; every read is consistent."""

    def announce(self, event: Event, *, now: datetime) -> None:
        """Store an outgoing event by itself."""


class DeliveryStore(ReplayStore, WaitingStore, Protocol):
    """What applying a delivery reads and writes. Every read is consistent."""

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

    def terms(self, program_id: str, version: int) -> Terms:
        """Return a published version of a programme's terms."""

    def merge_referrals(
        self,
        merged: Iterable[tuple[Referral, Fact, Event]],
        *,
        rebound: tuple[Binding, Binding] | None,
        now: datetime,
    ) -> None:
        """Write the heads of two referrals of one deal, each with its fact, all or nothing.

        ``rebound`` is a binding as it was read and as it becomes.

        Raises:
            StaleVersionError: when a referral or the binding is not as it was read.
        """

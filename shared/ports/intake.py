"""What a submitted form needs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

# Only for the type checker, so that a function loads no more of the domain than it uses.
if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from shared.domain.attribution import Attribution
    from shared.domain.click_tokens import Keyring
    from shared.domain.events import Event
    from shared.domain.facts import Fact
    from shared.domain.leads import Lead
    from shared.domain.links import Link
    from shared.domain.partners import Enrolment, Partner
    from shared.domain.programs import Program, PublishedTerms
    from shared.domain.referrals import Referral


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

"""What a submitted form needs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

# Only for the type checker, so that a function loads no more of the domain than it uses.
if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from shared.domain.attribution import Attribution
    from shared.domain.claims import Claim, NewReferral, Succession
    from shared.domain.click_tokens import Keyring
    from shared.domain.facts import Fact
    from shared.domain.links import Link
    from shared.domain.partners import Enrolment, Partner
    from shared.domain.programs import Program
    from shared.domain.referrals import Referral
    from shared.domain.terms import Terms


class ReceiptSecrets(Protocol):
    """Where the secret behind receipts is kept."""

    def server_secret(self) -> bytes | None:
        """Return the secret that keyed hashes are derived from; None before any programme."""


class IntakeStore(ReceiptSecrets, Protocol):
    """What a submitted form reads and writes. Every read is consistent."""

    def program(self, program_id: str) -> Program | None:
        """Return a programme."""

    def terms(self, program: Program, version: int) -> Terms | None:
        """Return one published version."""

    def link(self, code: str) -> Link | None:
        """Return the link that a typed code names; None too for what can't be a code."""

    def partner(self, partner_id: str) -> Partner | None:
        """Return a partner."""

    def enrolment(self, partner_id: str, program_id: str) -> Enrolment | None:
        """Return a partner's enrolment."""

    def click_keyring(self) -> Keyring | None:
        """Return the keys that sign click tokens; None before any programme."""

    def is_customer(self, program_id: str, customer_ids: Sequence[str]) -> bool:
        """Tell whether any of the entries is on the programme's list of customers."""

    def referral(self, referral_id: str) -> Referral | None:
        """Return the head of a referral."""

    def facts(self, referral_id: str) -> list[Fact]:
        """Return all facts of a referral."""

    def add_referral(self, new: NewReferral, succession: Succession | None = None) -> Claim:
        """Store all of it or nothing; return who holds the lead then.

        That is another referral if somebody claimed the lead first, and nothing is stored. With
        ``succession`` the lead passes from the referral that it names, if both are still as they
        were read. What claims no lead comes back as its own holder.
        """

    def add_repeat(self, referral_id: str, found: Attribution, *, now: datetime) -> None:
        """Remember that the lead of this referral came again, at most once per evidence."""

"""What posting needs: referrals, partners' files, jobs and the books."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

# Only for the type checker, so that a function loads no more of the domain than it uses.
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from datetime import date, datetime

    from shared.domain.adjustments import Adjustment
    from shared.domain.aggregate import Aggregate, Guard, PartnerFile, Settled, Standing
    from shared.domain.books import Book
    from shared.domain.caps import NeededAllowance
    from shared.domain.events import Event
    from shared.domain.facts import Fact
    from shared.domain.posting import Posting
    from shared.domain.referrals import Referral
    from shared.domain.rewards import Due, Reward
    from shared.domain.terms import Terms
    from shared.domain.verdicts import TraceLine


class Ledger(Protocol):
    """Referrals, partners' files and the books. Every read is consistent.

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

    def await_rate(self, program_id: str, currency: str, referral_id: str) -> None:
        """Leave word that a referral waits for a rate; look for one again afterwards."""

    def partner_status(self, partner_id: str) -> str:
        """Return a partner's status; "" if there is no such partner."""

    def cap_used(self, program_id: str, need: NeededAllowance) -> tuple[int, int]:
        """Return (minor units taken, version) of the cap that an allowance is wanted under."""

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
            StaleVersionError: when the guard, a book or a status is not as it was read.
        """

    def explain(
        self, guard: Guard, lines: Sequence[TraceLine], gone: Sequence[TraceLine] = ()
    ) -> None:
        """Store trace lines that explain a guard at this version, and drop those that went.

        Raises:
            StaleVersionError: when the guard is not as it was read.
        """


class PartnerLedger(Ledger, Protocol):
    """A ledger that settles partners' files piece by piece."""

    def accepted(self, partner_id: str, program_id: str) -> int | None:
        """Return the version of the terms that a partner's enrolment accepted, if enrolled."""

    def partner_reward(self, standing: Standing, rule_id: str, occurrence: str) -> Reward | None:
        """Return one reward of a partner's file."""

    def partner_rows(
        self, standing: Standing, after: str, limit: int
    ) -> tuple[tuple[Reward, ...], tuple[TraceLine, ...], str | None]:
        """Return the next rewards, and then lines, of a partner's file.

        They are at most ``limit`` behind the place ``after`` ("" is the beginning), with the
        place behind them, or None if there are no more.
        """

    def remember(
        self,
        standing: Standing,
        settled: Settled,
        lines: Sequence[TraceLine],
        gone: Sequence[TraceLine],
        event: Event | None,
    ) -> None:
        """Store how far a partner's file is settled, with trace lines, and drop those that went.

        Raises:
            StaleVersionError: when the standing is not as it was read.
        """


class MaturityLedger(PartnerLedger, Protocol):
    """A ledger that knows which rewards are due. ``due`` alone may be out of date."""

    def due(self, now: datetime, limit: int) -> Iterator[Due]:
        """Yield rewards that seem to be due, the longest overdue first."""

    def look_later(self, due: Due, until: datetime) -> None:
        """Have a due reward looked at again at another time; nothing else of it changes.

        Raises:
            StaleVersionError: when it is due at another time already, or not at all.
        """

    def forfeit(
        self, due: Due, until: datetime, event: Event, *, pinned: tuple[Referral, Fact] | None
    ) -> None:
        """Announce that a due reward is forfeit, and look again in case nobody hears of it.

        ``pinned`` is what is to be pinned to a referral.

        Raises:
            StaleVersionError: when the referral, or when it is due, is not as it was read.
        """


class AdjustmentLedger(PartnerLedger, Protocol):
    """A ledger that knows what persons gave beside all rules."""

    def adjustment(self, adjustment_id: str) -> Adjustment | None:
        """Return an adjustment."""

    def post_adjustment(self, posting: Posting, adjustment: Adjustment) -> None:
        """Store a posting, and the adjustment as posted, all or nothing.

        Raises:
            StaleVersionError: when it was posted already, or anything is not as it was read.
        """


class RateWaits(Protocol):
    """Which referrals wait for exchange rates."""

    def awaiting(self, program_id: str, currency: str) -> Iterator[str]:
        """Return which referrals wait for a rate of the currency, read consistently."""

    def announce(
        self, program_id: str, currency: str, referral_id: str, event: Event, *, now: datetime
    ) -> bool:
        """Take a word away and store the event that answers it; False if it is gone already."""

"""A ledger that reads what is stored and keeps what is written: what would be posted, and is not.

It stands for one referral as it would be, or for one partner's file as it would be. What it is
asked for besides is read from the books.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import date, datetime
from typing import Any, Final

from shared.domain.aggregate import Aggregate, Guard, PartnerFile, Settled, Standing
from shared.domain.books import Book
from shared.domain.caps import NeededAllowance
from shared.domain.events import Event
from shared.domain.facts import Fact
from shared.domain.posting import Posting
from shared.domain.referrals import Referral
from shared.domain.rewards import Change, Reward
from shared.domain.terms import PARTNER, Terms
from shared.domain.verdicts import TraceLine
from shared.ports import PartnerLedger

_FIRST: Final = 1


class DryLedger:
    """Satisfies ``ports.PartnerLedger`` and writes nothing.

    ``changes`` are those that the rewards would see, ``added`` is what partners' sums would gain,
    ``counting`` what the referral would remember of it, or None if that stays as it is. ``more``
    tells that a run on a partner's file asked for another one.
    """

    def __init__(
        self,
        ledger: PartnerLedger,
        terms: Terms,
        *,
        aggregate: Aggregate | None = None,
        file: PartnerFile | None = None,
    ) -> None:
        """Keep what it stands for, as it would be under these terms."""
        self._ledger = ledger
        self._terms = terms
        self._aggregate = aggregate
        self._file = file
        self._standings: dict[str, Standing] = {}
        self._rewards: dict[tuple[str, str], Reward] = {}
        if file:
            # A file of which nothing is stored yet would begin with its first write.
            standing = replace(file.standing, version=max(file.standing.version, _FIRST))
            self._standings[standing.partner_id] = standing
            self._rewards = {(each.rule_id, each.occurrence): each for each in file.rewards}
        self._used: dict[tuple[str, str, str], int] = {}
        self.changes: list[Change] = []
        self.added: dict[str, dict[str, int]] = {}
        self.counting: Mapping[str, int] | None = None
        self.more = False

    # -- reading ------------------------------------------------------------------------------

    def load(self, _referral_id: str) -> Aggregate | None:
        """Return the referral as it would be."""
        return self._aggregate

    def load_partner(self, partner_id: str, program_id: str) -> PartnerFile | None:
        """Return a partner's file as it would be, or is."""
        return self._file or self._ledger.load_partner(partner_id, program_id)

    def accepted(self, _partner_id: str, _program_id: str) -> int | None:
        """Return the version that would judge the file."""
        return self._file.terms_version if self._file else None

    def partner_reward(self, _standing: Standing, rule_id: str, occurrence: str) -> Reward | None:
        """Return a reward of the file as it would be."""
        return self._rewards.get((rule_id, occurrence))

    def partner_rows(
        self, _standing: Standing, _after: str, _limit: int
    ) -> tuple[tuple[Reward, ...], tuple[TraceLine, ...], str | None]:
        """Return all rewards of the file at once: they are in memory."""
        return tuple(self._rewards.values()), (), None

    def terms(self, _program_id: str, _version: int) -> Terms:
        """Return the terms that it would be judged by."""
        return self._terms

    def book(self, holder_id: str, program_id: str) -> Book:
        """Return an empty book: what is in it changes no reward."""
        return Book(holder_id=holder_id, program_id=program_id)

    def standing(self, partner_id: str, program_id: str) -> Standing:
        """Return a partner's sums as they would be."""
        known = self._standings.get(partner_id)
        return known or self._ledger.standing(partner_id, program_id)

    def rate(self, program_id: str, currency: str, on: date) -> tuple[str, str] | None:
        """Return the programme's rate."""
        return self._ledger.rate(program_id, currency, on)

    def await_rate(self, _program_id: str, _currency: str, _referral_id: str) -> None:
        """Leave no word: nothing is posted that could wait."""

    def partner_status(self, partner_id: str) -> str:
        """Return a partner's status as it is."""
        return self._ledger.partner_status(partner_id)

    def cap_used(self, program_id: str, need: NeededAllowance) -> tuple[int, int]:
        """Return what is taken of a cap, with what would be taken besides."""
        used = self._used.get(_cap(need))
        return (used, 0) if used is not None else self._ledger.cap_used(program_id, need)

    # -- writing ------------------------------------------------------------------------------

    def contribute(
        self,
        _before: Referral,
        counting: Mapping[str, int],
        *,
        standing: Standing,
        sums: Mapping[str, int],
        movers: Mapping[str, str],  # noqa: ARG002 - nobody asks why
        positions: Sequence[Fact],
        event: Event | None,  # noqa: ARG002 - nobody is told
        now: datetime,  # noqa: ARG002 - nothing is dated
    ) -> None:
        """Keep the sums."""
        gained = self.added.setdefault(standing.partner_id, {})
        for key in {*sums, *standing.sums}:
            gain = sums.get(key, 0) - standing.sums.get(key, 0)
            gained[key] = gained.get(key, 0) + gain
        self._standings[standing.partner_id] = replace(standing, sums=dict(sums))
        self.counting = dict(counting)
        self._pinned(positions, counting=dict(counting))

    def pin(self, _referral: Referral, facts: Sequence[Fact]) -> None:
        """Keep what is pinned: a run that pins too much for one try goes on from there."""
        self._pinned(facts)

    def _pinned(self, facts: Sequence[Fact], **changes: Any) -> None:  # noqa: ANN401 - of the head
        known = self._aggregate
        if known:
            head = replace(known.referral, version=known.referral.version + 1, **changes)
            self._aggregate = replace(known, referral=head, facts=(*known.facts, *facts))

    def pin_allowance(
        self,
        _referral: Referral,
        need: NeededAllowance,
        fact: Fact,
        *,
        used: int,
        version: int,  # noqa: ARG002 - nobody else writes here
    ) -> None:
        """Keep what is taken of the cap."""
        self._used[_cap(need)] = used
        self._pinned([fact])

    def post(self, posting: Posting) -> None:
        """Keep the changes of the rewards, and of a partner's file how far it is settled."""
        self.changes += posting.changes
        self._used |= {_cap(move.need): move.used_minor for move in posting.caps}
        if isinstance(posting.guard, Standing):
            for change in posting.changes:
                reward = change.reward
                self._rewards[reward.rule_id, reward.occurrence] = reward
            self._settled(posting.guard, posting.settled or posting.guard.settled)

    def remember(
        self,
        standing: Standing,
        settled: Settled,
        _lines: Sequence[TraceLine],
        _gone: Sequence[TraceLine],
        event: Event | None,
    ) -> None:
        """Keep how far the file is settled, and whether another run was asked for."""
        self._settled(standing, settled)
        self.more = event is not None

    def _settled(self, before: Standing, settled: Settled) -> None:
        after = replace(before, settled=settled, version=before.version + 1)
        self._standings[before.partner_id] = after

    def explain(
        self, _guard: Guard, _lines: Sequence[TraceLine], _gone: Sequence[TraceLine] = ()
    ) -> None:
        """Keep nothing."""


def _cap(need: NeededAllowance) -> tuple[str, str, str]:
    return need.cap_id, need.period, need.holder_id if need.scope == PARTNER else ""

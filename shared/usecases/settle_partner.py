"""Bring a partner's own rewards (counts, achievements, true-ups) to what the sums say now.

A run looks only at what lies between the sums that were settled before and those of now, and does
a bounded part of it; what is left is asked for by an event of its own. What a posting settles is
remembered in its own transaction, so a run can be stopped anywhere.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from datetime import datetime
from itertools import islice
from typing import Final

from shared.domain.adjustments import is_adjustment
from shared.domain.aggregate import Settled, Standing, subject_of
from shared.domain.caps import Claimant, NeededAllowance, Room
from shared.domain.entitlements import Entitlement
from shared.domain.errors import StaleVersionError
from shared.domain.events import FACTS_CHANGED, REWARD_POSTED, Event
from shared.domain.holders import without_pending
from shared.domain.money import format_amount
from shared.domain.partner_rules import (
    Occasion,
    counts_at,
    entitlement,
    explains,
    is_wanted,
    occasions,
    sums_behind,
)
from shared.domain.partners import CLOSED
from shared.domain.posting import CapMove
from shared.domain.rewards import Reward, difference
from shared.domain.standing_causes import TERMS_CHANGED, causes_of
from shared.domain.terms import FACE_VALUE_KINDS, FORFEIT, Terms
from shared.domain.verdicts import CAPPED, DENIED, GRANTED, TraceLine
from shared.ports import NewId, PartnerLedger
from shared.usecases.effects import Posted, Trigger, Writer

TRIES: Final = 5
MOST: Final = 30
"""Occasions of one run, and rows that it looks through: what they tell fits one transaction."""

_Place = tuple[str, str]
"""Rule and occurrence."""


def settle_partner(
    ledger: PartnerLedger,
    partner_id: str,
    program_id: str,
    *,
    trigger: Trigger,
    now: datetime,
    new_id: NewId,
    pause: Callable[[int], None],
) -> Posted:
    """Post the difference between a partner's sums and the rewards that hang on them.

    Judged under the terms that the partner's enrolment accepted. Restartable at any point; what
    is too much for one run is announced.

    Raises:
        StaleVersionError: when others kept writing first; the delivery must be tried again.
        UnavailableError: when the store does not answer.
    """
    writer = Writer(ledger=ledger, trigger=trigger, now=now, new_id=new_id)
    for attempt in range(TRIES):
        # First of all: what else is read is at least as new, and the version guards the rest.
        standing = ledger.standing(partner_id, program_id)
        version = ledger.accepted(partner_id, program_id) if standing.version else None
        if version is None:
            return Posted()
        try:
            return _opened(ledger, writer, standing, version).settle()
        except StaleVersionError:
            pause(attempt)
    raise StaleVersionError(partner_id)


def _opened(ledger: PartnerLedger, writer: Writer, standing: Standing, version: int) -> "_Run":
    """Return a run on the basis that holds now; another one than before is settled from anew."""
    terms = ledger.terms(standing.program_id, version)
    forfeits = (
        terms.partner_closed == FORFEIT and ledger.partner_status(standing.partner_id) == CLOSED
    )
    settled = standing.settled
    if (settled.terms_version, settled.forfeits) != (version, forfeits):
        settled = Settled(terms_version=version, forfeits=forfeits)
    return _Run(ledger=ledger, writer=writer, terms=terms, standing=standing, settled=settled)


@dataclass(slots=True, kw_only=True)
class _Counters:
    """Asks caps for room, and collects what is taken of them once it is posted."""

    ledger: PartnerLedger
    program_id: str
    moves: list[CapMove] = field(default_factory=list)

    def ask(self, need: NeededAllowance) -> int:
        used, version = self.ledger.cap_used(self.program_id, need)
        allowed = need.allowed(used)
        taken = used - need.own_minor + allowed
        self.moves.append(CapMove(need=need, used_minor=taken, version=version))
        return allowed


@dataclass(slots=True, kw_only=True)
class _Run:
    """One attempt. ``settled`` and what is told run ahead of what is stored until it ends."""

    ledger: PartnerLedger
    writer: Writer
    terms: Terms
    standing: Standing
    settled: Settled
    posted: Posted = field(default_factory=Posted)
    told: dict[_Place, TraceLine] = field(default_factory=dict)
    gone: dict[_Place, TraceLine] = field(default_factory=dict)

    def settle(self) -> Posted:
        todo = occasions(self.terms, self.standing.sums, self.settled.seen)
        for occasion in islice(todo, MOST):
            if occasion.line:
                self._bring(occasion, occasion.line)
            else:
                self._note(occasion, [], [])
        more = next(todo, None) is not None
        if not more and self.settled.left is not None:
            self._look_through(self.settled.left)
            more = self.settled.left is not None
        if more or self.told or self.gone or self.settled != self.standing.settled:
            told, gone = tuple(self.told.values()), tuple(self.gone.values())
            event = self._event() if more else None
            self.ledger.remember(self.standing, self.settled, told, gone, event)
        return replace(self.posted, more=more)

    def _note(
        self, occasion: Occasion, lines: Iterable[TraceLine], gone: Iterable[TraceLine]
    ) -> None:
        """Keep for the end of the run what comes with no posting."""
        self.settled = _with(self.settled, occasion)
        summary = (occasion.summary,) if occasion.summary else ()
        self.told |= {_place(line): line for line in (*summary, *lines)}
        self.gone |= {_place(line): line for line in gone}

    def _look_through(self, left: str) -> None:
        """Take back what no rule gives any more: rows that another basis left behind."""
        sums = self.standing.sums
        rewards, lines, end = self.ledger.partner_rows(self.standing, left, MOST)
        for reward in rewards:
            # What a person gave is wanted by no rule, and no rule may take it away.
            if not is_adjustment(reward) and not is_wanted(
                self.terms, sums, reward.rule_id, reward.occurrence
            ):
                self._post(reward, None, self._left(reward))
        self.gone |= {_place(line): line for line in lines if not explains(self.terms, sums, line)}
        self.settled = replace(self.settled, left=end)

    # -- one occasion -------------------------------------------------------------------------

    def _bring(self, occasion: Occasion, line: TraceLine) -> None:
        """Bring a reward to what its occasion says, after caps, with what explains it."""
        rule_id, occurrence = occasion.rule.rule_id, occasion.occurrence
        reward = self.ledger.partner_reward(self.standing, rule_id, occurrence)
        given, line = self._given(occasion, line, reward)
        if given:
            given, line, moves = self._within_caps(given, occasion, line, reward)
        else:
            moves = self._left(reward) if reward else ()
        is_plain = occasion.is_count and line.code in {GRANTED, "count_not_reached"}
        lines = () if is_plain else (line,)
        # The summary tells of counts while all is plain; what told otherwise before holds no more.
        gone = (line,) if is_plain and reward else ()
        self._post(reward, given, moves, occasion=occasion, lines=lines, gone=gone)

    def _given(
        self, occasion: Occasion, line: TraceLine, reward: Reward | None
    ) -> tuple[Entitlement | None, TraceLine]:
        if not occasion.is_wanted:
            return None, line
        partner_id = self.standing.partner_id
        given = entitlement(self.terms, occasion, partner_id, now=self.writer.now)
        if not self.settled.forfeits:
            return given, line
        return without_pending(given, line, reward)

    def _within_caps(
        self, given: Entitlement, occasion: Occasion, line: TraceLine, reward: Reward | None
    ) -> tuple[Entitlement, TraceLine, tuple[CapMove, ...]]:
        at = counts_at(self.terms, given.occurrence, self.writer.now)
        claimant, counters = self._claimant(given.occurrence, reward, at)
        room = claimant.take(occasion.rule, given.amount_minor, given.worth_minor)
        if room.code:
            line = _limited(line, given, room)
        given = replace(
            given,
            amount_minor=room.amount_minor,
            allowances=room.allowances,
            denied=room.denied,
        )
        return given, line, tuple(counters.moves)

    def _left(self, reward: Reward) -> tuple[CapMove, ...]:
        """Return how caps move when nothing of a reward counts any more."""
        claimant, counters = self._claimant(reward.occurrence, reward, self.writer.now)
        claimant.leave(reward.rule_id)
        return tuple(counters.moves)

    def _claimant(
        self, occurrence: str, reward: Reward | None, at: datetime
    ) -> tuple[Claimant, _Counters]:
        counters = _Counters(ledger=self.ledger, program_id=self.standing.program_id)
        claimant = Claimant(
            terms=self.terms,
            occurrence=occurrence,
            holder_id=self.standing.partner_id,
            at=at,
            kept=reward.allowances if reward else (),
            ask=counters.ask,
        )
        return claimant, counters

    def _post(
        self,
        reward: Reward | None,
        given: Entitlement | None,
        moves: tuple[CapMove, ...],
        *,
        occasion: Occasion | None = None,
        lines: tuple[TraceLine, ...] = (),
        gone: tuple[TraceLine, ...] = (),
    ) -> None:
        """Post the difference, and with it how far the file is settled then."""
        cause = self._cause(given, reward)
        effects = difference(
            [replace(given, cause=(*given.cause, *cause))] if given else [],
            [reward] if reward else [],
            subject=subject_of(self.standing, self.settled.terms_version),
            cause=cause,
        )
        if not effects:
            if occasion:
                self._note(occasion, lines, gone)
            return
        (effect,) = effects
        if occasion:
            self.settled = _with(self.settled, occasion)
            lines = (*lines, occasion.summary) if occasion.summary else lines
        posting = self.writer.posting(
            self.standing, effect.changes, lines, event_name=REWARD_POSTED
        )
        self.ledger.post(replace(posting, settled=self.settled, caps=moves, gone=gone))
        version = self.standing.version + 1
        self.standing = replace(self.standing, version=version, settled=self.settled)
        self.posted = Posted(
            effects=self.posted.effects + 1,
            movements=self.posted.movements + len(posting.movements),
        )

    def _cause(self, given: Entitlement | None, reward: Reward | None) -> tuple[str, ...]:
        """Return what moved the sums last that it hangs on, and whether the terms are others."""
        known = given or reward
        rule = self.terms.rule(known.rule_id) if known else None
        sums = sums_behind(rule, known.occurrence) if rule and known else ()
        found = causes_of(self.standing.movers, sums)
        is_judged_anew = reward and reward.terms_version != self.settled.terms_version
        return (*found, TERMS_CHANGED) if is_judged_anew else found

    def _event(self) -> Event:
        """Return the event that asks for the rest, in a new count of hops: each run does a part."""
        trigger = self.writer.trigger
        return Event(
            event_id=self.writer.new_id("evt"),
            name=FACTS_CHANGED,
            occurred_at=self.writer.now,
            program_id=self.standing.program_id,
            aggregate_type="partner",
            aggregate_id=self.standing.partner_id,
            aggregate_version=self.standing.version + 1,
            correlation_id=trigger.correlation_id,
            causation_id=trigger.causation_id,
            hops=0,
            data={"kinds": []},
        )


def _place(line: TraceLine) -> _Place:
    return line.rule_id, line.occurrence


def _with(settled: Settled, occasion: Occasion) -> Settled:
    return replace(settled, seen={**settled.seen, occasion.key: occasion.seen})


def _limited(line: TraceLine, given: Entitlement, room: Room) -> TraceLine:
    figures = dict(line.figures)
    if given.kind in FACE_VALUE_KINDS:
        figures["amount"] = format_amount(room.amount_minor, given.currency)
        figures["currency"] = given.currency
    outcome = DENIED if room.denied else CAPPED
    return replace(line, outcome=outcome, code=room.code, figures=figures)

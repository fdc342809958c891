"""Rewards as posted, and the difference between them and what the terms say now.

Nothing is edited: a reward changes only by movements. First rewards, late facts, regressions,
re-opened and re-amounted deals are all the same step: post the difference.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from itertools import groupby
from typing import Final

from shared.domain.entitlements import Allowance, Entitlement
from shared.domain.errors import ConflictError
from shared.domain.facts import digest32
from shared.domain.terms import FACE_VALUE_KINDS

EARN: Final = "earn"
REVERSE: Final = "reverse"
CLAW_BACK: Final = "claw_back"
MATURE: Final = "mature"

ISSUED: Final = "issued"
FULFILLED: Final = "fulfilled"
REDEEMED: Final = "redeemed"
REFUSED: Final = "refused"
VOIDED: Final = "voided"
KEPT_FULFILLED: Final = "kept_fulfilled"

_FULFILMENT: Final[Mapping[str, frozenset[str]]] = {
    FULFILLED: frozenset({ISSUED}),
    REDEEMED: frozenset({ISSUED, FULFILLED}),
    REFUSED: frozenset({ISSUED, FULFILLED}),
}
"""Outcome -> states of a benefit that it may follow."""

BY_REFERRAL: Final = "referral"
BY_PARTNER: Final = "partner"


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """What rewards are given for: one referral, or a partner's successes in a programme.

    ``subject_id`` is the referral's or the partner's id.
    """

    scope: str
    subject_id: str
    program_id: str
    terms_version: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Lot:
    """A part of a reward that waits for the end of its own hold."""

    sequence: int
    amount_minor: int
    release_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Reward:
    """What one beneficiary holds for (subject, rule, occurrence), by stage, in minor units.

    ``sequence`` is the number of the last change. ``payable_minor`` may be negative after a
    clawback. ``benefit`` and ``benefit_state`` describe kinds without a face value.
    ``allowances`` are what it takes of caps, if it is in a partner's file.
    """

    reward_id: str
    scope: str = BY_REFERRAL
    subject_id: str
    program_id: str
    rule_id: str
    occurrence: str
    role: str
    holder_id: str
    kind: str
    currency: str
    terms_version: int
    effective_at: datetime
    sequence: int = 0
    lots: tuple[Lot, ...] = ()
    payable_minor: int = 0
    clearing_minor: int = 0
    paid_minor: int = 0
    reversed_minor: int = 0
    clawed_back_minor: int = 0
    held: str = ""
    benefit: Mapping[str, str] = field(default_factory=dict)
    benefit_state: str = ""
    worth_minor: int = 0
    allowances: tuple[Allowance, ...] = ()

    @property
    def referral_id(self) -> str:
        """Return the referral that it is for, or "" if it is for the partner's successes."""
        return self.subject_id if self.scope == BY_REFERRAL else ""

    @property
    def identity(self) -> tuple[str, str, str]:
        """Return (rule, occurrence, holder): what makes it the same reward."""
        return self.rule_id, self.occurrence, self.holder_id

    @property
    def pending_minor(self) -> int:
        """Return what still waits for the end of a hold."""
        return sum(lot.amount_minor for lot in self.lots)

    @property
    def net_minor(self) -> int:
        """Return the sum over all stages: what the terms entitled the beneficiary to."""
        return self.pending_minor + self.payable_minor + self.clearing_minor + self.paid_minor

    @property
    def release_at(self) -> datetime | None:
        """Return when the next part is released, if any waits."""
        return min((lot.release_at for lot in self.lots), default=None)

    @property
    def state(self) -> str:
        """Return the one word that describes the amounts; amounts are what counts."""
        if self.kind not in FACE_VALUE_KINDS:
            state = self.benefit_state or "rejected"
            return "held" if self.held and state == ISSUED else state
        for amount, word in (
            (self.pending_minor, "held" if self.held else "pending"),
            (self.clearing_minor, "in_payout"),
            (max(self.payable_minor, 0), "approved"),
            (self.clawed_back_minor, "clawed_back"),
            (self.paid_minor, "paid"),
        ):
            if amount:
                return word
        return "reversed" if self.reversed_minor else "rejected"


@dataclass(frozen=True, slots=True, kw_only=True)
class Due:
    """A reward as an index knows it, which may be out of date, and its place among all due ones."""

    reward: Reward
    place: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One movement to be made for a reward; ``sequence`` is its natural number."""

    step: str
    sequence: int
    amount_minor: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """A reward after the difference is posted, with the movements that lead there.

    ``entered`` is the state that a benefit goes into, or "".
    """

    reward: Reward
    steps: tuple[Step, ...]
    cause: tuple[str, ...]
    entered: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Effect:
    """All changes of one (rule, occurrence): posted in one transaction or not at all."""

    rule_id: str
    occurrence: str
    changes: tuple[Change, ...]


def reward_id(subject: Subject, identity: tuple[str, str, str]) -> str:
    """Derive the id of a reward from what makes it the same reward."""
    parts = (subject.scope, subject.subject_id, subject.program_id, *identity)
    return "rwd_" + digest32("|".join(parts))


def difference(
    entitlements: Iterable[Entitlement],
    rewards: Iterable[Reward],
    *,
    subject: Subject,
    cause: Sequence[str] = (),
) -> tuple[Effect, ...]:
    """Return the effects that turn ``rewards`` into what ``entitlements`` say; empty if equal.

    ``cause`` names the facts behind changes that no entitlement explains any more.
    """
    wanted = {entitlement.identity: entitlement for entitlement in entitlements}
    posted = {reward.identity: reward for reward in rewards}
    changes = []
    for identity in sorted(wanted.keys() | posted.keys()):
        entitlement = wanted.get(identity)
        reward = posted.get(identity) or _blank(wanted[identity], subject)
        if reward.terms_version != subject.terms_version:
            entitlement = _kept(reward, entitlement)
            reward = replace(reward, terms_version=subject.terms_version)
        change = _change(reward, entitlement, tuple(cause))
        if change is not None:
            changes.append(change)
    return tuple(
        Effect(rule_id=key[0], occurrence=key[1], changes=tuple(group))
        for key, group in groupby(changes, key=lambda change: change.reward.identity[:2])
    )


def mature(reward: Reward, now: datetime) -> Change | None:
    """Return the change that releases every lot whose hold is over, or None if there is none.

    The movement of a lot bears the lot's own number, so it can be made only once.
    """
    if reward.held:
        return None
    ripe = [lot for lot in reward.lots if lot.release_at <= now]
    if not ripe:
        return None
    after = replace(
        reward,
        lots=tuple(lot for lot in reward.lots if lot.release_at > now),
        payable_minor=reward.payable_minor + sum(lot.amount_minor for lot in ripe),
    )
    steps = tuple(
        Step(step=MATURE, sequence=lot.sequence, amount_minor=lot.amount_minor) for lot in ripe
    )
    return Change(reward=after, steps=steps, cause=())


def fulfil(reward: Reward, outcome: str) -> Reward:
    """Return a benefit after it was fulfilled, redeemed or refused.

    Raises:
        ConflictError: ``illegal_fulfilment`` when the benefit is not in a state for it.
    """
    if reward.kind in FACE_VALUE_KINDS or reward.benefit_state not in _FULFILMENT[outcome]:
        message = f"a reward that is {reward.state} cannot become {outcome}"
        raise ConflictError("illegal_fulfilment", message)
    return replace(reward, benefit_state=outcome, sequence=reward.sequence + 1)


def _kept(reward: Reward, entitlement: Entitlement | None) -> Entitlement | None:
    """Leave the dates of what other terms gave, as long as these give the same."""
    if entitlement and (entitlement.amount_minor, dict(entitlement.benefit)) == (
        reward.net_minor,
        dict(reward.benefit),
    ):
        return replace(entitlement, keeps_dates=True)
    return entitlement


def _blank(entitlement: Entitlement, subject: Subject) -> Reward:
    return Reward(
        reward_id=reward_id(subject, entitlement.identity),
        scope=subject.scope,
        subject_id=subject.subject_id,
        program_id=subject.program_id,
        rule_id=entitlement.rule_id,
        occurrence=entitlement.occurrence,
        role=entitlement.role,
        holder_id=entitlement.holder_id,
        kind=entitlement.kind,
        currency=entitlement.currency,
        terms_version=subject.terms_version,
        effective_at=entitlement.effective_at,
        worth_minor=entitlement.worth_minor,
    )


def _change(
    reward: Reward, entitlement: Entitlement | None, cause: tuple[str, ...]
) -> Change | None:
    if reward.kind not in FACE_VALUE_KINDS:
        return _benefit_change(reward, entitlement, cause)
    target = entitlement.amount_minor if entitlement else 0
    delta = target - reward.net_minor
    after = reward
    steps: tuple[Step, ...] = ()
    if delta > 0 and entitlement:
        after, steps = _raised(reward, entitlement, delta)
    elif delta < 0:
        after, steps = _lowered(reward, -delta)
    if entitlement:
        after = _redated(after, entitlement)
    after = replace(after, allowances=entitlement.allowances if entitlement else ())
    if after == reward:
        return None
    return Change(reward=after, steps=steps, cause=entitlement.cause if entitlement else cause)


def _has_matured(reward: Reward) -> bool:
    return bool(
        reward.payable_minor
        or reward.clearing_minor
        or reward.paid_minor
        or reward.clawed_back_minor
    )


def _raised(
    reward: Reward, entitlement: Entitlement, delta: int
) -> tuple[Reward, tuple[Step, ...]]:
    """Add a lot; once a part has matured, an increase waits for a hold of its own."""
    sequence = reward.sequence + 1
    release_at = entitlement.raise_release_at if _has_matured(reward) else entitlement.release_at
    lot = Lot(sequence=sequence, amount_minor=delta, release_at=release_at)
    after = replace(reward, sequence=sequence, lots=(*reward.lots, lot))
    return after, (Step(step=EARN, sequence=sequence, amount_minor=delta),)


def _lowered(reward: Reward, amount: int) -> tuple[Reward, tuple[Step, ...]]:
    """Take from the newest pending lots first, then from what is payable; never from clearing."""
    left = amount
    kept: list[Lot] = []
    for lot in sorted(reward.lots, key=lambda lot: lot.sequence, reverse=True):
        taken = min(left, lot.amount_minor)
        left -= taken
        if lot.amount_minor > taken:
            kept.append(replace(lot, amount_minor=lot.amount_minor - taken))
    reversed_now = amount - left
    sequence = reward.sequence
    steps = []
    if reversed_now:
        sequence += 1
        steps.append(Step(step=REVERSE, sequence=sequence, amount_minor=reversed_now))
    if left:
        sequence += 1
        steps.append(Step(step=CLAW_BACK, sequence=sequence, amount_minor=left))
    after = replace(
        reward,
        sequence=sequence,
        lots=tuple(sorted(kept, key=lambda lot: lot.sequence)),
        payable_minor=reward.payable_minor - left,
        reversed_minor=reward.reversed_minor + reversed_now,
        clawed_back_minor=reward.clawed_back_minor + left,
    )
    return after, tuple(steps)


def _redated(reward: Reward, entitlement: Entitlement) -> Reward:
    """Follow the facts in dates and holds; dates stand still once a part has matured."""
    after = replace(reward, held=entitlement.held)
    if entitlement.keeps_dates or _has_matured(reward):
        return after
    lots = tuple(replace(lot, release_at=entitlement.release_at) for lot in reward.lots)
    return replace(after, lots=lots, effective_at=entitlement.effective_at)


def _benefit_change(
    reward: Reward, entitlement: Entitlement | None, cause: tuple[str, ...]
) -> Change | None:
    entitled = entitlement is not None and not entitlement.denied
    state = _benefit_state(reward.benefit_state, entitled=entitled)
    allowances = entitlement.allowances if entitlement else ()
    if state == reward.benefit_state and state not in {"", ISSUED}:
        kept = replace(reward, allowances=allowances)
        return Change(reward=kept, steps=(), cause=cause) if kept != reward else None
    effective_at = reward.effective_at
    if entitlement and not (entitlement.keeps_dates and state == reward.benefit_state):
        effective_at = entitlement.effective_at
    after = replace(
        reward,
        benefit=dict(entitlement.benefit) if entitlement else reward.benefit,
        benefit_state=state,
        held=entitlement.held if entitlement else "",
        effective_at=effective_at,
        allowances=allowances,
    )
    if after == reward:
        return None
    entered = state if state != reward.benefit_state else ""
    if entered:
        after = replace(after, sequence=reward.sequence + 1)
    told = entitlement.cause if entitlement else cause
    return Change(reward=after, steps=(), cause=told, entered=entered)


def _benefit_state(state: str, *, entitled: bool) -> str:
    """Return the state that follows; what was handed over is never taken back."""
    if state in {FULFILLED, REDEEMED, KEPT_FULFILLED}:
        handed_over = REDEEMED if state == REDEEMED else FULFILLED
        return handed_over if entitled else KEPT_FULFILLED
    if state == REFUSED:
        return REFUSED
    if entitled:
        return ISSUED
    return VOIDED if state else ""

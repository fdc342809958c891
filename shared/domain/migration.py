"""Move a referral to another version of the terms, and say what that changes."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Final

from shared.domain import facts as kinds
from shared.domain.aggregate import Aggregate
from shared.domain.facts import Fact, fact_id, in_order, latest
from shared.domain.pinning import repin
from shared.domain.rewards import VOIDED, Change, Reward
from shared.domain.terms import FACE_VALUE_KINDS, Terms

MIGRATED: Final = "migrated"
WOULD_CHANGE: Final = "would_change"
WOULD_LOSE: Final = "would_lose"
UNCHANGED: Final = "already_there"
UNKNOWN: Final = "not_found"
FULL: Final = "too_many_facts"

_SOURCE: Final = "goodword"


@dataclass(frozen=True, slots=True, kw_only=True)
class RewardChange:
    """What becomes of one reward. Amounts are None for benefits, whose states are told."""

    rule_id: str
    occurrence: str
    role: str
    holder_id: str
    kind: str
    currency: str
    before_minor: int | None
    after_minor: int | None
    before_state: str
    after_state: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """What a migration does, did or would do to one referral."""

    referral_id: str
    outcome: str
    from_version: int = 0
    changes: tuple[RewardChange, ...] = ()


def pinned_fact(
    aggregate: Aggregate, terms: Terms, *, version: int, job_id: str, actor: str, now: datetime
) -> Fact | None:
    """Return the fact that pins other terms; None if none were ever pinned.

    The same job always states the same fact.
    """
    pinned = latest(in_order(aggregate.facts), kinds.TERMS_PINNED)
    if pinned is None:
        return None
    identity = fact_id(
        source=_SOURCE,
        subject=aggregate.referral.referral_id,
        attribute=kinds.TERMS_PINNED,
        value=version,
        when=job_id,
    )
    # The later statement wins, so it must not sort before the one that it replaces.
    at = max(now, pinned.occurred_at)
    return Fact(
        fact_id=identity,
        kind=kinds.TERMS_PINNED,
        occurred_at=at,
        received_at=now,
        source=_SOURCE,
        data={**repin(terms, pinned.data, version), "actor": actor, "migration": job_id},
    )


def reward_changes(
    rewards: Iterable[Reward], changes: Iterable[Change]
) -> tuple[RewardChange, ...]:
    """Return what differs in amount or state; a hold that moves is no change of a reward."""
    before = {reward.reward_id: reward for reward in rewards}
    last: dict[str, Reward] = {change.reward.reward_id: change.reward for change in changes}
    told = (_told(before.get(reward_id), after) for reward_id, after in sorted(last.items()))
    return tuple(change for change in told if change is not None)


def _told(before: Reward | None, after: Reward) -> RewardChange | None:
    has_face_value = after.kind in FACE_VALUE_KINDS
    old = before.net_minor if before else 0
    same = old == after.net_minor
    if not has_face_value:
        same = before is not None and (before.benefit_state, dict(before.benefit)) == (
            after.benefit_state,
            dict(after.benefit),
        )
    if same:
        return None
    return RewardChange(
        rule_id=after.rule_id,
        occurrence=after.occurrence,
        role=after.role,
        holder_id=after.holder_id,
        kind=after.kind,
        currency=after.currency,
        before_minor=old if has_face_value else None,
        after_minor=after.net_minor if has_face_value else None,
        before_state=_state(before),
        after_state=_state(after),
    )


def _state(reward: Reward | None) -> str:
    if reward is None:
        return ""
    if reward.kind in FACE_VALUE_KINDS:
        return reward.state
    shown = " ".join(reward.benefit[name] for name in sorted(reward.benefit))
    return f"{reward.benefit_state} {shown}".strip()


def somebody_loses(rewards: Iterable[Reward], changes: Iterable[Change]) -> bool:
    """Tell whether any holder ends with less of a kind of money, or with less of a benefit."""
    before = {reward.reward_id: reward for reward in rewards}
    last = {change.reward.reward_id: change.reward for change in changes}
    deltas: dict[tuple[str, str, str], int] = {}
    for reward_id, after in last.items():
        old = before.get(reward_id)
        if after.kind in FACE_VALUE_KINDS:
            key = (after.holder_id, after.kind, after.currency)
            change = after.net_minor - (old.net_minor if old else 0)
            deltas[key] = deltas.get(key, 0) + change
        elif old and _is_less(old, after):
            return True
    return any(delta < 0 for delta in deltas.values())


def _is_less(before: Reward, after: Reward) -> bool:
    if after.benefit_state == VOIDED:
        return before.benefit_state != VOIDED
    return _size(after.benefit) < _size(before.benefit)


def _size(benefit: Mapping[str, str]) -> Decimal:
    return Decimal(benefit.get("quantity", benefit.get("percent", "0")))

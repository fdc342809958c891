"""Move a referral to another version of the terms, and say what that changes."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from decimal import Decimal
from typing import Final

from shared.domain import facts as kinds
from shared.domain.aggregate import Aggregate
from shared.domain.contributions import success_key
from shared.domain.facts import Fact, fact_id, in_order, latest
from shared.domain.jobs import added
from shared.domain.pinning import repin
from shared.domain.referrals import Referral
from shared.domain.rewards import VOIDED, Change, Reward
from shared.domain.terms import FACE_VALUE_KINDS, RETROACTIVE, Terms

MIGRATED: Final = "migrated"
WOULD_CHANGE: Final = "would_change"
WOULD_LOSE: Final = "would_lose"
UNCHANGED: Final = "already_there"
UNKNOWN: Final = "not_found"
FULL: Final = "too_many_facts"
UNREADABLE: Final = "unreadable"
REFERRALS_STAY: Final = "referrals_stay"
"""Of a partner: not all referrals moved, so the bonuses are judged as before."""

OF_PARTNERS: Final = "partner:"
"""Counts of partners begin with this, those of referrals are bare."""

MAX_CHANGES: Final = 100
"""Changes that are told of one referral or partner; a row has to hold them."""

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
    """What a migration does, did or would do to one referral, or to a partner's bonuses.

    ``left_out`` counts the changes that are not told.
    """

    referral_id: str = ""
    partner_id: str = ""
    outcome: str = ""
    from_version: int = 0
    changes: tuple[RewardChange, ...] = ()
    left_out: int = 0

    @property
    def place(self) -> str:
        """Return what it is stored and listed by; partners sort above all referrals."""
        return self.referral_id or f"~{self.partner_id}"


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


def with_changes(item: Item, changes: Sequence[RewardChange]) -> Item:
    """Return the item with as many changes as may be told."""
    left_out = max(len(changes) - MAX_CHANGES, 0)
    return replace(item, changes=tuple(changes[:MAX_CHANGES]), left_out=left_out)


# -- what referrals mean for their partners -------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Brought:
    """What some referrals would add to a partner's sums, and how many of them do not move."""

    stay: int = 0
    sums: Mapping[str, int] = field(default_factory=dict)


Partners = Mapping[str, Brought]
"""By partner."""


def brought_by(
    referral: Referral, outcome: str, gained: Mapping[str, Mapping[str, int]]
) -> dict[str, Brought]:
    """Return what one referral brings to all partners that it counts for."""
    owners = {name.partition("/")[0] for name in referral.counting} | gained.keys()
    if referral.partner_id:
        owners.add(referral.partner_id)
    stay = int(outcome in (WOULD_LOSE, FULL))
    return {owner: Brought(stay=stay, sums=gained.get(owner, {})) for owner in sorted(owners)}


def bring(partners: dict[str, Brought], more: Partners) -> None:
    """Add what other referrals bring."""
    for partner_id, brought in more.items():
        known = partners.get(partner_id, Brought())
        partners[partner_id] = Brought(
            stay=known.stay + brought.stay, sums=added(known.sums, brought.sums)
        )


def brought_written(partners: Partners) -> str:
    """Return it as text, for a store."""
    rows = {partner_id: [each.stay, dict(each.sums)] for partner_id, each in partners.items()}
    return json.dumps(rows, separators=(",", ":"))


def brought_read(text: str) -> dict[str, Brought]:
    """Return what ``brought_written`` wrote."""
    return {
        partner_id: Brought(stay=stay, sums=sums)
        for partner_id, (stay, sums) in json.loads(text).items()
    }


def lowered(
    before: Mapping[str, int], after: Mapping[str, int] | None
) -> Iterable[tuple[str, str]]:
    """Yield (partner, key) of what a referral would count less for; None is no change at all."""
    for name, amount in before.items():
        if after is not None and after.get(name, 0) < amount:
            partner_id, _, key = name.partition("/")
            yield partner_id, key


def bonuses_count(terms: Terms, key: str) -> bool:
    """Tell whether bonuses or true-ups of these terms hang on this sum."""
    for rule in terms.rules:
        if rule.is_partner_level and key == success_key(rule.milestone):
            return True
        if rule.tier and rule.tier.mode == RETROACTIVE:
            tier = f"{rule.tier.by}:{rule.tier.milestone}:"
            if key.startswith((f"base:{rule.rule_id}:", tier)):
                return True
    return False

"""What a partner's status does to the rewards that the partner holds.

While suspended, nothing matures: it counts as held, and matures once the partner is active again.
Nothing of that is written into the rewards; the status alone says so. When closed, what is pending
matures as ever, unless the terms forfeit it: then the most that a reward may come to is what was
not pending any more, and stays so whatever happens to the deal. Leads, causes and the partners
who share the credit are not concerned, and what a person gave is not forfeit.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from shared.domain.adjustments import is_adjustment
from shared.domain.entitlements import Entitlement
from shared.domain.facts import FORFEITED, Fact, fact_id
from shared.domain.money import format_amount
from shared.domain.partners import SUSPENDED
from shared.domain.rewards import ISSUED, Reward
from shared.domain.terms import FACE_VALUE_KINDS, FORFEIT, PARTNER, Terms
from shared.domain.verdicts import CAPPED, GRANTED, HELD, REVERSED, TraceLine

PARTNER_SUSPENDED: Final = "partner_suspended"
FORFEITED_PARTNER_CLOSED: Final = "forfeited_partner_closed"

Identity = tuple[str, str, str]
"""Rule, occurrence and holder."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Bound:
    """The most that a reward may come to since the rest was forfeited, and the fact behind it.

    For rewards of a partner's successes the partner's status is behind it, and no fact.
    """

    kept_minor: int
    fact_id: str = ""


# -- suspended ------------------------------------------------------------------------------------


def may_wait(reward: Reward) -> bool:
    """Tell whether a partner holds it and part of it is still to come."""
    return reward.role == PARTNER and bool(reward.pending_minor or reward.benefit_state == ISSUED)


def as_held(reward: Reward, status: str) -> Reward:
    """Return the reward as it counts while its holder has this status."""
    if status != SUSPENDED or not may_wait(reward):
        return reward
    return replace(reward, held=reward.held or PARTNER_SUSPENDED)


def while_suspended(line: TraceLine, holders: Iterable[str]) -> TraceLine:
    """Return what explains a line of which these holders, who are suspended, wait for a part."""
    if line.outcome not in {GRANTED, CAPPED}:
        return line
    return TraceLine(
        rule_id=line.rule_id,
        occurrence=line.occurrence,
        outcome=HELD,
        code=PARTNER_SUSPENDED,
        figures={**line.figures, "suspended": ", ".join(sorted(holders))},
        facts=line.facts,
        release_at=line.release_at,
        level=line.level,
    )


# -- closed ---------------------------------------------------------------------------------------


def is_forfeit(reward: Reward, terms: Terms) -> bool:
    """Tell whether a closed partner who holds a reward loses what is pending of it."""
    return reward.role == PARTNER and terms.partner_closed == FORFEIT and not is_adjustment(reward)


def forfeiture(reward: Reward, *, now: datetime) -> Fact:
    """Return the fact that what is pending is lost; the same one for the same reward as posted."""
    return Fact(
        fact_id=fact_id(
            source="goodword",
            subject=reward.reward_id,
            attribute=FORFEITED,
            value=reward.sequence,
            when="",
        ),
        kind=FORFEITED,
        occurred_at=now,
        received_at=now,
        source="goodword",
        data={
            "rule_id": reward.rule_id,
            "occurrence": reward.occurrence,
            "holder_id": reward.holder_id,
            "kept_minor": reward.net_minor - reward.pending_minor,
        },
    )


def bounds_of(ordered: Iterable[Fact]) -> Mapping[Identity, Bound]:
    """Return the lowest bound of each reward of which something was ever forfeited."""
    found: dict[Identity, Bound] = {}
    for fact in ordered:
        if fact.kind != FORFEITED:
            continue
        data = fact.data
        identity = (str(data["rule_id"]), str(data["occurrence"]), str(data["holder_id"]))
        kept = int(data["kept_minor"])
        if identity not in found or kept < found[identity].kept_minor:
            found[identity] = Bound(kept_minor=kept, fact_id=fact.fact_id)
    return found


def bounded(
    granted: Sequence[Entitlement], line: TraceLine, bounds: Mapping[Identity, Bound]
) -> tuple[Sequence[Entitlement], TraceLine]:
    """Return what is left of the entitlements that a line explains, and what explains it then.

    One that nothing is left of stays, with the fact that took it. Of others nothing changes.
    """
    left = [_within(entitlement, bounds.get(entitlement.identity)) for entitlement in granted]
    taken = [
        bounds[after.identity].fact_id
        for before, after in zip(granted, left, strict=True)
        if after.amount_minor < before.amount_minor
    ]
    if not taken:
        return granted, line
    before, after = (sum(each.amount_minor for each in part) for part in (granted, left))
    currency = granted[0].currency
    return left, TraceLine(
        rule_id=line.rule_id,
        occurrence=line.occurrence,
        outcome=CAPPED if after else REVERSED,
        code=line.code if after and line.outcome == CAPPED else FORFEITED_PARTNER_CLOSED,
        figures={
            **line.figures,
            "amount": format_amount(after, currency),
            FORFEITED: format_amount(before - after, currency),
        },
        facts=(*line.facts, *(fact for fact in taken if fact)),
        release_at=line.release_at if after else None,
        level=line.level,
    )


def _within(entitlement: Entitlement, bound: Bound | None) -> Entitlement:
    if bound is None or entitlement.amount_minor <= bound.kept_minor:
        return entitlement
    return replace(
        entitlement,
        amount_minor=bound.kept_minor,
        cause=(*entitlement.cause, bound.fact_id or FORFEITED_PARTNER_CLOSED),
    )


def without_pending(
    entitlement: Entitlement, line: TraceLine, reward: Reward | None
) -> tuple[Entitlement | None, TraceLine]:
    """Return what a closed partner keeps of a reward for successes: what is not pending any more.

    Nothing new is granted and nothing rises any more; what has no face value is not pending.
    """
    if entitlement.kind not in FACE_VALUE_KINDS:
        return entitlement, line
    kept = reward.net_minor - reward.pending_minor if reward else 0
    bounds = {entitlement.identity: Bound(kept_minor=kept)}
    (left,), line = bounded([entitlement], line, bounds)
    return (left if reward else None), line

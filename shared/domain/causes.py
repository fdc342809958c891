"""Name the facts behind every change of a referral's rewards.

A change rests on what decides the amount now, and that does not always hold what made it change:
a fact that was taken back decides nothing any more, a decision gives back an older milestone, and
one invoice takes the room of another. So whatever we heard after all that it rests on is named
too: the latest decision of each kind, and the latest statement.
"""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Final

from shared.domain import facts as kinds
from shared.domain.facts import Fact
from shared.domain.rewards import Change, Effect
from shared.domain.verdicts import TraceLine

_DECISIONS: Final = frozenset(
    {
        kinds.TERMS_PINNED,
        kinds.REVIEW_DECIDED,
        kinds.SHARES_SET,
        kinds.CATEGORIES_DECLARED,
        kinds.REGRADED,
        kinds.DEAL_ENDED,
        kinds.DEAL_RESTORED,
        kinds.DEAL_MERGED,
        kinds.REFERRAL_MERGED,
        kinds.CHARGEBACK_REVERSED,
        kinds.FACT_RETRACTED,
    }
)


def with_causes(
    effects: Iterable[Effect], trace: Sequence[TraceLine], facts: Iterable[Fact]
) -> tuple[Effect, ...]:
    """Return the effects with the facts behind each change; ``facts`` are all of the referral."""
    by_id = {fact.fact_id: fact for fact in facts}
    return tuple(
        replace(effect, changes=tuple(_caused(change, trace, by_id) for change in effect.changes))
        for effect in effects
    )


def latest_news(facts: Iterable[Fact]) -> str:
    """Return the id of the fact that we heard last, of those that others told."""
    told = (fact for fact in facts if not _is_pin(fact))
    return max(told, key=lambda fact: (fact.received_at, fact.fact_id)).fact_id


def _caused(change: Change, trace: Sequence[TraceLine], by_id: dict[str, Fact]) -> Change:
    rests_on = change.cause or _explained(change, trace)
    # One fact can be the milestone and the amount.
    named = dict.fromkeys((*rests_on, *_heard_since(rests_on, by_id)))
    return replace(change, cause=tuple(named))


def _explained(change: Change, trace: Sequence[TraceLine]) -> tuple[str, ...]:
    """Return the facts that explain why nothing is given any more."""
    rule_id, occurrence, _ = change.reward.identity
    lines = [line for line in trace if line.rule_id == rule_id]
    own = [line for line in lines if line.occurrence == occurrence]
    return tuple(sorted({fact_id for line in own or lines for fact_id in line.facts}))


def _heard_since(rests_on: Sequence[str], by_id: dict[str, Fact]) -> list[str]:
    told = sorted(by_id.values(), key=lambda fact: (fact.received_at, fact.fact_id))
    submitted_at = told[0].received_at
    known_at = max(
        (by_id[fact_id].received_at for fact_id in rests_on if fact_id in by_id),
        default=submitted_at,
    )
    latest: dict[str, Fact] = {}
    for fact in told:
        if fact.fact_id in rests_on or fact.received_at == submitted_at or _is_pin(fact):
            continue
        if fact.kind in _DECISIONS and fact.received_at >= known_at:
            latest[fact.kind] = fact
        elif fact.received_at > known_at:
            latest[""] = fact
    return sorted(fact.fact_id for fact in latest.values())


def _is_pin(fact: Fact) -> bool:
    gives_back = fact.kind == kinds.FACT_RETRACTED and "cap" in fact.data
    return gives_back or fact.kind in kinds.PINS

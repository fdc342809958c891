"""What befalls deals as a whole: they end, are restored, and merge into one another.

A referral has one deal, which several of the sender's deals can become by merging. It lives as
long as those live that merged into no other: what becomes of a deal that is merged away, even that
it is deleted or restored, changes nothing.
"""

from collections.abc import Iterable
from typing import Final

from shared.domain import facts
from shared.domain.facts import Fact

WHOLE_DEALS: Final = (
    facts.DEAL_ENDED,
    facts.DEAL_RESTORED,
    facts.DEAL_MERGED,
    facts.REFERRAL_MERGED,
)
"""The only kinds of facts that the functions here look at."""


def living(ordered: Iterable[Fact], deal_id: str) -> str:
    """Return the deal that a deal lives on in: itself, unless it was merged into another."""
    gone = _gone(ordered)
    while deal_id in gone:
        deal_id = gone[deal_id]
    return deal_id


def end_of(ordered: Iterable[Fact]) -> Fact | None:
    """Return the fact that ended the deal, or None while it lives."""
    known = tuple(ordered)
    gone = _gone(known)
    ended: dict[str, Fact] = {}
    for fact in known:
        deal_id = str(fact.data.get("deal_id", ""))
        if fact.kind == facts.DEAL_ENDED and deal_id not in gone:
            ended[deal_id] = fact
        elif fact.kind == facts.DEAL_RESTORED:
            # Facts that do not say which deal ended are of the only one there was.
            ended = {other: end for other, end in ended.items() if other not in (deal_id, "")}
    return max(ended.values(), key=lambda fact: (fact.occurred_at, fact.fact_id), default=None)


def taken_by(ordered: Iterable[Fact]) -> Fact | None:
    """Return the fact that gave the deal to another referral, which is for good, or None."""
    return next(
        (fact for fact in ordered if fact.kind == facts.REFERRAL_MERGED and "into" in fact.data),
        None,
    )


def _gone(ordered: Iterable[Fact]) -> dict[str, str]:
    """Return which deals were merged into which. There is no circle: the later word holds."""
    gone: dict[str, str] = {}
    for fact in ordered:
        if fact.kind == facts.DEAL_MERGED and fact.data["deal_id"] != fact.data["merged_into"]:
            gone.pop(fact.data["merged_into"], None)
            gone[fact.data["deal_id"]] = fact.data["merged_into"]
    return gone

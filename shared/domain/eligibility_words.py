"""Who may earn, in plain language: for the rewards table, and for what a new version changes."""

from collections.abc import Mapping, Sequence
from typing import Final

from shared.domain import plain_words as words
from shared.domain.partners import (
    AGREEMENT,
    BUYER_STAFF,
    CODE_OF_CONDUCT,
    OWN_STAFF,
    PUBLIC_OFFICIAL,
)
from shared.domain.terms import ALLOW, DENY, REVIEW, Eligibility

DOCUMENTS: Final[Mapping[str, str]] = {
    AGREEMENT: "the agreement",
    CODE_OF_CONDUCT: "the code of conduct",
}
CATEGORIES: Final[Mapping[str, str]] = {
    PUBLIC_OFFICIAL: "public officials",
    OWN_STAFF: "our own staff",
    BUYER_STAFF: "the buyer's own staff",
}
_SELF: Final[Mapping[str, str]] = {
    REVIEW: "flagged for the review",
    DENY: "never rewarded",
    ALLOW: "rewarded like any other",
}


def notes(who: Eligibility) -> tuple[str, ...]:
    """Return what holds for every reward."""
    found = []
    if who.partner_kinds:
        found.append(f"Only for partners of kind {words.listed(who.partner_kinds, 'or')}.")
    if who.regions:
        found.append(f"Only in the regions {words.listed(who.regions)}.")
    if not who.allow_existing:
        found.append("Nothing is earned for companies that are customers already.")
    if who.required:
        found.append(
            f"A partner earns only by introductions made after accepting {_documents(who)}."
        )
    if who.minimum_engagement:
        found.append(f"A partner earns from {_first(who)} on.")
    if who.blocked:
        found.append(
            f"Nothing is earned by or for {_categories(who, 'or')};"
            " what was, is taken back whenever we learn of it."
        )
    if who.self_referral != REVIEW:
        found.append(f"Who introduces oneself is {_SELF[who.self_referral]}.")
    return tuple(found)


def summary(who: Eligibility) -> str:
    """Return all of it in one line."""
    parts = [
        f"kinds {words.listed(who.partner_kinds) or 'all'}",
        f"regions {words.listed(who.regions) or 'all'}",
        f"for existing customers {words.listed(sorted(who.allow_existing)) or 'nobody'}",
        f"documents {_documents(who) or 'none'}",
        f"from {_first(who)} on",
        f"not {_categories(who) or 'restricted by category'}",
        f"introductions of oneself {_SELF[who.self_referral]}",
    ]
    return "; ".join(parts)


def _documents(who: Eligibility) -> str:
    return words.listed(_named(DOCUMENTS, who.required))


def _categories(who: Eligibility, word: str = "and") -> str:
    return words.listed(_named(CATEGORIES, who.blocked), word)


def _named(known: Mapping[str, str], names: Sequence[str]) -> list[str]:
    return [known[name] for name in names]


def _first(who: Eligibility) -> str:
    return f"the {words.ordinal(who.minimum_engagement + 1)} accepted introduction"

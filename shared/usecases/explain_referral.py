"""Explain every reward of a referral, also those that nobody got."""

from collections.abc import Mapping
from dataclasses import dataclass

from shared.domain.errors import NotFoundError
from shared.domain.evaluation import TraceLine
from shared.domain.programs import PublishedTerms
from shared.domain.referrals import Referral
from shared.ports import TraceStore


@dataclass(frozen=True, slots=True, kw_only=True)
class Explanation:
    """A referral, one line for each rule and occurrence, and the rules' own words by id."""

    referral: Referral
    lines: tuple[TraceLine, ...]
    texts: Mapping[str, str]


def explain_referral(store: TraceStore, referral_id: str) -> Explanation:
    """Return the stored reasons, in the order of rule and occurrence.

    Raises:
        NotFoundError: no such referral.
    """
    referral = store.referral(referral_id)
    if referral is None:
        raise NotFoundError
    lines = sorted(store.trace(referral_id), key=lambda line: (line.rule_id, line.occurrence))
    terms = store.terms(referral.program_id, referral.terms_version)
    return Explanation(referral=referral, lines=tuple(lines), texts=_texts(terms))


def _texts(terms: PublishedTerms | None) -> dict[str, str]:
    rules = terms.definition.get("rules", ()) if terms else ()
    if not isinstance(rules, list):
        return {}
    return {str(rule["id"]): str(rule.get("text") or "") for rule in rules}

"""Explain every reward of a referral, also those that nobody got."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from shared.domain.errors import NotFoundError
from shared.domain.referrals import Referral
from shared.ports import TraceStore


@dataclass(frozen=True, slots=True, kw_only=True)
class Explanation:
    """A referral and one line for each rule and occurrence."""

    referral: Referral
    lines: tuple[Mapping[str, Any], ...]


def explain_referral(store: TraceStore, referral_id: str) -> Explanation:
    """Return the stored reasons, in the order of rule and occurrence.

    Raises:
        NotFoundError: no such referral.
    """
    referral = store.referral(referral_id)
    if referral is None:
        raise NotFoundError
    lines = sorted(store.trace(referral_id), key=lambda line: (line["rule_id"], line["occurrence"]))
    return Explanation(referral=referral, lines=tuple(lines))

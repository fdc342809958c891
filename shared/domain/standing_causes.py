"""Which referral moved a partner's sums last, and by which fact: the cause of what hangs on them.

A cause is ``<referral>/<fact>``. It is remembered for each sum, so what it names is what the
partner's file is settled for, whoever settles it and however often.
"""

from collections.abc import Iterable, Mapping
from typing import Final

TERMS_CHANGED: Final = "terms_changed"
"""Cause of what other terms gave or took; who accepted them when is told with the enrolment."""


def cause_of(referral_id: str, fact_id: str) -> str:
    """Name the fact of a referral that moved a sum."""
    return f"{referral_id}/{fact_id}"


def read_cause(cause: str) -> tuple[str, str]:
    """Return (referral, fact), both "" if it names something else."""
    referral_id, _, fact_id = cause.partition("/")
    return (referral_id, fact_id) if fact_id else ("", "")


def causes_of(movers: Mapping[str, str], sums: Iterable[str]) -> tuple[str, ...]:
    """Return who moved these sums last."""
    return tuple(dict.fromkeys(movers[name] for name in sums if name in movers))

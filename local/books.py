"""What the management API says about money, as plain figures."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any, Final, TypeVar

from shared.adapters.management_api import ApiError, Management

DEADLINE_S: Final = 60.0
POLL_S: Final = 0.25
# Long enough for a late duplicate to pass through stream, bus and queue.
SETTLE_S: Final = 1.5
CASH: Final = "cash"

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Reward:
    """One reward as the API shows it."""

    rule_id: str
    kind: str
    state: str
    amount: Decimal
    release_at: datetime | None


def pending(api: Management, program_id: str, partner_id: str) -> Decimal:
    """Return what a partner has earned and not yet been released."""
    return balance(api, program_id, partner_id, "pending")


def balance(api: Management, program_id: str, partner_id: str, stage: str) -> Decimal:
    """Return one stage of a partner's cash balance; no entry is zero.

    Raises:
        ApiError: the API refused.
    """
    found = api.get("/balances", program_id=program_id, partner_id=partner_id)["items"]
    cash = (item for item in found if item["kind"] == CASH)
    return sum((money(item[stage]) for item in cash), Decimal(0))


def rewards(api: Management, referral_id: str) -> list[Reward]:
    """Return the rewards of one referral.

    Raises:
        ApiError: the API refused.
    """
    return [
        Reward(
            rule_id=str(item["rule_id"]),
            kind=str(item["kind"]),
            state=str(item["state"]),
            amount=money(item.get("amount")),
            release_at=instant(item.get("release_at")),
        )
        for item in api.items("/rewards", referral_id=referral_id)
    ]


def cash_by_rule(api: Management, referral_id: str) -> dict[str, Decimal]:
    """Return the cash that each rule of a referral holds now; nothing held is left out."""
    held: dict[str, Decimal] = {}
    for reward in rewards(api, referral_id):
        if reward.kind == CASH and reward.amount:
            held[reward.rule_id] = held.get(reward.rule_id, Decimal(0)) + reward.amount
    return held


def movements(api: Management, referral_id: str) -> list[tuple[str, str, Decimal]]:
    """Return the rows of the books for one referral as (debit, credit, amount), sorted.

    Raises:
        ApiError: the API refused.
    """
    found = api.items("/movements", referral_id=referral_id)
    return sorted((str(m["debit"]), str(m["credit"]), money(m["amount"])) for m in found)


def trace(api: Management, referral_id: str) -> dict[str, tuple[str, str]]:
    """Return outcome and code of each rule for a referral.

    Raises:
        ApiError: the API refused.
    """
    answer = api.get(f"/referrals/{referral_id}/explanation")
    return {
        str(line["rule_id"]): (str(line["outcome"]), str(line["code"])) for line in answer["lines"]
    }


def money(value: Any) -> Decimal:  # noqa: ANN401 - a part of an answer
    """Return the amount of a money object; nothing is zero."""
    return Decimal(value["amount"]) if value else Decimal(0)


def instant(value: Any) -> datetime | None:  # noqa: ANN401 - a part of an answer
    """Return an RFC 3339 time, or nothing."""
    return datetime.fromisoformat(value) if value else None


def settle(read: Callable[[], T], expected: T, *, stay_s: float = SETTLE_S) -> T:
    """Wait until a figure is as expected and stays so; return the last one seen either way.

    An answer that is not there yet counts as another figure.
    """
    deadline = time.monotonic() + DEADLINE_S
    while True:
        actual = attempt(read)
        if actual == expected:
            time.sleep(stay_s)
            actual = attempt(read)
            if actual == expected:
                return expected
        if time.monotonic() >= deadline:
            return actual if actual is not None else read()
        time.sleep(POLL_S)


def attempt(read: Callable[[], T]) -> T | None:
    """Return a figure, or nothing while the API refuses to give it."""
    try:
        return read()
    except (ApiError, OSError):
        return None

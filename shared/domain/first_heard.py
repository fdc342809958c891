"""When we first heard that something counts, whatever was told of it later.

A milestone can be told again with an earlier date, and a referral or a deal can be lost and come
back. Each of these moves the date, and none may move what was earned to whoever shares by then.
"""

from collections.abc import Iterable
from datetime import datetime

from shared.domain import facts as kinds
from shared.domain import referrals
from shared.domain.deal import ACCEPTED, INVOICE_PAID, RENEWED, SUBMITTED
from shared.domain.facts import Fact
from shared.domain.implied import closure
from shared.domain.terms import Terms


def first_heard(ordered: Iterable[Fact], terms: Terms, *, since: datetime) -> dict[str, datetime]:
    """Return our first receipt of each milestone, ``invoice:<id>`` and ``renewal:<id>``.

    ``ordered`` must come from ``facts.in_order``; what occurred before ``since`` never counted.
    """
    found: dict[str, datetime] = {}
    for fact in ordered:
        if fact.occurred_at >= since:
            for name in _reached_by(fact, terms):
                found[name] = min(fact.received_at, found.get(name, fact.received_at))
    return found


def _reached_by(fact: Fact, terms: Terms) -> list[str]:
    data = fact.data
    match fact.kind:
        case kinds.SUBMITTED:
            return [SUBMITTED]
        case kinds.REVIEW_DECIDED:
            return [ACCEPTED] if data["state"] == referrals.ACCEPTED else []
        case kinds.MILESTONE_REACHED | kinds.STAGE_ENTERED:
            milestone = str(data.get("milestone") or "")
            return closure(milestone, terms) if milestone else []
        case kinds.INVOICE_PAID:
            return [f"invoice:{data['invoice_id']}", *closure(INVOICE_PAID, terms)]
        case kinds.RENEWED:
            return [f"renewal:{data['renewal_id']}", *closure(RENEWED, terms)]
    return []

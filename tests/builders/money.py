"""Builds facts, terms and referrals of the worked example; every test states only what matters."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import TYPE_CHECKING, Any

from shared.domain import facts
from shared.domain.entitlements import CreditShare, Parties
from shared.domain.facts import Fact
from shared.domain.referrals import Referral
from shared.domain.terms_reader import parse_terms

if TYPE_CHECKING:
    from collections.abc import Callable

    from shared.domain.terms import Terms

START = datetime(2026, 1, 5, 9, 0, tzinfo=UTC)
DAY = timedelta(days=1)

LADDER = {"accepted": 1, "qualified": 2, "won": 4}
STAGES: dict[str, tuple[int, str, str]] = {
    "accepted": (1, "accepted", "open"),
    "qualified": (2, "qualified", "open"),
    "negotiation": (3, "", "open"),
    "won": (4, "won", "won"),
    "lost": (5, "", "lost"),
}

WORKED_EXAMPLE: dict[str, Any] = {
    "name": "Worked example",
    "implies": {"won": ["qualified"], "qualified": ["accepted"]},
    "rules": [
        {
            "id": "accepted_bonus",
            "beneficiary": "partner",
            "milestone": "accepted",
            "kind": "cash",
            "value": {"fixed": "50.00"},
            "hold_days": 30,
        },
        {
            "id": "qualified_bonus",
            "beneficiary": "partner",
            "milestone": "qualified",
            "kind": "cash",
            "value": {"fixed": "200.00"},
            "when": {"all": [{"field": "deal_amount", "op": "gte", "value": "10000.00"}]},
            "hold_days": 30,
        },
        {
            "id": "won_commission",
            "beneficiary": "partner",
            "milestone": "won",
            "kind": "cash",
            "value": {"percent": "10", "of": "deal_amount"},
            "tiers": {
                "by": "count",
                "milestone": "won",
                "period": "lifetime",
                "steps": [{"from": 6, "percent": "12"}],
            },
            "hold_days": 30,
        },
        {
            "id": "lead_discount",
            "beneficiary": "lead",
            "milestone": "won",
            "kind": "discount",
            "value": {"percent": "20"},
        },
    ],
}


def worked_terms(**changes: Any) -> Terms:  # noqa: ANN401 - any value of a field
    """Return the terms of the worked example, with top-level changes."""
    return parse_terms({**WORKED_EXAMPLE, **changes}, currency="USD")


def parties(*partner_ids: str) -> Parties:
    """Return a lead and partners with equal shares."""
    parts = 10_000 // max(len(partner_ids), 1)
    return Parties(
        lead_id="led_1",
        shares=tuple(
            CreditShare(partner_id=partner_id, role="introducer", basis_points=parts)
            for partner_id in partner_ids
        ),
    )


@dataclass(kw_only=True)
class Story:
    """Tells facts of one referral, one hour apart unless a moment is given."""

    referral_id: str = "ref_1"
    deal_id: str = "D-1"
    partner_id: str = "ptr_1"
    start: datetime = START
    facts: list[Fact] = field(default_factory=list)
    _hours: count[int] = field(default_factory=lambda: count(1))

    def submitted(self, **data: Any) -> Story:  # noqa: ANN401 - any value of a field
        """Tell the submission and the pinned terms."""
        self.add(facts.SUBMITTED, "", data, at=self.start)
        shares = [{"partner_id": self.partner_id, "role": "introducer", "basis_points": 10_000}]
        pinned = {"version": 1, "shares": shares if self.partner_id else [], "attributes": {}}
        return self.add(facts.TERMS_PINNED, "", pinned, at=self.start)

    def reviewed(self, state: str, at: datetime | None = None) -> Story:
        """Tell a decision of the review."""
        data = {"decision": state, "state": state, "actor": "ann", "reason": "known"}
        return self.add(facts.REVIEW_DECIDED, state, data, at=at)

    def stage(
        self, name: str, at: datetime | None = None, received_at: datetime | None = None
    ) -> Story:
        """Tell that the deal entered a stage."""
        rank, milestone, outcome = STAGES[name]
        data = {
            "source_id": "src_1",
            "deal_id": self.deal_id,
            "pipeline": "",
            "stage": name,
            "rank": rank,
            "milestone": milestone,
            "outcome": outcome,
            "ladder": LADDER,
        }
        return self.add(facts.STAGE_ENTERED, name, data, at=at, received_at=received_at)

    def amount(self, text: str, currency: str = "USD", at: datetime | None = None) -> Story:
        """Tell the deal's amount."""
        data = {"amount": text, "currency": currency}
        return self.add(facts.AMOUNT_SET, text, data, at=at)

    def position(self, number: int) -> Story:
        """Tell the pinned position in the partner's won deals."""
        data = {"partner_id": self.partner_id, "key": "count:won:lifetime", "position": number}
        return self.add(facts.STANDING_PINNED, "", data, at=self.start)

    def add(
        self,
        kind: str,
        value: str,
        data: dict[str, Any],
        *,
        at: datetime | None = None,
        received_at: datetime | None = None,
    ) -> Story:
        """Tell any fact."""
        when = at or self.start + timedelta(hours=next(self._hours))
        self.facts.append(
            Fact(
                fact_id=facts.fact_id(
                    source="src_1",
                    subject=self.referral_id,
                    attribute=kind,
                    value=value,
                    when=when.isoformat(),
                ),
                kind=kind,
                occurred_at=when,
                received_at=received_at or when,
                source="src_1",
                data=data,
            )
        )
        return self


def referral(**changes: Any) -> Referral:  # noqa: ANN401 - any value of a field
    """Return the head of the story's referral."""
    fields: dict[str, Any] = {
        "referral_id": "ref_1",
        "program_id": "prg_1",
        "lead_id": "led_1",
        "partner_id": "ptr_1",
        "terms_version": 1,
        "submitted_at": START,
    }
    return Referral(**{**fields, **changes})


def numbered_ids() -> Callable[[str], str]:
    """Return a source of ids that counts."""
    numbers = count(1)
    return lambda prefix: f"{prefix}_{next(numbers):06d}"

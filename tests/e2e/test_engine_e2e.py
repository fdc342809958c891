"""Refunds, adjustments and simulations through the deployed stack."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest

from local import books
from local.senders import post_standard

if TYPE_CHECKING:
    from tests.e2e.conftest import Deployed

pytestmark = pytest.mark.e2e

DRAFT = {
    "name": "draft",
    "rules": [
        {
            "id": "won_commission",
            "beneficiary": "partner",
            "milestone": "won",
            "kind": "cash",
            "value": {"percent": "20", "of": "deal_amount"},
        }
    ],
}


def test_a_refund_lowers_the_commission_and_a_repeat_changes_nothing(deployed: Deployed) -> None:
    partner = deployed.partner("refund")
    story = deployed.story(partner)
    referral = story.submit("buyer@refund.example", "Refund")
    story.accept(referral)
    story.standard("D-refund", "won", "15000.00", id=referral)
    story.check_pending("1750.00", "accepted, qualified and won")
    event = {
        "type": "refund.created",
        "id": "refund-1",
        "occurred_at": datetime.now(UTC).isoformat().replace("+00:00", "Z"),
        "deal": {"id": "D-refund"},
        "refund": {"id": "R-1", "of": "deal", "amount": "5000.00", "currency": "USD"},
    }
    for _ in range(2):
        assert 200 == post_standard(deployed.demo.sources["standard"], event).status
    story.check_pending("-500.00", "10 % of what was given back")
    assert 0 == story.wrong


def test_an_adjustment_by_a_named_person_reaches_the_books(deployed: Deployed) -> None:
    partner = deployed.partner("adjusted")
    body = {
        "partner_id": partner.partner_id,
        "program_id": partner.program_id,
        "amount": "25.00",
        "reason": "goodwill",
    }
    assert 202 == deployed.api.request("POST", "/adjustments", body).status
    assert Decimal("25.00") == books.settle(
        lambda: (
            books.pending(deployed.api, partner.program_id, partner.partner_id)
            + books.balance(deployed.api, partner.program_id, partner.partner_id, "payable")
        ),
        Decimal("25.00"),
    )


def test_a_simulation_tells_what_a_draft_would_have_cost(deployed: Deployed) -> None:
    program_id = deployed.demo.program_id
    body = {"definition": DRAFT, "from": "2026-01-01T00:00:00Z", "to": "2036-01-01T00:00:00Z"}
    reply = deployed.api.request("POST", f"/programs/{program_id}/simulations", body)
    assert 202 == reply.status
    path = f"/programs/{program_id}/simulations/{reply.json()['id']}"

    def status() -> Any:  # noqa: ANN401 - as the API says it
        return deployed.api.get(path)["status"]

    assert "done" == books.settle(status, "done")
    result = deployed.api.get(path)["result"]
    assert Decimal(result["delta"]["amount"]) == (
        Decimal(result["simulated"]["amount"]) - Decimal(result["paid"]["amount"])
    )
    assert result["referrals"] >= 1

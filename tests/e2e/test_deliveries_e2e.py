"""Deliveries that arrive before their referral is known, and forms that answer browsers."""

from __future__ import annotations

import http
from decimal import Decimal
from typing import TYPE_CHECKING
from urllib.parse import urlencode

import pytest

from local import books
from local.seed import THANKS_PATH
from shared.adapters.management_api import send

if TYPE_CHECKING:
    from tests.e2e.conftest import Deployed

pytestmark = pytest.mark.e2e


def parked(deployed: Deployed) -> int:
    program_id = deployed.demo.program_id
    return len(deployed.api.items("/deliveries", state="parked", program_id=program_id))


def test_a_delivery_for_an_unknown_deal_waits_and_is_applied(deployed: Deployed) -> None:
    partner = deployed.partner("early")
    story = deployed.story(partner)
    referral = story.submit("buyer@early.example", "Early")
    story.accept(referral)
    story.check_pending("50.00", "accepted")
    before = parked(deployed)

    story.standard("D-early", "won", "1000.00")

    assert books.settle(lambda: parked(deployed) > before, expected=True)
    assert Decimal("50.00") == books.pending(deployed.api, partner.program_id, partner.partner_id)

    story.standard("D-early", "won", "1000.00", id=referral)

    story.check_pending("100.00", "won")
    assert story.wrong == 0
    assert before == books.settle(lambda: parked(deployed), before)


def test_an_unknown_stage_is_parked_and_changes_nothing(deployed: Deployed) -> None:
    partner = deployed.partner("strange")
    story = deployed.story(partner)
    referral = story.submit("buyer@strange.example", "Strange")
    before = parked(deployed)

    story.standard("D-strange", "no-such-stage", "1000.00", id=referral)

    assert books.settle(lambda: parked(deployed) > before, expected=True)
    assert Decimal(0) == books.pending(deployed.api, partner.program_id, partner.partner_id)


def test_a_rejected_referral_earns_nothing(deployed: Deployed) -> None:
    partner = deployed.partner("rejected")
    story = deployed.story(partner)
    referral = story.submit("buyer@rejected.example", "Rejected")
    story.accept(referral)
    story.check_pending("50.00", "accepted")

    deployed.api.post(
        f"/referrals/{referral}/review", {"decision": "reject", "reason": "a competitor"}
    )

    story.check_pending("-50.00", "rejected")
    assert story.wrong == 0


def test_a_plain_form_is_answered_with_the_thank_you_page(deployed: Deployed) -> None:
    form = {"email": "plain@form.example", "code": deployed.demo.link_code, "_gotcha": ""}
    reply = send(
        "POST",
        f"{deployed.url}/v1/programs/{deployed.demo.program_id}/referrals",
        body=urlencode(form).encode(),
        headers={"Content-Type": "application/x-www-form-urlencoded", "Accept": "text/html"},
    )

    assert reply.status == http.HTTPStatus.SEE_OTHER
    assert reply.headers["location"].startswith(deployed.url + THANKS_PATH)

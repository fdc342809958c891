"""A referral that does not hold its lead any more takes no news of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.builders.managed import referred
from tests.builders.money import WORKED_EXAMPLE, Story

if TYPE_CHECKING:
    from tests.functions.manage_program.conftest import Api

NEWS = [
    ("milestone_reached", {"milestone": "won"}),
    ("amount_set", {"amount": "1.00"}),
    ("field_set", {"name": "plan", "value": "pro"}),
    ("invoice_paid", {"invoice_id": "I-1", "amount_net": "1.00", "currency": "USD"}),
    ("regraded", {"grade": "A"}),
]


@pytest.fixture
def taken(api: Api) -> Story:
    """A referral whose lead went to another one while its review was open."""
    api.program("prg_1")
    api.made("/programs/prg_1/terms", WORKED_EXAMPLE)
    story = Story().submitted().reviewed("expired")
    referred(api, story, review="expired", taken_over_by="ref_2")
    return story


@pytest.mark.usefixtures("taken")
@pytest.mark.parametrize(("kind", "data"), NEWS, ids=lambda value: str(value)[:20])
def test_no_news_of_the_lead_is_taken(api: Api, kind: str, data: dict[str, Any]) -> None:
    body = {"kind": kind, "reason": "by telephone", "data": data}

    reply = api.send("POST", "/referrals/ref_1/facts", body)

    assert (409, "lead_taken_over") == (reply.status, reply.code)


@pytest.mark.usefixtures("taken")
def test_it_is_accepted_no_more(api: Api) -> None:
    body = {"decision": "accept", "reason": "it was them after all"}

    reply = api.send("POST", "/referrals/ref_1/review", body)

    assert (409, "lead_taken_over") == (reply.status, reply.code)


@pytest.mark.usefixtures("taken")
def test_a_hold_is_still_placed(api: Api) -> None:
    api.made("/referrals/ref_1/facts", {"kind": "hold_placed", "reason": "looks like fraud"})


@pytest.mark.usefixtures("taken")
def test_it_says_which_referral_holds_the_lead(api: Api) -> None:
    assert "ref_2" == api.send("GET", "/referrals/ref_1").body["taken_over_by"]

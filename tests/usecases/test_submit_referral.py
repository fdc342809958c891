from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from shared.adapters.dynamodb import keys
from shared.adapters.dynamodb.referrals import fact_from, referral_from
from shared.domain.errors import ConflictError
from shared.domain.keyed import email_hmac, read_receipt_token
from shared.domain.leads import normalise_email
from shared.usecases.submit_referral import CREATED, QUARANTINED
from tests.builders.intake import (
    CORE,
    NOW,
    PARTNER_EMAIL,
    SECRET,
    VAULT,
    World,
    click_token,
    link,
    partner,
    submission,
)
from tests.builders.money import WORKED_EXAMPLE

if TYPE_CHECKING:
    from shared.domain.referrals import Referral

LEAD_CLAIM = keys.lead_claim("prg_1", email_hmac(SECRET, normalise_email("lena@lead.test")))


@pytest.fixture
def world() -> World:
    return World()


def stored(world: World, referral_id: str) -> Referral:
    row = world.row(keys.referral(referral_id))
    assert row is not None
    return referral_from(row)


def pinned(world: World, referral_id: str) -> dict[str, Any]:
    (row,) = [
        row
        for row in world.rows(f"REF#{referral_id}")
        if row["sk"].startswith("FACT#") and row["kind"] == "terms_pinned"
    ]
    return dict(fact_from(row).data)


def events_of(world: World) -> list[dict[str, Any]]:
    return [json.loads(row["envelope"]) for row in world.rows("OUT#")]


def test_a_click_makes_an_attributed_referral_with_its_first_facts(world: World) -> None:
    received = world.submit(submission(click_id=click_token()))

    head = stored(world, received.referral_id)
    assert ("ptr_pia", "pia-code", "clk_1") == (head.partner_id, head.link_code, head.click_id)
    assert ("submitted", "click_token", ()) == (head.review, head.attribution, head.flags)
    assert CREATED == received.outcome
    assert head.touch_at is not None
    assert {
        # What the partner accepted, not what is newest.
        "version": 1,
        "partner_id": "ptr_pia",
        "link_code": "pia-code",
        "shares": [{"partner_id": "ptr_pia", "role": "introducer", "basis_points": 10_000}],
        "touch_at": head.touch_at.isoformat(),
        "attributes": {
            "partner_kind": "referral_partner",
            "days_since_touch": 1,
            "existing_customer": False,
        },
    } == pinned(world, received.referral_id)
    assert 1 == head.terms_version


@pytest.mark.parametrize(
    ("code", "rate"),
    [
        ("pia-code", {"percent": "15", "level": "link"}),
        ("pia-second", {"percent": "14", "level": "partner"}),
        ("otto-code", None),
    ],
)
def test_rates_of_partner_and_link_are_pinned(
    world: World, code: str, rate: dict[str, str] | None
) -> None:
    world.save_link(link("pia-second", "ptr_pia"))
    override = {"rule": "won_commission", "percent": "15", "level": "link", "match": "pia-code"}
    of_partner = {**override, "percent": "14", "level": "partner", "match": "ptr_pia"}
    world.publish(1, {"overrides": [override, of_partner]})

    received = world.submit(submission(code=code))

    expected = {"won_commission": rate} if rate else {}
    assert expected == pinned(world, received.referral_id).get("overrides", {})


def test_both_facts_carry_the_submission_time_and_ids_of_their_own(world: World) -> None:
    received = world.submit(submission(code="pia-code"))

    rows = world.rows(f"REF#{received.referral_id}")
    facts = [fact_from(row) for row in rows if row["sk"].startswith("FACT#")]
    assert {"submitted", "terms_pinned"} == {fact.kind for fact in facts}
    assert 2 == len({fact.fact_id for fact in facts})
    assert {(NOW, NOW, "form")} == {(f.occurred_at, f.received_at, f.source) for f in facts}


def test_the_event_is_stored_with_the_referral(world: World) -> None:
    received = world.submit(submission(code="pia-code"))

    (event,) = events_of(world)
    assert {"type": "referral", "id": received.referral_id, "version": 1} == event["aggregate"]
    assert "prg_1" == event["program_id"]
    assert "req-1" == event["correlation_id"]
    assert 0 == event["hops"]
    assert {
        "referral_id": received.referral_id,
        "kinds": ["submitted", "terms_pinned"],
    } == event["data"]


def test_everything_is_written_in_one_transaction(world: World) -> None:
    world.client.calls.clear()

    world.submit(submission(click_id=click_token()))

    writes = [name for name, _ in world.client.calls if name not in {"get_item", "query"}]
    assert ["transact_write_items"] == writes


def test_claim_pointers_and_vault_row_lead_to_the_referral(world: World) -> None:
    received = world.submit(submission(click_id=click_token(), company="Acme"))

    head = stored(world, received.referral_id)
    for key in (
        LEAD_CLAIM,
        keys.touch("clk_1"),
        keys.open_referral("pia-code", received.referral_id),
    ):
        row = world.row(key)
        assert row is not None
        assert received.referral_id == row["referral_id"]
    person = world.row(keys.person(head.lead_id), VAULT)
    assert person is not None
    assert ("lena@lead.test", "Acme") == (person["email"], person["company"])


def test_no_personal_data_leaves_the_vault(world: World) -> None:
    world.submit(submission("canary@lead.test", company="Canary", metadata={"k": "canary"}))

    assert "canary" not in repr(world.client.dump()[CORE]).lower()


def test_a_trapped_form_looks_received_and_is_quarantined(world: World) -> None:
    received = world.submit(submission(code="pia-code", click_id=click_token(), trapped=True))

    head = stored(world, received.referral_id)
    assert ("spam", None, "", "", "spam") == (
        head.review,
        head.partner_id,
        head.link_code,
        head.click_id,
        head.attribution,
    )
    assert QUARANTINED == received.outcome
    told = [row["data"] for row in world.rows("REF#") if row.get("kind") == "submitted"]
    assert [{"review": "spam"}] == told
    for prefix in ("LEAD#", "TOUCH#", "OUT#"):
        assert [] == world.rows(prefix)
    assert world.row(keys.person(head.lead_id), VAULT) is not None
    assert read_receipt_token(received.receipt, SECRET) is not None


def test_a_trapped_form_does_not_take_the_lead_from_an_honest_one(world: World) -> None:
    trapped = world.submit(submission(trapped=True))

    honest = world.submit(submission(code="pia-code"))

    assert trapped.referral_id != honest.referral_id
    assert CREATED == honest.outcome


def test_a_typed_code_wins_over_a_click(world: World) -> None:
    received = world.submit(submission(code="OTTO-code", click_id=click_token()))

    head = stored(world, received.referral_id)
    assert ("ptr_otto", "typed_code", "", None) == (
        head.partner_id,
        head.attribution,
        head.click_id,
        head.touch_at,
    )


def test_a_code_that_proves_nothing_leaves_the_click_its_turn(world: World) -> None:
    received = world.submit(submission(code="typo-code", click_id=click_token()))

    assert "ptr_pia" == stored(world, received.referral_id).partner_id


def test_the_code_on_the_page_counts_when_no_token_came(world: World) -> None:
    received = world.submit(submission(via="pia-code"))

    head = stored(world, received.referral_id)
    assert ("ptr_pia", "page_code") == (head.partner_id, head.attribution)


def test_the_code_on_the_page_does_not_revive_an_old_click(world: World) -> None:
    old = click_token(age=timedelta(days=31))

    received = world.submit(submission(via="pia-code", click_id=old))

    assert stored(world, received.referral_id).partner_id is None


@pytest.mark.parametrize(
    ("evidence", "reason"),
    [
        ({}, "no_evidence"),
        ({"code": "nobody-has-this"}, "unknown_code"),
        ({"code": "no code at all!"}, "unknown_code"),
        ({"code": "v1"}, "unknown_code"),
        ({"click_id": "rubbish"}, "click_malformed"),
        ({"click_id": click_token(age=timedelta(days=30, seconds=1))}, "click_expired"),
        ({"click_id": click_token(program_id="prg_2")}, "click_other_program"),
        ({"click_id": click_token(partner_id="ptr_gone")}, "not_enrolled"),
        ({"code": "no-such", "click_id": "x"}, "unknown_code,click_malformed"),
    ],
)
def test_a_lead_without_proof_is_kept_unattributed(
    world: World, evidence: dict[str, str], reason: str
) -> None:
    received = world.submit(submission(**evidence))

    head = stored(world, received.referral_id)
    assert (None, reason, "", "") == (
        head.partner_id,
        head.attribution,
        head.link_code,
        head.click_id,
    )
    # Nobody accepted anything, so the programme's newest version judges it.
    expected = {"version": 2, "shares": [], "attributes": {"existing_customer": False}}
    assert expected == pinned(world, received.referral_id)
    assert [] == world.rows("TOUCH#")
    assert world.row(LEAD_CLAIM) is not None


def test_a_tombstone_of_a_retired_code_leads_nowhere(world: World) -> None:
    world.save_link(link("retired", disabled=True, retired_at=NOW))

    received = world.submit(submission(code="retired"))

    assert "link_disabled" == stored(world, received.referral_id).attribution


def test_the_window_is_that_of_the_version_the_partner_accepted(world: World) -> None:
    world.save_partner(partner(), version=2)

    received = world.submit(submission(click_id=click_token(age=timedelta(days=60))))

    head = stored(world, received.referral_id)
    assert ("ptr_pia", 2) == (head.partner_id, head.terms_version)


def test_a_partner_with_terms_that_are_gone_stops_the_form(world: World) -> None:
    world.save_partner(partner(), version=7)

    with pytest.raises(ConflictError, match="not published"):
        world.submit(submission(click_id=click_token()))


def test_who_refers_oneself_is_flagged_and_not_refused(world: World) -> None:
    received = world.submit(submission(PARTNER_EMAIL.upper(), code="pia-code"))

    head = stored(world, received.referral_id)
    assert (("self_referral",), "submitted", "ptr_pia") == (
        head.flags,
        head.review,
        head.partner_id,
    )


def test_a_disabled_link_proves_nothing(world: World) -> None:
    world.save_link(link("off-code", disabled=True))

    received = world.submit(submission(code="off-code"))

    assert "link_disabled" == stored(world, received.referral_id).attribution


def test_the_grade_may_decide_at_once_and_says_so_in_a_fact(world: World) -> None:
    quality = {
        "grades": [],
        "otherwise": "B",
        "decide": {"B": "accept"},
    }
    world.publish(2, {"lead_quality": quality})
    received = world.submit(submission())

    head = stored(world, received.referral_id)
    told = [row["data"] for row in world.rows("REF#") if row.get("kind") == "review_decided"]
    assert "accepted" == head.review
    assert [
        {"decision": "accept", "state": "accepted", "actor": "terms", "reason": "lead grade B"}
    ] == told


def test_the_links_campaign_is_pinned_where_the_terms_read_it(world: World) -> None:
    rules = [dict(rule) for rule in WORKED_EXAMPLE["rules"]]
    rules[0]["when"] = {"all": [{"field": "link_campaign", "op": "eq", "value": "spring"}]}
    world.publish(1, {"rules": rules})
    world.save_link(replace(link(), campaign="spring"))
    received = world.submit(submission(code="pia-code"))

    assert "spring" == pinned(world, received.referral_id)["attributes"]["link_campaign"]

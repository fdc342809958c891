"""What intake pins of those who take part, so that terms can say who may earn."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from shared.adapters.dynamodb import keys
from shared.adapters.dynamodb.partners import enrolment_row, partner_row
from shared.adapters.dynamodb.referrals import fact_from
from shared.domain.customers import company_of
from shared.domain.entitlements import Parties, shares_of
from shared.domain.evaluation import evaluate
from shared.domain.keyed import email_hmac
from shared.domain.partners import Acceptance, Enrolment
from shared.domain.terms_reader import parse_terms
from tests.builders.intake import NOW, PARTNER_EMAIL, SECRET, World, link, partner, submission
from tests.builders.money import WORKED_EXAMPLE

AGREED = {"agreement": Acceptance(version="7", at=NOW)}


@pytest.fixture
def world() -> World:
    return World()


def pinned(world: World, referral_id: str) -> dict[str, Any]:
    (row,) = [
        row
        for row in world.rows(f"REF#{referral_id}")
        if row["sk"].startswith("FACT#") and row["kind"] == "terms_pinned"
    ]
    return dict(fact_from(row).data)


def flags(world: World, referral_id: str) -> list[str]:
    row = world.row(keys.referral(referral_id))
    assert row is not None
    return list(row["flags"])


def save(world: World, partner_id: str = "ptr_pia", **changes: Any) -> None:  # noqa: ANN401
    documents = changes.pop("documents", {})
    enrolment = Enrolment(
        partner_id=partner_id,
        program_id="prg_1",
        terms_version=2,
        accepted_at=NOW,
        documents=documents,
    )
    world.save(keys.partner(partner_id), partner_row(partner(partner_id, **changes)))
    world.save(keys.enrolment(partner_id, "prg_1"), enrolment_row(enrolment))


def sent(world: World, email: str = "lena@lead.test", **changes: Any) -> str:  # noqa: ANN401
    return world.submit(submission(email, **{"code": "pia-code", **changes})).referral_id


def test_nothing_is_pinned_of_whom_nothing_is_known(world: World) -> None:
    found = pinned(world, sent(world))

    assert not {"partners", "declared"} & found.keys()


def test_what_the_partner_accepted_and_is_stays_as_it_was_at_the_submission(world: World) -> None:
    save(world, documents=AGREED, categories=("public_official",))
    referral_id = sent(world)
    before = pinned(world, referral_id)

    save(world)
    sent(world, "other@lead.test")

    assert before == pinned(world, referral_id)
    known = {"accepted": ["agreement"], "categories": ["public_official"]}
    assert {"ptr_pia": known} == before["partners"]
    assert ["public_official"] == flags(world, referral_id)


@pytest.mark.parametrize(
    ("own", "lead", "colleagues"),
    [
        ("pia@acme.test", "lena@ACME.test", True),
        ("pia@acme.test", "lena@sub.acme.test", False),
        ("pia@gmail.com", "lena@gmail.com", False),
        ("", "lena@gmail.com", False),
    ],
)
def test_colleagues_share_a_companys_domain(
    world: World, own: str, lead: str, *, colleagues: bool
) -> None:
    company = company_of(SECRET, own) if own else ""
    save(world, email_hmac=email_hmac(SECRET, own), company_hmac=company)

    referral_id = sent(world, lead)

    found = pinned(world, referral_id).get("partners")
    assert ({"ptr_pia": {"categories": ["buyer_staff"]}} if colleagues else None) == found
    assert (["buyer_staff"] if colleagues else []) == flags(world, referral_id)


def test_whoever_shares_is_looked_at_as_well(world: World) -> None:
    world.publish(2, {"attribution": {"split": "equal"}})
    save(world, documents=AGREED)
    save(world, "ptr_otto", email_hmac=email_hmac(SECRET, "lena@lead.test"))

    referral_id = sent(world, code="", codes=("otto-code", "pia-code"))

    assert {"ptr_otto": {"self_referral": True}, "ptr_pia": {"accepted": ["agreement"]}} == (
        pinned(world, referral_id)["partners"]
    )
    assert ["self_referral:ptr_otto"] == flags(world, referral_id)


@pytest.mark.parametrize(
    ("policy", "flagged"),
    [("review", ["self_referral"]), ("deny", ["self_referral"]), ("allow", [])],
)
def test_the_terms_say_whether_an_introduction_of_oneself_is_flagged(
    world: World, policy: str, flagged: list[str]
) -> None:
    world.publish(2, {"eligibility": {"self_referral": policy}})
    save(world)

    referral_id = sent(world, PARTNER_EMAIL)

    assert flagged == flags(world, referral_id)
    assert {"ptr_pia": {"self_referral": True}} == pinned(world, referral_id)["partners"]


def test_what_the_form_declares_is_pinned_and_flagged(world: World) -> None:
    referral_id = sent(world, declared=("public_official",))

    assert ["public_official"] == pinned(world, referral_id)["declared"]
    assert ["public_official"] == flags(world, referral_id)


def test_a_declaration_makes_another_digest_and_none_keeps_the_old_one(world: World) -> None:
    plain = submission(code="pia-code")
    first, second = (
        world.submit(each).digest for each in (plain, replace(plain, declared=("own_staff",)))
    )

    assert first != second


def test_a_link_of_nobody_known_pins_what_was_declared(world: World) -> None:
    world.save_link(link("gone", disabled=True))

    found = pinned(world, sent(world, code="gone", declared=("own_staff",)))

    assert (["own_staff"], []) == (found["declared"], found["shares"])


STRICT = {
    "eligibility": {
        "required": ["agreement"],
        "blocked": ["buyer_staff", "public_official"],
        "self_referral": "deny",
    },
    "rules": [
        {
            "id": "bonus",
            "beneficiary": "partner",
            "milestone": "submitted",
            "kind": "cash",
            "value": {"fixed": "50.00"},
        }
    ],
}


@pytest.mark.parametrize(
    ("known", "form", "code"),
    [
        ({"documents": AGREED}, {}, "review_pending"),
        ({}, {}, "agreement_missing"),
        ({"documents": AGREED}, {"declared": ("public_official",)}, "blocked_category"),
        ({"documents": AGREED, "categories": ("public_official",)}, {}, "blocked_category"),
        ({"documents": AGREED, "categories": ("own_staff",)}, {}, "review_pending"),
        ({"documents": AGREED}, {"email": PARTNER_EMAIL}, "self_referral"),
    ],
)
def test_the_rules_read_what_intake_pinned(
    world: World, known: dict[str, Any], form: dict[str, Any], code: str
) -> None:
    world.publish(2, STRICT)
    save(world, **known)

    referral_id = sent(world, **form)

    told = [
        fact_from(row) for row in world.rows(f"REF#{referral_id}") if row["sk"].startswith("FACT#")
    ]
    terms = parse_terms({**WORKED_EXAMPLE, **STRICT}, currency="USD")
    (line,) = evaluate(terms, told, Parties(lead_id="led_1", shares=shares_of(told))).trace
    assert code == line.code

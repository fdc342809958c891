"""Documents that partners accept, categories, and who has the last word on them."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from shared.domain import facts as kinds
from tests.builders.managed import referred, settle
from tests.builders.money import START, Story
from tests.functions.manage_program.conftest import CORE, TERMS

if TYPE_CHECKING:
    from tests.functions.manage_program.conftest import Api, Reply

FACTS = "/referrals/ref_1/facts"
PROPOSALS = "/referrals/ref_1/proposals"
WANTED = {"program_id": "prg_1", "accept_terms": True}
STRICT = {
    "name": "Strict",
    "eligibility": {
        "required": ["agreement", "code_of_conduct"],
        "blocked": ["public_official", "buyer_staff"],
        "self_referral": "deny",
    },
    "rules": [
        {
            "id": "bonus",
            "beneficiary": "partner",
            "milestone": "accepted",
            "kind": "cash",
            "value": {"fixed": "50.00"},
        }
    ],
}
BOTH = {"agreement": "2026-01", "code_of_conduct": "3"}


@pytest.fixture
def partners(api: Api) -> list[str]:
    """Two partners of a programme with strict terms, and an accepted referral of the first."""
    api.program("prg_1")
    api.made("/programs/prg_1/terms", STRICT)
    found = [api.partner("Ada", "ada@a.example"), api.partner("Bob", "bob@b.example")]
    api.made("/enrolments", {**WANTED, "partner_id": found[0], "accept_documents": BOTH})
    api.made("/enrolments", {**WANTED, "partner_id": found[1]})
    story = Story(partner_id=found[0]).add(kinds.SUBMITTED, "", {}, at=START)
    pinned = {
        "version": 1,
        "shares": [{"partner_id": found[0], "role": "introducer", "basis_points": 10_000}],
        "attributes": {},
        "partners": {found[0]: {"accepted": [*BOTH], "categories": ["buyer_staff"]}},
    }
    story.add(kinds.TERMS_PINNED, "", pinned, at=START).reviewed("accepted")
    referred(api, story, review="accepted", partner_id=found[0])
    settle(api, now=api.clock[0])
    return found


def enrol(api: Api, partner_id: str, **fields: object) -> Reply:
    return api.send("POST", "/enrolments", {**WANTED, "partner_id": partner_id, **fields})


def state(api: Api, kind: str, **data: object) -> Reply:
    api.clock[0] += timedelta(hours=1)
    reply = api.send("POST", FACTS, {"kind": kind, "reason": "looked into it", "data": data})
    settle(api, now=api.clock[0])
    return reply


def paid(api: Api) -> dict[str, str]:
    items = api.send("GET", "/rewards", query="referral_id=ref_1").body["items"]
    return {item["holder_id"]: item["amount"]["amount"] for item in items}


def lines(api: Api, partner_id: str = "") -> list[dict[str, Any]]:
    query = f"view=partner&partner_id={partner_id}" if partner_id else ""
    found = api.send("GET", "/referrals/ref_1/explanation", query=query).body["lines"]
    return list(found)


# -- documents ------------------------------------------------------------------------------------


def test_a_document_is_accepted_once_and_a_later_version_again(api: Api) -> None:
    partner_id = api.enrolled("prg_1")
    first = enrol(api, partner_id, accept_documents={"agreement": "1"}).body["documents"]
    api.clock[0] += timedelta(days=1)

    again = enrol(api, partner_id, accept_documents={"agreement": "1"}).body["documents"]
    more = enrol(api, partner_id, accept_documents={"code_of_conduct": "x"}).body["documents"]
    newer = enrol(api, partner_id, accept_documents={"agreement": "2"}).body["documents"]
    kept = enrol(api, partner_id, tier="gold").body["documents"]

    assert {"agreement": {"version": "1", "accepted_at": "2026-11-21T10:00:00.000Z"}} == first
    assert first == again
    later = "2026-11-22T10:00:00.000Z"
    assert {**first, "code_of_conduct": {"version": "x", "accepted_at": later}} == more
    assert {**more, "agreement": {"version": "2", "accepted_at": later}} == newer
    assert newer == kept


def test_newer_terms_keep_what_was_accepted(api: Api) -> None:
    partner_id = api.enrolled("prg_1")
    before = enrol(api, partner_id, accept_documents=BOTH).body["documents"]
    api.made("/programs/prg_1/terms", {**TERMS, "name": "Newer"})

    after = enrol(api, partner_id).body

    assert (2, before) == (after["terms_version"], after["documents"])


@pytest.mark.parametrize(
    ("documents", "path"),
    [
        ({"nda": "1"}, "accept_documents"),
        ({"agreement": ""}, "accept_documents.agreement"),
        ({"agreement": 1}, "accept_documents.agreement"),
        (["agreement"], "accept_documents"),
    ],
)
def test_other_documents_are_refused(api: Api, documents: object, path: str) -> None:
    partner_id = api.enrolled("prg_1")

    reply = enrol(api, partner_id, accept_documents=documents)

    assert (422, [path]) == (reply.status, reply.paths)


def test_two_who_accept_at_once_both_count(api: Api) -> None:
    partner_id = api.enrolled("prg_1")

    def other(_request: object) -> None:
        api.store.before.clear()
        enrol(api, partner_id, accept_documents={"code_of_conduct": "3"})

    api.store.before["transact_write_items"] = other
    reply = enrol(api, partner_id, accept_documents={"agreement": "1"})

    assert {"agreement", "code_of_conduct"} == reply.body["documents"].keys()


# -- categories of partners -----------------------------------------------------------------------


def test_categories_of_a_partner_are_stored_and_changed(api: Api) -> None:
    body = {"name": "Ada", "email": "ada@a.example", "kind": "affiliate"}
    both = {"categories": ["own_staff", "public_official", "own_staff"]}
    made = api.made("/partners", {**body, **both})
    path = f"/partners/{made['id']}"

    assert ["public_official", "own_staff"] == made["categories"]
    assert ["own_staff"] == api.send("PATCH", path, {"categories": ["own_staff"]}).body[
        "categories"
    ]
    assert ["own_staff"] == api.send("PATCH", path, {"country": "DE"}).body["categories"]
    assert [] == api.send("PATCH", path, {"categories": []}).body["categories"]


@pytest.mark.parametrize("name", ["buyer_staff", "competitor", ""])
def test_a_partner_is_in_no_other_category(api: Api, name: str) -> None:
    partner_id = api.partner()

    reply = api.send("PATCH", f"/partners/{partner_id}", {"categories": [name]})

    assert (422, ["categories"]) == (reply.status, reply.paths)


def test_the_company_behind_an_address_is_known_by_its_hash_alone(api: Api) -> None:
    colleagues = [api.partner(email=email) for email in ("a@acme.example", "b@acme.example")]
    private = api.partner(email="a@gmail.com")
    found = [api.services.partners.partner(each) for each in (*colleagues, private)]
    hashes = [each.company_hmac for each in found if each]

    assert (hashes[0], "") == (hashes[1], hashes[2])
    assert hashes[0]
    assert "acme" not in str(api.store.dump()[CORE])
    api.send("PATCH", f"/partners/{private}", {"email": "c@acme.example"})
    moved = api.services.partners.partner(private)
    assert moved is not None
    assert hashes[0] == moved.company_hmac


# -- what a person declares -----------------------------------------------------------------------


def test_one_person_blocks_and_it_takes_two_to_clear(api: Api, partners: list[str]) -> None:
    grace = api.key_with("referrals", "read")
    assert {} == paid(api)

    cleared = state(api, "categories_declared", categories=[])
    assert (202, {}) == (cleared.status, paid(api))
    path = f"{PROPOSALS}/{cleared.body['id']}/approve"
    assert "second_person_required" == api.send("POST", path).code
    assert 201 == api.send("POST", path, key=grace).status
    settle(api, now=api.clock[0])
    assert {partners[0]: "50.00"} == paid(api)

    blocked = state(api, "categories_declared", categories=["public_official"])
    assert (201, {partners[0]: "0.00"}) == (blocked.status, paid(api))
    assert ("blocked_category", "public_official") == (
        lines(api)[0]["code"],
        lines(api)[0]["figures"]["category"],
    )


def test_who_clears_has_seen_what_was_declared_since(api: Api, partners: list[str]) -> None:
    assert partners
    grace = api.key_with("referrals", "read")
    cleared = state(api, "categories_declared", categories=[])
    state(api, "categories_declared", categories=["buyer_staff", "public_official"])

    reply = api.send("POST", f"{PROPOSALS}/{cleared.body['id']}/approve", key=grace)

    assert (409, "proposal_outdated") == (reply.status, reply.code)


@pytest.mark.usefixtures("partners")
@pytest.mark.parametrize(
    ("data", "path"),
    [
        ({"categories": ["competitor"]}, "data.categories[0]"),
        ({"categories": ["own_staff", ""]}, "data.categories[1]"),
        ({"categories": "own_staff"}, "data.categories"),
        ({}, "data.categories"),
    ],
)
def test_a_wrong_declaration_is_refused(api: Api, data: dict[str, Any], path: str) -> None:
    reply = state(api, "categories_declared", **data)

    assert (422, [path]) == (reply.status, reply.paths)


@pytest.mark.usefixtures("partners")
def test_a_declaration_is_not_taken_back_but_made_anew(api: Api) -> None:
    made = state(api, "categories_declared", categories=["buyer_staff", "own_staff"])

    reply = state(api, "fact_retracted", retracts=made.body["fact_id"])

    assert "fact_not_retractable" == reply.code


def test_who_gets_a_share_by_hand_is_looked_at_then(api: Api, partners: list[str]) -> None:
    api.send("PATCH", f"/partners/{partners[1]}", {"categories": ["own_staff"]})
    shares = [
        {"partner_id": partners[0], "role": "introducer", "basis_points": 6_000},
        {"partner_id": partners[1], "role": "co_referrer", "basis_points": 4_000},
    ]

    made = state(api, "shares_set", shares=shares)

    assert {
        partners[0]: {"accepted": ["agreement", "code_of_conduct"]},
        partners[1]: {"categories": ["own_staff"]},
    } == made.body["data"]["partners"]


# -- what partners see ----------------------------------------------------------------------------


def share(api: Api, partners: list[str]) -> None:
    """Give the second partner a part from the start, which takes two persons."""
    shares = [
        {"partner_id": partners[0], "role": "introducer", "basis_points": 6_000},
        {"partner_id": partners[1], "role": "co_referrer", "basis_points": 4_000},
    ]
    proposed = state(api, "shares_set", shares=shares, retroactive=True)
    path = f"{PROPOSALS}/{proposed.body['id']}/approve"
    assert 201 == api.send("POST", path, key=api.key_with("referrals", "read")).status
    settle(api, now=api.clock[0])


def shown(api: Api, partner_id: str) -> tuple[str, str, dict[str, str]]:
    (line,) = lines(api, partner_id)
    return line["outcome"], line["code"], line["figures"]


def test_each_partner_sees_the_own_reason_and_nobody_elses(api: Api, partners: list[str]) -> None:
    share(api, partners)

    assert (
        f"{partners[0]} blocked_category, {partners[1]} agreement_missing"
        == (lines(api)[0]["figures"]["left_out"])
    )
    # Whom the lead works for is the lead's.
    assert ("denied", "blocked_category", {}) == shown(api, partners[0])
    assert ("denied", "agreement_missing", {}) == shown(api, partners[1])


def test_who_is_left_out_is_told_and_who_earns_sees_nothing_of_it(
    api: Api, partners: list[str]
) -> None:
    share(api, partners)
    cleared = state(api, "categories_declared", categories=[])
    path = f"{PROPOSALS}/{cleared.body['id']}/approve"
    api.send("POST", path, key=api.key_with("referrals", "read"))
    settle(api, now=api.clock[0])

    assert {partners[0]: "30.00"} == paid(api)
    expected = ("granted", "granted", {"amount": "30.00", "currency": "USD"})
    assert expected == shown(api, partners[0])
    assert ("denied", "agreement_missing", {}) == shown(api, partners[1])

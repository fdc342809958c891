from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from tests.builders.managed import bump, outgoing, referred
from tests.builders.money import WORKED_EXAMPLE, Story

if TYPE_CHECKING:
    from tests.functions.manage_program.conftest import Api

FACTS = "/referrals/ref_1/facts"
PROPOSALS = "/referrals/ref_1/proposals"


@pytest.fixture
def partners(api: Api) -> list[str]:
    """Two enrolled partners of a programme with an accepted referral."""
    api.program("prg_1")
    api.made("/programs/prg_1/terms", WORKED_EXAMPLE)
    found = [api.partner("Ada", "ada@a.example"), api.partner("Bob", "bob@b.example")]
    for partner_id in found:
        body = {"partner_id": partner_id, "program_id": "prg_1", "accept_terms": True}
        api.made("/enrolments", body)
    referred(api, Story().submitted().reviewed("accepted"), review="accepted")
    return found


def parts(partners: list[str], first: int = 6_000, second: int = 4_000) -> list[dict[str, Any]]:
    return [
        {"partner_id": partners[0], "role": "introducer", "basis_points": first},
        {"partner_id": partners[1], "role": "co_referrer", "basis_points": second},
    ]


def shares(partners: list[str], *, retroactive: bool = False) -> dict[str, Any]:
    data = {"shares": parts(partners), "retroactive": retroactive}
    return {"kind": "shares_set", "reason": "both introduced the customer", "data": data}


def stored_kinds(api: Api) -> list[str]:
    return [fact["kind"] for fact in api.send("GET", "/referrals/ref_1").body["facts"]]


def key_of(api: Api, principal: str) -> str:
    body = {"principal": principal, "scopes": ["referrals", "read"]}
    return str(api.made("/keys", body)["key"])


def test_shares_for_what_is_to_come_need_one_person(api: Api, partners: list[str]) -> None:
    made = api.made(FACTS, shares(partners))

    assert made["data"]["shares"] == parts(partners)
    assert made["data"]["retroactive"] is False
    assert made["data"]["actor"] == "root"


@pytest.mark.parametrize(
    ("points", "path", "code"),
    [
        ((6_000, 3_999), "data.shares", "not_the_whole"),
        ((6_000, 4_001), "data.shares", "not_the_whole"),
        ((10_000, 0), "data.shares[1].basis_points", "out_of_range"),
        ((10_001, -1), "data.shares[0].basis_points", "out_of_range"),
    ],
)
@pytest.mark.parametrize("retroactive", [False, True])
def test_the_parts_must_be_a_whole(
    api: Api,
    partners: list[str],
    points: tuple[int, int],
    path: str,
    code: str,
    *,
    retroactive: bool,
) -> None:
    body = shares(partners, retroactive=retroactive)
    body["data"]["shares"] = parts(partners, *points)

    reply = api.send("POST", FACTS, body)

    error = reply.body["errors"][0]
    assert (422, path, code) == (reply.status, error["path"], error["code"])
    assert "shares_set" not in stored_kinds(api)


@pytest.mark.parametrize(
    ("changes", "field", "code"),
    [
        ({"partner_id": "ptr_none"}, "partner_id", "not_enrolled"),
        ({"role": "boss"}, "role", "not_allowed"),
        ({"basis_points": "4000"}, "basis_points", "wrong_type"),
        ({"note": "x"}, "note", "unknown_field"),
    ],
)
def test_a_wrong_part_is_named(
    api: Api, partners: list[str], changes: dict[str, Any], field: str, code: str
) -> None:
    body = shares(partners)
    body["data"]["shares"][1] |= changes

    reply = api.send("POST", FACTS, body)

    error = reply.body["errors"][0]
    path = f"data.shares[1].{field}"
    assert (422, path, code) == (reply.status, error["path"], error["code"])


def test_a_partner_has_one_part(api: Api, partners: list[str]) -> None:
    reply = api.send("POST", FACTS, shares([partners[0], partners[0]]))

    assert (422, ["data.shares[1].partner_id"]) == (reply.status, reply.paths)


@pytest.mark.parametrize("count", [0, 9])
def test_there_are_one_to_eight_parts(api: Api, partners: list[str], count: int) -> None:
    body = shares(partners)
    body["data"]["shares"] = parts(partners)[:1] * count

    assert api.send("POST", FACTS, body).paths == ["data.shares"]


def test_a_referral_of_nobody_gets_its_partner(api: Api, partners: list[str]) -> None:
    nobodys = Story(referral_id="ref_2", partner_id="").submitted()
    referred(api, nobodys, referral_id="ref_2", partner_id=None)

    api.made("/referrals/ref_2/facts", shares(partners))

    listed = api.send("GET", "/referrals", query=f"partner_id={partners[0]}").body["items"]
    assert ["ref_2"] == [item["referral_id"] for item in listed]
    assert partners[0] == api.send("GET", "/referrals/ref_2").body["partner_id"]


def test_retroactive_shares_wait_for_a_second_person(api: Api, partners: list[str]) -> None:
    reply = api.send("POST", FACTS, shares(partners, retroactive=True))

    assert reply.status == 202
    assert ("open", "root", None) == (
        reply.body["state"],
        reply.body["proposed_by"],
        reply.body["approved_by"],
    )
    assert reply.body["data"]["shares"] == parts(partners)
    assert "shares_set" not in stored_kinds(api)
    assert outgoing(api, "FactsChanged") == []
    assert [reply.body] == api.send("GET", PROPOSALS).body["items"]


def proposed(api: Api, partners: list[str]) -> str:
    reply = api.send("POST", FACTS, shares(partners, retroactive=True))
    assert reply.status == 202
    return f"{PROPOSALS}/{reply.body['id']}/approve"


def test_a_second_person_makes_it_a_fact(api: Api, partners: list[str]) -> None:
    approve = proposed(api, partners)
    grace = key_of(api, "Grace")
    api.clock[0] += timedelta(days=1)

    reply = api.send("POST", approve, key=grace)

    assert reply.status == 201
    assert reply.body["data"] == {
        "shares": parts(partners),
        "retroactive": True,
        "actor": "root",
        "approved_by": "Grace",
        "reason": "both introduced the customer",
    }
    assert reply.body["occurred_at"] == "2026-11-22T10:00:00.000Z"
    assert stored_kinds(api).count("shares_set") == 1
    assert len(outgoing(api, "FactsChanged")) == 1
    (item,) = api.send("GET", PROPOSALS).body["items"]
    assert ("approved", "Grace") == (item["state"], item["approved_by"])


@pytest.mark.parametrize("principal", ["root", " Root "])
def test_nobody_approves_their_own(api: Api, partners: list[str], principal: str) -> None:
    approve = proposed(api, partners)

    reply = api.send("POST", approve, key=key_of(api, principal))

    assert (reply.status, reply.code) == (409, "second_person_required")
    assert "shares_set" not in stored_kinds(api)


def test_approving_again_answers_the_same_to_its_approver_alone(
    api: Api, partners: list[str]
) -> None:
    approve = proposed(api, partners)
    grace = key_of(api, "Grace")
    first = api.send("POST", approve, key=grace)

    again = api.send("POST", approve, key=grace)
    other = api.send("POST", approve, key=key_of(api, "Heidi"))

    assert (201, first.body) == (again.status, again.body)
    assert (other.status, other.code) == (409, "proposal_closed")
    assert stored_kinds(api).count("shares_set") == 1


def test_a_proposal_does_not_outlive_other_shares(api: Api, partners: list[str]) -> None:
    approve = proposed(api, partners)
    api.made(FACTS, shares(partners[::-1]))

    reply = api.send("POST", approve, key=key_of(api, "Grace"))

    assert (reply.status, reply.code) == (409, "proposal_outdated")
    assert stored_kinds(api).count("shares_set") == 1


def test_a_proposal_expires(api: Api, partners: list[str]) -> None:
    approve = proposed(api, partners)
    grace = key_of(api, "Grace")
    api.clock[0] += timedelta(days=14)

    assert api.send("POST", approve, key=grace).status == 404
    assert api.send("GET", PROPOSALS).body["items"] == []


@pytest.mark.usefixtures("partners")
@pytest.mark.parametrize(
    "path",
    [
        "/referrals/ref_1/proposals/prp_none/approve",
        "/referrals/ref_none/proposals/prp_none/approve",
    ],
)
def test_an_unknown_proposal_is_not_found(api: Api, path: str) -> None:
    assert api.send("POST", path).status == 404
    assert api.send("GET", "/referrals/ref_none/proposals").status == 404


def test_a_proposal_of_another_referral_is_not_found(api: Api, partners: list[str]) -> None:
    approve = proposed(api, partners).replace("ref_1", "ref_2")
    referred(api, Story(referral_id="ref_2").submitted(), referral_id="ref_2")

    assert api.send("POST", approve, key=key_of(api, "Grace")).status == 404


def test_two_approvals_at_once_make_one_fact(api: Api, partners: list[str]) -> None:
    approve = proposed(api, partners)
    grace, heidi = key_of(api, "Grace"), key_of(api, "Heidi")
    raced = False

    def race(request: dict[str, Any]) -> None:
        nonlocal raced
        if "shares_set" in str(request) and not raced:
            raced = True
            assert api.send("POST", approve, key=heidi).status == 201

    api.store.before["transact_write_items"] = race

    reply = api.send("POST", approve, key=grace)

    assert (reply.status, reply.code) == (409, "proposal_closed")
    assert stored_kinds(api).count("shares_set") == 1


def test_an_approval_that_lost_to_another_write_is_taken_anew(
    api: Api, partners: list[str]
) -> None:
    approve = proposed(api, partners)
    lost = 0

    def race(request: dict[str, Any]) -> None:
        nonlocal lost
        if "shares_set" in str(request) and lost < 4:
            lost += 1
            bump(api)

    api.store.before["transact_write_items"] = race

    assert api.send("POST", approve, key=key_of(api, "Grace")).status == 201
    assert lost == 4


def test_an_approval_that_always_loses_is_given_up(api: Api, partners: list[str]) -> None:
    approve = proposed(api, partners)
    grace = key_of(api, "Grace")

    def race(request: dict[str, Any]) -> None:
        if "shares_set" in str(request):
            bump(api)

    api.store.before["transact_write_items"] = race

    reply = api.send("POST", approve, key=grace)

    assert (reply.status, reply.code) == (409, "stale_version")


class CrashError(BaseException):
    """The process is gone."""


def test_a_crash_after_the_proposal_proposes_once(api: Api, partners: list[str]) -> None:
    def crash(request: dict[str, Any], _answer: dict[str, Any]) -> None:
        if "PROPOSAL#" in str(request):
            raise CrashError

    once = {"idempotency-key": "k-1"}
    body = shares(partners, retroactive=True)
    api.store.after["transact_write_items"] = crash
    with pytest.raises(CrashError):
        api.send("POST", FACTS, body, headers=once)
    api.store.after.clear()
    api.clock[0] += timedelta(minutes=2)

    assert api.send("POST", FACTS, body, headers=once).status == 202
    assert len(api.send("GET", PROPOSALS).body["items"]) == 1

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from shared.domain.partners import MOVES
from tests.functions.manage_program.conftest import CORE, TERMS, VAULT

if TYPE_CHECKING:
    from tests.functions.manage_program.conftest import Api, Reply

ADA = {"name": "Ada", "email": "ada@partner.example", "kind": "affiliate", "country": "DE"}


def test_a_partner_is_stored_and_the_person_is_in_the_vault_only(api: Api) -> None:
    made = api.made("/partners", ADA)

    assert "name" not in made
    assert "email" not in made
    shown = api.send("GET", f"/partners/{made['id']}").body
    assert {**made, "name": "Ada", "email": "ada@partner.example", "moves": []} == shown
    assert "ada@partner.example" not in str(api.store.dump()[CORE])
    assert "ada@partner.example" in str(api.store.dump()[VAULT])


def test_personal_data_needs_its_scope(api: Api) -> None:
    partner_id = api.partner()
    reader = api.key_with("read")

    shown = api.send("GET", f"/partners/{partner_id}", key=reader).body
    listed = api.send("GET", "/partners", key=reader).body["items"]

    assert (shown["name"], shown["email"], shown.pop("moves")) == (None, None, [])
    assert [shown] == listed


def test_spellings_of_one_address_have_one_look_up(api: Api) -> None:
    first = api.partner(email="Ada.L+x@GMAIL.com")
    second = api.partner(email="adal@gmail.com")

    found = {api.services.partners.partner(one).email_hmac for one in (first, second)}  # type: ignore[union-attr]
    assert len(found) == 1
    assert len(found.pop()) == 32


def test_changes_reach_the_row_and_the_vault(api: Api) -> None:
    partner_id = api.partner()
    before = api.services.partners.partner(partner_id)

    reply = api.send(
        "PATCH",
        f"/partners/{partner_id}",
        {
            "name": "Ada L",
            "email": "new@partner.example",
            "status": "suspended",
            "reason": "under review",
        },
    )

    assert reply.status == 200
    assert "email" not in reply.body
    shown = api.send("GET", f"/partners/{partner_id}").body
    assert ("Ada L", "new@partner.example", "suspended") == (
        shown["name"],
        shown["email"],
        shown["status"],
    )
    after = api.services.partners.partner(partner_id)
    assert before is not None
    assert after is not None
    assert before.email_hmac != after.email_hmac


def test_only_the_name_changes_in_the_vault(api: Api) -> None:
    partner_id = api.partner()

    assert api.send("PATCH", f"/partners/{partner_id}", {"name": "Ada L"}).status == 200

    assert api.send("GET", f"/partners/{partner_id}").body["name"] == "Ada L"
    assert api.send("PATCH", f"/partners/{partner_id}", {}).status == 200


def move(api: Api, partner_id: str, status: str, **more: object) -> Reply:
    body = {"status": status, "reason": f"to be {status}", **more}
    return api.send("PATCH", f"/partners/{partner_id}", body)


@pytest.mark.parametrize("before", MOVES)
@pytest.mark.parametrize("after", MOVES)
def test_a_status_moves_only_as_the_table_says(api: Api, before: str, after: str) -> None:
    partner_id = str(api.made("/partners", {**ADA, "status": before})["id"])

    reply = move(api, partner_id, after)

    if before == after or after in MOVES[before]:
        assert (200, after) == (reply.status, reply.body["status"])
    else:
        assert (409, "illegal_partner_move") == (reply.status, reply.code)
        assert before == api.send("GET", f"/partners/{partner_id}").body["status"]


def test_every_move_tells_who_decided_it_and_why(api: Api) -> None:
    partner_id = api.partner()
    grace = api.key_with("partners", "read")
    move(api, partner_id, "suspended", reason="  looks like fraud ")
    api.clock[0] = api.clock[0].replace(hour=12)
    body = {"status": "active", "reason": "it was none"}
    api.send("PATCH", f"/partners/{partner_id}", body, key=grace)
    move(api, partner_id, "active", reason="said again, which moves nothing")

    moves = api.send("GET", f"/partners/{partner_id}").body["moves"]

    assert [
        ("suspended", "active", "Grace", "it was none", "2026-11-21T12:00:00.000Z"),
        ("active", "suspended", "root", "looks like fraud", "2026-11-21T10:00:00.000Z"),
    ] == [tuple(shown.values()) for shown in moves]


def test_moves_at_one_moment_are_all_kept(api: Api) -> None:
    partner_id = api.partner()
    for status in ("suspended", "active", "closed"):
        assert 200 == move(api, partner_id, status).status

    assert 3 == len(api.send("GET", f"/partners/{partner_id}").body["moves"])


@pytest.mark.parametrize("reason", [None, "", "  "])
def test_another_status_needs_a_reason(api: Api, reason: str | None) -> None:
    partner_id = api.partner()
    body = {"status": "closed"} if reason is None else {"status": "closed", "reason": reason}

    reply = api.send("PATCH", f"/partners/{partner_id}", body)

    assert (422, ["reason"]) == (reply.status, reply.paths)
    assert "active" == api.send("GET", f"/partners/{partner_id}").body["status"]


def test_a_repeated_move_is_recorded_once(api: Api) -> None:
    partner_id = api.partner()
    once = {"idempotency-key": "k"}
    body = {"status": "suspended", "reason": "x"}

    replies = [
        api.send("PATCH", f"/partners/{partner_id}", body, headers=once).status for _ in range(2)
    ]

    assert [200, 200] == replies
    assert 1 == len(api.send("GET", f"/partners/{partner_id}").body["moves"])


def test_two_who_decide_at_once_move_it_once(api: Api) -> None:
    partner_id = api.partner()

    def other(_request: object) -> None:
        api.store.before.clear()
        assert 200 == move(api, partner_id, "closed").status

    api.store.before["transact_write_items"] = other
    reply = move(api, partner_id, "suspended")

    assert (409, "illegal_partner_move") == (reply.status, reply.code)
    (told,) = api.send("GET", f"/partners/{partner_id}").body["moves"]
    assert "closed" == told["after"]


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("email", "nobody"),
        ("email", "a@" + "b" * 260 + ".example"),
        ("kind", "friend"),
        ("status", "asleep"),
        ("country", "Germany"),
        ("name", ""),
        ("payout", {}),
    ],
)
def test_a_wrong_field_is_named_and_never_repeated(api: Api, field: str, value: object) -> None:
    reply = api.send("POST", "/partners", {**ADA, field: value})

    assert (reply.status, reply.paths) == (422, [field])
    assert "nobody" not in str(reply.body)


@pytest.mark.parametrize(("method", "body"), [("GET", None), ("PATCH", {"name": "x"})])
def test_an_unknown_partner_is_not_found(api: Api, method: str, body: object) -> None:
    assert api.send(method, "/partners/ptr_none", body).status == 404


def test_enrolling_accepts_the_newest_terms_once(api: Api) -> None:
    partner_id = api.enrolled()
    api.clock[0] = api.clock[0].replace(hour=12)
    wanted = {"partner_id": partner_id, "program_id": "prg_demo", "accept_terms": True}

    again = api.made("/enrolments", wanted)
    api.made("/programs/prg_demo/terms", TERMS)
    newer = api.made("/enrolments", {**wanted, "tier": "gold"})

    assert (1, "2026-11-21T10:00:00.000Z") == (again["terms_version"], again["accepted_at"])
    assert (2, "2026-11-21T12:00:00.000Z") == (newer["terms_version"], newer["accepted_at"])
    assert newer["tier"] == "gold"


def test_enrolling_again_keeps_what_is_not_said_anew(api: Api) -> None:
    partner_id = api.enrolled()
    wanted = {"partner_id": partner_id, "program_id": "prg_demo", "accept_terms": True}
    api.made("/enrolments", {**wanted, "tier": "gold", "group": "north", "cause": "cause_1"})

    kept = api.made("/enrolments", wanted)
    changed = api.made("/enrolments", {**wanted, "tier": "", "group": "south"})

    assert ("gold", "north", "cause_1") == (kept["tier"], kept["group"], kept["cause"])
    assert ("", "south", "cause_1") == (changed["tier"], changed["group"], changed["cause"])


def test_terms_must_be_accepted(api: Api) -> None:
    partner_id = api.enrolled()

    reply = api.send(
        "POST",
        "/enrolments",
        {"partner_id": partner_id, "program_id": "prg_demo", "accept_terms": False},
    )

    assert (reply.status, reply.paths) == (422, ["accept_terms"])


def test_no_terms_no_enrolment(api: Api) -> None:
    api.program()

    reply = api.send(
        "POST",
        "/enrolments",
        {"partner_id": api.partner(), "program_id": "prg_demo", "accept_terms": True},
    )

    assert (reply.status, reply.code) == (409, "program_has_no_terms")


@pytest.mark.parametrize("field", ["partner_id", "program_id"])
def test_an_enrolment_names_what_exists(api: Api, field: str) -> None:
    partner_id = api.enrolled()
    body = {"partner_id": partner_id, "program_id": "prg_demo", "accept_terms": True}

    reply = api.send("POST", "/enrolments", {**body, field: "xxx_none"})

    assert (reply.status, reply.paths) == (422, [field])


@pytest.mark.parametrize(
    ("path", "status", "code"),
    [
        ("/partners/{partner}", "suspended", "partner_not_active"),
        ("/programs/prg_demo", "closed", "program_closed"),
    ],
)
def test_who_is_not_active_is_not_enrolled(api: Api, path: str, status: str, code: str) -> None:
    partner_id = api.enrolled()
    body = {"status": status, **({} if "program" in path else {"reason": "x"})}
    assert 200 == api.send("PATCH", path.format(partner=partner_id), body).status

    reply = api.send(
        "POST",
        "/enrolments",
        {"partner_id": partner_id, "program_id": "prg_demo", "accept_terms": True},
    )

    assert (reply.status, reply.code) == (409, code)

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from shared.domain.errors import UnavailableError
from tests.functions.manage_program.conftest import CORE, STAGES, TERMS

if TYPE_CHECKING:
    from tests.functions.manage_program.conftest import Api

ONCE = {"idempotency-key": "k-1"}
ADA = {"name": "Ada", "email": "ada@partner.example", "kind": "affiliate"}


def rows(api: Api, prefix: str) -> list[dict[str, Any]]:
    return [row for row in api.store.dump()[CORE] if row["pk"].startswith(prefix)]


def test_the_same_key_and_body_give_the_same_answer(api: Api) -> None:
    first = api.send("POST", "/partners", ADA, headers=ONCE)
    again = api.send("POST", "/partners", ADA, headers=ONCE)

    assert (201, first.body) == (again.status, again.body)
    assert len(rows(api, "PTR#")) == 1


def test_another_body_is_a_conflict(api: Api) -> None:
    api.send("POST", "/partners", ADA, headers=ONCE)

    reply = api.send("POST", "/partners", {**ADA, "name": "Bob"}, headers=ONCE)

    assert (reply.status, reply.code) == (409, "idempotency_key_reused")


def test_keys_of_other_principals_and_routes_are_other_keys(api: Api) -> None:
    other = api.key_with("partners")
    api.send("POST", "/partners", ADA, headers=ONCE)

    assert api.send("POST", "/partners", ADA, headers=ONCE, key=other).status == 201
    body = {"name": "x", "currency": "USD"}
    assert api.send("POST", "/programs", body, headers=ONCE).status == 201
    assert len(rows(api, "PTR#")) == 2


def test_a_key_is_forgotten_after_a_day(api: Api) -> None:
    api.send("POST", "/partners", ADA, headers=ONCE)
    api.clock[0] += timedelta(hours=24)

    assert api.send("POST", "/partners", {**ADA, "name": "Bob"}, headers=ONCE).status == 201


@pytest.mark.parametrize("key", ["", "a b", "x" * 201, "\u00e9"])
def test_a_bad_key_is_refused(api: Api, key: str) -> None:
    reply = api.send("POST", "/partners", ADA, headers={"idempotency-key": key})

    assert (reply.status, reply.paths) == (422, ["Idempotency-Key"])


def test_a_secret_is_never_stored_for_a_replay(api: Api) -> None:
    api.program()
    body = {"program_id": "prg_demo", "kind": "standard", "name": "CRM", "stage_map": STAGES}

    first = api.send("POST", "/sources", body, headers=ONCE).body
    again = api.send("POST", "/sources", body, headers=ONCE).body

    assert {**first, "secret": None} == again
    assert first["secret"] not in str(api.store.dump())


def test_a_management_key_is_never_stored_for_a_replay(api: Api) -> None:
    body = {"principal": "Grace", "scopes": ["read"]}

    first = api.send("POST", "/keys", body, headers=ONCE).body
    again = api.send("POST", "/keys", body, headers=ONCE).body

    assert {**first, "key": None} == again
    assert first["key"].rpartition("_")[2] not in str(api.store.dump())


def test_personal_data_is_never_stored_for_a_replay(api: Api) -> None:
    api.send("POST", "/partners", ADA, headers=ONCE)

    assert "ada@partner.example" not in str(rows(api, "IDEM#"))


def test_a_refused_request_may_be_tried_again(api: Api) -> None:
    body = {"id": "prg_demo", "name": "x", "currency": "USD"}
    api.program()
    link = {"partner_id": "ptr_none", "program_id": "prg_demo", "destination": "https://x.example"}

    assert api.send("POST", "/programs", body, headers=ONCE).status == 409
    assert api.send("POST", "/links", link, headers=ONCE).status == 422
    assert api.send("POST", "/links", link, headers=ONCE).status == 422


def test_two_at_the_same_time_run_once(api: Api) -> None:
    seen: list[tuple[int, str]] = []

    def meanwhile(request: dict[str, Any]) -> None:
        if any("PTR#" in str(member) for member in request["TransactItems"]):
            api.store.before.clear()
            reply = api.send("POST", "/partners", ADA, headers=ONCE)
            seen.append((reply.status, reply.code))

    api.store.before["transact_write_items"] = meanwhile

    assert api.send("POST", "/partners", ADA, headers=ONCE).status == 201
    assert [(409, "request_in_progress")] == seen
    assert len(rows(api, "PTR#")) == 1


class CrashError(BaseException):
    """The process is gone."""


CREATIONS = [
    ("/programs", {"id": "prg_new", "name": "New", "currency": "USD"}, "PRG#prg_new"),
    ("/programs", {"name": "New", "currency": "USD"}, "PRG#"),
    ("/programs/prg_demo/terms", TERMS, "PRG#prg_demo"),
    ("/partners", ADA, "PTR#"),
    (
        "/links",
        {
            "partner_id": "PARTNER",
            "program_id": "prg_demo",
            "destination": "https://www.example.com/",
        },
        "LINK#",
    ),
    (
        "/sources",
        {"program_id": "prg_demo", "kind": "hubspot", "name": "CRM", "stage_map": STAGES},
        "SRC#",
    ),
    ("/keys", {"principal": "Grace", "scopes": ["read"]}, "KEY#"),
]


@pytest.mark.parametrize(("path", "body", "prefix"), CREATIONS)
def test_a_crash_after_any_write_creates_nothing_twice(
    api: Api, path: str, body: dict[str, Any], prefix: str
) -> None:
    partner_id = api.enrolled()
    body = {name: partner_id if value == "PARTNER" else value for name, value in body.items()}
    before = len(rows(api, prefix))
    writes = 0
    crash_at = 1

    def crash(_request: dict[str, Any], _answer: dict[str, Any]) -> None:
        nonlocal writes
        writes += 1
        if writes == crash_at:
            raise CrashError

    api.store.after["transact_write_items"] = crash
    status = 0
    while status != 201:
        writes = 0
        try:
            status = api.send("POST", path, body, headers=ONCE).status
        except CrashError:
            # Later than the claim of the run that died.
            api.clock[0] += timedelta(minutes=2)
            crash_at += 1
        assert crash_at < 6
    api.store.after.clear()

    assert before + 1 == len(rows(api, prefix))
    again = api.send("POST", path, body, headers=ONCE)
    assert again.status == 201
    assert before + 1 == len(rows(api, prefix))


def test_a_lost_answer_is_no_lost_work(api: Api) -> None:
    def lose(request: dict[str, Any]) -> None:
        if any("status" in str(member.get("Update", "")) for member in request["TransactItems"]):
            raise UnavailableError

    api.store.before["transact_write_items"] = lose
    first = api.send("POST", "/partners", ADA, headers=ONCE)
    api.store.before.clear()
    api.clock[0] += timedelta(minutes=2)
    again = api.send("POST", "/partners", ADA, headers=ONCE)

    assert (201, first.body) == (again.status, again.body)
    assert len(rows(api, "PTR#")) == 1


def test_a_bug_does_not_lock_the_key(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as broken:
        broken.setattr("functions.manage_program.partners.create_partner", lambda *_a, **_k: 1 / 0)
        assert api.send("POST", "/partners", ADA, headers=ONCE).status == 500

    assert api.send("POST", "/partners", ADA, headers=ONCE).status == 201

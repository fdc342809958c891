"""Writers that lose a race decide anew; those that always lose say so."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from shared.adapters.dynamodb import keys
from shared.adapters.dynamodb.transactions import transact, update
from tests.functions.manage_program.conftest import CORE, TERMS

if TYPE_CHECKING:
    from tests.functions.manage_program.conftest import Api


def bump_program(api: Api, step: int) -> None:
    program = api.services.programs.program("prg_demo")
    assert program is not None
    version = {"version": program.version + 1}
    transact(api.store, [update(CORE, keys.program("prg_demo"), assign=version)])
    assert step


def bump_partner(api: Api, step: int) -> None:
    assign = {"email_hmac": f"{step:032x}"}
    transact(api.store, [update(CORE, keys.partner(partner_of(api)), assign=assign)])


def bump_enrolment(api: Api, step: int) -> None:
    key = keys.enrolment(partner_of(api), "prg_demo")
    transact(api.store, [update(CORE, key, assign={"terms_version": 100 + step})])


def partner_of(api: Api) -> str:
    return str(api.send("GET", "/partners").body["items"][0]["id"])


def race(api: Api, word: str, bump: Any, times: int) -> None:  # noqa: ANN401
    lost = 0

    def before(request: dict[str, Any]) -> None:
        nonlocal lost
        if word in str(request) and lost < times:
            lost += 1
            bump(api, lost)

    api.store.before["transact_write_items"] = before


CASES = [
    ("PATCH", "/programs/prg_demo", {"name": "New"}, "New", bump_program),
    ("POST", "/programs/prg_demo/terms", {**TERMS, "name": "Raced"}, "Raced", bump_program),
    ("PATCH", "/partners/PARTNER", {"country": "FR"}, "FR", bump_partner),
    (
        "POST",
        "/enrolments",
        {"partner_id": "PARTNER", "program_id": "prg_demo", "accept_terms": True, "tier": "gold"},
        "gold",
        bump_enrolment,
    ),
]


@pytest.mark.parametrize(("method", "path", "body", "word", "bump"), CASES)
@pytest.mark.parametrize(("times", "status"), [(4, 2), (5, 4)])
def test_a_lost_race_is_run_again_up_to_five_times(  # noqa: PLR0917
    api: Api,
    method: str,
    path: str,
    body: dict[str, Any],
    word: str,
    bump: Any,  # noqa: ANN401
    times: int,
    status: int,
) -> None:
    partner_id = api.enrolled()
    body = {name: partner_id if value == "PARTNER" else value for name, value in body.items()}
    race(api, word, bump, times)

    reply = api.send(method, path.replace("PARTNER", partner_id), body)

    assert status == reply.status // 100
    assert reply.code == ("" if status == 2 else "stale_version")


def test_an_unknown_kind_or_status_can_not_be_changed_to(api: Api) -> None:
    partner_id = api.partner()

    for change in ({"kind": "friend"}, {"status": "asleep"}):
        reply = api.send("PATCH", f"/partners/{partner_id}", change)
        assert (reply.status, reply.paths) == (422, list(change))


def test_nothing_changed_writes_nothing(api: Api) -> None:
    made = api.program()
    before = api.services.programs.program("prg_demo")

    assert made == api.send("PATCH", "/programs/prg_demo", {"name": "Demo"}).body
    assert before == api.services.programs.program("prg_demo")


def test_there_is_an_end_to_versions(api: Api) -> None:
    api.program()
    most = update(CORE, keys.program("prg_demo"), assign={"terms_version": 9_999})
    transact(api.store, [most])

    reply = api.send("POST", "/programs/prg_demo/terms", TERMS)

    assert (reply.status, reply.code) == (409, "too_many_versions")


def test_no_free_code_is_said(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    partner_id = api.enrolled()
    monkeypatch.setattr("functions.manage_program.links.new_code", lambda _bytes: "same-code")
    body = {
        "partner_id": partner_id,
        "program_id": "prg_demo",
        "destination": "https://www.example.com/",
    }
    api.made("/links", body)

    reply = api.send("POST", "/links", body)

    assert (reply.status, reply.code) == (409, "code_taken")

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from tests.functions.manage_program.conftest import TERMS

if TYPE_CHECKING:
    from tests.functions.manage_program.conftest import Api

PATH = "/programs/prg_demo/terms"
RULE: dict[str, Any] = TERMS["rules"][0]  # type: ignore[assignment]
FIRST = [
    (
        "New rule accepted_bonus: the partner gets money, when the introduction is accepted:"
        " 50.00 USD, held for 30 days after we learn of it."
    )
]
RAISED = {**TERMS, "rules": [{**RULE, "value": {"fixed": "60.00"}}]}
RAISE = ["Rule accepted_bonus: how much changes from “50.00 USD” to “60.00 USD”."]


def test_publishing_says_what_changes(api: Api) -> None:
    api.program()

    assert FIRST == api.made(PATH, TERMS)["changes"]
    assert [] == api.made(PATH, TERMS)["changes"]
    assert RAISE == api.made(PATH, RAISED)["changes"]


def test_a_dry_run_says_it_too(api: Api) -> None:
    api.program()
    api.made(PATH, TERMS)

    reply = api.send("POST", PATH, RAISED, query="dry_run=true")

    assert (200, RAISE) == (reply.status, reply.body["changes"])
    assert RAISE == api.made(PATH, RAISED)["changes"]


def test_a_resent_request_says_what_the_first_one_said(api: Api) -> None:
    api.program()
    api.made(PATH, TERMS)

    class CrashError(BaseException):
        pass

    def crash(request: dict[str, Any], _answer: dict[str, Any]) -> None:
        if "TERMS#" in str(request):
            raise CrashError

    once = {"idempotency-key": "k-1"}
    api.store.after["transact_write_items"] = crash
    with pytest.raises(CrashError):
        api.send("POST", PATH, RAISED, headers=once)
    api.store.after.clear()
    api.made(PATH, TERMS)
    api.send("PATCH", "/programs/prg_demo", {"status": "closed"})
    api.clock[0] += timedelta(minutes=2)

    reply = api.send("POST", PATH, RAISED, headers=once)

    assert (201, 2, RAISE) == (reply.status, reply.body["version"], reply.body["changes"])


def test_changes_are_told_against_the_version_that_was_beaten_to_it(api: Api) -> None:
    api.program()
    api.made(PATH, TERMS)
    raced = False

    def race(request: dict[str, Any]) -> None:
        nonlocal raced
        if "TERMS#" in str(request) and not raced:
            raced = True
            api.made(PATH, RAISED)

    api.store.before["transact_write_items"] = race

    made = api.made(PATH, TERMS)

    assert raced
    assert made["version"] == 3
    assert made["changes"] == [
        "Rule accepted_bonus: how much changes from “60.00 USD” to “50.00 USD”."
    ]

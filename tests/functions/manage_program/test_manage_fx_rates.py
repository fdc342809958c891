from __future__ import annotations

from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from shared.adapters.dynamodb.fx_rates import rate_on
from tests.builders.managed import outgoing
from tests.functions.manage_program.conftest import CORE

if TYPE_CHECKING:
    from tests.functions.manage_program.conftest import Api

RATES = "/programs/prg_demo/fx-rates"
RATE = {"from": "EUR", "to": "USD", "rate": "1.0845", "on": "2026-11-20"}


def found(api: Api, on: str, currency: str = "EUR", program_id: str = "prg_demo") -> object:
    return rate_on(api.store, CORE, program_id, currency, date.fromisoformat(on))


def test_a_rate_is_stored_and_shown(api: Api) -> None:
    api.program()

    made = api.made(RATES, RATE)

    assert made == {
        **RATE,
        "program_id": "prg_demo",
        "added_by": "root",
        "added_at": "2026-11-21T10:00:00.000Z",
    }
    assert [made] == api.send("GET", RATES).body["items"]


def test_the_newest_rate_up_to_a_day_holds(api: Api) -> None:
    api.program()
    for on, rate in (("2026-11-01", "1.1"), ("2026-11-10", "1.2"), ("2026-11-20", "1.3")):
        api.made(RATES, {**RATE, "on": on, "rate": rate})
    api.made(RATES, {**RATE, "from": "GBP", "on": "2026-11-15", "rate": "1.5"})

    assert found(api, "2026-10-31") is None
    assert ("1.1", "2026-11-01") == found(api, "2026-11-01")
    assert ("1.1", "2026-11-01") == found(api, "2026-11-09")
    assert ("1.2", "2026-11-10") == found(api, "2026-11-10")
    assert ("1.2", "2026-11-10") == found(api, "2026-11-19")
    assert ("1.3", "2026-11-20") == found(api, "2099-01-01")
    assert ("1.5", "2026-11-15") == found(api, "2026-11-20", "GBP")
    assert found(api, "2026-11-20", "CHF") is None
    assert found(api, "2026-11-20", program_id="prg_other") is None


@pytest.mark.parametrize(
    ("sent", "kept"),
    [
        ("1.50", "1.5"),
        ("01", "1"),
        ("0.10", "0.1"),
        ("100", "100"),
        ("123456789012345678.123456789012345678", "123456789012345678.123456789012345678"),
    ],
)
def test_a_rate_is_kept_without_zeros_and_without_rounding(api: Api, sent: str, kept: str) -> None:
    api.program()

    assert kept == api.made(RATES, {**RATE, "rate": sent})["rate"]


def test_a_rate_is_never_overwritten(api: Api) -> None:
    api.program()
    api.made(RATES, RATE)

    replies = [api.send("POST", RATES, {**RATE, "rate": rate}) for rate in ("2", "1.0845")]

    assert [(409, "rate_exists")] * 2 == [(reply.status, reply.code) for reply in replies]
    assert ("1.0845", "2026-11-20") == found(api, "2026-11-20")


def test_a_resent_request_finds_its_rate(api: Api) -> None:
    api.program()
    once = {"idempotency-key": "k-1"}

    class CrashError(BaseException):
        pass

    def crash(request: dict[str, Any], _answer: dict[str, Any]) -> None:
        if "FX#" in str(request):
            raise CrashError

    api.store.after["transact_write_items"] = crash
    with pytest.raises(CrashError):
        api.send("POST", RATES, RATE, headers=once)
    api.store.after.clear()
    api.clock[0] += timedelta(minutes=2)

    reply = api.send("POST", RATES, RATE, headers=once)

    assert (201, "2026-11-21T10:00:00.000Z") == (reply.status, reply.body["added_at"])


def test_a_rate_is_announced_once_to_those_who_wait(api: Api) -> None:
    api.program()
    once = {"idempotency-key": "k-1"}

    replies = [api.send("POST", RATES, RATE, headers=once) for _ in range(2)]

    assert [201, 201] == [reply.status for reply in replies]
    (event,) = outgoing(api, "FactsChanged")
    assert {"type": "rate", "id": "EUR", "version": 0} == event["aggregate"]
    assert ("prg_demo", {"on": "2026-11-20", "kinds": []}) == (event["program_id"], event["data"])


@pytest.mark.parametrize("changes", [{}, {"rate": "0"}])
def test_a_rate_that_is_refused_is_announced_to_nobody(api: Api, changes: dict[str, str]) -> None:
    api.program()
    api.made(RATES, RATE)

    api.send("POST", RATES, {**RATE, **changes})

    assert 1 == len(outgoing(api, "FactsChanged"))


@pytest.mark.parametrize(
    ("changes", "path", "code"),
    [
        ({"from": "USD"}, "from", "not_allowed"),
        ({"from": "XXX"}, "from", "not_allowed"),
        ({"from": 1}, "from", "wrong_type"),
        ({"to": "GBP"}, "to", "not_allowed"),
        ({"rate": 1}, "rate", "wrong_type"),
        ({"rate": "0"}, "rate", "not_a_rate"),
        ({"rate": "-1"}, "rate", "not_a_rate"),
        ({"rate": "1e3"}, "rate", "not_a_rate"),
        ({"rate": "NaN"}, "rate", "not_a_rate"),
        ({"on": "2026-02-30"}, "on", "not_a_day"),
        ({"on": "20.11.2026"}, "on", "not_allowed"),
        ({"on": "1999-12-31"}, "on", "out_of_range"),
        ({"on": "2026-11-23"}, "on", "out_of_range"),
        ({"source": "EUR"}, "source", "unknown_field"),
    ],
)
def test_a_wrong_rate_is_refused(api: Api, changes: dict[str, Any], path: str, code: str) -> None:
    api.program()

    reply = api.send("POST", RATES, {**RATE, **changes})

    found_errors = [(error["path"], error["code"]) for error in reply.body["errors"]]
    assert (422, [(path, code)]) == (reply.status, found_errors)
    assert api.send("GET", RATES).body["items"] == []


@pytest.mark.parametrize("name", list(RATE))
def test_every_field_is_required(api: Api, name: str) -> None:
    api.program()

    reply = api.send("POST", RATES, {key: RATE[key] for key in RATE if key != name})

    assert (422, [name]) == (reply.status, reply.paths)


def test_rates_of_an_unknown_programme_are_not_found(api: Api) -> None:
    assert api.send("POST", RATES, RATE).status == 404
    assert api.send("GET", RATES).status == 404


def test_rates_are_listed_newest_day_first_in_pages(api: Api) -> None:
    api.program()
    api.program("prg_other")
    api.made("/programs/prg_other/fx-rates", RATE)
    days = [f"2026-11-{day:02d}" for day in range(1, 8)]
    for on in days:
        api.made(RATES, {**RATE, "on": on})
    api.made(RATES, {**RATE, "from": "GBP", "on": "2026-11-03"})

    seen: list[str] = []
    query = "from=EUR&limit=3"
    following = ""
    while following != "&cursor=None":
        page = api.send("GET", RATES, query=query + following).body
        seen += [item["on"] for item in page["items"]]
        following = f"&cursor={page['next_cursor']}"

    assert days[::-1] == seen
    assert len(api.send("GET", RATES).body["items"]) == 8


def test_of_two_rates_for_one_day_one_is_stored(api: Api) -> None:
    api.program()
    raced = False

    def race(request: dict[str, Any]) -> None:
        nonlocal raced
        if "FX#" in str(request) and not raced:
            raced = True
            api.made(RATES, {**RATE, "rate": "9"})

    api.store.before["transact_write_items"] = race

    reply = api.send("POST", RATES, RATE)

    assert (reply.status, reply.code) == (409, "rate_exists")
    assert ("9", "2026-11-20") == found(api, "2026-11-20")

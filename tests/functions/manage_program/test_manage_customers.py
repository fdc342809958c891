from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import ConnectTimeoutError

from shared.adapters.dynamodb.customers import is_customer
from shared.domain import customers
from tests.builders.faults import at_call, raiser
from tests.functions.manage_program.conftest import CORE

if TYPE_CHECKING:
    from tests.functions.manage_program.conftest import Api

CUSTOMERS = "/programs/prg_demo/customers"
ANN: dict[str, Any] = {"customers": [{"email": "Ann@Acme.test"}]}
BOTH: dict[str, Any] = {"customers": [*ANN["customers"], {"domain": "globex.test"}]}


def listed(api: Api, email: str, program_id: str = "prg_demo") -> bool:
    entries = customers.entries_of(api.services.server_secret(), email)
    return is_customer(api.store, CORE, program_id, entries)


def rows(api: Api) -> list[dict[str, Any]]:
    return [row for row in api.store.dump()[CORE] if row["pk"].startswith("CUSTOMER#")]


def test_customers_are_listed_by_address_and_by_company(api: Api) -> None:
    api.program()

    made = api.made(CUSTOMERS, BOTH)

    assert ["id", "id"] == [name for each in made["customers"] for name in each]
    assert [True, True, False, False] == [
        listed(api, email)
        for email in ("ann@acme.test", "any@globex.test", "bob@acme.test", "a@eu.globex.test")
    ]
    program = api.services.programs.program("prg_demo")
    assert program is not None
    assert program.customers_listed


def test_the_list_holds_who_added_an_entry_and_no_address(api: Api) -> None:
    api.program()

    made = api.made(CUSTOMERS, ANN)

    (row,) = rows(api)
    assert ("root", "2026-11-21T10:00:00+00:00", made["customers"][0]["id"]) == (
        row["added_by"],
        row["added_at"],
        row["customer_id"],
    )
    assert "acme" not in repr(api.store.dump()).lower()


def test_the_same_again_changes_nothing(api: Api) -> None:
    api.program()
    first = api.made(CUSTOMERS, {"customers": BOTH["customers"] * 2})
    before = rows(api)

    again = api.made(CUSTOMERS, BOTH)

    assert first["customers"] == again["customers"] * 2
    assert before == rows(api)
    assert 2 == len(before)


def test_an_entry_is_taken_off_the_list(api: Api) -> None:
    api.program()
    (entry,) = api.made(CUSTOMERS, ANN)["customers"]

    replies = [api.send("DELETE", f"{CUSTOMERS}/{entry['id']}") for _ in range(2)]

    assert [(200, entry), (200, entry)] == [(reply.status, reply.body) for reply in replies]
    assert not listed(api, "ann@acme.test")


def test_five_hundred_come_at_once_and_no_more(api: Api) -> None:
    api.program()
    many = [{"email": f"lead{number}@acme.test"} for number in range(501)]

    assert 500 == len(api.made(CUSTOMERS, {"customers": many[:500]})["customers"])
    assert 500 == len(rows(api))
    reply = api.send("POST", CUSTOMERS, {"customers": many})
    assert (422, ["customers"]) == (reply.status, reply.paths)


@pytest.mark.parametrize(
    ("entry", "path", "code"),
    [
        ({}, "customers[1]", "required"),
        ({"email": "ann@acme.test", "domain": "acme.test"}, "customers[1]", "required"),
        ({"email": "nobody"}, "customers[1].email", "bad_email"),
        ({"domain": "https://acme.test"}, "customers[1].domain", "bad_host"),
        ({"domain": "gmail.com"}, "customers[1].domain", "free_mail"),
        ({"domain": 5}, "customers[1].domain", "wrong_type"),
        ({"name": "Ann"}, "customers[1].name", "unknown_field"),
    ],
)
def test_a_wrong_entry_is_named_and_nothing_is_stored(
    api: Api, entry: dict[str, Any], path: str, code: str
) -> None:
    api.program()

    reply = api.send("POST", CUSTOMERS, {"customers": [*ANN["customers"], entry]})

    assert (422, [(path, code)]) == (
        reply.status,
        [(error["path"], error["code"]) for error in reply.body["errors"]],
    )
    assert [] == rows(api)


def test_an_empty_list_is_refused(api: Api) -> None:
    api.program()

    assert 422 == api.send("POST", CUSTOMERS, {"customers": []}).status


def test_programmes_that_are_not_there_have_no_customers(api: Api) -> None:
    assert 404 == api.send("POST", CUSTOMERS, ANN).status
    assert 404 == api.send("DELETE", f"{CUSTOMERS}/cus_1").status
    assert [] == rows(api)


def test_each_programme_has_its_own_list(api: Api) -> None:
    api.program()
    api.program("prg_other")

    api.made(CUSTOMERS, ANN)

    assert not listed(api, "ann@acme.test", "prg_other")


def test_nobody_can_say_that_there_is_no_list(api: Api) -> None:
    api.program()
    api.made(CUSTOMERS, ANN)

    reply = api.send("PATCH", "/programs/prg_demo", {"customers_listed": False})

    assert 422 == reply.status


def test_a_fault_at_any_call_is_mended_by_sending_it_again(api: Api) -> None:
    many = {"customers": [{"email": f"lead{number}@acme.test"} for number in range(150)]}
    api.program()
    api.send("GET", CUSTOMERS)
    start = len(api.store.calls)
    api.made(CUSTOMERS, many)
    calls = len(api.store.calls) - start
    expected = rows(api)
    for row in expected:
        key = {"pk": {"S": row["pk"]}, "sk": {"S": row["sk"]}}
        api.store.delete_item(TableName=CORE, Key=key)

    for point in range(calls):
        fault = raiser(lambda: ConnectTimeoutError(endpoint_url="x"))
        api.store.before["*"] = at_call(point, fault)
        api.send("POST", CUSTOMERS, many)
        api.store.before.clear()
        api.made(CUSTOMERS, many)

        assert expected == rows(api), point
    assert calls >= 3

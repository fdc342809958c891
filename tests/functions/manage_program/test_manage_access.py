from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from functions.manage_program.routes import PREFIX, ROUTES
from shared.domain import access

if TYPE_CHECKING:
    from functions.manage_program.calls import Route
    from tests.functions.manage_program.conftest import Api

ALL_ROUTES = pytest.mark.parametrize(
    "route", ROUTES, ids=[f"{route.method} {route.pattern}" for route in ROUTES]
)


def path_of(route: Route) -> str:
    return route.pattern.replace("<", "x-").replace(">", "")


@ALL_ROUTES
def test_no_route_answers_without_a_key(api: Api, route: Route) -> None:
    reply = api.send(route.method, path_of(route), key=None)

    assert reply.status == 401
    assert reply.headers["content-type"] == "application/problem+json"
    assert reply.code == "unauthenticated"


@ALL_ROUTES
def test_no_route_answers_a_key_with_every_other_scope(api: Api, route: Route) -> None:
    others = [one for one in access.SCOPES if one not in (route.scope, access.ALL)]
    key = api.key_with(*others)

    reply = api.send(route.method, path_of(route), key=key)

    assert (reply.status, reply.code) == (403, "forbidden")


@ALL_ROUTES
def test_the_scope_of_a_route_opens_it(api: Api, route: Route) -> None:
    key = api.key_with(route.scope)

    reply = api.send(route.method, path_of(route), key=key)

    assert reply.status not in (401, 403)
    assert reply.status < 500


def test_every_scope_but_that_of_the_vault_opens_some_route() -> None:
    opened = {route.scope for route in ROUTES}
    assert set(access.SCOPES) - {access.ALL, access.PERSONAL_DATA} == opened
    assert PREFIX == "/v1/manage"


@pytest.mark.parametrize(
    ("method", "path"),
    [("GET", "/nothing"), ("PUT", "/programs"), ("DELETE", "/programs/prg_demo"), ("GET", "")],
)
def test_what_is_not_listed_does_not_exist(api: Api, method: str, path: str) -> None:
    reply = api.send(method, path)

    assert (reply.status, reply.code) == (404, "not_found")
    assert reply.headers["content-type"] == "application/problem+json"
    assert reply.body["request_id"] == "request-1"


@pytest.mark.parametrize(
    "authorization",
    [
        "",
        "Bearer",
        "Bearer nonsense",
        "Bearer gw_root_short",
        "Bearer gw_root_" + "x" * 40,
        "Bearer gw_key_0000000000000000_" + "x" * 40,
        "Basic " + "r" * 40,
        "Bearer gw_root_" + "r" * 39 + "\u00e9",
    ],
)
def test_a_wrong_credential_opens_nothing(api: Api, authorization: str) -> None:
    reply = api.send("GET", "/programs", key=None, headers={"authorization": authorization})

    assert (reply.status, reply.code) == (401, "unauthenticated")


def test_the_root_secret_is_read_only_until_its_hash_is_stored(api: Api) -> None:
    assert api.send("GET", "/programs").status == 200
    assert api.send("GET", "/programs").status == 200

    assert api.root_reads == ["read"]
    assert "r" * 40 not in str(api.store.dump())


def test_a_created_key_works_and_a_revoked_one_stops_at_once(api: Api) -> None:
    made = api.made("/keys", {"principal": "Grace", "scopes": ["read"]})
    assert api.send("GET", "/programs", key=made["key"]).status == 200

    revoked = api.send("DELETE", f"/keys/{made['id']}")

    assert revoked.status == 200
    assert revoked.body["revoked_at"] == "2026-11-21T10:00:00.000Z"
    assert "key" not in revoked.body
    assert api.send("GET", "/programs", key=made["key"]).status == 401


def test_revoking_twice_keeps_the_first_time(api: Api) -> None:
    made = api.made("/keys", {"principal": "Grace", "scopes": ["read"]})
    first = api.send("DELETE", f"/keys/{made['id']}").body
    api.clock[0] = api.clock[0].replace(hour=12)

    assert first == api.send("DELETE", f"/keys/{made['id']}").body


def test_a_key_can_not_revoke_itself(api: Api) -> None:
    reply = api.send("DELETE", "/keys/root")

    assert (reply.status, reply.code) == (409, "own_key")


def test_revoking_an_unknown_key_is_not_found(api: Api) -> None:
    assert api.send("DELETE", "/keys/key_none").status == 404


def test_a_key_gives_no_more_than_it_has(api: Api) -> None:
    keeper = api.key_with("keys", "read")

    reply = api.send(
        "POST", "/keys", {"principal": "Mallory", "scopes": ["personal_data"]}, key=keeper
    )

    assert (reply.status, reply.code) == (403, "forbidden")


def test_a_key_does_not_revoke_one_that_reaches_further(api: Api) -> None:
    keeper = api.key_with("keys")
    api.send("GET", "/programs")

    assert api.send("DELETE", "/keys/root", key=keeper).status == 403


@pytest.mark.parametrize(
    ("scopes", "path"),
    [([], "scopes"), ([1], "scopes[0]"), (["nothing"], "scopes[0]"), ("read", "scopes")],
)
def test_bad_scopes_are_refused(api: Api, scopes: object, path: str) -> None:
    reply = api.send("POST", "/keys", {"principal": "Grace", "scopes": scopes})

    assert reply.status == 422
    assert [path] == reply.paths


def test_keys_are_listed_without_secrets(api: Api) -> None:
    api.key_with("read")

    items = api.send("GET", "/keys").body["items"]

    assert {"root", "Grace"} == {item["principal"] for item in items}
    assert not any("key" in item or "sha256" in item for item in items)

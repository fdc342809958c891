from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from tests.functions.manage_program.conftest import Api


def wanted(partner_id: str, **changes: Any) -> dict[str, Any]:  # noqa: ANN401
    return {
        "partner_id": partner_id,
        "program_id": "prg_demo",
        "destination": "https://www.example.com/start?a=1",
        **changes,
    }


def test_a_link_gets_a_code_and_its_short_address(api: Api) -> None:
    partner_id = api.enrolled()

    made = api.made("/links", wanted(partner_id, utm={"utm_source": "ada"}, campaign="spring"))

    assert len(made["code"]) == 10
    assert f"https://go.example.com/{made['code']}" == made["short_url"]
    stored = api.services.links.link(made["code"])
    assert stored is not None
    assert stored.destination == "https://www.example.com/start?a=1"
    assert stored.click_param == "click_id"
    for query in ("program_id=prg_demo", f"partner_id={partner_id}"):
        assert [made] == api.send("GET", "/links", query=query).body["items"]


def test_two_links_get_two_codes(api: Api) -> None:
    partner_id = api.enrolled()

    codes = {api.made("/links", wanted(partner_id))["code"] for _ in range(2)}

    assert len(codes) == 2


def test_a_wanted_code_is_taken_once_whatever_its_case(api: Api) -> None:
    partner_id = api.enrolled()
    assert api.made("/links", wanted(partner_id, code="Ada-Deal"))["code"] == "ada-deal"

    reply = api.send("POST", "/links", wanted(partner_id, code="ADA-DEAL"))

    assert (reply.status, reply.code) == (409, "code_taken")


@pytest.mark.parametrize("code", ["v1", "healthz", "a", "x" * 41, "a_b", "a/b", "", "\u0130bc"])
def test_a_bad_code_is_refused(api: Api, code: str) -> None:
    partner_id = api.enrolled()

    reply = api.send("POST", "/links", wanted(partner_id, code=code))

    assert (reply.status, reply.paths) == (422, ["code"])


@pytest.mark.parametrize(
    "destination",
    [
        "http://www.example.com/",
        "https://evil.example/",
        "https://www.example.com.evil.example/",
        "https://www.example.com@evil.example/",
        "https://user:pw@www.example.com/",
        "https://www.example.com:8443/",
        "https://www.example.com\\@evil.example/",
        "https:///evil.example/",
        "//www.example.com/",
        "javascript:alert(1)",
        "https://www.example.com/\r\nSet-Cookie:a=b",
        "https://www.example.com/a b",
        "https://\uff57ww.example.com\u3002evil.example/",
        "",
        "https://www.example.com/" + "\u00e9" * 700,
    ],
)
def test_a_destination_off_the_landing_hosts_is_refused(api: Api, destination: str) -> None:
    partner_id = api.enrolled()

    reply = api.send("POST", "/links", wanted(partner_id, destination=destination))

    assert (reply.status, reply.paths) == (422, ["destination"])


@pytest.mark.parametrize(
    ("hosts", "destination"),
    [
        (["127.0.0.1"], "http://127.0.0.1:8000/demo"),
        (["localhost"], "http://localhost:8000/demo"),
        (["www.example.com:8443"], "https://www.example.com:8443/x"),
        (["WWW.Example.com"], "https://www.example.com/x"),
    ],
)
def test_a_landing_host_allows_its_own(api: Api, hosts: list[str], destination: str) -> None:
    partner_id = api.enrolled()
    api.send("PATCH", "/programs/prg_demo", {"landing_hosts": hosts})

    assert (
        destination
        == api.made("/links", wanted(partner_id, destination=destination))["destination"]
    )


def test_without_landing_hosts_there_are_no_links(api: Api) -> None:
    partner_id = api.enrolled()
    api.send("PATCH", "/programs/prg_demo", {"landing_hosts": []})

    reply = api.send("POST", "/links", wanted(partner_id))

    assert (reply.status, reply.paths) == (422, ["destination"])


@pytest.mark.parametrize(
    ("changes", "path"),
    [
        ({"partner_id": "ptr_none"}, "partner_id"),
        ({"program_id": "prg_none"}, "program_id"),
        ({"partner_id": "../x"}, "partner_id"),
        ({"utm": {"source": "x"}}, "utm.source"),
        ({"utm": {f"utm_{n}": "x" for n in range(11)}}, "utm"),
        ({"utm": {"utm_source": 1}}, "utm.utm_source"),
        ({"expires_at": "tomorrow"}, "expires_at"),
        ({"expires_at": "2027-01-01T00:00:00"}, "expires_at"),
        ({"expires_at": "0001-01-01T00:00:00+23:00"}, "expires_at"),
        ({"expires_at": "2020-01-01T00:00:00Z"}, "expires_at"),
        ({"disabled": True}, "disabled"),
    ],
)
def test_a_wrong_field_is_named(api: Api, changes: dict[str, Any], path: str) -> None:
    partner_id = api.enrolled()

    reply = api.send("POST", "/links", {**wanted(partner_id), **changes})

    assert (reply.status, reply.paths) == (422, [path])


def test_a_partner_of_another_programme_gets_no_link(api: Api) -> None:
    api.enrolled()
    stranger = api.partner("Bob", "bob@partner.example")

    reply = api.send("POST", "/links", wanted(stranger))

    assert (reply.status, reply.code) == (409, "not_enrolled")


def test_a_closed_programme_gets_no_link(api: Api) -> None:
    partner_id = api.enrolled()
    api.send("PATCH", "/programs/prg_demo", {"status": "closed"})

    reply = api.send("POST", "/links", wanted(partner_id))

    assert (reply.status, reply.code) == (409, "program_closed")


def test_an_end_is_stored_in_utc(api: Api) -> None:
    partner_id = api.enrolled()

    made = api.made("/links", wanted(partner_id, expires_at="2027-01-01T01:00:00+01:00"))

    assert made["expires_at"] == "2027-01-01T00:00:00.000Z"


def test_links_are_listed_by_programme_or_partner(api: Api) -> None:
    reply = api.send("GET", "/links")

    assert (reply.status, reply.paths) == (422, ["program_id"])


def test_a_partners_links_of_another_programme_are_left_out(api: Api) -> None:
    partner_id = api.enrolled()
    api.made("/links", wanted(partner_id))

    query = f"partner_id={partner_id}&program_id=prg_other"
    assert api.send("GET", "/links", query=query).body["items"] == []

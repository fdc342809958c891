from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any

import pytest

from tests.functions.manage_program.conftest import CORE, STAGES

if TYPE_CHECKING:
    from tests.functions.manage_program.conftest import Api


def wanted(**changes: Any) -> dict[str, Any]:  # noqa: ANN401
    return {
        "program_id": "prg_demo",
        "kind": "standard",
        "name": "CRM",
        "stage_map": STAGES,
        **changes,
    }


@pytest.mark.parametrize("kind", ["standard", "hubspot"])
def test_a_generated_secret_is_shown_once_and_stored_sealed(api: Api, kind: str) -> None:
    api.program()

    made = api.made("/sources", wanted(kind=kind))

    assert f"https://api.example.com/v1/webhooks/{made['id']}" == made["url"]
    assert made["default_currency"] == "USD"
    source = api.services.sources.source(made["id"])
    assert source is not None
    assert source.secrets == (f"sealed:{made['id']}:{made['secret'][::-1]}".encode(),)
    (listed,) = api.send("GET", "/sources", query="program_id=prg_demo").body["items"]
    assert {name: value for name, value in made.items() if name != "secret"} == listed
    assert made["secret"] not in str(api.store.dump()[CORE])


def test_a_standard_secret_has_the_documented_form(api: Api) -> None:
    api.program()

    secret = api.made("/sources", wanted())["secret"]

    assert len(base64.b64decode(secret.removeprefix("whsec_"), validate=True)) == 32


@pytest.mark.parametrize(
    ("kind", "secret"),
    [
        ("hubspot", "app-client-secret"),
        ("standard", "whsec_" + base64.b64encode(b"k" * 24).decode()),
    ],
)
def test_a_given_secret_is_taken(api: Api, kind: str, secret: str) -> None:
    api.program()

    assert secret == api.made("/sources", wanted(kind=kind, secret=secret))["secret"]


@pytest.mark.parametrize(
    ("changes", "path"),
    [
        ({"kind": "standard", "secret": "whsec_short"}, "secret"),
        ({"kind": "standard", "secret": base64.b64encode(b"k" * 24).decode()}, "secret"),
        ({"kind": "standard", "secret": "whsec_" + "!" * 32}, "secret"),
        ({"kind": "hubspot", "secret": "short"}, "secret"),
        ({"kind": "hubspot", "secret": "s\u00e9cret-long"}, "secret"),
        ({"kind": "salesforce"}, "kind"),
        ({"program_id": "prg_none"}, "program_id"),
        ({"stage_map": []}, "stage_map"),
        ({"stage_map": [{"stage": "won"}]}, "stage_map[0].rank"),
        ({"default_currency": "XXX"}, "default_currency"),
        ({"amount_is": "brutto"}, "amount_is"),
        ({"amount_is": ""}, "amount_is"),
        ({"name": None}, "name"),
    ],
)
def test_a_wrong_field_is_named(api: Api, changes: dict[str, Any], path: str) -> None:
    api.program()

    reply = api.send("POST", "/sources", wanted(**changes))

    assert reply.status == 422
    assert path in reply.paths
    assert str(changes.get("secret", "-")) not in str(reply.body["errors"]) or path != "secret"


def test_amounts_are_gross_unless_the_source_says_net(api: Api) -> None:
    api.program()

    usual = api.made("/sources", wanted())
    net = api.made("/sources", wanted(amount_is="net"))

    stored = [api.services.sources.source(made["id"]) for made in (usual, net)]
    assert ["gross", "net"] == [usual["amount_is"], net["amount_is"]]
    assert ["gross", "net"] == [source.amount_is for source in stored if source]


def test_a_closed_programme_gets_no_source(api: Api) -> None:
    api.program()
    api.send("PATCH", "/programs/prg_demo", {"status": "closed"})

    reply = api.send("POST", "/sources", wanted())

    assert (reply.status, reply.code) == (409, "program_closed")


def test_sources_are_listed_by_programme(api: Api) -> None:
    api.program()
    api.program("prg_other")
    api.made("/sources", wanted())

    assert api.send("GET", "/sources").status == 422
    assert api.send("GET", "/sources", query="program_id=prg_other").body["items"] == []


def test_a_mended_source_is_as_it_was_but_for_what_came(api: Api) -> None:
    api.program()
    made = api.made("/sources", wanted())
    path = f"/sources/{made['id']}"
    more = [*STAGES, {"stage": "legal", "rank": 9, "outcome": "open"}]

    reply = api.send("PATCH", path, {"stage_map": more, "name": "Sales", "amount_is": "net"})

    assert reply.status == 200
    stages = [entry["stage"] for entry in reply.body["stage_map"]]
    assert [*(entry["stage"] for entry in STAGES), "legal"] == stages
    assert {**made, "stage_map": reply.body["stage_map"], "name": "Sales", "amount_is": "net"} == {
        **reply.body,
        "secret": made["secret"],
    }
    assert reply.body == api.send("GET", path).body
    source = api.services.sources.source(made["id"])
    assert source is not None
    assert source.secrets == (f"sealed:{made['id']}:{made['secret'][::-1]}".encode(),)


@pytest.mark.parametrize("name", ["name", "stage_map", "default_currency", "amount_is"])
def test_what_is_shown_can_be_sent_back_and_changes_nothing(api: Api, name: str) -> None:
    api.program()
    made = api.made("/sources", wanted())
    before = api.store.dump()

    reply = api.send("PATCH", f"/sources/{made['id']}", {name: made[name]})

    assert reply.status == 200
    assert before == api.store.dump()


@pytest.mark.parametrize(
    ("changes", "path"),
    [
        ({"stage_map": []}, "stage_map"),
        ({"stage_map": [{"stage": "won"}]}, "stage_map[0].rank"),
        ({"default_currency": ""}, "default_currency"),
        ({"amount_is": "brutto"}, "amount_is"),
        ({"name": ""}, "name"),
        ({"kind": "hubspot"}, "kind"),
        ({"secret": "whsec_short"}, "secret"),
        ({"program_id": "prg_other"}, "program_id"),
    ],
)
def test_a_source_is_not_mended_wrongly(api: Api, changes: dict[str, Any], path: str) -> None:
    api.program()
    made = api.made("/sources", wanted())
    before = api.store.dump()

    reply = api.send("PATCH", f"/sources/{made['id']}", changes)

    assert reply.status == 422
    assert path in reply.paths
    assert before == api.store.dump()


def test_an_unknown_source_is_neither_shown_nor_mended(api: Api) -> None:
    assert api.send("GET", "/sources/src_none").status == 404
    assert api.send("PATCH", "/sources/src_none", {"name": "CRM"}).status == 404


def test_reading_sources_is_no_right_to_mend_them(api: Api) -> None:
    api.program()
    made = api.made("/sources", wanted())
    key = api.key_with("read")

    reply = api.send("PATCH", f"/sources/{made['id']}", {"name": "Mine"}, key=key)

    assert (403, "forbidden") == (reply.status, reply.code)

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

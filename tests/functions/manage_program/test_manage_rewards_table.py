from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from tests.functions.manage_program.conftest import TERMS, http_event

if TYPE_CHECKING:
    from tests.functions.manage_program.conftest import Api

TABLE = "/programs/prg_demo/rewards-table"
HTML = {"accept": "text/html,application/xhtml+xml;q=0.9,*/*;q=0.8"}
EVIL = "<script>alert('x')</script>&\"'"


def page(api: Api, path: str, headers: dict[str, str] | None = None) -> dict[str, Any]:
    """Asks for a whole path, as a browser without a key does."""
    answer: dict[str, Any] = api.handler.handler(
        http_event("GET", path, "", headers or {}, None), None
    )
    return answer


def published(api: Api, *, publish: bool = True, **terms: object) -> None:
    api.program(publish_rewards=publish)
    api.made("/programs/prg_demo/terms", {**TERMS, **terms})


def test_the_table_says_what_the_rules_say(api: Api) -> None:
    published(api, publish=False)

    reply = api.send("GET", TABLE)

    assert reply.status == 200
    (row,) = reply.body["rows"]
    assert ("prg_demo", "Demo", "USD", 1) == tuple(
        reply.body[name] for name in ("program_id", "name", "currency", "terms_version")
    )
    assert row["rule_id"] == "accepted_bonus"
    assert row["who"] == "the partner"
    assert row["when"] == "when the introduction is accepted"
    assert row["how_much"] == "50.00 USD"
    assert row["held"] == "for 30 days after we learn of it"
    assert row["text"] == "50 for an accepted referral"
    assert reply.body["notes"]


def test_a_browser_gets_a_page(api: Api) -> None:
    published(api, publish=False)
    headers = {**HTML, "authorization": f"Bearer {api.key}"}

    answer = page(api, f"/v1/manage{TABLE}", headers)

    assert answer["statusCode"] == 200
    sent = {name.lower(): value for name, value in answer["headers"].items()}
    assert sent["content-type"] == "text/html; charset=utf-8"
    assert sent["cache-control"] == "no-store"
    assert sent["vary"] == "accept"
    assert sent["content-security-policy"].startswith("default-src 'none'; style-src 'sha256-")
    assert answer["body"].startswith("<!doctype html>")
    assert "50.00 USD" in answer["body"]


@pytest.mark.parametrize(
    ("accept", "kind"),
    [
        ("text/html", "text/html; charset=utf-8"),
        ("application/json", "application/json"),
        ("application/json, text/html", "application/json"),
        ("*/*", "application/json"),
        ("", "application/json"),
    ],
)
def test_json_is_what_programs_get(api: Api, accept: str, kind: str) -> None:
    published(api)

    answer = page(api, f"/v1{TABLE}", {"Accept": accept})

    sent = {name.lower(): value for name, value in answer["headers"].items()}
    assert kind == sent["content-type"]


def test_every_text_on_the_page_is_escaped(api: Api) -> None:
    rule: dict[str, Any] = {
        **TERMS["rules"][0],  # type: ignore[dict-item]
        "kind": "perk",
        "value": {"quantity": 1, "unit": EVIL},
        "text": EVIL,
        "when": {"any": [{"field": "plan", "op": "in", "value": [EVIL]}]},
    }
    paid = {**TERMS["rules"][0], "id": "paid"}  # type: ignore[dict-item]
    override = {"level": "group", "match": EVIL, "rule": "paid", "fixed": "1.00"}
    api.program(name=EVIL, publish_rewards=True)
    terms = {
        **TERMS,
        "rules": [rule, paid],
        "overrides": [override],
        "eligibility": {"partner_kinds": [EVIL], "regions": [EVIL]},
    }
    api.made("/programs/prg_demo/terms", terms)
    headers = {**HTML, "authorization": f"Bearer {api.key}"}

    pages = [page(api, f"/v1{TABLE}", HTML), page(api, f"/v1/manage{TABLE}", headers)]

    for answer in pages:
        assert answer["statusCode"] == 200
        assert "<script" not in answer["body"]
        assert "alert(&#x27;x&#x27;)" in answer["body"]


def test_everybody_sees_a_published_table(api: Api) -> None:
    published(api)

    answer = page(api, f"/v1{TABLE}")

    assert answer["statusCode"] == 200
    sent = {name.lower(): value for name, value in answer["headers"].items()}
    assert sent["cache-control"] == "public, max-age=300"
    body = json.loads(answer["body"])
    assert body["rows"][0]["how_much"] == "50.00 USD"


@pytest.mark.parametrize(
    ("level", "match", "said"),
    [
        ("group", "gold", "for partners of group gold"),
        ("partner", "ptr_gold", "for the partner ptr_gold"),
        ("link", "gold-link", "through the link gold-link"),
    ],
)
def test_rates_of_some_partners_are_not_for_everybody(
    api: Api, level: str, match: str, said: str
) -> None:
    override = {"level": level, "match": match, "rule": "accepted_bonus", "fixed": "77.00"}
    published(api, overrides=[override])

    whole = api.send("GET", TABLE).body
    public = page(api, f"/v1{TABLE}")["body"]
    public_page = page(api, f"/v1{TABLE}", HTML)["body"]

    assert [f"77.00 USD {said}"] == whole["rows"][0]["special"]
    assert "special" not in public
    assert "77.00" not in public + public_page
    assert "gold" not in public + public_page


@pytest.mark.parametrize("change", [{"publish_rewards": False}, {"status": "closed"}])
def test_a_table_that_is_not_published_is_not_found(api: Api, change: dict[str, Any]) -> None:
    published(api)
    assert api.send("PATCH", "/programs/prg_demo", change).status == 200

    answer = page(api, f"/v1{TABLE}", HTML)

    assert answer["statusCode"] == 404
    assert answer["body"] == page(api, "/v1/programs/prg_none/rewards-table")["body"]
    assert json.loads(answer["body"])["code"] == "not_found"


@pytest.mark.parametrize("program_id", ["prg_none", "x" * 81, "a%20b", "a:b"])
def test_what_is_no_programme_is_not_found(api: Api, program_id: str) -> None:
    assert page(api, f"/v1/programs/{program_id}/rewards-table")["statusCode"] == 404
    assert api.send("GET", f"/programs/{program_id}/rewards-table").status == 404


def test_a_programme_without_terms_has_no_table(api: Api) -> None:
    api.program(publish_rewards=True)

    assert page(api, f"/v1{TABLE}")["statusCode"] == 404
    assert api.send("GET", TABLE).status == 404


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH"])
def test_the_public_table_is_only_read(api: Api, method: str) -> None:
    published(api)

    answer = api.handler.handler(http_event(method, f"/v1{TABLE}", "", {}, None), None)

    assert answer["statusCode"] == 404


def test_a_store_that_is_down_is_not_a_missing_table(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    published(api)

    def down(**_request: object) -> None:
        raise ConnectionError

    monkeypatch.setattr(api.store, "get_item", down)

    assert page(api, f"/v1{TABLE}")["statusCode"] >= 500


def test_publishing_is_off_until_somebody_turns_it_on(api: Api) -> None:
    assert api.program()["publish_rewards"] is False

    changed = api.send("PATCH", "/programs/prg_demo", {"publish_rewards": True})

    assert changed.body["publish_rewards"] is True
    assert api.send("GET", "/programs/prg_demo").body["publish_rewards"] is True
    wrong = api.send("PATCH", "/programs/prg_demo", {"publish_rewards": "yes"})
    assert (422, ["publish_rewards"]) == (wrong.status, wrong.paths)

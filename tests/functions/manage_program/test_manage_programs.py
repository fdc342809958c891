from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.functions.manage_program.conftest import CORE, TERMS

if TYPE_CHECKING:
    from tests.functions.manage_program.conftest import Api

YAML = b"""\
name: Demo
windows: {attribution_days: 90, credit_days: 365}
rules:
  - id: accepted_bonus
    beneficiary: partner
    milestone: accepted
    kind: cash
    value: {fixed: "50.00"}
    hold_days: 30
    text: "50 for an accepted referral"
"""
YAML_TYPE = {"content-type": "application/yaml"}


def test_a_programme_is_stored_and_shown(api: Api) -> None:
    made = api.program(time_zone="Europe/Berlin", thank_you_url="https://www.example.com/thanks")

    assert made == api.send("GET", "/programs/prg_demo").body
    assert made["id"] == "prg_demo"
    assert made["time_zone"] == "Europe/Berlin"
    assert made["terms_version"] == 0
    assert made["created_at"] == "2026-11-21T10:00:00.000Z"


def test_a_programme_without_id_gets_one(api: Api) -> None:
    made = api.made("/programs", {"name": "Demo", "currency": "EUR"})

    assert made["id"].startswith("prg_")


def test_the_first_programme_makes_the_keyrings(api: Api) -> None:
    api.program()
    rings = [row for row in api.store.dump()[CORE] if "KEYRING" in str(row)]
    api.program("prg_two")

    assert len(rings) == 2
    assert rings == [row for row in api.store.dump()[CORE] if "KEYRING" in str(row)]


def test_an_id_is_given_once(api: Api) -> None:
    api.program()

    reply = api.send("POST", "/programs", {"id": "prg_demo", "name": "x", "currency": "USD"})

    assert (reply.status, reply.code) == (409, "program_exists")


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("id", "x"),
        ("id", "Upper"),
        ("name", ""),
        ("name", 7),
        ("name", "a\nb"),
        ("name", "x" * 201),
        ("currency", "XXX"),
        ("currency", None),
        ("time_zone", "Mars/Olympus"),
        ("time_zone", "../../etc/passwd"),
        ("status", "asleep"),
        ("enrolment", "never"),
        ("privacy_signals", "all"),
        ("keeps_ad_ids", "yes"),
        ("click_param", "via"),
        ("click_param", "a b"),
        ("thank_you_url", "http://www.example.com/"),
        ("thank_you_url", "javascript:alert(1)"),
        ("fallback_url", "https://user@www.example.com/"),
        ("surprise", 1),
    ],
)
def test_a_wrong_field_is_named(api: Api, field: str, value: object) -> None:
    body = {"id": "prg_demo", "name": "Demo", "currency": "USD", field: value}

    reply = api.send("POST", "/programs", body)

    assert (reply.status, reply.code) == (422, "invalid_fields")
    assert [field] == reply.paths
    assert api.send("GET", "/programs").body["items"] == []


@pytest.mark.parametrize(
    "host", ["https://www.example.com", "a b", "user@host", "host/path", "", "a\\b"]
)
def test_a_landing_host_is_a_bare_host(api: Api, host: str) -> None:
    reply = api.send(
        "POST", "/programs", {"name": "x", "currency": "USD", "landing_hosts": ["ok.example", host]}
    )

    assert reply.status == 422
    assert ["landing_hosts[1]"] == reply.paths


@pytest.mark.parametrize("origin", ["www.example.com", "https://a.example/x", "null", "*"])
def test_an_allowed_origin_is_a_bare_origin(api: Api, origin: str) -> None:
    reply = api.send(
        "POST", "/programs", {"name": "x", "currency": "USD", "allowed_origins": [origin]}
    )

    assert reply.status == 422
    assert ["allowed_origins[0]"] == reply.paths


def test_only_what_comes_is_changed(api: Api) -> None:
    before = api.program()

    changed = api.send("PATCH", "/programs/prg_demo", {"name": "New", "status": "paused"})

    assert changed.status == 200
    assert {**before, "name": "New", "status": "paused"} == changed.body
    assert changed.body == api.send("GET", "/programs/prg_demo").body


def test_a_closed_programme_stays_closed(api: Api) -> None:
    api.program()
    api.send("PATCH", "/programs/prg_demo", {"status": "closed"})

    reply = api.send("PATCH", "/programs/prg_demo", {"status": "active"})

    assert (reply.status, reply.code) == (409, "illegal_program_move")
    terms = api.send("POST", "/programs/prg_demo/terms", TERMS)
    assert (terms.status, terms.code) == (409, "program_closed")


@pytest.mark.parametrize("change", [{"currency": "EUR"}, {"time_zone": "Europe/Berlin"}])
def test_currency_and_time_zone_freeze_with_the_first_terms(
    api: Api, change: dict[str, str]
) -> None:
    api.program()
    assert api.send("PATCH", "/programs/prg_demo", {"currency": "GBP"}).status == 200
    api.made("/programs/prg_demo/terms", TERMS)

    reply = api.send("PATCH", "/programs/prg_demo", change)

    assert (reply.status, reply.code) == (409, "program_frozen")


@pytest.mark.parametrize("path", ["", "/terms", "/terms/1"])
def test_an_unknown_programme_is_not_found(api: Api, path: str) -> None:
    assert api.send("GET", f"/programs/prg_none{path}").status == 404


def test_changing_an_unknown_programme_is_not_found(api: Api) -> None:
    assert api.send("PATCH", "/programs/prg_none", {"name": "x"}).status == 404
    assert api.send("POST", "/programs/prg_none/terms", TERMS).status == 404


@pytest.mark.parametrize("program_id", ["x" * 81, "a%20b", "a:b"])
def test_what_can_be_no_id_is_not_found(api: Api, program_id: str) -> None:
    assert api.send("GET", f"/programs/{program_id}").status == 404


def test_terms_are_numbered_and_never_change(api: Api) -> None:
    api.program()

    first = api.made("/programs/prg_demo/terms", TERMS)
    second = api.made("/programs/prg_demo/terms", {**TERMS, "name": "Second"})

    assert (first["version"], second["version"]) == (1, 2)
    assert first["effective_from"] == "2026-11-21T10:00:00.000Z"
    assert first["warnings"] == []
    shown = api.send("GET", "/programs/prg_demo/terms/1").body
    assert TERMS == shown["definition"]
    assert shown["published_by"] == "root"
    assert api.send("GET", "/programs/prg_demo").body["terms_version"] == 2


@pytest.mark.parametrize("version", ["0", "3", "01", "x", "9999999"])
def test_a_version_that_is_not_there_is_not_found(api: Api, version: str) -> None:
    api.program()
    api.made("/programs/prg_demo/terms", TERMS)

    assert api.send("GET", f"/programs/prg_demo/terms/{version}").status == 404


def test_terms_of_another_programme_are_not_found(api: Api) -> None:
    api.program()
    api.program("prg_other")
    api.made("/programs/prg_demo/terms", TERMS)

    assert api.send("GET", "/programs/prg_other/terms/1").status == 404
    assert api.send("GET", "/programs/prg_other/terms").body["items"] == []


def test_versions_are_listed_newest_first(api: Api) -> None:
    api.program()
    for _ in range(3):
        api.made("/programs/prg_demo/terms", TERMS)

    first = api.send("GET", "/programs/prg_demo/terms", query="limit=2").body
    rest = api.send(
        "GET", "/programs/prg_demo/terms", query=f"limit=2&cursor={first['next_cursor']}"
    ).body

    assert [3, 2] == [item["version"] for item in first["items"]]
    assert [1] == [item["version"] for item in rest["items"]]
    assert rest["next_cursor"] is None


def test_yaml_and_json_say_the_same(api: Api) -> None:
    api.program()

    made = api.made("/programs/prg_demo/terms", YAML, headers=YAML_TYPE)

    shown = api.send("GET", f"/programs/prg_demo/terms/{made['version']}").body
    windows = {"attribution_days": 90, "credit_days": 365}
    assert {**TERMS, "windows": windows} == shown["definition"]


def test_a_dry_run_publishes_nothing(api: Api) -> None:
    api.program(landing_hosts=[])

    reply = api.send("POST", "/programs/prg_demo/terms", TERMS, query="dry_run=true")

    assert reply.status == 200
    assert reply.body["version"] == 1
    assert len(reply.body["warnings"]) == 1
    assert api.send("GET", "/programs/prg_demo").body["terms_version"] == 0


def test_a_dry_run_is_true_or_false(api: Api) -> None:
    api.program()

    reply = api.send("POST", "/programs/prg_demo/terms", TERMS, query="dry_run=perhaps")

    assert (reply.status, reply.paths) == (422, ["dry_run"])


@pytest.mark.parametrize("dry_run", ["", "dry_run=true"])
def test_wrong_terms_are_refused_by_path(api: Api, dry_run: str) -> None:
    api.program()
    rule: dict[str, Any] = {**TERMS["rules"][0], "kind": "gold"}  # type: ignore[dict-item]

    reply = api.send("POST", "/programs/prg_demo/terms", {**TERMS, "rules": [rule]}, query=dry_run)

    assert (reply.status, reply.paths) == (422, ["rules[0].kind"])


@pytest.mark.parametrize(
    ("raw", "headers", "status", "code"),
    [
        (b"a: &x 1\nb: *x", YAML_TYPE, 400, "malformed_body"),
        (b"a: !!python/object:os.system x", YAML_TYPE, 400, "malformed_body"),
        (b"a: !!binary aGk=", YAML_TYPE, 400, "malformed_body"),
        (b"a: 1\na: 2", YAML_TYPE, 400, "malformed_body"),
        (b"1: x", YAML_TYPE, 400, "malformed_body"),
        (b"? [a]\n: x", YAML_TYPE, 400, "malformed_body"),
        (b"? !!str [a]\n: x", YAML_TYPE, 400, "malformed_body"),
        (b"a: [" + b"[" * 100, YAML_TYPE, 400, "malformed_body"),
        (b"a: " + b"[" * 40 + b"]" * 40, YAML_TYPE, 400, "malformed_body"),
        (b"- a\n" * 21_000, YAML_TYPE, 400, "malformed_body"),
        (b"a: b\n---\nc: d", YAML_TYPE, 400, "malformed_body"),
        (b"\xff\xfe", YAML_TYPE, 400, "malformed_body"),
        (b"- a", YAML_TYPE, 422, "invalid_fields"),
        (b"", YAML_TYPE, 422, "invalid_fields"),
        (b"name: 1.5", YAML_TYPE, 422, "invalid_fields"),
        (b'{"name": "\\ud800"}', {}, 400, "malformed_body"),
        (b'{"name": 1, "name": 2}', {}, 400, "malformed_body"),
        (b'{"name": NaN}', {}, 400, "malformed_body"),
        (b"x" * (129 * 1024), YAML_TYPE, 413, "body_too_large"),
        (b"{}", {"content-type": "text/plain"}, 415, "unsupported_media_type"),
    ],
)
def test_a_definition_that_is_none_is_refused(
    api: Api, raw: bytes, headers: dict[str, str], status: int, code: str
) -> None:
    api.program()

    reply = api.send("POST", "/programs/prg_demo/terms", raw, headers=headers)

    assert (status, code) == (reply.status, reply.code)


@pytest.mark.parametrize(
    ("raw", "headers", "place"),
    [
        (b"name: x\nrules: [1\nfoo: 2", YAML_TYPE, "line 3, column 4"),
        (b"name: x\n\tfoo: 2", YAML_TYPE, "line 2, column 1"),
        (b"a: &x 1\nb: *x", YAML_TYPE, "line 2, column 4"),
        (b"a: 1\nb: !!binary aGk=", YAML_TYPE, "line 2, column 4"),
        (b"a: 1\nb: 2\na: 3", YAML_TYPE, "line 3, column 1"),
        (b'{"name": "x",\n "rules" 1}', {}, "line 2, column 10"),
    ],
)
def test_a_broken_definition_says_where(
    api: Api, raw: bytes, headers: dict[str, str], place: str
) -> None:
    api.program()

    reply = api.send("POST", "/programs/prg_demo/terms", raw, headers=headers)

    assert (400, f"The body is malformed: {place}") == (reply.status, reply.body["detail"])


@pytest.mark.parametrize("word", ["yes", "010", "2026-11-21", "1:30", "0x1F", "1e3", ".inf"])
def test_yaml_keeps_texts_that_look_like_something_else(api: Api, word: str) -> None:
    api.program()

    made = api.made(
        "/programs/prg_demo/terms",
        YAML.replace(b"name: Demo", b"name: " + word.encode()),
        headers=YAML_TYPE,
    )

    shown = api.send("GET", f"/programs/prg_demo/terms/{made['version']}").body
    assert word == shown["definition"]["name"]


@pytest.mark.parametrize(
    ("raw", "headers", "status", "code"),
    [
        (b"", {}, 400, "malformed_body"),
        (b"{", {}, 400, "malformed_body"),
        (b"\xff", {}, 400, "malformed_body"),
        (b'{"name": "\\udfff"}', {}, 400, "malformed_body"),
        (b"[]", {}, 422, "invalid_fields"),
        (b"[" * 100, {}, 400, "malformed_body"),
        (b" " * (1024 * 1024 + 1), {}, 413, "body_too_large"),
        (b"{}", {"content-type": "application/x-www-form-urlencoded"}, 415, ""),
    ],
)
@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/programs"),
        ("PATCH", "/programs/prg_demo"),
        ("POST", "/partners"),
        ("PATCH", "/partners/ptr_1"),
        ("POST", "/enrolments"),
        ("POST", "/links"),
        ("POST", "/sources"),
        ("POST", "/referrals/ref_1/review"),
        ("POST", "/keys"),
    ],
)
def test_every_write_refuses_what_is_no_document(  # noqa: PLR0917
    api: Api, method: str, path: str, raw: bytes, headers: dict[str, str], status: int, code: str
) -> None:
    reply = api.send(method, path, raw, headers=headers)

    assert status == reply.status
    assert reply.code.startswith(code)


def test_a_broken_store_is_a_503(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    from shared.domain.errors import UnavailableError  # noqa: PLC0415

    api.program()

    def fail(**_request: object) -> None:
        raise UnavailableError

    monkeypatch.setattr(api.store, "get_item", fail)

    reply = api.send("GET", "/programs/prg_demo")

    assert (reply.status, reply.code) == (503, "store_unavailable")
    assert reply.headers["retry-after"]


def test_a_bug_answers_a_fixed_500(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(**_request: object) -> None:
        raise RuntimeError("the text of an error stays inside")

    monkeypatch.setattr(api.store, "get_item", fail)

    reply = api.send("GET", "/programs/prg_demo")

    assert (reply.status, reply.code) == (500, "error")
    assert "stays inside" not in str(reply.body)

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from shared.adapters.management_api import Reply
from tests.cli.conftest import KEY, URL
from tests.functions.manage_program.conftest import TERMS
from tests.functions.manage_program.test_manage_deliveries import park
from tests.functions.manage_program.test_manage_events import parked as parked_event

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tests.cli.conftest import Shell

COMMANDS = [
    ("programs", "list"),
    ("programs", "show", "prg_demo"),
    ("programs", "create", "--name", "x", "--currency", "USD"),
    ("terms", "show", "prg_demo"),
    ("partners", "list"),
    ("links", "list", "--program", "prg_demo"),
    ("links", "disable", "spring"),
    ("links", "retire", "spring"),
    ("links", "qr", "spring"),
    ("parked", "events"),
    ("parked", "deliveries", "prg_demo"),
    ("parked", "redrive"),
    ("parked", "replay", "prg_demo"),
]


def reply(status: int, body: object, **headers: str) -> Reply:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return Reply(status=status, headers=headers, body=raw)


def made_link(shell: Shell, *more: str) -> str:
    """Makes a programme, a partner and a link, all from the command line but the terms' file."""
    landing = ("--landing-host", "www.example.com")
    named = ("--name", "Demo", "--currency", "USD", "--id", "prg_demo")
    assert 0 == shell("programs", "create", *named, *landing)
    Path("terms.json").write_text(json.dumps(TERMS))
    assert 0 == shell("terms", "publish", "prg_demo", "terms.json")
    partner = ("--name", "Ada", "--email", "ada@partner.example", "--kind", "affiliate")
    assert 0 == shell("partners", "create", *partner, "--json")
    partner_id = str(json.loads(shell.out)["id"])
    assert 0 == shell("partners", "enrol", partner_id, "prg_demo")
    place = ("--partner", partner_id, "--program", "prg_demo", "--code", "spring")
    to = ("--destination", "https://www.example.com/start")
    assert 0 == shell("links", "create", *place, *to, *more)
    return partner_id


def test_a_link_is_made_listed_disabled_enabled_and_retired(shell: Shell) -> None:
    partner_id = made_link(shell, "--utm", "utm_source=ada=1", "--click-cap", "9")
    assert "https://go.example.com/spring" in shell.out
    assert '{"utm_source": "ada=1"}' in shell.out

    assert 0 == shell("links", "disable", "spring", "--json")
    assert json.loads(shell.out)["disabled"] is True
    assert 0 == shell("links", "list", "--partner", partner_id)
    assert ["CODE", "spring"] == [line.split()[0] for line in shell.out.splitlines()]
    assert 0 == shell("--json", "links", "enable", "spring")
    assert json.loads(shell.out)["disabled"] is False
    assert 0 == shell("links", "retire", "spring")
    assert 0 == shell("links", "list", "--program", "prg_demo", "--json")
    assert [] == json.loads(shell.out)


def test_programmes_are_listed_and_shown(shell: Shell) -> None:
    shell("programs", "create", "--name", "First", "--currency", "USD", "--id", "prg_a")
    shell("programs", "create", "--name", "Second", "--currency", "EUR", "--id", "prg_b")

    assert 0 == shell("programs", "list")
    head, *rows = (line.split() for line in shell.out.splitlines())
    assert ["ID", "NAME", "STATUS", "CURRENCY", "TERMS_VERSION", "CREATED_AT"] == head
    assert ["prg_a", "prg_b"] == sorted(row[0] for row in rows)
    assert 0 == shell("programs", "list", "--limit", "1")
    assert 2 == len(shell.out.splitlines())
    assert "more than 1" in shell.err
    assert 0 == shell("programs", "show", "prg_b")
    assert "EUR" in shell.out


def test_terms_are_checked_compared_published_and_shown(shell: Shell) -> None:
    shell("programs", "create", "--name", "Demo", "--currency", "USD", "--id", "prg_demo")
    terms = Path("terms.json")
    terms.write_text(json.dumps(TERMS))

    assert 0 == shell("terms", "validate", "prg_demo", "terms.json")
    assert "version 1" in shell.out
    assert 0 == shell("terms", "publish", "prg_demo", "terms.json")
    assert "version 1" in shell.out
    rules = [{**TERMS["rules"][0], "value": {"fixed": "60.00"}}]  # type: ignore[dict-item]
    Path("new.yaml").write_text(json.dumps({**TERMS, "rules": rules}))
    assert 0 == shell("terms", "diff", "prg_demo", "new.yaml")
    assert "60.00" in shell.out
    assert 0 == shell("terms", "diff", "prg_demo", "terms.json")
    assert "nothing changes" in shell.out
    assert 0 == shell("terms", "show", "prg_demo", "--json")
    assert TERMS == json.loads(shell.out)["definition"]
    assert 0 == shell("terms", "show", "prg_demo")
    assert shell.err.startswith("version 1, 20")
    Path("shown.json").write_text(shell.out)
    assert 0 == shell("terms", "diff", "prg_demo", "shown.json")
    assert "nothing changes" in shell.out
    assert 1 == shell("terms", "show", "prg_demo", "--version", "2")


def test_what_was_set_aside_is_listed_and_let_go(shell: Shell) -> None:
    for number in range(102):
        parked_event(shell.api, number)
    park(shell.api)

    assert 0 == shell("parked", "events", "--limit", "1")
    assert "not_handled" in shell.out
    assert 0 == shell("parked", "deliveries", "prg_demo")
    assert "unknown_stage" in shell.out
    assert 0 == shell("--json", "parked", "redrive", "--reason", "refused_by_bus")
    assert {"redriven": 0} == json.loads(shell.out)
    assert 0 == shell("--json", "parked", "redrive", "--program", "prg_1")
    assert {"redriven": 102} == json.loads(shell.out)
    assert 0 == shell("--json", "parked", "replay", "prg_demo", "--source", "src_1")
    assert {"replayed": 1} == json.loads(shell.out)


def test_an_enrolment_says_what_terms_ask_for(shell: Shell) -> None:
    shell("programs", "create", "--name", "Demo", "--currency", "USD", "--id", "prg_demo")
    Path("terms.json").write_text(json.dumps(TERMS))
    shell("terms", "publish", "prg_demo", "terms.json")
    shell("--json", "partners", "create", "--name", "Ada", "--email", "ada@partner.example")
    partner_id = json.loads(shell.out)["id"]
    asked = ("--tier", "gold", "--group", "north", "--cause", "cause_1")

    assert 0 == shell("--json", "partners", "enrol", partner_id, "prg_demo", *asked)

    made = json.loads(shell.out)
    assert ("gold", "north", "cause_1") == (made["tier"], made["group"], made["cause"])


def test_wrong_terms_name_every_mistake(shell: Shell) -> None:
    shell("programs", "create", "--name", "Demo", "--currency", "USD", "--id", "prg_demo")
    rule = {**TERMS["rules"][0], "kind": "gold", "milestone": 5}  # type: ignore[dict-item]
    Path("terms.json").write_text(json.dumps({**TERMS, "rules": [rule]}))

    assert 1 == shell("terms", "validate", "prg_demo", "terms.json")
    assert {"rules[0].kind", "rules[0].milestone"} <= {
        line.partition(":")[0] for line in shell.err.splitlines()
    }


@pytest.mark.parametrize("suffix", [".svg", ".png"])
def test_a_qr_code_is_saved(shell: Shell, suffix: str) -> None:
    made_link(shell)
    picture = Path(f"spring{suffix}")

    assert 0 == shell("links", "qr", "spring", "--out", str(picture), "--size", "4", "--error", "H")

    start = {".svg": b"<?xml", ".png": b"\x89PNG"}[suffix]
    assert picture.read_bytes().startswith(start)


def test_a_qr_code_is_no_jpeg(shell: Shell) -> None:
    assert 2 == shell("links", "qr", "spring", "--out", "spring.jpg")
    assert [] == shell.sent


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_a_refusal_is_told_and_ends_with_one(shell: Shell, words: tuple[str, ...]) -> None:
    body = {"status": 403, "code": "forbidden", "detail": "Not allowed", "errors": []}
    shell.before = lambda _number: reply(403, body)

    assert 1 == shell(*words)
    assert ("", "Not allowed (forbidden)\n") == (shell.out, shell.err)


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
@pytest.mark.parametrize(
    "body", [b"", b"<html>\x1b[2J</html>", b"[]", b'"x"', b"null", b"{}", b'{"items": 1}']
)
def test_whatever_a_server_answers_no_command_breaks(
    shell: Shell, words: tuple[str, ...], body: bytes
) -> None:
    for status in (200, 201, 302, 404, 500):
        shell.before = lambda _number, status=status: reply(status, body)  # type: ignore[misc]

        assert shell(*words) in (0, 1)
        assert "\x1b" not in shell.out + shell.err


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_an_api_that_can_not_be_reached_is_told(shell: Shell, words: tuple[str, ...]) -> None:
    def down(_number: int) -> None:
        raise ConnectionRefusedError

    shell.before = down

    assert 1 == shell(*words)
    assert "can't be reached" in shell.err
    assert 5 == len(shell.sent)


def test_what_is_to_come_later_is_tried_again_with_the_same_key(shell: Shell) -> None:
    answers = {
        1: reply(503, {"code": "store_unavailable"}, **{"retry-after": "2"}),
        2: reply(409, {"code": "request_in_progress"}),
        3: reply(429, b""),
    }
    shell.before = answers.get

    assert 0 == shell("programs", "create", "--name", "Demo", "--currency", "USD")
    assert 4 == len(shell.sent)
    assert 1 == len({headers["Idempotency-Key"] for _, _, headers, _ in shell.sent})


def test_the_key_goes_into_its_header_and_nowhere_else(shell: Shell) -> None:
    shell("programs", "list")

    ((method, url, headers, body),) = shell.sent
    assert f"Bearer {KEY}" == headers["Authorization"]
    assert KEY not in method + url + body.decode()


@pytest.mark.parametrize(
    ("environ", "fault"),
    [
        ({}, "--url"),
        ({"GOODWORD_URL": URL}, "--key-file"),
        ({"GOODWORD_KEY": KEY}, "--url"),
        ({"GOODWORD_URL": "http://api.example.com", "GOODWORD_KEY": KEY}, "https only"),
        ({"GOODWORD_URL": "http://127.0.0.1.evil.example", "GOODWORD_KEY": KEY}, "https only"),
        ({"GOODWORD_URL": "ftp://api.example.com", "GOODWORD_KEY": KEY}, "such as https"),
        ({"GOODWORD_URL": "https://", "GOODWORD_KEY": KEY}, "such as https"),
        ({"GOODWORD_URL": "https://[::1", "GOODWORD_KEY": KEY}, "is none"),
        ({"GOODWORD_URL": "https://a:99999", "GOODWORD_KEY": KEY}, "is none"),
        ({"GOODWORD_URL": "https://u:p@a.example", "GOODWORD_KEY": KEY}, "user or a password"),
        ({"GOODWORD_URL": URL, "GOODWORD_KEY": f"{KEY}\r\nX: y"}, "characters"),
    ],
)
def test_without_a_fit_address_and_key_nothing_is_sent(
    shell: Shell, environ: Mapping[str, str], fault: str
) -> None:
    shell.environ = dict(environ)

    assert 2 == shell("programs", "list")
    assert fault in shell.err
    assert [] == shell.sent


def test_the_local_cloud_of_this_folder_is_found(shell: Shell) -> None:
    shell.environ = {}
    Path(".local").mkdir()
    endpoints = {"api_url": URL, "admin_key": KEY}
    Path(".local/endpoints.json").write_text(json.dumps(endpoints))

    assert 0 == shell("programs", "list")


def test_the_local_clouds_key_goes_nowhere_else(shell: Shell) -> None:
    shell.environ = {}
    Path(".local").mkdir()
    Path(".local/endpoints.json").write_text(json.dumps({"api_url": URL, "admin_key": KEY}))

    assert 2 == shell("--url", "https://other.example.com", "programs", "list")
    assert [] == shell.sent


@pytest.mark.parametrize("text", ["", "{", "[]", '{"api_url": "https://x.example"}'])
def test_damaged_endpoints_are_none(shell: Shell, text: str) -> None:
    shell.environ = {}
    Path(".local").mkdir()
    Path(".local/endpoints.json").write_text(text)

    assert 2 == shell("programs", "list")


def test_a_key_file_goes_before_the_environment(shell: Shell) -> None:
    Path("key").write_text(f"{KEY}\n")
    shell.environ["GOODWORD_KEY"] = "gw_other_key"

    assert 0 == shell("--key-file", "key", "programs", "list")
    assert 2 == shell("--key-file", "missing", "programs", "list")


@pytest.mark.parametrize(
    "words",
    [
        (),
        ("links",),
        ("links", "list"),
        ("links", "create", "--partner", "p"),
        ("links", "qr", "spring", "--size", "33"),
        ("links", "create", "--utm", "x"),
        ("programs", "show", "../keys"),
        ("programs", "show", "a?b"),
        ("terms", "validate", "prg_demo", "missing.yaml"),
        ("links", "import", "missing.csv"),
        ("--key", KEY, "programs", "list"),
    ],
    ids=lambda words: " ".join(words)[:30],
)
def test_a_wrong_command_ends_with_two_and_sends_nothing(
    shell: Shell, words: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    if KEY in words:
        # argparse names what it does not know; so nobody gets used to writing keys there.
        words = tuple("gw_x_y" if word == KEY else word for word in words)

    assert 2 == shell(*words)
    assert [] == shell.sent


def test_a_code_from_the_command_line_stays_one_part_of_the_path(shell: Shell) -> None:
    assert 1 == shell("links", "disable", "../partners/x")

    assert f"{URL}/v1/manage/links/..%2Fpartners%2Fx" == shell.sent[0][1]


def test_what_a_terminal_might_obey_is_not_printed(shell: Shell) -> None:
    item = {"id": "p", "name": "\x1b]0;x\x07\u202eevil\n", "status": "x" * 100}
    shell.before = lambda _number: reply(200, {"items": [item], "next_cursor": None})

    shell("programs", "list")

    assert "?]0;x??evil?" in shell.out
    assert "x" * 57 + "..." in shell.out


def test_breaking_off_ends_with_one(shell: Shell) -> None:
    def interrupt(_number: int) -> None:
        raise KeyboardInterrupt

    shell.before = interrupt

    assert 1 == shell("programs", "list")
    assert "broken off" in shell.err

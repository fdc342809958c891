from __future__ import annotations

import json
from io import StringIO
from typing import Any

import pytest
from botocore.exceptions import ConnectTimeoutError
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from functions.submit_referral import handler as intake
from shared import names
from tests.builders.intake import VAULT, World, program
from tests.builders.intake_http import (
    API,
    FORM,
    JSON,
    LENA,
    event,
    post,
    post_form,
    problem_of,
    receipt_event,
)


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> World:
    world = World()
    monkeypatch.setenv(names.ENV_API_URL, API)
    monkeypatch.setattr(intake, "_store", lambda: world.store)
    return world


@pytest.fixture
def log(monkeypatch: pytest.MonkeyPatch) -> StringIO:
    stream = StringIO()
    monkeypatch.setattr(intake._logger.registered_handler, "stream", stream)
    return stream


def people(world: World) -> list[dict[str, Any]]:
    return world.rows("PII#", VAULT)


@pytest.mark.parametrize(
    ("document", "errors"),
    [
        ({}, [("email", "required")]),
        ({"email": ""}, [("email", "required")]),
        ({"email": None}, [("email", "required")]),
        ({"email": 5}, [("email", "wrong_type")]),
        ({"email": "lena"}, [("email", "bad_email")]),
        ({"email": "lena@"}, [("email", "bad_email")]),
        ({"email": "Lena <lena@lead.test>"}, [("email", "bad_email")]),
        ({"email": f"{'a' * 250}@lead.test"}, [("email", "too_long")]),
        ({"email": "lena@lead.test\r\nbcc: x"}, [("email", "bad_characters")]),
        ({**LENA, "first_name": ["a"]}, [("first_name", "wrong_type")]),
        ({**LENA, "first_name": "a" * 201}, [("first_name", "too_long")]),
        ({**LENA, "company": "a\nb"}, [("company", "bad_characters")]),
        ({**LENA, "message": "a\x00b"}, [("message", "bad_characters")]),
        ({**LENA, "message": "a" * 5_001}, [("message", "too_long")]),
        ({**LENA, "message": "\ud800"}, [("message", "bad_characters")]),
        ({**LENA, "consent": "perhaps"}, [("consent", "wrong_type")]),
        ({**LENA, "consent": 1}, [("consent", "wrong_type")]),
        ({**LENA, "employees": -1}, [("employees", "out_of_range")]),
        ({**LENA, "employees": 1.5}, [("employees", "wrong_type")]),
        ({**LENA, "employees": True}, [("employees", "wrong_type")]),
        ({**LENA, "code": 5}, [("code", "wrong_type")]),
        ({**LENA, "metadata": []}, [("metadata", "wrong_type")]),
        ({**LENA, "metadata": {"a": {}}}, [("metadata.a", "wrong_type")]),
        ({**LENA, "metadata": {"a": "x" * 501}}, [("metadata.a", "too_long")]),
        ({**LENA, "metadata": {"a": "\x01"}}, [("metadata.a", "bad_characters")]),
        ({**LENA, "metadata": {"a": "\ud800"}}, [("metadata.a", "bad_characters")]),
        ({**LENA, "metadata": {"a" * 65: "x"}}, [("metadata[0]", "bad_name")]),
        ({**LENA, "metadata": {"\ud800": "x"}}, [("metadata[0]", "bad_name")]),
        ({**LENA, "metadata": {str(n): "x" for n in range(51)}}, [("metadata", "too_many_fields")]),
        ({**LENA, "nested": {"a": 1}}, [("metadata.nested", "wrong_type")]),
        ({**LENA, "utm_source": ["x"]}, [("utm_source", "wrong_type")]),
        ({str(n): "x" for n in range(101)}, [("$", "too_many_fields")]),
        ([], [("$", "wrong_type")]),
        ("text", [("$", "wrong_type")]),
        ({"email": 5, "phone": 5}, [("email", "wrong_type"), ("phone", "wrong_type")]),
    ],
)
def test_wrong_fields_are_all_named(
    world: World, document: object, errors: list[tuple[str, str]]
) -> None:
    answer = post(document)

    assert (422, "invalid_fields", errors) == problem_of(answer)
    assert [] == people(world)


def test_an_error_never_quotes_what_was_sent(world: World) -> None:
    answer = post({"email": "canary canary", "first_name": "canary" * 50, "phone": ["canary"]})

    assert 422 == answer["statusCode"]
    assert "canary" not in answer["body"]


@pytest.mark.parametrize(
    "body",
    [
        "",
        "{",
        "nul",
        '{"email": "a@b.test", "email": "c@d.test"}',
        '{"email": NaN}',
        '{"email": ' + "[" * 100 + "]" * 100 + "}",
        b"\xff\xfe",
        b'{"email": "\xff"}',
    ],
)
def test_what_is_no_json_is_malformed(world: World, body: bytes | str) -> None:
    assert (400, "malformed_body", []) == problem_of(intake.handler(event(body), None))


@pytest.mark.parametrize("body", [b"email=%ff", b"email=\xff@lead.test"])
def test_a_form_that_is_not_utf_8_is_malformed(world: World, body: bytes) -> None:
    answer = intake.handler(event(body, content_type=FORM), None)

    assert (400, "malformed_body", []) == problem_of(answer)


def test_broken_base_64_is_malformed(world: World) -> None:
    broken = {**event("!!!"), "isBase64Encoded": True}

    assert (400, "malformed_body", []) == problem_of(intake.handler(broken, None))


def test_a_form_with_too_many_fields_is_refused(world: World) -> None:
    answer = post_form([("email", "lena@lead.test")] + [("a", "b")] * 100)

    assert (422, "invalid_fields", [("$", "too_many_fields")]) == problem_of(answer)


@pytest.mark.parametrize(
    "content_type", [None, "", "multipart/form-data; boundary=x", "text/plain"]
)
def test_other_content_types_are_refused(world: World, content_type: str | None) -> None:
    answer = intake.handler(event(json.dumps(LENA), content_type=content_type), None)

    assert (415, "unsupported_media_type", []) == problem_of(answer)


@pytest.mark.parametrize("content_type", ["Application/JSON; charset=utf-8", "application/json ;x"])
def test_the_content_type_is_read_as_the_standard_says(world: World, content_type: str) -> None:
    answer = intake.handler(event(json.dumps(LENA), content_type=content_type), None)

    assert 201 == answer["statusCode"]


@pytest.mark.parametrize("as_bytes", [False, True])
def test_the_body_limit_is_64_kilobytes(world: World, *, as_bytes: bool) -> None:
    def sized(length: int) -> dict[str, Any]:
        text = json.dumps({**LENA, "_pad": ""})
        text = text.replace('""', '"' + "x" * (length - len(text)) + '"')
        assert length == len(text)
        return intake.handler(event(text.encode() if as_bytes else text), None)

    assert 201 == sized(64 * 1024)["statusCode"]
    assert (413, "body_too_large", []) == problem_of(sized(64 * 1024 + 1))


@pytest.mark.parametrize("program_id", ["prg_none", "", "a" * 5_000, "é", "prg_1/../x"])
def test_an_unknown_programme_is_not_found(world: World, program_id: str) -> None:
    answer = intake.handler(event(json.dumps(LENA), program_id=program_id), None)

    assert (404, "not_found", []) == problem_of(answer)


def test_a_programme_without_terms_is_a_conflict(world: World) -> None:
    world.save_program(program(terms_version=0))

    assert (409, "program_has_no_terms", []) == problem_of(post(LENA))


@pytest.mark.parametrize("call", ["get_item", "transact_write_items"])
def test_a_store_failure_is_never_a_success(world: World, call: str) -> None:
    def fail(*_: object) -> None:
        raise ConnectTimeoutError(endpoint_url="dynamodb")

    world.client.before[call] = fail

    answer = post(LENA)

    assert (503, "store_unavailable", []) == problem_of(answer)
    assert "2" == answer["headers"]["retry-after"]


def test_a_bug_answers_a_fixed_body(
    world: World, monkeypatch: pytest.MonkeyPatch, log: StringIO
) -> None:
    def broken() -> None:
        raise RuntimeError("canary")

    monkeypatch.setattr(intake, "_store", broken)

    answer = post(LENA)

    assert 500 == problem_of(answer)[0]
    logged = log.getvalue()
    assert "RuntimeError" in logged
    assert "canary" not in answer["body"] + logged


def test_each_outcome_logs_one_line_of_ids_and_no_person(world: World, log: StringIO) -> None:
    form = {"email": "canary@lead.test", "first_name": "Canary", "message": "canary"}
    post({**form, "code": "pia-code"})
    post({**form, "_gotcha": "canary"})
    post({**form, "phone": 5})

    lines = [json.loads(line) for line in log.getvalue().splitlines()]
    assert ["created", "quarantined", "invalid_fields"] == [line["outcome"] for line in lines]
    assert {"prg_1"} == {line["program_id"] for line in lines[:2]}
    assert "typed_code" == lines[0]["attribution"]
    assert "canary" not in repr(lines).lower()


SETTINGS = settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])


@SETTINGS
@given(body=st.binary(max_size=200), content_type=st.sampled_from([JSON, FORM, "", "x/y"]))
def test_any_bytes_answer_below_500(world: World, body: bytes, content_type: str) -> None:
    answer = intake.handler(event(body, content_type=content_type), None)

    assert answer["statusCode"] < 500


_JSON_VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(st.characters(exclude_categories=())),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)
_NAMES = st.sampled_from(
    [
        "email",
        "first_name",
        "employees",
        "consent",
        "code",
        "via",
        "click_id",
        "metadata",
        "utm_source",
        "_next",
        "_gotcha",
        "message",
        "other",
    ]
)


@SETTINGS
@given(document=st.dictionaries(_NAMES, _JSON_VALUES), email=st.emails() | st.none())
def test_any_document_answers_below_500(
    world: World, document: dict[str, Any], email: str | None
) -> None:
    filled = document if email is None else {**document, "email": email}

    answer = post(filled)

    assert answer["statusCode"] in {201, 400, 422}


@SETTINGS
@given(fields=st.lists(st.tuples(_NAMES | st.text(), st.text())), email=st.emails())
def test_any_form_answers_below_500(
    world: World, fields: list[tuple[str, str]], email: str
) -> None:
    encodable = [(n, v) for n, v in fields if (n + v).isprintable()]

    answer = post_form([*encodable, ("email", email)])

    assert answer["statusCode"] in {303, 422}


@SETTINGS
@given(token=st.text(max_size=80))
def test_any_receipt_token_is_not_found(world: World, token: str) -> None:
    assert 404 == intake.handler(receipt_event(token), None)["statusCode"]

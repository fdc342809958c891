from __future__ import annotations

from typing import Any

import pytest

from functions.submit_referral import handler as intake
from shared import names
from shared.adapters.dynamodb import keys
from tests.builders.intake import ORIGIN, VAULT, World, click_token, program
from tests.builders.intake_http import (
    API,
    JSON,
    LENA,
    body_of,
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


def people(world: World) -> list[dict[str, Any]]:
    return world.rows("PII#", VAULT)


def test_a_json_caller_gets_the_documented_answer(world: World) -> None:
    answer = post({**LENA, "click_id": click_token()})

    assert 201 == answer["statusCode"]
    body = body_of(answer)
    assert {"referral_id", "review", "receipt"} == set(body)
    assert "submitted" == body["review"]
    assert {"url", "digest", "received_at"} == set(body["receipt"])
    assert body["receipt"]["url"].startswith(f"{API}/v1/receipts/")
    row = world.row(keys.referral(body["referral_id"]))
    assert row is not None
    assert "ptr_pia" == row["partner_id"]


def test_every_field_reaches_the_vault(world: World) -> None:
    fields = {
        "email": "Lena@LEAD.test",
        "first_name": "Léna",
        "last_name": "O'Neil",
        "company": "Acme",
        "website": "https://acme.test",
        "phone": "+49 30 1",
        "country": "DE",
        "message": "one\ntwo",
        "utm_source": "news",
    }

    post({**fields, "employees": 50, "consent": True, "metadata": {"size": 5}, "plan": "pro"})

    (person,) = people(world)
    assert "Lena@lead.test" == person["email"]
    for name in ("first_name", "last_name", "company", "website", "phone", "country", "message"):
        assert fields[name] == person[name]
    assert "50" == person["employees"]
    assert person["consent"] is True
    assert {"utm_source": "news"} == person["utm"]
    assert {"size": "5", "plan": "pro"} == person["metadata"]


def test_a_repeat_and_spam_look_like_the_first_answer(world: World) -> None:
    first, again, trapped = post(LENA), post(LENA), post({**LENA, "_gotcha": "x"})

    def shape(answer: dict[str, Any]) -> object:
        body = body_of(answer)
        return (
            answer["statusCode"],
            sorted(answer["headers"]),
            body["review"],
            sorted(body["receipt"]),
            body["receipt"]["digest"],
            len(body["referral_id"]),
        )

    assert shape(first) == shape(again) == shape(trapped)
    assert body_of(first)["referral_id"] == body_of(again)["referral_id"]


@pytest.mark.parametrize("trap", ["x", " y ", True, ["z"]])
def test_a_filled_trap_quarantines(world: World, trap: object) -> None:
    body = body_of(post({**LENA, "_gotcha": trap}))

    row = world.row(keys.referral(body["referral_id"]))
    assert row is not None
    assert "spam" == row["review"]


@pytest.mark.parametrize("trap", ["", "  ", None])
def test_an_empty_trap_does_not(world: World, trap: object) -> None:
    body = body_of(post({**LENA, "_gotcha": trap}))

    row = world.row(keys.referral(body["referral_id"]))
    assert row is not None
    assert "submitted" == row["review"]


def test_a_plain_form_goes_to_the_thank_you_page(world: World) -> None:
    world.save_program(program(thank_you_url="https://www.example.com/thanks"))

    answer = post_form(LENA)

    assert (303, "https://www.example.com/thanks") == (
        answer["statusCode"],
        answer["headers"]["location"],
    )
    assert "" == answer["body"]


def test_a_plain_form_without_a_page_goes_to_its_receipt(world: World) -> None:
    location = post_form(LENA)["headers"]["location"]

    assert location.startswith(f"{API}/v1/receipts/ref_")
    shown = intake.handler(receipt_event(location.rpartition("/")[2]), None)
    assert 200 == shown["statusCode"]
    assert "text/html; charset=utf-8" == shown["headers"]["content-type"]


def test_a_wish_on_an_allowed_origin_is_granted(world: World) -> None:
    answer = post_form({**LENA, "_next": f"{ORIGIN}/done?a=1#b"})

    assert f"{ORIGIN}/done?a=1#b" == answer["headers"]["location"]


@pytest.mark.parametrize(
    "wish",
    [
        "https://evil.test/",
        "https://www.example.com.evil.test/",
        "https://www.example.com@evil.test/",
        "https://user:pw@www.example.com/",
        "http://www.example.com/",
        "https://www.example.com:8443/",
        "//evil.test/",
        "/relative",
        "javascript:alert(1)",
        "data:text/html,x",
        "https:\\\\evil.test\\www.example.com",
        "https://evil.test\\@www.example.com/",
        f"{ORIGIN}/{'a' * 2_000}",
        "\r\nset-cookie: a=b",
    ],
)
def test_any_other_wish_is_ignored(world: World, wish: str) -> None:
    location = post_form({**LENA, "_next": wish})["headers"]["location"]

    assert location.startswith(f"{API}/v1/receipts/")


def test_a_granted_wish_can_not_split_the_answer(world: World) -> None:
    answer = post_form({**LENA, "_next": f"{ORIGIN}/\r\nset-cookie:a=b"})

    location = answer["headers"]["location"]
    assert location.startswith(f"{ORIGIN}/")
    assert location.isprintable()


def test_a_form_that_accepts_json_gets_json(world: World) -> None:
    assert 201 == post_form(LENA, accept="application/json")["statusCode"]


def test_repeated_fields_follow_the_stated_rule(world: World) -> None:
    post_form(
        [
            ("email", "first@lead.test"),
            ("email", "lena@lead.test"),
            ("interest", "a"),
            ("interest", "b"),
            ("metadata[size]", "5"),
            ("blank", ""),
            ("_subject", "ignored"),
            ("cf-turnstile-response", "ignored"),
        ]
    )

    (person,) = people(world)
    assert "lena@lead.test" == person["email"]
    assert {"interest": "a, b", "size": "5"} == person["metadata"]


def test_a_trap_among_repeated_ones_counts(world: World) -> None:
    post_form([("email", "lena@lead.test"), ("_gotcha", "x"), ("_gotcha", "")])

    (row,) = [row for row in world.rows("REF#") if row["sk"] == keys.META]
    assert "spam" == row["review"]


@pytest.mark.parametrize("said", ["on", "true", "1", "Yes"])
def test_a_ticked_box_is_consent(world: World, said: str) -> None:
    post_form({**LENA, "consent": said})

    assert people(world)[0]["consent"] is True


def test_a_browser_gets_a_page_for_its_mistakes(world: World) -> None:
    answer = post_form({"email": "<script>", "first_name": "a" * 201}, accept="text/html,*/*")

    assert 422 == answer["statusCode"]
    assert "text/html; charset=utf-8" == answer["headers"]["content-type"]
    assert "email" in answer["body"]
    assert "<script>" not in answer["body"]


def test_a_page_escapes_the_names_of_fields(world: World) -> None:
    answer = post_form({**LENA, "<img src=x>": "y" * 501}, accept="text/html")

    assert 422 == answer["statusCode"]
    assert "<img" not in answer["body"]


def test_an_allowed_origin_may_read_answers_and_errors(world: World) -> None:
    for answer in (post(LENA, origin=ORIGIN), post({}, origin=ORIGIN)):
        assert ORIGIN == answer["headers"]["access-control-allow-origin"]
        assert "Origin" == answer["headers"]["vary"]
        assert "access-control-allow-credentials" not in answer["headers"]


@pytest.mark.parametrize("headers", [{}, {"origin": "null"}, {"origin": "https://evil.test"}])
def test_an_unknown_origin_may_post_and_not_read(world: World, headers: dict[str, str]) -> None:
    answer = post(LENA, **headers)

    assert 201 == answer["statusCode"]
    assert "access-control-allow-origin" not in answer["headers"]
    assert "Origin" == answer["headers"]["vary"]


def test_preflight_allows_an_allowed_origin(world: World) -> None:
    answer = intake.handler(event(method="OPTIONS", content_type=None, origin=ORIGIN), None)

    assert 204 == answer["statusCode"]
    assert ORIGIN == answer["headers"]["access-control-allow-origin"]
    assert "POST, OPTIONS" == answer["headers"]["access-control-allow-methods"]
    assert "content-type, accept" == answer["headers"]["access-control-allow-headers"]
    assert "" == answer["body"]


@pytest.mark.parametrize(
    ("program_id", "origin"), [("prg_1", "https://evil.test"), ("prg_none", ORIGIN)]
)
def test_preflight_allows_nobody_else(world: World, program_id: str, origin: str) -> None:
    answer = intake.handler(
        event(method="OPTIONS", content_type=None, program_id=program_id, origin=origin), None
    )

    assert 204 == answer["statusCode"]
    assert [] == [name for name in answer["headers"] if name.startswith("access-control")]


def test_a_receipt_shows_only_that_and_when(world: World) -> None:
    receipt = body_of(post(LENA))["receipt"]
    token = receipt["url"].rpartition("/")[2]

    as_json = intake.handler(receipt_event(token, accept=JSON), None)
    as_page = intake.handler(receipt_event(token), None)

    expected = {"status": "received", "received_at": receipt["received_at"]}
    assert expected == body_of(as_json)
    assert 200 == as_page["statusCode"]
    assert "lena" not in as_page["body"]
    assert "no-referrer" == as_page["headers"]["referrer-policy"]


@pytest.mark.parametrize("token", ["", "x", "a" * 5_000, "ref_1.0." + "A" * 22, "é"])
def test_a_bad_receipt_is_not_found(world: World, token: str) -> None:
    assert (404, "not_found", []) == problem_of(intake.handler(receipt_event(token), None))

"""One form may bring several codes and clicks: as a list in JSON, as repeated fields in a form."""

from __future__ import annotations

from typing import Any

import pytest

from functions.submit_referral import handler as intake
from shared import names
from shared.adapters.dynamodb import keys
from tests.builders.intake import World, click_token
from tests.builders.intake_http import API, LENA, body_of, post, post_form, problem_of

PIA = click_token(click_id="clk_pia")
OTTO = click_token(click_id="clk_otto", partner_id="ptr_otto", code="otto-code")


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> World:
    world = World()
    world.publish(2, {"attribution": {"split": "equal"}})
    monkeypatch.setenv(names.ENV_API_URL, API)
    monkeypatch.setattr(intake, "_store", lambda: world.store)
    return world


def sharing(world: World) -> list[str]:
    (row,) = [row for row in world.rows("REF#") if row.get("kind") == "terms_pinned"]
    return sorted(share["partner_id"] for share in row["data"]["shares"])


@pytest.mark.parametrize(
    "fields",
    [
        {"code": ["pia-code", "otto-code"]},
        {"click_id": [PIA, OTTO]},
        {"code": "pia-code", "click_id": [OTTO, "", None]},
        {"code": [" pia-code ", "pia-code", "otto-code", ""]},
    ],
)
def test_a_list_in_json(world: World, fields: dict[str, Any]) -> None:
    assert 201 == post({**LENA, **fields})["statusCode"]

    assert ["ptr_otto", "ptr_pia"] == sharing(world)


@pytest.mark.parametrize(
    "fields",
    [
        [("code", "pia-code"), ("code", "otto-code")],
        [("click_id", PIA), ("click_id", OTTO), ("click_id", "")],
    ],
)
def test_repeated_fields_in_a_form(world: World, fields: list[tuple[str, str]]) -> None:
    assert 303 == post_form([("email", "lena@lead.test"), *fields])["statusCode"]

    assert ["ptr_otto", "ptr_pia"] == sharing(world)


@pytest.mark.parametrize("several", [["pia-code"], "pia-code", ["", "pia-code", "pia-code"]])
def test_one_is_one_however_it_is_sent(world: World, several: object) -> None:
    receipt = body_of(post({**LENA, "code": several}))["receipt"]
    plain = body_of(post({**LENA, "code": "pia-code"}))["receipt"]

    assert plain["digest"] == receipt["digest"]
    assert ["ptr_pia"] == sharing(world)


@pytest.mark.parametrize("nothing", [[], [""], "", None])
def test_nothing_is_nothing(world: World, nothing: object) -> None:
    receipt = body_of(post({**LENA, "code": nothing, "click_id": nothing}))["receipt"]

    assert body_of(post(LENA))["receipt"]["digest"] == receipt["digest"]
    assert [] == sharing(world)


def test_the_digest_covers_each_of_them_in_order(world: World) -> None:
    sent = [["pia-code", "otto-code"], ["otto-code", "pia-code"], ["pia-code"]]

    digests = [body_of(post({**LENA, "code": code}))["receipt"]["digest"] for code in sent]

    assert 3 == len(set(digests))
    assert 1 == len([row for row in world.rows("REF#") if row["sk"] == keys.META])


@pytest.mark.parametrize("name", ["code", "click_id"])
@pytest.mark.parametrize(
    ("value", "code"),
    [
        ([f"code-{number}" for number in range(9)], "too_many"),
        ([5], "wrong_type"),
        ([["pia-code"]], "wrong_type"),
        ({"a": "pia-code"}, "wrong_type"),
        (["a" * 3_000, "b" * 3_000], "too_long"),
        (["pia\ncode"], "bad_characters"),
    ],
)
def test_a_wrong_list_is_named_once(world: World, name: str, value: object, code: str) -> None:
    answer = post({**LENA, name: value})

    assert (422, "invalid_fields", [(name, code)]) == problem_of(answer)
    assert [] == world.rows("REF#")


def test_a_ninth_repeated_field_is_too_many(world: World) -> None:
    answer = post_form(
        [("email", "lena@lead.test"), *(("code", f"code-{number}") for number in range(9))]
    )

    assert 422 == answer["statusCode"]
    assert [] == world.rows("REF#")


def pinned(world: World) -> dict[str, Any]:
    (row,) = [row for row in world.rows("REF#") if row.get("kind") == "terms_pinned"]
    return dict(row["data"])


@pytest.mark.parametrize("declared", [["buyer_staff", "public_official", ""], "public_official"])
def test_what_is_declared_in_json(world: World, declared: object) -> None:
    assert 201 == post({**LENA, "declared": declared})["statusCode"]

    assert "public_official" == pinned(world)["declared"][0]


def test_ticked_boxes_of_a_form_declare(world: World) -> None:
    ticked = [("declared", "buyer_staff"), ("declared", "public_official"), ("declared", "")]

    assert 303 == post_form([("email", "lena@lead.test"), *ticked])["statusCode"]

    assert ["public_official", "buyer_staff"] == pinned(world)["declared"]


@pytest.mark.parametrize(
    ("value", "code"),
    [("official", "not_allowed"), (["buyer_staff", "x"], "not_allowed"), (5, "wrong_type")],
)
def test_a_category_that_nobody_knows_is_refused(world: World, value: object, code: str) -> None:
    answer = post({**LENA, "declared": value})

    assert (422, "invalid_fields", [("declared", code)]) == problem_of(answer)
    assert [] == world.rows("REF#")

"""What one execution environment of the redirect remembers, and outages of the store."""

from __future__ import annotations

import json
import sys
from datetime import timedelta
from typing import TYPE_CHECKING

from shared.adapters.dynamodb import keys
from shared.adapters.dynamodb.keyring_rows import keyring_row
from shared.adapters.dynamodb.link_rows import link_row
from shared.domain.click_tokens import Keyring, SigningKey, read
from tests.builders.redirect import (
    MODULE,
    NOW,
    RING,
    FakeClient,
    Redirect,
    a_link,
    location_of,
    token_of,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    import pytest


def test_a_link_is_remembered_for_45_seconds(redirect: Redirect) -> None:
    redirect()
    redirect.client.rows["core", keys.link("spring")] = link_row(a_link(disabled=True))

    redirect.now = NOW + timedelta(seconds=44)
    assert 302 == redirect()["statusCode"]
    redirect.now = NOW + timedelta(seconds=45)
    assert 404 == redirect()["statusCode"]


def test_a_missing_link_is_remembered_for_45_seconds(redirect: Redirect) -> None:
    redirect("/new")
    redirect.client.rows["core", keys.link("new")] = link_row(a_link(code="new"))

    redirect.now = NOW + timedelta(seconds=44)
    assert 404 == redirect("/new")["statusCode"]
    redirect.now = NOW + timedelta(seconds=45)
    assert 302 == redirect("/new")["statusCode"]


def test_a_flood_of_unknown_codes_does_not_fill_the_memory(redirect: Redirect) -> None:
    redirect()
    for number in range(1_200):
        redirect(f"/unknown-{number}")

    module = sys.modules[MODULE]
    assert 1_000 == len(module._LINKS._entries)


def test_a_remembered_link_expires_on_time(redirect: Redirect) -> None:
    expires_at = NOW + timedelta(seconds=10)
    redirect.client.rows["core", keys.link("spring")] = link_row(a_link(expires_at=expires_at))
    assert 302 == redirect()["statusCode"]

    redirect.now = expires_at

    assert 404 == redirect()["statusCode"]


def test_the_store_may_be_down_for_a_link_that_is_known(
    redirect: Redirect, capsys: pytest.CaptureFixture[str]
) -> None:
    redirect()
    redirect.client.broken = {"get", "put"}
    redirect.now = NOW + timedelta(minutes=30)

    answer = redirect()

    assert "spring" == read(token_of(answer), RING, program_id="prg_1").code
    (line,) = capsys.readouterr().out.splitlines()
    assert {
        "level": "ERROR",
        "event": "click_incomplete",
        "reason": "ThrottlingException",
        "request_id": "req-1",
    } == json.loads(line)


def test_a_known_link_is_not_served_for_ever_while_the_store_is_down(redirect: Redirect) -> None:
    redirect()
    redirect.client.broken = {"get", "put"}
    redirect.now = NOW + timedelta(hours=1)

    assert 503 == redirect()["statusCode"]


def test_the_store_is_down_and_nobody_knows_the_link(
    redirect: Redirect, capsys: pytest.CaptureFixture[str]
) -> None:
    redirect.client.broken = {"get"}

    answer = redirect()

    assert 503 == answer["statusCode"]
    assert "application/problem+json" == answer["headers"]["content-type"]
    assert "2" == answer["headers"]["retry-after"]
    assert "location" not in answer["headers"]
    assert {
        "type": "urn:goodword:problem:store_unavailable",
        "title": "Temporarily unavailable; try again",
        "status": 503,
        "code": "store_unavailable",
        "detail": "Temporarily unavailable; try again",
        "request_id": "req-1",
        "errors": [],
    } == json.loads(answer["body"])
    assert "link_unavailable" == json.loads(capsys.readouterr().out)["event"]


def test_the_function_starts_while_the_store_is_down(
    start: Callable[..., Redirect], client: FakeClient, capsys: pytest.CaptureFixture[str]
) -> None:
    client.broken = {"get"}
    redirect = start()
    assert "priming_failed" == json.loads(capsys.readouterr().out)["event"]

    client.broken = set()

    assert token_of(redirect())


def test_a_broken_keyring_costs_the_token_and_not_the_visitor(
    start: Callable[..., Redirect], client: FakeClient
) -> None:
    client.rows["core", keys.click_keyring()] = {"keys": []}
    redirect = start()

    assert "https://shop.example/offer?plan=pro&utm_source=partner&via=spring#top" == location_of(
        redirect()
    )


def test_keys_that_are_made_after_the_start_are_used_at_once(
    start: Callable[..., Redirect], client: FakeClient
) -> None:
    row = client.rows.pop(("core", keys.click_keyring()))
    redirect = start()
    assert "click_id" not in location_of(redirect())

    client.rows["core", keys.click_keyring()] = row

    assert token_of(redirect())


def test_a_new_key_signs_once_everybody_has_read_it(redirect: Redirect) -> None:
    newer = SigningKey(key_id="k2", secret=b"t" * 32, created_at=NOW + timedelta(seconds=1))
    ring = Keyring(keys=(*RING.keys, newer))
    redirect.client.rows["core", keys.click_keyring()] = keyring_row(ring)

    redirect.now = NOW + timedelta(minutes=10)
    assert token_of(redirect()).startswith("v1.k1.")
    redirect.now = NOW + timedelta(minutes=10, seconds=1)
    assert token_of(redirect()).startswith("v1.k2.")


def test_the_keys_are_read_again_after_five_minutes(redirect: Redirect) -> None:
    other = SigningKey(key_id="k9", secret=b"t" * 32, created_at=NOW)
    redirect.client.rows["core", keys.click_keyring()] = keyring_row(Keyring(keys=(other,)))

    redirect.now = NOW + timedelta(seconds=299)
    assert token_of(redirect()).startswith("v1.k1.")
    redirect.now = NOW + timedelta(seconds=300)
    assert token_of(redirect()).startswith("v1.k9.")


def test_what_is_known_too_long_gives_way_to_the_programmes_fallback(
    redirect: Redirect, capsys: pytest.CaptureFixture[str]
) -> None:
    fallback = "https://shop.example/later"
    redirect.client.rows["core", keys.link("spring")] = link_row(a_link(fallback_url=fallback))
    redirect()
    redirect.client.clicks.clear()
    redirect.client.broken = {"get"}
    redirect.now = NOW + timedelta(hours=1)

    assert fallback == location_of(redirect(query="a=1"))
    assert [] == redirect.client.clicks
    assert "click_incomplete" == json.loads(capsys.readouterr().out)["event"]
    # Nobody knows whose link another code is.
    assert 503 == redirect("/other")["statusCode"]


def test_a_link_that_was_closed_has_no_fallback_in_an_outage(redirect: Redirect) -> None:
    closed = a_link(fallback_url="https://shop.example/later", disabled=True)
    redirect.client.rows["core", keys.link("spring")] = link_row(closed)
    redirect()
    redirect.client.broken = {"get"}
    redirect.now = NOW + timedelta(hours=1)

    assert 503 == redirect()["statusCode"]


def test_a_click_that_is_stored_late_is_better_than_none(redirect: Redirect) -> None:
    redirect()
    redirect.client.broken = {"get"}
    redirect.now = NOW + timedelta(minutes=30)

    redirect()

    assert 2 == len(redirect.client.clicks)

from __future__ import annotations

import json
import time
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from shared.domain.click_tokens import read
from tests.builders.redirect import (
    FIREFOX,
    NOW,
    REDIRECT_HEADERS,
    RING,
    Redirect,
    an_event,
    location_of,
    token_of,
)

if TYPE_CHECKING:
    from collections.abc import Callable


def test_a_person_is_sent_on_and_leaves_one_click(redirect: Redirect) -> None:
    answer = redirect(query="utm_medium=mail&a=1&a=2")

    token = read(token_of(answer), RING, program_id="prg_1")
    (click,) = redirect.client.clicks
    assert {
        "statusCode": 302,
        "headers": {
            "location": "https://shop.example/offer?plan=pro&utm_source=partner&utm_medium=mail"
            f"&a=1&a=2&click_id={token_of(answer)}&via=spring#top",
            **REDIRECT_HEADERS,
        },
        "body": "",
    } == answer
    assert ("spring", "ptr_1", NOW) == (token.code, token.partner_id, token.clicked_at)
    assert {
        "pk": token.click_id[-4:],
        "sk": token.click_id,
        "t": int(NOW.timestamp()) * 1_000,
        "c": "spring",
        "p": "prg_1",
        "r": "ptr_1",
        "v": "3d0ce4c05e79",
        "b": FIREFOX.replace("Mozilla/5.0 (", "\x01"),
        "u": {"source": "partner", "medium": "mail"},
        "expires_at_epoch": int((NOW + timedelta(days=90)).timestamp()),
    } == click
    assert token.click_id.startswith("clk_")


def test_codes_are_read_in_either_case(redirect: Redirect) -> None:
    assert "via=spring" in location_of(redirect("/SPRING"))


def test_clicks_of_calm_traffic_lie_together_and_a_flood_does_not(
    redirect: Redirect, monkeypatch: pytest.MonkeyPatch
) -> None:
    milliseconds = 64 * 1_000_000

    def lanes(*moments: int) -> list[str]:
        redirect.client.clicks.clear()
        for moment in moments:
            at = (milliseconds + moment) * 1_000_000
            monkeypatch.setattr(time, "time_ns", lambda at=at: at)
            redirect()
        return [click["pk"] for click in redirect.client.clicks]

    (own,) = set(lanes(0, 32, 70, 1_000_000))
    flood = lanes(2_000_000, 2_000_001, 2_000_002, 2_000_031, 2_000_032)

    assert [own, own] == [flood[0], flood[-1]]
    assert 4 == len(set(flood))


def test_every_click_has_its_own_token(redirect: Redirect) -> None:
    assert token_of(redirect()) != token_of(redirect())


def test_neither_address_nor_anything_else_of_the_visitor_is_stored(redirect: Redirect) -> None:
    redirect(headers={"cookie": "session=1", "referer": "https://mail.example/inbox/7"})

    stored = json.dumps(redirect.client.clicks)
    for secret in ("198.51.100.7", "session", "inbox"):
        assert secret not in stored


@pytest.mark.parametrize(
    "changes",
    [
        {"method": "HEAD"},
        {"agent": ""},
        {"agent": "Googlebot/2.1 (+http://www.google.com/bot.html)"},
        {"headers": {"sec-purpose": "prefetch"}},
    ],
)
def test_a_program_is_sent_on_and_leaves_no_click(
    redirect: Redirect, changes: dict[str, Any]
) -> None:
    answer = redirect(**changes)

    assert "https://shop.example/offer?plan=pro&utm_source=partner&via=spring#top" == location_of(
        answer
    )
    assert [] == redirect.client.clicks


NOWHERE = ["/nobody", "/old", "/off", "/x", "/favicon.ico", "/healthz2.", "/" + "x" * 9_000, "/"]


def test_codes_that_lead_nowhere_are_answered_alike(redirect: Redirect) -> None:
    for path in (*NOWHERE, "/a/b", "/spring/", "//evil.example", "/%0d%0aset-cookie:x"):
        answer = redirect(path)
        assert redirect("/nobody") == answer, path
        assert 404 == answer["statusCode"]
        assert "location" not in answer["headers"]


def test_codes_that_lead_nowhere_go_to_the_fallback_alike(start: Callable[..., Redirect]) -> None:
    redirect = start(fallback_url="https://shop.example/")

    for path in (*NOWHERE, "/a/b"):
        answer = redirect(path, "utm_source=x")
        assert "https://shop.example/" == location_of(answer)
    assert [] == redirect.client.clicks


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS"])
def test_other_methods_are_not_found(start: Callable[..., Redirect], method: str) -> None:
    redirect = start(fallback_url="https://shop.example/")

    assert 404 == redirect("/spring", method=method)["statusCode"]
    assert [] == redirect.client.clicks


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_programs_get_a_problem_for_unknown_api_paths(redirect: Redirect, method: str) -> None:
    answer = redirect("/v1/nothing", method=method)

    assert (404, "application/problem+json") == (
        answer["statusCode"],
        answer["headers"]["content-type"],
    )
    assert ("not_found", "req-1") == (
        json.loads(answer["body"])["code"],
        json.loads(answer["body"])["request_id"],
    )


def test_the_health_check_asks_nothing(redirect: Redirect) -> None:
    redirect.client.calls.clear()

    answer = redirect("/healthz")

    assert (200, {"status": "ok"}) == (answer["statusCode"], json.loads(answer["body"]))
    assert [] == redirect.client.calls


def test_a_click_costs_two_round_trips_and_one_once_the_link_is_known(redirect: Redirect) -> None:
    assert ["get KEYRING#click"] == redirect.client.calls
    redirect.client.calls.clear()

    redirect()
    redirect()

    assert ["get LINK#spring", "put clicks", "put clicks"] == redirect.client.calls


def test_all_is_well_without_a_word(redirect: Redirect, capsys: pytest.CaptureFixture[str]) -> None:
    redirect()
    redirect("/nobody")
    redirect(method="HEAD")

    output = capsys.readouterr()
    assert ("", "") == (output.out, output.err)


@pytest.mark.parametrize("missing", ["rawQueryString", "headers", "rawPath", "pathParameters"])
def test_an_event_may_lack_what_it_does_not_need(redirect: Redirect, missing: str) -> None:
    event = an_event("/spring", "a=1")
    del event[missing]

    assert redirect._handler(event, None)["statusCode"] == 302


def test_a_missing_variable_is_named(
    start: Callable[..., Redirect], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("GOODWORD_CLICKS_TABLE")

    with pytest.raises(Exception, match="GOODWORD_CLICKS_TABLE"):
        start()

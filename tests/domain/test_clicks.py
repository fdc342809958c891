from __future__ import annotations

import pytest

from shared.domain.clicks import BOT_MARKERS, Visit, counts, kept_agent, kept_utm

FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:145.0) Gecko/20100101 Firefox/145.0"
IPHONE = (
    "Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) AppleWebKit/605.1.15 "
    "(KHTML, like Gecko) Version/18.5 Mobile/15E148 Safari/604.1"
)
CUBOT = (
    "Mozilla/5.0 (Linux; Android 10; CUBOT X30) AppleWebKit/537.36 (KHTML, like Gecko) "
    "Chrome/120.0.0.0 Mobile Safari/537.36"
)
IN_PINTEREST = IPHONE + " [Pinterest/iOS]"


def a_visit(agent: str = FIREFOX, method: str = "GET", **headers: str) -> Visit:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Visit(code="spring", method=method, headers={"user-agent": agent, **named})


@pytest.mark.parametrize("agent", [FIREFOX, IPHONE, CUBOT, IN_PINTEREST])
def test_a_persons_browser_counts(agent: str) -> None:
    assert counts(a_visit(agent))


@pytest.mark.parametrize(
    "agent",
    [
        "",
        "  ",
        "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)",
        "Slackbot-LinkExpanding 1.0 (+https://api.slack.com/robots)",
        "Slackbot 1.0 (+https://api.slack.com/robots)",
        "facebookexternalhit/1.1 (+http://www.facebook.com/externalhit_uatext.php)",
        "WhatsApp/2.23.20.0",
        "LinkedInBot/1.0 (compatible; Mozilla/5.0; Apache-HttpClient +http://www.linkedin.com)",
        "TelegramBot (like TwitterBot)",
        "Mozilla/5.0 (Windows NT 10.0) HeadlessChrome/120.0.0.0 Safari/537.36",
        "Microsoft Office/16.0 (Windows NT 10.0; Microsoft Outlook 16.0.12026; Pro)",
        "curl/8.5.0",
        "python-requests/2.31.0",
        "SomethingBot",
        "x" * 490 + " CRAWLER",
    ],
)
def test_a_program_does_not_count(agent: str) -> None:
    assert not counts(a_visit(agent))


def test_a_visit_without_a_user_agent_does_not_count() -> None:
    assert not counts(Visit(code="spring"))


def test_a_head_request_does_not_count() -> None:
    assert not counts(a_visit(method="HEAD"))


@pytest.mark.parametrize(
    "headers",
    [
        {"sec_purpose": "prefetch;prerender"},
        {"purpose": "Prefetch"},
        {"x_purpose": "preview"},
        {"x_moz": "prefetch"},
    ],
)
def test_a_prefetch_does_not_count(headers: dict[str, str]) -> None:
    assert not counts(a_visit(**headers))


def test_another_purpose_counts() -> None:
    assert counts(a_visit(purpose="navigate"))


def test_only_the_beginning_of_a_user_agent_is_looked_at() -> None:
    assert counts(a_visit("x" * 512 + " crawler"))


def test_the_markers_are_few_and_in_lower_case() -> None:
    assert len(BOT_MARKERS) <= 64
    assert [] == [marker for marker in BOT_MARKERS if marker != marker.lower()]
    assert len(BOT_MARKERS) == len(set(BOT_MARKERS))


def test_the_kept_user_agent_is_cut_between_characters() -> None:
    assert "é" * 128 == kept_agent(a_visit("é" * 600))
    assert "a" + "é" * 127 == kept_agent(a_visit("a" + "é" * 600))


def test_a_broken_character_in_a_user_agent_does_no_harm() -> None:
    assert "a?b" == kept_agent(a_visit("a\ud800b"))


def test_the_well_known_utm_parameters_are_kept_decoded_and_cut() -> None:
    address = (
        "https://shop.example/?a=1&utm_source=news+letter&utm_source=second&utm_campaign="
        + "x" * 100
        + "&utm_other=1&click_id=t#utm_term=fragment"
    )

    assert {"utm_source": "news letter", "utm_campaign": "x" * 64} == kept_utm(address)

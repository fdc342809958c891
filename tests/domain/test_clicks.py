from __future__ import annotations

import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import crawleruseragents
import pytest

from shared.domain.bot_markers import BOT_MARKERS
from shared.domain.clicks import (
    AD_IDS,
    Click,
    Visit,
    counts,
    kept_agent,
    kept_label,
    kept_utm,
    visitor_mark,
    with_ad_ids,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

NOON = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
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
IN_FACEBOOK = (
    "Mozilla/5.0 (Linux; Android 15; Pixel 9; wv) AppleWebKit/537.36 (KHTML, like Gecko) "
    "Version/4.0 Chrome/131.0.0.0 Mobile Safari/537.36 MetaIAB Facebook"
)
IN_OUTLOOK = "Mozilla/4.0 (compatible; MSIE 7.0; Windows NT 10.0; Trident/7.0; ms-office)"


def a_visit(agent: str = FIREFOX, method: str = "GET", **headers: str) -> Visit:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Visit(code="spring", method=method, headers={"user-agent": agent, **named})


@pytest.mark.parametrize(
    "agent",
    [
        FIREFOX,
        IPHONE,
        CUBOT,
        IN_PINTEREST,
        IN_FACEBOOK,
        IN_OUTLOOK,
        # All that a network in front of us may say of a visitor.
        "Amazon CloudFront",
    ],
)
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


def test_most_listed_programs_are_told_by_the_few_markers() -> None:
    agents = [
        agent
        for entry in crawleruseragents.CRAWLER_USER_AGENTS_DATA
        for agent in entry["instances"]
    ]

    told = sum(not counts(a_visit(agent)) for agent in agents)

    # The figure of docs/metrics.md.
    assert (1_528, 2_123) == (told, len(agents))


def test_the_markers_are_few_and_in_lower_case() -> None:
    assert len(BOT_MARKERS) <= 64
    assert [] == [marker for marker in BOT_MARKERS if marker != marker.lower()]
    assert len(BOT_MARKERS) == len(set(BOT_MARKERS))


A_CLICK = Click(
    click_id="clk_1", code="spring", program_id="prg_1", partner_id="ptr_1", clicked_at=NOON
)


def ids_of(query: str, click: Click = A_CLICK) -> Mapping[str, str]:
    return with_ad_ids(click, query).ad_ids


def test_the_ids_of_advertising_networks_are_kept_as_they_are() -> None:
    query = "a=1&gclid=Cj0K-_~.x&utm_source=x&ScCid=s&FBCLID=f&gclid=second&mc_eid=person"

    assert {"gclid": "Cj0K-_~.x", "sccid": "s", "fbclid": "f"} == ids_of(query)


@pytest.mark.parametrize("value", ["", "a%20b", "a+b", "<x>", "é", "x" * 301, "a=b", "a\n"])
def test_what_can_not_be_such_an_id_is_not_kept(value: str) -> None:
    assert {} == ids_of(f"gclid={value}")


def test_ids_are_kept_whole_while_there_is_room() -> None:
    query = "&".join(f"{name}={'x' * 250}" for name in AD_IDS)

    assert ["gclid", "gbraid", "wbraid"] == list(ids_of(query))
    assert ["gclid", "gbraid"] == list(ids_of(query, replace(A_CLICK, user_agent="é" * 100)))
    assert {} == ids_of(query, replace(A_CLICK, user_agent="é" * 300))


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

    assert {"utm_source": "news letter", "utm_campaign": "x" * 60} == kept_utm(address)


def mark(
    address: str = "198.51.100.7",
    *,
    agent: str = FIREFOX,
    program_id: str = "prg_1",
    at: datetime = NOON,
    secret: bytes = b"s" * 32,
) -> str:
    visit = Visit(code="spring", headers={"user-agent": agent}, address=address)
    return visitor_mark(visit, program_id, at, secret)


def test_a_visitor_has_one_mark_all_day() -> None:
    assert re.fullmatch("[0-9a-f]{12}", mark())
    assert mark() == mark(at=NOON + timedelta(hours=11, minutes=59))


@pytest.mark.parametrize(
    ("one", "same"),
    [
        ("198.51.100.7", "198.51.100.200"),
        ("2001:db8:1:2::7", "2001:db8:1:ffff:1:2:3:4"),
        ("2001:db8::7", "2001:db8:0:1::"),
        ("::1", "::2"),
    ],
)
def test_the_mark_knows_the_network_only(one: str, same: str) -> None:
    assert mark(one) == mark(same)


@pytest.mark.parametrize(
    "other",
    [
        mark("198.51.101.7"),
        mark("2001:db8:2::7"),
        mark(agent="Other/1.0"),
        mark(program_id="prg_2"),
        mark(at=NOON + timedelta(hours=12)),
        mark(secret=b"t" * 32),
    ],
    ids=["network", "IPv6", "agent", "programme", "day", "secret"],
)
def test_the_mark_of_anything_else_is_another(other: str) -> None:
    assert mark() != other
    assert mark("2001:db8:1::7") != other


@pytest.mark.parametrize("address", ["", "unknown"])
def test_who_comes_from_nowhere_has_no_mark(address: str) -> None:
    assert not mark(address)


def test_a_label_is_kept_to_its_first_bytes() -> None:
    assert "spring" == kept_label("spring")
    assert "é" * 24 == kept_label("é" * 100)

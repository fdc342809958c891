"""What a visitor, a browser and a scanner get from a short link."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import parse_qsl, urlsplit

import pytest

from local.seed import LANDING_PATH
from shared.adapters.management_api import send

if TYPE_CHECKING:
    from shared.adapters.management_api import Reply
    from tests.e2e.conftest import Deployed

pytestmark = pytest.mark.e2e

BROWSER = {"User-Agent": "Mozilla/5.0 (X11; Linux x86_64) Firefox/140.0"}


def visit(deployed: Deployed, query: str = "", method: str = "GET") -> Reply:
    return send(method, f"{deployed.url}/{deployed.demo.link_code}{query}", headers=BROWSER)


def query_of(reply: Reply) -> dict[str, str]:
    return dict(parse_qsl(urlsplit(reply.headers["location"]).query))


def test_a_visitor_is_sent_to_the_landing_page_with_a_token(deployed: Deployed) -> None:
    reply = visit(deployed)

    target = urlsplit(reply.headers["location"])
    assert reply.status == 302
    assert f"{target.scheme}://{target.netloc}{target.path}" == deployed.url + LANDING_PATH
    assert target.fragment == "form"
    assert query_of(reply)["plan"] == "team"
    assert query_of(reply)["via"] == deployed.demo.link_code
    assert query_of(reply)["click_id"]
    assert reply.headers["cache-control"] == "private, no-store"


def test_incoming_utm_wins_over_the_links_own(deployed: Deployed) -> None:
    found = query_of(visit(deployed, "?utm_source=newsletter&utm_term=x"))

    assert found["utm_source"] == "newsletter"
    assert found["utm_term"] == "x"
    assert found["utm_medium"] == "referral"


def test_every_visit_has_a_token_of_its_own(deployed: Deployed) -> None:
    tokens = {query_of(visit(deployed))["click_id"] for _ in range(3)}

    assert len(tokens) == 3


def test_codes_are_case_insensitive(deployed: Deployed) -> None:
    reply = send("GET", f"{deployed.url}/{deployed.demo.link_code.upper()}", headers=BROWSER)

    assert reply.status == 302


def test_head_gets_the_same_redirect_without_a_token(deployed: Deployed) -> None:
    reply = visit(deployed, method="HEAD")

    assert reply.status == 302
    assert "click_id" not in query_of(reply)
    assert reply.body == b""


@pytest.mark.parametrize(
    "query",
    [
        "?utm_source=//evil.example/",
        "?utm_source=%0d%0aLocation:%20https://evil.example/",
        "?click_id=forged&via=other",
        "?@evil.example/",
        "?utm_source=https://evil.example%23%5c%5c",
        "?" + "&".join(f"utm_x{n}=1" for n in range(300)),
        "?%ff%fe=%00",
    ],
)
def test_no_query_changes_where_a_link_leads(deployed: Deployed, query: str) -> None:
    reply = visit(deployed, query)

    target = urlsplit(reply.headers["location"])
    assert reply.status == 302
    assert f"{target.scheme}://{target.netloc}" == deployed.url
    assert target.path == LANDING_PATH
    assert query_of(reply)["via"] == deployed.demo.link_code
    assert query_of(reply)["click_id"] != "forged"


@pytest.mark.parametrize(
    "path",
    ["/nosuchcode", "/a", "/" + "x" * 300, "/%00", "/..%2f..", "/a/b/c", "/v1", "/robots.txt"],
)
def test_unknown_and_malformed_codes_look_the_same(deployed: Deployed, path: str) -> None:
    reference = send("GET", f"{deployed.url}/zzzzzzzzzz", headers=BROWSER)
    reply = send("GET", deployed.url + path, headers=BROWSER)

    assert reply.status == 404
    assert "location" not in reply.headers
    assert reply.headers["content-type"] == reference.headers["content-type"]


def test_the_service_says_that_it_is_alive(deployed: Deployed) -> None:
    assert send("GET", f"{deployed.url}/healthz").status == 200

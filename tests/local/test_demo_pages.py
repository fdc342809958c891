"""The demo pages: what they show, and to whom."""

import pytest

from local.demo_pages import Pages, cell, fields, table
from local.proxy import Answer, Request
from local.seed import Demo
from shared.adapters.management_api import Management

URL = "http://127.0.0.1:8000"
HOST = (b"Host", b"127.0.0.1:8000")


@pytest.fixture
def pages() -> Pages:
    demo = Demo(program_id="prg_demo", partner_id="ptr_1", link_code="demo", sources={})
    return Pages(url=URL, demo=demo, management=Management(base_url=URL, key="gw_root_x"))


def ask(
    pages: Pages, target: bytes, *headers: tuple[bytes, bytes], method: bytes = b"GET"
) -> Answer:
    return pages(Request(method=method, target=target, headers=headers, body=b""))


def test_the_landing_page_carries_the_click_into_the_form(pages: Pages) -> None:
    answer = ask(pages, b"/_demo/landing?click_id=tok%22en&via=demo&other=1", HOST)

    text = answer.body.decode()
    assert answer.status == 200
    assert 'action="/v1/programs/prg_demo/referrals"' in text
    assert 'name="click_id" value="tok&quot;en"' in text
    assert 'name="via" value="demo"' in text
    assert "other" not in text


def test_another_name_for_this_machine_is_refused(pages: Pages) -> None:
    assert ask(pages, b"/_demo/", (b"Host", b"rebound.example")).status == 421


@pytest.mark.parametrize("origin", [b"http://evil.example", b"null", b""])
def test_a_foreign_page_can_press_no_button(pages: Pages, origin: bytes) -> None:
    answer = ask(pages, b"/_demo/accept", HOST, (b"Origin", origin), method=b"POST")

    assert answer.status == 403


def test_unknown_pages_are_not_found(pages: Pages) -> None:
    assert ask(pages, b"/_demo/nothing", HOST).status == 404


def test_no_page_shows_the_management_key(pages: Pages) -> None:
    assert b"gw_root" not in ask(pages, b"/_demo/landing", HOST).body
    assert "gw_root" not in repr(pages)


def test_tables_escape_and_show_money() -> None:
    row = {"amount": {"amount": "1.00", "currency": "USD"}, "text": "<b>", "hidden": "x"}

    text = table([row], ("amount", "text"))

    assert "<td>1.00 USD</td><td>&lt;b&gt;</td>" in text
    assert "hidden" not in text
    assert cell(None) == ""


def test_too_many_fields_are_none() -> None:
    assert fields("&".join(f"a{n}=1" for n in range(100))) == {}

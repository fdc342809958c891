from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import ada_url
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.domain.errors import InvalidFieldsError
from shared.domain.links import (
    LINK_WINS,
    MAX_LOCATION,
    NO_FORWARD,
    PRECEDENCES,
    RESERVED_CODES,
    Link,
    location,
    new_code,
    parse_code,
)

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


def a_link(**changes: Any) -> Link:  # noqa: ANN401 - any of its fields
    values: dict[str, Any] = {
        "code": "spring",
        "program_id": "prg_1",
        "partner_id": "ptr_1",
        "destination": "https://shop.example/offer",
        "created_at": NOW,
    }
    return Link(**values | changes)


def test_the_token_and_the_code_ride_along() -> None:
    assert "https://shop.example/offer?click_id=v1.k.p.t&via=spring" == location(
        a_link(), "", "v1.k.p.t"
    )


def test_without_a_token_only_the_code_rides_along() -> None:
    assert "https://shop.example/offer?via=spring" == location(a_link(), "")


def test_the_switches_of_a_link_are_obeyed() -> None:
    link = a_link(click_param="gw ref", add_via=False)

    assert "https://shop.example/offer?gw%20ref=tok" == location(link, "", "tok")
    assert "https://shop.example/offer" == location(link, "")


def test_the_query_wins_over_the_link_and_the_link_over_the_destination() -> None:
    link = a_link(
        destination="https://shop.example/?utm_source=d&utm_medium=d&utm_campaign=d&plan=pro",
        utm={"utm_source": "l", "utm_medium": "l"},
    )

    assert (
        "https://shop.example/?utm_source=q&utm_medium=l&utm_campaign=d&plan=free&x=1&via=spring"
        == location(link, "utm_source=q&plan=free&x=1")
    )


def test_the_link_wins_where_it_is_switched_so_and_a_query_only_adds() -> None:
    link = a_link(
        destination="https://shop.example/?utm_medium=d&plan=pro",
        utm={"utm_source": "l"},
        precedence=LINK_WINS,
    )

    assert (
        "https://shop.example/?utm_medium=d&plan=pro&utm_source=l&gclid=9&via=spring"
        == location(link, "utm_source=q&utm_medium=q&plan=free&gclid=9")
    )


def test_nothing_is_forwarded_where_it_is_switched_so() -> None:
    link = a_link(utm={"utm_source": "l"}, precedence=NO_FORWARD)

    assert "https://shop.example/offer?utm_source=l&via=spring" == location(
        link, "utm_source=q&x=1"
    )


def test_what_is_not_ours_keeps_order_duplicates_fragment_and_encoding() -> None:
    link = a_link(destination="https://u@shop.example:8443/a%2Fb;c?b=2&a=%7e+%20&&b=1&flag#f?x=%41")

    assert (
        "https://u@shop.example:8443/a%2Fb;c?b=2&a=%7e+%20&&b=1&flag&q=%e4&q=b+c&via=spring#f?x=%41"
        == location(link, "q=%e4&q=b+c")
    )


def test_a_parameter_is_replaced_where_it_stands_and_only_once() -> None:
    link = a_link(destination="https://shop.example/?utm_source=1&a=1&utm_source=2")

    assert "https://shop.example/?utm_source=3&utm_source=4&a=1&via=spring" == location(
        link, "utm_source=3&utm_source=4"
    )


def test_names_are_compared_decoded() -> None:
    link = a_link(destination="https://shop.example/?utm%5Fsource=d")

    assert "https://shop.example/?utm_source=q&via=spring" == location(link, "utm_source=q")


def test_a_links_utm_is_encoded_and_empty_ones_are_left_out() -> None:
    link = a_link(utm={"utm_source": "a&b=c#d é", "utm_term": ""})

    assert "https://shop.example/offer?utm_source=a%26b%3Dc%23d%20%C3%A9&via=spring" == location(
        link, ""
    )


@pytest.mark.parametrize(
    "query",
    [
        "click_id=forged",
        "via=other",
        "CLICK_ID=forged&Via=other",
        "click%5Fid=forged",
        "+click_id=forged&via+=other",
        "gw=forged",
        "GW=forged",
    ],
)
def test_a_visitor_can_not_bring_our_control_parameters(query: str) -> None:
    link = a_link(click_param="gw")

    assert "https://shop.example/offer?ok=1&gw=tok&via=spring" == location(
        link, f"{query}&ok=1", "tok"
    )


def test_a_semicolon_does_not_smuggle_a_second_parameter() -> None:
    assert "https://shop.example/offer?a=1%3Bclick_id=forged&via=spring" == location(
        a_link(), "a=1;click_id=forged"
    )


def test_stored_control_parameters_do_not_hide_ours() -> None:
    link = a_link(destination="https://shop.example/?via=old&click_id=old&a=1")

    assert "https://shop.example/?a=1&click_id=tok&via=spring" == location(link, "", "tok")


def test_a_stored_via_stays_when_ours_is_off() -> None:
    link = a_link(destination="https://shop.example/?via=old", add_via=False)

    assert "https://shop.example/?via=old" == location(link, "via=q")


def test_a_query_that_makes_the_address_too_long_is_left_out() -> None:
    short = location(a_link(), "a=" + "x" * (MAX_LOCATION - 60))

    assert len(short) <= MAX_LOCATION
    assert short.endswith("x&via=spring")
    # Escaping makes the second one three times as long.
    for query in ("a=" + "x" * MAX_LOCATION, "a=" + '"' * (MAX_LOCATION - 60)):
        assert "https://shop.example/offer?via=spring" == location(a_link(), query)


def test_a_query_of_too_many_parameters_is_left_out() -> None:
    fifty = "&".join(f"p{n}=1" for n in range(50))

    assert f"https://shop.example/offer?{fifty}&via=spring" == location(a_link(), fifty)
    assert "https://shop.example/offer?via=spring" == location(a_link(), fifty + "&one=more")


HOSTILE = [
    "//evil.example",
    "\\\\evil.example",
    "@evil.example/",
    "#@evil.example/",
    "?@evil.example",
    "\r\nLocation: https://evil.example",
    "%0d%0aLocation:%20https://evil.example",
    "\u2028https://evil.example",
    "\uff20evil.example",
    "\ud800",
    "\x00\t\n",
    "https://evil.example",
    "javascript:alert(1)",
    "a=1&https://evil.example&//evil.example/%2f..",
    "../../..//evil.example",
    "=&&=&;;?#",
    "%",
    "%zz=%e0%a4",
    "&" * 5_000,
    "A" * 100_000,
]
DESTINATIONS = [
    "https://shop.example",
    "https://shop.example/",
    "https://shop.example?a=1",
    "https://shop.example#top",
    "https://shop.example:8443/a/b?utm_source=x#top",
]


def check_that_nothing_but_the_query_changed(link: Link, address: str) -> None:
    base = link.destination.partition("#")[0].partition("?")[0]
    stored, sent = ada_url.URL(link.destination), ada_url.URL(address)
    assert address.startswith(base)
    assert address.isascii()
    assert address.isprintable()
    assert " " not in address
    assert len(address) <= MAX_LOCATION
    for part in ("protocol", "username", "password", "host", "hostname", "port", "pathname"):
        assert getattr(stored, part) == getattr(sent, part)
    assert stored.hash == sent.hash
    assert urlsplit(link.destination).hostname == urlsplit(address).hostname
    assert [link.code] == [v for k, v in parse_qsl(sent.search[1:]) if k.lower() == "via"]
    assert ["tok"] == [v for k, v in parse_qsl(sent.search[1:]) if k.lower() == "click_id"]


@pytest.mark.parametrize("destination", DESTINATIONS)
@pytest.mark.parametrize("query", HOSTILE)
def test_a_hostile_query_changes_nothing_but_the_query(query: str, destination: str) -> None:
    link = a_link(destination=destination)

    check_that_nothing_but_the_query_changed(link, location(link, query, "tok"))


@given(
    query=st.text(max_size=200)
    | st.text(alphabet="&=?#%;/\\@:.\r\n utm_sourceviack0123456789", max_size=80)
    | st.lists(st.sampled_from(HOSTILE[:-2]), max_size=6).map("&".join),
    destination=st.sampled_from(DESTINATIONS),
    precedence=st.sampled_from(PRECEDENCES),
    utm=st.dictionaries(st.sampled_from(["utm_source", "utm_id"]), st.text(max_size=30)),
)
def test_no_query_at_all_changes_anything_but_the_query(
    query: str, destination: str, precedence: str, utm: dict[str, str]
) -> None:
    link = a_link(destination=destination, precedence=precedence, utm=utm)

    check_that_nothing_but_the_query_changed(link, location(link, query, "tok"))


def test_a_line_break_in_a_stored_destination_is_escaped_too() -> None:
    link = a_link(destination="https://shop.example/a\r\nSet-Cookie: x=é")

    assert "https://shop.example/a%0D%0ASet-Cookie:%20x=%C3%A9?via=spring" == location(link, "")


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, True),
        ({"disabled": True}, False),
        ({"cap_reached": True}, False),
        ({"expires_at": NOW + timedelta(seconds=1)}, True),
        ({"expires_at": NOW}, False),
    ],
)
def test_a_link_is_live_until_it_is_disabled_expires_or_reaches_its_cap(
    changes: dict[str, Any],
    expected: bool,  # noqa: FBT001 - a column of the table above
) -> None:
    assert expected is a_link(**changes).is_live(NOW)


def test_a_new_code_is_ten_symbols_of_the_random_bytes() -> None:
    assert "0000000000" == new_code(bytes(7))
    assert "zzzzzzzzzz" == new_code(b"\xff" * 7)


def test_too_few_random_bytes_are_refused() -> None:
    with pytest.raises(ValueError, match="7 random bytes"):
        new_code(bytes(6))


@given(random_bytes=st.binary(min_size=7, max_size=16))
def test_a_new_code_is_a_code(random_bytes: bytes) -> None:
    code = new_code(random_bytes)

    assert code == parse_code(code)


@pytest.mark.parametrize("text", ["abc", "a-1", "x" * 40, "ABC", "Spring-26"])
def test_a_code_is_read_in_either_case(text: str) -> None:
    assert text.lower() == parse_code(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "ab",
        "x" * 41,
        "a_b",
        "a.b",
        "abc\n",
        " abc",
        "a/bc",
        "a%62c",
        "\u212aode",  # the Kelvin sign, whose lower case is an ordinary k
        "ｃｏｄｅ",  # noqa: RUF001 - full-width letters are the point
        "\ud800abc",
    ],
)
def test_what_is_no_code_is_refused(text: str) -> None:
    with pytest.raises(InvalidFieldsError) as caught:
        parse_code(text)

    assert [("code", "bad_code")] == [(e.path, e.code) for e in caught.value.errors]


@pytest.mark.parametrize("text", [*sorted(RESERVED_CODES), "HEALTHZ"])
def test_our_own_paths_are_no_codes(text: str) -> None:
    with pytest.raises(InvalidFieldsError) as caught:
        parse_code(text)

    assert [("code", "reserved_code")] == [(e.path, e.code) for e in caught.value.errors]

"""Whatever is saved, and whatever a visitor adds: the visitor stays on the landing hosts."""

from __future__ import annotations

from datetime import UTC, datetime
from itertools import pairwise
from typing import Any
from urllib.parse import urlsplit

import ada_url
import pytest
from hypothesis import given
from hypothesis import strategies as st

from functions.manage_program.destinations import check_destination, landing_host
from shared.domain.errors import InvalidFieldsError
from shared.domain.links import PRECEDENCES, Link, location
from tests.builders.open_redirects import AS_QUERIES, EVIL, GOOD, PAYLOADS

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
HOSTS = tuple(
    landing_host(text, "landing_hosts")
    for text in (GOOD, "b\u00fccher.example", "Stra\u00dfe.example", "127.0.0.1", f"{GOOD}:9443")
)
DESTINATIONS = [
    f"https://{GOOD}",
    f"https://{GOOD}/offer?plan=pro&utm_source=own#form",
    f"https://{GOOD}:9443/a/b;c?x=%2F%2F{EVIL}",
    f"https://b\u00fccher.example/{EVIL}?next=//{EVIL}",
    "http://127.0.0.1:8000/demo#top",
]


def saved(text: str) -> str:
    """What is stored of a destination; nothing if it is refused."""
    try:
        return check_destination(text, HOSTS)
    except InvalidFieldsError:
        return ""


def check_that_it_stays(address: str) -> None:
    """Demands the same of a browser, of RFC 3986 readers and of a look at the text."""
    url = ada_url.URL(address)
    assert url.host in HOSTS or (url.hostname, url.protocol) == ("127.0.0.1", "http:")
    assert url.protocol == "https:" or url.hostname == "127.0.0.1"
    assert ("", "") == (url.username, url.password)
    assert url.hostname == urlsplit(address).hostname
    authority = address.split("/", 3)[2].partition("?")[0].partition("#")[0]
    assert url.host == authority
    assert address.isascii()
    assert address.isprintable()
    assert not set(" \\\r\n\t") & set(address.partition("#")[0])


def a_link(destination: str, **changes: Any) -> Link:  # noqa: ANN401 - any of its fields
    values: dict[str, Any] = {
        "code": "spring",
        "program_id": "prg_1",
        "partner_id": "ptr_1",
        "destination": destination,
        "created_at": NOW,
    }
    return Link(**values | changes)


def test_the_corpus_is_large() -> None:
    assert 270 <= len(PAYLOADS)


def test_most_of_the_corpus_is_refused_and_none_is_saved_elsewhere() -> None:
    found = [address for address in map(saved, PAYLOADS) if address]

    for address in found:
        check_that_it_stays(address)
    assert 30 < len(found) < len(PAYLOADS) / 2


@pytest.mark.parametrize(
    "text",
    [
        f"https://{GOOD}/",
        f"https://{GOOD}:443/",
        "https://SHOP.EXAMPLE/",
        "https://sh%6fp.example/",
        "https://b\u00fccher.example/",
        "https://bu\u0308cher.example/",
        "https://xn--bcher-kva.example/",
        "https://stra\u00dfe.example/",
    ],
)
def test_other_spellings_of_a_landing_host_are_saved_as_browsers_write_them(text: str) -> None:
    assert ada_url.URL(saved(text)).host in HOSTS
    assert saved(text).isascii()


@pytest.mark.parametrize(
    "text",
    [
        "https://strasse.example/",  # another host than straße.example since 2010
        "https://sh\u043ep.example/",  # a Cyrillic o
        f"https://www.{GOOD}/",
        f"https://{GOOD}./",
        f"http://{GOOD}/",
        f"https://{GOOD}:8443/",
        f"https://a@{GOOD}/",
        f"https://{GOOD}\\",
        f"https://{GOOD}/\r\nX: y",
        f"https://{GOOD}/\t",
    ],
)
def test_what_only_looks_like_a_landing_host_is_refused(text: str) -> None:
    assert "" == saved(text)


def test_saving_what_was_saved_changes_nothing() -> None:
    found = [address for address in map(saved, [*PAYLOADS, *DESTINATIONS]) if address]

    assert found == [saved(address) for address in found]


@pytest.mark.parametrize("destination", DESTINATIONS)
def test_no_payload_as_a_query_leads_elsewhere(destination: str) -> None:
    stored = saved(destination)
    for precedence in PRECEDENCES:
        link = a_link(stored, precedence=precedence)
        for query in AS_QUERIES:
            check_that_it_stays(location(link, query, "tok"))


@pytest.mark.parametrize("destination", DESTINATIONS)
def test_no_payload_behind_an_allowed_destination_leads_elsewhere(destination: str) -> None:
    for payload in PAYLOADS:
        stored = saved(destination + payload)
        if stored:
            check_that_it_stays(location(a_link(stored), payload, "tok"))


def test_no_payload_in_a_links_own_values_leads_elsewhere() -> None:
    stored = saved(f"https://{GOOD}/?utm_source=own")
    # Bodies that hold halves of surrogate pairs are refused before anybody looks at them.
    texts = [one.encode(errors="ignore").decode() for one in PAYLOADS]
    for payload, other in pairwise(texts):
        utm = {"utm_source": payload, "utm_term": other}
        check_that_it_stays(location(a_link(stored, utm=utm, click_param=payload or "c"), ""))


HOSTILE = st.text(alphabet="/\\@:.?#%&;=[]\t\r\n \x00\u3002\uff0fhtpsevilxamo042", max_size=60)


@given(
    text=st.one_of(
        st.text(max_size=60),
        HOSTILE,
        st.builds("https://{}{}".format, st.sampled_from([GOOD, EVIL, ""]), HOSTILE),
        st.builds("{}{}".format, st.sampled_from(PAYLOADS), HOSTILE),
        st.tuples(*[st.sampled_from(PAYLOADS)] * 2).map("".join),
    ),
    query=st.text(max_size=60) | HOSTILE | st.sampled_from(AS_QUERIES),
    precedence=st.sampled_from(PRECEDENCES),
)
def test_nothing_at_all_leads_elsewhere(text: str, query: str, precedence: str) -> None:
    stored = saved(text) or saved(f"https://{GOOD}/{text}") or f"https://{GOOD}/"

    check_that_it_stays(location(a_link(stored, precedence=precedence), query, "tok"))

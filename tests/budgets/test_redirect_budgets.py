"""What a click asks of the store: one write if the link is known, one read more if it is not."""

from __future__ import annotations

import importlib
import json
import sys
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from shared.adapters.dynamodb import keys, lean
from shared.adapters.dynamodb.codec import to_wire
from shared.adapters.dynamodb.keyring_rows import keyring_row
from shared.adapters.dynamodb.lean import LeanClient
from shared.adapters.dynamodb.lean_credentials import Credentials
from shared.adapters.dynamodb.link_rows import link_row
from tests.builders.redirect import MODULE, NOW, RING, FakeClient, Redirect, a_link
from tests.fakes.dynamodb_values import row_bytes

if TYPE_CHECKING:
    from collections.abc import Mapping

READ_RING = "get KEYRING#click"
READ_LINK = "get LINK#spring"
SAVE = "put clicks"


@pytest.fixture
def redirect(monkeypatch: pytest.MonkeyPatch) -> Redirect:
    """The function, freshly started."""
    client = FakeClient()
    client.rows["core", keys.link("spring")] = link_row(a_link())
    client.rows["core", keys.click_keyring()] = keyring_row(RING)
    monkeypatch.setenv("GOODWORD_CORE_TABLE", "core")
    monkeypatch.setenv("GOODWORD_CLICKS_TABLE", "clicks")
    monkeypatch.delenv("GOODWORD_FALLBACK_URL", raising=False)
    monkeypatch.setattr(lean, "client_from_environment", lambda _environment: client)
    monkeypatch.setattr("shared.runtime.clock.utc_now", lambda: NOW)
    monkeypatch.delitem(sys.modules, MODULE, raising=False)
    return Redirect(client, importlib.import_module(MODULE))


def calls_of(redirect: Redirect, **request: Any) -> list[str]:  # noqa: ANN401 - any part of it
    redirect.client.calls.clear()
    redirect(**request)
    return redirect.client.calls


def test_the_start_reads_the_keys(redirect: Redirect) -> None:
    assert [READ_RING] == redirect.client.calls


def test_a_link_that_is_not_known_yet_takes_a_read_and_a_write(redirect: Redirect) -> None:
    assert [READ_LINK, SAVE] == calls_of(redirect)


def test_a_link_that_is_known_takes_a_write(redirect: Redirect) -> None:
    redirect()

    assert [SAVE] == calls_of(redirect)


def test_after_five_minutes_the_keys_are_read_too(redirect: Redirect) -> None:
    redirect()
    redirect.now += timedelta(minutes=5)

    assert [READ_LINK, READ_RING, SAVE] == calls_of(redirect)


@pytest.mark.parametrize("request_", [{"method": "HEAD"}, {"agent": "Googlebot"}])
def test_who_is_no_visitor_takes_no_write(redirect: Redirect, request_: dict[str, str]) -> None:
    assert [READ_LINK] == calls_of(redirect, **request_)


@pytest.mark.parametrize(
    ("path", "calls"), [("/nobody", ["get LINK#nobody"]), ("/not!a!code", []), ("/healthz", [])]
)
def test_what_leads_nowhere(redirect: Redirect, path: str, calls: list[str]) -> None:
    assert calls == calls_of(redirect, path=path)
    # And no more while it is remembered.
    assert [] == calls_of(redirect, path=path)


def test_many_clicks_on_many_links_take_one_write_each(redirect: Redirect) -> None:
    for number in range(100):
        code = f"link-{number}"
        redirect.client.rows["core", keys.link(code)] = link_row(a_link(code=code))
        redirect(f"/{code}")
    redirect.client.calls.clear()

    for number in range(100):
        redirect(f"/link-{number}")

    assert [SAVE] * 100 == redirect.client.calls


def test_the_largest_click_fits_into_one_write_unit(redirect: Redirect) -> None:
    names = ("utm_source", "utm_medium", "utm_campaign", "utm_term", "utm_content", "utm_id")
    query = "&".join(f"{name}={'x' * 600}" for name in names)

    redirect(query=query, agent="Mozilla/5.0 " + "\N{PILE OF POO}" * 1_000)

    (click,) = redirect.client.clicks
    assert 300 < row_bytes(to_wire(click)) <= 1024


def test_a_link_and_the_keys_are_read_for_half_a_unit() -> None:
    """Read without consistency, a row of at most 4 KB takes half a unit."""
    assert row_bytes(to_wire(link_row(a_link()))) <= 4096
    assert row_bytes(to_wire(keyring_row(RING))) <= 4096


def test_the_client_asks_for_no_consistency_and_for_one_plain_write(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    sent: list[tuple[str, Mapping[str, Any]]] = []

    def send(_self: LeanClient, operation: str, body: bytes) -> tuple[int, dict[str, Any]]:
        sent.append((operation, json.loads(body)))
        return 200, {}

    monkeypatch.setattr(LeanClient, "_send", send)
    client = LeanClient(
        credentials=lambda: Credentials(access_key="AKID", secret_key="secret"),
        region="eu-central-1",
        url="http://127.0.0.1:1",
    )

    client.get("core", keys.link("spring"))
    client.put_new("clicks", {"pk": "clk_1"})

    assert ["GetItem", "PutItem"] == [operation for operation, _ in sent]
    assert {"TableName", "Key"} == sent[0][1].keys()

from __future__ import annotations

import importlib
import sys
from typing import TYPE_CHECKING

import pytest

from shared.adapters.dynamodb import keys
from shared.adapters.dynamodb.keyring_rows import keyring_row
from shared.adapters.dynamodb.link_rows import link_row
from tests.builders.redirect import MODULE, NOW, RING, FakeClient, Redirect, a_link

if TYPE_CHECKING:
    from collections.abc import Callable


@pytest.fixture
def client() -> FakeClient:
    client = FakeClient()
    client.rows["core", keys.link("spring")] = link_row(a_link())
    client.rows["core", keys.link("old")] = link_row(a_link(code="old", expires_at=NOW))
    client.rows["core", keys.link("off")] = link_row(a_link(code="off", disabled=True))
    client.rows["core", keys.click_keyring()] = keyring_row(RING)
    return client


@pytest.fixture
def start(client: FakeClient, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Redirect]:
    """Starts the function anew, as Lambda does with an environment of its own."""
    monkeypatch.setenv("GOODWORD_CORE_TABLE", "core")
    monkeypatch.setenv("GOODWORD_CLICKS_TABLE", "clicks")
    monkeypatch.delenv("GOODWORD_FALLBACK_URL", raising=False)
    monkeypatch.setattr(
        "shared.adapters.dynamodb.lean.client_from_environment", lambda _environment: client
    )

    def start(*, fallback_url: str = "") -> Redirect:
        monkeypatch.setenv("GOODWORD_FALLBACK_URL", fallback_url)
        monkeypatch.delitem(sys.modules, MODULE, raising=False)
        # The clock must be the test's before priming, which happens at import.
        monkeypatch.setattr("shared.runtime.clock.utc_now", lambda: NOW)
        return Redirect(client, importlib.import_module(MODULE))

    return start


@pytest.fixture
def redirect(start: Callable[..., Redirect]) -> Redirect:
    return start()

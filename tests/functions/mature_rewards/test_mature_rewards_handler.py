"""The minute's work: lost events go out, ended holds are released."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from functions.mature_rewards import handler as module
from shared import names
from tests.builders.ledger import BOOKS, CORE, Stored
from tests.builders.money import DAY, START, Story
from tests.fakes.memory_bus import MemoryBus

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def bus() -> MemoryBus:
    return MemoryBus()


@pytest.fixture
def stored(monkeypatch: pytest.MonkeyPatch, bus: MemoryBus) -> Iterator[Stored]:
    stored = Stored()
    monkeypatch.setenv(names.ENV_STAGE, "test")
    monkeypatch.setenv(names.ENV_CORE_TABLE, CORE)
    monkeypatch.setenv(names.ENV_BOOKS_TABLE, BOOKS)
    monkeypatch.setenv(names.ENV_BUS, "test-bus")
    monkeypatch.setattr(module, "dynamodb_client", lambda: stored.client)
    monkeypatch.setattr(module, "events_client", lambda: bus)
    module._adapters.cache_clear()
    yield stored
    module._adapters.cache_clear()


NOTHING = {
    "published": 0,
    "parked": 0,
    "failed": 0,
    "released": 0,
    "held": 0,
    "forfeited": 0,
    "skipped": 0,
}


def test_releases_what_is_due_and_sweeps_what_was_lost(
    stored: Stored, monkeypatch: pytest.MonkeyPatch
) -> None:
    story = Story().submitted().reviewed("accepted").amount("20000.00").stage("won")
    stored.submit(story)
    stored.settle(story)
    monkeypatch.setattr(module, "utc_now", lambda: START + 31 * DAY)
    first = module.handler({}, None)
    second = module.handler({}, None)
    assert {**NOTHING, "published": 4, "released": 3} == first
    assert 0 == second["released"]
    assert 200_000 == stored.rewards(story)["won_commission"].payable_minor


def test_nothing_due_is_nothing_done(stored: Stored, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "utc_now", lambda: START)
    assert module.handler({}, None) == NOTHING


def test_what_a_suspended_partner_holds_is_told(
    stored: Stored, monkeypatch: pytest.MonkeyPatch
) -> None:
    story = Story().submitted().reviewed("accepted").amount("20000.00").stage("won")
    stored.submit(story)
    stored.settle(story)
    stored.partner("suspended")
    monkeypatch.setattr(module, "utc_now", lambda: START + 31 * DAY)

    assert {**NOTHING, "published": 4, "held": 3} == module.handler({}, None)

"""The event of a submission brings the deliveries that came before it."""

from __future__ import annotations

import json
from types import SimpleNamespace
from typing import Any

import pytest

from functions.evaluate_reward import handler as module
from shared.adapters.dynamodb.simulations import Jobs
from tests.builders.deliveries import updated
from tests.builders.late_binding import EMAIL, REFERRAL, Town

POSTED = SimpleNamespace(effects=0, movements=0)


@pytest.fixture
def town(monkeypatch: pytest.MonkeyPatch) -> Town:
    town = Town()
    town.desk.standard(updated({"id": "D-1", "stage": "won"}, {"email": EMAIL}))
    town.pump()
    town.submit()
    store = town.desk.store
    jobs = Jobs(client=store.client, core=store.core)
    monkeypatch.setattr(module, "_adapters", lambda: (None, store, jobs))
    monkeypatch.setattr(module, "post_rewards", lambda *_args, **_more: POSTED)
    return town


def message(data: dict[str, Any]) -> dict[str, Any]:
    envelope = {
        "event_id": "evt_1",
        "correlation_id": "evt_0",
        "causation_id": "evt_0",
        "hops": 0,
        "aggregate": {"type": "referral", "id": REFERRAL, "version": 1},
        "data": data,
    }
    body = json.dumps({"detail-type": "FactsChanged", "source": "goodword", "detail": envelope})
    return {"Records": [{"messageId": "m1", "body": body}]}


def test_a_submission_asks_for_what_waited(town: Town) -> None:
    answer = module.handler(message({"kinds": ["submitted", "terms_pinned"]}), None)

    assert {"batchItemFailures": []} == answer
    assert town.words() == []
    town.pump()
    assert town.states() == ["applied"]


@pytest.mark.parametrize("data", [{}, {"kinds": ["stage_entered"]}])
def test_other_changes_ask_for_nothing(town: Town, data: dict[str, Any]) -> None:
    before = town.world.client.dump()

    assert {"batchItemFailures": []} == module.handler(message(data), None)
    assert before == town.world.client.dump()


def test_a_failure_brings_the_message_back_before_any_reward(
    town: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    def down(_request: object) -> None:
        raise ConnectionError

    town.world.client.before["query"] = down
    monkeypatch.setattr(module, "post_rewards", lambda *_args, **_more: pytest.fail("too early"))

    answer = module.handler(message({"kinds": ["submitted"]}), None)

    assert {"batchItemFailures": [{"itemIdentifier": "m1"}]} == answer

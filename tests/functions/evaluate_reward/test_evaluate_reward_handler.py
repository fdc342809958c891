"""The queue's side of the evaluation: each message stands for itself."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from functions.evaluate_reward import handler as module
from shared import names
from tests.builders.ledger import BOOKS, CORE, Stored
from tests.builders.money import Story

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def stored(monkeypatch: pytest.MonkeyPatch) -> Iterator[Stored]:
    stored = Stored()
    monkeypatch.setenv(names.ENV_CORE_TABLE, CORE)
    monkeypatch.setenv(names.ENV_BOOKS_TABLE, BOOKS)
    monkeypatch.setenv(names.ENV_VAULT_TABLE, "test-vault")
    monkeypatch.setattr(module, "dynamodb_client", lambda: stored.client)
    monkeypatch.setattr(module, "_pause", lambda _attempt: None)
    module._adapters.cache_clear()
    yield stored
    module._adapters.cache_clear()


def message(message_id: str, name: str, subject: str) -> dict[str, Any]:
    envelope = {
        "event_id": f"evt_{message_id}",
        "correlation_id": "evt_0",
        "causation_id": "evt_0",
        "hops": 1,
        "aggregate": {"type": "any", "id": subject, "version": 1},
        "data": {},
    }
    body = json.dumps({"detail-type": name, "source": "goodword", "detail": envelope})
    return {"messageId": message_id, "body": body}


def won() -> Story:
    return Story().submitted().reviewed("accepted").amount("20000.00").stage("won")


def test_changed_facts_post_rewards(stored: Stored) -> None:
    story = won()
    stored.submit(story)
    answer = module.handler({"Records": [message("m1", "FactsChanged", story.referral_id)]}, None)
    assert {"batchItemFailures": []} == answer
    assert 200_000 == stored.rewards(story)["won_commission"].net_minor


def test_outgoing_event_tells_the_rewards_and_its_ancestry(stored: Stored) -> None:
    story = won()
    stored.submit(story)
    module.handler({"Records": [message("m1", "FactsChanged", story.referral_id)]}, None)
    told = [
        json.loads(row["envelope"])
        for row in stored.client.dump()[CORE]
        if row["pk"].startswith("OUT#")
    ]
    commission = next(
        reward
        for event in told
        for reward in event["data"]["rewards"]
        if reward["rule_id"] == "won_commission"
    )
    assert {"amount": "2000.00", "currency": "USD"} == commission["net"]
    assert {("evt_0", "evt_m1", 2)} == {
        (event["correlation_id"], event["causation_id"], event["hops"]) for event in told
    }


@pytest.mark.parametrize("poison", ["{", "{}", '{"detail-type":"FactsChanged","detail":{}}'])
def test_poison_fails_alone(stored: Stored, poison: str) -> None:
    story = won()
    stored.submit(story)
    records = [
        {"messageId": "bad", "body": poison},
        message("m2", "FactsChanged", story.referral_id),
    ]
    answer = module.handler({"Records": records}, None)
    assert {"batchItemFailures": [{"itemIdentifier": "bad"}]} == answer
    assert 200_000 == stored.rewards(story)["won_commission"].net_minor


def test_store_that_is_down_sends_the_message_back(stored: Stored) -> None:
    story = won()
    stored.submit(story)

    def down(_request: object) -> None:
        raise stored.client.exceptions.from_code("InternalServerError")(
            {"Error": {"Code": "InternalServerError", "Message": ""}}, "Query"
        )

    stored.client.before["query"] = down
    answer = module.handler({"Records": [message("m1", "FactsChanged", story.referral_id)]}, None)
    assert {"batchItemFailures": [{"itemIdentifier": "m1"}]} == answer


def test_unknown_delivery_goes_back(stored: Stored) -> None:
    answer = module.handler({"Records": [message("m1", "DeliveryReceived", "dlv_none")]}, None)
    assert {"batchItemFailures": [{"itemIdentifier": "m1"}]} == answer


def test_other_events_are_none_of_its_business(stored: Stored) -> None:
    before = stored.client.dump()
    answer = module.handler({"Records": [message("m1", "RewardPosted", "ref_1")]}, None)
    assert {"batchItemFailures": []} == answer
    assert before == stored.client.dump()

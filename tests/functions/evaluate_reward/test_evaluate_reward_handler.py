"""The queue's side of the evaluation: each message stands for itself."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import ClientError

from functions.evaluate_reward import handler as module
from shared import names
from shared.adapters.dynamodb import keys
from shared.adapters.dynamodb.fx_rates import await_rate
from shared.adapters.dynamodb.outbox import stored as outgoing
from shared.adapters.dynamodb.referrals import fact_row
from shared.adapters.dynamodb.transactions import put, transact
from shared.domain.facts import SCHEMA_VERSION
from tests.builders.ledger import BOOKS, CORE, Stored
from tests.builders.money import Story
from tests.fakes.stored_events import NOW, a_question

if TYPE_CHECKING:
    from collections.abc import Iterator

    from shared.domain.events import Event


@pytest.fixture
def stored(monkeypatch: pytest.MonkeyPatch) -> Iterator[Stored]:
    stored = Stored()
    monkeypatch.setenv(names.ENV_STAGE, "test")
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
        "aggregate": {"type": "referral", "id": subject, "version": 1},
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


def test_a_fact_of_a_later_release_leaves_the_message_in_the_queue(stored: Stored) -> None:
    """An older function beside a newer one, during a release: nothing is lost or guessed."""
    story = won()
    stored.submit(story)
    newer = {**fact_row(story.facts[-1]), "schema_version": SCHEMA_VERSION + 1}
    key = keys.fact(story.referral_id, story.facts[-1].fact_id)
    transact(stored.client, [put(CORE, key, newer)])
    sent = {"Records": [message("m1", "FactsChanged", story.referral_id)]}
    assert {"batchItemFailures": [{"itemIdentifier": "m1"}]} == module.handler(sent, None)
    transact(stored.client, [put(CORE, key, fact_row(story.facts[-1]))])
    assert {"batchItemFailures": []} == module.handler(sent, None)
    assert 200_000 == stored.rewards(story)["won_commission"].net_minor


def test_a_new_rate_wakes_the_referrals_that_wait_for_one(stored: Stored) -> None:
    await_rate(stored.client, CORE, "prg_1", "EUR", "ref_1")
    event = asked(stored, "EUR", aggregate_type="rate")

    assert {"batchItemFailures": []} == module.handler({"Records": [sent(event)]}, None)

    rows = [row for row in stored.client.dump()[CORE] if row["pk"].startswith("OUT#")]
    (woken,) = [json.loads(row["envelope"]) for row in rows if event.event_id not in row["pk"]]
    assert {"type": "referral", "id": "ref_1", "version": 0} == woken["aggregate"]
    assert (event.correlation_id, event.event_id, event.hops + 1) == (
        woken["correlation_id"],
        woken["causation_id"],
        woken["hops"],
    )
    assert "handled_at" in outbox_row(stored, event)


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


# -- the answer to the outbox ---------------------------------------------------------------------


def asked(stored: Stored, subject: str, **changes: Any) -> Event:  # noqa: ANN401 - any field
    """An event as it waits in the outbox."""
    event = a_question(aggregate_id=subject, **changes)
    transact(stored.client, [outgoing(CORE, event, now=NOW)])
    return event


def sent(event: Event, tries: int = 1) -> dict[str, Any]:
    detail = {"detail-type": event.name, "source": "goodword", "detail": event.envelope()}
    count = {"ApproximateReceiveCount": str(tries)}
    return {"messageId": event.event_id, "body": json.dumps(detail), "attributes": count}


def outbox_row(stored: Stored, event: Event) -> dict[str, Any]:
    rows = stored.client.dump()[CORE]
    return next(row for row in rows if row["pk"] == f"OUT#{event.event_id}")


def test_what_was_handled_is_acknowledged_once(stored: Stored) -> None:
    story = won()
    stored.submit(story)
    event = asked(stored, story.referral_id)

    module.handler({"Records": [sent(event)]}, None)
    row = outbox_row(stored, event)
    module.handler({"Records": [sent(event)]}, None)

    assert "handled_at" in row
    assert names.DUE_PK not in row
    assert row == outbox_row(stored, event)


def test_what_failed_is_not_acknowledged(stored: Stored) -> None:
    event = asked(stored, "dlv_none", name="DeliveryReceived")
    before = outbox_row(stored, event)

    module.handler({"Records": [sent(event)]}, None)

    assert before == outbox_row(stored, event)


def test_a_lost_acknowledgement_is_no_failure(stored: Stored) -> None:
    story = won()
    stored.submit(story)
    event = asked(stored, story.referral_id)

    def down(_request: object) -> None:
        raise ClientError({"Error": {"Code": "InternalServerError"}}, "UpdateItem")

    stored.client.before["update_item"] = down

    assert {"batchItemFailures": []} == module.handler({"Records": [sent(event)]}, None)
    assert names.DUE_PK in outbox_row(stored, event)


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"name": "DeliveryReceived"}, "not_found"),
        ({"aggregate_type": "planet"}, "LookupError"),
    ],
)
def test_the_last_try_leaves_a_note(stored: Stored, changes: dict[str, str], error: str) -> None:
    event = asked(stored, "any_none", **changes)
    for tries in range(1, names.EVALUATE_TRIES + 1):
        assert "failed_with" not in outbox_row(stored, event)
        answer = module.handler({"Records": [sent(event, tries)]}, None)
        assert {"batchItemFailures": [{"itemIdentifier": event.event_id}]} == answer

    row = outbox_row(stored, event)
    assert error == row["failed_with"]
    # It waits for the sweep as before.
    assert names.DUE_PK in row

"""Whatever is set aside for a person is counted, once for all functions; nothing else is."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from functions.evaluate_reward import handler as evaluate
from functions.mature_rewards import handler as mature
from functions.publish_events import handler as publish
from shared import names
from shared.domain.outgoing import WAITS
from tests.builders.deliveries import CORE, NOW, VAULT, Desk, change
from tests.fakes.memory_bus import MemoryBus
from tests.fakes.stored_events import CORE as OUTBOX
from tests.fakes.stored_events import NOW as STORED_AT
from tests.fakes.stored_events import a_question, an_event, store_event

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.fakes.memory_dynamodb import MemoryDynamo


@pytest.fixture
def figures(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[[], list[float]]:
    """What was counted since the last look."""
    monkeypatch.setenv(names.ENV_STAGE, "prod")
    monkeypatch.setenv(names.ENV_BUS, "test-bus")
    monkeypatch.setenv(names.ENV_BOOKS_TABLE, "books")

    def look() -> list[float]:
        lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
        found = [line for line in lines if names.METRIC_SET_ASIDE in line]
        for line in found:
            assert ("set_aside", "prod") == (line["service"], line["stage"])
            (told,) = line["_aws"]["CloudWatchMetrics"]
            assert ("Goodword", [["service", "stage"]]) == (
                told["Namespace"],
                [sorted(each) for each in told["Dimensions"]],
            )
        return [value for line in found for value in line[names.METRIC_SET_ASIDE]]

    return look


def serve(monkeypatch: pytest.MonkeyPatch, module: Any, client: MemoryDynamo, core: str) -> None:  # noqa: ANN401 - a handler's module
    monkeypatch.setenv(names.ENV_CORE_TABLE, core)
    monkeypatch.setattr(module, "dynamodb_client", lambda: client)
    monkeypatch.setattr(module, "events_client", MemoryBus, raising=False)
    monkeypatch.setattr(module, "_adapters", module._adapters.__wrapped__)


def test_an_event_that_the_stream_brings_and_no_bus_takes(
    monkeypatch: pytest.MonkeyPatch, figures: Callable[[], list[float]]
) -> None:
    desk = Desk()
    serve(monkeypatch, publish, desk.client, OUTBOX)
    for number, hops in enumerate((1, 99, 99)):
        store_event(desk.client, an_event(number, hops=hops))

    publish.handler({"Records": desk.client.stream_records(OUTBOX)}, None)
    assert [2] == figures()

    publish.handler({"Records": []}, None)
    assert [] == figures()


def test_an_event_that_gets_no_answer_at_all(
    monkeypatch: pytest.MonkeyPatch, figures: Callable[[], list[float]]
) -> None:
    desk = Desk()
    serve(monkeypatch, mature, desk.client, OUTBOX)
    store_event(desk.client, a_question(1))
    counted = []
    for day in range(len(WAITS) + 2):
        monkeypatch.setattr(
            mature, "utc_now", lambda day=day: STORED_AT + timedelta(days=2 * day + 1)
        )
        mature.handler({}, None)
        counted += figures()

    assert [1] == counted


@pytest.mark.parametrize(
    ("deal", "stage", "expected"),
    [
        # It waits for a mapping: somebody has to say what the stage means.
        (1, "never-heard-of", [1]),
        # It waits for a referral, which a form may bring.
        (9, "won", []),
        (1, "won", []),
    ],
)
def test_a_delivery_that_only_a_person_moves_on(
    monkeypatch: pytest.MonkeyPatch,
    figures: Callable[[], list[float]],
    deal: int,
    stage: str,
    expected: list[float],
) -> None:
    desk = Desk()
    serve(monkeypatch, evaluate, desk.client, CORE)
    monkeypatch.setenv(names.ENV_VAULT_TABLE, VAULT)
    monkeypatch.setattr(evaluate, "utc_now", lambda: NOW)
    key = "ref_1" if deal == 1 else "ref_9"
    delivery_id = desk.hubspot(
        change("goodword_referral", key, deal=deal), change("dealstage", stage, deal=deal)
    )
    envelope = {
        "event_id": "evt_1",
        "correlation_id": "evt_0",
        "hops": 1,
        "aggregate": {"type": "delivery", "id": delivery_id},
    }
    body = json.dumps({"detail-type": "DeliveryReceived", "detail": envelope})

    answer = evaluate.handler({"Records": [{"messageId": "m1", "body": body}]}, None)

    assert {"batchItemFailures": []} == answer
    assert expected == figures()

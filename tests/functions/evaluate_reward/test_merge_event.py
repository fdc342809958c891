"""The event of a referral that lost its deal: its money goes back, its facts go over."""

from __future__ import annotations

import json

import pytest

from functions.evaluate_reward import handler as module
from shared import names as settings
from tests.builders.market import BOOKS, Market, merge, names, won


def test_the_event_posts_and_carries_what_a_dead_merge_left(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    market = Market(2, 1)
    market.tell(names(1, 7), *won(7, "20000.00"))
    market.tell(names(2, 9))
    delivery_id = market.hubspot(merge(7, into=9))
    market.client.after["transact_write_items"] = _die
    with pytest.raises(_DeadError):
        market.apply(delivery_id)
    market.client.after.clear()
    event = next(
        json.loads(row["envelope"])
        for row in market.rows("OUT#")
        if '"referral_merged"' in row["envelope"] and '"ref_1"' in row["envelope"]
    )
    for name, value in (
        (settings.ENV_CORE_TABLE, "test-core"),
        (settings.ENV_BOOKS_TABLE, BOOKS),
        (settings.ENV_VAULT_TABLE, "test-vault"),
    ):
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(module, "dynamodb_client", lambda: market.client)
    module._adapters.cache_clear()

    body = json.dumps({"detail-type": "FactsChanged", "source": "goodword", "detail": event})
    answer = module.handler({"Records": [{"messageId": "m1", "body": body}]}, None)
    module._adapters.cache_clear()

    assert {"batchItemFailures": []} == answer
    assert {"accepted_bonus": 5_000} == market.earned(1)
    assert ["amount_set", "referral_merged", "stage_entered"] == market.kinds(2)


class _DeadError(BaseException):
    pass


def _die(*_call: object) -> None:
    raise _DeadError

"""The queue behind the management API: hands stored events to the real evaluation."""

from __future__ import annotations

import importlib
import json
from typing import TYPE_CHECKING, Any

from shared.domain.events import EVALUATED

if TYPE_CHECKING:
    import pytest

    from tests.functions.manage_program.conftest import Api

CORE = "core"
MAX_ROUNDS = 200


class Evaluation:
    """Handles every event ``times`` times, as a queue may; remembers which it has handled."""

    def __init__(self, api: Api, monkeypatch: pytest.MonkeyPatch, times: int = 1) -> None:
        self.module = importlib.import_module("functions.evaluate_reward.handler")
        monkeypatch.setattr(self.module, "dynamodb_client", lambda: api.store)
        monkeypatch.setattr(self.module, "_pause", lambda _attempt: None)
        monkeypatch.setattr(self.module, "utc_now", lambda: api.clock[0])
        self.module._adapters.cache_clear()
        self._api = api
        self._times = times
        self.handled: list[str] = []

    def waiting(self) -> list[dict[str, Any]]:
        """Returns the stored events that it has not handled, oldest first."""
        rows = [
            row
            for row in self._api.store.dump()[CORE]
            if row["pk"].startswith("OUT#")
            and row["name"] in EVALUATED
            and row["event_id"] not in self.handled
        ]
        return sorted(rows, key=lambda row: (row["stored_at"], row["event_id"]))

    def take(self, row: dict[str, Any]) -> bool:
        """Hands over one event; returns whether it was handled."""
        body = {"detail-type": row["name"], "detail": json.loads(row["envelope"])}
        record = {"messageId": row["event_id"], "body": json.dumps(body)}
        answer = self.module.handler({"Records": [record]}, None)
        return bool({"batchItemFailures": []} == answer)

    def pump(self, names: tuple[str, ...] = EVALUATED) -> None:
        """Handles events, and what they lead to, until nothing waits."""
        for _ in range(MAX_ROUNDS):
            rows = [row for row in self.waiting() if row["name"] in names]
            if not rows:
                return
            for row in rows:
                for _ in range(self._times):
                    assert self.take(row), row
                self.handled.append(row["event_id"])
        raise AssertionError("events never end")

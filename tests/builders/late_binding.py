"""Forms and deliveries on one store, with the queue between them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from shared.adapters.dynamodb.transactions import put, transact
from shared.usecases.bind_waiting import bind_waiting
from tests.builders.deliveries import CORE, NOW, Desk
from tests.builders.intake import World, click_token, submission

if TYPE_CHECKING:
    from collections.abc import Callable

    from shared.adapters.dynamodb.keys import Key

EMAIL = "lena@lead.test"
REFERRAL = "ref_000001"


def _once(work: Callable[[], object]) -> None:
    work()


class Town:
    """A programme that takes forms and webhooks. Events wait in the store until ``pump``."""

    def __init__(self) -> None:
        self.world = World()
        self.desk = Desk(referrals=0, client=self.world.client)
        self._handled: set[str] = set()

    def submit(self, email: str = EMAIL, **changes: Any) -> str:  # noqa: ANN401 - any field
        """Takes a form in; by default of a lead that came by a click."""
        fields = changes or {"click_id": click_token()}
        return self.world.submit(submission(email, **fields)).referral_id

    def bind(self, referral_id: str = REFERRAL) -> int:
        """Does what the submission's event asks for."""
        return bind_waiting(
            self.desk.store,
            referral_id,
            now=NOW,
            new_id=self.desk.new_id,
            hops=0,
            correlation_id="req-1",
            causation_id="evt-0",
        )

    def handle(self, name: str) -> None:
        """Handles the waiting events of a name, and never again: their messages are gone."""
        for row in self.events():
            if row["name"] == name and row["event_id"] not in self._handled:
                self._handled.add(row["event_id"])
                self._handle(row, _once)

    def pump(self, attempt: Callable[[Callable[[], object]], None] | None = None) -> None:
        """Handles every event, and those that come of it, as the queue does."""
        while True:
            waiting = [row for row in self.events() if row["event_id"] not in self._handled]
            if not waiting:
                return
            for row in waiting:
                self._handled.add(row["event_id"])
                self._handle(row, attempt or _once)

    def _handle(self, row: dict[str, Any], attempt: Callable[[Callable[[], object]], None]) -> None:
        envelope = json.loads(row["envelope"])
        subject = envelope["aggregate"]["id"]
        if row["name"] == "DeliveryReceived":
            attempt(lambda: self.desk.apply(subject))
        elif "submitted" in envelope["data"]["kinds"]:
            attempt(lambda: self.bind(subject))

    def events(self) -> list[dict[str, Any]]:
        """Returns the stored events."""
        return self.desk.rows("OUT#")

    def words(self) -> list[dict[str, Any]]:
        """Returns what deliveries left for referrals that are missing."""
        rows = self.world.client.dump().get(CORE, [])
        return [row for row in rows if row["sk"].startswith("WAIT#")]

    def states(self) -> list[str]:
        """Returns the states of all deliveries."""
        return sorted(row["state"] for row in self.desk.rows("DLV#"))

    def deals(self) -> dict[str, str]:
        """Returns which referral each deal is bound to."""
        return {
            row["pk"].removeprefix("DEAL#"): row["referral_id"]
            for row in self.desk.rows("DEAL#")
            if row["sk"] == "BINDING"
        }

    def put(self, key: Key, row: dict[str, Any]) -> None:
        """Puts a row into the core table."""
        transact(self.world.client, [put(CORE, key, row)])

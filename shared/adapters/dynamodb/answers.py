"""Answers to requests that carry an idempotency key: one answer per key and body for a day.

A request is claimed before it runs and answered when it is done. The claim holds a ``seed`` from
which all ids of the request are made, so that a second run after a crash makes the same ids and
finds what the first run already stored.
"""

import json
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

from shared import names
from shared.adapters.dynamodb import keys
from shared.adapters.dynamodb.codec import Item
from shared.adapters.dynamodb.transactions import (
    ConditionFailedError,
    put,
    put_new,
    transact,
    update,
)
from shared.domain.errors import ConflictError

if TYPE_CHECKING:
    from types_boto3_dynamodb import DynamoDBClient

KEPT_SECONDS: Final = 24 * 3600
LOCKED_SECONDS: Final = 60
"""Longer than the function's timeout: after it, the first run is dead."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """The right to run a request; ``seed`` is the same for every run of it."""

    digest: str
    seed: str
    locked_until: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Answered:
    """What the request was answered before."""

    status: int
    body: Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Answers:
    """Answered requests in the core table."""

    client: "DynamoDBClient"
    core: str

    def claim(self, digest: str, *, payload: str, seed: str, now: datetime) -> Claim | Answered:
        """Claim a request, or return its answer.

        ``digest`` names the caller, the route and the key; ``payload`` is the body's hash.

        Raises:
            ConflictError: ``idempotency_key_reused`` for another body, ``request_in_progress``
                while another run of the same request is alive.
        """
        moment = int(now.timestamp())
        locked_until = moment + LOCKED_SECONDS
        fresh = {
            "payload": payload,
            "seed": seed,
            "locked_until": locked_until,
            names.TTL: moment + KEPT_SECONDS,
        }
        key = keys.answered_request(digest)
        try:
            transact(self.client, [put_new(self.core, key, fresh)])
        except ConditionFailedError as error:
            found = error.failed.get(0) or {}
        else:
            return Claim(digest=digest, seed=seed, locked_until=locked_until)
        if found.get(names.TTL, 0) <= moment:
            # Expired rows stay readable until the table's sweep.
            self._replace(key, fresh, found)
            return Claim(digest=digest, seed=seed, locked_until=locked_until)
        if found["payload"] != payload:
            raise ConflictError("idempotency_key_reused", "this key came with another body")
        if "status" in found:
            return Answered(status=found["status"], body=json.loads(found["body"]))
        if found["locked_until"] > moment:
            raise _in_progress()
        self._replace(key, {**found, "locked_until": locked_until}, found)
        return Claim(digest=digest, seed=found["seed"], locked_until=locked_until)

    def _replace(self, key: keys.Key, row: Item, found: Item) -> None:
        expect = {"seed": found.get("seed"), "locked_until": found.get("locked_until")}
        try:
            transact(self.client, [put(self.core, key, row, expect=expect)])
        except ConditionFailedError as error:
            raise _in_progress() from error

    def finish(self, claim: Claim, *, status: int, body: object) -> None:
        """Remember the answer, without anything that is shown once."""
        self._update(claim, {"status": status, "body": json.dumps(body)})

    def release(self, claim: Claim) -> None:
        """Let the next run begin at once, because this one was refused or failed."""
        self._update(claim, {"locked_until": 0})

    def _update(self, claim: Claim, assign: Item) -> None:
        key = keys.answered_request(claim.digest)
        expect = {"seed": claim.seed, "locked_until": claim.locked_until}
        try:
            transact(self.client, [update(self.core, key, assign=assign, expect=expect)])
        except ConditionFailedError:
            # A later run took over; it stores the answer.
            return


def _in_progress() -> ConflictError:
    return ConflictError("request_in_progress", "the first request with this key still runs")

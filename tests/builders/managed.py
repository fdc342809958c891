"""Puts a referral, its facts and its rewards behind the management API."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from shared.adapters.dynamodb import keys
from shared.adapters.dynamodb.ledger import DynamoLedger
from shared.adapters.dynamodb.referrals import fact_row, referral_row
from shared.adapters.dynamodb.transactions import put, transact, update
from shared.usecases.effects import Trigger
from shared.usecases.post_rewards import post_rewards
from tests.builders.money import START, Story, numbered_ids, referral

if TYPE_CHECKING:
    from datetime import datetime

    from tests.functions.manage_program.conftest import Api

CORE, BOOKS = "core", "books"
_ids = numbered_ids()


def referred(api: Api, story: Story, **head: Any) -> None:  # noqa: ANN401 - any field of the head
    """Stores the referral of a story as submission and deliveries would have."""
    stored = referral(**{"program_id": "prg_1", **head})
    transact(
        api.store,
        [
            put(CORE, keys.referral(story.referral_id), referral_row(stored)),
            *(
                put(CORE, keys.fact(story.referral_id, fact.fact_id), fact_row(fact))
                for fact in story.facts
            ),
        ],
    )


def settle(api: Api, referral_id: str = "ref_1", now: datetime = START) -> None:
    """Posts what the terms say of the stored facts."""
    post_rewards(
        DynamoLedger(api.store, core_table=CORE, books_table=BOOKS),
        referral_id,
        trigger=Trigger(correlation_id="evt_c", causation_id="evt_c", hops=1),
        now=now,
        new_id=_ids,
        pause=lambda _attempt: None,
    )


def bump(api: Api, referral_id: str = "ref_1") -> None:
    """Writes to the referral behind everybody's back."""
    stored = api.services.reviews.referral(referral_id)
    assert stored is not None
    version = {"version": stored.version + 1}
    transact(api.store, [update(CORE, keys.referral(referral_id), assign=version)])


def outgoing(api: Api, name: str) -> list[dict[str, Any]]:
    """Returns the stored events of a name."""
    return [
        json.loads(row["envelope"])
        for row in api.store.dump()[CORE]
        if row["pk"].startswith("OUT#") and row["name"] == name
    ]

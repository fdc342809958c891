"""A ledger on the in-memory store, with the worked example's programme, and ways to write facts."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from shared.adapters.dynamodb import keys
from shared.adapters.dynamodb.ledger import DynamoLedger
from shared.adapters.dynamodb.referrals import fact_row, referral_row
from shared.adapters.dynamodb.transactions import put, transact, update
from shared.domain.errors import StaleVersionError
from shared.usecases.effects import Posted, Trigger
from shared.usecases.mature_rewards import Matured, mature_rewards
from shared.usecases.post_rewards import post_rewards
from shared.usecases.settle_partner import settle_partner
from tests.builders.money import START, WORKED_EXAMPLE, Story, numbered_ids, referral
from tests.fakes.memory_dynamodb import MemoryDynamo

if TYPE_CHECKING:
    from datetime import datetime

    from shared.domain.rewards import Reward

CORE = "test-core"
BOOKS = "test-books"
PROGRAM = {"program_id": "prg_1", "currency": "USD", "time_zone": "UTC"}
TRIGGER = Trigger(correlation_id="evt_c", causation_id="evt_c", hops=1)


class Stored:
    """One programme in memory; facts are appended as the delivery path appends them."""

    def __init__(
        self, definition: dict[str, Any] = WORKED_EXAMPLE, client: MemoryDynamo | None = None
    ) -> None:
        self.client = client or MemoryDynamo()
        self.new_id = numbered_ids()
        transact(
            self.client,
            [
                put(
                    CORE,
                    keys.program("prg_1"),
                    PROGRAM,
                ),
                put(CORE, keys.terms("prg_1", 1), {"definition": json.dumps(definition)}),
            ],
        )

    @property
    def ledger(self) -> DynamoLedger:
        """Return a ledger with nothing remembered, as a fresh process has it."""
        return DynamoLedger(self.client, core_table=CORE, books_table=BOOKS)

    def submit(self, story: Story) -> None:
        """Store the referral's head and the facts that are told so far."""
        head = referral(referral_id=story.referral_id, partner_id=story.partner_id or None)
        transact(self.client, [put(CORE, keys.referral(story.referral_id), referral_row(head))])
        self.tell(story)

    def tell(self, story: Story) -> None:
        """Append the story's facts that are not stored yet; try again after a lost race."""
        try:
            self._append(story)
        except StaleVersionError:
            self._append(story)

    def _append(self, story: Story) -> None:
        aggregate = self.ledger.load(story.referral_id)
        assert aggregate is not None
        known = {fact.fact_id for fact in aggregate.facts}
        fresh = [fact for fact in story.facts if fact.fact_id not in known]
        head = aggregate.referral
        bump = update(
            CORE,
            keys.referral(story.referral_id),
            assign={"version": head.version + 1},
            expect={"version": head.version},
        )
        rows = [
            put(CORE, keys.fact(story.referral_id, fact.fact_id), fact_row(fact)) for fact in fresh
        ]
        transact(self.client, [bump, *rows])

    def settle(self, story: Story, now: datetime = START) -> Posted:
        """Evaluate the referral and post what differs."""
        return post_rewards(
            self.ledger,
            story.referral_id,
            trigger=TRIGGER,
            now=now,
            new_id=self.new_id,
            pause=lambda _attempt: None,
        )

    def enrol(self, partner_id: str = "ptr_1") -> None:
        """Store that the partner accepted the terms."""
        key = keys.enrolment(partner_id, "prg_1")
        transact(self.client, [put(CORE, key, {"terms_version": 1})])

    def partner(self, status: str, partner_id: str = "ptr_1") -> None:
        """Store that a partner has this status."""
        transact(self.client, [put(CORE, keys.partner(partner_id), {"status": status})])

    def mature(self, now: datetime, limit: int = 100) -> Matured:
        """Release what is due."""
        return mature_rewards(self.ledger, now=now, new_id=self.new_id, limit=limit)

    def settle_partner(self, partner_id: str = "ptr_1", now: datetime = START) -> Posted:
        """Evaluate what the partner's successes add up to and post what differs."""
        return settle_partner(
            self.ledger,
            partner_id,
            "prg_1",
            trigger=TRIGGER,
            now=now,
            new_id=self.new_id,
            pause=lambda _attempt: None,
        )

    def partner_rewards(self, partner_id: str = "ptr_1") -> dict[str, Reward]:
        """Return the rewards for the partner's successes, by occurrence."""
        found = self.ledger.load_partner(partner_id, "prg_1")
        assert found is not None
        return {reward.occurrence: reward for reward in found.rewards}

    def rewards(self, story: Story) -> dict[str, Reward]:
        """Return the referral's rewards by rule."""
        aggregate = self.ledger.load(story.referral_id)
        assert aggregate is not None
        return {reward.rule_id: reward for reward in aggregate.rewards}

    def win_before(self, wins: int, partner_id: str = "ptr_1") -> None:
        """Let the partner win ``wins`` deals of 100.00 first."""
        for number in range(wins):
            story = Story(
                referral_id=f"ref_before_{number}",
                deal_id=f"B-{number}",
                partner_id=partner_id,
            )
            story.submitted().reviewed("accepted").amount("100.00").stage("won")
            self.submit(story)
            self.settle(story)

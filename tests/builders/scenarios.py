"""Tells a programme's scenario to a ledger of its own, in whatever order a test wants."""

from __future__ import annotations

import json
from itertools import count
from typing import TYPE_CHECKING

from shared.adapters.dynamodb import keys
from shared.adapters.dynamodb.ledger import DynamoLedger
from shared.adapters.dynamodb.referrals import fact_row, referral_row
from shared.adapters.dynamodb.transactions import put, transact, update
from shared.domain.referrals import Referral
from shared.usecases.effects import Trigger
from shared.usecases.mature_rewards import mature_rewards
from shared.usecases.post_rewards import post_rewards
from shared.usecases.settle_partner import settle_partner
from tests.builders.scenario_scripts import (
    CURRENCY,
    PROGRAM,
    Script,
    holder_id,
    referral_id,
    row_partner,
)
from tests.fakes.memory_dynamodb import MemoryDynamo

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from datetime import datetime

    from shared.domain.aggregate import Aggregate, PartnerFile
    from shared.domain.facts import Fact

CORE = "test-core"
BOOKS = "test-books"
TRIGGER = Trigger(correlation_id="evt_c", causation_id="evt_c", hops=1)


def numbered_ids() -> Callable[[str], str]:
    """Return a source of ids that counts."""
    numbers = count(1)
    return lambda prefix: f"{prefix}_{next(numbers):06d}"


class Telling:
    """One telling of a script: a fresh store, and what has been told to it."""

    def __init__(self, script: Script) -> None:
        self.script = script
        self.client = MemoryDynamo()
        self.new_id = numbered_ids()
        self.submitted: list[str] = []
        program = {"program_id": PROGRAM, "currency": CURRENCY, "time_zone": "UTC"}
        definition = json.dumps(script.model.definition)
        rows = [
            put(CORE, keys.program(PROGRAM), program),
            put(CORE, keys.terms(PROGRAM, 1), {"definition": definition}),
        ]
        rows += [
            put(CORE, keys.enrolment(holder_id(partner), PROGRAM), {"terms_version": 1})
            for partner in script.model.partners
        ]
        transact(self.client, rows)

    @property
    def ledger(self) -> DynamoLedger:
        """Return a ledger with nothing remembered, as a fresh process has it."""
        return DynamoLedger(self.client, core_table=CORE, books_table=BOOKS)

    def load(self, name: str) -> Aggregate:
        """Return a referral with all that belongs to it."""
        aggregate = self.ledger.load(referral_id(name))
        assert aggregate is not None
        return aggregate

    def load_partner(self, name: str) -> PartnerFile:
        """Return a partner's file."""
        found = self.ledger.load_partner(holder_id(name), PROGRAM)
        assert found is not None
        return found

    def submit(self, name: str) -> None:
        """Store a referral's head with the facts of its submission."""
        facts = self.script.submissions[name]
        partner = row_partner(self.script.model.referrals[name])
        head = Referral(
            referral_id=referral_id(name),
            program_id=PROGRAM,
            lead_id=holder_id("lead", name),
            partner_id=holder_id(partner) if partner else None,
            terms_version=1,
            submitted_at=facts[0].occurred_at,
        )
        rows = [put(CORE, keys.referral(head.referral_id), referral_row(head))]
        rows += [
            put(CORE, keys.fact(head.referral_id, fact.fact_id), fact_row(fact)) for fact in facts
        ]
        transact(self.client, rows)
        self.submitted.append(name)

    def tell(self, name: str, fact: Fact) -> None:
        """Append one fact as a delivery does; one that is there already changes nothing."""
        aggregate = self.load(name)
        if fact.fact_id in {known.fact_id for known in aggregate.facts}:
            return
        version = aggregate.referral.version
        bump = update(
            CORE,
            keys.referral(referral_id(name)),
            assign={"version": version + 1},
            expect={"version": version},
        )
        row = put(CORE, keys.fact(referral_id(name), fact.fact_id), fact_row(fact))
        transact(self.client, [bump, row])

    def settle(self, names: Iterable[str], now: datetime) -> None:
        """Post what differs for referrals and partners; doing it again must change nothing."""
        self._settle(names, now)
        before = self.client.dump()
        self._settle(names, now)
        assert before == self.client.dump(), f"{names} were posted twice"

    def _settle(self, names: Iterable[str], now: datetime) -> None:
        for name in names:
            post_rewards(
                self.ledger,
                referral_id(name),
                trigger=TRIGGER,
                now=now,
                new_id=self.new_id,
                pause=lambda _attempt: None,
            )
        for partner in self.script.model.partners:
            settle_partner(
                self.ledger,
                holder_id(partner),
                PROGRAM,
                trigger=TRIGGER,
                now=now,
                new_id=self.new_id,
                pause=lambda _attempt: None,
            )

    def mature(self, now: datetime) -> None:
        """End every hold that is over."""
        while mature_rewards(self.ledger, now=now, new_id=self.new_id, limit=100).released:
            pass

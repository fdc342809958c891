"""Deliveries and books on one store: referrals of several partners, CRM deals, and the queue."""

from __future__ import annotations

import json
from collections import defaultdict
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from shared.adapters.dynamodb import keys
from shared.adapters.dynamodb.books import movements_of_book
from shared.adapters.dynamodb.ledger import DynamoLedger
from shared.adapters.dynamodb.referrals import fact_row
from shared.domain import books, facts
from shared.domain.evaluation import evaluate
from shared.domain.facts import Fact, fact_id
from shared.usecases.deal_facts import Run
from shared.usecases.effects import Trigger
from shared.usecases.merge_deals import carry_over
from shared.usecases.post_rewards import post_rewards
from shared.usecases.settle_partner import settle_partner
from tests.builders.deliveries import NOW, Desk, change, referral
from tests.builders.money import WORKED_EXAMPLE

if TYPE_CHECKING:
    from collections.abc import Callable

    from shared.domain.aggregate import Aggregate

BOOKS = "test-books"
TRIGGER = Trigger(correlation_id="req-1", causation_id="evt-0", hops=1)
KEPT = {"submitted", "accepted"}
"""Milestones of the referral itself, which a merge leaves with it."""


def merge(*deals: int, into: int, minute: int = 30, **more: Any) -> dict[str, Any]:  # noqa: ANN401 - one event
    """One HubSpot event: deals went into another."""
    sent = change("", "", deal=into, minute=minute, subscriptionType="deal.merge")
    kept = {name: value for name, value in sent.items() if not name.startswith("property")}
    return {**kept, "primaryObjectId": into, "mergedObjectIds": list(deals), **more}


def about(kind: str, deal: int, minute: int) -> dict[str, Any]:
    """One HubSpot event of a whole deal."""
    return {**change("", "", deal=deal, minute=minute), "subscriptionType": f"deal.{kind}"}


def names(number: int, deal: int, minute: int = 0) -> dict[str, Any]:
    """One HubSpot event that names a referral."""
    sent: dict[str, Any] = change("goodword_referral", f"ref_{number}", deal=deal, minute=minute)
    return sent


def won(deal: int, amount: str, minute: int = 10) -> list[dict[str, Any]]:
    """HubSpot events of a deal that is won for an amount."""
    return [
        change("amount", amount, deal=deal, minute=minute),
        change("dealstage", "won", deal=deal, minute=minute),
    ]


class Market(Desk):
    """One programme; partner and lead of ``ref_1`` are ``ptr_1`` and ``led_1``, and so on."""

    def __init__(self, *accepted: int | None, definition: dict[str, Any] = WORKED_EXAMPLE) -> None:
        """Submit a referral for each hour after which it was accepted; None is never."""
        super().__init__(referrals=0)
        program = {"program_id": "prg_1", "currency": "USD", "time_zone": "UTC"}
        self.put(keys.program("prg_1"), program)
        self.put(keys.terms("prg_1", 1), {"definition": json.dumps(definition)})
        self.handled: set[str] = set()
        for number, hours in enumerate(accepted, 1):
            self.introduce(number, hours)

    def introduce(self, number: int, hours: int | None) -> None:
        """Store a referral, accepted so many hours after its submission a day ago."""
        new = referral(number, partner_id=f"ptr_{number}")
        if hours is not None:
            new = referral(number, partner_id=f"ptr_{number}", review="accepted")
        self.add(new, number)
        self.put(keys.enrolment(f"ptr_{number}", "prg_1"), {"terms_version": 1})
        shares = [{"partner_id": f"ptr_{number}", "role": "introducer", "basis_points": 10_000}]
        at = new.submitted_at
        self.state(number, facts.SUBMITTED, {}, at)
        pinned = {"version": 1, "shares": shares, "attributes": {}}
        self.state(number, facts.TERMS_PINNED, pinned, at)
        if hours is not None:
            decided = {"decision": "accept", "state": "accepted", "actor": "ann", "reason": "known"}
            self.state(number, facts.REVIEW_DECIDED, decided, at + timedelta(hours=hours))

    def state(
        self,
        number: int,
        kind: str,
        data: dict[str, Any],
        at: datetime,
        retracts: str | None = None,
    ) -> Fact:
        """Store a fact that no delivery brought; the referral's head stays as it is."""
        referral_id = f"ref_{number}"
        identity = fact_id(
            source="hand", subject=referral_id, attribute=kind, value=data, when=at.isoformat()
        )
        fact = Fact(
            fact_id=identity,
            kind=kind,
            occurred_at=at,
            received_at=at,
            source="hand",
            data=data,
            retracts=retracts,
        )
        self.put(keys.fact(referral_id, identity), fact_row(fact))
        return fact

    def review(self, number: int, state: str) -> None:
        """Let the review come to another end."""
        key = keys.referral(f"ref_{number}")
        (row,) = [row for row in self.rows(key[0]) if (row["pk"], row["sk"]) == key]
        self.put(key, {**row, "review": state, "version": row["version"] + 1})
        data = {"decision": state, "state": state, "actor": "ann", "reason": "known"}
        self.state(number, facts.REVIEW_DECIDED, data, NOW)

    @property
    def ledger(self) -> DynamoLedger:
        """Return a ledger with nothing remembered, as a fresh process has it."""
        return DynamoLedger(self.client, core_table="test-core", books_table=BOOKS)

    # -- the queue ----------------------------------------------------------------------------

    def tell(self, *events: object) -> str:
        """Receive one batch, apply it, and do what follows."""
        delivery_id = self.hubspot(*events)
        self.pump()
        return delivery_id

    def pump(self, attempt: Callable[[Callable[[], object]], None] | None = None) -> None:
        """Handle every event, and those that come of it, as the queue does."""
        while waiting := [row for row in self.rows("OUT#") if row["event_id"] not in self.handled]:
            for row in waiting:
                self.handled.add(row["event_id"])
                work = self._work(row["name"], json.loads(row["envelope"]))
                if attempt:
                    attempt(work)
                else:
                    work()

    def _work(self, name: str, envelope: dict[str, Any]) -> Callable[[], object]:
        aggregate = envelope["aggregate"]
        if name == "DeliveryReceived":
            return lambda: self.apply(aggregate["id"])
        if name != "FactsChanged":
            return lambda: None
        if aggregate["type"] == "partner":
            return lambda: self._settle_partner(aggregate["id"])
        merged = facts.REFERRAL_MERGED in envelope["data"]["kinds"]
        return lambda: self.changed(aggregate["id"], merged=merged)

    def changed(self, referral_id: str, *, merged: bool = False) -> None:
        """Do what the function does when facts of a referral changed."""
        self.post(referral_id)
        if merged:
            run = Run(
                store=self.store,
                now=self.now,
                new_id=self.new_id,
                hops=1,
                correlation_id="req-1",
                causation_id="evt-0",
            )
            carry_over(run, referral_id)

    def post(self, referral_id: str) -> None:
        """Post what differs."""
        post_rewards(
            self.ledger,
            referral_id,
            trigger=TRIGGER,
            now=self.now,
            new_id=self.new_id,
            pause=lambda _attempt: None,
        )

    def _settle_partner(self, partner_id: str) -> None:
        settle_partner(
            self.ledger,
            partner_id,
            "prg_1",
            trigger=TRIGGER,
            now=self.now,
            new_id=self.new_id,
            pause=lambda _attempt: None,
        )

    # -- what came of it ------------------------------------------------------------------------

    def load(self, number: int) -> Aggregate:
        """Return a referral with all that belongs to it."""
        found = self.ledger.load(f"ref_{number}")
        assert found is not None
        return found

    def kinds(self, number: int) -> list[str]:
        """Return the kinds of what is known of a referral, sorted, without its own beginnings."""
        own = {facts.SUBMITTED, facts.TERMS_PINNED, facts.REVIEW_DECIDED, facts.STANDING_PINNED}
        return sorted(fact.kind for fact in self.load(number).facts if fact.kind not in own)

    def earned(self, number: int) -> dict[str, int]:
        """Return what a referral's rewards come to, by rule, without those that are zero."""
        return {
            reward.rule_id: reward.net_minor
            for reward in self.load(number).rewards
            if reward.net_minor
        }

    def due(self, number: int) -> set[tuple[str, str]]:
        """Return (milestone, rule) of what a referral should earn for its deal."""
        found = self.load(number)
        terms = self.ledger.terms("prg_1", 1)
        milestones = {rule.rule_id: rule.milestone for rule in terms.rules}
        entitled = evaluate(terms, found.facts, found.parties).entitlements
        due = {(milestones[each.rule_id], each.rule_id) for each in entitled}
        return {(milestone, rule_id) for milestone, rule_id in due if milestone not in KEPT}

    def balance(self, number: int) -> int:
        """Return what a partner's book comes to, after checking that it is whole."""
        holder_id = f"ptr_{number}"
        rows = movements_of_book(self.client, BOOKS, holder_id, "prg_1")
        book = self.ledger.book(holder_id, "prg_1")
        assert books.broken_at(rows) is None
        assert books.fold(rows) == book.balances
        stages = ("pending", "payable", "clearing", "paid")
        return sum(book.balance(stage, "cash", "USD") for stage in stages)

    def check_one_earns(self, *merged: set[int]) -> None:
        """Check that nobody but one referral is entitled to anything for one deal's milestone.

        ``merged`` are the sets of deals that became one.
        """
        earning: dict[tuple[str, str], set[str]] = defaultdict(set)
        for row in self.rows("REF#"):
            if row["sk"] != "META":
                continue
            number = int(row["referral_id"].removeprefix("ref_"))
            deals = {
                fact.data["deal_id"]
                for fact in self.load(number).facts
                if fact.kind == facts.STAGE_ENTERED
            }
            groups = {
                min([deal, *(str(min(each)) for each in merged if int(deal) in each)])
                for deal in deals
            }
            for milestone, _ in self.due(number):
                for group in groups:
                    earning[group, milestone].add(row["referral_id"])
        assert [] == [key for key, several in earning.items() if len(several) > 1]

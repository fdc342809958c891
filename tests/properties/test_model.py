"""The whole of the money under any history: real use cases on a real store's semantics.

Deals move, amounts change, money goes back, people decide, processes die between two calls. After
every step the books are whole; once everything is settled, everybody holds what the terms say.
"""

from __future__ import annotations

import random
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from shared.adapters.dynamodb import keys
from shared.adapters.dynamodb.merges import AppliedDeliveries
from shared.adapters.dynamodb.transactions import put, transact
from shared.domain import facts
from shared.domain.errors import GoodwordError
from shared.domain.merges import carried
from shared.domain.partners import ACTIVE, CLOSED, MOVES, SUSPENDED
from shared.usecases.deal_facts import Run
from shared.usecases.mature_rewards import LOOK_AGAIN, mature_rewards
from shared.usecases.merge_deals import carry_over, settle
from tests.builders.faults import Crash, at_call, raiser
from tests.builders.ledger import CORE, Stored
from tests.builders.money import DAY, LADDER, STAGES, START, Story
from tests.properties.books_checks import (
    Snapshot,
    check_always,
    check_one_earns,
    check_settled,
)

PARTNERS = ("ptr_1", "ptr_2", "ptr_3")
LIMITS = {"yearly": 40_000, "budget": 60_000}
MOST_REFERRALS = 4
ROUNDS = 3
PAIR_MINOR = 7_000

WON = {"beneficiary": "partner", "milestone": "won", "kind": "cash"}
PER_CENT = {"percent": "10", "of": "deal_amount"}
LARGE = {"all": [{"field": "deal_amount", "op": "gte", "value": "1000.00"}]}
HIGHER = {"by": "count", "milestone": "won", "steps": [{"from": 2, "percent": "15"}]}
TRUED_UP = {**HIGHER, "mode": "retroactive", "period": "quarter"}


def definition(policy: str) -> dict[str, Any]:
    rules: list[dict[str, Any]] = [
        {**WON, "id": "welcome", "milestone": "accepted", "value": {"fixed": "50.00"}},
        {**WON, "id": "commission", "value": PER_CENT, "tiers": HIGHER, "hold_days": 30},
        {**WON, "id": "growth", "value": {**PER_CENT, "percent": "2"}, "tiers": TRUED_UP},
        {**WON, "id": "pair", "occurrence": "every_nth", "nth": 2, "value": {"fixed": "70.00"}},
        {**WON, "id": "star", "occurrence": "at_counts", "counts": [1, 3]},
        {**WON, "id": "thanks", "beneficiary": "lead", "kind": "discount"},
        {**WON, "id": "credit", "beneficiary": "lead", "kind": "credit"},
    ]
    rules[0] |= {"refund": "pro_rata", "hold_days": 10}
    rules[1] |= {"caps": {"reward": "400.00"}}
    rules[4] |= {"value": {"fixed": "90.00"}, "hold_days": 5}
    rules[5] |= {"value": {"percent": "20"}}
    rules[6] |= {"value": {"fixed": "10.00"}, "when": LARGE, "refund": "void"}
    invoices = {"value": {"percent": "5", "of": "invoice_net"}, "occurrence": "every_invoice"}
    limited = {"limit": {"times": 2}, "caps": {"referral": "100.00"}, "hold_days": 3}
    rules.append({**WON, **invoices, **limited, "id": "share"})
    limit = {name: f"{minor // 100}.00" for name, minor in LIMITS.items()}
    return {
        "name": "model",
        "partner_closed": "forfeit",
        "implies": {"won": ["qualified"], "qualified": ["accepted"]},
        "rules": rules,
        "caps": [
            {
                "id": "yearly",
                "scope": "partner",
                "per": "calendar_year",
                "limit": limit["yearly"],
                "rules": ["commission", "share", "star"],
                "policy": policy,
            },
            {
                "id": "budget",
                "scope": "program",
                "per": "lifetime",
                "limit": limit["budget"],
                "rules": ["commission", "welcome", "credit", "growth"],
                "policy": policy,
            },
        ],
    }


REFERRALS = st.integers(0, MOST_REFERRALS - 1)
HOURS_AGO = st.sampled_from([0, 0, 0, 1, 5, 24, 24 * 20])
MONEY = st.sampled_from(["2500.00", "100.00", "333.33", "999.99", "1000.00", "0", "9000.00"])
CURRENCIES = st.sampled_from(["USD", "USD", "USD", "EUR"])
RULES = st.sampled_from(["welcome", "commission", "growth", "thanks", "share"])
RATES = ({"percent": "12.5"}, {"fixed": "0"}, {"fixed": "33.30"})
CALLS = st.integers(0, 30)
SUBJECTS = st.sampled_from(["deal", "deal", "invoice:I-1", "invoice:I-2"])
SHARES = [
    [{"partner_id": "ptr_1", "role": "introducer", "basis_points": 10_000}],
    [
        {"partner_id": "ptr_2", "role": "introducer", "basis_points": 6_667},
        {"partner_id": "ptr_3", "role": "co_referrer", "basis_points": 3_333},
    ],
]


def payable(stored: Stored, holder_id: str) -> int:
    return stored.ledger.book(holder_id, "prg_1").balance("payable", "cash", "USD")


class Money(RuleBasedStateMachine):
    """Three partners, a few referrals, and everything that can befall them."""

    def __init__(self) -> None:
        super().__init__()
        self.now = START
        self.stories: list[Story] = []
        self.heirs: dict[str, Story] = {}
        self.seen: dict[tuple[str, str], str] = {}
        self.chooser = random.Random(1)  # noqa: S311 - a fixed sample
        self.statuses = dict.fromkeys(PARTNERS, ACTIVE)
        self.frozen: dict[str, int] = {}
        self.written = -1
        self.queue_runs = True

    @initialize(policy=st.sampled_from(["cut", "deny"]))
    def open(self, policy: str) -> None:
        self.stored = Stored(definition(policy))
        for partner_id in PARTNERS:
            self.stored.enrol(partner_id)
            self.stored.partner(ACTIVE, partner_id)
        self.submit("ptr_1")
        self.submit("ptr_1")
        self.sell(0, "2500.00")

    # -- what happens outside -----------------------------------------------------------------

    def story(self, number: int) -> Story:
        """The referral that has the deal of this one: what is said of either is of it."""
        story = self.stories[number % len(self.stories)]
        while story.referral_id in self.heirs:
            story = self.heirs[story.referral_id]
        return story

    def tell(
        self,
        number: int,
        kind: str,
        value: str,
        data: dict[str, Any],
        *,
        ago: int = 0,
        retracts: str | None = None,
    ) -> None:
        """A fact arrives now, of something that happened some hours ago."""
        story = self.story(number)
        at = self.now - timedelta(hours=ago)
        story.add(kind, value, data, at=at, received_at=self.now)
        story.facts[-1] = replace(story.facts[-1], retracts=retracts)
        self.stored.tell(story)
        if self.queue_runs:
            self.stored.settle(story, now=self.now)

    @rule()
    def stall_or_run_the_queue(self) -> None:
        """While the queue stalls facts pile up, and are settled when somebody looks."""
        self.queue_runs = not self.queue_runs

    @precondition(lambda self: len(self.stories) < MOST_REFERRALS)
    @rule(partner_id=st.sampled_from((*PARTNERS, "")))
    def submit(self, partner_id: str) -> None:
        number = len(self.stories)
        story = Story(
            referral_id=f"ref_{number}",
            deal_id=f"D-{number}",
            partner_id=partner_id,
            start=self.now,
        )
        story.submitted().reviewed("accepted", at=self.now)
        self.stories.append(story)
        self.stored.submit(story)

    @rule(number=REFERRALS, stage=st.sampled_from(["won", "won", *STAGES]), ago=HOURS_AGO)
    def move(self, number: int, stage: str, ago: int) -> None:
        rank, milestone, outcome = STAGES[stage]
        data = {"stage": stage, "rank": rank, "milestone": milestone, "outcome": outcome}
        self.tell(number, facts.STAGE_ENTERED, stage, {**data, "ladder": LADDER}, ago=ago)

    @rule(number=REFERRALS, amount=MONEY, currency=CURRENCIES, ago=HOURS_AGO)
    def price(self, number: int, amount: str, currency: str, ago: int) -> None:
        data = {"amount": amount, "currency": currency}
        self.tell(number, facts.AMOUNT_SET, f"{amount} {currency}", data, ago=ago)

    @rule(number=REFERRALS, amount=MONEY)
    def sell(self, number: int, amount: str) -> None:
        self.review(number, "accepted")
        self.price(number, amount, "USD", 0)
        self.move(number, "won", 0)

    @rule(number=REFERRALS)
    def grow_and_come_due(self, number: int) -> None:
        """A deal is worth more each time it is told; then all its holds end at once."""
        self.sell(number, "333.33")
        self.price(number, "999.99", "USD", 0)
        self.mature(31)

    @rule(number=REFERRALS, regained=st.booleans())
    def lose(self, number: int, *, regained: bool) -> None:
        self.move(number, "negotiation", 0)
        if regained:
            self.now += DAY
            self.move(number, "won", 0)

    @rule(number=REFERRALS, of=st.integers(1, 3), amount=MONEY, ago=HOURS_AGO)
    def invoice(self, number: int, of: int, amount: str, ago: int) -> None:
        data = {"invoice_id": f"I-{of}", "amount_net": amount, "currency": "USD"}
        self.tell(number, facts.INVOICE_PAID, f"{of} {amount}", data, ago=ago)

    @rule(number=REFERRALS, name=st.integers(1, 3), of=SUBJECTS, amount=MONEY, ago=HOURS_AGO)
    def refund(self, number: int, name: int, of: str, amount: str, ago: int) -> None:
        data = {"refund_id": f"R-{name}", "of": of, "amount": amount, "currency": "USD"}
        self.tell(number, facts.REFUNDED, f"{name} {of} {amount}", data, ago=ago)

    @rule(number=REFERRALS, name=st.integers(1, 2), of=SUBJECTS, amount=MONEY)
    def charge_back(self, number: int, name: int, of: str, amount: str) -> None:
        data = {"chargeback_id": f"C-{name}", "of": of, "amount": amount, "currency": "USD"}
        self.tell(number, facts.CHARGED_BACK, f"{name} {of} {amount}", data)

    @rule(number=REFERRALS, name=st.integers(1, 2))
    def reverse_chargeback(self, number: int, name: int) -> None:
        self.tell(number, facts.CHARGEBACK_REVERSED, f"{name}", {"chargeback_id": f"C-{name}"})

    @rule(number=REFERRALS, state=st.sampled_from(["accepted", "rejected", "in_review"]))
    def review(self, number: int, state: str) -> None:
        data = {"decision": state, "state": state, "actor": "ann", "reason": "known"}
        self.tell(number, facts.REVIEW_DECIDED, state, data)

    @rule(number=REFERRALS, kind=st.sampled_from([facts.HOLD_PLACED, facts.HOLD_RELEASED]))
    def hold(self, number: int, kind: str) -> None:
        self.tell(number, kind, "h", {"hold_id": "h", "actor": "ann", "reason": "check"})

    @rule(number=REFERRALS, shares=st.sampled_from(SHARES), retroactive=st.booleans())
    def share(self, number: int, shares: list[dict[str, Any]], *, retroactive: bool) -> None:
        data = {"shares": shares, "retroactive": retroactive, "actor": "ann", "reason": "both"}
        self.tell(number, facts.SHARES_SET, f"{len(shares)} {retroactive}", data)

    @rule(number=REFERRALS, of=RULES, rate=st.sampled_from(RATES))
    def rate(self, number: int, of: str, rate: dict[str, str]) -> None:
        data = {"rule": of, **rate, "actor": "ann", "approved_by": "bob", "reason": "agreed"}
        self.tell(number, facts.RATE_SET, f"{of} {rate}", data)

    @rule(number=REFERRALS, kind=st.sampled_from([facts.DEAL_ENDED, facts.DEAL_RESTORED]))
    def end(self, number: int, kind: str) -> None:
        self.tell(number, kind, "", {"how": "deleted"})

    @rule(number=REFERRALS, other=REFERRALS, when=st.sampled_from(["before", "after"]), call=CALLS)
    def merge(self, number: int, other: int, when: str, call: int) -> None:
        """Two deals become one; the process may die at some call, and the queue comes again."""
        stories = {story.referral_id: story for story in (self.story(number), self.story(other))}
        if len(stories) == 1:
            return
        getattr(self.stored.client, when)["*"] = at_call(call, raiser(Crash))
        try:
            with suppress(Crash):
                self._merge(stories)
        finally:
            getattr(self.stored.client, when).clear()
        self._merge(stories)

    def _merge(self, stories: dict[str, Story]) -> None:
        run = self._run()
        one, two = (head for name in stories if (head := run.store.referral(name)))
        if not one.merged_into + two.merged_into:
            settle(run, one, two, deal=("src_1", "D-1"))
        lost = next(name for name in stories if self._heir(name))
        heir = next(story for referral_id, story in stories.items() if referral_id != lost)
        if lost not in self.heirs:
            self.heirs[lost] = heir
            heir.facts += carried(stories[lost].facts)
        carry_over(run, lost)

    def _heir(self, referral_id: str) -> str:
        head = self._run().store.referral(referral_id)
        return head.merged_into if head else ""

    def _run(self) -> Run:
        return Run(
            store=AppliedDeliveries(client=self.stored.client, core=CORE, vault="test-vault"),
            now=self.now,
            new_id=self.stored.new_id,
            hops=1,
            correlation_id="evt_c",
            causation_id="evt_c",
        )

    @rule(number=REFERRALS, place=st.integers(2, 30))
    def retract(self, number: int, place: int) -> None:
        told = self.story(number).facts
        target = told[place % len(told)]
        if target.kind in {facts.SUBMITTED, facts.TERMS_PINNED}:
            return
        self.tell(number, facts.FACT_RETRACTED, target.fact_id, {}, retracts=target.fact_id)

    @rule(day=st.sampled_from(["2025-12-01", "2026-01-05", "2026-02-01"]))
    def publish_rate(self, day: str) -> None:
        key = keys.fx_rate("prg_1", "EUR", day)
        transact(self.stored.client, [put(CORE, key, {"rate": "1.1055", "on": day})])

    @rule(days=st.sampled_from([1, 20, 80]))
    def wait(self, days: int) -> None:
        self.now += days * DAY

    @rule(
        partner_id=st.sampled_from(PARTNERS),
        status=st.sampled_from([SUSPENDED, SUSPENDED, ACTIVE, ACTIVE, CLOSED]),
    )
    def judge(self, partner_id: str, status: str) -> None:
        """A person suspends a partner, or lets it go on, or closes it for good."""
        if status not in MOVES[self.statuses[partner_id]]:
            return
        self.statuses[partner_id] = status
        self.stored.partner(status, partner_id)
        self.frozen.pop(partner_id, None)
        # Within this time what waits is looked at again.
        self.now += LOOK_AGAIN
        if status != ACTIVE:
            self.frozen[partner_id] = payable(self.stored, partner_id)

    # -- what we do about it ------------------------------------------------------------------

    @rule(number=REFERRALS)
    def settle(self, number: int) -> None:
        self.stored.settle(self.story(number), now=self.now)

    @rule(number=REFERRALS)
    def deliver_again(self, number: int) -> None:
        """A settled referral whose facts all come a second time is posted nothing."""
        self.stored.settle(self.story(number), now=self.now)
        self.stored.tell(self.story(number))
        assert 0 == self.stored.settle(self.story(number), now=self.now).effects

    @rule(partner_id=st.sampled_from(PARTNERS))
    def settle_partner(self, partner_id: str) -> None:
        self.stored.settle_partner(partner_id, now=self.now)

    @rule(days=st.sampled_from([31, 31, 6, 0]))
    def mature(self, days: int) -> None:
        self.now += days * DAY
        before = {reward.reward_id: reward for reward in Snapshot(self.stored).rewards}
        mature_rewards(self.stored.ledger, now=self.now, new_id=self.stored.new_id, limit=1_000)
        for reward in Snapshot(self.stored).rewards:
            old = before[reward.reward_id]
            if reward.held or self.statuses.get(reward.holder_id, ACTIVE) != ACTIVE:
                assert old == reward
            else:
                kept = [lot for lot in old.lots if lot.release_at > self.now]
                assert kept == list(reward.lots)

    @rule(
        number=REFERRALS,
        stage=st.sampled_from(["won", "negotiation"]),
        amount=MONEY,
        when=st.sampled_from(["before", "after"]),
        call=st.integers(1, 25),
    )
    def crash(self, number: int, stage: str, amount: str, when: str, call: int) -> None:
        """The process dies at some call to the store; what it did stays done.

        There is something to do: the deal was just priced and moved.
        """
        runs, self.queue_runs = self.queue_runs, False
        self.price(number, amount, "USD", 0)
        self.move(number, stage, 0)
        self.queue_runs = runs
        story = self.story(number)
        getattr(self.stored.client, when)["*"] = at_call(call, raiser(Crash))
        try:
            with suppress(Crash, GoodwordError):
                self.stored.settle(story, now=self.now)
                for partner_id in PARTNERS:
                    self.stored.settle_partner(partner_id, now=self.now)
                self._release()
        finally:
            getattr(self.stored.client, when).clear()

    def _release(self) -> None:
        mature_rewards(self.stored.ledger, now=self.now, new_id=self.stored.new_id, limit=1_000)

    # -- what must be so ----------------------------------------------------------------------

    def _settle_all(self) -> int:
        done = sum(self.stored.settle(story, now=self.now).effects for story in self.stories)
        return done + sum(self.stored.settle_partner(p, now=self.now).effects for p in PARTNERS)

    @rule()
    def come_to_rest(self) -> None:
        """Settling everything ends, and then everybody holds what the terms say."""
        for _ in range(2):
            rounds = [self._settle_all() for _ in range(ROUNDS)]
            assert 0 == rounds[-1]
            self._release()
        rounds = [self._settle_all() for _ in range(ROUNDS)]
        assert 0 == rounds[-1]
        before = len(self.stored.client.changes)
        assert 0 == self._settle_all()
        assert before == len(self.stored.client.changes)
        snapshot = Snapshot(self.stored)
        check_settled(self.stored, snapshot, self.chooser)
        for reward in snapshot.rewards:
            if self.statuses.get(reward.holder_id) == CLOSED and not reward.held:
                assert all(lot.release_at > self.now for lot in reward.lots)
        for partner_id in PARTNERS:
            wins = sum(
                head.counting.get(f"{partner_id}/success:won", 0)
                for head in snapshot.heads.values()
            )
            pairs = [
                reward.net_minor
                for reward in snapshot.rewards
                if reward.rule_id == "pair" and reward.holder_id == partner_id
            ]
            if self.statuses[partner_id] == CLOSED:
                assert wins // 2 * PAIR_MINOR >= sum(pairs)
            else:
                assert wins // 2 * PAIR_MINOR == sum(pairs)

    @invariant()
    def books_are_whole(self) -> None:
        if not self.stories or self.written == len(self.stored.client.changes):
            return
        for partner_id, limit in self.frozen.items():
            self.frozen[partner_id] = payable(self.stored, partner_id)
            assert self.frozen[partner_id] <= limit
        self.written = len(self.stored.client.changes)
        snapshot = Snapshot(self.stored)
        check_always(snapshot, self.seen, LIMITS)
        check_one_earns(self.stored, snapshot)
        self.seen = snapshot.raw

    def teardown(self) -> None:
        if self.stories:
            self.come_to_rest()
            self.books_are_whole()


def test_any_history_keeps_the_books_whole_and_ends_with_what_the_terms_say() -> None:
    run_state_machine_as_test(
        Money, settings=settings(max_examples=70, stateful_step_count=32, print_blob=True)
    )

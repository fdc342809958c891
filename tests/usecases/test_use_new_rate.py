"""What waits for an exchange rate is judged again when one is added."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from shared.adapters.dynamodb import keys
from shared.adapters.dynamodb.fx_rates import AwaitedRates, FxRates
from shared.domain import facts
from shared.domain.events import FACTS_CHANGED, Event
from shared.domain.fx_rates import FxRate
from shared.usecases.use_new_rate import use_new_rate
from tests.builders.faults import FAULTS, again, at_call, raiser
from tests.builders.ledger import CORE, TRIGGER, Stored
from tests.builders.money import START, Story

HOUR = timedelta(hours=1)
RULE: dict[str, Any] = {
    "id": "commission",
    "beneficiary": "partner",
    "milestone": "won",
    "kind": "cash",
    "value": {"percent": "10", "of": "deal_amount"},
}
ON_INVOICES: dict[str, Any] = {
    **RULE,
    "id": "share",
    "milestone": "invoice_paid",
    "occurrence": "every_invoice",
    "value": {"percent": "10", "of": "invoice_net"},
}
RATE = FxRate(
    program_id="prg_1",
    currency="EUR",
    ledger_currency="USD",
    rate="1.5",
    on=START.date(),
    added_by="root",
    added_at=START + HOUR,
)


class Waiting:
    """One referral with a won deal of 100.00 EUR, and no rate for it."""

    def __init__(self, *others: dict[str, Any]) -> None:
        self.stored = Stored({"name": "t", "rules": [RULE, *others]})
        self.client = self.stored.client
        self.rates = AwaitedRates(client=self.client, core=CORE)
        self.story = Story().submitted().reviewed("accepted")
        told = {"amount": "100.00", "currency": "EUR"}
        self.story.add(facts.AMOUNT_SET, "100.00", told, at=START).stage("won", at=START)
        self.stored.submit(self.story)

    def settle(self) -> None:
        self.stored.settle(self.story)

    def add(self, rate: FxRate = RATE) -> None:
        event = Event(
            event_id=self.stored.new_id("evt"),
            name=FACTS_CHANGED,
            occurred_at=rate.added_at,
            program_id=rate.program_id,
            aggregate_type="rate",
            aggregate_id=rate.currency,
            aggregate_version=0,
            correlation_id="req-1",
            causation_id="req-1",
            hops=0,
            data={},
        )
        FxRates(client=self.client, core=CORE).add_rate(rate, event, mark="req-1")

    def use(self, currency: str = "EUR", program_id: str = "prg_1") -> int:
        return use_new_rate(
            self.rates,
            program_id,
            currency,
            trigger=TRIGGER,
            now=START + HOUR,
            new_id=self.stored.new_id,
        )

    def waits(self) -> list[str]:
        return list(self.rates.awaiting("prg_1", "EUR"))

    def announced(self) -> list[dict[str, Any]]:
        events = [
            json.loads(row["envelope"])
            for row in self.client.dump()[CORE]
            if row["pk"].startswith("OUT#")
        ]
        return [event for event in events if event["aggregate"]["type"] == "referral"]

    def net(self) -> int:
        aggregate = self.stored.ledger.load(self.story.referral_id)
        assert aggregate is not None
        return sum(reward.net_minor for reward in aggregate.rewards)


def test_a_rate_that_is_added_later_is_used() -> None:
    world = Waiting()
    world.settle()
    assert (0, ["ref_1"]) == (world.net(), world.waits())

    world.add()
    assert 1 == world.use()

    (event,) = world.announced()
    assert ("ref_1", "prg_1") == (event["aggregate"]["id"], event["program_id"])
    assert (TRIGGER.causation_id, TRIGGER.hops + 1) == (event["causation_id"], event["hops"])
    world.settle()
    assert (1_500, []) == (world.net(), world.waits())
    assert 0 == world.use()


def test_a_rate_that_is_no_help_leaves_the_referral_waiting() -> None:
    world = Waiting()
    world.settle()
    world.add(replace(RATE, on=RATE.on + timedelta(days=1)))

    assert 1 == world.use()
    world.settle()

    assert (0, ["ref_1"]) == (world.net(), world.waits())


def test_rates_of_others_wake_nobody() -> None:
    world = Waiting()
    world.settle()

    assert (0, 0) == (world.use("GBP"), world.use(program_id="prg_2"))
    assert ["ref_1"] == world.waits()


def test_a_rate_that_comes_between_the_look_and_the_word_is_found() -> None:
    world = Waiting()
    answered: list[int] = []

    def come(_request: object) -> None:
        if not answered:
            world.add()
            answered.append(world.use())

    world.client.before["transact_write_items"] = come
    world.settle()

    assert [0] == answered
    assert 1_500 == world.net()


def test_one_word_is_left_for_all_amounts_of_a_currency() -> None:
    world = Waiting(ON_INVOICES)
    told = {"invoice_id": "I-1", "amount_net": "10.00", "currency": "EUR"}
    world.story.add(facts.INVOICE_PAID, "I-1", told, at=START)
    world.stored.tell(world.story)
    world.client.calls.clear()

    world.settle()

    key = keys.awaiting_rate("prg_1", "EUR", "ref_1")
    words = [
        item
        for name, request in world.client.calls
        if name == "transact_write_items"
        for item in request["TransactItems"]
        if "Put" in item and item["Put"]["Item"]["sk"]["S"] == key[1]
    ]
    assert 1 == len(words)


def test_two_runs_beside_each_other_announce_once() -> None:
    world = Waiting()
    world.settle()
    world.add()
    beside: list[int] = []
    world.client.before["transact_write_items"] = at_call(0, lambda: beside.append(world.use()))

    assert 0 == world.use()

    assert [1] == beside
    assert 1 == len(world.announced())


def told(world: Waiting) -> None:
    again(world.settle)
    again(world.use)
    again(world.settle)


def calls() -> int:
    world = Waiting()
    world.settle()
    world.add()
    world.client.calls.clear()
    told(world)
    return len(world.client.calls)


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("point", range(calls() + 1))
def test_a_fault_at_any_call_ends_the_same(fault: str, point: int) -> None:
    world = Waiting()
    moment, make = FAULTS[fault]
    again(world.settle)
    world.add()
    hooks = world.client.before if moment == "before" else world.client.after
    hooks["*"] = at_call(point, raiser(make))

    told(world)
    hooks.clear()

    assert (1_500, []) == (world.net(), world.waits())


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("point", range(8))
def test_a_fault_while_leaving_word_ends_the_same(fault: str, point: int) -> None:
    world = Waiting()
    moment, make = FAULTS[fault]
    hooks = world.client.before if moment == "before" else world.client.after
    hooks["*"] = at_call(point, raiser(make))
    again(world.settle)
    hooks.clear()
    world.add()

    assert 1 == world.use()
    world.settle()

    assert (1_500, []) == (world.net(), world.waits())

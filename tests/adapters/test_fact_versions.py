"""Facts are read whichever version stored them; what a later version stored waits for it."""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from shared.adapters.dynamodb import keys, referrals
from shared.adapters.dynamodb.referrals import fact_from, fact_row
from shared.adapters.dynamodb.transactions import put, transact
from shared.domain import facts
from shared.domain.errors import NewerFactError, UnavailableError
from shared.domain.evaluation import evaluate
from shared.domain.terms_reader import parse_terms
from tests.builders.ledger import CORE, Stored
from tests.builders.money import WORKED_EXAMPLE, Story, parties

if TYPE_CHECKING:
    from shared.adapters.dynamodb.codec import Item

GOLDEN = Path(__file__).parents[1] / "golden/facts_v1.json"
CAP = {"id": "yearly", "scope": "partner", "per": "calendar_year", "limit": "2000.00"}
INVOICES = {
    "id": "invoices",
    "beneficiary": "partner",
    "milestone": "invoice_paid",
    "kind": "cash",
    "occurrence": "every_invoice",
    "value": {"percent": "10", "of": "invoice_net"},
}


def golden() -> list[Item]:
    """Rows as version 1 stored them; they never change, and the rest of time must read them."""
    rows: list[Item] = json.loads(GOLDEN.read_text("utf-8"))
    return rows


def declared() -> set[str]:
    return {
        value
        for name, value in vars(facts).items()
        if name.isupper() and not name.startswith("_") and isinstance(value, str)
    }


def test_there_is_a_golden_fact_of_each_kind() -> None:
    assert declared() == {row["kind"] for row in golden()}
    assert {1} == {row["schema_version"] for row in golden()}


@pytest.mark.parametrize("row", golden(), ids=lambda row: row["kind"])
def test_golden_facts_are_read(row: Item) -> None:
    fact = fact_from(row)
    assert (row["fact_id"], row["kind"], row["source"]) == (fact.fact_id, fact.kind, fact.source)
    assert (row["approximate"], row["retracts"]) == (fact.approximate, fact.retracts)
    assert (
        datetime.fromisoformat(row["occurred_at"]),
        datetime.fromisoformat(row["received_at"]),
    ) == (fact.occurred_at, fact.received_at)
    assert facts.SCHEMA_VERSION == fact.schema_version


def test_golden_facts_decide_what_they_decided() -> None:
    rules = [*WORKED_EXAMPLE["rules"], INVOICES]
    capped = {**CAP, "rules": ["won_commission"]}
    terms = parse_terms({**WORKED_EXAMPLE, "rules": rules, "caps": [capped]}, currency="USD")
    found = evaluate(terms, [fact_from(row) for row in golden()], parties("ptr_1"))
    assert {
        # 50.00, of which all but 10.00 was forfeited.
        ("accepted_bonus", "once"): 1_000,
        # The group's own amount.
        ("qualified_bonus", "once"): 25_000,
        # 12 % of (20,000 - 1,000) EUR at 1.10 is 2,508.00, and 2,000.00 is allowed.
        ("won_commission", "once"): 200_000,
        # The lead went to another referral, so it has no discount of this one.
        # 5 % instead of 10 %: the referral has a rate of its own.
        ("invoices", "invoice:I-1"): 2_000,
        ("invoices", "invoice:I-2"): 5,
    } == {(row.rule_id, row.occurrence): row.amount_minor for row in found.entitlements}


# -- versions to come -----------------------------------------------------------------------------


def stored_as(version: int) -> Item:
    (fact, *_) = Story().amount("10.00").facts
    return {**fact_row(fact), "schema_version": version}


def test_older_facts_are_lifted_step_by_step(monkeypatch: pytest.MonkeyPatch) -> None:
    def in_cents(row: Item) -> Item:
        return {**row, "data": {**row["data"], "amount": row["data"]["amount"] + "00"}}

    def renamed(row: Item) -> Item:
        return {**row, "kind": "price_set", "data": {"price": row["data"]["amount"]}}

    monkeypatch.setattr(facts, "SCHEMA_VERSION", 4)
    lifts = {("amount_set", 1): in_cents, ("amount_set", 3): renamed}
    monkeypatch.setattr(referrals, "UPCASTERS", lifts)
    row = stored_as(1)
    kept = json.dumps(row)
    fact = fact_from(row)
    assert ("price_set", {"price": "10.0000"}, 4) == (fact.kind, fact.data, fact.schema_version)
    assert kept == json.dumps(row)
    assert {"price": "10.00"} == fact_from(stored_as(2)).data
    assert "amount" in fact_from(stored_as(4)).data


def test_a_newer_fact_is_refused() -> None:
    with pytest.raises(NewerFactError) as caught:
        fact_from(stored_as(facts.SCHEMA_VERSION + 1))
    assert "newer_fact" == caught.value.code
    assert isinstance(caught.value, UnavailableError)


def test_a_referral_with_a_newer_fact_is_left_as_it_is() -> None:
    stored = Stored()
    story = Story().submitted().reviewed("accepted").amount("100.00").stage("won")
    stored.submit(story)
    newer: dict[str, Any] = {**fact_row(story.facts[-1]), "schema_version": 2}
    key = keys.fact(story.referral_id, story.facts[-1].fact_id)
    transact(stored.client, [put(CORE, key, newer)])
    before = stored.client.dump()
    with pytest.raises(NewerFactError):
        stored.settle(story)
    assert before == stored.client.dump()

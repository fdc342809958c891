"""Whatever the terms and the facts: every rule is explained, and every change has its cause."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from hypothesis import given, settings

from shared.adapters.dynamodb import keys
from shared.adapters.dynamodb.books import movements_of_book
from shared.adapters.dynamodb.explanations import Explanations
from shared.adapters.dynamodb.programs import terms_row
from shared.adapters.dynamodb.transactions import put, transact
from shared.domain import facts as kinds
from shared.domain.programs import PublishedTerms
from shared.domain.rewards import MATURE
from shared.usecases.explain_referral import explain_referral
from tests.builders.ledger import BOOKS, CORE, Stored
from tests.builders.money import DAY, START, Story
from tests.properties.definitions import definitions
from tests.properties.told import stories

if TYPE_CHECKING:
    from shared.domain.books import Movement
    from shared.domain.entitlements import Parties
    from shared.domain.facts import Fact
    from tests.properties.definitions import Definition

Told = tuple[list["Fact"], "Parties"]
# What we write down ourselves is nobody's news.
PINS = {kinds.STANDING_PINNED, kinds.RATE_PINNED, kinds.ALLOWANCE_PINNED}
HOLDERS = ("ptr_1", "ptr_2", "ptr_3", "led_1", "cause:trees")


def begun(definition: Definition, facts: list[Fact]) -> tuple[Stored, Story]:
    """A programme with these terms, and a referral that begins as these facts do."""
    stored = Stored(definition)
    published = PublishedTerms(
        program_id="prg_1",
        version=1,
        definition=definition,
        effective_from=START,
        published_by="ann",
    )
    row = terms_row(published)
    transact(stored.client, [put(CORE, keys.terms("prg_1", 1), row)])
    stored.enrol()
    story = Story(facts=facts[:2])
    stored.submit(story)
    return stored, story


def amounts_changed(stored: Stored) -> dict[str, Movement]:
    rows = [
        row for each in HOLDERS for row in movements_of_book(stored.client, BOOKS, each, "prg_1")
    ]
    return {row.movement_id: row for row in rows if row.step != MATURE}


@given(definitions(), stories())
@settings(max_examples=100)
def test_every_rule_is_explained_to_whoever_asks(definition: Definition, told: Told) -> None:
    stored, story = begun(definition, told[0])
    story.facts += told[0][2:]
    stored.tell(story)
    stored.settle(story)

    store = Explanations(client=stored.client, core=CORE, books=BOOKS)
    lines = explain_referral(store, story.referral_id).lines

    assert {rule["id"] for rule in definition["rules"]} == {line.rule_id for line in lines}
    assert all(line.code for line in lines)


@given(definitions(), stories())
@settings(max_examples=150)
def test_every_change_of_an_amount_names_the_fact_that_made_it(
    definition: Definition, told: Told
) -> None:
    stored, story = begun(definition, told[0])
    stored.settle(story)
    known = {fact.fact_id for fact in story.facts}
    seen = amounts_changed(stored)
    assert {True} >= {set(row.cause) <= known for row in seen.values()}
    for day, fact in enumerate(told[0][2:], start=1):
        if fact.kind in PINS:
            continue
        # Told as it comes: what it says may be of any time.
        story.facts.append(replace(fact, received_at=START + day * DAY))
        stored.tell(story)
        stored.settle(story, now=START + day * DAY)
        known.add(fact.fact_id)
        now = amounts_changed(stored)
        for row in (now[movement_id] for movement_id in now.keys() - seen.keys()):
            assert fact.fact_id in row.cause, (row.rule_id, row.occurrence, row.step)
            assert len(row.cause) == len(set(row.cause))
        seen = now

"""Compares what a scenario says must be so with what is so in the store."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from shared.adapters.dynamodb.books import movements_of_book
from shared.domain import books
from shared.domain.money import format_amount
from tests.builders.scenario_scripts import CURRENCY, PROGRAM, START, holder_id
from tests.builders.scenarios import BOOKS, Telling

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from programs.stories import Row
    from shared.domain.entitlements import Entitlement
    from shared.domain.rewards import Reward
    from shared.domain.verdicts import TraceLine

STAGES = (books.PENDING, books.PAYABLE)
GONE = ("voided",)
WHOLE_RULE = ("once", "every_invoice", "every_renewal", "every_nth", "at_counts")

Pair = tuple[object, object]
"""What a scenario expects, and what is so."""


def is_live(reward: Reward) -> bool:
    """Tell whether anybody holds anything."""
    return bool(reward.net_minor or (reward.benefit_state and reward.benefit_state not in GONE))


def shown(reward: Reward) -> dict[str, Any]:
    """Return a reward in the words of a scenario."""
    row: dict[str, Any] = {
        "rule": reward.rule_id,
        "occurrence": reward.occurrence,
        "of": reward.holder_id,
        "state": reward.state,
        "release_day": (reward.release_at - START).days if reward.release_at else None,
    }
    if reward.benefit_state:
        return row | {"benefit": dict(reward.benefit)}
    return row | {"amount": format_amount(reward.net_minor, CURRENCY)}


def identity(row: Mapping[str, Any]) -> tuple[str, str, str]:
    """Return what makes a row the same reward."""
    return row["rule"], row["occurrence"], row["of"]


def rewards_of(expected: Iterable[Row], actual: Iterable[Reward], name: str) -> Pair:
    """Return the rewards that a scenario expects, and those that are so: every live one."""
    wanted = [
        {
            **row,
            "occurrence": row.get("occurrence", "once"),
            "of": holder_id(row.get("of", name), name),
        }
        for row in expected
    ]
    keys = {identity(row): row.keys() for row in wanted}
    found = []
    for reward in actual:
        row = shown(reward)
        if identity(row) in keys:
            found.append({key: row.get(key) for key in keys[identity(row)]})
        elif is_live(reward):
            found.append(row)
    return sorted(wanted, key=identity), sorted(found, key=identity)


def verdicts_of(expected: Mapping[str, str], lines: Iterable[TraceLine]) -> Pair:
    """Return outcome and code of the rules named; ``rule@occurrence`` names one occurrence."""
    told = {}
    for line in lines:
        key = line.rule_id
        if line.occurrence not in WHOLE_RULE:
            key = f"{line.rule_id}@{line.occurrence}"
        told[key] = line.outcome if line.outcome == line.code else f"{line.outcome}: {line.code}"
    return dict(expected), {key: told.get(key) for key in expected}


def balances_of(telling: Telling, holder: str) -> dict[str, str]:
    """Return what a holder has pending and payable, over all kinds, without zeros."""
    book = telling.ledger.book(holder, PROGRAM)
    sums = dict.fromkeys(STAGES, 0)
    for account, minor in book.balances.items():
        stage = account.split("|")[0]
        if stage in sums:
            sums[stage] += minor
    return {stage: format_amount(minor, CURRENCY) for stage, minor in sums.items() if minor}


def said_and_found(telling: Telling, then: Row) -> Iterator[Pair]:
    """Yield everything that a step demands beside what is so; balances not told are zero."""
    for name, rewards in then.get("rewards", {}).items():
        yield rewards_of(rewards, telling.load(name).rewards, name)
    for name, rules in then.get("trace", {}).items():
        yield verdicts_of(rules, telling.load(name).trace)
    for partner, rewards in then.get("bonuses", {}).items():
        yield rewards_of(rewards, telling.load_partner(partner).rewards, partner)
    for partner, rules in then.get("bonus_trace", {}).items():
        yield verdicts_of(rules, telling.load_partner(partner).trace)
    for label, stages in then.get("balances", {}).items():
        wanted = {stage: amount for stage, amount in stages.items() if amount != "0.00"}
        yield wanted, balances_of(telling, holder_id(label))


def every_reward(telling: Telling) -> list[Reward]:
    """Return all rewards of all referrals and partners."""
    found = [reward for name in telling.submitted for reward in telling.load(name).rewards]
    for partner in telling.script.model.partners:
        found += telling.load_partner(partner).rewards
    return found


def books_and_rewards(telling: Telling) -> Iterator[Pair]:
    """Yield what must be equal in the books: chains, folds, zero sums, and what is owed."""
    nets: dict[str, int] = {}
    for reward in every_reward(telling):
        nets[reward.holder_id] = nets.get(reward.holder_id, 0) + reward.net_minor
    for holder, net in nets.items():
        book = telling.ledger.book(holder, PROGRAM)
        rows = movements_of_book(telling.client, BOOKS, holder, PROGRAM)
        yield None, books.broken_at(rows)
        yield books.fold(rows), book.balances
        yield 0, sum(book.balances.values())
        owed = sum(
            minor for account, minor in book.balances.items() if account.split("|")[0] in STAGES
        )
        yield (holder, net), (holder, owed)


def held_at_the_end(telling: Telling) -> dict[str, object]:
    """Return what does not depend on when it was posted: amounts, benefits, verdicts, sums.

    Which part of a reward is payable already may differ: a decrease and an increase that were
    posted one by one take from what matured, while posted together they may cancel out.
    """
    held: dict[str, object] = {}
    for reward in every_reward(telling):
        if is_live(reward):
            what = dict(reward.benefit) if reward.benefit_state else reward.net_minor
            key = (reward.subject_id, reward.rule_id, reward.occurrence, reward.holder_id)
            held[str(key)] = what
    for name in telling.submitted:
        for line in telling.load(name).trace:
            held[f"{name} {line.rule_id} {line.occurrence}"] = (line.outcome, line.code)
    for partner in telling.script.model.partners:
        for line in telling.load_partner(partner).trace:
            held[f"{partner} {line.rule_id} {line.occurrence}"] = (line.outcome, line.code)
    return held


def posted_of(rewards: Iterable[Reward]) -> dict[tuple[str, str, str], object]:
    """Return what is held by (rule, occurrence, holder)."""
    return {
        reward.identity: dict(reward.benefit) or reward.net_minor
        for reward in rewards
        if is_live(reward)
    }


def entitled_of(entitlements: Iterable[Entitlement]) -> dict[tuple[str, str, str], object]:
    """Return what the terms say by (rule, occurrence, holder)."""
    return {
        entitlement.identity: dict(entitlement.benefit) or entitlement.amount_minor
        for entitlement in entitlements
    }


def given_under_caps(telling: Telling) -> Iterator[tuple[int, int]]:
    """Yield what was given under each cap and its limit; a story stays within one period."""
    for cap in telling.script.terms.caps:
        sums: dict[str, int] = {}
        for reward in every_reward(telling):
            if cap.covers(reward.rule_id):
                whose = reward.holder_id if cap.scope == "partner" else PROGRAM
                sums[whose] = sums.get(whose, 0) + reward.net_minor
        yield from ((given, cap.limit_minor) for given in sums.values())

"""A partner's file under any history of sums, crashes and terms: what is settled piece by piece
is what all at once would be, and limits hold.
"""

from __future__ import annotations

import json
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    rule,
    run_state_machine_as_test,
)

from shared.adapters.dynamodb import keys
from shared.adapters.dynamodb.rewards import reward_from
from shared.adapters.dynamodb.transactions import put, transact, update
from shared.domain.errors import GoodwordError
from shared.domain.partner_rules import evaluate_partner
from shared.domain.terms import FACE_VALUE_KINDS
from shared.usecases import settle_partner as settling
from shared.usecases.mature_rewards import mature_rewards
from tests.builders.faults import Crash, at_call, raiser
from tests.builders.ledger import CORE, Stored
from tests.builders.money import DAY, START
from tests.properties.books_checks import Snapshot, check_books, check_caps, check_rewards

if TYPE_CHECKING:
    from shared.domain.rewards import Reward

PTR = "ptr_1"
WON: dict[str, Any] = {"beneficiary": "partner", "milestone": "won", "kind": "cash"}
PAIR: dict[str, Any] = {
    **WON,
    "id": "pair",
    "occurrence": "every_nth",
    "nth": 2,
    "value": {"fixed": "7.00"},
}
STAR: dict[str, Any] = {**WON, "id": "star", "occurrence": "at_counts", "counts": [1, 3, 40]}
STAR |= {"value": {"fixed": "9.00"}, "hold_days": 5}
MONTHS: dict[str, Any] = {
    **WON,
    "id": "months",
    "kind": "free_period",
    "occurrence": "every_nth",
    "nth": 3,
}
MONTHS |= {"value": {"quantity": 1, "unit": "month", "worth": "5.00"}}
GROWTH: dict[str, Any] = {**WON, "id": "growth", "value": {"percent": "10", "of": "deal_amount"}}
GROWTH |= {
    "tiers": {
        "by": "count",
        "mode": "retroactive",
        "period": "quarter",
        "milestone": "won",
        "steps": [{"from": 2, "percent": "15"}, {"from": 9, "percent": "20"}],
    }
}
YEARLY = {"id": "yearly", "scope": "partner", "per": "calendar_year", "limit": "60.00"}
BUDGET = {"id": "budget", "scope": "program", "per": "lifetime", "limit": "90.00"}
NARROW = {**YEARLY, "limit": "60.00", "rules": ["pair", "growth"], "policy": "deny"}


def definition(*rules: dict[str, Any], caps: list[dict[str, Any]] | None = None) -> str:
    return json.dumps({"name": "t", "rules": list(rules), "caps": caps or []})


VERSIONS = {
    1: definition(PAIR, STAR, MONTHS, GROWTH, caps=[YEARLY, BUDGET]),
    2: definition({**PAIR, "nth": 3}, GROWTH, caps=[NARROW]),
    3: definition({**PAIR, "value": {"fixed": "8.00"}}, STAR, MONTHS),
}
LIMITS = {"yearly": 6_000, "budget": 9_000}
PERIODS = ("2026-Q1", "2026-Q2", "2025-Q4")
SUCCESS = "success:won"


class File(RuleBasedStateMachine):
    """One file whose sums somebody else moves."""

    @initialize()
    def open(self) -> None:
        self.now = START
        self.stored = Stored(json.loads(VERSIONS[1]))
        for version, text in VERSIONS.items():
            row = {"definition": text}
            transact(self.stored.client, [put(CORE, keys.terms("prg_1", version), row)])
        self.accept(1)

    @rule(version=st.sampled_from([1, 2, 3]))
    def accept(self, version: int) -> None:
        row = {"terms_version": version}
        transact(self.stored.client, [put(CORE, keys.enrolment(PTR, "prg_1"), row)])
        self.version = version

    @rule(count=st.one_of(st.integers(0, 12), st.sampled_from([45, 100])))
    def succeed(self, count: int) -> None:
        self.move({SUCCESS: count})

    @rule(period=st.sampled_from(PERIODS), base=st.integers(0, 90_000), count=st.integers(0, 10))
    def sell(self, period: str, base: int, count: int) -> None:
        self.move({f"base:growth:{period}": base, f"count:won:{period}": count})

    def move(self, sums: dict[str, int]) -> None:
        standing = self.stored.ledger.standing(PTR, "prg_1")
        row = {"sums": {**standing.sums, **sums}, "version": standing.version + 1}
        transact(self.stored.client, [update(CORE, keys.standing(PTR, "prg_1"), assign=row)])

    @rule(when=st.sampled_from(["before", "after"]), call=st.integers(0, 60))
    def crash(self, when: str, call: int) -> None:
        getattr(self.stored.client, when)["*"] = at_call(call, raiser(Crash))
        with suppress(Crash, GoodwordError):
            self.stored.settle_partner(now=self.now)
        getattr(self.stored.client, when).clear()

    @rule()
    def settle(self) -> None:
        assert self.stored.settle_partner(now=self.now).effects <= 2 * settling.MOST

    @rule(days=st.sampled_from([1, 6, 100]))
    def wait(self, days: int) -> None:
        self.now += days * DAY
        mature_rewards(self.stored.ledger, now=self.now, new_id=self.stored.new_id, limit=100)

    @rule()
    def come_to_rest(self) -> None:
        while self.stored.settle_partner(now=self.now).more:
            pass
        before = len(self.stored.client.changes)
        self.stored.settle_partner(now=self.now)
        assert before == len(self.stored.client.changes)
        terms = self.stored.ledger.terms("prg_1", self.version)
        standing = self.stored.ledger.standing(PTR, "prg_1")
        evaluation = evaluate_partner(terms, standing.sums, PTR, now=self.now)
        wanted = {each.identity: each for each in evaluation.entitlements}
        posted = {reward.identity: reward for reward in self.rewards()}
        for identity, reward in posted.items():
            if identity not in wanted:
                assert (0, ()) == (reward.net_minor, reward.allowances)
                assert reward.benefit_state in {"", "voided"}
        for identity, due in wanted.items():
            covering = [cap for cap in terms.caps if cap.covers(identity[0])]
            held = posted[identity]
            assert {cap.cap_id for cap in covering} >= {row.cap_id for row in held.allowances}
            if due.kind not in FACE_VALUE_KINDS:
                denied = any(row.cut for row in held.allowances)
                assert ("issued" if not denied else held.benefit_state) == held.benefit_state
                assert held.benefit_state == "issued" or denied
            elif any(row.cut for row in held.allowances):
                allowed = min(row.allowed_minor for row in held.allowances)
                assert allowed == held.net_minor <= due.amount_minor
            else:
                assert due.amount_minor == held.net_minor
        self.explained(posted)

    def explained(self, posted: dict[tuple[str, str, str], Reward]) -> None:
        """Every rule has its line, and every occurrence under a limit its own; none is stale."""
        file = self.stored.ledger.load_partner(PTR, "prg_1")
        assert file is not None
        terms = self.stored.ledger.terms("prg_1", self.version)
        assert {line.rule_id for line in file.trace} <= {rule.rule_id for rule in terms.rules}
        told = {
            (line.rule_id, line.occurrence)
            for line in file.trace
            if line.code in {"capped_partner", "capped_budget"}
        }
        assert told == {identity[:2] for identity, reward in posted.items() if is_cut(reward)}
        counts = [line for line in file.trace if line.occurrence.startswith("count:")]
        assert {(line.rule_id, line.occurrence) for line in counts} <= told

    def rewards(self) -> list[Reward]:
        rows = self.stored.client.dump()[CORE]
        return [reward_from(row) for row in rows if row["sk"].startswith("REWARD#")]

    @invariant()
    def books_are_whole_and_limits_hold(self) -> None:
        snapshot = Snapshot(self.stored)
        check_books(snapshot)
        check_rewards(snapshot)
        check_caps(snapshot, LIMITS)

    def teardown(self) -> None:
        self.come_to_rest()


def is_cut(reward: Reward) -> bool:
    return any(row.cut for row in reward.allowances)


def test_any_history_of_a_partners_sums_ends_with_what_the_terms_say_within_the_limits() -> None:
    run_state_machine_as_test(
        File, settings=settings(max_examples=60, stateful_step_count=25, print_blob=True)
    )

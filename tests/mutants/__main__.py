"""``python -m tests.mutants [--sample N] [--seed N] [module ...]``: do the tests see a change?

Each change of a money module is run against the fast tests that concern money. There are about a
thousand, so ``--sample`` draws some of each module. Changes that nobody could see are listed in
``equivalent.py``; a line there that fits no change any more fails.
"""

from __future__ import annotations

import argparse
import random
import sys
import time
from typing import TYPE_CHECKING

import boto3
import pytest

from tests.mutants.changes import Mutant, mutants
from tests.mutants.equivalent import EQUIVALENT
from tests.mutants.trials import DOMAIN, ROOT, Trials, in_child, is_seen_anew

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

MODULES = (
    "rewards",
    "money",
    "books",
    "caps",
    "entitlements",
    "values",
    "bases",
    "clawback",
    "partner_rules",
    "contributions",
)
TESTS = (
    "domain/test_rewards.py",
    "domain/test_money.py",
    "domain/test_exact_amounts.py",
    "domain/test_books.py",
    "domain/test_caps.py",
    "domain/test_values.py",
    "domain/test_bases.py",
    "domain/test_clawback.py",
    "domain/test_clawback_bounds.py",
    "domain/test_partner_rules.py",
    "domain/test_contributions.py",
    "domain/test_eligibility.py",
    "domain/test_attribution.py",
    "domain/test_engine.py",
    "domain/test_evaluation.py",
    "domain/test_evaluation_order.py",
    "domain/test_pinning.py",
    "domain/test_rewards_table.py",
    "domain/test_terms.py",
    "domain/test_simulation.py",
    "rulings/test_rulings_money.py",
    "rulings/test_rulings_facts.py",
    "usecases/test_post_rewards.py",
    "usecases/test_settle_partner.py",
    "usecases/test_partner_limits.py",
    "usecases/test_clawback_limit.py",
    "usecases/test_mature_rewards.py",
    "usecases/test_closed_months.py",
    "usecases/test_reward_causes.py",
    "properties/test_refunds.py",
    "properties/test_net_amounts.py",
    "properties/test_clawback_exact.py",
)
WANTED_PERCENT = 90
_LOADED_ONCE = boto3  # So that no child loads it again.


def tell(mutant: Mutant, seen: bool, took: float) -> None:  # noqa: FBT001 - a report's column
    """Print what became of a change."""
    word = "killed" if seen else "SURVIVED"
    print(f"{word:9}{took:6.1f} s  {mutant}", flush=True)  # noqa: T201 - for people


def drawn(found: Mapping[str, Sequence[Mutant]], sample: int, seed: int) -> list[Mutant]:
    """Return changes of each module, all or as many as the sample wants, in the same order."""
    chance = random.Random(seed)  # noqa: S311 - reproducible on purpose
    chosen: list[Mutant] = []
    for each in found.values():
        size = min(sample or len(each), len(each))
        chosen += sorted(chance.sample(each, size), key=lambda one: one.lines.start)
    return chosen


def tried(chosen: Sequence[Mutant]) -> dict[str, bool] | None:
    """Return of each change, by name, whether a test saw it; None if tests fail without any."""
    by_name = {mutant.name: mutant for mutant in chosen}

    def within_functions() -> tuple[dict[str, bool], list[str], dict[str, list[str]]] | None:
        trials = Trials(chosen, tell)
        files = [str(ROOT / "tests" / name) for name in TESTS]
        pytest.main(["-s", "-qq", "-p", "no:cacheprovider", *files], plugins=[trials])
        return None if trials.failed else (trials.seen, trials.unclear, trials.files)

    found = in_child(within_functions)
    if found is None:
        return None
    seen, unclear, files = found
    if unclear and is_seen_anew(None, files[by_name[unclear[0]].module]):
        return None
    for name in unclear:
        mutant = by_name[name]
        began = time.monotonic()
        seen[name] = is_seen_anew(mutant, files[mutant.module])
        tell(mutant, seen[name], time.monotonic() - began)
    return seen


def main(arguments: list[str]) -> int:
    """Run the changes and tell which were not seen, and each module's score."""
    parser = argparse.ArgumentParser(prog="python -m tests.mutants", description=__doc__)
    parser.add_argument("--sample", type=int, default=0, help="so many of each module")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("modules", nargs="*", default=MODULES)
    given = parser.parse_args(arguments)
    every = {
        name: list(mutants(name, (DOMAIN / f"{name}.py").read_text(encoding="utf-8")))
        for name in MODULES
    }
    stale = EQUIVALENT.keys() - {mutant.name for each in every.values() for mutant in each}
    for name in sorted(stale):
        print(f"no such change any more: {name}")  # noqa: T201 - for people
    real = {
        name: [mutant for mutant in every[name] if mutant.name not in EQUIVALENT]
        for name in given.modules
    }
    chosen = drawn(real, given.sample, given.seed)
    seen = tried(chosen)
    if seen is None:
        print("the tests fail without any change")  # noqa: T201
        return 2
    kills = {name: [seen[one.name] for one in chosen if one.module == name] for name in real}
    kills["all"] = [one for each in kills.values() for one in each]
    for name, each in kills.items():
        score = 100 * sum(each) / len(each)
        print(f"{name:16}{sum(each):5} of {len(each):5}  {score:5.1f} %")  # noqa: T201
    enough = 100 * sum(kills["all"]) >= WANTED_PERCENT * len(kills["all"])
    return 0 if enough and not stale else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

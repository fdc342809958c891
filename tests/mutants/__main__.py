"""``python -m tests.mutants [--sample N] [--seed N] [module ...]``: do the tests see a change?

Each change of a money module is run against the fast tests that concern money, in a process of
its own; nothing on disk is changed. Takes some seconds for each of about a thousand changes, so
``--sample`` draws some, the same number of each module as far as it goes.
"""

from __future__ import annotations

import argparse
import importlib.abc
import importlib.machinery
import importlib.util
import os
import random
import signal
import sys
import time
from collections import defaultdict
from pathlib import Path
from typing import TYPE_CHECKING

import boto3
import pytest

from tests.mutants.changes import Mutant, mutants

if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import ModuleType

ROOT = Path(__file__).parents[2]
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
    "domain/test_books.py",
    "domain/test_clawback.py",
    "domain/test_engine.py",
    "domain/test_evaluation.py",
    "domain/test_pinning.py",
    "rulings/test_rulings_money.py",
    "rulings/test_rulings_facts.py",
    "usecases/test_post_rewards.py",
    "usecases/test_settle_partner.py",
    "usecases/test_partner_limits.py",
    "usecases/test_clawback_limit.py",
    "usecases/test_own_rates.py",
    "usecases/test_mature_rewards.py",
    "usecases/test_closed_months.py",
    "usecases/test_reward_causes.py",
    "domain/test_rewards_table.py",
    "domain/test_evaluation_order.py",
    "domain/test_terms.py",
    "domain/test_simulation.py",
    "functions/manage_program/test_manage_fulfilment.py",
    "functions/manage_program/test_manage_proposals.py",
    "programs/test_programs.py",
    "properties/test_refunds.py",
    "properties/test_net_amounts.py",
    "properties/test_evaluation_total.py",
)
CPU_SECONDS = 90
"""A change that keeps tests busy for longer has been seen: no run takes that much."""

PASSED = 0
_LOADED_ONCE = boto3  # So that no child loads it again; the rest pytest wants to load itself.


class _Changed(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Loads one module from a changed tree."""

    def __init__(self, mutant: Mutant) -> None:
        self.name = f"shared.domain.{mutant.module}"
        self.tree = mutant.tree

    def find_spec(
        self, fullname: str, _path: Sequence[str] | None, _target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        found = fullname == self.name
        return importlib.util.spec_from_loader(fullname, self) if found else None

    def exec_module(self, module: ModuleType) -> None:
        exec(compile(self.tree, self.name, "exec"), module.__dict__)  # noqa: S102 - that is the point


def survives(mutant: Mutant | None) -> bool:
    """Tell whether every test passes with a change, or without any."""
    child = os.fork()
    if child:
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == PASSED
    code = 1
    try:
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, 1)
        os.dup2(nowhere, 2)
        signal.setitimer(signal.ITIMER_PROF, CPU_SECONDS)
        if mutant:
            sys.meta_path.insert(0, _Changed(mutant))
        files = [str(ROOT / "tests" / name) for name in TESTS]
        code = pytest.main(["-x", "-q", "-p", "no:cacheprovider", "--no-header", *files])
    finally:
        os._exit(code)


def drawn(names: Sequence[str], sample: int, seed: int) -> list[Mutant]:
    """Return the changes of modules, or of each as many as the sample allows."""
    chance = random.Random(seed)  # noqa: S311 - reproducible on purpose
    found: list[Mutant] = []
    for place, name in enumerate(names):
        source = (ROOT / "shared" / "domain" / f"{name}.py").read_text(encoding="utf-8")
        every = list(mutants(name, source))
        share = len(every) if not sample else (sample - len(found)) // (len(names) - place)
        found += sorted(chance.sample(every, min(share, len(every))), key=lambda one: one.number)
    return found


def main(arguments: list[str]) -> int:
    """Run the changes and tell which were not seen, and each module's score."""
    parser = argparse.ArgumentParser(prog="python -m tests.mutants", description=__doc__)
    parser.add_argument("--sample", type=int, default=0)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("modules", nargs="*", default=MODULES)
    given = parser.parse_args(arguments)
    if not survives(None):
        print("the tests fail without any change")  # noqa: T201 - for people
        return 2
    seen: dict[str, list[bool]] = defaultdict(list)
    for mutant in drawn(given.modules, given.sample, given.seed):
        began = time.monotonic()
        survived = survives(mutant)
        seen[mutant.module].append(not survived)
        word = "SURVIVED" if survived else "killed"
        took = time.monotonic() - began
        print(f"{word:9}{took:6.1f} s  #{mutant.number} {mutant}", flush=True)  # noqa: T201
    for module, kills in [*seen.items(), ("all", [one for each in seen.values() for one in each])]:
        score = 100 * sum(kills) / max(len(kills), 1)
        print(f"{module:16}{sum(kills):5} of {len(kills):5}  {score:5.1f} %")  # noqa: T201
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

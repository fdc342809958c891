"""``python -m bench``: evaluations per second, round trips and capacity units.

``--quick`` only shows that everything runs: small sizes, and times that mean nothing.
"""

import argparse
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from bench import paths
from bench.cases import Case, billed, deal_changes, full_terms, one_recurring_rule, worked_example
from bench.paths import Measured
from bench.report import Ratio, Report
from bench.timing import YARDSTICK, time_all, yardstick
from shared.domain.facts import MAX_FACTS

RESULTS: Final = Path(__file__).parent / "results"


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """How much is done. ``doubled`` are facts of a referral, compared with twice as many."""

    rounds: int
    least_seconds: float
    facts: int
    doubled: int
    stored: tuple[int, ...]
    partner: tuple[int, ...]


FULL: Final = Plan(
    rounds=7,
    least_seconds=0.2,
    facts=MAX_FACTS,
    doubled=150,
    stored=(10, 1_000, 100_000),
    partner=(10, 10_000),
)
QUICK: Final = Plan(rounds=1, least_seconds=0, facts=40, doubled=20, stored=(2, 4), partner=(2, 4))


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, show the tables and write them down."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="small sizes, meaningless times")
    parser.add_argument("--out", type=Path, default=RESULTS, help="folder of the results")
    options = parser.parse_args(arguments)
    report = measure(QUICK if options.quick else FULL, quick=options.quick)
    sys.stdout.write(report.markdown())
    for path in report.save(options.out):
        sys.stdout.write(f"written: {path}\n")
    return 0


def measure(plan: Plan, *, quick: bool) -> Report:
    """Return a report of everything."""
    at = datetime.now(UTC)
    cases = _cases(plan)
    pairs = list(_pairs(plan.doubled))
    work = {
        case.name: case.evaluate for case in (*cases, *(case for pair in pairs for case in pair))
    }
    timings = time_all(
        {YARDSTICK: yardstick, **work}, rounds=plan.rounds, least_seconds=plan.least_seconds
    )
    growth = [
        Ratio(name=more.name, other=less.name, spread=timings.ratio(more.name, less.name))
        for less, more in pairs
    ]
    return Report(
        command="python -m bench --quick" if quick else "python -m bench",
        at=at,
        rounds=plan.rounds,
        cases=cases,
        timings=timings,
        growth=growth,
        stored=_stored(plan),
    )


def _cases(plan: Plan) -> list[Case]:
    return [
        worked_example(),
        deal_changes(plan.facts),
        billed(plan.facts, full_terms()),
        billed(plan.facts, one_recurring_rule()),
    ]


def _pairs(facts: int) -> Iterator[tuple[Case, Case]]:
    yield deal_changes(facts), deal_changes(2 * facts)
    yield billed(facts, full_terms()), billed(2 * facts, full_terms())
    for refunds in ("", "invoice", "deal"):
        terms = one_recurring_rule()
        yield billed(facts, terms, refunds=refunds), billed(2 * facts, terms, refunds=refunds)


def _stored(plan: Plan) -> dict[str, list[Measured]]:
    return {
        "By the referrals that are stored": list(paths.by_stored(plan.stored)),
        "By the referrals that the partner has": list(paths.by_partner(plan.partner)),
        "A reward for every fifth success, however many there were": list(
            paths.by_successes(plan.partner)
        ),
        "By the referral's own facts: all of them are read each time": list(
            paths.by_facts((10, plan.facts))
        ),
    }


if __name__ == "__main__":
    sys.exit(main())

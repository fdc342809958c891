"""``python -m bench.redirect``: the redirect in Lambda's runtime client, beside others.

Ends with PASS or FAIL for each budget, and with an error if one is not met. ``--quick`` only
shows that everything runs.
"""

import argparse
import json
import os
import platform
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

from bench.redirect import certificates, cold, store, warm
from bench.redirect.budgets import judged
from bench.redirect.cold import Started
from bench.redirect.warm import CACHED, CLIENT, HANDLERS, NOOP, UNCACHED, Plan
from bench.report import shown, table
from bench.timing import Spread, Timings

RESULTS: Final = Path(__file__).parents[1] / "results"
FULL: Final = Plan(starts=3, rounds=7, requests=200, unmeasured=100)
QUICK: Final = Plan(starts=1, rounds=1, requests=3, unmeasured=1)
STARTS: Final = 9
_PACKAGES: Final = ("awslambdaric", "boto3", "aws-lambda-powertools")
_MILLION: Final = 1_000_000

_TEXT: Final = """# The redirect in Lambda's runtime client

Made by `{command}` on {date} with Python {python} on {cpus} CPUs ({machine}), {packages}.
The runtime client is the real one, its Runtime API and the table service are stand-ins on this
machine; the table service speaks TLS with an RSA certificate, as the real one does.

## Budgets

{budgets}

## Warm: processor time per redirect

Milliseconds, user and system, of the handler's process; median of {rounds} slices of {requests}
requests (least to greatest), {starts} processes each. Ratios are paired, slice by slice. A link
that is cached takes one write, one that is not a read as well, and this is counted. All but the
no-op make the same signed token and store the same row. So many milliseconds are no duration on
Lambda: there the function has 29 % of a processor, and waits for the network.

{warm}
## Cold: from the start of the process until it asks for an event

The first call to the store included: the signing keys are read over a new connection. Instructions
by valgrind, counted once; milliseconds on the clock, median of {cold_rounds} (least to greatest).
{modules} modules are loaded when the redirect is ready.

{cold}"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """Everything that one run found."""

    plan: Plan
    warm: Timings
    cold: Started


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, show what was found, write it down and judge it."""
    parser = argparse.ArgumentParser(prog="python -m bench.redirect", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="few requests, meaningless times")
    parser.add_argument("--out", type=Path, default=RESULTS, help="folder of the results")
    options = parser.parse_args(arguments)
    found = measure(QUICK if options.quick else FULL, quick=options.quick)
    command = "python -m bench.redirect" + (" --quick" if options.quick else "")
    document = document_of(found, command, datetime.now(UTC))
    text = markdown(found, document)
    sys.stdout.write(text)
    options.out.mkdir(parents=True, exist_ok=True)
    (options.out / "redirect.json").write_text(json.dumps(document, indent=2) + "\n", "utf-8")
    (options.out / "redirect.md").write_text(text, "utf-8")
    met = all(verdict.is_met for verdict in judged(found.warm, found.cold))
    return 0 if met or options.quick else 1


def measure(plan: Plan, *, quick: bool) -> Found:
    """Return what warm and cold handlers take."""
    with tempfile.TemporaryDirectory() as folder:
        made = certificates.make(Path(folder))
        with store.running(made) as service:
            return Found(
                plan=plan,
                warm=warm.measure(service, plan),
                cold=cold.measure(
                    service,
                    rounds=1 if quick else STARTS,
                    count=cold.can_count() and not quick,
                ),
            )


def document_of(found: Found, command: str, at: datetime) -> dict[str, Any]:
    """Return the figures for machines."""
    clock = found.cold.clock
    return {
        "command": command,
        "date": at.isoformat(timespec="seconds"),
        "python": platform.python_version(),
        "cpu_count": os.cpu_count(),
        "machine": platform.machine(),
        "packages": {name: version(name) for name in _PACKAGES},
        "budgets": [
            {"what": one.what, "limit": one.limit, "found": one.found, "met": one.is_met}
            for one in judged(found.warm, found.cold)
        ],
        "warm_ms": {
            label: asdict(Spread.of([1_000 * taken for taken in values]))
            for label, values in found.warm.seconds.items()
        },
        "warm_against_boto3_client": {
            label: asdict(found.warm.ratio(label, _peer(label))) for label in found.warm.seconds
        },
        "cold_ms": {
            name: asdict(Spread.of([1_000 * taken for taken in values]))
            for name, values in clock.seconds.items()
        },
        "cold_instructions": dict(found.cold.instructions),
        "cold_modules": list(found.cold.modules),
    }


def markdown(found: Found, document: dict[str, Any]) -> str:
    """Return the tables for people."""
    packages = ", ".join(f"{name} {version}" for name, version in document["packages"].items())
    verdicts = "\n".join(f"* {one.line()}" for one in judged(found.warm, found.cold))
    return _TEXT.format(
        **{name: document[name] for name in ("command", "python", "machine")},
        date=document["date"][:16].replace("T", " ") + " UTC",
        cpus=document["cpu_count"],
        packages=packages,
        budgets=verdicts,
        rounds=found.plan.starts * found.plan.rounds,
        requests=found.plan.requests,
        starts=found.plan.starts,
        warm=table(
            ("handler", "milliseconds", "times the boto3 client handler"),
            list(_warm_rows(found.warm)),
        ),
        cold_rounds=len(found.cold.clock.seconds[NOOP]),
        modules=len(found.cold.modules),
        cold=table(
            ("handler", "million instructions", "milliseconds", "times the boto3 client handler"),
            list(_cold_rows(found.cold)),
        ),
    )


def _warm_rows(timings: Timings) -> Iterator[tuple[str, str, str]]:
    for label, values in timings.seconds.items():
        each = Spread.of([1_000 * taken for taken in values])
        yield label, shown(each), shown(timings.ratio(label, _peer(label)))


def _peer(label: str) -> str:
    return CLIENT + (UNCACHED if label.endswith(UNCACHED) else CACHED)


def _cold_rows(started: Started) -> Iterator[tuple[str, str, str, str]]:
    for name in HANDLERS:
        counted = started.instructions.get(name)
        each = Spread.of([1_000 * taken for taken in started.clock.seconds[name]])
        millions = "not counted" if counted is None else f"{counted / _MILLION:,.0f}"
        yield name, millions, shown(each), shown(started.clock.ratio(name, CLIENT))


if __name__ == "__main__":
    sys.exit(main())

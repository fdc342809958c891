"""``python -m bench.simulations``: a simulation over stored referrals, and what Lambda would take.

A command of its own, because it may be run at any size: its results are kept by size.
"""

import argparse
import json
import os
import platform
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from bench.jobs import EACH, Bench, Measured, client_seconds, own_seconds
from bench.lambda_costs import HOP, LATENCY, READERS, SHARE, estimate
from bench.paths import EVERY_FIFTH
from bench.report import table
from shared.usecases.run_job import LANES
from tests.builders.money import WORKED_EXAMPLE

RESULTS: Final = Path(__file__).parent / "results"
REFERRALS: Final = 1_000

_TEXT: Final = """# A simulation over {referrals:,} stored referrals

Made by `{command}` on {date} with Python {python} on {cpus} CPUs ({machine}), in {wall:,.0f} s.
The terms that paid are simulated, and what comes out is checked. Each partner has {each} referrals,
so much is read of partners where bonuses may have been paid.

## Counted

Calls to DynamoDB in memory and own arithmetic from the sizes of rows. Seconds are processor time
on this machine, most of them the store in memory.

{counted}
Memory is what Python objects take at most: of the largest chunk {chunk_mb}, of merging {merge_mb}.
Merging takes {merge_seconds} of processor time, the store in memory included.

## What that comes to on Lambda

Not tried on AWS. One query costs {query:.1f} ms of processor time in boto3 without the network,
collecting one referral {own:.2f} ms. Assumed: {share:.0%} of a processor like this one at 1,024 MB,
{latency:.0f} ms for a round trip, {readers} readers and {lanes} chunks at a time, {hop} s from step
to step, and list prices of us-east-1 ($0.0000133334 for a GB-second on arm64, $0.125 and $0.625
for a million read and write units).

{estimated}"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, show what was found and write it down."""
    parser = argparse.ArgumentParser(prog="python -m bench.simulations", description=__doc__)
    parser.add_argument("--referrals", type=int, default=REFERRALS)
    parser.add_argument("--out", type=Path, default=RESULTS, help="folder of the results")
    options = parser.parse_args(arguments)
    begun = time.monotonic()
    found: list[Measured] = []
    own, query = 0.0, 0.0
    for name, definition in (("plain", WORKED_EXAMPLE), ("with bonuses", EVERY_FIFTH)):
        bench = Bench(referrals=options.referrals, definition=definition)
        found.append(bench.measure(name))
        if not query:
            query = client_seconds(bench, min(options.referrals, 500))
            own = own_seconds(bench, min(options.referrals, 500))
        del bench
    text = _markdown(found, own, query, wall=time.monotonic() - begun)
    stem = f"simulation_{options.referrals}"
    document = {
        "referrals": options.referrals,
        "query_seconds": query,
        "collect_seconds": own,
        "measured": [asdict(each) for each in found],
        "estimated": [asdict(estimate(each, own, query)) for each in found],
    }
    options.out.mkdir(parents=True, exist_ok=True)
    (options.out / f"{stem}.md").write_text(text, "utf-8")
    (options.out / f"{stem}.json").write_text(json.dumps(document, indent=2) + "\n", "utf-8")
    sys.stdout.write(f"{text}\nwritten: {options.out / stem}.md\n")
    return 0


def _markdown(found: Sequence[Measured], own: float, query: float, *, wall: float) -> str:
    columns = ("terms", "step", "steps", "round trips", "read units", "write units", "seconds")
    each = ("trips a referral", "read units a referral", "longest step (s)")
    rows = [
        (
            one.name,
            name,
            f"{part.steps:,}",
            f"{part.round_trips:,}",
            f"{part.read_units:,.0f}",
            f"{part.write_units:,}",
            f"{part.seconds:,.1f}",
            f"{part.round_trips / one.referrals:.3f}",
            f"{part.read_units / one.referrals:.3f}",
            f"{part.longest:.1f}",
        )
        for one in found
        for name, part in one.parts.items()
    ]
    told = [(one.name, estimate(one, own, query)) for one in found]
    names_of = ("a chunk (s)", "merging (s)", "billed (min)", "begin to end (min)", "in all ($)")
    estimated = [
        (
            name,
            f"{each.longest_chunk_seconds:.1f}",
            f"{each.merge_seconds:.1f}",
            f"{each.billed_minutes:.1f}",
            f"{each.wall_minutes:.1f}",
            f"{each.dollars:.3f}",
        )
        for name, each in told
    ]
    return _TEXT.format(
        referrals=found[0].referrals,
        command=f"python -m bench.simulations --referrals {found[0].referrals}",
        date=f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC",
        python=platform.python_version(),
        cpus=os.cpu_count(),
        machine=platform.machine(),
        wall=wall,
        each=EACH,
        counted=table((*columns, *each), rows),
        chunk_mb=_ranged([one.chunk_mb for one in found], "MB"),
        merge_mb=_ranged([one.merge_mb for one in found], "MB"),
        merge_seconds=_ranged([one.merge_seconds for one in found], "s"),
        query=1_000 * query,
        own=1_000 * own,
        share=SHARE,
        latency=1_000 * LATENCY,
        readers=READERS,
        lanes=LANES,
        hop=HOP,
        estimated=table(("terms", *names_of), estimated),
    )


def _ranged(values: Sequence[float], unit: str) -> str:
    return f"{max(values):,.1f} {unit}"


if __name__ == "__main__":
    sys.exit(main())

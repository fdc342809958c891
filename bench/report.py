"""Writes the figures as JSON, and as Markdown tables for people."""

import json
import os
import platform
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from bench.cases import Case
from bench.paths import Measured
from bench.timing import YARDSTICK, Spread, Timings

JSON_NAME: Final = "bench.json"
MARKDOWN_NAME: Final = "bench.md"
_HEAD: Final = """# Benchmark results

Made by `{command}` on {date} with Python {python} on {cpus} CPUs ({machine}).
Round trips and units are the same on every machine, times are not.
"""
_CORE: Final = """
## Evaluating, without any store

Processor time, median of {rounds} runs (least to greatest). The yardstick is a fixed piece of
pure Python (2,000 SHA-256 of short texts); ratios are paired, run by run.
"""
_GROWTH: Final = """
## How evaluating grows with a referral's facts

Time for twice the facts over time for once the facts, paired: 2 is in proportion, 4 is quadratic,
8 is cubic.
"""
_PATHS: Final = """
## The stored path

Calls to DynamoDB in memory and own arithmetic from the sizes of rows: read units of 4 KB
(consistent), write units of 1 KB (twice in transactions), index writes apart. Each operation runs
in a fresh process; a warm one remembers the terms and makes two round trips fewer.
"""
_NUMBER: Final = re.compile(r"[0-9][0-9,.]*( \(.*\))?")
_FIGURES: Final = (
    "round_trips",
    "transactions",
    "rows_read",
    "read_units",
    "write_units",
    "index_write_units",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Ratio:
    """A piece of work against another one, paired."""

    name: str
    other: str
    spread: Spread


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """Everything that one run found. ``stored`` maps titles to operations at growing sizes."""

    command: str
    at: datetime
    rounds: int
    cases: Sequence[Case]
    timings: Timings
    growth: Sequence[Ratio]
    stored: Mapping[str, Sequence[Measured]]

    def document(self) -> dict[str, Any]:
        """Return the figures for machines."""
        return {
            "command": self.command,
            "date": self.at.isoformat(timespec="seconds"),
            "python": platform.python_version(),
            "cpu_count": os.cpu_count(),
            "machine": platform.machine(),
            "rounds": self.rounds,
            "evaluations_per_second": {
                case.name: asdict(self.timings.per_second(case.name)) for case in self.cases
            },
            "times_yardstick": {
                case.name: asdict(self.timings.ratio(case.name, YARDSTICK)) for case in self.cases
            },
            "growth": [
                {"work": ratio.name, "against": ratio.other, **asdict(ratio.spread)}
                for ratio in self.growth
            ],
            "stored": {
                title: [
                    {
                        "operation": row.operation,
                        "scale": row.scale,
                        "rows_stored": row.rows,
                        **row.usage.figures(),
                        "calls": row.usage.labels,
                    }
                    for row in rows
                ]
                for title, rows in self.stored.items()
            },
        }

    def markdown(self) -> str:
        """Return the tables for people."""
        head = _HEAD.format(
            command=self.command,
            date=f"{self.at:%Y-%m-%d %H:%M} UTC",
            python=platform.python_version(),
            cpus=os.cpu_count(),
            machine=platform.machine(),
        )
        parts = [head, _CORE.format(rounds=self.rounds), self._core(), _GROWTH, self._growth()]
        parts.append(_PATHS)
        for title, rows in self.stored.items():
            parts += [f"### {title}\n", _operations(rows)]
        return "\n".join(parts)

    def _core(self) -> str:
        columns = ("referral", "evaluations per second", "milliseconds each", "times yardstick")
        rows = []
        for case in self.cases:
            per_second = self.timings.per_second(case.name)
            each = Spread.of([1_000 * taken for taken in self.timings.seconds[case.name]])
            times = self.timings.ratio(case.name, YARDSTICK)
            rows.append((case.name, shown(per_second), shown(each), shown(times)))
        return table(columns, rows)

    def _growth(self) -> str:
        rows = [(ratio.name, ratio.other, shown(ratio.spread)) for ratio in self.growth]
        return table(("referral", "against", "ratio"), rows)

    def save(self, folder: Path) -> list[Path]:
        """Write both files and return where they are."""
        folder.mkdir(parents=True, exist_ok=True)
        written = {
            folder / JSON_NAME: json.dumps(self.document(), indent=2) + "\n",
            folder / MARKDOWN_NAME: self.markdown(),
        }
        for path, text in written.items():
            path.write_text(text, "utf-8")
        return list(written)


def table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a Markdown table that is aligned for a terminal too, with numbers to the right."""
    widths = [max(len(row[place]) for row in (columns, *rows)) for place in range(len(columns))]
    numeric = [all(_NUMBER.fullmatch(row[place]) for row in rows) for place in range(len(columns))]

    def line(cells: Sequence[str]) -> str:
        padded = [
            cell.rjust(width) if right else cell.ljust(width)
            for cell, width, right in zip(cells, widths, numeric, strict=True)
        ]
        return f"| {' | '.join(padded)} |"

    rule = [
        "-" * (width - 1) + ":" if right else "-" * width
        for width, right in zip(widths, numeric, strict=True)
    ]
    return "\n".join([line(columns), line(rule), *map(line, rows), ""])


def _operations(rows: Sequence[Measured]) -> str:
    columns = ("operation", "size", "rows stored", *(name.replace("_", " ") for name in _FIGURES))
    # Stable, so that sizes stay in the order in which they grow.
    ordered = sorted(rows, key=lambda row: row.operation)
    cells = []
    for row in ordered:
        figures = row.usage.figures()
        shown = (f"{figures[name]:,g}" for name in _FIGURES)
        cells.append((row.operation, row.scale, f"{row.rows:,}", *shown))
    return table(columns, cells)


def shown(spread: Spread) -> str:
    """Return a median with its spread, in as many digits as can be read."""
    return f"{_short(spread.median)} ({_short(spread.least)} to {_short(spread.greatest)})"


def _short(value: float) -> str:
    for least, places in ((100, 0), (10, 1), (1, 2)):
        if value >= least:
            return f"{value:,.{places}f}"
    return f"{value:.3f}"

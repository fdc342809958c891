"""``python -m bench.load``: 20,000 clicks on one link through a fresh local cloud, all counted.

Ends with an error if a click is lost or counted twice, or if a key gets hot. How fast it goes
says something about the emulator and this machine, and nothing about AWS.
"""

import argparse
import json
import os
import platform
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from bench import viral
from bench.viral import Check, Followed
from local import cloud as clouds
from local.cloud import Cloud
from local.places import Places
from local.progress import Progress
from local.seed import seed

RESULTS: Final = Path(__file__).parent / "results"
CLICKS: Final = 20_000
WORKERS: Final = 4
_STALLED_SECONDS: Final = 60.0

_TEXT: Final = """# {clicks:,} clicks on one link

Made by `{command}` on {date} with Python {python} on {cpus} CPUs ({machine}), through a fresh local
cloud: the emulator's HTTP API, the function in its own process, the emulator's DynamoDB, its
stream and the roll-up. {workers} visitors at a time, each with two clicks.

{checks}

For information only, because it says nothing about AWS: {per_second:,.0f} clicks a second, and
{waited:,.0f} s more until the last one was counted.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stormed:
    """What one run found."""

    followed: Followed
    waited_seconds: float
    checks: tuple[Check, ...]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the load, show what was found and write it down."""
    parser = argparse.ArgumentParser(prog="python -m bench.load", description=__doc__)
    parser.add_argument("--clicks", type=int, default=CLICKS)
    parser.add_argument("--workers", type=int, default=WORKERS, help="visitors at a time")
    parser.add_argument("--out", type=Path, default=RESULTS, help="folder of the results")
    options = parser.parse_args(arguments)
    progress = Progress()
    with tempfile.TemporaryDirectory(prefix="goodword-load-") as folder:
        places = Places(home=Path(folder))
        with clouds.running(places, progress, fresh=True) as cloud:
            found = storm(cloud, options.clicks, options.workers, progress)
    document = _document(found, options.clicks, options.workers)
    text = _markdown(found, document)
    progress.say(f"\n{text}")
    options.out.mkdir(parents=True, exist_ok=True)
    (options.out / "load.json").write_text(json.dumps(document, indent=2) + "\n", "utf-8")
    (options.out / "load.md").write_text(text, "utf-8")
    return 0 if all(check.holds for check in found.checks) else 1


def storm(cloud: Cloud, clicks: int, workers: int, progress: Progress) -> Stormed:
    """Let everybody follow the demo's link and check what is left of it."""
    demo = seed(cloud)
    before = viral.rows(cloud, "CoreTableName")
    with progress.timed(f"{clicks:,} clicks, {workers} at a time"):
        followed = viral.follow(cloud, demo, clicks, workers=workers, say=progress.step)
    with progress.timed("until all are counted"):
        waited = viral.wait_until_counted(cloud, demo, clicks, limit_seconds=_STALLED_SECONDS)
    checks = (
        *viral.check_clicks(clicks, followed, viral.rows(cloud, "ClicksTableName")),
        *viral.check_counters(clicks, viral.figures(cloud, demo, partner=True), "partner"),
        *viral.check_counters(clicks, viral.figures(cloud, demo, partner=False), "programme"),
        *viral.check_shared_rows(clicks, before, viral.rows(cloud, "CoreTableName")),
    )
    return Stormed(followed=followed, waited_seconds=waited, checks=checks)


def _document(found: Stormed, clicks: int, workers: int) -> dict[str, Any]:
    return {
        "command": f"python -m bench.load --clicks {clicks}",
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "python": platform.python_version(),
        "cpu_count": os.cpu_count(),
        "machine": platform.machine(),
        "clicks": clicks,
        "workers": workers,
        "seconds": round(found.followed.seconds, 1),
        "clicks_per_second": round(clicks / found.followed.seconds, 1),
        "seconds_until_counted": round(found.waited_seconds, 1),
        "checks": [asdict(check) for check in found.checks],
    }


def _markdown(found: Stormed, document: dict[str, Any]) -> str:
    return _TEXT.format(
        **{name: document[name] for name in ("clicks", "command", "python", "machine", "workers")},
        date=document["date"][:16].replace("T", " ") + " UTC",
        cpus=document["cpu_count"],
        checks="\n".join(f"* {check.line()}" for check in found.checks),
        per_second=document["clicks_per_second"],
        waited=document["seconds_until_counted"],
    )


if __name__ == "__main__":
    sys.exit(main())

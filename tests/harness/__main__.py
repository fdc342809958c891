"""``python -m tests.harness [--seconds N] [--seed N]`` strikes on beyond the gate's sample.

``--expect`` writes down which AWS calls each scene makes, for the gate to compare.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
import time
from pathlib import Path

from tests.harness.cloud import running_cloud
from tests.harness.explore import explore, stage
from tests.harness.scenes import SCENES

_EXPECTED = Path(__file__).with_name("expected_calls.json")


def expect() -> int:
    """Write the calls of every scene's first act."""
    found = {}
    for scene in SCENES:
        with running_cloud() as cloud:
            found[scene.name] = sorted(call.what for call in stage(cloud, scene).calls)
    _EXPECTED.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    return 0


def strike_on(seconds: float, seed: int) -> int:
    """Strike at drawn pairs of points until the time is over; tell the seed of each round."""
    ends_at = time.monotonic() + seconds
    total = violated = 0
    while time.monotonic() < ends_at:
        for scene in SCENES:
            with running_cloud() as cloud:
                tally = explore(cloud, stage(cloud, scene), pairs=50, seed=seed)
            total += tally.points
            violated += len(tally.violated)
            told = f"seed {seed}  {scene.handler:18}{scene.name:32}{tally.points:6} points"
            print(f"{told}{len(tally.violated):6} violated", flush=True)  # noqa: T201 - for people
            for line in tally.violated[:3]:
                print(f"  {line}")  # noqa: T201 - as above
            if time.monotonic() >= ends_at:
                break
        seed += 1
    print(f"{total} points, {violated} violated")  # noqa: T201 - as above
    return 1 if violated else 0


def main(arguments: list[str]) -> int:
    """Strike, or write down what is expected."""
    parser = argparse.ArgumentParser(prog="python -m tests.harness", description=__doc__)
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(1 << 31))
    parser.add_argument("--expect", action="store_true")
    given = parser.parse_args(arguments)
    return expect() if given.expect else strike_on(given.seconds, given.seed)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

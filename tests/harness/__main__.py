"""``python -m tests.harness [--seconds N] [--seed N]`` strikes on beyond the gate's sample.

``--expect`` writes down which AWS calls each scene makes, for the gate to compare.
``--mutations`` looks for a witness of every condition and member that has none yet, and
``--key-parts`` for a story that misses every part of a key; both write down what they found.
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
from tests.harness.key_parts import STORIES, known_stories, look_in, parts, write_stories
from tests.harness.mutations import Hunt, hear, known_witnesses, write_witnesses
from tests.harness.plays import BRIEF, THOROUGH, names
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


def hunt(seed: int) -> int:
    """Hear all witnesses, and look for more: briefly, then long for what is left; tell what is."""
    known = known_witnesses()
    silent = hear(known, names()).silent
    known = {text: one for text, one in known.items() if text not in silent}
    print(f"{len(known)} witnesses, {len(silent)} silent")  # noqa: T201 - for people
    looking = Hunt(effort=BRIEF, seed=seed, known=known)
    for looking.effort in (BRIEF, THOROUGH):
        for name in names():
            found = looking.look_at(name)
            write_witnesses(looking.known)
            left = looking.left()
            told = f"{found:4} new, {len(left)} of {len(looking.sites)} left"
            print(f"{name:36}{told}", flush=True)  # noqa: T201 - for people
    for site in looking.left():
        print(f"unseen  {site}")  # noqa: T201 - as above
    for line in looking.wrong:
        print(f"wrong with all that is sent  {line}")  # noqa: T201 - as above
    return 1 if looking.wrong else 0


def blind() -> int:
    """Tell all stories blind to what they tell of, and to what none tells of; tell what is left."""
    known = known_stories()
    for name in STORIES:
        open_parts = [part for part in parts() if known.get(str(part), name) == name]
        told = {str(part) for part in look_in(name, open_parts)}
        known = {text: one for text, one in known.items() if one != name}
        known |= dict.fromkeys(told, name)
        write_stories(known)
        print(f"{name:36}{len(told)} told of", flush=True)  # noqa: T201 - for people
    for part in parts():
        if str(part) not in known:
            print(f"unseen  {part}")  # noqa: T201 - as above
    return 0


def main(arguments: list[str]) -> int:
    """Strike, write down what is expected, or look for what nobody misses."""
    parser = argparse.ArgumentParser(prog="python -m tests.harness", description=__doc__)
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(1 << 31))
    for name in ("--expect", "--mutations", "--key-parts"):
        parser.add_argument(name, action="store_true")
    given = parser.parse_args(arguments)
    if given.expect:
        return expect()
    if given.mutations:
        return hunt(given.seed)
    return blind() if given.key_parts else strike_on(given.seconds, given.seed)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

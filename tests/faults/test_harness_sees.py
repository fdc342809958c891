"""The harness tests itself: whatever is taken away, something goes wrong, or it is listed why not.

The witnesses were found by ``python -m tests.harness --mutations`` and ``--key-parts``. Those of
some scenes and races are played here once more; the first of these commands plays all of them.
"""

from __future__ import annotations

import random

import pytest

from tests.harness.key_parts import TWINS, ending, is_seen, known_stories, parts
from tests.harness.mutations import Heard, hear, known_witnesses
from tests.harness.pairs import PAIRS
from tests.harness.unseen import unseen

SEED = 20_261_122
SCENES_DRAWN = 16
PAIRS_DRAWN = 7
PARTS_DRAWN = 1
"""Parts of keys that are taken away here, for each story that is told."""


@pytest.fixture(scope="module")
def heard() -> Heard:
    known = known_witnesses()
    tellers = sorted({witness.name for witness in known.values()})
    chance = random.Random(SEED)  # noqa: S311 - reproducible on purpose
    return hear(known, chance.sample(tellers, SCENES_DRAWN))


def test_what_witnesses_play_is_right_while_nothing_is_taken_away(heard: Heard) -> None:
    assert [] == heard.wrong


def test_every_witness_goes_wrong_without_what_it_is_a_witness_of(heard: Heard) -> None:
    assert [] == heard.silent


def test_every_condition_and_member_has_a_witness_or_a_reason(heard: Heard) -> None:
    texts = {str(site) for site in heard.passed}
    assert [] == sorted(texts - known_witnesses().keys() - unseen().keys())


def test_every_part_of_a_key_has_a_story_or_a_reason() -> None:
    texts = {str(part) for part in parts()}
    assert [] == sorted(texts - known_stories().keys() - unseen().keys())


def test_no_reason_is_given_for_what_is_seen() -> None:
    assert [] == sorted(unseen().keys() & (known_witnesses().keys() | known_stories().keys()))


def stories() -> list[str]:
    chance = random.Random(SEED)  # noqa: S311 - reproducible on purpose
    return ["a form", TWINS, *chance.sample(sorted(PAIRS), PAIRS_DRAWN)]


@pytest.mark.parametrize("name", stories())
def test_a_story_ends_otherwise_for_who_is_blind_to_a_part_of_a_key(name: str) -> None:
    known = known_stories()
    honest = ending(name)
    mine = [part for part in parts() if known.get(str(part)) == name]
    chance = random.Random(SEED)  # noqa: S311 - reproducible on purpose
    drawn = chance.sample(mine, min(PARTS_DRAWN, len(mine)))
    assert [] == [str(part) for part in drawn if not is_seen(part, name, honest)]
    assert drawn

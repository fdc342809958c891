"""What a run of maturity asks of the store: call by call, under each status of the partner."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from bench import paths
from bench.stock import measured, story
from tests.builders.ledger import Stored
from tests.builders.money import DAY, START, WORKED_EXAMPLE

if TYPE_CHECKING:
    from bench.meter import Usage

DUE = START + 400 * DAY
FORFEIT = {**WORKED_EXAMPLE, "partner_closed": "forfeit"}
LOOK = [f"query RELEASE {DUE.isoformat()}$ in by_due"] * 4
STATUS = ["get PTR/META"]
TERMS = ["get PRG/META", "get PRG/TERMS"]
READ = ["query REF"]
READ_FILE = ["get PTR/STANDING", "get PTR/REWARD"]
POST = "put BOOK/HEAD, put BOOK/MAT, conditioncheck PTR/META, put OUT/EVENT"
RELEASE = ["get BOOK/HEAD", f"transact: update REF/META, put REF/REWARD, {POST}"]
RELEASE_BONUS = ["get BOOK/HEAD", f"transact: update PTR/STANDING, put PTR/REWARD, {POST}"]
LATER = ["transact: update REF/REWARD"]
STATE = ["transact: update REF/REWARD, update REF/META, put REF/FACT, put OUT/EVENT"]


def run(stored: Stored) -> Usage:
    return measured(stored.client, lambda: stored.mature(DUE))


def with_three_due(status: str, definition: dict[str, Any] = WORKED_EXAMPLE) -> Stored:
    stored = Stored(definition)
    stored.partner(status)
    told = story()
    stored.submit(told)
    stored.settle(told)
    return stored


def with_a_bonus_due(status: str) -> Stored:
    stored = Stored({**paths.EVERY_FIFTH, "partner_closed": "forfeit"})
    stored.enrol()
    paths.succeed(stored, 5)
    stored.settle_partner()
    stored.partner(status)
    return stored


def test_a_run_with_nothing_due_looks_into_each_part_of_the_index_once() -> None:
    usage = run(Stored())

    assert LOOK == usage.labels
    assert (2, 0) == (usage.read_units, usage.write_units)


@pytest.mark.parametrize(
    ("status", "definition", "calls", "units"),
    [
        ("active", WORKED_EXAMPLE, [*READ, *RELEASE] * 3, (12, 36)),
        ("suspended", WORKED_EXAMPLE, LATER * 3, (3, 6)),
        ("closed", WORKED_EXAMPLE, [*READ, *TERMS, *RELEASE, *[*READ, *RELEASE] * 2], (14, 36)),
        ("closed", FORFEIT, [*READ, *TERMS, *STATE, *[*READ, *STATE] * 2], (11, 24)),
    ],
    ids=["active", "suspended", "closed", "closed and forfeit"],
)
def test_a_partners_status_is_read_once_and_decides_what_else_is(
    status: str, definition: dict[str, Any], calls: list[str], units: tuple[int, int]
) -> None:
    usage = run(with_three_due(status, definition))

    assert [*LOOK, *STATUS, *calls] == usage.labels
    assert units == (usage.read_units, usage.write_units)


@pytest.mark.parametrize(
    ("status", "calls"),
    [
        ("active", [*READ_FILE, *RELEASE_BONUS]),
        ("suspended", ["transact: update PTR/REWARD"]),
        (
            "closed",
            [*READ_FILE, "get PTR/ENR", *TERMS, "transact: update PTR/REWARD, put OUT/EVENT"],
        ),
    ],
)
def test_a_bonus_is_found_without_the_rest_of_the_partners_file(
    status: str, calls: list[str]
) -> None:
    assert [*LOOK, *STATUS, *calls] == run(with_a_bonus_due(status)).labels


def test_rewards_of_leads_ask_for_no_partner() -> None:
    credit = {**WORKED_EXAMPLE["rules"][0], "beneficiary": "lead", "milestone": "won"}
    stored = with_three_due("suspended", {"name": "leads", "rules": [credit]})

    assert "get PTR/META" not in run(stored).labels


@pytest.mark.parametrize("behind", [10, 1_000])
def test_nothing_grows_with_what_a_partner_has_earned(behind: int) -> None:
    stored = Stored(paths.EVERY_FIFTH)
    stored.enrol()
    stored.partner("active")
    paths.succeed(stored, behind)
    for _ in range(10):
        stored.settle_partner()
    while stored.mature(DUE).released:
        pass
    paths.succeed(stored, behind + 5)
    stored.settle_partner(now=DUE)

    usage = measured(stored.client, lambda: stored.mature(DUE + DAY))

    assert 9 == usage.round_trips
    assert usage.read_units <= 6

"""What the steps of jobs ask of the store: one read for each referral, and few for each step."""

from __future__ import annotations

import json
from collections import Counter
from typing import TYPE_CHECKING, Any

from bench import simulations
from bench.stock import measured
from shared.adapters.dynamodb.histories import Histories
from tests.builders.jobs import DRAFT, LIVE, RULE, Office
from tests.builders.ledger import CORE

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

    from bench.meter import Usage

PAIR = {**RULE, "id": "pair", "occurrence": "every_nth", "nth": 2, "value": {"fixed": "7.00"}}
WITH_BONUS = {**LIVE, "rules": [RULE, PAIR]}
POST = (
    "transact: update REF/META, put REF/REWARD, put BOOK/HEAD, put BOOK/MOV, put REF/TRACE, "
    "put OUT/EVENT"
)
FINISH = "transact: update JOB/META, update JOB/CHUNK, put OUT/EVENT"


def seven(*definitions: dict[str, Any], partners: int = 1) -> Office:
    """Returns seven deals whose ids end alike, so that one list and one chunk hold them."""
    office = Office(*definitions, deals=0, partners=partners)
    for number in range(7):
        office.win(10 * number + 1, f"ptr_{number % partners + 1}")
    return office


def step(office: Office, name: str) -> Usage:
    """Handles events until a step of this name waits, and measures it."""
    for _ in range(20):
        for row in office.waiting():
            office.handled.add(row["event_id"])
            if f'"step":"{name}"' in row["envelope"].replace(" ", ""):
                return measured(office.stored.client, lambda row=row: office.take(row))  # type: ignore[misc]
            office.take(row)
    raise AssertionError(name)


def test_a_simulation_reads_each_referral_in_one_call() -> None:
    office = seven()
    office.simulate()

    work = step(office, "work")

    assert [
        "get JOB/META",
        "get JOB/CHUNK",
        *["query REF TRACE"] * 7,
        "transact: put JOB/RESULT",
        FINISH,
    ] == work.labels


def test_a_simulation_reads_no_trace() -> None:
    office = Office()
    histories = Histories(client=office.stored.client, core=CORE)

    alone = measured(office.stored.client, lambda: histories.history("ref_1"))

    rows = [row for row in office.stored.client.dump()[CORE] if row["pk"] == "REF#ref_1"]
    kinds = Counter(row["sk"].split("#")[0] for row in rows)
    assert kinds["TRACE"] > 0
    assert kinds["META"] + kinds["FACT"] + kinds["REWARD"] == alone.rows_read
    whole = office.stored.ledger.load("ref_1")
    found = histories.history("ref_1")
    assert whole
    assert found
    assert (whole.referral, whole.facts, whole.rewards, ()) == (
        found.referral,
        found.facts,
        found.rewards,
        found.trace,
    )


def test_partners_are_read_once_in_a_chunk_and_only_where_bonuses_were_ever_paid() -> None:
    office = seven(WITH_BONUS, DRAFT, partners=2)
    office.simulate()

    work = step(office, "work")

    assert {"query REF TRACE": 7, "query PTR REWARD": 2} == {
        label: times for label, times in Counter(work.labels).items() if label.startswith("query")
    }


def test_merging_reads_what_was_found_in_two_calls() -> None:
    office = seven()
    office.simulate()

    merge = step(office, "merge")

    assert [
        "get JOB/META",
        "query JOB CHUNK",
        "query JOB RESULT",
        "transact: put JOB/PAGE",
        "transact: update JOB/META, put JOB/REPORT",
    ] == merge.labels


def test_planning_takes_one_read_and_one_write() -> None:
    office = seven()
    office.simulate()

    plan = step(office, "plan")

    assert ["get JOB/META", "query REF in by_list"] == plan.labels[:2]
    assert 3 == plan.round_trips


def test_a_preview_takes_two_calls_for_a_referral() -> None:
    office = seven()
    office.migrate(preview=True)

    work = step(office, "work")

    # Once for the step: the job, its chunk, the terms with their programme, the result, the end.
    terms = ["get PRG/META", "get PRG/TERMS"]
    assert sorted(
        [
            "get JOB/META",
            "get JOB/CHUNK",
            *terms,
            *["query REF"] * 7,
            *["transact: put JOB/ITEM"] * 7,
            "transact: put JOB/RESULT",
            FINISH,
        ]
    ) == sorted(work.labels)


def test_a_migration_reads_writes_and_posts() -> None:
    office = Office(deals=1)
    office.migrate()

    work = step(office, "work")

    assert [
        "get JOB/META",
        "get JOB/CHUNK",
        "get JOB/ITEM",
        "query REF",
        "get PRG/META",
        "get PRG/TERMS",
        "transact: update REF/META, put REF/FACT, put OUT/EVENT, put JOB/ITEM",
        "query REF",
        "get BOOK/HEAD",
        POST,
        "transact: put JOB/RESULT",
        FINISH,
    ] == work.labels


def test_nothing_of_a_simulation_grows_with_what_else_is_stored() -> None:
    def usage(others: int) -> list[str]:
        office = Office(deals=2)
        for number in range(others):
            office.stored.enrol(f"ptr_other_{number}")
        office.simulate()
        return step(office, "work").labels

    assert usage(0) == usage(50)


def test_the_benchmark_runs_the_real_steps(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert 0 == simulations.main(["--referrals", "20", "--out", str(tmp_path)])

    text = (tmp_path / "simulation_20.md").read_text("utf-8")
    found = json.loads((tmp_path / "simulation_20.json").read_text("utf-8"))
    assert capsys.readouterr().out.startswith(text)
    assert ["plain", "with bonuses"] == [each["name"] for each in found["measured"]]
    plain, bonuses = (each["parts"]["work"] for each in found["measured"])
    assert (20 + 4, 20 + 4 + 4) == (plain["round_trips"], bonuses["round_trips"])

"""Jobs that fail, stall, run out of time, are cancelled and go on; one bad referral stops none."""

from __future__ import annotations

import json
from datetime import timedelta
from itertools import cycle
from typing import TYPE_CHECKING

import pytest

from shared.adapters.dynamodb import keys
from shared.adapters.dynamodb.transactions import transact, update
from shared.domain.errors import ConflictError, StaleVersionError, UnavailableError
from shared.domain.jobs import (
    CANCELLED,
    DONE,
    FAILED,
    MERGE,
    MERGING,
    PLAN,
    PLANNING,
    RUNNING,
    STALLED,
    STALLED_AFTER,
    WORK,
)
from shared.usecases import run_job
from shared.usecases.control_jobs import fail_job
from shared.usecases.migrate_referrals import Migration
from shared.usecases.run_simulation import Simulation
from tests.builders.jobs import NOW, Office, step_of
from tests.builders.ledger import CORE

if TYPE_CHECKING:
    from collections.abc import Callable

    from shared.domain.jobs import Job

Start = pytest.mark.parametrize("start", [Office.simulate, Office.migrate])


@pytest.fixture(autouse=True)
def _small_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run_job, "PAGE", 3)
    monkeypatch.setattr(run_job, "LANES", 2)
    monkeypatch.setattr(Simulation, "chunk_size", 2)
    monkeypatch.setattr(Migration, "chunk_size", 2)


def stop_in(office: Office, job_id: str, state: str) -> None:
    """Runs the job until it is in a state, and leaves its steps waiting."""
    for _ in range(50):
        if office.job(job_id).state == state:
            return
        office.pump(rounds=1)
    raise AssertionError(state)


def expected(start: Callable[[Office], str]) -> dict[str, object]:
    office = Office(deals=7)
    job_id = start(office)
    office.pump()
    return told(office, job_id)


def told(office: Office, job_id: str) -> dict[str, object]:
    """Returns what came of a job, however it was cut into steps."""
    found = office.outcome(job_id)
    _, _, _, referrals = found.pop("state")
    found.pop("events")
    return {**found, "referrals": referrals}


# -- failing and going on -------------------------------------------------------------------------


@Start
@pytest.mark.parametrize(("state", "step"), [(PLANNING, PLAN), (RUNNING, WORK), (MERGING, MERGE)])
def test_a_job_that_failed_says_so_and_goes_on_where_it_stood(
    start: Callable[[Office], str], state: str, step: str
) -> None:
    office = Office(deals=7)
    job_id = start(office)
    stop_in(office, job_id, state)

    office.give_up(UnavailableError("x"))

    failed = office.job(job_id)
    assert (FAILED, step, "store_unavailable", NOW) == (
        failed.state,
        failed.failed_step,
        failed.failed_for,
        failed.updated_at,
    )
    office.pump()
    assert FAILED == office.job(job_id).state
    resumed = office.resume(job_id)
    assert (state, "", "") == (resumed.state, resumed.failed_step, resumed.failed_for)
    office.pump()
    assert DONE == office.job(job_id).state
    assert expected(start) == told(office, job_id)


@Start
def test_a_failed_chunk_stops_the_other_lane_and_both_go_on(
    start: Callable[[Office], str],
) -> None:
    office = Office(deals=7)
    job_id = start(office)
    stop_in(office, job_id, RUNNING)
    first, second = (row for row in office.waiting() if "Requested" in row["name"])
    fail_job(office.jobs, step_of(first), ValueError(), now=NOW)
    assert "unexpected_error" == office.job(job_id).failed_for

    office.take(second)

    assert 0 == office.job(job_id).done_chunks
    office.handled |= {first["event_id"], second["event_id"]}
    office.resume(job_id)
    office.pump()
    assert expected(start) == told(office, job_id)


def test_a_chunk_that_ends_while_the_job_is_stopped_counts_once_it_goes_on() -> None:
    office = Office(deals=7)
    job_id = office.simulate()
    stop_in(office, job_id, RUNNING)
    first, second = (row for row in office.waiting() if row["name"] == "SimulationRequested")
    asked: list[bool] = []

    def fail() -> bool:
        if not asked:
            asked.append(fail_job(office.jobs, step_of(first), ValueError(), now=NOW))
        return False

    office.out_of_time = fail
    office.take(second)

    assert ([True], 0, FAILED) == (asked, office.job(job_id).done_chunks, office.job(job_id).state)
    office.handled |= {first["event_id"], second["event_id"]}
    office.resume(job_id)
    office.pump()
    assert expected(Office.simulate) == told(office, job_id)


@Start
def test_a_job_goes_on_whichever_chunk_was_the_one_that_failed(
    start: Callable[[Office], str],
) -> None:
    for last in range(4):
        office = Office(deals=7)
        job_id = start(office)
        stop_in(office, job_id, RUNNING)
        for _ in range(10):
            for row in office.waiting():
                if f'"number":{last}' not in row["envelope"].replace(" ", ""):
                    office.take(row)
                    office.handled.add(row["event_id"])
        office.give_up(ValueError())
        assert FAILED == office.job(job_id).state

        office.resume(job_id)
        office.pump()

        assert expected(start) == told(office, job_id)


def test_a_step_that_is_done_fails_no_job() -> None:
    office = Office(deals=7)
    job_id = office.simulate()
    plan = step_of(office.waiting()[-1])
    stop_in(office, job_id, RUNNING)
    rows = [row for row in office.waiting() if row["name"] == "SimulationRequested"]
    office.take(rows[0])

    late = [fail_job(office.jobs, step, ValueError(), now=NOW) for step in (plan, step_of(rows[0]))]

    assert ([False, False], RUNNING) == (late, office.job(job_id).state)
    office.pump()
    rows = [row for row in office.stored.client.dump()[CORE] if "envelope" in row]
    merge = step_of(next(row for row in rows if '"merge"' in row["envelope"]))
    assert not fail_job(office.jobs, merge, ValueError(), now=NOW)
    assert DONE == office.job(job_id).state


def test_steps_of_jobs_that_are_gone_fail_nothing() -> None:
    office = Office()
    office.simulate()
    step = step_of(office.waiting()[-1])

    other = type(step)(job_id="sim_none", name=step.name, number=1)

    assert not fail_job(office.jobs, other, ValueError(), now=NOW)


def test_a_job_whose_event_is_lost_is_seen_to_stall_and_goes_on() -> None:
    office = Office(deals=7)
    job_id = office.migrate()
    stop_in(office, job_id, RUNNING)
    office.handled |= {row["event_id"] for row in office.waiting()}
    soon, late = NOW + STALLED_AFTER, NOW + STALLED_AFTER + timedelta(seconds=1)

    assert [RUNNING, STALLED] == [office.job(job_id).status(at) for at in (soon, late)]
    assert office.job(job_id) == office.resume(job_id, soon)
    office.resume(job_id, late)
    office.pump()

    assert DONE == office.job(job_id).state == office.job(job_id).status(late + STALLED_AFTER)
    assert expected(Office.migrate) == told(office, job_id)


@Start
def test_a_job_over_too_many_referrals_says_so(
    start: Callable[[Office], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Simulation, "most", 4)
    monkeypatch.setattr(Migration, "most", 4)
    office = Office(deals=7)
    job_id = start(office)

    office.pump()

    failed = office.job(job_id)
    assert (FAILED, PLAN, "too_many_referrals") == (
        failed.state,
        failed.failed_step,
        failed.failed_for,
    )
    office.resume(job_id)
    office.pump()
    assert (FAILED, 0) == (office.job(job_id).state, office.job(job_id).done_chunks)


# -- cancelling -----------------------------------------------------------------------------------


@Start
@pytest.mark.parametrize("state", [PLANNING, RUNNING, MERGING, FAILED])
def test_a_cancelled_job_stands_still_for_good(start: Callable[[Office], str], state: str) -> None:
    office = Office(deals=7)
    job_id = start(office)
    stop_in(office, job_id, RUNNING if state == FAILED else state)
    if state == FAILED:
        office.give_up(ValueError())

    cancelled = office.cancel(job_id)

    before = [row for row in office.stored.client.dump()[CORE] if "JOB#" in row["pk"]]
    office.pump()
    assert before == [row for row in office.stored.client.dump()[CORE] if "JOB#" in row["pk"]]
    assert CANCELLED == cancelled.state
    assert cancelled == office.cancel(job_id)
    with pytest.raises(ConflictError, match="cancelled"):
        office.resume(job_id)


def test_what_is_done_is_over() -> None:
    office = Office()
    job_id = office.simulate()
    office.pump()

    for act in (office.cancel, office.resume):
        with pytest.raises(ConflictError) as refused:
            act(job_id)
        assert "job_over" == refused.value.code


def test_what_a_cancelled_migration_moved_stays_moved() -> None:
    office = Office(deals=7)
    job_id = office.migrate()
    stop_in(office, job_id, RUNNING)
    office.take(next(row for row in office.waiting() if row["name"] == "MigrationRequested"))

    office.cancel(job_id)
    office.pump()

    moved = office.job(job_id).counts["migrated"]
    pending = office.stored.ledger.book("ptr_1", "prg_1").balances["pending|cash|USD"]
    assert (True, 7_000 + moved * 500) == (moved in (1, 2), pending)


@pytest.mark.parametrize("act", [Office.cancel, Office.resume])
def test_others_who_keep_writing_are_told(act: Callable[[Office, str], Job]) -> None:
    office = Office(deals=7)
    job_id = office.simulate()
    office.give_up(ValueError())

    def write(_request: object) -> None:
        version = {"version": office.job(job_id).version + 1}
        transact(office.stored.client, [update(CORE, keys.job(job_id), assign=version)])

    office.stored.client.before["transact_write_items"] = write

    with pytest.raises(StaleVersionError):
        act(office, job_id)


# -- time -----------------------------------------------------------------------------------------


@Start
@pytest.mark.parametrize("pattern", [[True], [False, True], [True, False, False]])
def test_a_step_that_runs_out_of_time_leaves_the_rest_to_another_one(
    start: Callable[[Office], str], pattern: list[bool], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Simulation, "chunk_size", 3)
    monkeypatch.setattr(Migration, "chunk_size", 3)
    office = Office(deals=7)
    clock = cycle(pattern)
    office.out_of_time = lambda: next(clock)
    job_id = start(office)

    office.pump()

    job = office.job(job_id)
    assert (DONE, job.chunks) == (job.state, job.done_chunks)
    assert job.chunks > 4
    assert expected(start) == told(office, job_id)


# -- what can't be read ---------------------------------------------------------------------------


def spoil(office: Office, referral_id: str) -> None:
    fact = next(
        row
        for row in office.stored.client.dump()[CORE]
        if row["pk"] == f"REF#{referral_id}" and row.get("kind") == "amount_set"
    )
    broken = update(CORE, (fact["pk"], fact["sk"]), assign={"occurred_at": "yesterday"})
    transact(office.stored.client, [broken])


def test_a_referral_that_cant_be_read_is_named_and_stops_no_simulation() -> None:
    office = Office(deals=7)
    spoil(office, "ref_3")
    job_id = office.simulate()

    office.pump()

    job = office.job(job_id)
    assert (DONE, 7, {"evaluated": 6, "unreadable": 1}) == (
        job.state,
        job.done_referrals,
        dict(job.counts),
    )
    report = json.loads(office.jobs.report(job_id))
    assert (["ref_3"], 6, 9_000, 6_000) == (
        report["unreadable"],
        report["referrals"],
        report["simulated_minor"],
        report["paid_minor"],
    )


def test_a_referral_that_cant_be_read_is_named_and_stops_no_migration() -> None:
    office = Office(deals=7)
    spoil(office, "ref_3")
    job_id = office.migrate()

    office.pump()

    job = office.job(job_id)
    assert (DONE, 6, 1) == (job.state, job.counts["migrated"], job.counts["unreadable"])
    item = office.migrations.item(job_id, "ref_3")
    assert item
    assert "unreadable" == item.outcome


def test_a_store_that_is_down_makes_nothing_unreadable() -> None:
    office = Office()
    office.simulate()
    office.pump(rounds=4)
    row = next(row for row in office.waiting() if row["name"] == "SimulationRequested")

    def down(request: dict[str, dict[str, dict[str, str]]]) -> None:
        if "REF#" in request["ExpressionAttributeValues"][":p"]["S"]:
            error = {"Error": {"Code": "InternalServerError", "Message": ""}}
            raise office.stored.client.exceptions.from_code("InternalServerError")(error, "Query")

    office.stored.client.before["query"] = down

    with pytest.raises(UnavailableError):
        office.take(row)

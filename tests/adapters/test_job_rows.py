from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from shared.adapters.dynamodb import simulations
from shared.adapters.dynamodb.histories import Histories
from shared.adapters.dynamodb.simulations import Jobs
from shared.domain.errors import NotFoundError, StaleVersionError
from shared.domain.jobs import MERGE, PLAN, RUNNING, SIMULATION, WORK, Chunk, Job, Step
from shared.usecases.control_jobs import step_event
from shared.usecases.effects import Trigger
from shared.usecases.run_job import JobRun
from shared.usecases.run_simulation import Simulation
from tests.builders.ledger import Stored
from tests.builders.money import START, numbered_ids
from tests.fakes.memory_dynamodb import MemoryDynamo

if TYPE_CHECKING:
    from shared.domain.events import Event


def a_job(**changes: Any) -> Job:  # noqa: ANN401 - any field
    fields: dict[str, Any] = {
        "job_id": "sim_1",
        "program_id": "prg_1",
        "kind": SIMULATION,
        "settings": {"referrals": None, "from": "x"},
        "requested_by": "ann",
        "requested_at": START,
        "updated_at": START,
        "mark": "req_1",
    }
    return Job(**{**fields, **changes})


def an_event(job: Job, event_id: str = "evt_1") -> Event:
    return step_event(
        job,
        Step(job_id=job.job_id, name=PLAN, number=1),
        now=START,
        event_id=event_id,
        correlation_id="c",
        causation_id="c",
    )


@pytest.fixture
def jobs() -> Jobs:
    return Jobs(client=MemoryDynamo(), core="core")


def test_a_job_is_read_as_it_was_stored(jobs: Jobs) -> None:
    job = a_job(counts={"evaluated": 3}, after="ref_1", shard=2)

    assert job == jobs.add_job(job, an_event(job))
    assert job == jobs.job("sim_1")
    assert jobs.job("sim_2") is None


def test_an_id_is_given_once_but_to_the_same_request(jobs: Jobs) -> None:
    job = a_job()
    jobs.add_job(job, an_event(job))

    assert job == jobs.add_job(a_job(updated_at=START), an_event(job, "evt_2"))
    other = a_job(mark="req_2")
    with pytest.raises(StaleVersionError):
        jobs.add_job(other, an_event(other, "evt_3"))


@pytest.mark.parametrize("size", [1, 7, 300_000])
def test_results_of_any_size_come_back_whole(
    jobs: Jobs, monkeypatch: pytest.MonkeyPatch, size: int
) -> None:
    monkeypatch.setattr(simulations, "_PART", size)
    job = a_job()
    jobs.add_job(job, an_event(job))
    running = replace(job, state=RUNNING, chunks=2, version=2)
    chunks = [Chunk(number=number, referral_ids=(f"ref_{number}",)) for number in range(2)]
    jobs.plan(job, running, chunks, [])
    # A run that died left its parts behind.
    jobs.save_result("sim_1", replace(chunks[0], run_id="run_lost"), "lost" * 40, now=START)
    for number in (1, 0):
        text = f"what came of {number}" * 9
        ran = replace(chunks[number], run_id=f"run_{number}")
        jobs.save_result("sim_1", ran, text, now=START)
        after = replace(running, version=running.version + 1)
        jobs.finish_chunk(running, after, ran, None, [])
        running = after

    assert [f"what came of {number}" * 9 for number in range(2)] == list(jobs.results(running))


def test_a_chunk_is_finished_once(jobs: Jobs) -> None:
    job = a_job()
    jobs.add_job(job, an_event(job))
    chunk = Chunk(number=0, referral_ids=("ref_1",))
    planned = replace(job, version=2)
    jobs.plan(job, planned, [chunk], [])
    after = replace(planned, version=3)
    jobs.finish_chunk(planned, after, replace(chunk, run_id="run_1"), None, [])

    assert replace(chunk, run_id="run_1") == jobs.chunk("sim_1", 0)
    with pytest.raises(StaleVersionError):
        jobs.finish_chunk(planned, after, replace(chunk, run_id="run_2"), None, [])
    with pytest.raises(StaleVersionError):
        jobs.finish_chunk(
            after, replace(after, version=4), replace(chunk, run_id="run_2"), None, []
        )


@pytest.mark.parametrize("step", [PLAN, WORK, MERGE])
def test_a_step_of_no_job_goes_back_to_the_queue(step: str) -> None:
    stored = Stored()
    run = JobRun(
        Jobs(client=stored.client, core="test-core"),
        Simulation(Histories(client=stored.client, core="test-core")),
        trigger=Trigger(correlation_id="c", causation_id="c", hops=0),
        now=START,
        new_id=numbered_ids(),
        pause=lambda _attempt: None,
    )

    with pytest.raises(NotFoundError):
        run.run(Step(job_id="sim_none", name=step, number=0))

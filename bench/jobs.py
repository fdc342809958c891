"""A simulation over stored referrals, step by step: what every step takes, and the client itself.

The real use cases and adapters run over DynamoDB in memory. Round trips and units are counted as
everywhere in ``bench``.
"""

import gc
import json
import time
import tracemalloc
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Final

import boto3
from botocore.awsrequest import AWSResponse

from bench.meter import Meter
from bench.shelves import Shelves
from bench.stock import stock
from shared import names
from shared.adapters.dynamodb import keys
from shared.adapters.dynamodb.histories import Histories
from shared.adapters.dynamodb.programs import program_row, terms_row
from shared.adapters.dynamodb.simulations import Jobs
from shared.adapters.dynamodb.transactions import put, transact
from shared.domain.jobs import DONE, Job, Step
from shared.domain.programs import Program, PublishedTerms
from shared.ports import NewId
from shared.usecases.effects import Trigger
from shared.usecases.run_job import JobRun
from shared.usecases.run_simulation import Simulation
from shared.usecases.start_simulation import start_simulation
from tests.builders.ledger import CORE, Stored
from tests.builders.money import START, numbered_ids

EACH: Final = 5
"""Referrals of one partner: few, so that much has to be read of partners."""
BONUS: Final = 7_000
_NOW: Final = START + timedelta(days=1)


@dataclass(slots=True, kw_only=True)
class Part:
    """What all steps of one name took together."""

    steps: int = 0
    round_trips: int = 0
    read_units: float = 0
    write_units: int = 0
    seconds: float = 0
    longest: float = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """One whole simulation. Seconds are processor time, the store in memory included."""

    name: str
    referrals: int
    partners: int
    rows: int
    parts: dict[str, Part]
    chunk_mb: float
    merge_mb: float
    merge_seconds: float


@dataclass(slots=True, kw_only=True)
class Bench:
    """A store with referrals, and a queue that hands out the steps of a job one by one."""

    referrals: int
    definition: dict[str, Any]
    client: Shelves = field(default_factory=Shelves)
    _new_id: NewId = field(default_factory=numbered_ids)
    _taken: int = 0

    def __post_init__(self) -> None:
        """Fill the store."""
        stored = Stored(self.definition, client=self.client)
        terms = PublishedTerms(
            program_id="prg_1",
            version=1,
            definition=self.definition,
            effective_from=START,
            published_by="ann",
        )
        program = Program(
            program_id="prg_1", name="P", currency="USD", created_at=START, terms_version=1
        )
        rows = [
            put(CORE, keys.program("prg_1"), program_row(program)),
            put(CORE, keys.terms("prg_1", 1), terms_row(terms)),
        ]
        transact(self.client, rows)
        stock(stored, self.referrals, partners=max(self.referrals // EACH, 1))
        # The store is no part of a function: its millions of objects must not slow the collector.
        gc.freeze()

    def measure(self, name: str) -> Measured:
        """Run a simulation of the very terms that paid, and check what it says.

        The model's partner had one referral, so nothing was paid for a fifth success.
        """
        jobs = Jobs(client=self.client, core=CORE)
        simulation = Simulation(Histories(client=self.client, core=CORE))
        self._taken = len(self.client.changes)
        job = start_simulation(
            jobs,
            "prg_1",
            self.definition,
            since=START - timedelta(days=1),
            until=START + timedelta(days=365),
            actor="ann",
            now=_NOW,
            new_id=self._new_id,
            mark="req_1",
            correlation_id="req_1",
        )
        parts: dict[str, Part] = defaultdict(Part)
        for step in self._steps():
            self._run(jobs, simulation, step, parts[step.name])
        done = jobs.job(job.job_id)
        report = json.loads(jobs.report(job.job_id))
        bonuses = {
            line["rule_id"]: line["simulated_minor"]
            for line in report["cost"]
            if line["simulated_minor"] != line["paid_minor"]
        }
        fifths = {"fifth": self.referrals // EACH * BONUS} if "fifth" in str(job.settings) else {}
        if done is None or done.state != DONE or bonuses != fifths:
            raise ValueError("the simulation is wrong")
        merge_seconds = _seconds(lambda: self._merge(jobs, simulation, done))
        return Measured(
            name=name,
            referrals=report["referrals"],
            partners=report["partners"],
            rows=sum(len(self.client._table(each).rows) for each in (CORE,)),  # noqa: SLF001
            parts=dict(parts),
            chunk_mb=_peak_mb(lambda: self._work(jobs, simulation, done)),
            merge_mb=_peak_mb(lambda: self._merge(jobs, simulation, done)),
            merge_seconds=merge_seconds,
        )

    def _steps(self) -> Iterator[Step]:
        """Yield what each event asks for, until none is left."""
        while self._taken < len(self.client.changes):
            row = self.client.changes[self._taken].new_image or {}
            self._taken += 1
            if row.get(names.PK, {}).get("S", "").startswith(names.OUTBOX_PREFIX):
                envelope = json.loads(row["envelope"]["S"])
                data = envelope["data"]
                yield Step(
                    job_id=envelope["aggregate"]["id"], name=data["step"], number=data["number"]
                )

    def _run(self, jobs: Jobs, simulation: Simulation, step: Step, part: Part) -> None:
        run = JobRun(
            jobs,
            simulation,
            trigger=Trigger(correlation_id="req_1", causation_id="req_1", hops=0),
            now=_NOW,
            new_id=self._new_id,
            pause=lambda _attempt: None,
        )
        meter = Meter(client=self.client)
        seconds = _seconds(lambda: run.run(step))
        usage = meter.taken()
        self.client.calls.clear()
        part.steps += 1
        part.round_trips += usage.round_trips
        part.read_units += usage.read_units
        part.write_units += usage.write_units + usage.index_units
        part.seconds += seconds
        part.longest = max(part.longest, seconds)

    def _work(self, jobs: Jobs, simulation: Simulation, job: Job) -> None:
        chunk = jobs.chunk(job.job_id, 0)
        if chunk:
            simulation.work(job, chunk.referral_ids, lambda: False)

    def _merge(self, jobs: Jobs, simulation: Simulation, job: Job) -> None:
        simulation.merge(job, jobs.results(job), lambda: False)


def _seconds(run: Callable[[], object]) -> float:
    begun = time.process_time()
    run()
    return time.process_time() - begun


def _peak_mb(run: Callable[[], object]) -> float:
    tracemalloc.start()
    try:
        run()
        return tracemalloc.get_traced_memory()[1] / 1e6
    finally:
        tracemalloc.stop()


def client_seconds(bench: Bench, rounds: int) -> float:
    """Return the processor time of one query as boto3 makes it: all but the network."""
    partition, _ = keys.referral("ref_n0000000")
    values = {":p": {"S": partition}, ":s": {"S": "TRACE#"}}
    request: dict[str, Any] = {
        "TableName": CORE,
        "KeyConditionExpression": "#p = :p AND #s < :s",
        "ExpressionAttributeNames": {"#p": names.PK, "#s": names.SK},
        "ExpressionAttributeValues": values,
        "ConsistentRead": True,
    }
    answer = bench.client.query(**request)
    answer.pop("ResponseMetadata")
    body = json.dumps(answer).encode()
    client: Any = boto3.client(
        "dynamodb",
        region_name="us-east-1",
        aws_access_key_id="none",
        aws_secret_access_key="none",  # noqa: S106 - nothing leaves this process
    )
    client.meta.events.register(
        "before-send.dynamodb.Query", lambda request, **_: _answered(request.url, body)
    )

    def ask() -> None:
        for _ in range(rounds):
            client.query(**request)

    ask()
    return _seconds(ask) / rounds


def _answered(url: str, body: bytes) -> AWSResponse:
    headers: Any = {"content-type": "application/x-amz-json-1.0"}
    response: Any = AWSResponse(url, 200, headers, None)
    response._content = body  # noqa: SLF001 - there is no other way in
    answer: AWSResponse = response
    return answer


def own_seconds(bench: Bench, referrals: int) -> float:
    """Return our own processor time for one referral, without any store."""
    histories = Histories(client=bench.client, core=CORE)
    known = {
        referral_id: histories.history(referral_id)
        for referral_id in (f"ref_n{number:07d}" for number in range(referrals))
    }

    class Known:
        def history(self, referral_id: str) -> Any:  # noqa: ANN401 - as it was read
            return known[referral_id]

        def success_rewards(self, _partner_id: str, _program_id: str) -> Sequence[Any]:
            return ()

        def rate(self, *_: object) -> None:
            return None

    row = {"definition": json.dumps(bench.definition), "currency": "USD", "time_zone": "UTC"}
    job = Job(
        job_id="sim_x",
        program_id="prg_1",
        kind="simulation",
        settings={**row, "successes": False},
        requested_by="ann",
        requested_at=_NOW,
        updated_at=_NOW,
        mark="m",
    )
    simulation = Simulation(Known())
    return _seconds(lambda: simulation.work(job, tuple(known), lambda: False)) / referrals

"""A fault at any AWS call of a job's steps, then redelivery: the same outcome, and once."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from shared.adapters.dynamodb import keys
from shared.adapters.dynamodb.books import movements_of_book
from shared.adapters.dynamodb.programs import program_row, terms_row
from shared.adapters.dynamodb.simulations import Jobs
from shared.adapters.dynamodb.transactions import put, transact
from shared.domain import books
from shared.domain.errors import GoodwordError
from shared.domain.jobs import Step
from shared.domain.programs import Program, PublishedTerms
from shared.usecases.effects import Trigger
from shared.usecases.migrate_referrals import Migration, start_migration
from shared.usecases.post_rewards import post_rewards
from shared.usecases.run_job import JobRun, Worker
from shared.usecases.run_simulation import Simulation
from shared.usecases.start_simulation import start_simulation
from tests.builders.faults import FAULTS, Crash, at_call, raiser
from tests.builders.ledger import BOOKS, CORE, Stored
from tests.builders.money import DAY, START, Story

if TYPE_CHECKING:
    from collections.abc import Callable

RULE: dict[str, Any] = {
    "id": "commission",
    "beneficiary": "partner",
    "milestone": "won",
    "kind": "cash",
    "value": {"percent": "10", "of": "deal_amount"},
}
LIVE: dict[str, object] = {"name": "Live", "rules": [RULE]}
DRAFT: dict[str, object] = {
    "name": "Draft",
    "rules": [{**RULE, "value": {"percent": "15", "of": "deal_amount"}}],
}
NOW = START + DAY


class Office:
    """Three won deals, and a queue that hands out every event until it was handled."""

    def __init__(self) -> None:
        self.stored = Stored(LIVE)
        self.jobs = Jobs(client=self.stored.client, core=CORE)
        self.handled: set[str] = set()
        program = Program(program_id="prg_1", name="P", currency="USD", created_at=START)
        draft = PublishedTerms(
            program_id="prg_1", version=2, definition=DRAFT, effective_from=NOW, published_by="ann"
        )
        transact(
            self.stored.client,
            [
                put(CORE, keys.program("prg_1"), program_row(program)),
                put(CORE, keys.terms("prg_1", 2), terms_row(draft)),
            ],
        )
        for number in range(1, 4):
            story = Story(referral_id=f"ref_{number}", deal_id=f"D-{number}")
            story.submitted().reviewed("accepted").amount("100.00").stage("won")
            self.stored.submit(story)
            self.stored.settle(story)

    def simulate(self) -> str:
        job = start_simulation(
            self.jobs, "prg_1", DRAFT, since=START, until=START + 9 * DAY, **self._request()
        )
        return job.job_id

    def migrate(self) -> str:
        job = start_migration(
            self.jobs, "prg_1", 2, None, preview=False, no_decrease=True, **self._request()
        )
        return job.job_id

    def _request(self) -> dict[str, Any]:
        names = {"actor": "ann", "mark": "req_1", "correlation_id": "req_1"}
        return {**names, "now": NOW, "new_id": self.stored.new_id}

    def pump(self) -> None:
        for _ in range(100):
            waiting = [
                row
                for row in self.stored.client.dump()[CORE]
                if row["pk"].startswith("OUT#") and row["event_id"] not in self.handled
            ]
            for row in waiting:
                self.take(row)
                self.handled.add(row["event_id"])
            if not waiting:
                return
        raise AssertionError("events never end")

    def take(self, row: dict[str, Any]) -> None:
        envelope = json.loads(row["envelope"])
        subject = envelope["aggregate"]["id"]
        tools: dict[str, Any] = {
            "trigger": Trigger(correlation_id="evt_c", causation_id="evt_c", hops=0),
            "now": NOW,
            "new_id": self.stored.new_id,
            "pause": lambda _attempt: None,
        }
        ledger = self.stored.ledger
        if row["name"] == "FactsChanged":
            post_rewards(ledger, subject, **tools)
        if row["name"] in {"SimulationRequested", "MigrationRequested"}:
            worker: Worker = Simulation(ledger)
            if row["name"] == "MigrationRequested":
                worker = Migration(ledger, self.jobs, **tools)
            step = Step(
                job_id=subject, name=envelope["data"]["step"], number=envelope["data"]["number"]
            )
            JobRun(self.jobs, worker, **tools).run(step)

    def outcome(self, job_id: str) -> dict[str, Any]:
        job = self.jobs.job(job_id)
        assert job is not None
        rows = movements_of_book(self.stored.client, BOOKS, "ptr_1", "prg_1")
        book = self.stored.ledger.book("ptr_1", "prg_1")
        assert books.broken_at(rows) is None
        assert books.fold(rows) == book.balances
        events = [
            row["name"] for row in self.stored.client.dump()[CORE] if row["pk"].startswith("OUT#")
        ]
        return {
            "state": (job.state, job.chunks, job.done_chunks, job.done_referrals),
            "counts": dict(job.counts),
            "balances": dict(book.balances),
            "movements": len(rows),
            "report": self.jobs.report(job_id),
            "items": self.jobs.items(job_id, before="", limit=10),
            "events": sorted(events),
        }


@pytest.fixture(autouse=True)
def _small_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Simulation, "chunk_size", 2)
    monkeypatch.setattr(Migration, "chunk_size", 2)


def whole(start: Callable[[Office], str]) -> tuple[dict[str, Any], int]:
    office = Office()
    job_id = start(office)
    first = len(office.stored.client.calls)
    office.pump()
    calls = len(office.stored.client.calls) - first
    return office.outcome(job_id), calls


def survive(office: Office) -> None:
    """Pump as the queue does: what failed comes again."""
    try:
        office.pump()
    except (Crash, GoodwordError):
        office.stored.client.before.clear()
        office.stored.client.after.clear()
        office.pump()


@pytest.mark.parametrize("start", [Office.simulate, Office.migrate])
@pytest.mark.parametrize("kind", FAULTS)
def test_fault_at_every_call_then_redelivery(start: Callable[[Office], str], kind: str) -> None:
    expected, calls = whole(start)
    assert "done" == expected["state"][0]
    assert 3 == expected["state"][3]
    assert calls > 20
    place, make = FAULTS[kind]
    for point in range(calls):
        office = Office()
        job_id = start(office)
        getattr(office.stored.client, place)["*"] = at_call(point, raiser(make))
        survive(office)
        office.handled.clear()
        office.pump()
        assert expected == office.outcome(job_id), f"{kind} at call {point}"


def test_migration_pays_the_difference_once() -> None:
    expected, _ = whole(Office.migrate)

    assert {"expense|cash|USD": -4_500, "pending|cash|USD": 4_500} == expected["balances"]
    assert (6, {"migrated": 3}) == (expected["movements"], expected["counts"])


def test_simulation_leaves_the_books_alone() -> None:
    expected, _ = whole(Office.simulate)

    assert {"expense|cash|USD": -3_000, "pending|cash|USD": 3_000} == expected["balances"]
    assert 4_500 == json.loads(expected["report"])["simulated_minor"]
    assert 3_000 == json.loads(expected["report"])["paid_minor"]


@pytest.mark.parametrize("start", [Office.simulate, Office.migrate])
def test_another_run_between_any_two_calls_changes_nothing(start: Callable[[Office], str]) -> None:
    """The same event twice at the same time, and the other lane's chunk in between."""
    expected, calls = whole(start)
    for point in range(calls):
        office = Office()
        job_id = start(office)
        office.stored.client.before["*"] = at_call(point, office.pump)
        survive(office)
        office.stored.client.before.clear()
        office.pump()
        found = office.outcome(job_id)
        assert expected["balances"] == found["balances"]
        assert expected["state"] == found["state"]
        assert expected["counts"] == found["counts"]
        assert expected["report"] == found["report"]
        assert expected["movements"] == found["movements"]

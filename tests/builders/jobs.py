"""Three won deals, jobs over them, and a queue that hands out every event until it was handled."""

from __future__ import annotations

import json
from copy import copy
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from shared.adapters.dynamodb import keys
from shared.adapters.dynamodb.books import movements_of_book
from shared.adapters.dynamodb.codec import from_wire
from shared.adapters.dynamodb.histories import Histories
from shared.adapters.dynamodb.migrations import Migrations
from shared.adapters.dynamodb.programs import program_row, terms_row
from shared.adapters.dynamodb.simulations import Jobs
from shared.adapters.dynamodb.transactions import put, transact
from shared.domain import books
from shared.domain.jobs import Job, Step
from shared.domain.programs import Program, PublishedTerms
from shared.usecases.control_jobs import cancel_job, fail_job, resume_job
from shared.usecases.effects import Trigger
from shared.usecases.migrate_referrals import Migration, start_migration
from shared.usecases.post_rewards import post_rewards
from shared.usecases.run_job import LANES, JobRun, Worker
from shared.usecases.run_simulation import Simulation
from shared.usecases.settle_partner import settle_partner
from shared.usecases.start_simulation import start_simulation
from tests.builders.ledger import BOOKS, CORE, Stored
from tests.builders.money import DAY, START, Story
from tests.fakes.memory_dynamodb import MemoryDynamo

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

RULE: dict[str, Any] = {
    "id": "commission",
    "beneficiary": "partner",
    "milestone": "won",
    "kind": "cash",
    "value": {"percent": "10", "of": "deal_amount"},
}
LIVE: dict[str, Any] = {"name": "Live", "rules": [RULE]}
DRAFT: dict[str, Any] = {
    "name": "Draft",
    "rules": [{**RULE, "value": {"percent": "15", "of": "deal_amount"}}],
}
NOW = START + DAY


class Office:
    """A programme with ``deals`` won under ``live``; ``draft`` is its second version."""

    def __init__(
        self,
        live: dict[str, Any] = LIVE,
        draft: dict[str, Any] = DRAFT,
        *,
        deals: int = 3,
        partners: int = 1,
    ) -> None:
        self.stored = Stored(live)
        self.draft = draft
        self.now = NOW
        self.jobs = Jobs(client=self.stored.client, core=CORE)
        self.migrations = Migrations(client=self.stored.client, core=CORE)
        self.handled: set[str] = set()
        self.out_of_time: Callable[[], bool] = lambda: False
        program = Program(
            program_id="prg_1", name="P", currency="USD", created_at=START, terms_version=2
        )
        published = [
            PublishedTerms(
                program_id="prg_1",
                version=version,
                definition=definition,
                effective_from=START,
                published_by="ann",
            )
            for version, definition in enumerate((live, draft), 1)
        ]
        rows = [put(CORE, keys.terms("prg_1", each.version), terms_row(each)) for each in published]
        rows.append(put(CORE, keys.program("prg_1"), program_row(program)))
        transact(self.stored.client, rows)
        for number in range(1, partners + 1):
            self.stored.enrol(f"ptr_{number}")
        for number in range(1, deals + 1):
            self.win(number, f"ptr_{number % partners + 1}")
        for number in range(1, partners + 1):
            self.stored.settle_partner(f"ptr_{number}")

    def copied(self) -> Office:
        """Returns an office of its own with the same rows, for much less than a new one takes."""
        other = copy(self)
        other.stored = copy(self.stored)
        other.stored.client = MemoryDynamo()
        for name, table in self.stored.client._tables.items():
            other.stored.client._tables[name] = replace(table, rows=dict(table.rows))
        other.jobs = Jobs(client=other.stored.client, core=CORE)
        other.migrations = Migrations(client=other.stored.client, core=CORE)
        other.handled = set(self.handled)
        return other

    def win(self, number: int, partner_id: str = "ptr_1") -> Story:
        story = Story(referral_id=f"ref_{number}", deal_id=f"D-{number}", partner_id=partner_id)
        story.submitted().reviewed("accepted").amount("100.00").stage("won")
        self.stored.submit(story)
        self.stored.settle(story)
        return story

    def simulate(self) -> str:
        job = start_simulation(
            self.jobs, "prg_1", self.draft, since=START, until=START + 9 * DAY, **self._request()
        )
        return job.job_id

    def migrate(self, *, referrals: list[str] | None = None, **options: bool) -> str:
        wanted: dict[str, Any] = {"preview": False, "no_decrease": True, **options}
        job = start_migration(self.jobs, "prg_1", 2, referrals, **wanted, **self._request())
        return job.job_id

    def _request(self) -> dict[str, Any]:
        names = {"actor": "ann", "mark": "req_1", "correlation_id": "req_1"}
        return {**names, "now": self.now, "new_id": self.stored.new_id}

    def job(self, job_id: str) -> Job:
        job = self.jobs.job(job_id)
        assert job is not None
        return job

    def resume(self, job_id: str, now: datetime | None = None) -> Job:
        return resume_job(
            self.jobs,
            self.job(job_id),
            lanes=LANES,
            now=now or self.now,
            new_id=self.stored.new_id,
            correlation_id="req_2",
        )

    def cancel(self, job_id: str) -> Job:
        return cancel_job(self.jobs, self.job(job_id), now=self.now)

    def waiting(self) -> list[dict[str, Any]]:
        """Returns the stored events that were not handled."""
        # Not from a dump, which decodes every row: this is asked for again and again.
        rows = self.stored.client._table(CORE).rows
        return [
            from_wire(row)
            for (pk, _), row in sorted(rows.items())
            if pk.startswith("OUT#") and pk.removeprefix("OUT#") not in self.handled
        ]

    def pump(self, rounds: int = 100) -> None:
        for _ in range(rounds):
            waiting = self.waiting()
            for row in waiting:
                self.take(row)
                self.handled.add(row["event_id"])
            if not waiting:
                return
        if rounds == 100:
            raise AssertionError("events never end")

    def give_up(self, error: Exception) -> None:
        """Sets every waiting step of a job aside, as the queue does after the last try."""
        for row in self.waiting():
            if row["name"] in {"SimulationRequested", "MigrationRequested"}:
                fail_job(self.jobs, step_of(row), error, now=self.now)
                self.handled.add(row["event_id"])

    def take(self, row: dict[str, Any]) -> None:
        aggregate = json.loads(row["envelope"])["aggregate"]
        tools: dict[str, Any] = {
            "trigger": Trigger(correlation_id="evt_c", causation_id="evt_c", hops=0),
            "now": self.now,
            "new_id": self.stored.new_id,
            "pause": lambda _attempt: None,
        }
        ledger = self.stored.ledger
        if row["name"] == "FactsChanged" and aggregate["type"] == "partner":
            settle_partner(ledger, aggregate["id"], "prg_1", **tools)
        elif row["name"] == "FactsChanged":
            post_rewards(ledger, aggregate["id"], **tools)
        if row["name"] in {"SimulationRequested", "MigrationRequested"}:
            worker: Worker = Simulation(Histories(client=self.stored.client, core=CORE))
            if row["name"] == "MigrationRequested":
                worker = Migration(ledger, self.migrations, **tools)
            run = JobRun(self.jobs, worker, **tools, out_of_time=self.out_of_time)
            run.run(step_of(row))

    def outcome(self, job_id: str) -> dict[str, Any]:
        job = self.job(job_id)
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
            "partners": self.jobs.page(job, 0),
            "items": self.migrations.items(job_id, before="", limit=10),
            "events": sorted(events),
        }


def step_of(row: dict[str, Any]) -> Step:
    """Returns the step that an event asks for."""
    envelope = json.loads(row["envelope"])
    return Step(
        job_id=envelope["aggregate"]["id"],
        name=envelope["data"]["step"],
        number=envelope["data"]["number"],
    )

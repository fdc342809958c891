"""Routes of long jobs: simulations of draft terms, and migrations to other terms."""

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import Field

from functions.manage_program import paging, views
from functions.manage_program.calls import Answer, Call
from functions.manage_program.documents import definition_in, json_body
from functions.manage_program.schema import Id, Label, Shape, moment, read
from shared.domain.errors import NotFoundError, invalid
from shared.domain.jobs import DONE, FAILED, MIGRATION, SIMULATION, Job
from shared.domain.migration import OF_PARTNERS, Item, RewardChange
from shared.domain.money import money_json
from shared.usecases.control_jobs import cancel_job, resume_job
from shared.usecases.migrate_referrals import MAX_NAMED, start_migration
from shared.usecases.run_job import LANES
from shared.usecases.run_simulation import LINES
from shared.usecases.start_simulation import start_simulation


class NewSimulation(Shape):
    """``POST /programs/{id}/simulations``; the definition is read by the domain."""

    definition: Any
    since: Label = Field(alias="from")
    until: Label = Field(alias="to")


class NewMigration(Shape):
    """``POST /programs/{id}/migrations``."""

    to_version: Annotated[int, Field(ge=1, le=999_999)]
    referrals: Annotated[list[Id], Field(min_length=1, max_length=MAX_NAMED)] | Literal["all"]
    preview: bool
    no_decrease: bool = True


def simulate(call: Call) -> Answer:
    """Start a simulation; what it found is there to be polled."""
    body = read(NewSimulation, json_body(call.event))
    since, until = moment(body.since, "from"), moment(body.until, "to")
    if since is None or until is None:
        raise invalid("from", "required", "is required")
    job = start_simulation(
        call.services.jobs,
        call.id_of("program_id"),
        definition_in(body.definition, "definition"),
        since=since,
        until=until,
        actor=call.key.principal,
        now=call.now,
        new_id=call.new_id,
        mark=call.mark,
        correlation_id=call.request_id,
    )
    return Answer(status=202, body=_simulation(call, job))


def show_simulation(call: Call) -> Answer:
    """Show how far a simulation came, and what it found once it is done."""
    job = _job(call, SIMULATION)
    return Answer(status=200, body=_simulation(call, job))


def page_of_partners(call: Call) -> Answer:
    """List the partners whom a simulation found to win or lose, the most at stake first."""
    query = call.query(*paging.PAGING)
    start, limit = int(paging.after_of(call, query) or 0), paging.limit_of(query)
    job = _job(call, SIMULATION)
    rows: list[Any] = []
    if job.state == DONE:
        # One more than asked for tells whether there is a next page.
        for number in range(start // LINES, (start + limit) // LINES + 1):
            rows += json.loads(call.services.jobs.page(job, number) or "[]")
    begin = start % LINES
    shown = rows[begin : begin + limit]
    names = ("partner_id", "simulated_minor", "paid_minor")
    lines = [dict(zip(names, row, strict=True)) for row in shown]
    currency = job.settings["currency"]
    after = str(start + limit) if len(rows) > begin + limit else ""
    return paging.listed(call, query, [_partner(line, currency) for line in lines], after)


def cancel_simulation(call: Call) -> Answer:
    """Stop a simulation for good."""
    job = cancel_job(call.services.jobs, _job(call, SIMULATION), now=call.now)
    return Answer(status=200, body=_simulation(call, job))


def resume_simulation(call: Call) -> Answer:
    """Let a simulation that failed or stalled go on where it stood."""
    return Answer(status=202, body=_simulation(call, _resumed(call, SIMULATION)))


def migrate(call: Call) -> Answer:
    """Start a migration, or with ``preview`` only find what it would change."""
    body = read(NewMigration, json_body(call.event))
    job = start_migration(
        call.services.jobs,
        call.id_of("program_id"),
        body.to_version,
        None if body.referrals == "all" else body.referrals,
        preview=body.preview,
        no_decrease=body.no_decrease,
        actor=call.key.principal,
        now=call.now,
        new_id=call.new_id,
        mark=call.mark,
        correlation_id=call.request_id,
    )
    return Answer(status=202, body=_migration(call, job))


def show_migration(call: Call) -> Answer:
    """Show how far a migration came, and a page of what it does to partners and referrals."""
    query = call.query(*paging.PAGING)
    before, limit = paging.after_of(call, query), paging.limit_of(query)
    job = _job(call, MIGRATION)
    # One more than asked for tells whether there is a next page.
    found = call.services.migrations.items(job.job_id, before=before, limit=limit + 1)
    shown = found[:limit]
    place = shown[-1].place if len(found) > limit else ""
    page = paging.listed(call, query, [_item(each) for each in shown], place)
    return Answer(status=200, body={**_migration(call, job), **page.body})


def cancel_migration(call: Call) -> Answer:
    """Stop a migration for good; what it moved stays moved."""
    job = cancel_job(call.services.jobs, _job(call, MIGRATION), now=call.now)
    return Answer(status=200, body=_migration(call, job))


def resume_migration(call: Call) -> Answer:
    """Let a migration that failed or stalled go on where it stood."""
    return Answer(status=202, body=_migration(call, _resumed(call, MIGRATION)))


def _resumed(call: Call, kind: str) -> Job:
    return resume_job(
        call.services.jobs,
        _job(call, kind),
        lanes=LANES,
        now=call.now,
        new_id=call.new_id,
        correlation_id=call.request_id,
    )


def _job(call: Call, kind: str) -> Job:
    job = call.services.jobs.job(call.id_of("job_id"))
    if job is None or (job.program_id, job.kind) != (call.id_of("program_id"), kind):
        raise NotFoundError
    return job


def _progress(call: Call, job: Job) -> views.Json:
    failure = None
    if job.state == FAILED:
        at = views.time_of(job.updated_at)
        failure = {"at": at, "step": job.failed_step, "reason": job.failed_for}
    return {
        "id": job.job_id,
        "program_id": job.program_id,
        "status": job.status(call.now),
        "failure": failure,
        "requested_by": job.requested_by,
        "requested_at": views.time_of(job.requested_at),
        "updated_at": views.time_of(job.updated_at),
        # The totals grow until planning is over.
        "progress": {
            "referrals": job.referrals,
            "referrals_done": job.done_referrals,
            "chunks": job.chunks,
            "chunks_done": job.done_chunks,
        },
    }


def _simulation(call: Call, job: Job) -> views.Json:
    report = call.services.jobs.report(job.job_id) if job.state == DONE else ""
    return {
        **_progress(call, job),
        "from": views.time_of(datetime.fromisoformat(job.settings["from"])),
        "to": views.time_of(datetime.fromisoformat(job.settings["to"])),
        "result": _report(json.loads(report), job) if report else None,
    }


def _compared(line: Mapping[str, Any], currency: str) -> views.Json:
    simulated, paid = line["simulated_minor"], line["paid_minor"]
    return {
        "simulated": money_json(simulated, currency),
        "paid": money_json(paid, currency),
        "delta": money_json(simulated - paid, currency),
    }


def _partner(line: Mapping[str, Any], currency: str) -> views.Json:
    return {"partner_id": line["partner_id"], **_compared(line, currency)}


def _report(found: Mapping[str, Any], job: Job) -> views.Json:
    currency = job.settings["currency"]
    return {
        **_compared(found, currency),
        "benefits_worth": money_json(found["worth_minor"], currency),
        "referrals": found["referrals"],
        # These count nowhere: what they would have given or were paid is not known.
        "unreadable": {
            "count": job.counts.get("unreadable", 0),
            "referral_ids": found["unreadable"],
        },
        "partners": found["partners"],
        "cost": [
            {
                "rule_id": line["rule_id"],
                "month": line["month"],
                **_compared(line, currency),
                "benefits": line["benefits"],
                "benefits_worth": money_json(line["worth_minor"], currency),
            }
            for line in found["cost"]
        ],
        "partners_winning": found["winning"],
        "partners_losing": found["losing"],
        "winners": [_partner(line, currency) for line in found["winners"]],
        "losers": [_partner(line, currency) for line in found["losers"]],
        "caps": [
            {
                "cap_id": line["cap_id"],
                "scope": line["scope"],
                "period": line["period"],
                "cut": money_json(line["cut_minor"], currency),
                "rewards": line["rewards"],
                "holders": line["holders"],
            }
            for line in found["caps"]
        ],
    }


def _migration(call: Call, job: Job) -> views.Json:
    return {
        **_progress(call, job),
        "to_version": job.settings["to_version"],
        "preview": job.settings["preview"],
        "no_decrease": job.settings["no_decrease"],
        "outcomes": {
            name: count for name, count in job.counts.items() if not name.startswith(OF_PARTNERS)
        },
        "partner_outcomes": {
            name.removeprefix(OF_PARTNERS): count
            for name, count in job.counts.items()
            if name.startswith(OF_PARTNERS)
        },
    }


def _item(found: Item) -> views.Json:
    return {
        "referral_id": found.referral_id or None,
        "partner_id": found.partner_id or None,
        "outcome": found.outcome,
        "from_version": found.from_version or None,
        "changes": [_change(each) for each in found.changes],
        "changes_left_out": found.left_out,
    }


def _change(found: RewardChange) -> views.Json:
    amounts: views.Json = {"before": None, "after": None, "change": None}
    if found.before_minor is not None and found.after_minor is not None:
        amounts = {
            "before": money_json(found.before_minor, found.currency),
            "after": money_json(found.after_minor, found.currency),
            "change": money_json(found.after_minor - found.before_minor, found.currency),
        }
    return {
        "rule_id": found.rule_id,
        "occurrence": found.occurrence,
        "beneficiary": found.role,
        "holder_id": found.holder_id,
        "kind": found.kind,
        **amounts,
        "state_before": found.before_state or None,
        "state_after": found.after_state,
    }

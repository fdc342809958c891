"""Routes of long jobs: simulations of draft terms, and migrations to other terms."""

import json
from typing import Annotated, Any, Literal

from pydantic import Field

from functions.manage_program import paging, views
from functions.manage_program.calls import Answer, Call
from functions.manage_program.documents import definition_in, json_body
from functions.manage_program.schema import Id, Label, Shape, moment, read
from shared.domain.errors import NotFoundError, invalid
from shared.domain.jobs import DONE, MIGRATION, SIMULATION, Job
from shared.domain.migration import Item, RewardChange
from shared.domain.money import money_json
from shared.usecases.migrate_referrals import MAX_NAMED, start_migration
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
    return Answer(status=202, body=_simulation(job, ""))


def show_simulation(call: Call) -> Answer:
    """Show how far a simulation came, and what it found once it is done."""
    job = _job(call, SIMULATION)
    report = call.services.jobs.report(job.job_id) if job.state == DONE else ""
    return Answer(status=200, body=_simulation(job, report))


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
    return Answer(status=202, body=_migration(job))


def show_migration(call: Call) -> Answer:
    """Show how far a migration came, and a page of what it does to each referral."""
    query = call.query(*paging.PAGING)
    before, limit = paging.after_of(call, query), paging.limit_of(query)
    job = _job(call, MIGRATION)
    # One more than asked for tells whether there is a next page.
    found = call.services.jobs.items(job.job_id, before=before, limit=limit + 1)
    shown = found[:limit]
    place = shown[-1].referral_id if len(found) > limit else ""
    page = paging.listed(call, query, [_item(each) for each in shown], place)
    return Answer(status=200, body={**_migration(job), **page.body})


def _job(call: Call, kind: str) -> Job:
    job = call.services.jobs.job(call.id_of("job_id"))
    if job is None or (job.program_id, job.kind) != (call.id_of("program_id"), kind):
        raise NotFoundError
    return job


def _progress(job: Job) -> views.Json:
    return {
        "id": job.job_id,
        "program_id": job.program_id,
        "status": job.state,
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


def _simulation(job: Job, report: str) -> views.Json:
    return {
        **_progress(job),
        "from": job.settings["from"],
        "to": job.settings["to"],
        "result": _report(json.loads(report), job.settings["currency"]) if report else None,
    }


def _report(found: Any, currency: str) -> views.Json:  # noqa: ANN401 - as the report was written
    def compared(line: Any) -> views.Json:  # noqa: ANN401 - any line with both amounts
        simulated, paid = line["simulated_minor"], line["paid_minor"]
        return {
            "simulated": money_json(simulated, currency),
            "paid": money_json(paid, currency),
            "delta": money_json(simulated - paid, currency),
        }

    def partner(line: Any) -> views.Json:  # noqa: ANN401 - a line of the report
        return {"partner_id": line["partner_id"], **compared(line)}

    return {
        **compared(found),
        "benefits_worth": money_json(found["worth_minor"], currency),
        "referrals": found["referrals"],
        "partners": found["partners"],
        "cost": [
            {
                "rule_id": line["rule_id"],
                "month": line["month"],
                **compared(line),
                "benefits": line["benefits"],
                "benefits_worth": money_json(line["worth_minor"], currency),
            }
            for line in found["cost"]
        ],
        "partners_winning": found["winning"],
        "partners_losing": found["losing"],
        "winners": [partner(line) for line in found["winners"]],
        "losers": [partner(line) for line in found["losers"]],
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


def _migration(job: Job) -> views.Json:
    return {
        **_progress(job),
        "to_version": job.settings["to_version"],
        "preview": job.settings["preview"],
        "no_decrease": job.settings["no_decrease"],
        "outcomes": dict(job.counts),
    }


def _item(found: Item) -> views.Json:
    return {
        "referral_id": found.referral_id,
        "outcome": found.outcome,
        "from_version": found.from_version or None,
        "changes": [_change(each) for each in found.changes],
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

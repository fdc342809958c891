"""Routes of programmes and terms."""

import re
from typing import Any, Final

from functions.manage_program import paging, views
from functions.manage_program.calls import Answer, Call
from functions.manage_program.destinations import landing_host, web_address, web_origin
from functions.manage_program.documents import definition_body, json_body
from functions.manage_program.schema import NewProgram, ProgramChanges, given, read
from shared.adapters.dynamodb import lists
from shared.adapters.dynamodb.programs import program_from
from shared.domain.errors import NotFoundError, invalid
from shared.domain.programs import Program
from shared.usecases.manage_programs import (
    change_program,
    check_terms,
    create_program,
    publish_terms,
    read_program,
)

_VERSION: Final = re.compile(r"[1-9][0-9]{0,5}")


def create(call: Call) -> Answer:
    """Create a programme, and the signing keys with the first one."""
    fields = _addresses(given(read(NewProgram, json_body(call.event))))
    minted = call.new_id("prg")
    program_id = fields.pop("id", None) or minted
    call.services.ensure_keyrings(call.now)
    program = create_program(
        call.services.programs,
        Program(program_id=program_id, created_at=call.now, **fields),
        mark=call.mark,
    )
    return Answer(status=201, body=views.program(program))


def page(call: Call) -> Answer:
    """List programmes, newest first."""
    query = call.query(*paging.PAGING)
    found = call.services.lists.page(
        lists.PROGRAMS,
        lists.EVERYWHERE,
        after=paging.after_of(call, query),
        limit=paging.limit_of(query),
    )
    return paging.answer(call, query, found, lambda row: views.program(program_from(row)))


def show(call: Call) -> Answer:
    """Show one programme."""
    program = read_program(call.services.programs, call.id_of("program_id"))
    return Answer(status=200, body=views.program(program))


def change(call: Call) -> Answer:
    """Change some fields of a programme."""
    fields = _addresses(given(read(ProgramChanges, json_body(call.event))))
    program = change_program(call.services.programs, call.id_of("program_id"), fields)
    return Answer(status=200, body=views.program(program))


def publish(call: Call) -> Answer:
    """Publish the next version of the terms, or only check it with ``?dry_run=true``."""
    dry_run = call.query("dry_run").get("dry_run", "false")
    if dry_run not in ("true", "false"):
        raise invalid("dry_run", "not_allowed", "must be true or false")
    program_id = call.id_of("program_id")
    definition = definition_body(call.event)
    if dry_run == "true":
        checked = check_terms(call.services.programs, program_id, definition)
        return Answer(
            status=200,
            body={
                "version": checked.version,
                "effective_from": None,
                "warnings": list(checked.warnings),
                "changes": list(checked.changes),
                "dry_run": True,
            },
        )
    terms, checked = publish_terms(
        call.services.programs,
        program_id,
        definition,
        principal=call.key.principal,
        now=call.now,
        mark=call.mark,
    )
    return Answer(
        status=201,
        body={
            "version": terms.version,
            "effective_from": views.time_of(terms.effective_from),
            "warnings": list(checked.warnings),
            "changes": list(checked.changes),
        },
    )


def versions(call: Call) -> Answer:
    """List the versions of a programme's terms, newest first, without their definitions."""
    query = call.query(*paging.PAGING)
    limit = paging.limit_of(query)
    program = read_program(call.services.programs, call.id_of("program_id"))
    after = paging.after_of(call, query)
    found = call.services.programs.versions(
        program.program_id, before=int(after) if after else program.terms_version + 1, limit=limit
    )
    more = bool(found) and found[-1].version > 1
    return paging.listed(
        call,
        query,
        [views.terms(version, whole=False) for version in found],
        str(found[-1].version) if more else "",
    )


def version(call: Call) -> Answer:
    """Show one version of a programme's terms as it was written."""
    text = call.id_of("version")
    if not _VERSION.fullmatch(text):
        raise NotFoundError
    found = call.services.programs.terms(call.id_of("program_id"), int(text))
    if found is None:
        raise NotFoundError
    return Answer(status=200, body=views.terms(found, whole=True))


def _addresses(fields: dict[str, Any]) -> dict[str, Any]:
    for name in ("thank_you_url", "fallback_url"):
        if name in fields:
            fields[name] = web_address(fields[name], name)
    for name, check in (("landing_hosts", landing_host), ("allowed_origins", web_origin)):
        if name in fields:
            fields[name] = tuple(
                check(text, f"{name}[{place}]") for place, text in enumerate(fields[name])
            )
    return fields

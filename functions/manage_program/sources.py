"""Routes of webhook sources. Their secrets are shown once."""

import secrets
from typing import Final

from functions.manage_program import paging, views
from functions.manage_program.calls import Answer, Call
from functions.manage_program.documents import json_body
from functions.manage_program.schema import NewSource, SourceChanges, given, read
from shared.adapters.dynamodb import lists
from shared.adapters.dynamodb.sources import source_from
from shared.domain.errors import invalid
from shared.domain.sources import Source
from shared.domain.stages import parse_stage_map
from shared.usecases.manage_sources import (
    change_source,
    check_secret,
    create_source,
    generated_secret,
    read_source,
)

SECRET_BYTES: Final = 32


def create(call: Call) -> Answer:
    """Create a source; a replay of the request answers ``"secret": null``."""
    body = read(NewSource, json_body(call.event))
    secret = body.secret
    if secret is None:
        secret = generated_secret(body.kind, secrets.token_bytes(SECRET_BYTES))
    check_secret(body.kind, secret)
    source_id = call.new_id("src")
    wanted = Source(
        source_id=source_id,
        program_id=body.program_id,
        kind=body.kind,
        name=body.name,
        stage_map=parse_stage_map(body.stage_map),
        default_currency=body.default_currency,
        amount_is=body.amount_is,
        secrets=(call.services.encrypt(secret, source_id),),
        created_at=call.now,
    )
    source = create_source(call.services.sources, call.services.programs, wanted, mark=call.mark)
    shown = views.source(source, call.services.api_url)
    told = secret if source.secrets == wanted.secrets else None
    return Answer(status=201, body={**shown, "secret": told}, kept={**shown, "secret": None})


def show(call: Call) -> Answer:
    """Show a source without its secret."""
    source = read_source(call.services.sources, call.id_of("source_id"))
    return Answer(status=200, body=views.source(source, call.services.api_url))


def change(call: Call) -> Answer:
    """Change some fields of a source; then replay what was parked for them."""
    fields = given(read(SourceChanges, json_body(call.event)))
    if "stage_map" in fields:
        fields["stage_map"] = parse_stage_map(fields["stage_map"])
    source = change_source(call.services.sources, call.id_of("source_id"), fields)
    return Answer(status=200, body=views.source(source, call.services.api_url))


def page(call: Call) -> Answer:
    """List the sources of a programme, newest first, without their secrets."""
    query = call.query("program_id", *paging.PAGING)
    if "program_id" not in query:
        raise invalid("program_id", "required", "give program_id")
    found = call.services.lists.page(
        lists.SOURCES,
        query["program_id"],
        after=paging.after_of(call, query),
        limit=paging.limit_of(query),
    )
    return paging.answer(
        call, query, found, lambda row: views.source(source_from(row), call.services.api_url)
    )

"""Routes of short links."""

from collections.abc import Callable
from typing import Final

from functions.manage_program import paging, views
from functions.manage_program.calls import Answer, Call, bytes_of_request
from functions.manage_program.destinations import check_destination
from functions.manage_program.documents import json_body
from functions.manage_program.schema import NewLink, moment, read
from shared.adapters.dynamodb import lists
from shared.adapters.dynamodb.codec import Item
from shared.adapters.dynamodb.link_rows import link_from
from shared.domain.errors import ConflictError, invalid
from shared.domain.links import CODE_RANDOM_BYTES, Link, new_code
from shared.usecases.manage_links import create_link

CODE_TRIES: Final = 3


def create(call: Call) -> Answer:
    """Create a link under the wanted code, or under a fresh one."""
    body = read(NewLink, json_body(call.event))
    expires_at = moment(body.expires_at, "expires_at")

    def attempt(code: str) -> Link:
        wanted = Link(
            code=code,
            program_id=body.program_id,
            partner_id=body.partner_id,
            destination=body.destination,
            utm=body.utm,
            campaign=body.campaign,
            asset=body.asset,
            expires_at=expires_at,
            created_at=call.now,
        )
        return create_link(
            call.services.links,
            call.services.programs,
            call.services.partners,
            wanted,
            check_destination=check_destination,
            now=call.now,
            mark=call.mark,
        )

    link = attempt(body.code) if body.code is not None else _under_fresh_code(call, attempt)
    return Answer(status=201, body=views.link(link, call.services.short_url))


def _under_fresh_code(call: Call, attempt: Callable[[str], Link]) -> Link:
    for place in range(CODE_TRIES):
        code = new_code(bytes_of_request(call.mark, place, CODE_RANDOM_BYTES))
        try:
            return attempt(code)
        except ConflictError as error:
            if error.code != "code_taken":
                raise
    raise ConflictError("code_taken", "no free code was found; try again")


def page(call: Call) -> Answer:
    """List the links of a programme or of a partner, newest first."""
    query = call.query("program_id", "partner_id", *paging.PAGING)
    after, limit = paging.after_of(call, query), paging.limit_of(query)
    program_id = query.get("program_id")
    if "partner_id" in query:
        found = call.services.lists.of_partner(
            lists.LINKS, query["partner_id"], after=after, limit=limit
        )
    elif program_id:
        found = call.services.lists.page(lists.LINKS, program_id, after=after, limit=limit)
    else:
        raise invalid("program_id", "required", "give program_id or partner_id")

    def view(row: Item) -> views.Json | None:
        if program_id and row["program_id"] != program_id:
            return None
        return views.link(link_from(row), call.services.short_url)

    return paging.answer(call, query, found, view)

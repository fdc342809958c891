"""Routes of short links."""

from collections.abc import Callable
from typing import Final

from functions.manage_program import paging, views
from functions.manage_program.calls import Answer, Call, bytes_of_request
from functions.manage_program.destinations import check_destination
from functions.manage_program.documents import json_body
from functions.manage_program.schema import LinkChanges, NewLink, given, moment, read
from shared.adapters.dynamodb import lists
from shared.adapters.dynamodb.codec import Item
from shared.adapters.dynamodb.link_rows import link_from
from shared.domain.errors import ConflictError, InvalidFieldsError, NotFoundError, invalid
from shared.domain.link_rules import MAX_CLICK_CAP
from shared.domain.links import CODE_RANDOM_BYTES, Link, new_code, parse_code
from shared.usecases.manage_links import (
    LinkStores,
    change_link,
    create_link,
    read_link,
    retire_link,
)

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
            own_utm=body.utm,
            campaign=body.campaign,
            asset=body.asset,
            precedence=body.precedence,
            add_via=body.add_via,
            expires_at=expires_at,
            click_cap=_cap(body.click_cap),
            created_at=call.now,
        )
        return create_link(_stores(call), wanted, now=call.now, mark=call.mark)

    link = attempt(body.code) if body.code is not None else _under_fresh_code(call, attempt)
    return Answer(status=201, body=views.link(link, call.services.short_url))


def show(call: Call) -> Answer:
    """Show one link, also a retired one."""
    link = read_link(call.services.links, code_of(call))
    return Answer(status=200, body=views.link(link, call.services.short_url))


def change(call: Call) -> Answer:
    """Change some fields of a link."""
    changes = given(read(LinkChanges, json_body(call.event)))
    if "utm" in changes:
        changes["own_utm"] = changes.pop("utm")
    if "expires_at" in changes:
        changes["expires_at"] = moment(changes["expires_at"], "expires_at")
    if "click_cap" in changes:
        changes["click_cap"] = _cap(changes["click_cap"])
    link = change_link(_stores(call), code_of(call), changes, now=call.now)
    return Answer(status=200, body=views.link(link, call.services.short_url))


def retire(call: Call) -> Answer:
    """Retire a link; doing it again changes nothing."""
    link = retire_link(call.services.links, code_of(call), now=call.now)
    return Answer(status=200, body=views.link(link, call.services.short_url))


def _cap(wish: int | None) -> int:
    """Return a cap as links keep it, where 0 is none; nobody can ask for that figure."""
    if wish == 0:
        raise invalid("click_cap", "out_of_range", f"must be 1 to {MAX_CLICK_CAP}")
    return wish or 0


def code_of(call: Call) -> str:
    """Return the code in the path.

    Raises:
        NotFoundError: when it can't be one.
    """
    try:
        return parse_code(call.id_of("code"))
    except InvalidFieldsError as error:
        raise NotFoundError from error


def _stores(call: Call) -> LinkStores:
    return LinkStores(
        links=call.services.links,
        programs=call.services.programs,
        partners=call.services.partners,
        check_destination=check_destination,
    )


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

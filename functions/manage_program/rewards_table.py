"""The table of rewards: for those who manage a programme, and for everybody if it says so."""

import base64
import hashlib
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any, Final

from functions.manage_program.calls import Answer, Call
from functions.manage_program.services import Services
from shared.domain.errors import NotFoundError
from shared.domain.programs import Program
from shared.domain.rewards_table import STYLE, notes, rewards_page, rewards_table
from shared.runtime.http import JSON_TYPE
from shared.usecases.manage_programs import newest_terms, read_program

_HTML: Final = "text/html"
_STYLE_HASH: Final = base64.b64encode(hashlib.sha256(STYLE.encode()).digest()).decode()
_PAGE_HEADERS: Final = {
    "content-type": f"{_HTML}; charset=utf-8",
    "content-security-policy": (
        f"default-src 'none'; style-src 'sha256-{_STYLE_HASH}'; frame-ancestors 'none'"
    ),
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
}
_UNPUBLISHED: Final = ("draft", "closed")
MAX_AGE: Final = 300


def show(call: Call) -> Answer:
    """Show the table of the newest terms: a page if the caller accepts HTML, else JSON."""
    call.query()
    program = read_program(call.services.programs, call.id_of("program_id"))
    return _answer(call.services, program, call.event, public=False)


def show_public(services: Services, program_id: str, event: Mapping[str, Any]) -> Answer:
    """Show the table to anybody, without the rates of single groups of partners.

    Raises:
        NotFoundError: no such programme, or it does not publish its rewards.
    """
    program = read_program(services.programs, program_id)
    if not program.publish_rewards or program.status in _UNPUBLISHED:
        raise NotFoundError
    return _answer(services, program, event, public=True)


def _answer(
    services: Services, program: Program, event: Mapping[str, Any], *, public: bool
) -> Answer:
    terms = newest_terms(services.programs, program)
    headers = {"vary": "accept"}
    if public:
        headers["cache-control"] = f"public, max-age={MAX_AGE}"
    if _wants_page(event):
        page = rewards_page(program.name, terms, public=public)
        return Answer(status=200, body=page, headers={**_PAGE_HEADERS, **headers})
    rows = [asdict(row) for row in rewards_table(terms)]
    for row in rows:
        if public:
            del row["special"]
    return Answer(
        status=200,
        body={
            "program_id": program.program_id,
            "name": program.name,
            "currency": program.currency,
            "terms_version": program.terms_version,
            "rows": rows,
            "notes": list(notes(terms)),
        },
        headers=headers,
    )


def _wants_page(event: Mapping[str, Any]) -> bool:
    sent = event.get("headers") or {}
    accepts = next((str(sent[name]) for name in sent if str(name).lower() == "accept"), "").lower()
    return _HTML in accepts and JSON_TYPE not in accepts

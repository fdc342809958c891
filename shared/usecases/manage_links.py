"""Create short links."""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from typing import Final

from shared.domain.errors import ConflictError, invalid
from shared.domain.links import UTM_PREFIX, Link, parse_code
from shared.domain.programs import Program
from shared.ports import LinkStore, PartnerStore, ProgramStore

MAX_DESTINATION: Final = 2_000
MAX_UTM: Final = 10

CheckDestination = Callable[[str, tuple[str, ...]], str]
"""Takes an address and the programme's landing hosts; returns it as a browser reads it."""


def create_link(
    links: LinkStore,
    programs: ProgramStore,
    partners: PartnerStore,
    wanted: Link,
    *,
    check_destination: CheckDestination,
    now: datetime,
    mark: str,
) -> Link:
    """Store a link of an enrolled partner to one of the programme's landing hosts.

    Raises:
        InvalidFieldsError: naming the wrong field.
        ConflictError: ``not_enrolled``, ``program_closed`` or ``code_taken``.
    """
    program = _program_of(programs, partners, wanted)
    if wanted.expires_at is not None and wanted.expires_at <= now:
        raise invalid("expires_at", "in_the_past", "must be in the future")
    for name in wanted.utm:
        if not name.startswith(UTM_PREFIX):
            raise invalid(f"utm.{name}", "not_allowed", "names begin with utm_")
    if not program.landing_hosts:
        message = "the programme has no landing hosts"
        raise invalid("destination", "no_landing_hosts", message)
    link = replace(
        wanted,
        code=parse_code(wanted.code),
        destination=check_destination(wanted.destination, program.landing_hosts),
        click_param=program.click_param,
        fallback_url=program.fallback_url,
    )
    return links.add_link(link, mark=mark)


def _program_of(programs: ProgramStore, partners: PartnerStore, wanted: Link) -> Program:
    program = programs.program(wanted.program_id)
    if program is None:
        raise invalid("program_id", "unknown", "there is no such programme")
    if partners.partner(wanted.partner_id) is None:
        raise invalid("partner_id", "unknown", "there is no such partner")
    if partners.enrolment(wanted.partner_id, wanted.program_id) is None:
        raise ConflictError("not_enrolled", "the partner is not enrolled in the programme")
    if program.status == "closed":
        raise ConflictError("program_closed", "the programme is closed")
    return program

"""Create, change and retire short links.

Nothing of a link prices anything later: what terms ask of a link is pinned in the referral when
it is submitted.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields, replace
from datetime import datetime
from typing import Any, Final

from shared.domain.errors import ConflictError, NotFoundError, StaleVersionError, invalid
from shared.domain.link_rules import check_link, check_size, resolved_utm
from shared.domain.links import Link, parse_code
from shared.domain.programs import Program
from shared.ports import LinkStore, PartnerStore, ProgramStore

MAX_DESTINATION: Final = 2_000
TRIES: Final = 5

CheckDestination = Callable[[str, tuple[str, ...]], str]
"""Takes an address and the programme's landing hosts; returns it as a browser reads it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkStores:
    """What links are checked against, and where they go."""

    links: LinkStore
    programs: ProgramStore
    partners: PartnerStore
    check_destination: CheckDestination


def create_link(stores: LinkStores, wanted: Link, *, now: datetime, mark: str) -> Link:
    """Store a link of an enrolled partner to one of the programme's landing hosts.

    Raises:
        InvalidFieldsError: naming the wrong field.
        ConflictError: ``not_enrolled``, ``program_closed`` or ``code_taken``.
    """
    program = _program_of(stores, wanted)
    _check_end(wanted.expires_at, now)
    named = replace(
        wanted,
        code=parse_code(wanted.code),
        cap_from=now if wanted.click_cap else None,
    )
    return stores.links.add_link(_finished(stores, named, program, stored=""), mark=mark)


def read_link(links: LinkStore, code: str) -> Link:
    """Return a link, also one that is retired.

    Raises:
        NotFoundError: no such link.
    """
    link = links.link(code)
    if link is None:
        raise NotFoundError
    return link


def change_link(
    stores: LinkStores, code: str, changes: Mapping[str, Any], *, now: datetime
) -> Link:
    """Apply changes to a link. Templates and settings of the programme are taken anew.

    A link that leads anywhere afterwards leads to one of today's landing hosts.

    Raises:
        NotFoundError: no such link.
        InvalidFieldsError: naming the wrong field.
        ConflictError: ``link_retired``.
        StaleVersionError: others wrote first, five times over.
    """
    for _ in range(TRIES):
        before = read_link(stores.links, code)
        if before.retired_at is not None:
            raise ConflictError("link_retired", "a retired link does not come back")
        program = stores.programs.program(before.program_id)
        if program is None:
            raise NotFoundError
        asked = replace(before, **changes)
        if asked.expires_at != before.expires_at:
            _check_end(asked.expires_at, now)
        capped = _capped(stores.links, before, asked, now)
        after = _finished(stores, capped, program, stored=before.destination)
        changed = _changed(before, after)
        if not changed:
            return before
        try:
            return stores.links.save_link(after, changed=changed)
        except StaleVersionError:
            continue
    raise StaleVersionError


def retire_link(links: LinkStore, code: str, *, now: datetime) -> Link:
    """Close a link for good. Its code stays taken, and doing it again changes nothing.

    Raises:
        NotFoundError: no such link.
        StaleVersionError: others wrote first, five times over.
    """
    for _ in range(TRIES):
        before = read_link(links, code)
        if before.retired_at is not None:
            return before
        try:
            return links.retire_link(replace(before, disabled=True, retired_at=now))
        except StaleVersionError:
            continue
    raise StaleVersionError


def _finished(stores: LinkStores, link: Link, program: Program, *, stored: str) -> Link:
    """Return the link as it is saved: checked, and with what the programme adds.

    ``stored`` is the destination that it has so far.
    """
    filled = replace(
        link,
        utm=resolved_utm(link, program.utm_templates),
        click_param=program.click_param,
        fallback_url=program.fallback_url,
        keeps_ad_ids=program.keeps_ad_ids,
        privacy_signals=program.privacy_signals,
    )
    check_link(filled)
    if filled.disabled and filled.destination == stored:
        # Closing must work also when the host is not allowed any more.
        return filled
    if not program.landing_hosts:
        message = "the programme has no landing hosts"
        raise invalid("destination", "no_landing_hosts", message)
    destination = stores.check_destination(filled.destination, program.landing_hosts)
    finished = replace(filled, destination=destination)
    check_size(finished)
    return finished


def _capped(links: LinkStore, before: Link, asked: Link, now: datetime) -> Link:
    """Return the link with its cap: a new one begins at zero, another figure counts on."""
    if asked.click_cap == before.click_cap:
        return asked
    if not asked.click_cap:
        return replace(asked, cap_from=None, cap_reached=False)
    if not before.click_cap:
        return replace(asked, cap_from=now, cap_reached=False)
    return replace(asked, cap_reached=links.clicks_under_cap(before) >= asked.click_cap)


def _changed(before: Link, after: Link) -> list[str]:
    # A roll-up closes a link without a new version, so a new cap says in any case what it decides.
    decided = {"cap_reached"} if after.click_cap != before.click_cap else set()
    return [
        field.name
        for field in fields(Link)
        if field.name in decided or getattr(after, field.name) != getattr(before, field.name)
    ]


def _check_end(expires_at: datetime | None, now: datetime) -> None:
    if expires_at is not None and expires_at <= now:
        raise invalid("expires_at", "in_the_past", "must be in the future")


def _program_of(stores: LinkStores, wanted: Link) -> Program:
    program = stores.programs.program(wanted.program_id)
    if program is None:
        raise invalid("program_id", "unknown", "there is no such programme")
    if stores.partners.partner(wanted.partner_id) is None:
        raise invalid("partner_id", "unknown", "there is no such partner")
    if stores.partners.enrolment(wanted.partner_id, wanted.program_id) is None:
        raise ConflictError("not_enrolled", "the partner is not enrolled in the programme")
    if program.status == "closed":
        raise ConflictError("program_closed", "the programme is closed")
    return program

"""Create and change programmes, and publish their terms."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from datetime import datetime
from typing import Any, Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from shared.domain.errors import (
    ConflictError,
    FieldError,
    InvalidFieldsError,
    NotFoundError,
    StaleVersionError,
    invalid,
)
from shared.domain.link_rules import template_errors
from shared.domain.links import PRIVACY_SIGNALS, VIA_PARAM
from shared.domain.money import is_currency, parse_amount
from shared.domain.programs import ENROLMENTS, STATUSES, Program, PublishedTerms
from shared.domain.terms import Terms
from shared.domain.terms_changes import changes
from shared.domain.terms_reader import parse_terms
from shared.ports import ProgramStore

TRIES: Final = 5
MAX_HOSTS: Final = 50
MAX_VERSIONS: Final = 9_999
_PROGRAM_ID: Final = re.compile(r"[a-z0-9][a-z0-9_-]{2,63}")
_CLICK_PARAM: Final = re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,39}")
_FROZEN: Final = ("currency", "time_zone")
_MOVES: Final[Mapping[str, frozenset[str]]] = {
    "draft": frozenset({"pilot", "active", "closed"}),
    "pilot": frozenset({"active", "paused", "closed"}),
    "active": frozenset({"paused", "closed"}),
    "paused": frozenset({"active", "closed"}),
    "closed": frozenset(),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckedTerms:
    """A definition that may be published, and what its author should know.

    ``changes`` says in plain language what differs from the version before.
    """

    terms: Terms
    version: int
    warnings: tuple[str, ...] = ()
    changes: tuple[str, ...] = ()


def create_program(store: ProgramStore, program: Program, *, mark: str) -> Program:
    """Store a programme whose values hold.

    Raises:
        InvalidFieldsError: naming every wrong field.
        ConflictError: ``program_exists``.
    """
    _check(program)
    return store.add_program(program, mark=mark)


def change_program(store: ProgramStore, program_id: str, changes: Mapping[str, Any]) -> Program:
    """Apply changes to a programme. Submitted referrals keep their pinned terms.

    Raises:
        NotFoundError: no such programme.
        InvalidFieldsError: naming every wrong field.
        ConflictError: ``illegal_program_move``; ``program_frozen`` for currency and time zone
            once terms are published.
        StaleVersionError: others wrote first, five times over.
    """
    for _ in range(TRIES):
        before = read_program(store, program_id)
        after = replace(before, **changes)
        changed = [
            field.name
            for field in fields(Program)
            if getattr(after, field.name) != getattr(before, field.name)
        ]
        if not changed:
            return before
        if before.terms_version and set(changed) & set(_FROZEN):
            message = "currency and time zone are frozen since the first terms were published"
            raise ConflictError("program_frozen", message)
        if "status" in changed and after.status not in _MOVES[before.status]:
            message = f"a programme that is {before.status} can't become {after.status}"
            raise ConflictError("illegal_program_move", message)
        _check(after)
        try:
            return store.save_program(after, changed=changed)
        except StaleVersionError:
            continue
    raise StaleVersionError


def read_program(store: ProgramStore, program_id: str) -> Program:
    """Return a programme.

    Raises:
        NotFoundError: no such programme.
    """
    program = store.program(program_id)
    if program is None:
        raise NotFoundError
    return program


def check_terms(store: ProgramStore, program_id: str, definition: object) -> CheckedTerms:
    """Return what publishing would make of a definition, without publishing it.

    Raises:
        NotFoundError: no such programme.
        ConflictError: ``program_closed``.
        InvalidFieldsError: naming the path of every mistake.
    """
    program = read_program(store, program_id)
    if program.status == "closed":
        raise ConflictError("program_closed", "a closed programme takes no new terms")
    if program.terms_version >= MAX_VERSIONS:
        raise ConflictError("too_many_versions", f"a programme has at most {MAX_VERSIONS} versions")
    terms = parse_terms(definition, currency=program.currency)
    return CheckedTerms(
        terms=terms,
        version=program.terms_version + 1,
        warnings=_warnings(program),
        changes=changes(_published(store, program, program.terms_version), terms),
    )


def _published(store: ProgramStore, program: Program, version: int) -> Terms | None:
    """Return a published version, if there is one that can still be read."""
    published = store.terms(program.program_id, version) if version else None
    if published is None:
        return None
    try:
        return parse_terms(published.definition, currency=program.currency)
    except InvalidFieldsError:
        # Published under looser rules of ours; what it said can't be compared.
        return None


def newest_terms(store: ProgramStore, program: Program) -> Terms:
    """Return the newest published terms.

    Raises:
        NotFoundError: when there are none.
    """
    terms = _published(store, program, program.terms_version)
    if terms is None:
        raise NotFoundError
    return terms


def publish_terms(
    store: ProgramStore,
    program_id: str,
    definition: dict[str, object],
    *,
    principal: str,
    now: datetime,
    mark: str,
) -> tuple[PublishedTerms, CheckedTerms]:
    """Make a definition the programme's next version; return it with what was found.

    Raises:
        NotFoundError: no such programme.
        ConflictError: ``program_closed``.
        InvalidFieldsError: naming the path of every mistake.
        StaleVersionError: others wrote first, five times over.
    """
    for _ in range(TRIES):
        earlier = store.published_by_request(program_id, mark)
        program = read_program(store, program_id)
        if earlier is not None:
            return earlier, _as_published(store, program, earlier)
        checked = check_terms(store, program_id, definition)
        terms = PublishedTerms(
            program_id=program_id,
            version=program.terms_version + 1,
            definition=definition,
            effective_from=now,
            published_by=principal,
        )
        try:
            store.publish(terms, program, mark=mark)
        except StaleVersionError:
            continue
        return terms, checked
    raise StaleVersionError


def _as_published(store: ProgramStore, program: Program, terms: PublishedTerms) -> CheckedTerms:
    """Return what was found when an earlier run of the request published the terms."""
    read = parse_terms(terms.definition, currency=program.currency)
    return CheckedTerms(
        terms=read,
        version=terms.version,
        warnings=_warnings(program),
        changes=changes(_published(store, program, terms.version - 1), read),
    )


def _warnings(program: Program) -> tuple[str, ...]:
    return () if program.landing_hosts else ("the programme has no landing hosts: no links",)


def check_time_zone(name: str) -> None:
    """Demand an IANA time zone.

    Raises:
        InvalidFieldsError: naming ``time_zone``.
    """
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        message = "must be an IANA time zone such as Europe/Berlin"
        raise invalid("time_zone", "not_allowed", message) from error


def _check(program: Program) -> None:
    errors: list[FieldError] = []

    def demand(holds: bool, path: str, message: str) -> None:  # noqa: FBT001 - reads as a sentence
        if not holds:
            errors.append(FieldError(path=path, code="not_allowed", message=message))

    demand(
        _PROGRAM_ID.fullmatch(program.program_id) is not None,
        "id",
        "must be 3 to 64 of a-z, 0-9, _ and -",
    )
    demand(is_currency(program.currency), "currency", "must be an ISO 4217 code")
    demand(program.status in STATUSES, "status", "must be one of " + ", ".join(STATUSES))
    demand(program.enrolment in ENROLMENTS, "enrolment", "must be one of " + ", ".join(ENROLMENTS))
    demand(
        _CLICK_PARAM.fullmatch(program.click_param) is not None
        and program.click_param.lower() != VIA_PARAM,
        "click_param",
        "must be a parameter name, and not via",
    )
    demand(
        program.privacy_signals in PRIVACY_SIGNALS,
        "privacy_signals",
        "must be one of " + ", ".join(PRIVACY_SIGNALS),
    )
    errors += template_errors(program.utm_templates)
    demand(len(program.landing_hosts) <= MAX_HOSTS, "landing_hosts", f"at most {MAX_HOSTS}")
    demand(len(program.allowed_origins) <= MAX_HOSTS, "allowed_origins", f"at most {MAX_HOSTS}")
    try:
        check_time_zone(program.time_zone)
    except InvalidFieldsError as error:
        errors += error.errors
    if is_currency(program.currency):
        errors += _limit_errors(program)
    if errors:
        raise InvalidFieldsError(errors)


def _limit_errors(program: Program) -> tuple[FieldError, ...]:
    path = "adjustment_limit"
    try:
        minor = parse_amount(program.adjustment_limit, program.currency, path)
    except InvalidFieldsError as error:
        return error.errors
    message = "must not be below zero"
    return (FieldError(path=path, code="out_of_range", message=message),) if minor < 0 else ()

"""Create and change partners, and enrol them in programmes."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, fields, replace
from datetime import datetime
from typing import Any, Final

from shared.domain.errors import ConflictError, NotFoundError, StaleVersionError, invalid
from shared.domain.partners import (
    ACTIVE,
    DOCUMENTS,
    KINDS,
    MOVES,
    OF_PARTNERS,
    STATUSES,
    Acceptance,
    Enrolment,
    Move,
    Partner,
)
from shared.ports import PartnerStore, ProgramStore

TRIES: Final = 5
_KEPT: Final = ("tier", "group", "cause")


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """Who decides on a partner, why and when. ``mark`` is the same for every run of a request."""

    actor: str
    reason: str
    now: datetime
    mark: str


def create_partner(
    store: PartnerStore, partner: Partner, person: Mapping[str, Any], *, mark: str
) -> Partner:
    """Store a partner; ``person`` holds the name and address and goes to the vault.

    Raises:
        InvalidFieldsError: for an unknown kind or status.
    """
    _check(partner)
    return store.add_partner(partner, person, mark=mark)


def change_partner(
    store: PartnerStore,
    partner_id: str,
    changes: Mapping[str, Any],
    person: Mapping[str, Any],
    decision: Decision,
) -> Partner:
    """Apply changes to a partner and to the person behind it; a move of the status is recorded.

    Raises:
        NotFoundError: no such partner.
        InvalidFieldsError: for an unknown kind or status, or another status without a reason.
        ConflictError: ``illegal_partner_move``.
        StaleVersionError: others wrote first, five times over.
    """
    for _ in range(TRIES):
        before = read_partner(store, partner_id)
        after = replace(before, **changes)
        _check(after)
        changed = [
            field.name
            for field in fields(Partner)
            if getattr(after, field.name) != getattr(before, field.name)
        ]
        if not changed and not person:
            return before
        move = _move(before, after, decision)
        try:
            store.save_partner(
                after,
                before=before,
                changed=changed,
                person=person,
                move=move,
                mark=decision.mark,
            )
        except StaleVersionError:
            continue
        return after
    raise StaleVersionError


def _move(before: Partner, after: Partner, decision: Decision) -> Move | None:
    if after.status == before.status:
        return None
    if after.status not in MOVES[before.status]:
        message = f"a partner who is {before.status} can't become {after.status}"
        raise ConflictError("illegal_partner_move", message)
    if not decision.reason:
        raise invalid("reason", "required", "say why the status changes")
    return Move(
        before=before.status,
        after=after.status,
        actor=decision.actor,
        reason=decision.reason,
        at=decision.now,
    )


def read_partner(store: PartnerStore, partner_id: str) -> Partner:
    """Return a partner.

    Raises:
        NotFoundError: no such partner.
    """
    partner = store.partner(partner_id)
    if partner is None:
        raise NotFoundError
    return partner


def enrol(
    partners: PartnerStore,
    programs: ProgramStore,
    wanted: Enrolment,
    *,
    said: Collection[str],
    accepts: Mapping[str, str] | None = None,
    now: datetime,
) -> Enrolment:
    """Enrol a partner under the newest terms, which the partner accepts hereby.

    Enrolling again accepts newer terms; referrals already submitted keep theirs. Under the same
    terms the time of acceptance stays. What of tier, group and cause is not among the fields that
    were ``said`` stays too, or a partner would lose a rate by accepting. ``accepts`` are versions
    of documents that the partner accepts too, by name; one that was accepted before stays so, with
    its time.

    Raises:
        InvalidFieldsError: naming an unknown partner, programme or document.
        ConflictError: ``program_has_no_terms``, ``program_closed`` or ``partner_not_active``.
        StaleVersionError: others wrote first, five times over.
    """
    for name in accepts or ():
        if name not in DOCUMENTS:
            raise invalid("accept_documents", "not_allowed", _one_of(DOCUMENTS))
    for _ in range(TRIES):
        version = _open_terms(partners, programs, wanted)
        before = partners.enrolment(wanted.partner_id, wanted.program_id)
        same_terms = before is not None and before.terms_version == version
        kept = {name: getattr(before, name) for name in _KEPT if name not in said} if before else {}
        enrolment = replace(
            wanted,
            **kept,
            terms_version=version,
            accepted_at=before.accepted_at if before is not None and same_terms else now,
            judged_version=before.judged_version if before is not None and same_terms else 0,
            documents=_accepted(before, accepts or {}, now),
        )
        if enrolment == before:
            return enrolment
        try:
            partners.save_enrolment(enrolment, before=before)
        except StaleVersionError:
            continue
        return enrolment
    raise StaleVersionError


def _accepted(
    before: Enrolment | None, accepts: Mapping[str, str], now: datetime
) -> dict[str, Acceptance]:
    found = dict(before.documents) if before is not None else {}
    for name, version in accepts.items():
        if name not in found or found[name].version != version:
            found[name] = Acceptance(version=version, at=now)
    return found


def _open_terms(partners: PartnerStore, programs: ProgramStore, wanted: Enrolment) -> int:
    partner = partners.partner(wanted.partner_id)
    if partner is None:
        raise invalid("partner_id", "unknown", "there is no such partner")
    program = programs.program(wanted.program_id)
    if program is None:
        raise invalid("program_id", "unknown", "there is no such programme")
    if partner.status != ACTIVE:
        raise ConflictError("partner_not_active", f"the partner is {partner.status}")
    if program.status == "closed":
        raise ConflictError("program_closed", "the programme is closed")
    if program.terms_version == 0:
        raise ConflictError("program_has_no_terms", "the programme has no published terms")
    return program.terms_version


def in_order(categories: Iterable[str]) -> tuple[str, ...]:
    """Return the categories of a partner, each once.

    Raises:
        InvalidFieldsError: for one that no partner is in by themselves.
    """
    given = set(categories)
    if not given <= set(OF_PARTNERS):
        raise invalid("categories", "not_allowed", _one_of(OF_PARTNERS))
    return tuple(name for name in OF_PARTNERS if name in given)


def _check(partner: Partner) -> None:
    if partner.kind not in KINDS:
        raise invalid("kind", "not_allowed", _one_of(KINDS))
    if partner.status not in STATUSES:
        raise invalid("status", "not_allowed", _one_of(STATUSES))


def _one_of(words: Iterable[str]) -> str:
    return "must be one of " + ", ".join(words)

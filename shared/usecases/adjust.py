"""Give a partner something, or take something back, beside all rules: by a named person.

Small adjustments are approved by who asks for them. Over the programme's limit a second person
approves, who comes with a management key of another principal. What is approved is posted by the
evaluation, which alone writes the books.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final

from shared.domain.adjustments import (
    APPROVED,
    POSTED,
    WAITING,
    Adjustment,
    change_of,
    read_amount,
)
from shared.domain.errors import ConflictError, NotFoundError, StaleVersionError, invalid
from shared.domain.events import FACTS_CHANGED, REWARD_POSTED, Event
from shared.domain.money import parse_amount
from shared.domain.proposals import same_person
from shared.ports import AdjustmentLedger, AdjustmentStore, NewId
from shared.usecases.effects import Posted, Trigger, Writer

TRIES: Final = 5
WAITS_DAYS: Final = 14


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What somebody wants to give; ``amount`` is a decimal string, negative to take back.

    ``currency`` may be empty; else it is the programme's, or the wish is refused.
    """

    partner_id: str
    program_id: str
    amount: str
    reason: str
    currency: str = ""
    reference: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """Who asks, when, and under which name. ``mark`` is the same for every run of a request."""

    actor: str
    now: datetime
    new_id: NewId
    mark: str
    correlation_id: str


def adjust(store: AdjustmentStore, wish: Wish, asked: Asked) -> Adjustment:
    """Store an adjustment: approved with its event, or waiting for a second person.

    Asking again in the same request changes nothing.

    Raises:
        NotFoundError: no such programme.
        ConflictError: ``not_enrolled``.
        InvalidFieldsError: naming ``amount``.
    """
    program = store.program(wish.program_id)
    if program is None:
        raise NotFoundError
    if store.enrolment(wish.partner_id, wish.program_id) is None:
        raise ConflictError("not_enrolled", "the partner is not enrolled in the programme")
    if wish.currency not in ("", program.currency):
        raise invalid("amount.currency", "not_allowed", f"must be {program.currency}")
    amount_minor = read_amount(wish.amount, program.currency)
    limit = parse_amount(program.adjustment_limit, program.currency)
    adjustment = Adjustment(
        adjustment_id=asked.new_id("adj"),
        partner_id=wish.partner_id,
        program_id=wish.program_id,
        amount_minor=amount_minor,
        currency=program.currency,
        reason=wish.reason,
        reference=wish.reference,
        requested_by=asked.actor,
        requested_at=asked.now,
        mark=asked.mark,
    )
    if abs(amount_minor) > limit:
        expires_at = asked.now + timedelta(days=WAITS_DAYS)
        waiting = replace(adjustment, state=WAITING, expires_at=expires_at)
        return store.add_adjustment(waiting, None)
    return store.add_adjustment(adjustment, _approved(adjustment, asked))


def approve_adjustment(store: AdjustmentStore, adjustment_id: str, asked: Asked) -> Adjustment:
    """Approve an adjustment as the second person.

    Raises:
        NotFoundError: no such adjustment, or it waited for too long.
        ConflictError: ``second_person_required``; ``adjustment_closed`` if it waits no longer.
        StaleVersionError: others wrote first, five times over.
    """
    for _ in range(TRIES):
        adjustment = store.adjustment(adjustment_id)
        if adjustment is None:
            raise NotFoundError
        if same_person(adjustment.requested_by, asked.actor):
            raise ConflictError("second_person_required", "somebody else must approve this")
        if adjustment.state != WAITING:
            if same_person(adjustment.approved_by, asked.actor):
                return adjustment
            raise ConflictError("adjustment_closed", "the adjustment waits for nobody")
        if adjustment.expires_at is None or adjustment.expires_at <= asked.now:
            raise NotFoundError
        after = replace(adjustment, state=APPROVED, approved_by=asked.actor, approved_at=asked.now)
        try:
            store.approve(after, _approved(after, asked))
        except StaleVersionError:
            continue
        return after
    raise StaleVersionError


def post_adjustment(
    ledger: AdjustmentLedger,
    adjustment_id: str,
    *,
    trigger: Trigger,
    now: datetime,
    new_id: NewId,
    pause: Callable[[int], None],
) -> Posted:
    """Post an approved adjustment to the partner's file, once however often it is asked for.

    Raises:
        StaleVersionError: when others kept writing first; the event must be handled again.
        UnavailableError: when the store does not answer.
    """
    writer = Writer(ledger=ledger, trigger=trigger, now=now, new_id=new_id)
    for attempt in range(TRIES):
        adjustment = ledger.adjustment(adjustment_id)
        if adjustment is None or adjustment.state != APPROVED:
            return Posted()
        standing = ledger.standing(adjustment.partner_id, adjustment.program_id)
        version = ledger.accepted(adjustment.partner_id, adjustment.program_id)
        if version is None:
            # Enrolments are never removed: this is a bug or a restore gone wrong.
            raise NotFoundError
        change = change_of(adjustment, terms_version=version, now=now)
        posting = writer.posting(standing, (change,), (), event_name=REWARD_POSTED)
        try:
            ledger.post_adjustment(posting, replace(adjustment, state=POSTED, posted_at=now))
        except StaleVersionError:
            pause(attempt)
            continue
        return Posted(effects=1, movements=len(posting.movements))
    raise StaleVersionError(adjustment_id)


def _approved(adjustment: Adjustment, asked: Asked) -> Event:
    return Event(
        event_id=asked.new_id("evt"),
        name=FACTS_CHANGED,
        occurred_at=asked.now,
        program_id=adjustment.program_id,
        aggregate_type="adjustment",
        aggregate_id=adjustment.adjustment_id,
        aggregate_version=1,
        correlation_id=asked.correlation_id,
        causation_id=asked.correlation_id,
        hops=0,
        data={"partner_id": adjustment.partner_id, "kinds": []},
    )

"""Bring the deliveries that named a referral before it was submitted."""

from collections.abc import Iterator
from datetime import datetime

from shared.domain import deliveries
from shared.domain.deliveries import Awaited, Awaiting, received_event
from shared.domain.referrals import Referral
from shared.ports import NewId, WaitingStore


def bind_waiting(
    store: WaitingStore,
    referral_id: str,
    *,
    now: datetime,
    new_id: NewId,
    hops: int,
    correlation_id: str,
    causation_id: str,
) -> int:
    """Ask for every delivery that waited for this referral to be applied; return how many.

    Each word that a delivery left is taken away with the event that answers it, so that a run
    which is stopped goes on where it was, and two runs share the work. ``hops`` is that of the
    event being handled.

    Raises:
        UnavailableError: when the store does not answer; try the whole again.
    """
    referral = store.referral(referral_id)
    if referral is None:
        return 0
    announced = 0
    for awaiting in _ready(store, referral):
        event = received_event(
            awaiting.delivery_id,
            event_id=new_id("evt"),
            source_id=awaiting.source_id,
            program_id=awaiting.program_id,
            now=now,
            hops=hops + 1,
            correlation_id=correlation_id,
            causation_id=causation_id,
        )
        announced += store.announce_awaiting(awaiting, event, now=now)
    return announced


def _ready(store: WaitingStore, referral: Referral) -> Iterator[Awaiting]:
    program_id = referral.program_id
    claim = store.lead_of(referral.referral_id)
    if referral.click_id:
        yield from store.awaiting(
            Awaited(kind=deliveries.CLICK, value=referral.click_id), program_id
        )
    if claim:
        yield from store.awaiting(Awaited(kind=deliveries.LEAD, value=claim), program_id)
    if referral.link_code:
        yield from _by_code(store, referral)


def _by_code(store: WaitingStore, referral: Referral) -> list[Awaiting]:
    """Return what waits for the code if there is one deal for one referral, else nothing.

    A code names a link, not a lead: with two of either, which belongs to which is a guess.
    """
    code = referral.link_code
    if store.open_referrals(code, limit=2) != [referral.referral_id]:
        return []
    found: list[Awaiting] = []
    for each in store.awaiting(Awaited(kind=deliveries.CODE, value=code), referral.program_id):
        if found and (each.source_id, each.deal_id) != (found[0].source_id, found[0].deal_id):
            return []
        found.append(each)
    return found

"""Tell the referrals that wait for an exchange rate that one was added."""

from datetime import datetime

from shared.domain.events import FACTS_CHANGED, Event
from shared.ports import NewId, RateWaits
from shared.usecases.effects import Trigger


def use_new_rate(
    store: RateWaits,
    program_id: str,
    currency: str,
    *,
    trigger: Trigger,
    now: datetime,
    new_id: NewId,
) -> int:
    """Ask for every referral that waits for a rate of the currency to be judged; return how many.

    Each word that a referral left is taken away with the event that answers it, so that a run
    which is stopped goes on where it was. One for which the new rate is no help leaves word again.

    Raises:
        UnavailableError: when the store does not answer; try the whole again.
    """
    announced = 0
    for referral_id in store.awaiting(program_id, currency):
        event = Event(
            event_id=new_id("evt"),
            name=FACTS_CHANGED,
            occurred_at=now,
            program_id=program_id,
            aggregate_type="referral",
            aggregate_id=referral_id,
            aggregate_version=0,
            correlation_id=trigger.correlation_id,
            causation_id=trigger.causation_id,
            hops=trigger.hops + 1,
            data={"kinds": []},
        )
        announced += store.announce(program_id, currency, referral_id, event, now=now)
    return announced

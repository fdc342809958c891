"""Bring a partner's own rewards (counts, achievements, true-ups) to what the sums say now."""

from collections.abc import Callable
from datetime import datetime
from typing import Final

from shared.domain.adjustments import is_adjustment
from shared.domain.aggregate import PartnerFile, subject_of
from shared.domain.errors import StaleVersionError
from shared.domain.events import REWARD_POSTED
from shared.domain.partner_rules import evaluate_partner
from shared.domain.rewards import difference
from shared.ports import Ledger, NewId
from shared.usecases.effects import Posted, Trigger, Writer

TRIES: Final = 5


def settle_partner(
    ledger: Ledger,
    partner_id: str,
    program_id: str,
    *,
    trigger: Trigger,
    now: datetime,
    new_id: NewId,
    pause: Callable[[int], None],
) -> Posted:
    """Post the difference between a partner's sums and the rewards that hang on them.

    Judged under the terms that the partner's enrolment accepted. Restartable at any point.

    Raises:
        StaleVersionError: when others kept writing first; the delivery must be tried again.
        UnavailableError: when the store does not answer.
    """
    writer = Writer(ledger=ledger, trigger=trigger, now=now, new_id=new_id)
    for attempt in range(TRIES):
        found = ledger.load_partner(partner_id, program_id)
        if found is None or not found.standing.version:
            return Posted()
        try:
            return _settle(writer, found)
        except StaleVersionError:
            pause(attempt)
    raise StaleVersionError(partner_id)


def _settle(writer: Writer, found: PartnerFile) -> Posted:
    standing = found.standing
    terms = writer.ledger.terms(standing.program_id, found.terms_version)
    evaluation = evaluate_partner(terms, standing.sums, standing.partner_id, now=writer.now)
    effects = difference(
        evaluation.entitlements,
        # What a person gave is wanted by no rule, and no rule may take it away.
        [reward for reward in found.rewards if not is_adjustment(reward)],
        subject=subject_of(standing, found.terms_version),
        cause=(),
    )
    guard, posted = writer.post_all(standing, effects, evaluation.trace, event_name=REWARD_POSTED)
    writer.explain(guard, found.trace, evaluation.trace, ())
    return posted

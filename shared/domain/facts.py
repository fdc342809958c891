"""Facts: immutable, timestamped statements about one referral.

A fact's id is a hash of what it states, never of how it arrived, so that a statement delivered
twice, late or out of order is the same fact.

Kinds and their data (all values are strings, integers, booleans, lists and objects of them):

===================  ============================================================================
submitted            review? (where the review begins, if not at ``submitted``)
terms_pinned         version, partner_id?, link_code?, shares [{partner_id, role, basis_points}],
                     touch_at?, earlier_referral_id?, attributes {name: value},
                     overrides {rule: {percent|fixed_minor, level}}, declared? [category],
                     partners? {partner: {accepted? [document], categories?, self_referral?}}
review_decided       decision, state, actor, reason
stage_entered        source_id, deal_id, pipeline, stage, rank, milestone?, outcome,
                     ladder {milestone: rank}
amount_set           amount (decimal string), currency?, default_currency?, rate?,
                     amount_is? (``net``: less what was refunded of the deal by then)
currency_set         currency
field_set            name, value (a deal's plan, contract months, ...)
invoice_paid         invoice_id, amount_net, currency, period?, rate?
renewed              renewal_id, amount?, currency?
refunded             refund_id, of (``deal`` or ``invoice:<id>``), amount, currency
charged_back         chargeback_id, of, amount, currency
chargeback_reversed  chargeback_id
milestone_reached    milestone, actor?, reason?
deal_ended           deal_id, how (``deleted``, or ``merged`` into nobody knows what)
deal_restored        deal_id
deal_merged          deal_id, merged_into (the deal that it went into, and lives on in)
referral_merged      into (the referral that has the deal now) or absorbed (the one that had it)
lead_passed_on       into (the referral that has the lead now, which kept no reward of this one)
shares_set           shares, retroactive, partners? (as above), actor, reason
categories_declared  categories (all that apply, whatever was pinned), actor, reason
regraded             grade, actor, reason
rate_set             rule, percent or fixed (decimal string in the ledger currency), actor,
                     approved_by, reason
hold_placed          hold_id, actor, reason
hold_released        hold_id, actor, reason
standing_pinned      partner_id, key, position  (a count, or revenue in minor units)
rate_pinned          subject, currency, rate, on
allowance_pinned     cap, scope, period, rule_id, occurrence, holder_id, allowed_minor, cut,
                     number
forfeited            rule_id, occurrence, holder_id, kept_minor  (what was not pending any more)
fact_retracted       actor?, reason?  (``retracts`` names the fact that no longer holds)
===================  ============================================================================
"""

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

MAX_FACTS: Final = 1_000
SCHEMA_VERSION: Final = 1
"""Raised with every change of a kind's data that older code or older rows would misread; what
reads rows lifts older ones (``adapters.dynamodb.referrals``)."""
_ALPHABET: Final = "0123456789abcdefghjkmnpqrstvwxyz"

SUBMITTED: Final = "submitted"
TERMS_PINNED: Final = "terms_pinned"
REVIEW_DECIDED: Final = "review_decided"
STAGE_ENTERED: Final = "stage_entered"
AMOUNT_SET: Final = "amount_set"
CURRENCY_SET: Final = "currency_set"
FIELD_SET: Final = "field_set"
INVOICE_PAID: Final = "invoice_paid"
RENEWED: Final = "renewed"
REFUNDED: Final = "refunded"
CHARGED_BACK: Final = "charged_back"
CHARGEBACK_REVERSED: Final = "chargeback_reversed"
MILESTONE_REACHED: Final = "milestone_reached"
DEAL_ENDED: Final = "deal_ended"
DEAL_RESTORED: Final = "deal_restored"
DEAL_MERGED: Final = "deal_merged"
REFERRAL_MERGED: Final = "referral_merged"
LEAD_PASSED_ON: Final = "lead_passed_on"
SHARES_SET: Final = "shares_set"
CATEGORIES_DECLARED: Final = "categories_declared"
REGRADED: Final = "regraded"
RATE_SET: Final = "rate_set"
HOLD_PLACED: Final = "hold_placed"
HOLD_RELEASED: Final = "hold_released"
RATE_PINNED: Final = "rate_pinned"
ALLOWANCE_PINNED: Final = "allowance_pinned"
STANDING_PINNED: Final = "standing_pinned"
FORFEITED: Final = "forfeited"
FACT_RETRACTED: Final = "fact_retracted"

PINS: Final = frozenset({STANDING_PINNED, RATE_PINNED, ALLOWANCE_PINNED, FORFEITED})
"""What we wrote down ourselves while judging; it follows from what others told."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fact:
    """One statement. ``occurred_at`` is the sender's clock, ``received_at`` ours; both UTC.

    ``approximate`` says that the sender gave no time and the receipt time stands in for it.
    """

    fact_id: str
    kind: str
    occurred_at: datetime
    received_at: datetime
    source: str
    data: Mapping[str, Any] = field(default_factory=dict)
    approximate: bool = False
    retracts: str | None = None
    schema_version: int = SCHEMA_VERSION


def fact_id(*, source: str, subject: str, attribute: str, value: object, when: str) -> str:
    """Hash a statement into its id: the same statement always gets the same id.

    ``when`` is the sender's own time as it was sent, or the sender's event id if there was no
    time; never anything about the arrival.
    """
    statement = json.dumps([source, subject, attribute, value, when], sort_keys=True)
    return f"fct_{digest32(statement)}"


def digest32(text: str) -> str:
    """Return 130 bits of SHA-256 in 26 lower-case symbols, the shape of every id's body."""
    number = int.from_bytes(hashlib.sha256(text.encode()).digest(), "big") >> (256 - 130)
    return "".join(_ALPHABET[(number >> (5 * place)) & 31] for place in range(25, -1, -1))


def in_order(facts: Iterable[Fact]) -> tuple[Fact, ...]:
    """Return the facts that hold, each once, by (occurred_at, fact_id).

    Retracted facts and the retractions themselves are left out.
    """
    by_id = {fact.fact_id: fact for fact in facts}
    retracted = {fact.retracts for fact in by_id.values() if fact.retracts}
    holding = (
        fact
        for fact in by_id.values()
        if fact.fact_id not in retracted and fact.kind != FACT_RETRACTED
    )
    return tuple(sorted(holding, key=lambda fact: (fact.occurred_at, fact.fact_id)))


def latest(facts: Iterable[Fact], kind: str) -> Fact | None:
    """Return the last fact of a kind in ``facts``, which must be in order."""
    found = None
    for fact in facts:
        if fact.kind == kind:
            found = fact
    return found

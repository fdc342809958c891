"""Deliveries: what a source sent, from the moment it is stored until it is applied.

States::

    received -> applied    every relevant part became facts
             -> ignored    nothing in it concerns us
             -> parked     some part waits: for a binding, a mapping or a person
    parked   -> applied    after the binding, or a replay under a mended mapping
"""

import hashlib
import json
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from shared.domain import signatures
from shared.domain.events import DELIVERY_RECEIVED, Event
from shared.domain.facts import digest32

RECEIVED: Final = "received"
APPLIED: Final = "applied"
IGNORED: Final = "ignored"
PARKED: Final = "parked"
STATES: Final = (RECEIVED, APPLIED, IGNORED, PARKED)

KEEP_DAYS: Final = 90
"""How long the raw bytes stay."""
KEEP_PARKED_DAYS: Final = 400
"""How long they stay while something in them is not applied."""

MAX_REASONS: Final = 100

CLICK: Final = "click"
LEAD: Final = "lead"
CODE: Final = "code"

_APART: Final = "~"
_STANDS_FOR: Final = re.compile(_APART + "[0-9a-z]{26}")

_BODY_LIMITS: Final = {signatures.HUBSPOT: 1024 * 1024}
_BODY_LIMIT: Final = 256 * 1024
MAX_BODY: Final = 1024 * 1024
"""The largest body of any kind of source."""

# Why a part is parked.
MALFORMED_BODY: Final = "malformed_body"
BODY_MISSING: Final = "body_missing"
TOO_MANY_EVENTS: Final = "too_many_events"
BAD_EVENT: Final = "bad_event"
BAD_TIME: Final = "bad_time"
BAD_AMOUNT: Final = "bad_amount"
BAD_CURRENCY: Final = "bad_currency"
BAD_REFERRAL_KEY: Final = "bad_referral_key"
BAD_CLICK_TOKEN: Final = "bad_click_token"  # noqa: S105 - a reason, not a secret
UNKNOWN_STAGE: Final = "unknown_stage"
BAD_FIELD: Final = "bad_field"
TOO_MANY_FIELDS: Final = "too_many_fields"
NOT_SUPPORTED_YET: Final = "not_supported_yet"
DEAL_NOT_BOUND: Final = "deal_not_bound"
REFERRAL_NOT_FOUND: Final = "referral_not_found"
AMBIGUOUS_REFERRAL: Final = "ambiguous_referral"
REFERRAL_HAS_OTHER_DEAL: Final = "referral_has_other_deal"
DEAL_BOUND_TO_OTHER_REFERRAL: Final = "deal_bound_to_other_referral"
TOO_MANY_FACTS: Final = "too_many_facts"


_MAY_COME: Final = frozenset({DEAL_NOT_BOUND, REFERRAL_NOT_FOUND})
"""What another delivery or a form may still bring."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reason:
    """Why a part of a delivery is parked: where in the body, and a stable code. No values."""

    path: str
    code: str


def needs_a_person(state: str, reasons: Sequence[Reason]) -> bool:
    """Tell whether a delivery is parked for what neither a form nor another delivery may bring."""
    return state == PARKED and any(reason.code not in _MAY_COME for reason in reasons)


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """The inbox row of one delivery. ``received_at`` is the first receipt of these bytes.

    ``message_id`` is the sender's own, empty if its kind has none; ``message_id_reused`` says
    that other bytes came under the same one before.
    """

    delivery_id: str
    source_id: str
    program_id: str
    kind: str
    message_id: str
    received_at: datetime
    size: int
    digest: str
    message_id_reused: bool = False
    state: str = RECEIVED
    reasons: tuple[Reason, ...] = ()
    version: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Binding:
    """Which referral a source's deal belongs to, and the evidence that said so.

    ``evidence_digest`` recognises the same evidence again without keeping it.
    """

    source_id: str
    deal_id: str
    referral_id: str
    evidence: str
    evidence_digest: str
    bound_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiting:
    """A delivery that waits for a deal's binding; ``names_referral`` says that it could bind."""

    delivery_id: str
    names_referral: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Awaited:
    """Evidence that may lead to a referral once it is submitted: a click, a lead, a link's code.

    ``value`` is a click id, a lead's keyed hash or a code; never an address or a token.
    """

    kind: str
    value: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Awaiting:
    """A delivery that waits for the referral of ``awaited``, on behalf of one of its deals."""

    awaited: Awaited
    delivery_id: str
    source_id: str
    program_id: str
    deal_id: str


Parse = Callable[[bytes], object]
"""Reads bytes as strict JSON, or raises ``MalformedError``."""


def body_limit(kind: str) -> int:
    """Return how many bytes a delivery of this kind of source may have."""
    return _BODY_LIMITS.get(kind, _BODY_LIMIT)


def body_digest(body: bytes) -> str:
    """Return the SHA-256 of the raw bytes in hexadecimal."""
    return hashlib.sha256(body).hexdigest()


def delivery_id(source_id: str, digest: str, message_id: str) -> str:
    """Return the id of a delivery: the same bytes from the same source are the same delivery."""
    return f"dlv_{digest32(f'{source_id} {digest} {message_id}')}"


def received_event(
    delivery_id: str,
    *,
    event_id: str,
    source_id: str,
    program_id: str,
    now: datetime,
    hops: int,
    correlation_id: str,
    causation_id: str = "",
    version: int = 1,
) -> Event:
    """Return the event that makes a stored delivery be applied again."""
    return Event(
        event_id=event_id,
        name=DELIVERY_RECEIVED,
        occurred_at=now,
        program_id=program_id,
        aggregate_type="delivery",
        aggregate_id=delivery_id,
        aggregate_version=version,
        correlation_id=correlation_id,
        causation_id=causation_id,
        hops=hops,
        data={"delivery_id": delivery_id, "source_id": source_id},
    )


def apart(statement: object) -> str:
    """Return what stands for the deal where a statement names none: the statement itself.

    So its binding holds for it alone, and the same statement always finds the same referral.
    """
    return f"{_APART}{digest32(json.dumps(statement, sort_keys=True))}"


def is_deal(deal_id: str) -> bool:
    """Tell whether this is a sender's deal, and not what stands for one."""
    return not _STANDS_FOR.fullmatch(deal_id)


def bounded(reasons: Sequence[Reason]) -> tuple[Reason, ...]:
    """Return the reasons each once, in order, and not more than a row can hold."""
    return tuple(dict.fromkeys(reasons))[:MAX_REASONS]

"""Receive a delivery: verify it and store it. Everything else happens later."""

import re
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from shared.domain import deliveries
from shared.domain.deliveries import Delivery
from shared.domain.errors import NotFoundError, TooLargeError, UnavailableError
from shared.domain.events import DELIVERY_RECEIVED, Event
from shared.domain.signatures import SignedRequest, usable_secret, verify
from shared.domain.sources import Source
from shared.ports import Inbox, NewId, WebhookSecrets

_SOURCE_ID: Final = re.compile(r"[A-Za-z0-9_-]{1,64}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Received:
    """What came of it. ``known`` says that these very bytes were stored before."""

    delivery_id: str
    source_id: str
    known: bool
    message_id_reused: bool


def receive_delivery(
    inbox: Inbox,
    secrets: WebhookSecrets,
    source_id: str,
    request: SignedRequest,
    *,
    now: datetime,
    new_id: NewId,
    correlation_id: str,
) -> Received:
    """Store an authentic delivery with the event that makes it be applied, exactly once.

    When this returns, the raw bytes are stored. Other bytes under a known message id are stored
    too, and flagged.

    Raises:
        NotFoundError: when there is no such source.
        TooLargeError: when the body is over the limit of the source's kind.
        UnauthenticatedError: when nothing proves that the source sent it.
        UnavailableError: when we can't verify or store it now; the sender must try again.
    """
    source = inbox.source(source_id) if _SOURCE_ID.fullmatch(source_id) else None
    if source is None:
        raise NotFoundError
    if len(request.body) > deliveries.body_limit(source.kind):
        raise TooLargeError
    message_id = verify(source.kind, request, _live_secrets(secrets, source), now)
    delivery = _delivery(source, request.body, message_id, now)
    event = _event(delivery, new_id=new_id, correlation_id=correlation_id, now=now)
    in_the_way = inbox.add_delivery(delivery, request.body, event, now=now)
    if in_the_way not in (None, delivery.delivery_id):
        delivery = replace(delivery, message_id_reused=True)
        in_the_way = inbox.add_delivery(delivery, request.body, event, now=now)
    return Received(
        delivery_id=delivery.delivery_id,
        source_id=source.source_id,
        known=in_the_way is not None,
        message_id_reused=delivery.message_id_reused,
    )


def _live_secrets(secrets: WebhookSecrets, source: Source) -> list[str]:
    """Return every secret that may have signed; having none is our fault, not the sender's."""
    live = [
        secrets.decrypt(ciphertext, source_id=source.source_id) for ciphertext in source.secrets
    ]
    usable = [secret for secret in live if usable_secret(source.kind, secret)]
    if not usable:
        raise UnavailableError("the source has no usable secret")
    return usable


def _delivery(source: Source, body: bytes, message_id: str, now: datetime) -> Delivery:
    digest = deliveries.body_digest(body)
    return Delivery(
        delivery_id=deliveries.delivery_id(source.source_id, digest, message_id),
        source_id=source.source_id,
        program_id=source.program_id,
        kind=source.kind,
        message_id=message_id,
        received_at=now,
        size=len(body),
        digest=digest,
    )


def _event(delivery: Delivery, *, new_id: NewId, correlation_id: str, now: datetime) -> Event:
    return Event(
        event_id=new_id("evt"),
        name=DELIVERY_RECEIVED,
        occurred_at=now,
        program_id=delivery.program_id,
        aggregate_type="delivery",
        aggregate_id=delivery.delivery_id,
        aggregate_version=delivery.version,
        correlation_id=correlation_id,
        causation_id="",
        hops=0,
        data={"delivery_id": delivery.delivery_id, "source_id": delivery.source_id},
    )

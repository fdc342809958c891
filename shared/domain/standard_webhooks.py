"""The generic payload of sources of kind ``standard``: one typed event about one deal.

An event that is not about the deal itself (an invoice, a refund, a meeting) may leave the deal
out and name the referral instead.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any, Final

from shared.domain import deal_changes, deliveries, standard_statements
from shared.domain.deal_changes import Change, Content, ReferralKey, text_of
from shared.domain.deliveries import Reason
from shared.domain.standard_statements import Said

DEAL_UPDATED: Final = "deal.updated"

_ABOUT_DEALS: Final = frozenset({DEAL_UPDATED, "deal.deleted", "deal.merged"})
_MAX_ID: Final = 256
_MAX_EMAIL: Final = 320
_MAX_TOKEN: Final = 2_000
_MAX_TIME: Final = 40


@dataclass(frozen=True, slots=True, kw_only=True)
class _Moment:
    """When it happened, how the sender said so, and whether it said so at all."""

    occurred_at: datetime
    when: str
    approximate: bool = False


def content_of(document: object, *, received_at: datetime, message_id: str) -> Content:
    """Bring a parsed body to deal changes; whatever can't be read is named, never dropped.

    Without a time of the sender the first receipt stands in, and the event id (or the message
    id) makes the facts' ids, so that a repeat is the same fact.
    """
    if not isinstance(document, Mapping):
        return _refused("", deliveries.BAD_EVENT)
    kind = text_of(document.get("type"))
    if kind not in _READERS:
        # A type of which we know nothing does not concern us; one that is none is a mistake.
        return Content() if kind else _refused("type", deliveries.BAD_EVENT)
    event_id = text_of(document.get("id"), _MAX_ID) or message_id
    deal_id = _deal_id(document, required=kind in _ABOUT_DEALS)
    moment = _moment(document.get("occurred_at"), received_at, event_id)
    if isinstance(deal_id, Reason):
        return Content(reasons=(deal_id,))
    if isinstance(moment, Reason):
        return Content(reasons=(moment,))
    return _read(document, kind, event_id, deal_id, moment)


def _read(
    document: Mapping[str, Any], kind: str, event_id: str, deal_id: str, moment: _Moment
) -> Content:
    said, reasons = _READERS[kind](document, event_id)
    changes = tuple(_change(part, deal_id, moment) for part in said)
    key = _key(document.get("referral"), deal_id, moment)
    if isinstance(key, Reason):
        # Without a deal nothing else tells where the rest belongs.
        return Content(changes=changes if deal_id else (), reasons=(*reasons, key))
    if deal_id:
        return Content(changes=changes, keys=(key,) if key else (), reasons=reasons)
    if key is None:
        return _refused("deal", deliveries.BAD_EVENT)
    return _without_deal(kind, changes, key, reasons)


def _without_deal(
    kind: str, changes: tuple[Change, ...], key: ReferralKey, reasons: tuple[Reason, ...]
) -> Content:
    if not changes:
        return Content(reasons=reasons)
    said = [[part.subject, part.name, dict(part.data), part.when] for part in changes]
    stand_in = deliveries.apart([kind, key.digest, said])
    return Content(
        changes=tuple(replace(part, deal_id=stand_in) for part in changes),
        keys=(replace(key, deal_id=stand_in),),
        reasons=reasons,
    )


def _refused(path: str, code: str) -> Content:
    return Content(reasons=(Reason(path=path, code=code),))


def _deal_id(document: Mapping[str, object], *, required: bool) -> str | Reason:
    """Return the deal's id, or nothing where an event may do without."""
    deal = document.get("deal")
    if deal is None and not required:
        return ""
    if not isinstance(deal, Mapping):
        return Reason(path="deal", code=deliveries.BAD_EVENT)
    if deal.get("id") is None and not required:
        return ""
    deal_id = deal_changes.deal_id_of(deal.get("id"))
    return deal_id or Reason(path="deal.id", code=deliveries.BAD_EVENT)


def _moment(said: object, received_at: datetime, event_id: str) -> _Moment | Reason:
    if said is None:
        return _Moment(occurred_at=received_at, when=event_id, approximate=True)
    text = text_of(said, _MAX_TIME)
    try:
        moment = datetime.fromisoformat(text)
        if moment.tzinfo:
            return _Moment(occurred_at=moment.astimezone(UTC), when=text)
    except (ValueError, OverflowError):
        pass
    return Reason(path="occurred_at", code=deliveries.BAD_TIME)


def _change(said: Said, deal_id: str, moment: _Moment) -> Change:
    return Change(
        deal_id=deal_id,
        attribute=said.attribute,
        name=said.name,
        value=said.value,
        occurred_at=moment.occurred_at,
        when=moment.when,
        path=said.path,
        pipeline=said.pipeline,
        currency=said.currency,
        approximate=moment.approximate,
        subject=said.subject,
        data=said.data,
    )


def _key(value: object, deal_id: str, moment: _Moment) -> ReferralKey | Reason | None:
    if value is None:
        return None
    if not isinstance(value, Mapping):
        return Reason(path="referral", code=deliveries.BAD_REFERRAL_KEY)
    key = ReferralKey(
        deal_id=deal_id,
        occurred_at=moment.occurred_at,
        path="referral",
        referral_id=deal_changes.id_of(value.get("id")),
        click_token=text_of(value.get("click_id"), _MAX_TOKEN),
        email=text_of(value.get("email"), _MAX_EMAIL),
        code=deal_changes.code_of(value.get("code")),
    )
    given = any(value.get(name) for name in ("id", "click_id", "email", "code"))
    if not given:
        return None
    if not (key.referral_id or key.click_token or key.email or key.code):
        return Reason(path="referral", code=deliveries.BAD_REFERRAL_KEY)
    return key


_Reader = Callable[[Mapping[str, Any], str], tuple[tuple[Said, ...], tuple[Reason, ...]]]

_READERS: Final[Mapping[str, _Reader]] = {
    DEAL_UPDATED: standard_statements.deal_updated,
    "deal.deleted": standard_statements.deal_deleted,
    "deal.merged": standard_statements.deal_merged,
    "invoice.paid": standard_statements.invoice_paid,
    "refund.created": standard_statements.refund_created,
    "chargeback.created": standard_statements.chargeback_created,
    "chargeback.reversed": standard_statements.chargeback_reversed,
    "subscription.renewed": standard_statements.subscription_renewed,
    "subscription.cancelled": standard_statements.subscription_cancelled,
    "meeting.held": standard_statements.meeting_held,
}

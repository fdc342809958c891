"""The generic payload of sources of kind ``standard``: one typed event about one deal."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from shared.domain import deal_changes, deliveries
from shared.domain.deal_changes import Change, Content, ReferralKey, text_of
from shared.domain.deliveries import Reason

DEAL_UPDATED: Final = "deal.updated"

_LATER_TYPES: Final = frozenset(
    {
        "deal.deleted",
        "deal.merged",
        "invoice.paid",
        "refund.created",
        "chargeback.created",
        "chargeback.reversed",
        "subscription.renewed",
        "subscription.cancelled",
        "meeting.held",
    }
)
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
    if kind == DEAL_UPDATED:
        return _deal_updated(document, received_at, message_id)
    if kind in _LATER_TYPES:
        return _refused("type", deliveries.NOT_SUPPORTED_YET)
    # A type of which we know nothing does not concern us; one that is none is a mistake.
    return Content() if kind else _refused("type", deliveries.BAD_EVENT)


def _deal_updated(
    document: Mapping[str, object], received_at: datetime, message_id: str
) -> Content:
    deal = document.get("deal")
    if not isinstance(deal, Mapping):
        return _refused("deal", deliveries.BAD_EVENT)
    deal_id = text_of(deal.get("id"))
    if not deal_id:
        return _refused("deal.id", deliveries.BAD_EVENT)
    moment = _moment(document, received_at, message_id)
    if moment is None:
        return _refused("occurred_at", deliveries.BAD_TIME)
    changes, reasons = _changes(deal, deal_id, moment)
    key = _key(document.get("referral"), deal_id, moment)
    if isinstance(key, Reason):
        return Content(changes=changes, reasons=(*reasons, key))
    return Content(changes=changes, keys=(key,) if key else (), reasons=reasons)


def _refused(path: str, code: str) -> Content:
    return Content(reasons=(Reason(path=path, code=code),))


def _moment(
    document: Mapping[str, object], received_at: datetime, message_id: str
) -> _Moment | None:
    said = document.get("occurred_at")
    if said is None:
        event_id = text_of(document.get("id"), _MAX_ID) or message_id
        return _Moment(occurred_at=received_at, when=event_id, approximate=True)
    text = text_of(said, _MAX_TIME)
    try:
        moment = datetime.fromisoformat(text)
        if moment.tzinfo is None:
            return None
        return _Moment(occurred_at=moment.astimezone(UTC), when=text)
    except (ValueError, OverflowError):
        return None


def _changes(
    deal: Mapping[str, object], deal_id: str, moment: _Moment
) -> tuple[tuple[Change, ...], tuple[Reason, ...]]:
    given: list[tuple[str, str, str]] = []
    if deal.get("stage") is not None:
        given.append(("stage", deliveries.UNKNOWN_STAGE, text_of(deal.get("pipeline"))))
    currency = deal.get("currency")
    if deal.get("amount") is not None:
        # A currency beside an amount belongs to the amount.
        given.append(("amount", deliveries.BAD_AMOUNT, ""))
    elif currency is not None:
        given.append(("currency", deliveries.BAD_CURRENCY, ""))
    if currency is not None and not text_of(currency):
        return (), (Reason(path="deal.currency", code=deliveries.BAD_CURRENCY),)
    changes: list[Change] = []
    reasons: list[Reason] = []
    for name, code, pipeline in given:
        value = text_of(deal.get(name))
        if not value:
            reasons.append(Reason(path=f"deal.{name}", code=code))
            continue
        changes.append(
            Change(
                deal_id=deal_id,
                attribute=name,
                name=name,
                value=value,
                occurred_at=moment.occurred_at,
                when=moment.when,
                path=f"deal.{name}",
                pipeline=pipeline,
                currency=text_of(currency) if name == "amount" else "",
                approximate=moment.approximate,
            )
        )
    return tuple(changes), tuple(reasons)


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

"""HubSpot webhooks: a JSON array of at most 100 events, each about one property of one object.

``deal.propertyChange`` is the classic form, ``object.propertyChange`` with ``objectTypeId`` 0-3
that of the newer platform. ``propertyValue`` is always a text, ``occurredAt`` is in
milliseconds, ``eventId`` is not unique, and the order inside the array means nothing.
The deal property ``goodword_referral`` holds a referral id, a link's code or a click token.
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Final

from shared.domain import deal_changes, deliveries
from shared.domain.deal_changes import Change, Content, ReferralKey
from shared.domain.deliveries import Reason

MAX_EVENTS: Final = 100
REFERRAL_PROPERTY: Final = "goodword_referral"

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MAX_MS: Final = 253_402_300_799_999  # the end of year 9999
_MAX_OBJECT_ID: Final = 10**18
_MAX_VALUE: Final = 2_000
_DEAL_TYPE: Final = "0-3"
_ATTRIBUTES: Final = {
    "dealstage": deal_changes.STAGE,
    "amount": deal_changes.AMOUNT,
    "deal_currency_code": deal_changes.CURRENCY,
}

# They matter to money or to a person's rights, and this version can't act on them: kept for
# somebody to see, instead of dropped.
_PARKED_TYPES: Final = frozenset(
    {"deal.deletion", "deal.merge", "deal.restore", "contact.privacyDeletion"}
)


def content_of(document: object) -> Content:
    """Bring a parsed body to deal changes; whatever can't be read is named, never dropped."""
    if not isinstance(document, Sequence) or isinstance(document, str):
        return Content(reasons=(Reason(path="", code=deliveries.BAD_EVENT),))
    if len(document) > MAX_EVENTS:
        return Content(reasons=(Reason(path="", code=deliveries.TOO_MANY_EVENTS),))
    changes: list[Change] = []
    keys: list[ReferralKey] = []
    reasons: list[Reason] = []
    for position, event in enumerate(document):
        part = _part(event, f"[{position}]")
        match part:
            case Change():
                changes.append(part)
            case ReferralKey():
                keys.append(part)
            case Reason():
                reasons.append(part)
    return Content(changes=tuple(changes), keys=tuple(keys), reasons=tuple(reasons))


def _part(event: object, path: str) -> Change | ReferralKey | Reason | None:
    """Return what one event says; None if it does not concern us."""
    if not isinstance(event, Mapping):
        return Reason(path=path, code=deliveries.BAD_EVENT)
    kind = event.get("subscriptionType")
    if isinstance(kind, str) and kind in _PARKED_TYPES:
        return Reason(path=f"{path}.subscriptionType", code=deliveries.NOT_SUPPORTED_YET)
    if not _is_deal_change(event):
        return None
    name = event.get("propertyName")
    if not isinstance(name, str) or (name != REFERRAL_PROPERTY and name not in _ATTRIBUTES):
        return None
    return _property(event, name, path)


def _is_deal_change(event: Mapping[str, object]) -> bool:
    kind = event.get("subscriptionType")
    if kind == "object.propertyChange":
        return event.get("objectTypeId") == _DEAL_TYPE
    return kind == "deal.propertyChange"


def _property(
    event: Mapping[str, object], name: str, path: str
) -> Change | ReferralKey | Reason | None:
    deal_id = _whole(event.get("objectId"), _MAX_OBJECT_ID)
    if deal_id is None:
        return Reason(path=f"{path}.objectId", code=deliveries.BAD_EVENT)
    milliseconds = _whole(event.get("occurredAt"), _MAX_MS)
    if milliseconds is None:
        return Reason(path=f"{path}.occurredAt", code=deliveries.BAD_TIME)
    value = event.get("propertyValue")
    where = f"{path}.propertyValue"
    occurred_at = _EPOCH + timedelta(milliseconds=milliseconds)
    if name == REFERRAL_PROPERTY:
        if value is None or value == "":
            return None  # clearing the property takes no referral away
        found = deal_changes.free_key(value)
        if not found:
            return Reason(path=where, code=deliveries.BAD_REFERRAL_KEY)
        return ReferralKey(deal_id=str(deal_id), occurred_at=occurred_at, path=where, **found)
    text = deal_changes.text_of(value, _MAX_VALUE)
    return Change(
        deal_id=str(deal_id),
        attribute=_ATTRIBUTES[name],
        name=name,
        value=text,
        occurred_at=occurred_at,
        when=str(milliseconds),
        path=where,
    )


def _whole(value: object, most: int) -> int | None:
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= most:
        return None
    return value

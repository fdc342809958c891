"""HubSpot webhooks: a JSON array of at most 100 events, each about one property of one object.

``deal.propertyChange`` is the classic form, ``object.propertyChange`` with ``objectTypeId`` 0-3
that of the newer platform. ``propertyValue`` is always a text, ``occurredAt`` is in
milliseconds, ``eventId`` is not unique, and the order inside the array means nothing.
The deal property ``goodword_referral`` holds a referral id, a link's code or a click token.
A deal that is deleted, restored or merged into another comes as an event of its own type.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from shared.domain import deal_changes, deliveries, facts
from shared.domain.deal_changes import Change, Content, ReferralKey
from shared.domain.deliveries import Reason

MAX_EVENTS: Final = 100
MAX_MERGED: Final = 10
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

# What happens to a whole deal: kind of fact, its name here, its data.
_WHOLE_DEAL: Final[Mapping[str, tuple[str, str, Mapping[str, str]]]] = {
    "deletion": (facts.DEAL_ENDED, "deleted", {"how": "deleted"}),
    "restore": (facts.DEAL_RESTORED, "restored", {}),
}

# Properties that terms may ask for.
_FIELDS: Final = frozenset({deal_changes.CONTRACT_MONTHS, "plan"})

# A person's right, on which this version can't act: kept for somebody to see, never dropped.
_PARKED_TYPES: Final = frozenset({"contact.privacyDeletion", "object.privacyDeletion"})


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
        for part in _parts(event, f"[{position}]"):
            match part:
                case Change():
                    changes.append(part)
                case ReferralKey():
                    keys.append(part)
                case Reason():
                    reasons.append(part)
    return Content(changes=tuple(changes), keys=tuple(keys), reasons=tuple(reasons))


_Part = Change | ReferralKey | Reason


def _parts(event: object, path: str) -> Sequence[_Part]:
    """Return what one event says; nothing if it does not concern us."""
    if not isinstance(event, Mapping):
        return (Reason(path=path, code=deliveries.BAD_EVENT),)
    kind = event.get("subscriptionType")
    if isinstance(kind, str) and kind in _PARKED_TYPES:
        return (Reason(path=f"{path}.subscriptionType", code=deliveries.NOT_SUPPORTED_YET),)
    happened = _happened(event)
    if happened == "propertyChange":
        return _property(event, path)
    if happened == "merge":
        return _merge(event, path)
    return (_about_deal(event, path, *_WHOLE_DEAL[happened]),) if happened in _WHOLE_DEAL else ()


def _happened(event: Mapping[str, object]) -> str:
    """Return what happened to a deal, or nothing if it is about something else."""
    kind = event.get("subscriptionType")
    what, _, happened = kind.partition(".") if isinstance(kind, str) else ("", "", "")
    is_deal = what == "deal" or (what == "object" and event.get("objectTypeId") == _DEAL_TYPE)
    return happened if is_deal else ""


def _property(event: Mapping[str, object], path: str) -> Sequence[_Part]:
    name = event.get("propertyName")
    if not isinstance(name, str):
        return ()
    value = event.get("propertyValue")
    where = f"{path}.propertyValue"
    if name in _ATTRIBUTES:
        text = deal_changes.text_of(value, _MAX_VALUE)
        return (_change(event, path, name=name, attribute=_ATTRIBUTES[name], value=text),)
    if name in _FIELDS:
        found = deal_changes.field_value(name, value)
        if found is None:
            return (Reason(path=where, code=deliveries.BAD_FIELD),)
        data = {"name": name, "value": found}
        return (_change(event, path, name=name, attribute=facts.FIELD_SET, data=data),)
    return _referral_key(event, path) if name == REFERRAL_PROPERTY else ()


def _referral_key(event: Mapping[str, object], path: str) -> Sequence[_Part]:
    value = event.get("propertyValue")
    moment = _moment(event, path)
    if isinstance(moment, Reason):
        return (moment,)
    if value is None or value == "":
        return ()  # clearing the property takes no referral away
    where = f"{path}.propertyValue"
    found = deal_changes.free_key(value)
    if not found:
        return (Reason(path=where, code=deliveries.BAD_REFERRAL_KEY),)
    deal_id, milliseconds = moment
    occurred_at = _EPOCH + timedelta(milliseconds=milliseconds)
    return (ReferralKey(deal_id=str(deal_id), occurred_at=occurred_at, path=where, **found),)


def _merge(event: Mapping[str, object], path: str) -> Sequence[_Part]:
    """Return every deal that went into another: the primary one, or a new one."""
    primary = _whole(event.get("primaryObjectId"), _MAX_OBJECT_ID)
    if primary is None:
        return (Reason(path=f"{path}.primaryObjectId", code=deliveries.BAD_EVENT),)
    listed = event.get("mergedObjectIds")
    if not isinstance(listed, Sequence) or isinstance(listed, str) or len(listed) > MAX_MERGED:
        return (Reason(path=f"{path}.mergedObjectIds", code=deliveries.BAD_EVENT),)
    # A merge can make a new record; the primary one goes into it like all others.
    survivor = _whole(event.get("newObjectId"), _MAX_OBJECT_ID) or primary
    data = {"merged_into": str(survivor)}
    parts: list[_Part] = []
    gone = {primary: None}
    for place, each in enumerate(listed):
        deal_id = _whole(each, _MAX_OBJECT_ID)
        if deal_id is None:
            where = f"{path}.mergedObjectIds[{place}]"
            parts.append(Reason(path=where, code=deliveries.BAD_EVENT))
        else:
            gone[deal_id] = None
    for deal_id in gone:
        if deal_id != survivor:
            of_deal = {**event, "objectId": deal_id}
            parts.append(_about_deal(of_deal, path, facts.DEAL_MERGED, "merged", data))
    return parts


def _about_deal(
    event: Mapping[str, object], path: str, attribute: str, name: str, data: Mapping[str, str]
) -> Change | Reason:
    made = _change(event, path, name=name, attribute=attribute, data=data)
    return made if isinstance(made, Reason) else replace(made, path=f"{path}.subscriptionType")


def _change(
    event: Mapping[str, object],
    path: str,
    *,
    name: str,
    attribute: str,
    value: str = "",
    data: Mapping[str, Any] | None = None,
) -> Change | Reason:
    moment = _moment(event, path)
    if isinstance(moment, Reason):
        return moment
    deal_id, milliseconds = moment
    return Change(
        deal_id=str(deal_id),
        attribute=attribute,
        name=name,
        value=value,
        occurred_at=_EPOCH + timedelta(milliseconds=milliseconds),
        when=str(milliseconds),
        path=f"{path}.propertyValue",
        data=data or {},
    )


def _moment(event: Mapping[str, object], path: str) -> tuple[int, int] | Reason:
    """Return which deal it is about, and the milliseconds at which it happened."""
    deal_id = _whole(event.get("objectId"), _MAX_OBJECT_ID)
    if deal_id is None:
        return Reason(path=f"{path}.objectId", code=deliveries.BAD_EVENT)
    milliseconds = _whole(event.get("occurredAt"), _MAX_MS)
    if milliseconds is None:
        return Reason(path=f"{path}.occurredAt", code=deliveries.BAD_TIME)
    return deal_id, milliseconds


def _whole(value: object, most: int) -> int | None:
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= most:
        return None
    return value

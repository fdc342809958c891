"""What each type of the generic payload states. A part that can't be read is named instead.

Every reader takes the whole body and the event's id, and returns statements and reasons.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from shared.domain import deal_changes, deliveries, facts
from shared.domain.deal_changes import text_of
from shared.domain.deliveries import Reason

MAX_FIELDS: Final = 20
MEETING_HELD: Final = "meeting_held"
SUBSCRIPTION: Final = "subscription"

_FIELD_NAME: Final = re.compile(r"[a-z0-9_]{1,50}")
_INVOICE: Final = "invoice:"


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """A change before it is known which deal it is of, and when it happened."""

    attribute: str
    name: str
    path: str
    value: str = ""
    pipeline: str = ""
    currency: str = ""
    subject: str = ""
    data: Mapping[str, Any] = field(default_factory=dict)


Read = tuple[tuple[Said, ...], tuple[Reason, ...]]


def deal_updated(document: Mapping[str, Any], _event_id: str) -> Read:
    """Read stage, amount, currency and the fields that terms may ask for."""
    deal = document["deal"]
    said: list[Said] = []
    reasons: list[Reason] = []
    for part in (*_state(deal), *_fields(deal)):
        if isinstance(part, Reason):
            reasons.append(part)
        else:
            said.append(part)
    return tuple(said), tuple(reasons)


def deal_deleted(_document: Mapping[str, Any], _event_id: str) -> Read:
    """Read that the deal is gone."""
    return _one(facts.DEAL_ENDED, "deleted", "deal", {"how": "deleted"})


def deal_merged(document: Mapping[str, Any], _event_id: str) -> Read:
    """Read that the deal went into another, where it lives on; if none is named, it ended."""
    deal = document["deal"]
    fields = deal.get("fields")
    named = (
        document.get("merged_into"),
        deal.get("merged_into"),
        fields.get("merged_into") if isinstance(fields, Mapping) else None,
    )
    into = next((text for text in map(deal_changes.deal_id_of, named) if text), "")
    if not into:
        return _one(facts.DEAL_ENDED, "merged", "deal", {"how": "merged"})
    if into == deal_changes.deal_id_of(deal["id"]):
        return _no("merged_into", deliveries.BAD_EVENT)
    return _one(facts.DEAL_MERGED, "merged", "deal", {"merged_into": into})


def invoice_paid(document: Mapping[str, Any], _event_id: str) -> Read:
    """Read a paid invoice."""
    invoice = _object(document, "invoice")
    if isinstance(invoice, Reason):
        return (), (invoice,)
    invoice_id = text_of(invoice.get("id"))
    if not invoice_id:
        return _no("invoice.id", deliveries.BAD_EVENT)
    amount = text_of(invoice.get("amount_net"))
    if not amount:
        return _no("invoice.amount_net", deliveries.BAD_AMOUNT)
    options = _options(invoice, "invoice", ("currency", "period"))
    if isinstance(options, Reason):
        return (), (options,)
    data = {"invoice_id": invoice_id, "amount_net": amount, **options}
    return _one(facts.INVOICE_PAID, "paid", "invoice.amount_net", data, f"{_INVOICE}{invoice_id}")


def refund_created(document: Mapping[str, Any], _event_id: str) -> Read:
    """Read a refund of the deal or of an invoice."""
    refund = _object(document, "refund")
    return _taken_back(refund, "refund", facts.REFUNDED)


def chargeback_created(document: Mapping[str, Any], _event_id: str) -> Read:
    """Read a chargeback; it may come in the shape of a refund."""
    name = _chargeback_name(document)
    return _taken_back(_object(document, name), name, facts.CHARGED_BACK)


def chargeback_reversed(document: Mapping[str, Any], _event_id: str) -> Read:
    """Read that a chargeback was decided for the seller."""
    name = _chargeback_name(document)
    chargeback = _object(document, name)
    if isinstance(chargeback, Reason):
        return (), (chargeback,)
    chargeback_id = text_of(chargeback.get("id"))
    if not chargeback_id:
        return _no(f"{name}.id", deliveries.BAD_EVENT)
    data = {"chargeback_id": chargeback_id}
    subject = f"chargeback:{chargeback_id}"
    return _one(facts.CHARGEBACK_REVERSED, "reversed", f"{name}.id", data, subject)


def subscription_renewed(document: Mapping[str, Any], event_id: str) -> Read:
    """Read a renewal: the invoice's period names it, so that two reports of one are one.

    Without a period the event's id does.
    """
    invoice = document.get("invoice")
    if invoice is None:
        invoice = {}
    if not isinstance(invoice, Mapping):
        return _no("invoice", deliveries.BAD_EVENT)
    options = _options(invoice, "invoice", ("currency", "period"))
    if isinstance(options, Reason):
        return (), (options,)
    renewal_id = options.get("period") or event_id
    if not renewal_id:
        return _no("id", deliveries.BAD_EVENT)
    data = {"renewal_id": renewal_id}
    if invoice.get("amount_net") is not None:
        amount = text_of(invoice["amount_net"])
        if not amount:
            return _no("invoice.amount_net", deliveries.BAD_AMOUNT)
        data["amount"] = amount
        data |= {"currency": options["currency"]} if "currency" in options else {}
    return _one(facts.RENEWED, "renewed", "invoice.amount_net", data, f"renewal:{renewal_id}")


def subscription_cancelled(_document: Mapping[str, Any], _event_id: str) -> Read:
    """Read that the subscription ended."""
    data = {"name": SUBSCRIPTION, "value": "cancelled"}
    return _one(facts.FIELD_SET, "subscription.cancelled", "type", data)


def meeting_held(_document: Mapping[str, Any], _event_id: str) -> Read:
    """Read that the introduction led to a meeting."""
    return _one(facts.MILESTONE_REACHED, "meeting.held", "type", {"milestone": MEETING_HELD})


def _one(kind: str, name: str, path: str, data: Mapping[str, Any], subject: str = "") -> Read:
    return (Said(attribute=kind, name=name, path=path, subject=subject, data=data),), ()


def _no(path: str, code: str) -> Read:
    return (), (Reason(path=path, code=code),)


def _object(document: Mapping[str, Any], name: str) -> Mapping[str, Any] | Reason:
    value = document.get(name)
    return value if isinstance(value, Mapping) else Reason(path=name, code=deliveries.BAD_EVENT)


def _chargeback_name(document: Mapping[str, Any]) -> str:
    return "chargeback" if document.get("chargeback") is not None else "refund"


def _options(
    value: Mapping[str, Any], path: str, names: tuple[str, ...]
) -> dict[str, str] | Reason:
    """Return the texts that are given under these names."""
    found: dict[str, str] = {}
    for name in names:
        if value.get(name) is None:
            continue
        text = text_of(value[name])
        if not text:
            wrong = deliveries.BAD_CURRENCY if name == "currency" else deliveries.BAD_EVENT
            return Reason(path=f"{path}.{name}", code=wrong)
        found[name] = text
    return found


def _taken_back(refund: Mapping[str, Any] | Reason, path: str, kind: str) -> Read:
    if isinstance(refund, Reason):
        return (), (refund,)
    refund_id = text_of(refund.get("id"))
    if not refund_id:
        return _no(f"{path}.id", deliveries.BAD_EVENT)
    of = text_of(refund.get("of"), len(_INVOICE) + deal_changes.MAX_TEXT)
    invoice_id = text_of(of.removeprefix(_INVOICE)) if of.startswith(_INVOICE) else ""
    if of != "deal" and not invoice_id:
        return _no(f"{path}.of", deliveries.BAD_EVENT)
    amount = text_of(refund.get("amount"))
    if not amount:
        return _no(f"{path}.amount", deliveries.BAD_AMOUNT)
    options = _options(refund, path, ("currency",))
    if isinstance(options, Reason):
        return (), (options,)
    what = "refund" if kind == facts.REFUNDED else "chargeback"
    data = {
        f"{what}_id": refund_id,
        "of": f"{_INVOICE}{invoice_id}" if invoice_id else of,
        "amount": amount,
        **options,
    }
    return _one(kind, "created", f"{path}.amount", data, f"{what}:{refund_id}")


def _state(deal: Mapping[str, Any]) -> Iterable[Said | Reason]:
    currency = deal.get("currency")
    if currency is not None and not text_of(currency):
        yield Reason(path="deal.currency", code=deliveries.BAD_CURRENCY)
        return
    given: list[tuple[str, str, str, str]] = []
    if deal.get("stage") is not None:
        given.append(("stage", deliveries.UNKNOWN_STAGE, text_of(deal.get("pipeline")), ""))
    if deal.get("amount") is not None:
        # A currency beside an amount belongs to the amount.
        given.append(("amount", deliveries.BAD_AMOUNT, "", text_of(currency)))
    elif currency is not None:
        given.append(("currency", deliveries.BAD_CURRENCY, "", ""))
    for name, code, pipeline, beside in given:
        path = f"deal.{name}"
        value = text_of(deal.get(name))
        if not value:
            yield Reason(path=path, code=code)
            continue
        yield Said(
            attribute=name, name=name, path=path, value=value, pipeline=pipeline, currency=beside
        )


def _fields(deal: Mapping[str, Any]) -> Iterable[Said | Reason]:
    own = deal.get(deal_changes.CONTRACT_MONTHS)
    if own is not None:
        yield _field(deal_changes.CONTRACT_MONTHS, own, f"deal.{deal_changes.CONTRACT_MONTHS}")
    fields = deal.get("fields")
    if fields is None:
        return
    if not isinstance(fields, Mapping):
        yield Reason(path="deal.fields", code=deliveries.BAD_FIELD)
        return
    if len(fields) > MAX_FIELDS:
        yield Reason(path="deal.fields", code=deliveries.TOO_MANY_FIELDS)
        return
    for name, value in fields.items():
        if not _FIELD_NAME.fullmatch(name):
            # The name is the sender's text, so it is not repeated.
            yield Reason(path="deal.fields", code=deliveries.BAD_FIELD)
        elif value is not None and not (name == deal_changes.CONTRACT_MONTHS and own is not None):
            yield _field(name, value, f"deal.fields.{name}")


def _field(name: str, value: object, path: str) -> Said | Reason:
    found = deal_changes.field_value(name, value)
    if found is None:
        return Reason(path=path, code=deliveries.BAD_FIELD)
    # Named by its path: a field may bear the name of another part of the deal.
    return Said(
        attribute=facts.FIELD_SET, name=path, path=path, data={"name": name, "value": found}
    )

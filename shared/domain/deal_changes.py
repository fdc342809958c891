"""Deal changes: what every kind of source is brought to, and how a change becomes a fact."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, Final

from shared.domain import deliveries, facts
from shared.domain.deliveries import Reason
from shared.domain.errors import InvalidFieldsError
from shared.domain.facts import Fact
from shared.domain.money import is_currency, parse_amount
from shared.domain.sources import NET, Source
from shared.domain.whole_deals import end_of, living

STAGE: Final = "stage"
AMOUNT: Final = "amount"
CURRENCY: Final = "currency"

CONTRACT_MONTHS: Final = "contract_months"
MAX_CONTRACT_MONTHS: Final = 1_200

MAX_TEXT: Final = 100
_MAX_REFERRAL_TEXT: Final = 2_000
_REFERRAL_ID: Final = re.compile(r"ref_[0-9a-z]{1,64}")
_MONTHS: Final = re.compile(r"[0-9]{1,4}(\.0{1,6})?")
_MAX_WHOLE: Final = 10**15
_CODE: Final = re.compile(r"[a-z0-9-]{3,40}")

# Beyond this, a time from the future is replaced by the receipt. Below it, it stays: a sender
# whose clock runs a little ahead must not see its own statements change places.
_MAX_AHEAD: Final = timedelta(minutes=10)


# Which part of a statement is an amount, and the least that it may be in minor units.
_AMOUNTS: Final[Mapping[str, tuple[str, int]]] = {
    facts.INVOICE_PAID: ("amount_net", 0),
    facts.RENEWED: ("amount", 0),
    facts.REFUNDED: ("amount", 1),
    facts.CHARGED_BACK: ("amount", 1),
}
_WHOLE_DEALS: Final = frozenset({facts.DEAL_ENDED, facts.DEAL_RESTORED, facts.DEAL_MERGED})


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One statement about one deal.

    ``name`` is the sender's name of the field and ``when`` its own time as it was sent, or its
    event id if it sent none; both go into the fact's id. ``pipeline`` serves stages and
    ``currency`` amounts. Any other ``attribute`` than stage, amount and currency is a kind of
    fact with its ``data`` as the sender gave it, and ``subject`` what it is about if that is
    not the deal.
    """

    deal_id: str
    attribute: str
    name: str
    value: str = ""
    occurred_at: datetime
    when: str
    path: str
    pipeline: str = ""
    currency: str = ""
    approximate: bool = False
    subject: str = ""
    data: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class ReferralKey:
    """What a delivery says about the referral of a deal; the first that resolves decides."""

    deal_id: str
    occurred_at: datetime
    path: str
    referral_id: str = ""
    click_token: str = ""
    email: str = ""
    code: str = ""

    @property
    def digest(self) -> str:
        """Return what recognises the same evidence again."""
        parts = (self.referral_id, self.click_token, self.email, self.code)
        return facts.digest32("\n".join(parts))


@dataclass(frozen=True, slots=True, kw_only=True)
class Content:
    """What a delivery says, brought to one shape; ``reasons`` name the parts that can't be."""

    changes: tuple[Change, ...] = ()
    keys: tuple[ReferralKey, ...] = ()
    reasons: tuple[Reason, ...] = ()

    def deals(self) -> list[str]:
        """Return the deals by the time of the first thing said, those that name referrals first."""
        named: dict[str, datetime] = {}
        said = [(part.deal_id, part.occurred_at) for part in self.keys]
        said += [(part.deal_id, part.occurred_at) for part in self.changes]
        said += [(deal, part.occurred_at) for part in self.merges() for deal in merged_pair(part)]
        for deal_id, occurred_at in said:
            named[deal_id] = min(named.get(deal_id, occurred_at), occurred_at)
        binding = {key.deal_id for key in self.keys}
        return sorted(named, key=lambda deal: (deal not in binding, named[deal], deal))

    def key_of(self, deal_id: str) -> ReferralKey | None:
        """Return the latest word on the deal's referral."""
        said = [key for key in self.keys if key.deal_id == deal_id]
        return max(said, key=lambda key: (key.occurred_at, key.digest), default=None)

    def changes_of(self, deal_id: str) -> tuple[Change, ...]:
        """Return what is said about one deal, but for the deal that it went into."""
        return tuple(
            change
            for change in self.changes
            if change.deal_id == deal_id and change.attribute != facts.DEAL_MERGED
        )

    def merges(self) -> tuple[Change, ...]:
        """Return what says that one deal went into another, which it names."""
        return tuple(change for change in self.changes if change.attribute == facts.DEAL_MERGED)


def merged_pair(merge: Change) -> tuple[str, str]:
    """Return the deal that went into another, and that other one."""
    return merge.deal_id, str(merge.data["merged_into"])


def text_of(value: object, limit: int = MAX_TEXT) -> str:
    """Return a printable text within the limit, or an empty string for anything else.

    Lone surrogates and control characters are not printable, so what passes can be stored.
    """
    if not isinstance(value, str) or not 0 < len(value) <= limit or not value.isprintable():
        return ""
    return value.strip()


def free_key(value: object) -> dict[str, str]:
    """Tell whether a text is a referral id, a code or a click token; empty if it is none."""
    text = text_of(value, _MAX_REFERRAL_TEXT)
    if not text:
        return {}
    if _REFERRAL_ID.fullmatch(text):
        return {"referral_id": text}
    if _CODE.fullmatch(text.lower()):
        return {"code": text.lower()}
    return {"click_token": text}


def code_of(value: object) -> str:
    """Return a link's code in its one spelling, or an empty string."""
    text = text_of(value).lower()
    return text if _CODE.fullmatch(text) else ""


def id_of(value: object) -> str:
    """Return a referral id, or an empty string."""
    text = text_of(value)
    return text if _REFERRAL_ID.fullmatch(text) else ""


def deal_id_of(value: object) -> str:
    """Return a deal's id, or an empty string."""
    text = text_of(value)
    return text if deliveries.is_deal(text) else ""


def field_value(name: str, value: object) -> str | int | None:
    """Return what a deal's field holds as a text or a whole number, or None if it is neither."""
    if name == CONTRACT_MONTHS and isinstance(value, str):
        # CRMs that know only decimals write 12 as 12.0.
        months = text_of(value)
        value = int(months.partition(".")[0]) if _MONTHS.fullmatch(months) else None
    if isinstance(value, bool):
        value = "true" if value else "false"
    if isinstance(value, Decimal) and abs(value) <= _MAX_WHOLE and value == int(value):
        value = int(value)
    if isinstance(value, int) and abs(value) <= _MAX_WHOLE:
        fits = name != CONTRACT_MONTHS or 0 <= value <= MAX_CONTRACT_MONTHS
        return value if fits else None
    return None if name == CONTRACT_MONTHS else text_of(value) or None


def facts_of(
    changes: Iterable[Change], source: Source, received_at: datetime
) -> tuple[list[tuple[Change, Fact]], list[Reason]]:
    """Return the fact of each change, and why the others have none."""
    made: list[tuple[Change, Fact]] = []
    reasons: list[Reason] = []
    for change in changes:
        result = _judge(change, source)
        if isinstance(result, str):
            reasons.append(Reason(path=change.path, code=result))
        else:
            kind, data = result
            made.append((change, _fact(change, source, received_at, kind, data)))
    return made, reasons


def _judge(change: Change, source: Source) -> tuple[str, dict[str, Any]] | str:
    """Return the fact's kind and data, or the code of what is wrong."""
    if change.attribute == STAGE:
        return _stage(change, source)
    if change.attribute == CURRENCY:
        if not is_currency(change.value):
            return deliveries.BAD_CURRENCY
        return facts.CURRENCY_SET, {"currency": change.value}
    if change.attribute == AMOUNT:
        return _amount(change, source)
    return _statement(change, source)


def _statement(change: Change, source: Source) -> tuple[str, dict[str, Any]] | str:
    """Return what was said, with its amount checked in a currency that is named from here on."""
    data = dict(change.data)
    name, least = _AMOUNTS.get(change.attribute, ("", 0))
    if name in data:
        currency = data.get("currency") or source.default_currency
        problem = _problem(data[name], currency, least)
        if problem:
            return problem
        data["currency"] = currency
    if change.attribute in _WHOLE_DEALS:
        data["deal_id"] = change.deal_id
    return change.attribute, data


def _problem(text: str, currency: str, least: int) -> str:
    """Return the code of what is wrong with an amount of at least so many minor units."""
    if not is_currency(currency):
        return deliveries.BAD_CURRENCY
    try:
        minor = parse_amount(text, currency)
    except InvalidFieldsError:
        return deliveries.BAD_AMOUNT
    return deliveries.BAD_AMOUNT if minor < least else ""


def _stage(change: Change, source: Source) -> tuple[str, dict[str, Any]] | str:
    entry = source.stage_map.find(change.value, change.pipeline)
    if entry is None:
        return deliveries.UNKNOWN_STAGE
    data: dict[str, Any] = {
        "source_id": source.source_id,
        "deal_id": change.deal_id,
        "pipeline": change.pipeline,
        "stage": change.value,
        "rank": entry.rank,
        "outcome": entry.outcome,
        "ladder": source.stage_map.ladder(),
    }
    if entry.milestone:
        data["milestone"] = entry.milestone
    return facts.STAGE_ENTERED, data


def _amount(change: Change, source: Source) -> tuple[str, dict[str, Any]] | str:
    problem = _problem(change.value, change.currency or source.default_currency, 0)
    if problem:
        return problem
    data = {"amount": change.value, "default_currency": source.default_currency}
    if change.currency:
        data["currency"] = change.currency
    if source.amount_is == NET:
        data["amount_is"] = NET
    return facts.AMOUNT_SET, data


def _fact(
    change: Change, source: Source, received_at: datetime, kind: str, data: Mapping[str, Any]
) -> Fact:
    ahead = change.occurred_at > received_at + _MAX_AHEAD
    value: object = change.data or change.value
    if change.pipeline or change.currency:
        value = [change.value, change.pipeline, change.currency]
    return Fact(
        fact_id=facts.fact_id(
            source=source.source_id,
            subject=change.subject or f"deal:{change.deal_id}",
            attribute=change.name,
            value=value,
            when=change.when,
        ),
        kind=kind,
        occurred_at=received_at if ahead else change.occurred_at,
        received_at=received_at,
        source=source.source_id,
        data=data,
        approximate=change.approximate or ahead,
    )


def mirror(known: Sequence[Fact], source_id: str, deal_id: str) -> dict[str, str]:
    """Return how the deal stands, for lists; it decides nothing."""
    ordered = facts.in_order(known)
    stage = facts.latest(ordered, facts.STAGE_ENTERED)
    amount = facts.latest(ordered, facts.AMOUNT_SET)
    currency = facts.latest(ordered, facts.CURRENCY_SET)
    shown = {"source_id": source_id, "deal_id": living(ordered, deal_id), "stage": ""}
    shown |= {"outcome": "", "amount": "", "currency": ""}
    if stage:
        shown |= {"stage": stage.data["stage"], "outcome": stage.data["outcome"]}
    end = end_of(ordered)
    if end:
        shown["outcome"] = end.data["how"]
    if amount:
        named = amount.data.get("currency") or (currency.data["currency"] if currency else "")
        shown["amount"] = amount.data["amount"]
        shown["currency"] = named or amount.data.get("default_currency", "")
    return shown

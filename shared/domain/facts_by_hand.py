"""Facts that a person states: which kinds, and what must hold of each before it is stored.

Statements tell what happened and may bear an earlier time. Decisions are taken now: to backdate
one would re-price what was already decided, without the second person that this takes.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, Final

from shared.domain import facts as kinds
from shared.domain.case import pinned_partners
from shared.domain.entitlements import ROLES, WHOLE_SHARE
from shared.domain.errors import ConflictError, FieldError, InvalidFieldsError, invalid
from shared.domain.facts import Fact, in_order, latest
from shared.domain.money import is_currency, parse_amount, parse_decimal
from shared.domain.partners import CATEGORIES
from shared.domain.rule_reader import RuleReader
from shared.domain.terms import (
    FIELDS,
    NUMBER,
    TEXT,
    LeadQuality,
    Terms,
)

SOURCE: Final = "hand"

STATEMENTS: Final = (
    kinds.MILESTONE_REACHED,
    kinds.AMOUNT_SET,
    kinds.FIELD_SET,
    kinds.INVOICE_PAID,
    kinds.RENEWED,
    kinds.REFUNDED,
    kinds.CHARGED_BACK,
    kinds.CHARGEBACK_REVERSED,
)
DECISIONS: Final = (
    kinds.SHARES_SET,
    kinds.CATEGORIES_DECLARED,
    kinds.REGRADED,
    kinds.RATE_SET,
    kinds.HOLD_PLACED,
    kinds.HOLD_RELEASED,
    kinds.FACT_RETRACTED,
)
KINDS: Final = (*STATEMENTS, *DECISIONS)

RETRACTABLE: Final = frozenset(
    {
        *STATEMENTS,
        kinds.STAGE_ENTERED,
        kinds.CURRENCY_SET,
        kinds.DEAL_ENDED,
        kinds.DEAL_RESTORED,
        kinds.REGRADED,
        kinds.RATE_SET,
        kinds.HOLD_PLACED,
        kinds.HOLD_RELEASED,
    }
)
"""What is pinned, reviewed or shared is changed by a decision of its own, never taken back."""

UNSAID_BY_TWO: Final = frozenset(
    {
        kinds.MILESTONE_REACHED,
        kinds.STAGE_ENTERED,
        kinds.INVOICE_PAID,
        kinds.RENEWED,
        kinds.REFUNDED,
        kinds.CHARGED_BACK,
        kinds.CHARGEBACK_REVERSED,
        kinds.DEAL_ENDED,
        kinds.DEAL_RESTORED,
        kinds.RATE_SET,
    }
)
"""What no newer fact of one person can say otherwise. Alone, somebody could take such a fact back
and state it anew, and it would count from then on for other shares; or free a reward of a refund,
or of a lower rate that two had set. An amount, a field, a grade or a hold can be set anew by the
same person, so taking it back gives no more."""

PINNED_FIELDS: Final = frozenset(
    {
        "deal_amount",
        "days_since_touch",
        "lead_grade",
        "partner_kind",
        "partner_tier",
        "partner_group",
        "link_campaign",
        "existing_customer",
    }
)
"""Fields that are pinned at submission or have a fact of their own; nobody sets them."""

EARLIEST: Final = datetime(2000, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What somebody wants to state. ``occurred_at`` is None for now."""

    kind: str
    data: Mapping[str, Any] = field(default_factory=dict)
    reason: str
    occurred_at: datetime | None = None
    retracts: str | None = None


def check_time(wish: Wish, now: datetime) -> datetime:
    """Return when it happened.

    Raises:
        InvalidFieldsError: for a decision that is not of now, the future, or times out of range.
    """
    if wish.occurred_at is None:
        return now
    if wish.kind in DECISIONS:
        message = "a decision holds from now on; it can't be given another time"
        raise invalid("occurred_at", "not_allowed", message)
    if wish.occurred_at > now:
        raise invalid("occurred_at", "in_the_future", "must not be in the future")
    if wish.occurred_at < EARLIEST:
        raise invalid("occurred_at", "out_of_range", "must be in this century")
    return wish.occurred_at


def checked_money(wish: Wish, ledger_currency: str) -> dict[str, Any]:
    """Return the data of a statement with its amounts, currency and rate checked.

    Raises:
        InvalidFieldsError: naming every wrong field.
    """
    data = dict(wish.data)
    errors: list[FieldError] = []
    currency = data.get("currency") or ledger_currency
    if not is_currency(currency):
        raise invalid("data.currency", "not_allowed", "must be an ISO 4217 code")
    least = 1 if wish.kind in (kinds.REFUNDED, kinds.CHARGED_BACK) else 0
    for name in ("amount", "amount_net"):
        if name in data:
            errors += _amount_errors(data[name], currency, f"data.{name}", least)
    if "rate" in data:
        errors += _rate_errors(data["rate"], currency, ledger_currency)
    if errors:
        raise InvalidFieldsError(errors)
    if wish.kind == kinds.AMOUNT_SET and "currency" not in data:
        data["default_currency"] = ledger_currency
    return data


def _amount_errors(text: object, currency: str, path: str, least: int) -> list[FieldError]:
    try:
        minor = parse_amount(text, currency, path)
    except InvalidFieldsError as error:
        return list(error.errors)
    if minor < least:
        message = "must be more than nothing" if least else "must not be negative"
        return [FieldError(path=path, code="out_of_range", message=message)]
    return []


def _rate_errors(text: object, currency: str, ledger_currency: str) -> list[FieldError]:
    path = "data.rate"
    if currency == ledger_currency:
        message = "only for amounts in another currency than the ledger's"
        return [FieldError(path=path, code="not_allowed", message=message)]
    rate = parse_decimal(text)
    if rate is None or rate <= Decimal(0):
        message = 'must be a decimal string above 0 such as "1.0845"'
        return [FieldError(path=path, code="not_a_rate", message=message)]
    return []


def check_field(name: str, value: object) -> None:
    """Demand a field of the deal, and a value of the type that conditions read.

    Raises:
        InvalidFieldsError: naming ``data.name`` or ``data.value``.
    """
    if name in PINNED_FIELDS:
        raise invalid("data.name", "not_allowed", "this field is not one of the deal")
    kind = FIELDS.get(name)
    digits = isinstance(value, str) and value.isascii() and value.isdigit()
    if kind == NUMBER and not (isinstance(value, int) or digits):
        raise invalid("data.value", "wrong_type", "must be a whole number")
    if kind == TEXT and not isinstance(value, str):
        raise invalid("data.value", "wrong_type", "must be a text")


def check_shares(shares: Sequence[Mapping[str, Any]]) -> None:
    """Demand parts of different partners, in known roles, that sum to the whole.

    Raises:
        InvalidFieldsError: naming every wrong part.
    """
    errors = []
    seen: set[str] = set()
    for place, share in enumerate(shares):
        path = f"data.shares[{place}]"
        if share["role"] not in ROLES:
            message = "must be one of " + ", ".join(ROLES)
            errors.append(FieldError(path=f"{path}.role", code="not_allowed", message=message))
        if share["partner_id"] in seen:
            message = "this partner has a part already"
            errors.append(FieldError(path=f"{path}.partner_id", code="duplicate", message=message))
        if not 0 < share["basis_points"] <= WHOLE_SHARE:
            message = f"must be from 1 to {WHOLE_SHARE}"
            errors.append(
                FieldError(path=f"{path}.basis_points", code="out_of_range", message=message)
            )
        seen.add(share["partner_id"])
    if not errors and sum(share["basis_points"] for share in shares) != WHOLE_SHARE:
        message = f"the parts must sum to {WHOLE_SHARE} basis points"
        errors.append(FieldError(path="data.shares", code="not_the_whole", message=message))
    if errors:
        raise InvalidFieldsError(errors)


def takes_two(wish: Wish, facts: Iterable[Fact]) -> bool:
    """Tell whether a wish becomes a fact only when a second person approves it."""
    if wish.kind == kinds.FACT_RETRACTED:
        unsaid = {fact.kind for fact in facts if fact.fact_id == wish.retracts}
        return not unsaid.isdisjoint(UNSAID_BY_TWO)
    if wish.kind == kinds.RATE_SET:
        return True
    if wish.kind == kinds.CATEGORIES_DECLARED:
        # To name one takes money away and may be done at once; to clear one lets it be paid.
        return not known_categories(facts) <= set(wish.data["categories"])
    return bool(wish.data.get("retroactive"))


def known_categories(facts: Iterable[Fact]) -> set[str]:
    """Return the categories that were told of a referral or pinned of its partners."""
    ordered = in_order(facts)
    declared = latest(ordered, kinds.CATEGORIES_DECLARED)
    if declared:
        return set(declared.data["categories"])
    pinned = latest(ordered, kinds.TERMS_PINNED)
    found = set(pinned.data.get("declared", ())) if pinned else set()
    for known in pinned_partners(ordered).values():
        found |= set(known.get("categories", ()))
    return found


def basis(kind: str, facts: Iterable[Fact]) -> str:
    """Return the id of the fact that a second person looks at before approving.

    It says who shares now, or for categories, which of them apply. Of a rate it is the last word
    on who gets how much: the terms, the shares, or another rate.
    """
    if kind == kinds.RATE_SET:
        told = (kinds.TERMS_PINNED, kinds.SHARES_SET, kinds.RATE_SET)
        known = reversed(in_order(facts))
        return next((fact.fact_id for fact in known if fact.kind in told), "")
    decides = kinds.CATEGORIES_DECLARED if kind == kinds.CATEGORIES_DECLARED else kinds.SHARES_SET
    ordered = in_order(facts)
    found = latest(ordered, decides) or latest(ordered, kinds.TERMS_PINNED)
    return found.fact_id if found else ""


def check_categories(categories: Sequence[str]) -> None:
    """Demand categories that terms can block.

    Raises:
        InvalidFieldsError: naming every other one.
    """
    message = "must be one of " + ", ".join(CATEGORIES)
    errors = [
        FieldError(path=f"data.categories[{place}]", code="not_allowed", message=message)
        for place, name in enumerate(categories)
        if name not in CATEGORIES
    ]
    if errors:
        raise InvalidFieldsError(errors)


def check_against(wish: Wish, facts: Iterable[Fact]) -> None:
    """Demand that what the wish refers to is there and in the right state.

    Raises:
        InvalidFieldsError: for an unknown fact, hold or chargeback.
        ConflictError: ``fact_not_retractable``, ``fact_already_retracted``, ``hold_not_in_place``.
    """
    known = tuple(facts)
    if wish.kind == kinds.FACT_RETRACTED:
        _check_retraction(wish, known)
    elif wish.kind == kinds.HOLD_RELEASED:
        _check_release(wish, known)
    elif wish.kind == kinds.CHARGEBACK_REVERSED:
        named = wish.data["chargeback_id"]
        if named not in _ids(in_order(known), kinds.CHARGED_BACK, "chargeback_id"):
            raise invalid("data.chargeback_id", "unknown", "there is no such chargeback here")


def _check_retraction(wish: Wish, facts: Sequence[Fact]) -> None:
    fact = next((fact for fact in facts if fact.fact_id == wish.retracts), None)
    if fact is None:
        raise invalid("data.retracts", "unknown", "there is no such fact of this referral")
    if fact.kind not in RETRACTABLE:
        raise ConflictError("fact_not_retractable", f"a fact {fact.kind} is not taken back")
    if any(other.retracts == fact.fact_id for other in facts):
        raise ConflictError("fact_already_retracted", "the fact is taken back already")


def _check_release(wish: Wish, facts: Sequence[Fact]) -> None:
    holding = in_order(facts)
    named = wish.data["hold_id"]
    if named not in _ids(holding, kinds.HOLD_PLACED, "hold_id"):
        raise invalid("data.hold_id", "unknown", "there is no such hold on this referral")
    if named in _ids(holding, kinds.HOLD_RELEASED, "hold_id"):
        raise ConflictError("hold_not_in_place", "the hold is released already")


def _ids(facts: Iterable[Fact], kind: str, name: str) -> set[str]:
    return {str(fact.data.get(name)) for fact in facts if fact.kind == kind}


def check_grade(grade: str, quality: LeadQuality) -> None:
    """Demand one of the grades that the terms know, if they grade leads at all.

    Raises:
        InvalidFieldsError: naming ``data.grade``.
    """
    known = {each.grade for each in quality.grades} | set(quality.decide)
    if quality.otherwise:
        known.add(quality.otherwise)
    if known and grade not in known:
        raise invalid("data.grade", "not_allowed", "must be one of " + ", ".join(sorted(known)))


def check_rate(data: Mapping[str, Any], terms: Terms) -> None:
    """Demand a rule of the terms, and one rate that would change what it gives.

    Raises:
        InvalidFieldsError: naming every wrong field.
    """
    reader = RuleReader(terms.currency)
    rate = reader.rate(data, "data")
    rule = terms.rule(data["rule"])
    if rule is None or not rule.takes(rate):
        message = "must be the id of a rule of the referral's terms that such a rate changes"
        reader.fail("data.rule", "not_allowed", message)
    if reader.errors:
        raise InvalidFieldsError(reader.errors)

"""The shapes of facts by hand, one for each kind; what is true of them the domain decides."""

from typing import Annotated, Any, Final

from pydantic import Field, StringConstraints

from functions.manage_program.schema import Id, Label, Shape, given, moment, read
from shared.domain import facts as kinds
from shared.domain.entitlements import MAX_SHARES
from shared.domain.errors import FieldError, InvalidFieldsError, invalid
from shared.domain.facts_by_hand import KINDS, Wish

Name = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{0,49}$")]
OtherId = Annotated[str, StringConstraints(pattern=r"^[!\x22$-~]{1,100}$")]
"""An id that another system gave. # divides keys of ours."""
Decimal = Annotated[str, StringConstraints(max_length=40)]
Currency = Annotated[str, StringConstraints(pattern=r"^[A-Z]{3}$")]
Part = Annotated[str, StringConstraints(pattern=r"^(?:deal|invoice:[!\x22$-~]{1,100})$")]
Short = Annotated[
    str, StringConstraints(min_length=1, max_length=100, pattern=r"^[^\x00-\x1f\x7f]*$")
]
Whole = Annotated[int, Field(ge=0, le=1_000_000_000)]


class NewFact(Shape):
    """``POST /referrals/{id}/facts``."""

    kind: Label
    reason: Annotated[str, StringConstraints(min_length=1, max_length=1_000)]
    occurred_at: Label | None = None
    data: dict[str, Any] = Field(default_factory=dict)


class MilestoneReached(Shape):
    """A milestone that the CRM does not tell."""

    milestone: Name


class AmountSet(Shape):
    """The deal's gross amount; ``rate`` turns it into the ledger currency."""

    amount: Decimal
    currency: Currency = ""
    rate: Decimal = ""


class FieldSet(Shape):
    """A field of the deal, as conditions and tables read it."""

    name: Name
    value: Short | Whole


class InvoicePaid(Shape):
    """An invoice that was paid, without taxes."""

    invoice_id: OtherId
    amount_net: Decimal
    currency: Currency
    period: Short = ""
    rate: Decimal = ""


class Renewed(Shape):
    """A renewal of the contract."""

    renewal_id: OtherId
    amount: Decimal = ""
    currency: Currency = ""


class Refunded(Shape):
    """Money that went back to the customer."""

    refund_id: OtherId
    of: Part
    amount: Decimal
    currency: Currency


class ChargedBack(Shape):
    """Money that the customer's bank took back."""

    chargeback_id: OtherId
    of: Part
    amount: Decimal
    currency: Currency


class ChargebackReversed(Shape):
    """A chargeback that was won."""

    chargeback_id: OtherId


class Share(Shape):
    """A partner's part of the credit."""

    partner_id: Id
    role: Label
    basis_points: int


class SharesSet(Shape):
    """Who gets which part."""

    shares: Annotated[list[Share], Field(min_length=1, max_length=MAX_SHARES)]
    retroactive: bool = False


class CategoriesDeclared(Shape):
    """All categories that apply to the introduction; none clears it."""

    categories: Annotated[list[Label], Field(max_length=10)]


class Regraded(Shape):
    """Another grade for the lead."""

    grade: Short


class RateSet(Shape):
    """Another rate of one rule for this referral alone, in per cent or as an amount."""

    rule: Name
    percent: Decimal = ""
    fixed: Decimal = ""


class HoldPlaced(Shape):
    """Nothing is released while a hold is in place. Its id is given by us."""


class HoldReleased(Shape):
    """The end of a hold."""

    hold_id: Id


class FactRetracted(Shape):
    """A fact that does not hold."""

    retracts: Id


_SHAPES: Final[dict[str, type[Shape]]] = {
    kinds.MILESTONE_REACHED: MilestoneReached,
    kinds.AMOUNT_SET: AmountSet,
    kinds.FIELD_SET: FieldSet,
    kinds.INVOICE_PAID: InvoicePaid,
    kinds.RENEWED: Renewed,
    kinds.REFUNDED: Refunded,
    kinds.CHARGED_BACK: ChargedBack,
    kinds.CHARGEBACK_REVERSED: ChargebackReversed,
    kinds.SHARES_SET: SharesSet,
    kinds.CATEGORIES_DECLARED: CategoriesDeclared,
    kinds.REGRADED: Regraded,
    kinds.RATE_SET: RateSet,
    kinds.HOLD_PLACED: HoldPlaced,
    kinds.HOLD_RELEASED: HoldReleased,
    kinds.FACT_RETRACTED: FactRetracted,
}


def wish_from(body: object) -> Wish:
    """Read what somebody wants to state.

    Raises:
        InvalidFieldsError: naming every wrong field; those of ``data`` with that prefix.
    """
    fact = read(NewFact, body)
    reason = fact.reason.strip()
    if not reason:
        raise invalid("reason", "required", "must not be empty")
    shape = _SHAPES.get(fact.kind)
    if shape is None:
        raise invalid("kind", "not_allowed", "must be one of " + ", ".join(KINDS))
    try:
        data = given(read(shape, fact.data))
    except InvalidFieldsError as error:
        inside = {
            # A choice of types has an error for each; one for the field is enough.
            _inside(e.path): FieldError(path=_inside(e.path), code=e.code, message=e.message)
            for e in reversed(error.errors)
        }
        raise InvalidFieldsError(reversed(inside.values())) from None
    if fact.kind == kinds.SHARES_SET:
        data.setdefault("retroactive", False)
    return Wish(
        kind=fact.kind,
        retracts=data.pop("retracts", None),
        data=data,
        reason=reason,
        occurred_at=moment(fact.occurred_at, "occurred_at"),
    )


def _inside(path: str) -> str:
    if path == "$":
        return "data"
    # A choice of types is named behind the field; callers know only the field.
    return "data.value" if path.startswith("value.") else f"data.{path}"

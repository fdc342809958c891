"""Judge conditions over the declared fields, and pick rows of tables."""

from collections.abc import Mapping
from dataclasses import dataclass

from shared.domain import terms as model
from shared.domain.bases import Amounts
from shared.domain.terms import DEAL_FIELDS, Condition, Group, Plain, Table
from shared.domain.verdicts import NOT_YET, Refusal

Known = str | int | bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Fields:
    """Reads declared fields: the deal's from its facts, all others as pinned at submission."""

    amounts: Amounts
    attributes: Mapping[str, Known]

    def read(self, name: str) -> Known:
        """Return a field's value in its declared type.

        Raises:
            Refusal: when nobody told it yet.
        """
        if name == "deal_amount":
            return self.amounts.gross_deal()
        deal = self.amounts.deal
        if name == "lead_grade" and deal.grade:
            return deal.grade
        # A CRM may tell the deal's own fields; who the partner is stays as it was pinned.
        known = deal.fields if name in DEAL_FIELDS else self.attributes
        value = known.get(name, self.attributes.get(name))
        if value is None or value == "":
            raise Refusal(NOT_YET, "field_missing", field=name)
        return _typed(name, value)


def _typed(name: str, value: Known) -> Known:
    if model.FIELDS[name] == model.NUMBER and not isinstance(value, int):
        text = str(value)
        if not (text.isascii() and text.isdigit() and len(text) < 10):  # noqa: PLR2004 - bounded
            raise Refusal(NOT_YET, "field_missing", field=name)
        return int(text)
    if model.FIELDS[name] == model.TEXT:
        return str(value)
    return value


def holds(part: Condition | Group, fields: Fields) -> bool:
    """Tell whether a condition or group holds.

    Raises:
        Refusal: when a field that matters is not known yet.
    """
    if isinstance(part, Condition):
        return _compare(part, fields.read(part.field))
    if not part.any_of:
        return all(holds(member, fields) for member in part.members)
    missing: Refusal | None = None
    for member in part.members:
        try:
            if holds(member, fields):
                return True
        except Refusal as refusal:
            missing = refusal
    if missing:
        raise missing
    return False


def _compare(condition: Condition, actual: Known) -> bool:
    wanted = condition.value
    if isinstance(wanted, tuple):
        return str(actual) in wanted
    if isinstance(wanted, int) and isinstance(actual, int):
        return {
            "gte": actual >= wanted,
            "gt": actual > wanted,
            "lte": actual <= wanted,
            "lt": actual < wanted,
            "eq": actual == wanted,
        }[condition.op]
    equal = actual == wanted
    return not equal if condition.op == "ne" else equal


def first_unmet(group: Group, fields: Fields) -> Condition | None:
    """Return the first single condition that does not hold, to name it in an explanation."""
    for member in group.members:
        if holds(member, fields):
            continue
        return first_unmet(member, fields) if isinstance(member, Group) else member
    return None


def pick(table: Table, fields: Fields) -> Plain | None:
    """Return the value of the row that a table's field selects, or its ``else``.

    Raises:
        Refusal: when the field is not known yet.
    """
    actual = fields.read(table.field)
    found = None
    for row in table.rows:
        if isinstance(row.match, str | bool):
            if row.match == actual:
                return row.value
        elif isinstance(actual, int) and actual >= row.match:
            found = row.value
    return found or table.otherwise

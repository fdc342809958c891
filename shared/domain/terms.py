"""Terms: one immutable version of a programme's rules, and how its definition file is read.

A rule says: on which milestone, under which conditions, who gets what, how much, held how long.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from itertools import pairwise
from typing import Any, Final

from shared.domain.errors import FieldError, InvalidFieldsError
from shared.domain.money import MAX_MINOR, parse_decimal, to_minor

PARTNER: Final = "partner"
LEAD: Final = "lead"
BENEFICIARIES: Final = (PARTNER, LEAD)

CASH: Final = "cash"
DISCOUNT: Final = "discount"
FACE_VALUE_KINDS: Final = frozenset({CASH})
"""Kinds that post movements; the others are reward rows with states of their own."""
KINDS: Final = (CASH, DISCOUNT)

BASES: Final = ("deal_amount",)
CONDITION_FIELDS: Final = ("deal_amount",)
OPERATORS: Final = ("gte", "gt", "lte", "lt", "eq")
REFUND_POLICIES: Final = ("keep", "pro_rata", "void")
DEFAULT_RETRACT_ON_LOST: Final = "won"

MAX_RULES: Final = 50
_MAX_DAYS: Final = 3_660
_MAX_STEPS: Final = 20
_MAX_CONDITIONS: Final = 20
_MAX_TEXT: Final = 500
_NAME: Final = re.compile(r"[a-z][a-z0-9_]{0,49}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Condition:
    """One comparison of a declared field. Amounts are in minor units of the ledger currency."""

    field: str
    op: str
    amount_minor: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """From the ``position``-th success of the partner on, this percentage applies."""

    position: int
    percent: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class Tier:
    """Percentages by the partner's count of a milestone: prospective, over a lifetime."""

    milestone: str
    steps: tuple[Step, ...]

    def percent_at(self, position: int, base: Decimal) -> Decimal:
        """Return the percentage of the highest step that ``position`` has reached."""
        reached = base
        for step in self.steps:
            if position >= step.position:
                reached = step.percent
        return reached


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """Who gets what on which milestone.

    Exactly one of ``fixed_minor`` and ``percent`` is set. For face-value kinds a percentage is
    taken of ``base``; for a discount it is the benefit itself.
    """

    rule_id: str
    beneficiary: str
    milestone: str
    kind: str
    fixed_minor: int | None = None
    percent: Decimal | None = None
    base: str = "deal_amount"
    tier: Tier | None = None
    conditions: tuple[Condition, ...] = ()
    any_condition: bool = False
    hold_days: int = 0
    refund: str = "keep"
    text: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """The rules and windows of one version, in the programme's ledger currency."""

    name: str
    currency: str
    rules: tuple[Rule, ...]
    implies: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    retract_on_lost: frozenset[str] | None = None
    attribution_days: int = 90
    credit_days: int = 365
    protection_days: int = 180
    prior_days: int = 0
    late_grace_days: int = 30


def parse_terms(definition: object, *, currency: str) -> Terms:
    """Read a definition file (parsed YAML or JSON) of a programme with this ledger currency.

    Raises:
        InvalidFieldsError: naming the path of every mistake and the values that are allowed.
    """
    reader = _Reader(currency)
    root = reader.mapping(definition, "", {"name", "windows", "implies", "lost_retracts", "rules"})
    windows = reader.mapping(
        root.get("windows", {}),
        "windows",
        {
            "attribution_days",
            "credit_days",
            "protection_days",
            "prior_days",
            "late_grace_days",
        },
    )
    rules = reader.rules(root.get("rules"))
    terms = Terms(
        name=reader.text(root.get("name"), "name", required=True),
        currency=currency,
        rules=rules,
        implies=reader.implications(root.get("implies", {})),
        retract_on_lost=reader.names(root.get("lost_retracts"), "lost_retracts"),
        attribution_days=reader.days(windows, "windows", "attribution_days", 90),
        credit_days=reader.days(windows, "windows", "credit_days", 365),
        protection_days=reader.days(windows, "windows", "protection_days", 180),
        prior_days=reader.days(windows, "windows", "prior_days", 0),
        late_grace_days=reader.days(windows, "windows", "late_grace_days", 30),
    )
    if reader.errors:
        raise InvalidFieldsError(reader.errors)
    return terms


class _Reader:
    """Collects every mistake of a definition instead of stopping at the first."""

    def __init__(self, currency: str) -> None:
        self.currency = currency
        self.errors: list[FieldError] = []

    def fail(self, path: str, code: str, message: str) -> None:
        self.errors.append(FieldError(path=path or "$", code=code, message=message))

    def mapping(self, value: object, path: str, allowed: set[str]) -> Mapping[str, Any]:
        if not isinstance(value, Mapping):
            self.fail(path, "wrong_type", "must be an object")
            return {}
        for key in value:
            if key not in allowed:
                where = f"{path}.{key}" if path else str(key)
                self.fail(where, "unknown_field", "allowed: " + ", ".join(sorted(allowed)))
        return value

    def text(self, value: object, path: str, *, required: bool = False) -> str:
        if value is None and not required:
            return ""
        if not isinstance(value, str) or not 0 < len(value) <= _MAX_TEXT:
            self.fail(path, "wrong_type", f"must be a text of 1 to {_MAX_TEXT} characters")
            return ""
        return value

    def name(self, value: object, path: str) -> str:
        if not isinstance(value, str) or not _NAME.fullmatch(value):
            message = "must be a name of lower-case letters, digits and _ (at most 50)"
            self.fail(path, "wrong_type", message)
            return ""
        return value

    def names(self, value: object, path: str) -> frozenset[str] | None:
        if value is None:
            return None
        if not isinstance(value, Sequence) or isinstance(value, str) or len(value) > MAX_RULES:
            self.fail(path, "wrong_type", "must be a list of milestones")
            return None
        return frozenset(self.name(part, f"{path}[{n}]") for n, part in enumerate(value))

    def whole(self, value: object, path: str, least: int, most: int) -> int:
        if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= most:
            self.fail(path, "wrong_type", f"must be a whole number from {least} to {most}")
            return least
        return value

    def days(self, parent: Mapping[str, Any], path: str, key: str, default: int) -> int:
        return self.whole(parent.get(key, default), f"{path}.{key}", 0, _MAX_DAYS)

    def choice(self, value: object, path: str, allowed: Sequence[str]) -> str:
        if value not in allowed:
            self.fail(path, "not_allowed", "must be one of " + ", ".join(allowed))
            return allowed[0]
        return str(value)

    def amount(self, value: object, path: str) -> int:
        decimal = parse_decimal(value)
        if decimal is None or decimal < 0:
            self.fail(path, "not_an_amount", 'must be a decimal string such as "50.00"')
            return 0
        minor = to_minor(decimal, self.currency)
        if minor > MAX_MINOR:
            self.fail(path, "too_large", "is over the largest amount")
        return minor

    def percent(self, value: object, path: str) -> Decimal:
        decimal = parse_decimal(value)
        if decimal is None or not 0 < decimal <= 100:  # noqa: PLR2004 - per cent
            self.fail(path, "not_a_percentage", 'must be a decimal string such as "10"')
            return Decimal(1)
        return decimal

    def implications(self, value: object) -> dict[str, tuple[str, ...]]:
        if not isinstance(value, Mapping) or len(value) > MAX_RULES:
            self.fail("implies", "wrong_type", "must be an object of milestone: [milestones]")
            return {}
        return {
            self.name(key, f"implies.{key}"): tuple(
                sorted(self.names(implied, f"implies.{key}") or ())
            )
            for key, implied in value.items()
        }

    def rules(self, value: object) -> tuple[Rule, ...]:
        if not isinstance(value, Sequence) or isinstance(value, str) or not value:
            self.fail("rules", "required", "must be a list of rules")
            return ()
        if len(value) > MAX_RULES:
            self.fail("rules", "too_many", f"at most {MAX_RULES} rules")
            return ()
        rules = tuple(self.rule(row, f"rules[{n}]") for n, row in enumerate(value))
        seen: set[str] = set()
        for position, rule in enumerate(rules):
            if rule.rule_id in seen:
                self.fail(f"rules[{position}].id", "duplicate", "this id is used twice")
            seen.add(rule.rule_id)
        return rules

    def rule(self, value: object, path: str) -> Rule:
        row = self.mapping(
            value,
            path,
            {
                "id",
                "beneficiary",
                "milestone",
                "kind",
                "value",
                "tiers",
                "when",
                "hold_days",
                "refund",
                "text",
            },
        )
        kind = self.choice(row.get("kind"), f"{path}.kind", KINDS)
        fixed, percent, base = self.value(row.get("value"), f"{path}.value", kind)
        any_condition, conditions = self.conditions(row.get("when"), f"{path}.when")
        tier = self.tier(row.get("tiers"), f"{path}.tiers")
        if tier and (percent is None or kind not in FACE_VALUE_KINDS):
            self.fail(f"{path}.tiers", "not_allowed", "tiers need a percentage of an amount")
        return Rule(
            rule_id=self.name(row.get("id"), f"{path}.id"),
            beneficiary=self.choice(row.get("beneficiary"), f"{path}.beneficiary", BENEFICIARIES),
            milestone=self.name(row.get("milestone"), f"{path}.milestone"),
            kind=kind,
            fixed_minor=fixed,
            percent=percent,
            base=base,
            tier=tier,
            conditions=conditions,
            any_condition=any_condition,
            hold_days=self.days(row, path, "hold_days", 0),
            refund=self.choice(row.get("refund", "keep"), f"{path}.refund", REFUND_POLICIES),
            text=self.text(row.get("text"), f"{path}.text"),
        )

    def value(self, value: object, path: str, kind: str) -> tuple[int | None, Decimal | None, str]:
        row = self.mapping(value, path, {"fixed", "percent", "of"})
        if ("fixed" in row) == ("percent" in row):
            self.fail(path, "required", "must have either fixed or percent")
            return 0, None, BASES[0]
        if kind not in FACE_VALUE_KINDS:
            if "percent" not in row or "of" in row:
                self.fail(path, "not_allowed", f"a {kind} is given as percent alone")
                return None, Decimal(1), BASES[0]
            return None, self.percent(row["percent"], f"{path}.percent"), BASES[0]
        if "fixed" in row:
            return self.amount(row["fixed"], f"{path}.fixed"), None, BASES[0]
        base = self.choice(row.get("of"), f"{path}.of", BASES)
        return None, self.percent(row["percent"], f"{path}.percent"), base

    def tier(self, value: object, path: str) -> Tier | None:
        if value is None:
            return None
        row = self.mapping(value, path, {"by", "milestone", "period", "steps"})
        self.choice(row.get("by"), f"{path}.by", ("count",))
        self.choice(row.get("period", "lifetime"), f"{path}.period", ("lifetime",))
        steps = row.get("steps")
        if not isinstance(steps, Sequence) or isinstance(steps, str) or not steps:
            self.fail(f"{path}.steps", "required", "must be a list of steps")
            return None
        if len(steps) > _MAX_STEPS:
            self.fail(f"{path}.steps", "too_many", f"at most {_MAX_STEPS} steps")
            return None
        parsed = tuple(self.step(step, f"{path}.steps[{n}]") for n, step in enumerate(steps))
        if any(a.position >= b.position for a, b in pairwise(parsed)):
            self.fail(f"{path}.steps", "not_ascending", "steps must rise")
        return Tier(milestone=self.name(row.get("milestone"), f"{path}.milestone"), steps=parsed)

    def step(self, value: object, path: str) -> Step:
        row = self.mapping(value, path, {"from", "percent"})
        return Step(
            position=self.whole(row.get("from"), f"{path}.from", 1, 1_000_000),
            percent=self.percent(row.get("percent"), f"{path}.percent"),
        )

    def conditions(self, value: object, path: str) -> tuple[bool, tuple[Condition, ...]]:
        if value is None:
            return False, ()
        row = self.mapping(value, path, {"all", "any"})
        if len(row) != 1:
            self.fail(path, "required", "must have either all or any")
            return False, ()
        ((group, members),) = row.items()
        if not isinstance(members, Sequence) or isinstance(members, str) or not members:
            self.fail(f"{path}.{group}", "required", "must be a list of conditions")
            return False, ()
        if len(members) > _MAX_CONDITIONS:
            self.fail(f"{path}.{group}", "too_many", f"at most {_MAX_CONDITIONS} conditions")
            return False, ()
        return group == "any", tuple(
            self.condition(member, f"{path}.{group}[{n}]") for n, member in enumerate(members)
        )

    def condition(self, value: object, path: str) -> Condition:
        row = self.mapping(value, path, {"field", "op", "value"})
        return Condition(
            field=self.choice(row.get("field"), f"{path}.field", CONDITION_FIELDS),
            op=self.choice(row.get("op"), f"{path}.op", OPERATORS),
            amount_minor=self.amount(row.get("value"), f"{path}.value"),
        )

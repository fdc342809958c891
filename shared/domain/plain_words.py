"""Terms in plain language. What is said here is derived from the rules, so it can't disagree."""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Final

from shared.domain import terms as model
from shared.domain.money import format_amount
from shared.domain.terms import (
    AttributionPolicy,
    Benefit,
    Cap,
    Condition,
    Fixed,
    Group,
    Override,
    Percent,
    Plain,
    Row,
    Rule,
    Step,
    Table,
    Tier,
    Value,
)

WHO: Final[Mapping[str, str]] = {
    model.PARTNER: "the partner",
    model.LEAD: "the new customer",
    model.CAUSE: "the chosen cause",
}
_MILESTONES: Final[Mapping[str, str]] = {
    "submitted": "the introduction is submitted",
    "accepted": "the introduction is accepted",
    "qualified": "the deal is qualified",
    "meeting_held": "a meeting was held",
    "won": "the deal is won",
    "renewed": "the contract is renewed",
    "invoice_paid": "an invoice is paid",
    "upsold": "the customer buys more",
}
_FIELDS: Final[Mapping[str, str]] = {
    "deal_amount": "the deal amount",
    "contract_months": "the contract's length in months",
    "company_size": "the company's number of people",
    "days_since_touch": "the number of days since the introduction",
    "plan": "the plan",
    "region": "the region",
    "country": "the country",
    "industry": "the industry",
    "lead_grade": "the lead's grade",
    "partner_kind": "the partner's kind",
    "partner_tier": "the partner's tier",
    "partner_group": "the partner's group",
    "link_campaign": "the link's campaign",
    "existing_customer": "whether the lead is a customer already",
}
_OPERATORS: Final[Mapping[str, str]] = {
    "gte": "at least",
    "gt": "more than",
    "lte": "at most",
    "lt": "less than",
    "eq": "exactly",
    "ne": "not",
}
_BASES: Final[Mapping[str, str]] = {
    "deal_amount": "the deal amount",
    "invoice_net": "each paid invoice without taxes",
    "first_invoice": "the first invoice without taxes",
    "first_year_value": "the value of the first year",
}
_KINDS: Final[Mapping[str, str]] = {
    "cash": "money",
    "credit": "account credit",
    "discount": "a discount",
    "free_period": "free time",
    "gift_card": "a gift card",
    "donation": "a donation",
    "perk": "a perk",
}
_TIME_UNITS: Final = frozenset({"day", "week", "month", "year"})
_PERIODS: Final[Mapping[str, str]] = {
    model.LIFETIME: "in all",
    model.YEAR: "per calendar year",
    model.QUARTER: "per quarter",
    model.MONTH: "per month",
}


def money(minor: int, currency: str) -> str:
    """Write an amount for people: ``10,000.00 USD``."""
    whole, point, part = format_amount(minor, currency).partition(".")
    return f"{int(whole):,}{point}{part} {currency}"


def listed(parts: Sequence[str], word: str = "and") -> str:
    """Join parts as people do: ``a, b and c``."""
    if len(parts) < 2:  # noqa: PLR2004 - one alone needs no joining
        return "".join(parts)
    return f"{', '.join(parts[:-1])} {word} {parts[-1]}"


def percent(value: Decimal) -> str:
    """Write a percentage."""
    return f"{value} %"


def days(number: int) -> str:
    """Write a number of days."""
    return "1 day" if number == 1 else f"{number:,} days"


def milestone(name: str) -> str:
    """Say when a milestone is reached."""
    return _MILESTONES.get(name, f"the milestone {name} is reached")


def kind(name: str) -> str:
    """Say what kind of thing is given."""
    return _KINDS[name]


def when(rule: Rule) -> str:
    """Say on which occasions a rule gives something."""
    reached = milestone(rule.milestone)
    limits = []
    if rule.limit_times:
        limits.append("once" if rule.limit_times == 1 else f"at most {rule.limit_times:,} times")
    if rule.limit_months:
        limits.append(
            "within 1 month" if rule.limit_months == 1 else f"within {rule.limit_months:,} months"
        )
    limit = f", {listed(limits)}" if limits else ""
    match rule.occurrence:
        case model.EVERY_INVOICE:
            return f"every time an invoice is paid{_once(rule, 'invoice_paid')}{limit}"
        case model.EVERY_RENEWAL:
            return f"every time the contract is renewed{_once(rule, 'renewed')}{limit}"
        case model.EVERY_NTH:
            every = "every" if rule.nth == 1 else f"every {ordinal(rule.nth)}"
            return f"{every} time that {reached}"
        case model.AT_COUNTS:
            counts = listed([ordinal(count) for count in rule.counts])
            return f"the {counts} time that {reached}"
        case _:
            return f"when {reached}"


def _once(rule: Rule, own: str) -> str:
    return "" if rule.milestone == own else f", once {milestone(rule.milestone)}"


def conditions(group: Group | None, currency: str) -> str:
    """Say under which conditions; empty if there are none."""
    return f"if {_group(group, currency, nested=False)}" if group and group.members else ""


def _group(group: Group, currency: str, *, nested: bool) -> str:
    parts = [
        _group(member, currency, nested=True)
        if isinstance(member, Group)
        else _condition(member, currency)
        for member in group.members
    ]
    text = listed(parts, "or" if group.any_of else "and")
    return f"({text})" if nested and len(parts) > 1 else text


def _condition(condition: Condition, currency: str) -> str:
    if condition.field == "existing_customer":
        known = "already a customer" if condition.value else "a new customer"
        return f"the lead is {known}"
    name = _FIELDS[condition.field]
    if isinstance(condition.value, tuple):
        return f"{name} is {listed(condition.value, 'or')}"
    value = field_value(condition.field, condition.value, currency)
    if model.FIELDS[condition.field] == model.TEXT and condition.op == "eq":
        return f"{name} is {value}"
    return f"{name} is {_OPERATORS[condition.op]} {value}"


def field_value(field: str, value: int | str, currency: str) -> str:
    """Write a value of a declared field."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, str):
        return value
    return money(value, currency) if model.FIELDS[field] == model.MONEY else f"{value:,}"


def value(what: Value, currency: str) -> str:
    """Say how much."""
    if not isinstance(what, Table):
        return _plain(what, currency)
    rows = [_row(what, row, currency) for row in what.rows]
    if what.otherwise:
        rows.append(f"otherwise {_plain(what.otherwise, currency)}")
    return f"by {_FIELDS[what.field]}: {'; '.join(rows)}"


def _row(table: Table, row: Row, currency: str) -> str:
    match = field_value(table.field, row.match, currency)
    least = "from " if model.FIELDS[table.field] in (model.MONEY, model.NUMBER) else ""
    return f"{least}{match}: {_plain(row.value, currency)}"


def _plain(what: Plain, currency: str) -> str:
    match what:
        case Fixed():
            return money(what.amount_minor, currency)
        case Percent():
            base = _BASES.get(what.base, "")
            if not base:
                base = "one month's value" if what.months == 1 else f"{what.months} months' value"
            return f"{percent(what.percent)} of {base}"
        case Benefit():
            text = _units(what.quantity, what.unit)
            if what.percent is not None:
                text = f"{percent(what.percent)} off"
            worth = f" (worth {money(what.worth_minor, currency)})" if what.worth_minor else ""
            return text + worth


def _units(quantity: int, unit: str) -> str:
    if quantity == 1:
        return f"1 {unit}"
    # Only of these do we know the plural.
    return f"{quantity:,} {unit}s" if unit in _TIME_UNITS else f"{quantity:,} x {unit}"


def rate(what: Decimal | int, currency: str) -> str:
    """Write what stands in for a rule's percentage or amount."""
    return percent(what) if isinstance(what, Decimal) else money(what, currency)


def whom(override: Override) -> str:
    """Say for whom an override is."""
    return {
        model.TIER: "for partners of tier {}",
        model.GROUP: "for partners of group {}",
        model.PARTNER: "for the partner {}",
        model.LINK: "through the link {}",
    }[override.level].format(override.match)


def tier(found: Tier | None, currency: str) -> str:
    """Say how the value rises with the partner's successes; empty if it does not."""
    if found is None:
        return ""
    steps = "; ".join(_step(found, step, currency) for step in found.steps)
    counted = "over all time" if found.period == model.LIFETIME else _PERIODS[found.period]
    scope = f"counted {counted}"
    if found.mode == model.RETROACTIVE:
        scope += ", for all of them once a step is reached"
    return f"{steps}, {scope}"


def _step(found: Tier, step: Step, currency: str) -> str:
    reached = milestone(found.milestone)
    given = rate(step.value, currency)
    if found.by == model.BY_COUNT:
        return f"{given} from the {ordinal(step.start)} time that {reached}"
    return f"{given} from {money(step.start, currency)} in deals of which {reached}"


def ordinal(number: int) -> str:
    """Write a place: ``1st``, ``2nd``, ``11th``."""
    last = "th"
    if number // 10 % 10 != 1:
        last = {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")
    return f"{number:,}{last}"


def hold(rule: Rule) -> str:
    """Say how long a reward waits before it is released."""
    if not rule.hold_days:
        return "not held"
    if rule.retained:
        return f"until it has lasted {days(rule.hold_days)}"
    return f"for {days(rule.hold_days)} after we learn of it"


def refunds(rule: Rule) -> str:
    """Say what a refund to the customer does."""
    follows = "follows what the customer keeps"
    of_amounts = {isinstance(what, Percent) for what in _values(rule.value)}
    if of_amounts == {True}:
        return follows
    policy = _refund_policy(rule)
    return policy if of_amounts == {False} else f"a percentage {follows}; an amount: {policy}"


def _values(what: Value) -> tuple[Plain, ...]:
    if not isinstance(what, Table):
        return (what,)
    return (*(row.value for row in what.rows), *((what.otherwise,) if what.otherwise else ()))


def _refund_policy(rule: Rule) -> str:
    threshold = ""
    if rule.refund_threshold and rule.refund != model.KEEP:
        threshold = f" once {percent(rule.refund_threshold)} is refunded"
    words = {
        model.KEEP: "kept",
        # What can't be divided is taken back whole.
        model.PRO_RATA: (
            "reduced by the refunded part" if rule.kind in model.FACE_VALUE_KINDS else "taken back"
        ),
        model.VOID: "taken back",
    }
    return words[rule.refund] + threshold


def clawback(limit: int | None) -> str:
    """Say how long after its release something may be taken back."""
    if limit is None:
        return "without limit"
    return f"only within {days(limit)}" if limit else "never"


def closing(policy_name: str) -> str:
    """Say what partners lose whose account is closed."""
    return "what is still held" if policy_name == model.FORFEIT else "nothing"


def split(policy: AttributionPolicy) -> str:
    """Say how partners who introduce together share."""
    return {
        model.UNDIVIDED: "One partner is credited for an introduction",
        model.EQUAL: "Partners who introduce together share in equal parts",
        model.BY_ROLE: "Partners who introduce together share by their roles: "
        + listed([_part(role, points) for role, points in policy.basis_points.items()]),
    }[policy.split]


def _part(role: str, points: int) -> str:
    return f"{percent(Decimal(points) / 100)} for the {role.replace('_', ' ')}"


def rule_caps(rule: Rule, currency: str) -> list[str]:
    """Say the most that a rule's rewards may come to for one reward and one referral."""
    caps = rule.caps
    beyond = policy(caps.policy)
    found = []
    if caps.reward_minor is not None:
        found.append(f"at most {money(caps.reward_minor, currency)} per reward; {beyond}")
    if caps.referral_minor is not None:
        found.append(f"at most {money(caps.referral_minor, currency)} per introduction; {beyond}")
    return found


def cap(found: Cap, currency: str, rule_id: str = "") -> str:
    """Say the most that a partner may earn, or that the programme gives, in a period.

    With ``rule_id`` it is said of this rule, and the others under the same cap are named.
    """
    limit = f"{money(found.limit_minor, currency)} {_PERIODS[found.period]}"
    who = "per partner" if found.scope == model.PARTNER else "for the whole programme"
    if rule_id:
        others = [name for name in found.rules if name != rule_id]
        covered = f", together with {listed(others)}" if others else ""
        covered = covered if found.rules else ", over all rewards together"
    else:
        covered = f", over {listed(found.rules)}" if found.rules else ", over all rules"
    return f"at most {limit} {who}{covered}; {policy(found.policy)}"


def policy(name: str) -> str:
    """Say what happens beyond a cap."""
    return "what is beyond is cut" if name == model.CUT else "what goes beyond is not given at all"

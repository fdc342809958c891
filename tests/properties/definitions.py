"""Strategies: any valid definition file of terms, read by the real reader."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hypothesis import strategies as st

from shared.domain import terms as model
from shared.domain.partners import CATEGORIES, DOCUMENTS
from shared.domain.terms_reader import parse_terms

if TYPE_CHECKING:
    from collections.abc import Callable

    from hypothesis.strategies import SearchStrategy

    from shared.domain.terms import Terms

Draw = Any
Definition = dict[str, Any]

_FUNNEL = ("won", "submitted", "accepted", "qualified", "meeting_held")
MILESTONES = (*_FUNNEL, "invoice_paid", "renewed", "upsold")
# What is drawn more often is what leads to money: a story that pays nothing shows little.
LIKELY_MILESTONES = st.sampled_from(("won",) * 6 + MILESTONES)
LIKELY_KINDS = st.sampled_from(("cash",) * 6 + model.KINDS)
LIKELY_OCCURRENCES = st.sampled_from(
    (model.ONCE,) * 5 + (model.EVERY_INVOICE,) * 3 + model.OCCURRENCES
)
LIKELY_SIDES = st.sampled_from((model.PARTNER,) * 3 + model.BENEFICIARIES)
SELDOM = st.sampled_from((True, False, False, False))
TEXTS = ("pro", "eu", "A", "gold")
RULE_IDS = ("r0", "r1", "r2")
CAP_IDS = ("c0", "c1")

LARGEST = "999999999999.99"
AMOUNTS = st.one_of(
    st.sampled_from(["0", "0.01", "1", "10.05", "99.99", "1000.00", LARGEST]),
    st.integers(0, 10**9).map(lambda cents: f"{cents // 100}.{cents % 100:02d}"),
)
PERCENTS = st.one_of(
    st.sampled_from(["0.000001", "10", "12.5", "33.333", "100"]),
    st.integers(1, 10_000)
    .map(lambda hundredths: f"{hundredths // 100}.{hundredths % 100:02d}")
    # Zero per cent is no percentage.
    .filter(lambda text: text != "0.00"),
)
WHOLE = st.integers(0, 40)


def _rising(values: SearchStrategy[Any], most: int = 3) -> SearchStrategy[list[Any]]:
    return st.lists(values, min_size=1, max_size=most, unique=True).map(sorted)


RISING_AMOUNTS = _rising(st.integers(0, 5_000)).map(lambda rows: [f"{row}.00" for row in rows])


@st.composite
def conditions(draw: Draw) -> Definition:
    name = draw(st.sampled_from(list(model.FIELDS)))
    kind = model.FIELDS[name]
    op = draw(st.sampled_from(model.OPERATORS[kind]))
    values: dict[str, SearchStrategy[Any]] = {
        model.MONEY: AMOUNTS,
        model.NUMBER: WHOLE,
        model.TEXT: st.sampled_from(TEXTS),
        model.FLAG: st.booleans(),
    }
    value = draw(values[kind])
    return {"field": name, "op": op, "value": [value] if op == "in" else value}


GROUPS = st.recursive(
    st.lists(conditions(), min_size=1, max_size=3).map(lambda rows: {"all": rows}),
    lambda inner: st.builds(
        lambda name, rows: {name: rows},
        st.sampled_from(["all", "any"]),
        st.lists(st.one_of(conditions(), inner), min_size=1, max_size=2),
    ),
    max_leaves=2,
)


def _deepness(group: object) -> int:
    if not isinstance(group, dict):
        return 0
    members = group.get("all") or group.get("any") or ()
    return 1 + max((_deepness(part) for part in members), default=0) if members else 0


@st.composite
def plain_values(draw: Draw, kind: str, occurrence: str) -> Definition:
    """A value without a table."""
    if kind == "discount":
        return {"percent": draw(PERCENTS), "worth": draw(AMOUNTS)}
    if kind not in model.FACE_VALUE_KINDS:
        return {"quantity": draw(st.integers(1, 9)), "unit": "month", "worth": draw(AMOUNTS)}
    if occurrence in model.PARTNER_LEVEL or draw(st.booleans()):
        return {"fixed": draw(AMOUNTS)}
    bases = [base for base in model.BASES if base != "invoice_net"]
    if occurrence == model.EVERY_INVOICE:
        bases.append("invoice_net")
    base = draw(st.sampled_from(bases))
    value = {"percent": draw(PERCENTS), "of": base}
    return {**value, "months": draw(st.integers(1, 120))} if base == "monthly_value" else value


@st.composite
def tables(draw: Draw, kind: str, occurrence: str) -> Definition:
    name = draw(st.sampled_from(["contract_months", "deal_amount", "plan", "existing_customer"]))
    field = model.FIELDS[name]
    matches: SearchStrategy[list[Any]] = {
        model.NUMBER: _rising(WHOLE),
        model.MONEY: RISING_AMOUNTS,
        model.TEXT: st.just(["pro", "eu"]),
        model.FLAG: st.just([True]),
    }[field]
    key = "is" if field in {model.TEXT, model.FLAG} else "from"
    values = plain_values(kind, occurrence)
    table: Definition = {"field": name}
    table["rows"] = [{key: match, "value": draw(values)} for match in draw(matches)]
    if draw(st.booleans()):
        table["else"] = draw(values)
    return {"table": table}


@st.composite
def tiers(draw: Draw, value: Definition) -> Definition:
    by = draw(st.sampled_from([model.BY_COUNT, model.BY_REVENUE]))
    starts = draw(_rising(st.integers(1, 9)) if by == model.BY_COUNT else RISING_AMOUNTS)
    name, rates = ("fixed", AMOUNTS) if "fixed" in value else ("percent", PERCENTS)
    return {
        "by": by,
        "mode": draw(st.sampled_from([model.PROSPECTIVE, model.RETROACTIVE])),
        "period": draw(st.sampled_from(model.TIER_PERIODS)),
        "milestone": draw(LIKELY_MILESTONES),
        "steps": [{"from": start, name: draw(rates)} for start in starts],
    }


def _occurrence_fields(draw: Draw, occurrence: str) -> Definition:
    if occurrence == model.EVERY_NTH:
        return {"nth": draw(st.integers(1, 5))}
    if occurrence == model.AT_COUNTS:
        return {"counts": draw(_rising(st.integers(1, 9)))}
    if occurrence in {model.EVERY_INVOICE, model.EVERY_RENEWAL} and draw(st.booleans()):
        return {"limit": {"times": draw(st.integers(1, 3)), "months": draw(st.integers(1, 12))}}
    return {}


def _optional(draw: Draw, choices: dict[str, SearchStrategy[Any]]) -> Definition:
    return {name: draw(values) for name, values in choices.items() if draw(SELDOM)}


POLICIES = st.sampled_from([model.CUT, model.DENY])
RULE_CAPS = st.fixed_dictionaries(
    {}, optional={"reward": AMOUNTS, "referral": AMOUNTS, "policy": POLICIES}
)


@st.composite
def rules(draw: Draw, rule_id: str) -> Definition:
    kind = draw(LIKELY_KINDS)
    occurrence = draw(LIKELY_OCCURRENCES)
    partner_level = occurrence in model.PARTNER_LEVEL
    by_table = not partner_level and draw(SELDOM)
    value = draw((tables if by_table else plain_values)(kind, occurrence))
    rule: Definition = {
        "id": rule_id,
        "beneficiary": model.PARTNER if partner_level else draw(LIKELY_SIDES),
        "milestone": draw(LIKELY_MILESTONES),
        "kind": kind,
        "value": value,
        "occurrence": occurrence,
        draw(st.sampled_from(["hold_days", "retained_days"])): draw(WHOLE),
        **_occurrence_fields(draw, occurrence),
    }
    plain = kind in model.FACE_VALUE_KINDS and not by_table
    if occurrence == model.ONCE and plain and draw(st.booleans()):
        rule["tiers"] = draw(tiers(value))
    choices = {"caps": RULE_CAPS, "refund": st.sampled_from(model.REFUND_POLICIES)}
    choices["refund_threshold"] = PERCENTS
    if not partner_level and draw(SELDOM):
        choices["when"] = GROUPS.filter(lambda group: _deepness(group) <= 3)
    return rule | _optional(draw, choices)


@st.composite
def caps(draw: Draw, cap_id: str, rule_ids: list[str]) -> Definition:
    return {
        "id": cap_id,
        "scope": draw(st.sampled_from([model.PARTNER, model.PROGRAM])),
        "per": draw(st.sampled_from(model.CAP_PERIODS)),
        "limit": draw(st.one_of(st.just(LARGEST), AMOUNTS)),
        "policy": draw(POLICIES),
        **_optional(draw, {"rules": st.lists(st.sampled_from(rule_ids), max_size=2)}),
    }


@st.composite
def definitions(draw: Draw) -> Definition:
    """Any valid definition file with up to three rules and two caps."""
    ids = list(RULE_IDS[: draw(st.integers(1, len(RULE_IDS)))])
    names = CAP_IDS[: draw(st.sampled_from([0, 0, 1, 2]))]
    milestones = st.lists(st.sampled_from(MILESTONES), max_size=2)
    choices: dict[str, SearchStrategy[Any]] = {
        "implies": st.dictionaries(st.sampled_from(MILESTONES), milestones, max_size=3),
        "lost_retracts": milestones,
        "windows": st.fixed_dictionaries(
            {},
            optional={
                "credit_days": st.integers(0, 500),
                "prior_days": st.integers(0, 60),
                "clawback_days": st.integers(0, 60),
            },
        ),
        "eligibility": st.fixed_dictionaries(
            {},
            optional={
                "allow_existing": st.sampled_from(["partner", "lead", "both"]),
                "required": st.lists(st.sampled_from(DOCUMENTS), max_size=2),
                "minimum_engagement": st.fixed_dictionaries(
                    {}, optional={"accepted_referrals": st.integers(0, 3)}
                ),
                "blocked": st.lists(st.sampled_from(CATEGORIES), max_size=2),
                "self_referral": st.sampled_from(model.SELF_REFERRAL),
            },
        ),
    }
    return {
        "name": "any",
        "rules": [draw(rules(rule_id)) for rule_id in ids],
        "caps": [draw(caps(cap_id, ids)) for cap_id in names],
        **_optional(draw, choices),
    }


CURRENCIES = st.sampled_from(["USD", "JPY", "KWD"])
ZONES = st.sampled_from(["UTC", "Pacific/Kiritimati", "America/New_York"])


def _read(definition: Definition, currency: str, zone: str) -> Terms:
    return parse_terms(_in_currency(definition, currency), currency=currency, time_zone=zone)


def _in_currency(part: Any, currency: str) -> Any:  # noqa: ANN401 - any part of a definition
    """Give amounts the digits that the currency has; percentages stay."""
    if isinstance(part, dict):
        rates = ("percent", "refund_threshold")
        return {
            name: each if name in rates else _in_currency(each, currency)
            for name, each in part.items()
        }
    if isinstance(part, list):
        return [_in_currency(each, currency) for each in part]
    if not isinstance(part, str) or "." not in part:
        return part
    whole, _, cents = part.partition(".")
    return {"USD": part, "JPY": whole, "KWD": f"{whole}.{cents}5"}[currency]


any_terms: Callable[[], SearchStrategy[Terms]] = lambda: st.builds(  # noqa: E731 - a strategy
    _read, definitions(), CURRENCIES, ZONES
)

"""The JSON Schema of a definition file, for editors. ``terms_reader`` has the last word.

``python -m shared.domain.terms_schema > docs/terms.schema.json`` writes it anew.
"""

import json
import sys
from typing import Any, Final

from shared.domain import terms as model
from shared.domain.entitlements import INTRODUCER, ROLES, WHOLE_SHARE
from shared.domain.partners import CATEGORIES, DOCUMENTS

Schema = dict[str, Any]

_NAME: Final[Schema] = {"type": "string", "pattern": "^[a-z][a-z0-9_]{0,49}$"}
_TEXT: Final[Schema] = {"type": "string", "minLength": 1, "maxLength": 500}
_DAYS: Final[Schema] = {"type": "integer", "minimum": 0, "maximum": 3_660}
_AMOUNT: Final[Schema] = {
    "type": "string",
    "pattern": r"^[0-9]{1,18}(\.[0-9]{1,18})?$",
    "description": 'A decimal string in the ledger currency, such as "50.00".',
}
_PERCENT: Final[Schema] = {
    "type": "string",
    "pattern": r"^(100(\.0{1,18})?|[0-9]{1,2}(\.[0-9]{1,18})?)$",
    "description": 'A decimal string above 0, at most 100, such as "12.5".',
}
_COUNT: Final = 1_000_000
_NUMBER: Final = 1_000_000_000
_ROWS: Final = 50


def terms_schema() -> Schema:
    """Return the schema of a whole definition."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Terms of a Goodword programme",
        **_object(
            {
                "name": _TEXT,
                "windows": _object(
                    dict.fromkeys(
                        (
                            "attribution_days",
                            "credit_days",
                            "protection_days",
                            "prior_days",
                            "late_grace_days",
                            "clawback_days",
                        ),
                        _DAYS,
                    )
                ),
                "implies": {
                    "type": "object",
                    "propertyNames": _NAME,
                    "maxProperties": _ROWS,
                    "additionalProperties": _list(_NAME),
                },
                "lost_retracts": _list(_NAME),
                "attribution": _attribution(),
                "lead_quality": _lead_quality(),
                "eligibility": _object(
                    {
                        "partner_kinds": _list(_TEXT),
                        "regions": _list(_TEXT),
                        "allow_existing": _choice((model.PARTNER, model.LEAD, "both")),
                        "required": _list(_choice(DOCUMENTS)),
                        "minimum_engagement": _object(
                            {"accepted_referrals": _whole(0, model.MAX_ENGAGEMENT)}
                        ),
                        "blocked": _list(_choice(CATEGORIES)),
                        "self_referral": _choice(model.SELF_REFERRAL),
                    }
                ),
                "overrides": _list(_override(), most=model.MAX_OVERRIDES),
                "caps": _list(_cap(), most=model.MAX_CAPS),
                "partner_closed": _choice(model.PARTNER_CLOSED),
                "rules": _list({"$ref": "#/$defs/rule"}, least=1),
            },
            required=("name", "rules"),
        ),
        "$defs": {
            "rule": _rule(),
            "group": _group(),
            "condition": {"oneOf": [_condition(kind) for kind in model.OPERATORS]},
            "value": {"oneOf": _values()},
            "table": {"oneOf": [_table(kind) for kind in model.OPERATORS]},
        },
    }


def _object(properties: Schema, required: tuple[str, ...] = ()) -> Schema:
    schema: Schema = {
        "type": "object",
        "properties": properties,
        "additionalProperties": False,
    }
    return {**schema, "required": list(required)} if required else schema


def _list(items: Schema, *, least: int = 0, most: int = _ROWS) -> Schema:
    schema: Schema = {"type": "array", "items": items, "maxItems": most}
    return {**schema, "minItems": least} if least else schema


def _choice(allowed: tuple[str, ...]) -> Schema:
    return {"enum": list(allowed)}


def _whole(least: int, most: int) -> Schema:
    return {"type": "integer", "minimum": least, "maximum": most}


def _one_of(*names: str) -> list[Schema]:
    return [{"required": [name]} for name in names]


def _attribution() -> Schema:
    whose = {
        "order": _list(_choice(model.EVIDENCE), least=1, most=len(model.EVIDENCE)),
        "model": _choice(model.MODELS),
    }
    parts = _object(dict.fromkeys(ROLES, _whole(1, WHOLE_SHARE)), required=(INTRODUCER,))
    without_parts = tuple(split for split in model.SPLITS if split != model.BY_ROLE)
    by_role = {
        **whose,
        "split": _choice((model.BY_ROLE,)),
        "basis_points": {**parts, "description": f"Parts that sum to {WHOLE_SHARE}."},
    }
    return {
        "oneOf": [
            _object({**whose, "split": _choice(without_parts)}),
            _object(by_role, required=("split", "basis_points")),
        ]
    }


def _lead_quality() -> Schema:
    grade = _object({"grade": _TEXT, "when": {"$ref": "#/$defs/group"}}, required=("grade",))
    return _object(
        {
            "grades": _list(grade),
            "otherwise": _TEXT,
            "decide": {
                "type": "object",
                "maxProperties": _ROWS,
                "additionalProperties": _choice(model.VERDICTS),
            },
        }
    )


def _override() -> Schema:
    schema = _object(
        {
            "level": _choice(model.LEVELS),
            "match": _TEXT,
            "rule": _NAME,
            "percent": _PERCENT,
            "fixed": _AMOUNT,
        },
        required=("level", "match", "rule"),
    )
    return {**schema, "oneOf": _one_of("percent", "fixed")}


def _cap() -> Schema:
    return _object(
        {
            "id": _NAME,
            "scope": _choice((model.PARTNER, model.PROGRAM)),
            "per": _choice(model.CAP_PERIODS),
            "limit": _AMOUNT,
            "policy": _choice((model.CUT, model.DENY)),
            "rules": _list(_NAME),
        },
        required=("id", "scope", "per", "limit"),
    )


def _rule() -> Schema:
    table = _object({"table": {"$ref": "#/$defs/table"}}, required=("table",))
    return _object(
        {
            "id": _NAME,
            "beneficiary": _choice(model.BENEFICIARIES),
            "milestone": _NAME,
            "kind": _choice(model.KINDS),
            "value": {"oneOf": [{"$ref": "#/$defs/value"}, table]},
            "occurrence": _choice(model.OCCURRENCES),
            "limit": _object({"times": _whole(1, _COUNT), "months": _whole(1, 1_200)}),
            "nth": _whole(1, _COUNT),
            "counts": _list(_whole(1, _COUNT), least=1),
            "tiers": _tiers(),
            "when": {"$ref": "#/$defs/group"},
            "hold_days": _DAYS,
            "retained_days": _DAYS,
            "caps": _object(
                {
                    "reward": _AMOUNT,
                    "referral": _AMOUNT,
                    "policy": _choice((model.CUT, model.DENY)),
                }
            ),
            "refund": _choice(model.REFUND_POLICIES),
            "refund_threshold": _PERCENT,
            "text": _TEXT,
        },
        required=("id", "beneficiary", "milestone", "kind", "value"),
    )


def _tiers() -> Schema:
    start = {"anyOf": [_whole(1, _COUNT), _AMOUNT]}
    step = _object({"from": start, "percent": _PERCENT, "fixed": _AMOUNT}, required=("from",))
    return _object(
        {
            "by": _choice((model.BY_COUNT, model.BY_REVENUE)),
            "mode": _choice(tuple(model.TIER_MODES)),
            "period": _choice(model.TIER_PERIODS),
            "milestone": _NAME,
            "steps": _list({**step, "oneOf": _one_of("percent", "fixed")}, least=1),
        },
        required=("by", "milestone", "steps"),
    )


def _group() -> Schema:
    member = {"oneOf": [{"$ref": "#/$defs/condition"}, {"$ref": "#/$defs/group"}]}
    schema = _object({"all": _list(member, least=1), "any": _list(member, least=1)})
    return {**schema, "oneOf": _one_of("all", "any")}


def _fields(kind: str) -> tuple[str, ...]:
    return tuple(name for name, of in model.FIELDS.items() if of == kind)


def _typed(kind: str) -> Schema:
    return {
        model.MONEY: _AMOUNT,
        model.NUMBER: {
            "anyOf": [_whole(0, _NUMBER), {"type": "string", "pattern": "^[0-9]{1,9}$"}]
        },
        model.TEXT: _TEXT,
        model.FLAG: {"type": "boolean"},
    }[kind]


def _condition(kind: str) -> Schema:
    value = _typed(kind)
    if "in" in model.OPERATORS[kind]:
        value = {"anyOf": [value, _list(_TEXT, least=1)]}
    return _object(
        {
            "field": _choice(_fields(kind)),
            "op": _choice(model.OPERATORS[kind]),
            "value": value,
        },
        required=("field", "op", "value"),
    )


def _values() -> list[Schema]:
    return [
        _object({"fixed": _AMOUNT}, required=("fixed",)),
        _object(
            {"percent": _PERCENT, "of": _choice(model.BASES), "months": _whole(1, 120)},
            required=("percent", "of"),
        ),
        _object({"percent": _PERCENT, "worth": _AMOUNT}, required=("percent",)),
        _object(
            {"quantity": _whole(1, 10_000), "unit": _TEXT, "worth": _AMOUNT},
            required=("quantity", "unit"),
        ),
    ]


def _table(kind: str) -> Schema:
    key = "is" if kind in (model.TEXT, model.FLAG) else "from"
    value = {"$ref": "#/$defs/value"}
    row = _object({key: _typed(kind), "value": value}, required=(key, "value"))
    return _object(
        {"field": _choice(_fields(kind)), "rows": _list(row, least=1), "else": value},
        required=("field", "rows"),
    )


def written() -> str:
    """Return the schema as the text of its file."""
    return json.dumps(terms_schema(), indent=2) + "\n"


if __name__ == "__main__":
    sys.stdout.write(written())

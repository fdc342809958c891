"""A definition that uses everything that terms can say."""

from __future__ import annotations

import copy
from typing import Any

_LARGE = {"field": "deal_amount", "op": "gte", "value": "10000.00"}
_PLAN = {"field": "plan", "op": "in", "value": ["pro", "team"]}
_EXISTING = {"field": "existing_customer", "op": "eq", "value": False}
_SIZE = {"field": "company_size", "op": "lt", "value": 500}
_REGION = {"field": "region", "op": "ne", "value": "north"}

_RICH: dict[str, Any] = {
    "name": "Everything",
    "windows": {
        "attribution_days": 60,
        "credit_days": 200,
        "protection_days": 90,
        "prior_days": 5,
        "late_grace_days": 10,
        "clawback_days": 300,
    },
    "implies": {"won": ["qualified"]},
    "lost_retracts": ["won"],
    "attribution": {"order": ["code", "click"], "model": "first_touch", "split": "equal"},
    "lead_quality": {
        "grades": [{"grade": "A", "when": {"all": [_SIZE]}}],
        "otherwise": "C",
        "decide": {"A": "accept", "C": "reject"},
    },
    "eligibility": {
        "partner_kinds": ["affiliate"],
        "regions": ["south"],
        "allow_existing": "lead",
        "required": ["agreement", "code_of_conduct"],
        "minimum_engagement": {"accepted_referrals": 2},
        "blocked": ["public_official", "buyer_staff"],
        "self_referral": "deny",
    },
    "overrides": [{"level": "tier", "match": "gold", "rule": "commission", "percent": "15"}],
    "partner_closed": "forfeit",
    "caps": [
        {"id": "partner_year", "scope": "partner", "per": "calendar_year", "limit": "5000.00"},
        {
            "id": "budget",
            "scope": "program",
            "per": "month",
            "limit": "9000.00",
            "policy": "deny",
            "rules": ["commission", "perk"],
        },
    ],
    "rules": [
        {
            "id": "commission",
            "beneficiary": "partner",
            "milestone": "won",
            "kind": "cash",
            "value": {"percent": "10", "of": "deal_amount"},
            "tiers": {
                "by": "count",
                "mode": "prospective",
                "period": "calendar_year",
                "milestone": "won",
                "steps": [{"from": 6, "percent": "12"}],
            },
            "when": {"all": [_LARGE, {"any": [_PLAN, _EXISTING, _REGION]}]},
            "hold_days": 30,
            "caps": {"reward": "500.00", "referral": "800.00", "policy": "deny"},
            "refund": "pro_rata",
            "refund_threshold": "50",
            "text": "ten per cent",
        },
        {
            "id": "fixed_tier",
            "beneficiary": "partner",
            "milestone": "upsold",
            "kind": "credit",
            "value": {"fixed": "50.00"},
            "tiers": {
                "by": "revenue",
                "mode": "retroactive",
                "milestone": "upsold",
                "steps": [{"from": "100000.00", "fixed": "70.00"}],
            },
            "retained_days": 60,
            "refund": "void",
        },
        {
            "id": "invoices",
            "beneficiary": "partner",
            "milestone": "won",
            "kind": "cash",
            "value": {"percent": "20", "of": "invoice_net"},
            "occurrence": "every_invoice",
            "limit": {"times": 12, "months": 12},
        },
        {
            "id": "by_months",
            "beneficiary": "lead",
            "milestone": "won",
            "kind": "free_period",
            "value": {
                "table": {
                    "field": "contract_months",
                    "rows": [
                        {"from": "12", "value": {"quantity": 1, "unit": "month", "worth": "49"}},
                        {"from": 24, "value": {"quantity": 2, "unit": "month", "worth": "49"}},
                    ],
                    "else": {"quantity": 1, "unit": "week"},
                }
            },
        },
        {
            "id": "by_plan",
            "beneficiary": "partner",
            "milestone": "meeting_held",
            "kind": "gift_card",
            "value": {
                "table": {
                    "field": "plan",
                    "rows": [
                        {"is": "pro", "value": {"percent": "5", "of": "first_year_value"}},
                        {"is": "team", "value": {"fixed": "25.00"}},
                    ],
                }
            },
        },
        {
            "id": "monthly",
            "beneficiary": "cause",
            "milestone": "won",
            "kind": "donation",
            "value": {"percent": "10", "of": "monthly_value", "months": 3},
        },
        {
            "id": "discount",
            "beneficiary": "lead",
            "milestone": "won",
            "kind": "discount",
            "value": {"percent": "20", "worth": "100.00"},
        },
        {
            "id": "perk",
            "beneficiary": "partner",
            "milestone": "won",
            "kind": "perk",
            "value": {"quantity": 2, "unit": "licence"},
            "occurrence": "every_nth",
            "nth": 5,
        },
        {
            "id": "achievement",
            "beneficiary": "partner",
            "milestone": "won",
            "kind": "cash",
            "value": {"fixed": "100.00"},
            "occurrence": "at_counts",
            "counts": [3, 10, 25],
        },
        {
            "id": "renewals",
            "beneficiary": "partner",
            "milestone": "renewed",
            "kind": "cash",
            "value": {"fixed": "10.00"},
            "occurrence": "every_renewal",
            "limit": {"times": 1, "months": 1},
        },
    ],
}


def rich_definition() -> dict[str, Any]:
    """Return a copy that a test may change."""
    return copy.deepcopy(_RICH)

"""Changes that change nothing anybody could see, each with the reason."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

_REASONS: Final[Mapping[str, tuple[str, ...]]] = {
    "what two numbers of 36 digits come to is over the bound, or fits": (
        "money.: 60 -> 61 in EXACT: Final = Context(prec=60)",
        "money.: 60 -> 59 in EXACT: Final = Context(prec=60)",
    ),
    "nothing is taken where nothing is to be taken": (
        (
            "rewards._change: delta < 0 -> delta <= 0 in "
            "if delta < 0: after, steps = _lowered(reward, -delta)"
        ),
        "rewards._change: 0 -> 1 in if delta < 0: after, steps = _lowered(reward, -delta)",
    ),
    "what is given back looks at no limit": (
        (
            "caps._returned: 0 -> 1 in "
            "return NeededAllowance(cap_id=pinned.cap_id, scope=pinned.scope, pe..."
        ),
        (
            "caps._returned: 0 -> -1 in "
            "return NeededAllowance(cap_id=pinned.cap_id, scope=pinned.scope, pe..."
        ),
    ),
    "allowances are numbered from 1": (
        (
            "caps.Allowances.__post_init__: 0 -> 1 in "
            "self._numbers[key] = max(number, self._numbers.get(key, 0))"
        ),
        (
            "caps.Allowances.__post_init__: 0 -> -1 in "
            "self._numbers[key] = max(number, self._numbers.get(key, 0))"
        ),
    ),
    "only retroactive tiers look at it, and a benefit has none": (
        (
            "values.Valuation._benefit: 1 -> 2 in "
            "return Worked(total_minor=0, base_minor=1, figures=figures | told, ..."
        ),
        (
            "values.Valuation._benefit: 1 -> 0 in "
            "return Worked(total_minor=0, base_minor=1, figures=figures | told, ..."
        ),
    ),
    "a count below zero reaches as little as none": (
        (
            "partner_rules.is_wanted: 0 -> -1 in "
            "return 0 < number <= _reached(rule, sums.get(success_key(rule.miles... (2)"
        ),
        "partner_rules._counts: 0 -> -1 in before, = seen.get(rule.rule_id, (0,))",
    ),
    "there is no step between two that are equal": (
        "partner_rules._counts: new > old -> new >= old in rises = new > old",
    ),
    "less than nothing grants as little as nothing": ("partner_rules._added: 0 -> -1 in return 0",),
    "all over the bound is alike": (
        "partner_rules._added: 1 -> 2 in return MAX_MINOR + 1",
        "partner_rules._added: 1 -> 2 in return min(added, MAX_MINOR + 1)",
    ),
    "terms have steps like the value": (
        "partner_rules._added: 0 -> 1 in added = 0",
        "partner_rules._added: 0 -> -1 in added = 0",
        (
            "partner_rules._added: isinstance(step.value, Decimal) and "
            "isinstance(rule.value, Percent)"
            " -> isinstance(step.value, Decimal) or isinstance(rule.value, Percent) in "
            "if isinstance(step.value, Decimal) and isinstance(rule.value, Perce..."
        ),
        (
            "partner_rules._added: isinstance(step.value, int) and isinstance(rule.value, Fixed)"
            " -> isinstance(step.value, int) or isinstance(rule.value, Fixed) in "
            "if isinstance(step.value, int) and isinstance(rule.value, Fixed): a..."
        ),
    ),
    "none is as false as no": (
        "contributions._is_refunded_whole: return False -> return None",
        "contributions._is_refunded_whole: return False -> return None (2)",
        "clawback.earlier_cases: return () -> return None",
    ),
    "it only spares looking back where nothing can be found": (
        (
            "clawback.earlier_cases: min(received) + timedelta(days=days)"
            " -> min(received) - timedelta(days=days) in "
            "if days is None or max(received) < min(received) + timedelta(days=d..."
        ),
    ),
    "benefits have no size: whichever it is, it is the same for all": (
        "clawback._levelled: 1 -> 2 in size = now.worked.total_minor or 1",
        "clawback._levelled: 1 -> 0 in size = now.worked.total_minor or 1",
    ),
    "an invoice always has its amount": (
        (
            "bases.Amounts.gross_invoice: 0 -> 1 in "
            "return max(self.minor(paid.amount), 0) if paid.amount else 0 (2)"
        ),
        (
            "bases.Amounts.gross_invoice: 0 -> -1 in "
            "return max(self.minor(paid.amount), 0) if paid.amount else 0 (2)"
        ),
    ),
    "nothing is spread where there is nothing": (
        (
            "bases.Amounts._spread: total > 0 -> total >= 0 in "
            "if total > 0: for paid_id, part in zip(open_ids, split(total, remai..."
        ),
        (
            "bases.Amounts._spread: 0 -> -1 in "
            "if total > 0: for paid_id, part in zip(open_ids, split(total, remai..."
        ),
    ),
    "nothing, granted or not, is nothing": (
        ("partner_rules._granted: 0 -> -1 in return added if 0 < added <= MAX_MINOR else 0"),
    ),
    "what comes to the bound itself is granted before that is looked at": (
        (
            "partner_rules._true_ups: added > MAX_MINOR -> added >= MAX_MINOR in "
            "line = TraceLine(rule_id=rule.rule_id, occurrence=f'{_TRUE_UP}{peri..."
        ),
    ),
    "all moments have the same terms": (
        (
            "clawback.kept: 0 -> -1 in "
            "limit = hold + timedelta(days=earlier[0].case.terms.clawback_days o..."
        ),
    ),
    "it only has to tell reached from not reached": (
        "clawback._opened: return reached_at(rule.milestone, case).milestone -> return None",
        "clawback._opened: return refusal.code -> return None",
    ),
    "it only looks at more than it must": (
        (
            "clawback._changed: is_counted and (not news.is_in_order)"
            " -> is_counted or not news.is_in_order in "
            "if is_counted and (not news.is_in_order) or _rests_on_first_invoice..."
        ),
    ),
}

EQUIVALENT: Final[Mapping[str, str]] = {
    name: reason for reason, names in _REASONS.items() for name in names
}
"""Name of a change -> why it needs no test."""

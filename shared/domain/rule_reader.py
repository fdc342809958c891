"""Read one rule of a definition file: value, occurrence, tiers, conditions, holds and caps."""

from collections.abc import Mapping
from decimal import Decimal
from itertools import pairwise
from typing import Any, Final

from shared.domain import terms as model
from shared.domain.definition import Reader
from shared.domain.terms import (
    Benefit,
    Condition,
    Fixed,
    Group,
    Percent,
    Plain,
    Row,
    Rule,
    RuleCaps,
    Step,
    Table,
    Tier,
    Value,
)

_MAX_DAYS: Final = 3_660
_MAX_COUNT: Final = 1_000_000
_MAX_ROWS: Final = 50
_MAX_DEPTH: Final = 3

_RULE: Final = frozenset(
    {
        "id",
        "beneficiary",
        "milestone",
        "kind",
        "value",
        "occurrence",
        "limit",
        "nth",
        "counts",
        "tiers",
        "when",
        "hold_days",
        "retained_days",
        "caps",
        "refund",
        "refund_threshold",
        "text",
    }
)


class RuleReader(Reader):
    """Knows the shape of rules; ``Reader`` knows the shapes of values."""

    def rule(self, value: object, path: str) -> Rule:
        """Read one rule."""
        row = self.mapping(value, path, _RULE)
        kind = self.choice(row.get("kind"), f"{path}.kind", model.KINDS)
        occurrence = self.choice(
            row.get("occurrence", model.ONCE), f"{path}.occurrence", model.OCCURRENCES
        )
        retained = "retained_days" in row
        if retained and "hold_days" in row:
            self.fail(f"{path}.retained_days", "not_allowed", "stands instead of hold_days")
        hold_name = "retained_days" if retained else "hold_days"
        limit = self.mapping(row.get("limit", {}), f"{path}.limit", {"times", "months"})
        rule = Rule(
            rule_id=self.name(row.get("id"), f"{path}.id"),
            beneficiary=self.choice(
                row.get("beneficiary"), f"{path}.beneficiary", model.BENEFICIARIES
            ),
            milestone=self.name(row.get("milestone"), f"{path}.milestone"),
            kind=kind,
            value=self._value(row.get("value"), f"{path}.value", kind),
            occurrence=occurrence,
            limit_times=self._optional(limit, f"{path}.limit", "times", _MAX_COUNT),
            limit_months=self._optional(limit, f"{path}.limit", "months", 1_200),
            nth=self._nth(row, path, occurrence),
            counts=self._counts(row, path, occurrence),
            tier=self._tier(row.get("tiers"), f"{path}.tiers"),
            when=self.group(row.get("when"), f"{path}.when"),
            hold_days=self.whole(row.get(hold_name, 0), f"{path}.{hold_name}", 0, _MAX_DAYS),
            retained=retained,
            caps=self._rule_caps(row.get("caps", {}), f"{path}.caps"),
            refund=self.choice(
                row.get("refund", model.KEEP), f"{path}.refund", model.REFUND_POLICIES
            ),
            refund_threshold=self.percent(
                row.get("refund_threshold", "0"), f"{path}.refund_threshold", least=Decimal(0)
            ),
            text=self.text(row.get("text"), f"{path}.text"),
        )
        self._check_rule(rule, path, limited="limit" in row)
        return rule

    def _check_rule(self, rule: Rule, path: str, *, limited: bool) -> None:
        recurring = rule.occurrence in {model.EVERY_INVOICE, model.EVERY_RENEWAL}
        if limited and not recurring:
            self.fail(f"{path}.limit", "not_allowed", "only for every_invoice and every_renewal")
        if rule.is_partner_level:
            self._check_partner_level(rule, path)
        if rule.tier:
            self._check_tier(rule, rule.tier, path)
        table = rule.value if isinstance(rule.value, Table) else None
        values = [row.value for row in table.rows] if table else [rule.value]
        values += [table.otherwise] if table and table.otherwise else []
        bases = {value.base for value in values if isinstance(value, Percent)}
        if "invoice_net" in bases and rule.occurrence != model.EVERY_INVOICE:
            self.fail(f"{path}.value.of", "not_allowed", "invoice_net needs every_invoice")

    def _check_partner_level(self, rule: Rule, path: str) -> None:
        if rule.beneficiary != model.PARTNER:
            self.fail(f"{path}.beneficiary", "not_allowed", "a count belongs to the partner")
        if not isinstance(rule.value, Fixed | Benefit):
            self.fail(f"{path}.value", "not_allowed", "a count is rewarded by a fixed value")
        if rule.when or rule.tier:
            self.fail(f"{path}.when", "not_allowed", "a count has no conditions and no tiers")

    def _check_tier(self, rule: Rule, tier: Tier, path: str) -> None:
        percents = {isinstance(step.value, Decimal) for step in tier.steps}
        expected = isinstance(rule.value, Percent)
        if not isinstance(rule.value, Fixed | Percent) or percents != {expected}:
            message = "steps must be given like the value: percent or fixed"
            self.fail(f"{path}.tiers", "not_allowed", message)
        if rule.occurrence != model.ONCE:
            self.fail(f"{path}.tiers", "not_allowed", "only for rules that pay once")

    def _optional(self, row: Mapping[str, Any], path: str, name: str, most: int) -> int | None:
        return self.whole(row[name], f"{path}.{name}", 1, most) if name in row else None

    def _nth(self, row: Mapping[str, Any], path: str, occurrence: str) -> int:
        if occurrence != model.EVERY_NTH:
            if "nth" in row:
                self.fail(f"{path}.nth", "not_allowed", "only for every_nth")
            return 0
        return self.whole(row.get("nth"), f"{path}.nth", 1, _MAX_COUNT)

    def _counts(self, row: Mapping[str, Any], path: str, occurrence: str) -> tuple[int, ...]:
        if occurrence != model.AT_COUNTS:
            if "counts" in row:
                self.fail(f"{path}.counts", "not_allowed", "only for at_counts")
            return ()
        counts = self.rows(
            row.get("counts"),
            f"{path}.counts",
            lambda value, where: self.whole(value, where, 1, _MAX_COUNT),
            _MAX_ROWS,
            required=True,
        )
        if any(a >= b for a, b in pairwise(counts)):
            self.fail(f"{path}.counts", "not_ascending", "counts must rise")
        return counts

    def _rule_caps(self, value: object, path: str) -> RuleCaps:
        row = self.mapping(value, path, {"reward", "referral", "policy"})
        return RuleCaps(
            reward_minor=self.amount(row["reward"], f"{path}.reward") if "reward" in row else None,
            referral_minor=(
                self.amount(row["referral"], f"{path}.referral") if "referral" in row else None
            ),
            policy=self.choice(
                row.get("policy", model.CUT), f"{path}.policy", (model.CUT, model.DENY)
            ),
        )

    # -- values -------------------------------------------------------------------------------

    def _value(self, value: object, path: str, kind: str) -> Value:
        if isinstance(value, Mapping) and "table" in value:
            self.mapping(value, path, {"table"})
            return self._table(value["table"], f"{path}.table", kind)
        return self._plain(value, path, kind)

    def _plain(self, value: object, path: str, kind: str) -> Plain:
        if kind not in model.FACE_VALUE_KINDS:
            return self._benefit(value, path, kind)
        row = self.mapping(value, path, {"fixed", "percent", "of", "months"})
        if ("fixed" in row) == ("percent" in row):
            self.fail(path, "required", "must have either fixed or percent")
            return Fixed(amount_minor=0)
        if "fixed" in row:
            return Fixed(amount_minor=self.amount(row["fixed"], f"{path}.fixed"))
        base = self.choice(row.get("of"), f"{path}.of", model.BASES)
        months = 1
        if base == "monthly_value":
            months = self.whole(row.get("months"), f"{path}.months", 1, 120)
        elif "months" in row:
            self.fail(f"{path}.months", "not_allowed", "only of monthly_value")
        return Percent(
            percent=self.percent(row["percent"], f"{path}.percent"), base=base, months=months
        )

    def _benefit(self, value: object, path: str, kind: str) -> Benefit:
        row = self.mapping(value, path, {"quantity", "unit", "percent", "worth"})
        worth = self.amount(row["worth"], f"{path}.worth") if "worth" in row else 0
        if kind == model.DISCOUNT:
            if "quantity" in row or "unit" in row or "percent" not in row:
                self.fail(path, "not_allowed", "a discount is given as percent")
                return Benefit()
            return Benefit(
                percent=self.percent(row["percent"], f"{path}.percent"), worth_minor=worth
            )
        if "percent" in row or "quantity" not in row:
            self.fail(path, "not_allowed", f"a {kind} is given as quantity and unit")
            return Benefit()
        quantity = self.whole(row["quantity"], f"{path}.quantity", 1, 10_000)
        return Benefit(
            quantity=quantity,
            unit=self.text(row.get("unit"), f"{path}.unit", required=True),
            worth_minor=worth * quantity,
        )

    def _table(self, value: object, path: str, kind: str) -> Table:
        row = self.mapping(value, path, {"field", "rows", "else"})
        field = self.choice(row.get("field"), f"{path}.field", tuple(model.FIELDS))
        key = "is" if model.FIELDS[field] in {model.TEXT, model.FLAG} else "from"

        def line(value: object, where: str) -> Row:
            cells = self.mapping(value, where, {key, "value"})
            match = self.typed(cells.get(key), f"{where}.{key}", model.FIELDS[field])
            return Row(
                match=match,
                value=self._plain(cells.get("value"), f"{where}.value", kind),
            )

        rows = self.rows(row.get("rows"), f"{path}.rows", line, _MAX_ROWS, required=True)
        if key == "from" and any(int(a.match) >= int(b.match) for a, b in pairwise(rows)):
            self.fail(f"{path}.rows", "not_ascending", "bands must rise")
        otherwise = self._plain(row["else"], f"{path}.else", kind) if "else" in row else None
        return Table(field=field, rows=rows, otherwise=otherwise)

    def _tier(self, value: object, path: str) -> Tier | None:
        if value is None:
            return None
        row = self.mapping(value, path, {"by", "mode", "period", "milestone", "steps"})
        by = self.choice(row.get("by"), f"{path}.by", (model.BY_COUNT, model.BY_REVENUE))

        def step(value: object, where: str) -> Step:
            cells = self.mapping(value, where, {"from", "percent", "fixed"})
            if by == model.BY_COUNT:
                start = self.whole(cells.get("from"), f"{where}.from", 1, _MAX_COUNT)
            else:
                start = self.amount(cells.get("from"), f"{where}.from")
            return Step(start=start, value=self.rate(cells, where))

        steps = self.rows(row.get("steps"), f"{path}.steps", step, _MAX_ROWS, required=True)
        if any(a.start >= b.start for a, b in pairwise(steps)):
            self.fail(f"{path}.steps", "not_ascending", "steps must rise")
        # A deal that crosses a step of revenue would be paid by two rates at once.
        words = [
            mode for mode in model.TIER_MODES if by == model.BY_COUNT or mode != model.MARGINAL
        ]
        mode = self.choice(row.get("mode", model.PROSPECTIVE), f"{path}.mode", tuple(words))
        return Tier(
            by=by,
            mode=model.TIER_MODES.get(mode, model.PROSPECTIVE),
            period=self.choice(
                row.get("period", model.LIFETIME), f"{path}.period", model.TIER_PERIODS
            ),
            milestone=self.name(row.get("milestone"), f"{path}.milestone"),
            steps=steps,
        )

    # -- conditions ---------------------------------------------------------------------------

    def group(self, value: object, path: str, depth: int = 1) -> Group | None:
        """Read a group of conditions; None stays None."""
        if value is None:
            return None
        row = self.mapping(value, path, {"all", "any"})
        if len(row) != 1:
            self.fail(path, "required", "must have either all or any")
            return None
        ((name, members),) = row.items()

        def member(value: object, where: str) -> Condition | Group | None:
            if isinstance(value, Mapping) and ("all" in value or "any" in value):
                if depth >= _MAX_DEPTH:
                    self.fail(where, "too_deep", f"at most {_MAX_DEPTH} levels")
                    return None
                return self.group(value, where, depth + 1)
            return self._condition(value, where)

        found = self.rows(members, f"{path}.{name}", member, _MAX_ROWS, required=True)
        return Group(any_of=name == "any", members=tuple(part for part in found if part))

    def _condition(self, value: object, path: str) -> Condition:
        row = self.mapping(value, path, {"field", "op", "value"})
        field = self.choice(row.get("field"), f"{path}.field", tuple(model.FIELDS))
        kind = model.FIELDS[field]
        op = self.choice(row.get("op"), f"{path}.op", model.OPERATORS[kind])
        if op == "in":
            listed = row.get("value") or None
            if listed is None:
                self.fail(f"{path}.value", "required", "must be a list with entries")
            return Condition(field=field, op=op, value=self.texts(listed, f"{path}.value"))
        return Condition(
            field=field, op=op, value=self.typed(row.get("value"), f"{path}.value", kind)
        )

    def rate(self, row: Mapping[str, Any], path: str) -> Decimal | int:
        """Read a percentage or an amount, whichever is given."""
        if ("percent" in row) == ("fixed" in row):
            self.fail(path, "required", "must have either percent or fixed")
            return 0
        if "percent" in row:
            return self.percent(row["percent"], f"{path}.percent")
        return self.amount(row["fixed"], f"{path}.fixed")

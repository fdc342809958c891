"""Read terms from a definition file, and name every mistake with its path."""

import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import replace
from typing import Final, TypeVar

from shared.domain import terms as model
from shared.domain.entitlements import INTRODUCER, ROLES, WHOLE_SHARE
from shared.domain.errors import InvalidFieldsError
from shared.domain.links import is_code
from shared.domain.partners import CATEGORIES, DOCUMENTS
from shared.domain.rule_reader import RuleReader
from shared.domain.terms import (
    AttributionPolicy,
    Cap,
    Eligibility,
    Grade,
    Group,
    LeadQuality,
    Override,
    Rule,
    Terms,
)

MAX_RULES: Final = 50
_MAX_DAYS: Final = 3_660
_MAX_ROWS: Final = 50
_PARTNER_ID: Final = re.compile(r"ptr_[A-Za-z0-9_-]{1,76}")

T = TypeVar("T")

_TOP: Final = frozenset(
    {
        "name",
        "windows",
        "implies",
        "lost_retracts",
        "attribution",
        "lead_quality",
        "eligibility",
        "overrides",
        "caps",
        "partner_closed",
        "rules",
    }
)
_ELIGIBILITY: Final = frozenset(
    {
        "partner_kinds",
        "regions",
        "allow_existing",
        "required",
        "minimum_engagement",
        "blocked",
        "self_referral",
    }
)


def parse_terms(definition: object, *, currency: str, time_zone: str = "UTC") -> Terms:
    """Read a definition file (parsed YAML or JSON) of a programme.

    ``currency`` is the programme's ledger currency, ``time_zone`` the one its periods are in.

    Raises:
        InvalidFieldsError: naming the path of every mistake and the values that are allowed.
    """
    reader = _TermsReader(currency)
    terms = replace(reader.terms(definition), time_zone=time_zone)
    if reader.errors:
        raise InvalidFieldsError(reader.errors)
    return terms


class _TermsReader(RuleReader):
    """Knows the shape of terms; ``RuleReader`` knows that of their rules."""

    def terms(self, definition: object) -> Terms:
        root = self.mapping(definition, "", _TOP)
        windows = self.mapping(
            root.get("windows", {}),
            "windows",
            {
                "attribution_days",
                "credit_days",
                "protection_days",
                "prior_days",
                "late_grace_days",
                "clawback_days",
            },
        )

        def days(name: str, default: int) -> int:
            return self.whole(windows.get(name, default), f"windows.{name}", 0, _MAX_DAYS)

        rules = self._unique(
            self.rows(root.get("rules"), "rules", self.rule, MAX_RULES, required=True),
            "rules",
            lambda rule: rule.rule_id,
        )
        known = {rule.rule_id for rule in rules}
        return Terms(
            name=self.text(root.get("name"), "name", required=True),
            currency=self.currency,
            rules=rules,
            implies=self._implications(root.get("implies", {})),
            retract_on_lost=self._lost_retracts(root.get("lost_retracts")),
            attribution=self._attribution(root.get("attribution", {})),
            lead_quality=self._lead_quality(root.get("lead_quality", {})),
            eligibility=self._eligibility(root.get("eligibility", {})),
            overrides=self._overrides(root.get("overrides"), rules),
            caps=self._caps(root.get("caps"), known),
            partner_closed=self.choice(
                root.get("partner_closed", model.KEEP), "partner_closed", model.PARTNER_CLOSED
            ),
            attribution_days=days("attribution_days", 90),
            credit_days=days("credit_days", 365),
            protection_days=days("protection_days", 180),
            prior_days=days("prior_days", 0),
            late_grace_days=days("late_grace_days", 30),
            clawback_days=days("clawback_days", 0) if "clawback_days" in windows else None,
        )

    def _unique(self, rows: tuple[T, ...], path: str, name_of: Callable[[T], str]) -> tuple[T, ...]:
        seen: set[str] = set()
        for position, row in enumerate(rows):
            if name_of(row) in seen:
                self.fail(f"{path}[{position}].id", "duplicate", "this id is used twice")
            seen.add(name_of(row))
        return rows

    def _implications(self, value: object) -> dict[str, tuple[str, ...]]:
        if not isinstance(value, Mapping) or len(value) > MAX_RULES:
            self.fail("implies", "wrong_type", "must be an object of milestone: [milestones]")
            return {}
        return {
            self.name(key, f"implies.{key}"): self.names(implied, f"implies.{key}")
            for key, implied in value.items()
        }

    def _lost_retracts(self, value: object) -> frozenset[str] | None:
        return None if value is None else frozenset(self.names(value, "lost_retracts"))

    def _attribution(self, value: object) -> AttributionPolicy:
        row = self.mapping(value, "attribution", {"order", "model", "split", "basis_points"})
        default = AttributionPolicy()
        order = default.order
        if "order" in row:
            order = self.choices(row["order"], "attribution.order", model.EVIDENCE)
        split = self.choice(row.get("split", default.split), "attribution.split", model.SPLITS)
        return AttributionPolicy(
            order=order,
            model=self.choice(row.get("model", default.model), "attribution.model", model.MODELS),
            split=split,
            basis_points=self._parts(row.get("basis_points"), by_role=split == model.BY_ROLE),
        )

    def _parts(self, value: object, *, by_role: bool) -> dict[str, int]:
        """Read which part each role gets; whoever introduces has one."""
        path = "attribution.basis_points"
        if not by_role:
            if value is not None:
                self.fail(path, "not_allowed", "only for split by_role")
            return {}
        if value is None:
            self.fail(path, "required", "must say which part each role gets")
            return {}
        row = self.mapping(value, path, ROLES)
        given = {INTRODUCER: None, **row}
        parts: dict[str, int] = {
            role: self.whole(given[role], f"{path}.{role}", 1, WHOLE_SHARE)
            for role in ROLES
            if role in given
        }
        if sum(parts.values()) != WHOLE_SHARE:
            self.fail(path, "not_the_whole", f"the parts must sum to {WHOLE_SHARE}")
        return parts

    def _lead_quality(self, value: object) -> LeadQuality:
        row = self.mapping(value, "lead_quality", {"grades", "otherwise", "decide"})
        decide = row.get("decide", {})
        if not isinstance(decide, Mapping) or len(decide) > _MAX_ROWS:
            self.fail("lead_quality.decide", "wrong_type", "must be an object of grade: verdict")
            decide = {}
        return LeadQuality(
            grades=self.rows(row.get("grades"), "lead_quality.grades", self._grade, _MAX_ROWS),
            otherwise=self.text(row.get("otherwise"), "lead_quality.otherwise"),
            decide={
                str(grade): self.choice(verdict, f"lead_quality.decide.{grade}", model.VERDICTS)
                for grade, verdict in decide.items()
            },
        )

    def _grade(self, value: object, path: str) -> Grade:
        row = self.mapping(value, path, {"grade", "when"})
        group = self.group(row.get("when"), f"{path}.when")
        return Grade(
            grade=self.text(row.get("grade"), f"{path}.grade", required=True),
            when=group or Group(any_of=False, members=()),
        )

    def _eligibility(self, value: object) -> Eligibility:
        row = self.mapping(value, "eligibility", _ELIGIBILITY)
        sides = row.get("allow_existing")
        allowed: frozenset[str] = frozenset()
        if sides is not None:
            choices = (model.PARTNER, model.LEAD, "both")
            side = self.choice(sides, "eligibility.allow_existing", choices)
            allowed = frozenset({model.PARTNER, model.LEAD} if side == "both" else {side})
        return Eligibility(
            partner_kinds=self.texts(row.get("partner_kinds"), "eligibility.partner_kinds"),
            regions=self.texts(row.get("regions"), "eligibility.regions"),
            allow_existing=allowed,
            required=self._words(row.get("required"), "eligibility.required", DOCUMENTS),
            minimum_engagement=self._engagement(row.get("minimum_engagement", {})),
            blocked=self._words(row.get("blocked"), "eligibility.blocked", CATEGORIES),
            self_referral=self.choice(
                row.get("self_referral", model.REVIEW),
                "eligibility.self_referral",
                model.SELF_REFERRAL,
            ),
        )

    def _words(self, value: object, path: str, allowed: tuple[str, ...]) -> tuple[str, ...]:
        """Read a list of the allowed words, whose order says nothing."""
        found = self.rows(
            value, path, lambda row, where: self.choice(row, where, allowed), _MAX_ROWS
        )
        return tuple(word for word in allowed if word in found)

    def _engagement(self, value: object) -> int:
        path = "eligibility.minimum_engagement"
        row = self.mapping(value, path, {"accepted_referrals"})
        name = "accepted_referrals"
        return self.whole(row.get(name, 0), f"{path}.{name}", 0, model.MAX_ENGAGEMENT)

    def _overrides(self, value: object, rules: tuple[Rule, ...]) -> tuple[Override, ...]:
        known = {rule.rule_id: rule for rule in rules}
        return self.rows(
            value,
            "overrides",
            lambda row, path: self._override(row, path, known),
            model.MAX_OVERRIDES,
        )

    def _override(self, value: object, path: str, known: Mapping[str, Rule]) -> Override:
        row = self.mapping(value, path, {"level", "match", "rule", "percent", "fixed"})
        level = self.choice(row.get("level"), f"{path}.level", model.LEVELS)
        rule_id = self._known(row.get("rule"), f"{path}.rule", known)
        rate = self.rate(row, path)
        if rule_id in known and not known[rule_id].takes(rate):
            message = "must be a rule that such a rate changes: no count, no units"
            self.fail(f"{path}.rule", "not_allowed", message)
        return Override(
            level=level,
            match=self._match(row.get("match"), f"{path}.match", level),
            rule_id=rule_id,
            value=rate,
        )

    def _match(self, value: object, path: str, level: str) -> str:
        """Read whom an override is for; what could never match is a mistake."""
        text = self.text(value, path, required=True)
        if text and level == model.PARTNER and not _PARTNER_ID.fullmatch(text):
            self.fail(path, "not_allowed", "must be the id of a partner")
        if text and level == model.LINK and not is_code(text):
            self.fail(path, "not_allowed", "must be the code of a link, in lower case")
        return text

    def _known(self, value: object, path: str, known: Collection[str]) -> str:
        if not isinstance(value, str) or value not in known:
            self.fail(path, "not_allowed", "must be the id of a rule of these terms")
        return str(value)

    def _caps(self, value: object, known: set[str]) -> tuple[Cap, ...]:
        rows = self.rows(
            value, "caps", lambda row, path: self._cap(row, path, known), model.MAX_CAPS
        )
        return self._unique(rows, "caps", lambda cap: cap.cap_id)

    def _cap(self, value: object, path: str, known: set[str]) -> Cap:
        row = self.mapping(value, path, {"id", "scope", "per", "limit", "policy", "rules"})
        covered = self.names(row["rules"], f"{path}.rules") if "rules" in row else ()
        for position, rule_id in enumerate(covered):
            self._known(rule_id, f"{path}.rules[{position}]", known)
        return Cap(
            cap_id=self.name(row.get("id"), f"{path}.id"),
            scope=self.choice(row.get("scope"), f"{path}.scope", (model.PARTNER, model.PROGRAM)),
            period=self.choice(row.get("per"), f"{path}.per", model.CAP_PERIODS),
            limit_minor=self.amount(row.get("limit"), f"{path}.limit"),
            policy=self.choice(
                row.get("policy", model.CUT), f"{path}.policy", (model.CUT, model.DENY)
            ),
            rules=covered,
        )

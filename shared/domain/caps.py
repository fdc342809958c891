"""Caps of partners and budgets of programmes: what of a reward still fits.

How much fits depends on what others took first, so it is decided once, when an occurrence first
counts, and pinned as a fact. An allowance that was cut only shrinks: room that is freed serves
later first counts of the period, and nobody is topped up. One that was not cut follows a higher
amount as far as there is room.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from shared.domain import facts as kinds
from shared.domain.deal import Reached
from shared.domain.facts import Fact, in_order
from shared.domain.periods import period_key
from shared.domain.terms import CUT, DENY, FACE_VALUE_KINDS, PARTNER, Cap, Rule, Terms
from shared.domain.verdicts import DENIED, NOT_YET, Refusal

Key = tuple[str, str, str, str]
"""Cap, rule, occurrence and holder."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NeededAllowance:
    """An allowance to be pinned, lowered or given back (``wanted_minor`` 0).

    ``holder_id`` owns the counter if ``scope`` is partner. ``pinned`` is the fact that it replaces.
    """

    cap_id: str
    scope: str
    period: str
    limit_minor: int
    policy: str
    rule_id: str
    occurrence: str
    holder_id: str
    wanted_minor: int
    number: int
    pinned: Fact | None = None

    @property
    def was_cut(self) -> bool:
        """Tell whether the allowance was cut before: then it only shrinks."""
        return bool(self.pinned and self.pinned.data.get("cut"))

    def allowed(self, used_minor: int) -> int:
        """Return what fits when ``used_minor`` of the cap is taken, own allowance included."""
        own = int(self.pinned.data["allowed_minor"]) if self.pinned else 0
        if self.wanted_minor <= own:
            return self.wanted_minor
        room = max(self.limit_minor - used_minor + own, 0)
        if self.policy == DENY:
            return self.wanted_minor if self.wanted_minor <= room else own
        return max(min(self.wanted_minor, room), own)


@dataclass(frozen=True, slots=True, kw_only=True)
class Allowed:
    """Parts after caps, and the reason code if one of them was cut or denied."""

    parts: tuple[tuple[str, int], ...]
    code: str = ""


@dataclass(slots=True, kw_only=True)
class Allowances:
    """Applies pinned allowances and collects those that are still to be pinned."""

    terms: Terms
    facts: Iterable[Fact]
    _pinned: dict[Key, Fact] = field(default_factory=dict)
    _numbers: dict[Key, int] = field(default_factory=dict)
    _seen: set[Key] = field(default_factory=set)
    _needs: list[NeededAllowance] = field(default_factory=list)

    def __post_init__(self) -> None:
        for fact in self.facts:
            # What was given back is numbered too: the next allowance must be another fact.
            if "cap" in fact.data:
                key = _key(fact.data)
                number = int(fact.data["number"])
                self._numbers[key] = max(number, self._numbers.get(key, 0))
        for fact in in_order(self.facts):
            if fact.kind == kinds.ALLOWANCE_PINNED:
                self._pinned[_key(fact.data)] = fact

    def apply(
        self,
        rule: Rule,
        occurrence: str,
        reached: Reached,
        parts: tuple[tuple[str, int], ...],
        worth_minor: int,
    ) -> Allowed:
        """Return what of each part fits under every cap that covers the rule.

        Raises:
            Refusal: when an allowance is not pinned yet, or a benefit does not fit whole.
        """
        code = ""
        for cap in sorted(self.terms.caps, key=lambda cap: (cap.scope != PARTNER, cap.cap_id)):
            of_another = cap.scope == PARTNER and rule.beneficiary != PARTNER
            if of_another or not cap.covers(rule.rule_id):
                continue
            kept = []
            for holder_id, part in parts:
                face = rule.kind in FACE_VALUE_KINDS
                wanted = part if face else worth_minor
                fits = self._fits(
                    cap,
                    rule,
                    occurrence=occurrence,
                    reached=reached,
                    holder_id=holder_id,
                    wanted=wanted,
                )
                if fits < wanted:
                    code = "capped_partner" if cap.scope == PARTNER else "capped_budget"
                    if not face:
                        raise Refusal(DENIED, code)
                kept.append((holder_id, min(part, fits) if face else part))
            parts = tuple(kept)
            if code and cap.policy == DENY and not sum(part for _, part in parts):
                raise Refusal(DENIED, code)
        return Allowed(parts=parts, code=code)

    def _fits(
        self,
        cap: Cap,
        rule: Rule,
        *,
        occurrence: str,
        reached: Reached,
        holder_id: str,
        wanted: int,
    ) -> int:
        key = (cap.cap_id, rule.rule_id, occurrence, holder_id)
        pinned = self._pinned.get(key)
        if wanted <= 0:
            return 0
        self._seen.add(key)
        need = NeededAllowance(
            cap_id=cap.cap_id,
            scope=cap.scope,
            period=(
                str(pinned.data["period"])
                if pinned
                else period_key(cap.period, reached.occurred_at, self.terms.time_zone)
            ),
            limit_minor=cap.limit_minor,
            policy=cap.policy,
            rule_id=rule.rule_id,
            occurrence=occurrence,
            holder_id=holder_id,
            wanted_minor=wanted,
            number=self._numbers.get(key, 0) + 1,
            pinned=pinned,
        )
        if pinned is None:
            self._needs.append(need)
            raise Refusal(NOT_YET, "allowance_not_pinned")
        allowed = int(pinned.data["allowed_minor"])
        if allowed > wanted or (allowed < wanted and not pinned.data.get("cut")):
            self._needs.append(need)
        return min(allowed, wanted)

    def needs(self) -> tuple[NeededAllowance, ...]:
        """Return what must be pinned, lowered, or given back because nothing counts any more."""
        gone = [
            self._given_back(key, fact)
            for key, fact in sorted(self._pinned.items())
            if key not in self._seen
        ]
        return (*self._needs, *gone)

    def _given_back(self, key: Key, fact: Fact) -> NeededAllowance:
        cap_id, rule_id, occurrence, holder_id = key
        return NeededAllowance(
            cap_id=cap_id,
            scope=str(fact.data["scope"]),
            period=str(fact.data["period"]),
            limit_minor=0,
            policy=CUT,
            rule_id=rule_id,
            occurrence=occurrence,
            holder_id=holder_id,
            wanted_minor=0,
            number=self._numbers[key] + 1,
            pinned=fact,
        )


def _key(data: Mapping[str, Any]) -> Key:
    return (
        str(data["cap"]),
        str(data["rule_id"]),
        str(data["occurrence"]),
        str(data["holder_id"]),
    )

"""Caps of partners and budgets of programmes: what of a reward still fits.

How much fits depends on what others took first, so it is decided once, when an occurrence first
counts, and pinned: as a fact of the referral, or on the reward in a partner's file. An allowance
that was cut only shrinks: room that is freed serves later first counts of the period, and nobody
is topped up. One that was not cut follows a higher amount as far as there is room.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from shared.domain import facts as kinds
from shared.domain.deal import Reached
from shared.domain.entitlements import Allowance
from shared.domain.facts import Fact, in_order
from shared.domain.periods import period_key
from shared.domain.terms import CUT, DENY, FACE_VALUE_KINDS, PARTNER, Cap, Rule, Terms
from shared.domain.verdicts import DENIED, NOT_YET, Refusal

Key = tuple[str, str, str, str]
"""Cap, rule, occurrence and holder."""

Parts = tuple[tuple[str, int], ...]
"""Holders and their amounts."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NeededAllowance:
    """An allowance to be pinned, lowered or given back (``wanted_minor`` 0).

    ``holder_id`` owns the counter if ``scope`` is partner. ``pinned`` is what was allowed before,
    and ``replaces`` the fact that says so. ``whole`` is for what can't be given in part.
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
    whole: bool = False
    number: int = 1
    pinned: Allowance | None = None
    replaces: str | None = None

    @property
    def own_minor(self) -> int:
        """Return what of the cap is this occurrence's already."""
        return self.pinned.allowed_minor if self.pinned else 0

    def allowed(self, used_minor: int) -> int:
        """Return what fits when ``used_minor`` of the cap is taken, own allowance included."""
        own = self.own_minor
        if self.wanted_minor <= own:
            return self.wanted_minor
        room = self.limit_minor - used_minor + own
        if self.wanted_minor <= room:
            return self.wanted_minor
        if self.whole:
            return 0
        return own if self.policy == DENY else max(room, own)

    def answered(self, allowed_minor: int) -> Allowance:
        """Return the allowance as it is when so much was allowed."""
        was_cut = bool(self.pinned and self.pinned.cut)
        return Allowance(
            cap_id=self.cap_id,
            scope=self.scope,
            period=self.period,
            allowed_minor=allowed_minor,
            cut=was_cut or allowed_minor < self.wanted_minor,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Allowed:
    """Parts after caps, and the reason code if one of them was cut or denied."""

    parts: Parts
    code: str = ""


def under_caps(
    terms: Terms,
    rule: Rule,
    parts: Parts,
    worth_minor: int,
    fits: Callable[[Cap, str, int], int],
) -> Allowed:
    """Return what of each part fits under every cap that covers the rule, partners' caps first.

    ``fits`` takes a cap, a holder and what is wanted, and returns what of it fits.

    Raises:
        Refusal: when a benefit does not fit whole, or a cap that denies leaves nothing.
    """
    code = ""
    face = rule.kind in FACE_VALUE_KINDS
    for cap in sorted(terms.caps, key=lambda cap: (cap.scope != PARTNER, cap.cap_id)):
        of_another = cap.scope == PARTNER and rule.beneficiary != PARTNER
        if of_another or not cap.covers(rule.rule_id):
            continue
        kept = []
        for holder_id, part in parts:
            wanted = part if face else worth_minor
            left = fits(cap, holder_id, wanted) if wanted > 0 else wanted
            if left < wanted:
                code = "capped_partner" if cap.scope == PARTNER else "capped_budget"
                if not face:
                    raise Refusal(DENIED, code)
            kept.append((holder_id, min(part, left) if face else part))
        parts = tuple(kept)
        if code and cap.policy == DENY and not sum(part for _, part in parts):
            raise Refusal(DENIED, code)
    return Allowed(parts=parts, code=code)


def _is_asked(pinned: Allowance | None, wanted_minor: int) -> bool:
    """Tell whether what is pinned does not answer what is wanted now."""
    if pinned is None or pinned.allowed_minor > wanted_minor:
        return True
    return pinned.allowed_minor < wanted_minor and not pinned.cut


# -- in a partner's file: pinned on the reward, in the transaction that posts it -------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Room:
    """What of a reward fits, the reason code if not all of it, and what it takes of caps."""

    amount_minor: int
    allowances: tuple[Allowance, ...]
    code: str = ""
    denied: bool = False


@dataclass(slots=True, kw_only=True)
class Claimant:
    """One occurrence in a partner's file that shares caps with everything else.

    ``kept`` are its allowances so far, ``at`` dates those that it asks for now. ``ask`` takes what
    is needed of one cap and returns how much was allowed.
    """

    terms: Terms
    occurrence: str
    holder_id: str
    at: datetime
    kept: tuple[Allowance, ...]
    ask: Callable[[NeededAllowance], int]

    def take(self, rule: Rule, amount_minor: int, worth_minor: int) -> Room:
        """Return what fits; what is kept and not needed any more is given back."""
        taken: list[Allowance] = []
        known = {(allowance.cap_id, allowance.scope): allowance for allowance in self.kept}

        def fits(cap: Cap, _holder_id: str, wanted: int) -> int:
            pinned = known.pop((cap.cap_id, cap.scope), None)
            if pinned is None or _is_asked(pinned, wanted):
                need = self._need(cap, rule, pinned, wanted)
                pinned = need.answered(self.ask(need))
            taken.append(pinned)
            return pinned.allowed_minor

        parts: Parts = ((self.holder_id, amount_minor),)
        try:
            found = under_caps(self.terms, rule, parts, worth_minor, fits)
        except Refusal as refusal:
            found, denied = Allowed(parts=((self.holder_id, 0),), code=refusal.code), True
        else:
            denied = False
        self._give_back(rule.rule_id, known.values())
        ((_, left),) = found.parts
        return Room(
            amount_minor=left,
            allowances=tuple(taken),
            code=found.code,
            denied=denied,
        )

    def leave(self, rule_id: str) -> None:
        """Give back everything: nothing counts any more."""
        self._give_back(rule_id, self.kept)

    def _need(self, cap: Cap, rule: Rule, pinned: Allowance | None, wanted: int) -> NeededAllowance:
        period = period_key(cap.period, self.at, self.terms.time_zone)
        return NeededAllowance(
            cap_id=cap.cap_id,
            scope=cap.scope,
            period=pinned.period if pinned else period,
            limit_minor=cap.limit_minor,
            policy=cap.policy,
            rule_id=rule.rule_id,
            occurrence=self.occurrence,
            holder_id=self.holder_id,
            wanted_minor=wanted,
            whole=rule.kind not in FACE_VALUE_KINDS,
            pinned=pinned,
        )

    def _give_back(self, rule_id: str, allowances: Iterable[Allowance]) -> None:
        for pinned in allowances:
            if pinned.allowed_minor:
                self.ask(_returned(pinned, (rule_id, self.occurrence, self.holder_id)))


def _returned(pinned: Allowance, identity: tuple[str, str, str]) -> NeededAllowance:
    rule_id, occurrence, holder_id = identity
    return NeededAllowance(
        cap_id=pinned.cap_id,
        scope=pinned.scope,
        period=pinned.period,
        limit_minor=0,
        policy=CUT,
        rule_id=rule_id,
        occurrence=occurrence,
        holder_id=holder_id,
        wanted_minor=0,
        pinned=pinned,
    )


# -- of a referral: pinned as facts ---------------------------------------------------------------


@dataclass(slots=True, kw_only=True)
class Allowances:
    """Applies pinned allowances and collects those that are still to be pinned."""

    terms: Terms
    facts: Iterable[Fact]
    _pinned: dict[Key, tuple[str, Allowance]] = field(default_factory=dict)
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
                self._pinned[_key(fact.data)] = fact.fact_id, _allowance(fact.data)

    def apply(
        self, rule: Rule, occurrence: str, reached: Reached, parts: Parts, worth_minor: int
    ) -> Allowed:
        """Return what of each part fits under every cap that covers the rule.

        Raises:
            Refusal: when an allowance is not pinned yet, or a benefit does not fit whole.
        """

        def fits(cap: Cap, holder_id: str, wanted: int) -> int:
            key = (cap.cap_id, rule.rule_id, occurrence, holder_id)
            return self._fits(key, cap, rule, reached, wanted)

        return under_caps(self.terms, rule, parts, worth_minor, fits)

    def _fits(self, key: Key, cap: Cap, rule: Rule, reached: Reached, wanted: int) -> int:
        _, rule_id, occurrence, holder_id = key
        replaces, pinned = self._pinned.get(key, (None, None))
        self._seen.add(key)
        period = period_key(cap.period, reached.occurred_at, self.terms.time_zone)
        need = NeededAllowance(
            cap_id=cap.cap_id,
            scope=cap.scope,
            period=pinned.period if pinned else period,
            limit_minor=cap.limit_minor,
            policy=cap.policy,
            rule_id=rule_id,
            occurrence=occurrence,
            holder_id=holder_id,
            wanted_minor=wanted,
            whole=rule.kind not in FACE_VALUE_KINDS,
            number=self._numbers.get(key, 0) + 1,
            pinned=pinned,
            replaces=replaces,
        )
        if _is_asked(pinned, wanted):
            self._needs.append(need)
        if pinned is None:
            raise Refusal(NOT_YET, "allowance_not_pinned")
        return min(pinned.allowed_minor, wanted)

    def needs(self) -> tuple[NeededAllowance, ...]:
        """Return what must be pinned, lowered, or given back because nothing counts any more."""
        gone = []
        for key, (replaces, pinned) in sorted(self._pinned.items()):
            if key not in self._seen:
                returned = _returned(pinned, key[1:])
                number = self._numbers[key] + 1
                gone.append(replace(returned, number=number, replaces=replaces))
        return (*self._needs, *gone)


def _key(data: Mapping[str, Any]) -> Key:
    return (
        str(data["cap"]),
        str(data["rule_id"]),
        str(data["occurrence"]),
        str(data["holder_id"]),
    )


def _allowance(data: Mapping[str, Any]) -> Allowance:
    return Allowance(
        cap_id=str(data["cap"]),
        scope=str(data["scope"]),
        period=str(data["period"]),
        allowed_minor=int(data["allowed_minor"]),
        cut=bool(data.get("cut")),
    )

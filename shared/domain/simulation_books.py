"""The books of a simulation: what is given and what was paid, counted up in the order of time.

Caps are asked as the engine asks them; a bonus or true-up takes room as it grows.
"""

from collections import defaultdict
from dataclasses import dataclass, field
from datetime import datetime
from operator import itemgetter

from shared.domain.caps import Claimant, NeededAllowance, Parts, Room, under_caps
from shared.domain.entitlements import Entitlement
from shared.domain.partner_rules import Occasion, counts_at, entitlement
from shared.domain.periods import period_key
from shared.domain.simulation import Claim, Paid
from shared.domain.terms import FACE_VALUE_KINDS, MONTH, PARTNER, Cap, Rule, Terms
from shared.domain.verdicts import Refusal


@dataclass(slots=True)
class Cut:
    """What a limit took away in a period."""

    minor: int = 0
    rewards: int = 0
    holders: set[str] = field(default_factory=set)


@dataclass(slots=True)
class _Bonus:
    """What a partner has of one bonus or true-up so far, dated by when it was first given."""

    at: datetime
    entitlement: Entitlement
    room: Room


class Books:
    """What is counted up while a merge goes through time, by rule and month and by partner.

    A line of ``cost`` is what is given, what was paid, benefits and their worth; one of
    ``partners`` what is given and what was paid. ``cuts`` are by cap, scope and period.
    """

    def __init__(self, terms: Terms, since: datetime, until: datetime) -> None:
        """Begin with nothing given; only what falls between the two moments is counted."""
        self._terms = terms
        self._since, self._until = since, until
        self.cost: dict[tuple[str, str], list[int]] = defaultdict(lambda: [0, 0, 0, 0])
        self.partners: dict[str, list[int]] = defaultdict(lambda: [0, 0])
        self.cuts: dict[tuple[str, str, str], Cut] = defaultdict(Cut)
        self._used: dict[tuple[str, str, str], int] = defaultdict(int)
        self._bonuses: dict[tuple[str, str, str], _Bonus] = {}

    def _counts(self, at: datetime) -> bool:
        return self._since <= at < self._until

    def _month(self, at: datetime) -> str:
        return period_key(MONTH, at, self._terms.time_zone)

    def take_in(self, paid: Paid) -> None:
        """Count what was paid, if it is in the period."""
        if not self._counts(paid.at):
            return
        self.cost[paid.rule_id, self._month(paid.at)][1] += paid.net_minor
        if paid.role == PARTNER:
            self.partners[paid.holder_id][1] += paid.net_minor

    def claim(self, claim: Claim, parts: Parts) -> None:
        """Give what of a referral's reward fits under the caps."""
        rule = self._terms.rule(claim.rule_id)
        if rule is None:
            return

        def fits(cap: Cap, holder_id: str, wanted: int) -> int:
            need = NeededAllowance(
                cap_id=cap.cap_id,
                scope=cap.scope,
                period=period_key(cap.period, claim.at, self._terms.time_zone),
                limit_minor=cap.limit_minor,
                policy=cap.policy,
                rule_id=claim.rule_id,
                occurrence=claim.occurrence,
                holder_id=holder_id,
                wanted_minor=wanted,
                whole=rule.kind not in FACE_VALUE_KINDS,
            )
            return self._taken(need, claim.at)

        try:
            allowed = under_caps(self._terms, rule, parts, claim.worth_minor, fits)
        except Refusal:
            return
        self._give(claim.at, rule, allowed.parts, claim.worth_minor)

    def bonus(self, occasion: Occasion, partner_id: str, at: datetime) -> None:
        """Bring a bonus or true-up to what is wanted now, as far as it fits under the caps."""
        place = partner_id, occasion.rule.rule_id, occasion.occurrence
        known = self._bonuses.get(place)
        claimant = Claimant(
            terms=self._terms,
            occurrence=occasion.occurrence,
            holder_id=partner_id,
            at=counts_at(self._terms, occasion.occurrence, at),
            kept=known.room.allowances if known else (),
            ask=lambda need: self._taken(need, known.at if known else at),
        )
        if not occasion.is_wanted:
            claimant.leave(occasion.rule.rule_id)
            self._bonuses.pop(place, None)
            return
        given = entitlement(self._terms, occasion, partner_id, now=known.at if known else at)
        room = claimant.take(occasion.rule, given.amount_minor, given.worth_minor)
        self._bonuses[place] = _Bonus(at=given.effective_at, entitlement=given, room=room)

    def give_bonuses(self) -> None:
        """Count all bonuses and true-ups, once they are what they are in the end."""
        for (partner_id, rule_id, _), each in sorted(self._bonuses.items(), key=itemgetter(0)):
            rule = self._terms.rule(rule_id)
            if rule and not each.room.denied:
                parts = ((partner_id, each.room.amount_minor),)
                self._give(each.at, rule, parts, each.entitlement.worth_minor)

    def _give(self, at: datetime, rule: Rule, parts: Parts, worth_minor: int) -> None:
        if not self._counts(at):
            return
        line = self.cost[rule.rule_id, self._month(at)]
        for holder_id, part in parts:
            if rule.kind not in FACE_VALUE_KINDS:
                line[2] += 1
                line[3] += worth_minor
                continue
            line[0] += part
            if rule.beneficiary == PARTNER:
                self.partners[holder_id][0] += part

    def _taken(self, need: NeededAllowance, at: datetime) -> int:
        """Return what of a cap is allowed, and take it."""
        place = need.cap_id, need.period, need.holder_id if need.scope == PARTNER else ""
        allowed = need.allowed(self._used[place])
        self._used[place] += allowed - need.own_minor
        if allowed < need.wanted_minor and self._counts(at):
            cut = self.cuts[need.cap_id, need.scope, need.period]
            cut.minor += need.wanted_minor - allowed
            cut.rewards += 1
            cut.holders.add(need.holder_id)
        return allowed

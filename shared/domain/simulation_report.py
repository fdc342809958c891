"""Bring what was found of single referrals together: the cost of terms, and for whom.

Positions, counts, caps and budgets are given in the order in which things happened. Amounts are
in minor units of the ledger currency; rewards without a face value count with their worth, apart.
"""

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from operator import itemgetter
from typing import Final

from shared.domain.caps import NeededAllowance
from shared.domain.contributions import success_key
from shared.domain.partner_rules import evaluate_partner, has_partner_rules
from shared.domain.periods import period_key
from shared.domain.simulation import Claim, Found, Paid
from shared.domain.terms import FACE_VALUE_KINDS, MONTH, PARTNER, Cap, Terms

MAX_PARTNERS: Final = 20
"""Winners, and losers, that a report names."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CostLine:
    """What a rule costs in a month. ``rewards`` and ``worth_minor`` are of benefits."""

    rule_id: str
    month: str
    simulated_minor: int
    paid_minor: int
    benefits: int
    worth_minor: int


@dataclass(frozen=True, slots=True, kw_only=True)
class PartnerLine:
    """What a partner would have got, and got."""

    partner_id: str
    simulated_minor: int
    paid_minor: int


@dataclass(frozen=True, slots=True, kw_only=True)
class CapLine:
    """What a limit took away in a period: in all, and from how many rewards and holders."""

    cap_id: str
    scope: str
    period: str
    cut_minor: int
    rewards: int
    holders: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What a simulation found. ``winners`` and ``losers`` are those with the most at stake."""

    referrals: int
    partners: int
    simulated_minor: int
    paid_minor: int
    worth_minor: int
    cost: tuple[CostLine, ...]
    winning: int
    losing: int
    winners: tuple[PartnerLine, ...]
    losers: tuple[PartnerLine, ...]
    caps: tuple[CapLine, ...]


@dataclass(slots=True)
class _Sums:
    """Running sums of partners, and when each rose."""

    by_key: dict[tuple[str, str], int] = field(default_factory=lambda: defaultdict(int))
    rises: dict[tuple[str, str], list[datetime]] = field(default_factory=lambda: defaultdict(list))
    positions: dict[tuple[str, str], int] = field(default_factory=dict)


@dataclass(slots=True)
class _Cut:
    minor: int = 0
    rewards: int = 0
    holders: set[str] = field(default_factory=set)


class _Books:
    """What is counted up while the merge goes through time."""

    def __init__(self, terms: Terms, since: datetime, until: datetime) -> None:
        self._terms = terms
        self._since, self._until = since, until
        self.cost: dict[tuple[str, str], list[int]] = defaultdict(lambda: [0, 0, 0, 0])
        self.partners: dict[str, list[int]] = defaultdict(lambda: [0, 0])
        self.used: dict[tuple[str, str, str], int] = defaultdict(int)
        self.cuts: dict[tuple[str, str, str], _Cut] = defaultdict(_Cut)
        caps = sorted(terms.caps, key=lambda cap: (cap.scope != PARTNER, cap.cap_id))
        self._caps = tuple(caps)

    def counts(self, at: datetime) -> bool:
        """Tell whether a moment is in the period that is asked about."""
        return self._since <= at < self._until

    def month(self, at: datetime) -> str:
        """Name the month of a moment."""
        return period_key(MONTH, at, self._terms.time_zone)

    def give(self, claim: Claim, parts: Iterable[tuple[str, int]]) -> None:
        """Count what is given, if it is in the period."""
        if not self.counts(claim.at):
            return
        has_face_value = claim.kind in FACE_VALUE_KINDS
        line = self.cost[claim.rule_id, self.month(claim.at)]
        for holder_id, part in parts:
            if has_face_value:
                line[0] += part
                if claim.role == PARTNER:
                    self.partners[holder_id][0] += part
            else:
                line[2] += 1
                line[3] += claim.worth_minor

    def take_in(self, paid: Paid) -> None:
        """Count what was paid, if it is in the period."""
        if not self.counts(paid.at):
            return
        self.cost[paid.rule_id, self.month(paid.at)][1] += paid.net_minor
        if paid.role == PARTNER:
            self.partners[paid.holder_id][1] += paid.net_minor

    def limited(self, claim: Claim, parts: list[tuple[str, int]]) -> list[tuple[str, int]]:
        """Return what of the parts fits under all caps, as the evaluation would pin it."""
        has_face_value = claim.kind in FACE_VALUE_KINDS
        for cap in self._caps:
            of_another = cap.scope == PARTNER and claim.role != PARTNER
            if of_another or not cap.covers(claim.rule_id):
                continue
            kept = []
            for holder_id, part in parts:
                wanted = part if has_face_value else claim.worth_minor
                fits = self._fits(cap, claim, holder_id, wanted)
                if fits < wanted and not has_face_value:
                    return []
                kept.append((holder_id, fits if has_face_value else part))
            parts = kept
        return parts

    def _fits(self, cap: Cap, claim: Claim, holder_id: str, wanted: int) -> int:
        if wanted <= 0:
            return 0
        period = period_key(cap.period, claim.at, self._terms.time_zone)
        owner = holder_id if cap.scope == PARTNER else ""
        need = NeededAllowance(
            cap_id=cap.cap_id,
            scope=cap.scope,
            period=period,
            limit_minor=cap.limit_minor,
            policy=cap.policy,
            rule_id=claim.rule_id,
            occurrence=claim.occurrence,
            holder_id=holder_id,
            wanted_minor=wanted,
            number=1,
        )
        fits = need.allowed(self.used[cap.cap_id, period, owner])
        self.used[cap.cap_id, period, owner] += fits
        if fits < wanted and self.counts(claim.at):
            cut = self.cuts[cap.cap_id, cap.scope, period]
            cut.minor += wanted - fits
            cut.rewards += 1
            cut.holders.add(holder_id)
        return fits


def merge(
    terms: Terms,
    founds: Iterable[Found],
    paid_to_partners: Iterable[Paid],
    *,
    since: datetime,
    until: datetime,
) -> Report:
    """Return what ``terms`` cost from ``since`` until before ``until``, against what was paid.

    All of history decides positions and room; ``paid_to_partners`` are the rewards for
    successes, which belong to no referral.
    """
    known = tuple(founds)
    sums = _add_up(known)
    books = _Books(terms, since, until)
    for claim, parts in _in_time(known, sums):
        books.give(claim, books.limited(claim, parts))
    if has_partner_rules(terms):
        for claim, parts in _for_successes(terms, sums, until):
            books.give(claim, parts)
    for found in known:
        for paid in found.paid:
            books.take_in(paid)
    for paid in paid_to_partners:
        books.take_in(paid)
    introducers = {found.partner_id for found in known if found.partner_id}
    return _report(books, referrals=len(known), partners=len(introducers))


def _add_up(founds: Iterable[Found]) -> _Sums:
    sums = _Sums()
    events = [
        (counted.at, found.referral_id, counted.key, counted.addition, found.partner_id)
        for found in founds
        for counted in found.counted
    ]
    events.sort()
    for at, referral_id, key, addition, partner_id in events:
        sums.by_key[partner_id, key] += addition
        sums.positions[referral_id, key] = sums.by_key[partner_id, key]
        if addition:
            sums.rises[partner_id, key].append(at)
    return sums


def _in_time(founds: Iterable[Found], sums: _Sums) -> Iterable[tuple[Claim, list[tuple[str, int]]]]:
    claims = [
        (claim.at, found.referral_id, place, claim)
        for found in founds
        for place, claim in enumerate(found.claims)
    ]
    claims.sort(key=itemgetter(0, 1, 2))
    for _, referral_id, _, claim in claims:
        position = sums.positions.get((referral_id, claim.tier_key), 0)
        yield claim, [(holder_id, _at(variants, position)) for holder_id, variants in claim.parts]


def _at(variants: tuple[tuple[int, int], ...], position: int) -> int:
    """Return the amount of the highest step that a position has reached."""
    place = bisect_right(variants, position, key=itemgetter(0))
    return variants[place - 1][1] if place else 0


def _for_successes(
    terms: Terms, sums: _Sums, until: datetime
) -> Iterable[tuple[Claim, list[tuple[str, int]]]]:
    by_partner: dict[str, dict[str, int]] = defaultdict(dict)
    for (partner_id, key), amount in sums.by_key.items():
        by_partner[partner_id][key] = amount
    milestones = {rule.rule_id: rule.milestone for rule in terms.rules}
    for partner_id, own in sorted(by_partner.items()):
        for granted in evaluate_partner(terms, own, partner_id, now=until).entitlements:
            kind, _, name = granted.occurrence.partition(":")
            key = f"base:{granted.rule_id}:{name}"
            if kind == "count":
                key = success_key(milestones[granted.rule_id])
            rises = sums.rises[partner_id, key]
            claim = Claim(
                # A count is reached with its last success; a true-up grows until the last one.
                at=rises[int(name) - 1] if kind == "count" else rises[-1],
                rule_id=granted.rule_id,
                occurrence=granted.occurrence,
                role=granted.role,
                kind=granted.kind,
                tier_key="",
                worth_minor=granted.worth_minor,
                parts=(),
            )
            yield claim, [(partner_id, granted.amount_minor)]


def _report(books: _Books, *, referrals: int, partners: int) -> Report:
    lines = tuple(
        CostLine(
            rule_id=rule_id,
            month=month,
            simulated_minor=figures[0],
            paid_minor=figures[1],
            benefits=figures[2],
            worth_minor=figures[3],
        )
        for (rule_id, month), figures in sorted(books.cost.items())
    )
    ranked = _ranked(books.partners)
    winners = [line for line in ranked if line.simulated_minor > line.paid_minor]
    losers = [line for line in ranked if line.simulated_minor < line.paid_minor]
    return Report(
        referrals=referrals,
        partners=partners,
        simulated_minor=sum(line.simulated_minor for line in lines),
        paid_minor=sum(line.paid_minor for line in lines),
        worth_minor=sum(line.worth_minor for line in lines),
        cost=lines,
        winning=len(winners),
        losing=len(losers),
        winners=tuple(winners[:MAX_PARTNERS]),
        losers=tuple(losers[:MAX_PARTNERS]),
        caps=tuple(
            CapLine(
                cap_id=cap_id,
                scope=scope,
                period=period,
                cut_minor=cut.minor,
                rewards=cut.rewards,
                holders=len(cut.holders),
            )
            for (cap_id, scope, period), cut in sorted(books.cuts.items())
        ),
    )


def _ranked(partners: Mapping[str, list[int]]) -> list[PartnerLine]:
    lines = [
        PartnerLine(partner_id=partner_id, simulated_minor=simulated, paid_minor=paid)
        for partner_id, (simulated, paid) in partners.items()
    ]
    return sorted(
        lines,
        key=lambda line: (-abs(line.simulated_minor - line.paid_minor), line.partner_id),
    )

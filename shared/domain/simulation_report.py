"""Bring what was found of single referrals together: the cost of terms, and for whom.

Positions, counts, caps and budgets are given in the order in which things happened. Amounts are
in minor units of the ledger currency; rewards without a face value count with their worth, apart.
"""

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import groupby
from math import inf
from operator import itemgetter
from typing import Final

from shared.domain.caps import Parts
from shared.domain.eligibility import ENGAGEMENT
from shared.domain.partner_rules import has_partner_rules, occasions
from shared.domain.simulation import Claim, Counted, Found, Paid
from shared.domain.simulation_books import Books
from shared.domain.terms import LEAD, Terms

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
    """What a simulation found. ``winners`` and ``losers`` are those with the most at stake.

    ``affected`` are all of both, the most at stake first.
    """

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
    affected: tuple[PartnerLine, ...]
    caps: tuple[CapLine, ...]


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
    known = _engaged(terms, tuple(founds))
    books = Books(terms, since, until)
    _go_through_time(terms, known, books)
    books.give_bonuses()
    for found in known:
        for paid in found.paid:
            books.take_in(paid)
    for paid in paid_to_partners:
        books.take_in(paid)
    introducers = {found.partner_id for found in known if found.partner_id}
    return _report(books, referrals=len(known), partners=len(introducers))


def _engaged(terms: Terms, founds: Sequence[Found]) -> Sequence[Found]:
    """Return what was found without what partners may not earn yet: only the lead earns of it."""
    needed = terms.eligibility.minimum_engagement
    if not needed:
        return founds
    counted = [
        replace(found, counted=tuple(each for each in found.counted if each.key == ENGAGEMENT))
        for found in founds
    ]
    places = _positions(counted)
    return [
        found
        if places.get((found.referral_id, ENGAGEMENT), 0) > needed
        else replace(
            found, counted=(), claims=tuple(each for each in found.claims if each.role == LEAD)
        )
        for found in founds
    ]


def _go_through_time(terms: Terms, founds: Sequence[Found], books: Books) -> None:
    """Give rewards and bonuses in the order in which they were earned.

    What a referral adds to its partner's sums counts for bonuses after its own rewards, as the
    books are written.
    """
    positions = _positions(founds)
    # The place says which claim of a referral it is; what is counted comes after all claims.
    events: list[tuple[datetime, str, float, Claim | Counted, str]] = [
        (claim.at, found.referral_id, place, claim, found.partner_id)
        for found in founds
        for place, claim in enumerate(found.claims)
    ]
    with_bonuses = has_partner_rules(terms)
    if with_bonuses:
        events += [
            (counted.at, found.referral_id, inf, counted, found.partner_id)
            for found in founds
            for counted in found.counted
        ]
    events.sort(key=itemgetter(0, 1, 2))
    successes = _Successes(terms, books)
    for (at, referral_id, place), group in groupby(events, key=itemgetter(0, 1, 2)):
        partner_id = ""
        for _, _, _, event, partner_id in group:
            if isinstance(event, Claim):
                position = positions.get((referral_id, event.tier_key), 0)
                books.claim(event, _parts_at(event, position))
            else:
                successes.add(partner_id, event)
        if place == inf:
            successes.settle(partner_id, at)


class _Successes:
    """Partners' sums as they rise, and the bonuses that hang on them."""

    def __init__(self, terms: Terms, books: Books) -> None:
        self._terms = terms
        self._books = books
        self._sums: dict[str, dict[str, int]] = defaultdict(lambda: defaultdict(int))
        self._seen: dict[str, dict[str, tuple[int, ...]]] = defaultdict(dict)

    def add(self, partner_id: str, counted: Counted) -> None:
        """Count what a referral adds."""
        self._sums[partner_id][counted.key] += counted.addition

    def settle(self, partner_id: str, at: datetime) -> None:
        """Bring the partner's bonuses to what the sums say now."""
        seen = self._seen[partner_id]
        for occasion in tuple(occasions(self._terms, self._sums[partner_id], seen)):
            seen[occasion.key] = occasion.seen
            if occasion.occurrence:
                self._books.bonus(occasion, partner_id, at)


def _positions(founds: Iterable[Found]) -> dict[tuple[str, str], int]:
    """Return the position of each referral in each sum, by the order of what was counted."""
    events = [
        (counted.at, found.referral_id, counted.key, counted.addition, found.partner_id)
        for found in founds
        for counted in found.counted
    ]
    events.sort()
    sums: dict[tuple[str, str], int] = defaultdict(int)
    positions: dict[tuple[str, str], int] = {}
    for _, referral_id, key, addition, partner_id in events:
        sums[partner_id, key] += addition
        positions[referral_id, key] = sums[partner_id, key]
    return positions


def _parts_at(claim: Claim, position: int) -> Parts:
    return tuple((holder_id, _at(variants, position)) for holder_id, variants in claim.parts)


def _at(variants: tuple[tuple[int, int], ...], position: int) -> int:
    """Return the amount of the highest step that a position has reached."""
    place = bisect_right(variants, position, key=itemgetter(0))
    return variants[place - 1][1] if place else 0


def _report(books: Books, *, referrals: int, partners: int) -> Report:
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
        affected=tuple(line for line in ranked if line.simulated_minor != line.paid_minor),
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

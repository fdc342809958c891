"""Simulate terms over stored history: what would they have cost, and who would have got it?

Two steps. ``collect`` looks at one referral by itself and can run anywhere, in any order. ``merge``
brings together what depends on others: positions in tiers, counts, caps and budgets, all in the
order in which things happened. Nothing is written, and nothing that was pinned under other terms
is used but exchange rates.

History is judged as it is known today: a deal that was won and lost again never counted.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import TYPE_CHECKING, Any, Final, TypeVar

from shared.domain import facts as kinds
from shared.domain.adjustments import is_adjustment
from shared.domain.aggregate import Aggregate
from shared.domain.eligibility import ENGAGEMENT
from shared.domain.evaluation import Evaluation, evaluate
from shared.domain.facts import Fact
from shared.domain.periods import period_key
from shared.domain.pinning import repin
from shared.domain.rewards import Reward
from shared.domain.terms import FACE_VALUE_KINDS, FORFEIT, PROSPECTIVE, Terms, Tier

if TYPE_CHECKING:
    from shared.domain.entitlements import Entitlement

T = TypeVar("T")

MAX_RATES: Final = 50
"""Rates of one referral that are looked up; what needs more is simulated without them."""

FindRate = Callable[[str, date], tuple[str, str] | None]
"""Takes a currency and a day; returns (rate, its date), if the programme has one."""

Variant = tuple[int, int]
"""From this position in the tier on, this amount."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """What a rule gives for one occurrence before anything that others share is applied.

    ``parts`` are (holder, variants), in the order that settles remainders; a rule without a
    prospective tier has the one variant from 0 on. ``tier_key`` names the sum that decides.
    """

    at: datetime
    rule_id: str
    occurrence: str
    role: str
    kind: str
    tier_key: str
    worth_minor: int
    parts: tuple[tuple[str, tuple[Variant, ...]], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Counted:
    """What the referral adds to one sum of its introducer, and when it began to."""

    at: datetime
    key: str
    addition: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Paid:
    """What stands in the books for one reward: the net of all stages."""

    at: datetime
    rule_id: str
    role: str
    holder_id: str
    net_minor: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """One referral under the simulated terms, and what was paid for it."""

    referral_id: str
    partner_id: str
    claims: tuple[Claim, ...] = ()
    counted: tuple[Counted, ...] = ()
    paid: tuple[Paid, ...] = ()


def collect(terms: Terms, aggregate: Aggregate, find_rate: FindRate) -> Found:
    """Return what ``terms`` give for one referral, and what it was paid."""
    # Limits that others share are applied by the merge.
    alone = replace(terms, caps=())
    facts = with_terms(alone, aggregate.facts, version=0)
    needed = terms.eligibility.minimum_engagement
    if needed:
        # Whether the partner had brought enough by then is seen by the merge.
        facts = (*facts, _position(aggregate, ENGAGEMENT, needed + 1))
    facts, first = _with_rates(alone, facts, aggregate, find_rate)
    keys = _tier_keys(alone, first)
    runs: list[tuple[Mapping[str, int], Evaluation]] = [({}, first)]
    if first.positions:
        starts = _starts(alone, keys)
        runs = []
        for number in range(max(len(starts[key]) for key in first.positions)):
            at = {key: _nth(starts[key], number) for key in first.positions}
            pins = [_position(aggregate, key, start) for key, start in at.items()]
            runs.append((at, evaluate(alone, (*facts, *pins), aggregate.parties)))
    counted = _counted(first, terms)
    missing = first.positions - {each.key for each in counted}
    # A deal that was refunded whole adds nothing, and yet its place may decide what it keeps.
    places = [
        Counted(at=first.deal.milestones[key.split(":")[1]].occurred_at, key=key, addition=0)
        for key in sorted(missing)
    ]
    return Found(
        referral_id=aggregate.referral.referral_id,
        partner_id=first.introducer,
        claims=_claims(keys, runs),
        counted=(*counted, *places),
        paid=paid_for(aggregate.rewards),
    )


def paid_for(rewards: Iterable[Reward]) -> tuple[Paid, ...]:
    """Return what rules gave of money, and what of it still stands."""
    return tuple(
        Paid(
            at=reward.effective_at,
            rule_id=reward.rule_id,
            role=reward.role,
            holder_id=reward.holder_id,
            net_minor=reward.net_minor,
        )
        for reward in rewards
        if reward.kind in FACE_VALUE_KINDS and reward.net_minor and not is_adjustment(reward)
    )


def with_terms(terms: Terms, facts: Iterable[Fact], *, version: int) -> tuple[Fact, ...]:
    """Return the facts as they were if these terms had been pinned from the start."""
    kept = []
    for fact in facts:
        if fact.kind == kinds.STANDING_PINNED or "cap" in fact.data:
            continue
        if fact.kind == kinds.FORFEITED and terms.partner_closed != FORFEIT:
            continue
        if fact.kind == kinds.TERMS_PINNED:
            fact = replace(fact, data=repin(terms, fact.data, version))  # noqa: PLW2901
        kept.append(fact)
    return tuple(kept)


def _with_rates(
    terms: Terms, facts: tuple[Fact, ...], aggregate: Aggregate, find_rate: FindRate
) -> tuple[tuple[Fact, ...], Evaluation]:
    refused: set[object] = set()
    evaluation = evaluate(terms, facts, aggregate.parties)
    for _ in range(MAX_RATES):
        need = next((need for need in evaluation.rates if need not in refused), None)
        if need is None:
            break
        found = find_rate(need.currency, need.on)
        if found is None:
            refused.add(need)
            continue
        data = {"subject": need.subject, "currency": need.currency, "rate": found[0]}
        facts = (*facts, _own(aggregate, kinds.RATE_PINNED, need.subject, data))
        evaluation = evaluate(terms, facts, aggregate.parties)
    return facts, evaluation


def _own(aggregate: Aggregate, kind: str, name: str, data: Mapping[str, Any]) -> Fact:
    at = aggregate.referral.submitted_at
    return Fact(
        fact_id=f"{kind}:{name}", kind=kind, occurred_at=at, received_at=at, source="", data=data
    )


def _position(aggregate: Aggregate, key: str, position: int) -> Fact:
    data = {"key": key, "position": position}
    return _own(aggregate, kinds.STANDING_PINNED, key, data)


def tier_sum(tier: Tier, at: datetime, time_zone: str) -> str:
    """Name the sum that a tier looks at when its milestone was reached at this moment."""
    return f"{tier.by}:{tier.milestone}:{period_key(tier.period, at, time_zone)}"


def _tier_keys(terms: Terms, evaluation: Evaluation) -> dict[str, str]:
    """Return the sum that decides each rule with a prospective tier, by rule id."""
    milestones = evaluation.deal.milestones
    return {
        rule.rule_id: tier_sum(
            rule.tier, milestones[rule.tier.milestone].occurred_at, terms.time_zone
        )
        for rule in terms.rules
        if rule.tier and rule.tier.mode == PROSPECTIVE and rule.tier.milestone in milestones
    }


def _starts(terms: Terms, keys: Mapping[str, str]) -> dict[str, tuple[int, ...]]:
    """Return where the steps of all tiers that look at a sum begin, by sum."""
    found: dict[str, set[int]] = {}
    for rule in terms.rules:
        if rule.tier and rule.rule_id in keys:
            starts = found.setdefault(keys[rule.rule_id], {0})
            starts |= {step.start for step in rule.tier.steps}
    return {key: tuple(sorted(starts)) for key, starts in found.items()}


def _nth(starts: tuple[int, ...], number: int) -> int:
    return starts[min(number, len(starts) - 1)]


def _counted(evaluation: Evaluation, terms: Terms) -> tuple[Counted, ...]:
    milestones = evaluation.deal.milestones
    of_rule = {rule.rule_id: rule.tier.milestone for rule in terms.rules if rule.tier}
    found = []
    for key, addition in sorted(evaluation.contributions.items()):
        kind, name = key.split(":")[:2]
        reached = milestones[of_rule[name] if kind == "base" else name]
        found.append(Counted(at=reached.occurred_at, key=key, addition=addition))
    return tuple(found)


def _claims(
    keys: Mapping[str, str], runs: Iterable[tuple[Mapping[str, int], Evaluation]]
) -> tuple[Claim, ...]:
    """Return a claim for each occurrence, with the amounts of every run."""
    samples: dict[tuple[str, str], Entitlement] = {}
    parts: dict[tuple[str, str], dict[str, dict[int, int]]] = {}
    for positions, evaluation in runs:
        for entitlement in evaluation.entitlements:
            name = entitlement.rule_id, entitlement.occurrence
            samples.setdefault(name, entitlement)
            start = positions.get(keys.get(entitlement.rule_id, ""), 0)
            variants = parts.setdefault(name, {}).setdefault(entitlement.holder_id, {})
            variants[start] = entitlement.amount_minor
    return tuple(
        Claim(
            at=sample.effective_at,
            rule_id=sample.rule_id,
            occurrence=sample.occurrence,
            role=sample.role,
            kind=sample.kind,
            tier_key=keys.get(sample.rule_id, ""),
            worth_minor=sample.worth_minor,
            parts=tuple(
                (holder_id, tuple(sorted(variants.items())))
                for holder_id, variants in parts[name].items()
            ),
        )
        for name, sample in samples.items()
    )


# -- between the steps ----------------------------------------------------------------------------


def written(found: Found) -> list[Any]:
    """Return what was found as lists and plain values, for a store."""
    return [
        found.referral_id,
        found.partner_id,
        [
            [
                each.at.isoformat(),
                each.rule_id,
                each.occurrence,
                each.role,
                each.kind,
                each.tier_key,
                each.worth_minor,
                each.parts,
            ]
            for each in found.claims
        ],
        [[each.at.isoformat(), each.key, each.addition] for each in found.counted],
        [paid_written(each) for each in found.paid],
    ]


class Reader:
    """Reads what ``written`` wrote, and keeps every text, time and amount that repeats once.

    A merge holds hundreds of thousands of claims, which differ in little.
    """

    def __init__(self) -> None:
        """Know nothing yet."""
        self._known: dict[Any, Any] = {}
        self._times: dict[str, datetime] = {}

    def found(self, row: Any) -> Found:  # noqa: ANN401 - as ``written`` wrote it
        """Return what was found of a referral."""
        referral_id, partner_id, claims, counted, paid = row
        return Found(
            referral_id=referral_id,
            partner_id=self._once(partner_id),
            claims=tuple(self._claim(each) for each in claims),
            counted=tuple(
                Counted(at=self._time(at), key=self._once(key), addition=addition)
                for at, key, addition in counted
            ),
            paid=tuple(self.paid(each) for each in paid),
        )

    def paid(self, row: Any) -> Paid:  # noqa: ANN401 - as ``paid_written`` wrote it
        """Return what was paid."""
        at, rule_id, role, holder_id, net_minor = row
        return Paid(
            at=self._time(at),
            rule_id=self._once(rule_id),
            role=self._once(role),
            holder_id=self._once(holder_id),
            net_minor=net_minor,
        )

    def _claim(self, row: Any) -> Claim:  # noqa: ANN401 - as ``written`` wrote it
        at, rule_id, occurrence, role, kind, tier_key, worth_minor, parts = row
        return Claim(
            at=self._time(at),
            rule_id=self._once(rule_id),
            occurrence=self._once(occurrence),
            role=self._once(role),
            kind=self._once(kind),
            tier_key=self._once(tier_key),
            worth_minor=worth_minor,
            parts=self._once(
                tuple(
                    (holder_id, tuple((start, amount) for start, amount in variants))
                    for holder_id, variants in parts
                )
            ),
        )

    def _once(self, value: T) -> T:
        known: T = self._known.setdefault(value, value)
        return known

    def _time(self, text: str) -> datetime:
        known = self._times.get(text)
        if known is None:
            known = self._times[text] = datetime.fromisoformat(text)
        return known


def paid_written(paid: Paid) -> list[Any]:
    """Return what was paid as a list of plain values."""
    return [paid.at.isoformat(), paid.rule_id, paid.role, paid.holder_id, paid.net_minor]

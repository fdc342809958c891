"""Explain every reward of a referral, also those that nobody got."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Final

from shared.domain import facts as kinds
from shared.domain.eligibility import BLOCKED_CATEGORY, LEFT_OUT, read_left_out
from shared.domain.errors import NotFoundError
from shared.domain.facts import FORFEITED, Fact, in_order
from shared.domain.holders import FORFEITED_PARTNER_CLOSED, bounds_of, while_suspended
from shared.domain.money import format_amount
from shared.domain.programs import PublishedTerms
from shared.domain.referrals import Referral
from shared.domain.rewards import Reward
from shared.domain.terms import PARTNER
from shared.domain.verdicts import CAPPED, DENIED, GRANTED, HELD, REVERSED, TraceLine
from shared.ports import TraceStore
from shared.usecases.holder_status import Holders

_PARTNERS_FIGURES: Final = frozenset(
    {
        "amount_currency",
        "brought",
        "condition",
        "contract_months",
        "count",
        "currency",
        "days_since_touch",
        "deal_amount",
        "field",
        "first_year_value",
        "held",
        "invoice_net",
        "ledger_currency",
        "limit",
        "link_campaign",
        "monthly_value",
        "needed",
        "number",
        "occurred_at",
        "own_category",
        "partner_group",
        "partner_kind",
        "partner_tier",
        "percent",
        "plan",
        "position",
        "quantity",
        "received_at",
        "referral_since",
        "refunded",
        "renewal_amount",
        "threshold",
        "unit",
        "window_end",
    }
)
"""Figures that a partner may see: of the deal and of the partner. Whatever is not named is not
shown, so that a new figure is hidden until somebody decides."""

_PAYS: Final = frozenset({GRANTED, HELD, CAPPED})


@dataclass(frozen=True, slots=True, kw_only=True)
class Explanation:
    """A referral, one line for each rule and occurrence, and the rules' own words by id."""

    referral: Referral
    lines: tuple[TraceLine, ...]
    texts: Mapping[str, str] = field(default_factory=dict)


def explain_referral(store: TraceStore, referral_id: str) -> Explanation:
    """Return the stored reasons, and who is suspended now, in the order of rule and occurrence.

    Raises:
        NotFoundError: no such referral.
    """
    whole = _stored(store, referral_id)
    suspended = Holders(store).suspended(store.rewards(referral_id))
    lines = tuple(as_held(line, suspended) for line in whole.lines)
    return replace(whole, lines=lines)


def as_held(line: TraceLine, suspended: Mapping[tuple[str, str], Iterable[str]]) -> TraceLine:
    """Return a line as it reads while these holders are suspended, by rule and occurrence."""
    place = (line.rule_id, line.occurrence)
    return while_suspended(line, suspended[place]) if place in suspended else line


def _stored(store: TraceStore, referral_id: str) -> Explanation:
    referral = store.referral(referral_id)
    if referral is None:
        raise NotFoundError
    lines = sorted(store.trace(referral_id), key=lambda line: (line.rule_id, line.occurrence))
    terms = store.terms(referral.program_id, referral.terms_version)
    return Explanation(referral=referral, lines=tuple(lines), texts=by_rule(terms, "text"))


def explain_to_partner(store: TraceStore, referral_id: str, partner_id: str) -> Explanation:
    """Return the reasons as one of the referral's partners may see them.

    Left out: rules for others, what other partners get, facts, and what is known of the lead
    beyond the deal. Amounts are the partner's own.

    Raises:
        NotFoundError: no such referral, or the partner has no part in it.
    """
    whole = _stored(store, referral_id)
    facts = store.facts(referral_id)
    own = [
        reward
        for reward in store.rewards(referral_id)
        if reward.role == PARTNER and reward.holder_id == partner_id
    ]
    if not own and not _has_part(facts, partner_id):
        raise NotFoundError
    terms = store.terms(whole.referral.program_id, whole.referral.terms_version)
    beneficiaries = by_rule(terms, "beneficiary")
    rewards = {(reward.rule_id, reward.occurrence): reward for reward in own}
    suspended = Holders(store).suspended(own)
    bounds = bounds_of(in_order(facts))
    lines = []
    for line in whole.lines:
        reward = rewards.get((line.rule_id, line.occurrence))
        if beneficiaries.get(line.rule_id) != PARTNER:
            continue
        own_line = _without_others(line, partner_id)
        if reward is None and (
            own_line.outcome in _PAYS or own_line.code == FORFEITED_PARTNER_CLOSED
        ):
            # Given to others, before this partner had a part.
            continue
        if reward is not None and FORFEITED in line.figures:
            own_line = _own_loss(line, reward, lost=reward.identity in bounds)
        lines.append(_for_partner(as_held(own_line, suspended), reward))
    shown = {line.rule_id for line in lines}
    texts = {rule_id: text for rule_id, text in whole.texts.items() if rule_id in shown}
    return Explanation(referral=whole.referral, lines=tuple(lines), texts=texts)


def _without_others(line: TraceLine, partner_id: str) -> TraceLine:
    """Tell of those who may not earn their part only the one who asks; others see no reason."""
    if LEFT_OUT not in line.figures:
        return line
    codes = read_left_out(line.figures[LEFT_OUT])
    is_told = line.outcome not in _PAYS and partner_id == next(iter(codes))
    if is_told or (line.outcome in _PAYS and partner_id not in codes):
        return line
    own = codes.get(partner_id, BLOCKED_CATEGORY)
    return replace(line, outcome=DENIED, code=own, figures={}, release_at=None)


def _own_loss(line: TraceLine, reward: Reward, *, lost: bool) -> TraceLine:
    """Tell of what was forfeited only the one who lost it."""
    if lost:
        outcome = CAPPED if reward.net_minor else REVERSED
        return replace(line, outcome=outcome, code=FORFEITED_PARTNER_CLOSED)
    if line.code == FORFEITED_PARTNER_CLOSED:
        outcome = HELD if reward.held else GRANTED
        return replace(line, outcome=outcome, code=reward.held or GRANTED)
    return line


def _for_partner(line: TraceLine, reward: Reward | None) -> TraceLine:
    figures = shown_to_partners(line.figures)
    if reward is not None and not reward.benefit_state:
        figures["amount"] = format_amount(reward.net_minor, reward.currency)
        figures["currency"] = reward.currency
    # Spam and conflict are told as any other refusal: what gave a lead away is not theirs.
    code = "review_rejected" if line.code == "review_spam" else line.code
    return replace(line, code=code, figures=figures, facts=())


def _has_part(facts: Iterable[Fact], partner_id: str) -> bool:
    return any(
        share.get("partner_id") == partner_id
        for fact in facts
        if fact.kind in (kinds.TERMS_PINNED, kinds.SHARES_SET)
        for share in fact.data.get("shares", ())
    )


def shown_to_partners(figures: Mapping[str, str]) -> dict[str, str]:
    """Return those of the figures that a partner may see."""
    return {name: text for name, text in figures.items() if name in _PARTNERS_FIGURES}


def by_rule(terms: PublishedTerms | None, name: str) -> dict[str, str]:
    """Return one field of each rule, as text."""
    rules = terms.definition.get("rules", ()) if terms else ()
    if not isinstance(rules, list):
        return {}
    return {str(rule["id"]): str(rule.get(name) or "") for rule in rules}

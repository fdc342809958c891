"""Explain every reward of a referral, also those that nobody got."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Final

from shared.domain import facts as kinds
from shared.domain.errors import NotFoundError
from shared.domain.facts import Fact
from shared.domain.money import format_amount
from shared.domain.programs import PublishedTerms
from shared.domain.referrals import Referral
from shared.domain.rewards import Reward
from shared.domain.terms import PARTNER
from shared.domain.verdicts import CAPPED, GRANTED, HELD, TraceLine
from shared.ports import TraceStore

_PARTNERS_FIGURES: Final = frozenset(
    {
        "amount_currency",
        "condition",
        "contract_months",
        "currency",
        "days_since_touch",
        "deal_amount",
        "field",
        "first_year_value",
        "invoice_net",
        "ledger_currency",
        "limit",
        "link_campaign",
        "monthly_value",
        "number",
        "occurred_at",
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
    """Return the stored reasons, in the order of rule and occurrence.

    Raises:
        NotFoundError: no such referral.
    """
    referral = store.referral(referral_id)
    if referral is None:
        raise NotFoundError
    lines = sorted(store.trace(referral_id), key=lambda line: (line.rule_id, line.occurrence))
    terms = store.terms(referral.program_id, referral.terms_version)
    return Explanation(referral=referral, lines=tuple(lines), texts=_by_rule(terms, "text"))


def explain_to_partner(store: TraceStore, referral_id: str, partner_id: str) -> Explanation:
    """Return the reasons as one of the referral's partners may see them.

    Left out: rules for others, what other partners get, facts, and what is known of the lead
    beyond the deal. Amounts are the partner's own.

    Raises:
        NotFoundError: no such referral, or the partner has no part in it.
    """
    whole = explain_referral(store, referral_id)
    own = [
        reward
        for reward in store.rewards(referral_id)
        if reward.role == PARTNER and reward.holder_id == partner_id
    ]
    if not own and not _has_part(store.facts(referral_id), partner_id):
        raise NotFoundError
    terms = store.terms(whole.referral.program_id, whole.referral.terms_version)
    beneficiaries = _by_rule(terms, "beneficiary")
    rewards = {(reward.rule_id, reward.occurrence): reward for reward in own}
    lines = []
    for line in whole.lines:
        reward = rewards.get((line.rule_id, line.occurrence))
        if beneficiaries.get(line.rule_id) != PARTNER:
            continue
        if line.outcome in _PAYS and reward is None:
            # Given to others, before this partner had a part.
            continue
        lines.append(_for_partner(line, reward))
    shown = {line.rule_id for line in lines}
    texts = {rule_id: text for rule_id, text in whole.texts.items() if rule_id in shown}
    return Explanation(referral=whole.referral, lines=tuple(lines), texts=texts)


def _for_partner(line: TraceLine, reward: Reward | None) -> TraceLine:
    figures = {name: text for name, text in line.figures.items() if name in _PARTNERS_FIGURES}
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


def _by_rule(terms: PublishedTerms | None, name: str) -> dict[str, str]:
    rules = terms.definition.get("rules", ()) if terms else ()
    if not isinstance(rules, list):
        return {}
    return {str(rule["id"]): str(rule.get(name) or "") for rule in rules}

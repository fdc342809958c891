"""Explain what a partner gets for successes, beside single referrals, and what it does not get."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final

from shared.domain.adjustments import is_adjustment
from shared.domain.aggregate import PartnerFile
from shared.domain.errors import NotFoundError
from shared.domain.money import format_amount
from shared.domain.rewards import VOIDED, Reward
from shared.domain.terms import FACE_VALUE_KINDS
from shared.domain.verdicts import GRANTED, REVERSED, TraceLine
from shared.ports import TraceStore
from shared.usecases.explain_referral import as_held, by_rule, shown_to_partners
from shared.usecases.holder_status import Holders

COUNT_NOT_REACHED: Final = "count_not_reached"


@dataclass(frozen=True, slots=True, kw_only=True)
class PartnerLine:
    """Why a rule pays for an occurrence or does not, and the reward that it comes to, if any."""

    line: TraceLine
    reward: Reward | None

    @property
    def place(self) -> str:
        """Return where it stands among all lines."""
        return f"{self.line.rule_id}#{self.line.occurrence}"


@dataclass(frozen=True, slots=True, kw_only=True)
class PartnerExplanation:
    """A partner's file, its lines by rule and occurrence, and the rules' own words by id."""

    file: PartnerFile
    lines: tuple[PartnerLine, ...]
    texts: Mapping[str, str]


def explain_partner(store: TraceStore, partner_id: str, program_id: str) -> PartnerExplanation:
    """Return the stored reasons, held as long as the partner is suspended, with release dates.

    Raises:
        NotFoundError: the partner is not enrolled in such a programme.
    """
    file = store.partner_file(partner_id, program_id)
    if file is None:
        raise NotFoundError
    holders = Holders(store)
    suspended = holders.suspended(file.rewards)
    rewards = {
        (reward.rule_id, reward.occurrence): holders.as_held(reward)
        for reward in file.rewards
        if not is_adjustment(reward)
    }
    told = {(line.rule_id, line.occurrence): line for line in file.trace}
    lines = []
    for place in sorted(told.keys() | rewards.keys()):
        reward = rewards.get(place)
        line = told.get(place) or _plain(rewards[place])
        if reward:
            figures = {**line.figures, **_worth(reward)}
            line = replace(line, figures=figures, release_at=reward.release_at)
        lines.append(PartnerLine(line=as_held(line, suspended), reward=reward))
    terms = store.terms(program_id, file.terms_version)
    return PartnerExplanation(file=file, lines=tuple(lines), texts=by_rule(terms, "text"))


def _plain(reward: Reward) -> TraceLine:
    """Return what explains a bonus that the line of its rule tells of together with others."""
    is_held = reward.net_minor or reward.benefit_state not in {"", VOIDED}
    return TraceLine(
        rule_id=reward.rule_id,
        occurrence=reward.occurrence,
        outcome=GRANTED if is_held else REVERSED,
        code=GRANTED if is_held else COUNT_NOT_REACHED,
    )


def _worth(reward: Reward) -> dict[str, str]:
    if reward.kind not in FACE_VALUE_KINDS:
        return dict(reward.benefit)
    amount = format_amount(reward.net_minor, reward.currency)
    return {"amount": amount, "currency": reward.currency}


def for_the_partner(whole: PartnerExplanation) -> PartnerExplanation:
    """Return what the partner may see: own amounts, and figures that somebody decided to show."""
    lines = []
    for each in whole.lines:
        own = _worth(each.reward) if each.reward else {}
        figures = {**shown_to_partners(each.line.figures), **own}
        lines.append(replace(each, line=replace(each.line, figures=figures)))
    return replace(whole, lines=tuple(lines))

"""The referral as a whole: its head with everything that belongs to it."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from shared.domain.evaluation import Parties, TraceLine, shares_of
from shared.domain.facts import Fact
from shared.domain.referrals import Referral
from shared.domain.rewards import Reward


@dataclass(frozen=True, slots=True, kw_only=True)
class Aggregate:
    """A referral with its facts, its rewards as posted and its decision trace as stored."""

    referral: Referral
    facts: tuple[Fact, ...] = ()
    rewards: tuple[Reward, ...] = ()
    trace: tuple[TraceLine, ...] = ()

    @property
    def parties(self) -> Parties:
        """Return who can benefit, from the pinned facts."""
        return Parties(lead_id=self.referral.lead_id, shares=shares_of(self.facts))


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """How many of a partner's referrals count now, by milestone. ``version`` 0 is not stored."""

    partner_id: str
    program_id: str
    counts: Mapping[str, int] = field(default_factory=dict)
    version: int = 0

"""What rewards hang on: a referral as a whole, and a partner's file in a programme."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from shared.domain.entitlements import Parties, shares_of
from shared.domain.facts import Fact
from shared.domain.referrals import Referral
from shared.domain.rewards import BY_PARTNER, BY_REFERRAL, Reward, Subject
from shared.domain.verdicts import TraceLine


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
class Settled:
    """How far a partner's file is settled: on which basis, and for which sums.

    The basis is the terms, and whether the partner is closed and ``forfeits`` what is pending.
    ``seen`` are the sums that the posted rewards stand for, by rule, or by rule and period.
    ``left`` is the place after which rows may still be there that another basis gave; None when
    all were looked through.
    """

    terms_version: int = 0
    forfeits: bool = False
    seen: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    left: str | None = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """What a partner's referrals add up to in a programme at this moment.

    ``sums`` are by key (``count:won:lifetime``, ``revenue:won:2026``, ``base:<rule>:2026-Q1``).
    ``movers`` name what moved a sum last, if anything hangs on it (``domain.standing_causes``).
    ``version`` rises with every write to the partner's file and guards it; 0 is not stored yet.
    """

    partner_id: str
    program_id: str
    sums: Mapping[str, int] = field(default_factory=dict)
    movers: Mapping[str, str] = field(default_factory=dict)
    settled: Settled = field(default_factory=Settled)
    version: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class PartnerFile:
    """A partner's standing in a programme with the rewards that depend on it.

    ``terms_version`` judges them; ``accepted_version`` is what the partner accepted.
    """

    standing: Standing
    terms_version: int
    accepted_version: int = 0
    rewards: tuple[Reward, ...] = ()
    trace: tuple[TraceLine, ...] = ()


Guard = Referral | Standing
"""The row whose version every write to its rewards demands and raises."""


def subject_of(guard: Guard, terms_version: int) -> Subject:
    """Return what rewards under this guard are given for."""
    if isinstance(guard, Referral):
        return Subject(
            scope=BY_REFERRAL,
            subject_id=guard.referral_id,
            program_id=guard.program_id,
            terms_version=terms_version,
        )
    return Subject(
        scope=BY_PARTNER,
        subject_id=guard.partner_id,
        program_id=guard.program_id,
        terms_version=terms_version,
    )

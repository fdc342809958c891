"""What the judgement of a rule ends with: outcomes, trace lines and refusals."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

GRANTED: Final = "granted"
NOT_YET: Final = "not_yet"
DENIED: Final = "denied"
CAPPED: Final = "capped"
HELD: Final = "held"
REVERSED: Final = "reversed"


@dataclass(frozen=True, slots=True, kw_only=True)
class TraceLine:
    """Why a rule paid or did not, with the figures and facts that decided it.

    ``level`` says which level's value won: program, group, tier, partner, link or referral.
    """

    rule_id: str
    occurrence: str
    outcome: str
    code: str
    figures: Mapping[str, str] = field(default_factory=dict)
    facts: tuple[str, ...] = ()
    release_at: datetime | None = None
    level: str = "program"


class Refusal(Exception):  # noqa: N818 - a verdict, not a failure
    """Ends the judgement of a rule or an occurrence with what explains it."""

    def __init__(
        self, outcome: str, code: str, facts: tuple[str, ...] = (), **figures: str
    ) -> None:
        self.outcome = outcome
        self.code = code
        self.facts = facts
        self.figures = figures
        super().__init__(code)

"""Attribution: which partner, if any, introduced a lead, and by which evidence.

Evidence is asked in this order, and the first that proves a partner wins:

1. the code that a person typed,
2. the click token, if the click is not older than the attribution window,
3. the code that a short link left on the page, only if no click token came with it. A visitor
   without a token was taken for a machine; one with an old token is outside the window, and the
   code beside it must not bring the claim back.

Whatever does not prove a partner leaves a reason, never a refusal of the lead.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from shared.domain.click_tokens import UNKNOWN_KEY, BadTokenError, Keyring, read
from shared.domain.links import Link
from shared.domain.partners import Enrolment, Partner

TYPED_CODE: Final = "typed_code"
CLICK_TOKEN: Final = "click_token"  # noqa: S105 - the name of a kind of evidence
PAGE_CODE: Final = "page_code"

NO_EVIDENCE: Final = "no_evidence"
SPAM: Final = "spam"

INTRODUCER: Final = "introducer"
WHOLE: Final = 10_000
"""All of a referral, in basis points."""

_ACCEPTED_STATUSES: Final = frozenset({"active", "suspended"})
"""A suspended partner still refers: what it earns is held, not lost."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """Something that names a partner. ``touched_at`` is None when nothing says when."""

    kind: str
    code: str
    partner_id: str
    click_id: str = ""
    touched_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """Why a piece of evidence proves nothing: a stable code."""

    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Attribution:
    """The outcome: a partner with the evidence that proved it, or None with every reason.

    ``outcome`` is the kind of the winning evidence, or the reasons joined by commas.
    """

    outcome: str
    partner: Partner | None = None
    enrolment: Enrolment | None = None
    evidence: Evidence | None = None

    @property
    def partner_id(self) -> str | None:
        """Return who gets the credit."""
        return self.partner.partner_id if self.partner else None

    @property
    def link_code(self) -> str:
        """Return the code of the link that led here, or an empty string."""
        return self.evidence.code if self.evidence else ""

    @property
    def click_id(self) -> str:
        """Return the click that led here, or an empty string."""
        return self.evidence.click_id if self.evidence else ""

    @property
    def touch_at(self) -> datetime | None:
        """Return when the verified touch happened, if the evidence says so."""
        return self.evidence.touched_at if self.evidence else None

    @property
    def shares(self) -> list[dict[str, object]]:
        """Return who gets which part, in basis points that sum to 10,000."""
        if not self.partner:
            return []
        return [
            {
                "partner_id": self.partner.partner_id,
                "role": INTRODUCER,
                "basis_points": WHOLE,
            }
        ]


def nobody(*reasons: str) -> Attribution:
    """Return the outcome in which no partner is proved."""
    return Attribution(outcome=",".join(reasons) or NO_EVIDENCE)


def from_code(
    kind: str, link: Link | None, *, program_id: str, now: datetime
) -> Evidence | Refusal:
    """Judge the link that a code names; None stands for a code that names nothing.

    A link of another programme is as unknown as one that does not exist.
    """
    if link is None or link.program_id != program_id:
        return Refusal(reason="unknown_code")
    if link.disabled:
        return Refusal(reason="link_disabled")
    if link.expires_at and link.expires_at <= now:
        return Refusal(reason="link_expired")
    return Evidence(kind=kind, code=link.code, partner_id=link.partner_id)


def from_click(
    text: str, keyring: Keyring | None, *, program_id: str, now: datetime
) -> Evidence | Refusal:
    """Judge a click token; it needs no read, so it survives a lost click row.

    A click from the future can only be a clock that runs ahead, so it counts as now.
    """
    if keyring is None:
        return Refusal(reason=f"click_{UNKNOWN_KEY}")
    try:
        token = read(text, keyring, program_id=program_id)
    except BadTokenError as error:
        return Refusal(reason=f"click_{error.reason}")
    return Evidence(
        kind=CLICK_TOKEN,
        code=token.code,
        partner_id=token.partner_id,
        click_id=token.click_id,
        touched_at=min(token.clicked_at, now),
    )


def refusal_of(
    evidence: Evidence,
    partner: Partner | None,
    enrolment: Enrolment | None,
) -> str:
    """Return why the partner that the evidence names can't be credited, or an empty string."""
    if partner is None or enrolment is None or enrolment.partner_id != evidence.partner_id:
        return "not_enrolled"
    if partner.status not in _ACCEPTED_STATUSES:
        return "partner_not_active"
    return ""


def is_outside_window(evidence: Evidence, attribution_days: int, now: datetime) -> bool:
    """Tell whether the touch is too old to count; evidence without a time never is."""
    touched_at = evidence.touched_at
    return touched_at is not None and now - touched_at > timedelta(days=attribution_days)


def flags(found: Attribution, lead_hmac: str) -> tuple[str, ...]:
    """Return what a reviewer should look at; a flag never decides by itself."""
    if found.partner is None:
        return ()
    raised = []
    if found.partner.email_hmac and found.partner.email_hmac == lead_hmac:
        raised.append("self_referral")
    if found.partner.status == "suspended":
        raised.append("partner_suspended")
    return tuple(raised)

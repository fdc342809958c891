"""Attribution: which partners, if any, introduced a lead, and by which evidence.

The terms name four kinds of evidence and the order in which they count. What each word means here:

``registration``
    The lead has a referral whose protection lasts. It always comes first: nobody else may claim
    that lead meanwhile, whatever the order says (``claims``).
``code``
    A code that a person typed into the form.
``click``
    A signed click token that is not older than the attribution window. Only if no token came at
    all, the code that a short link left on the page stands in for it: a visitor without a token
    was taken for a machine; one with an old token is outside the window, and the code beside it
    must not bring the claim back.
``email``
    The address is that of a lead with a referral whose protection is over. It stays where it was
    unless other evidence that is listed earlier brings another partner (``claims``). An address
    alone credits nobody.

What the order does not list is not looked at. The first kind with valid evidence wins, and among
several touches of that kind the first or the last, as the model says: clicks by their signed time,
codes, which have none, by their place in the form. Who wins is the introducer; where the terms
split, the other partners with valid evidence share, as co-referrers for a code and assists for a
click. Only what came with the first form counts: later forms of the same lead add evidence for
people to look at, and change nobody's part.

Whatever does not prove a partner leaves a reason, never a refusal of the lead.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from shared.domain.click_tokens import UNKNOWN_KEY, BadTokenError, Keyring, read
from shared.domain.entitlements import (
    ASSIST,
    CO_REFERRER,
    INTRODUCER,
    MAX_SHARES,
    WHOLE_SHARE,
    CreditShare,
)
from shared.domain.links import Link
from shared.domain.money import split
from shared.domain.partners import Enrolment, Partner
from shared.domain.pinning import Pinned
from shared.domain.terms import (
    ALLOW,
    BY_ROLE,
    CLICK,
    CODE,
    EMAIL,
    LAST_TOUCH,
    UNDIVIDED,
    AttributionPolicy,
    Eligibility,
)

TYPED_CODE: Final = "typed_code"
CLICK_TOKEN: Final = "click_token"  # noqa: S105 - the name of a kind of evidence
PAGE_CODE: Final = "page_code"
_LISTED_AS: Final = {TYPED_CODE: CODE, CLICK_TOKEN: CLICK, PAGE_CODE: CLICK}
"""Kind of evidence -> the word for it in the terms."""

NO_EVIDENCE: Final = "no_evidence"
SPAM: Final = "spam"

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
class Credit:
    """A partner of the programme with the evidence that proved it."""

    partner: Partner
    enrolment: Enrolment
    evidence: Evidence


@dataclass(frozen=True, slots=True, kw_only=True)
class Attribution:
    """The outcome: the partners that are proved, the winner first, or none with every reason.

    ``outcome`` is the kind of the winning evidence, or the reasons joined by commas. ``shares``
    say who gets which part; somebody whose role has none is not among them.
    """

    outcome: str
    credits: tuple[Credit, ...] = ()
    shares: tuple[CreditShare, ...] = ()

    @property
    def winner(self) -> Credit | None:
        """Return whose terms, link and touch count."""
        return self.credits[0] if self.credits else None

    @property
    def partner_id(self) -> str | None:
        """Return who introduced the lead."""
        return self.credits[0].partner.partner_id if self.credits else None

    @property
    def link_code(self) -> str:
        """Return the code of the link that led here, or an empty string."""
        return self.credits[0].evidence.code if self.credits else ""

    @property
    def click_id(self) -> str:
        """Return the click that led here, or an empty string."""
        return self.credits[0].evidence.click_id if self.credits else ""

    @property
    def touch_at(self) -> datetime | None:
        """Return when the verified touch happened, if the evidence says so."""
        return self.credits[0].evidence.touched_at if self.credits else None


def nobody(*reasons: str) -> Attribution:
    """Return the outcome in which no partner is proved."""
    return Attribution(outcome=",".join(reasons) or NO_EVIDENCE)


def credited(proved: Sequence[Credit], policy: AttributionPolicy) -> Attribution:
    """Return the outcome in which these partners, each once and the winner first, are proved."""
    shared = tuple(proved[:1] if policy.split == UNDIVIDED else proved[:MAX_SHARES])
    roles = _roles(shared)
    parts = split(WHOLE_SHARE, [1] * len(shared))
    if policy.split == BY_ROLE:
        parts = _by_role(roles, policy)
    shares = (
        CreditShare(partner_id=credit.partner.partner_id, role=role, basis_points=part)
        for credit, role, part in zip(shared, roles, parts, strict=True)
        if part
    )
    return Attribution(outcome=shared[0].evidence.kind, credits=shared, shares=tuple(shares))


def _roles(shared: Sequence[Credit]) -> tuple[str, ...]:
    others = (CO_REFERRER if each.evidence.kind == TYPED_CODE else ASSIST for each in shared[1:])
    return (INTRODUCER, *others)


def _by_role(roles: Sequence[str], policy: AttributionPolicy) -> tuple[int, ...]:
    """Return the parts: a role's is divided equally; what nobody takes is the introducer's."""
    parts = [0] * len(roles)
    for role in (CO_REFERRER, ASSIST):
        places = [place for place, of in enumerate(roles) if of == role]
        if places:
            equal = split(policy.basis_points.get(role, 0), [1] * len(places))
            for place, part in zip(places, equal, strict=True):
                parts[place] = part
    parts[0] = WHOLE_SHARE - sum(parts)
    return tuple(parts)


def in_turn(given: Sequence[str], policy: AttributionPolicy) -> Iterable[str]:
    """Return what has no time of its own in the order in which it is to be tried."""
    return reversed(given) if policy.model == LAST_TOUCH else given


def by_time(
    judged: Iterable[Evidence | Refusal], policy: AttributionPolicy
) -> Iterator[Evidence | Refusal]:
    """Yield touches in the order in which they are to be tried, refused ones first."""
    found = tuple(judged)
    yield from (each for each in found if isinstance(each, Refusal))
    timed = [
        (each.touched_at, place, each)
        for place, each in enumerate(found)
        if isinstance(each, Evidence) and each.touched_at
    ]
    newest_first = policy.model == LAST_TOUCH
    for _, _, each in sorted(timed, key=lambda row: row[:2], reverse=newest_first):
        yield each


def may_follow(policy: AttributionPolicy, evidence: Evidence) -> bool:
    """Tell whether evidence may take over a lead that is known by its address alone."""
    order = policy.order
    return EMAIL not in order or order.index(_LISTED_AS[evidence.kind]) < order.index(EMAIL)


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


def flags(found: Attribution, pinned: Pinned, who: Eligibility) -> tuple[str, ...]:
    """Return what a reviewer should look at; a flag never decides by itself.

    ``who`` is who may earn by the terms. Flags of those who share with the introducer name their
    partner.
    """
    raised = list(pinned.declared)
    for place, credit in enumerate(found.credits):
        partner = credit.partner
        known = pinned.partners.get(partner.partner_id, {})
        own = list(known.get("categories", ()))
        own += [f"{name}_missing" for name in who.required if name not in known.get("accepted", ())]
        if known.get("self_referral") and who.self_referral != ALLOW:
            own.append("self_referral")
        if partner.status == "suspended":
            own.append("partner_suspended")
        raised += [f"{flag}:{partner.partner_id}" if place else flag for flag in own]
    return tuple(dict.fromkeys(raised))

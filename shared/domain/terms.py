"""Terms: one immutable version of a programme's rules.

A rule says: on which milestone, under which conditions, who gets what, how much, how often, held
how long. ``terms_reader`` reads them from a definition file; everything here is in minor units of
the programme's ledger currency.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Final

PARTNER: Final = "partner"
LEAD: Final = "lead"
CAUSE: Final = "cause"
BENEFICIARIES: Final = (PARTNER, LEAD, CAUSE)

DISCOUNT: Final = "discount"
KINDS: Final = ("cash", "credit", DISCOUNT, "free_period", "gift_card", "donation", "perk")
FACE_VALUE_KINDS: Final = frozenset({"cash", "credit", "gift_card", "donation"})
"""Kinds that post movements; the others are reward rows with states of their own."""

BASES: Final = ("deal_amount", "invoice_net", "first_invoice", "first_year_value", "monthly_value")
INVOICE_BASES: Final = frozenset({"invoice_net", "first_invoice"})

ONCE: Final = "once"
EVERY_INVOICE: Final = "every_invoice"
EVERY_RENEWAL: Final = "every_renewal"
EVERY_NTH: Final = "every_nth"
AT_COUNTS: Final = "at_counts"
OCCURRENCES: Final = (ONCE, EVERY_INVOICE, EVERY_RENEWAL, EVERY_NTH, AT_COUNTS)
PARTNER_LEVEL: Final = frozenset({EVERY_NTH, AT_COUNTS})
"""Occurrences that depend on how many of the partner's referrals count now."""

LIFETIME: Final = "lifetime"
YEAR: Final = "calendar_year"
QUARTER: Final = "quarter"
MONTH: Final = "month"
TIER_PERIODS: Final = (LIFETIME, YEAR, QUARTER)
CAP_PERIODS: Final = (LIFETIME, YEAR, QUARTER, MONTH)

BY_COUNT: Final = "count"
BY_REVENUE: Final = "revenue"
PROSPECTIVE: Final = "prospective"
RETROACTIVE: Final = "retroactive"
MARGINAL: Final = "marginal"
TIER_MODES: Final[Mapping[str, str]] = {
    PROSPECTIVE: PROSPECTIVE,
    RETROACTIVE: RETROACTIVE,
    MARGINAL: PROSPECTIVE,
    "cliff": RETROACTIVE,
}
"""Words for how a tier pays -> what they mean. Counted one by one, marginal is prospective."""

CUT: Final = "cut"
DENY: Final = "deny"
PROGRAM: Final = "program"

KEEP: Final = "keep"
PRO_RATA: Final = "pro_rata"
VOID: Final = "void"
REFUND_POLICIES: Final = (KEEP, PRO_RATA, VOID)

FORFEIT: Final = "forfeit"
PARTNER_CLOSED: Final = (KEEP, FORFEIT)
"""What becomes of a closed partner's rewards that still wait for the end of a hold."""

MONEY: Final = "money"
NUMBER: Final = "number"
TEXT: Final = "text"
FLAG: Final = "flag"
FIELDS: Final[Mapping[str, str]] = {
    "deal_amount": MONEY,
    "contract_months": NUMBER,
    "company_size": NUMBER,
    "days_since_touch": NUMBER,
    "plan": TEXT,
    "region": TEXT,
    "country": TEXT,
    "industry": TEXT,
    "lead_grade": TEXT,
    "partner_kind": TEXT,
    "partner_tier": TEXT,
    "partner_group": TEXT,
    "link_campaign": TEXT,
    "existing_customer": FLAG,
}
"""Declared fields of conditions and tables, with their types."""

DEAL_FIELDS: Final = frozenset({"plan", "contract_months"})
"""Fields that the deal's facts tell; all others are pinned at submission."""

OPERATORS: Final[Mapping[str, tuple[str, ...]]] = {
    MONEY: ("gte", "gt", "lte", "lt", "eq"),
    NUMBER: ("gte", "gt", "lte", "lt", "eq"),
    TEXT: ("eq", "ne", "in"),
    FLAG: ("eq",),
}

LAST_TOUCH: Final = "last_touch"
FIRST_TOUCH: Final = "first_touch"
MODELS: Final = (LAST_TOUCH, FIRST_TOUCH)
UNDIVIDED: Final = "none"
EQUAL: Final = "equal"
BY_ROLE: Final = "by_role"
SPLITS: Final = (UNDIVIDED, EQUAL, BY_ROLE)
REGISTRATION: Final = "registration"
CODE: Final = "code"
CLICK: Final = "click"
EMAIL: Final = "email"
EVIDENCE: Final = (REGISTRATION, CODE, CLICK, EMAIL)
VERDICTS: Final = ("accept", "review", "reject")

REVIEW: Final = "review"
ALLOW: Final = "allow"
SELF_REFERRAL: Final = (REVIEW, DENY, ALLOW)
"""What becomes of an introduction of oneself: a flag for the reviewer, nothing earned, neither."""
MAX_ENGAGEMENT: Final = 1_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Condition:
    """One comparison of a declared field with a value of the field's type."""

    field: str
    op: str
    value: int | str | bool | tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """Conditions and groups of which all, or any one, must hold."""

    any_of: bool
    members: tuple["Condition | Group", ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Fixed:
    """A fixed amount."""

    amount_minor: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Percent:
    """A percentage of an explicit base; ``months`` multiplies a monthly value."""

    percent: Decimal
    base: str
    months: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Benefit:
    """Something without a face value: units of something, or a discount in per cent.

    ``worth_minor`` is the declared value of all of it, for budgets, cost and tax.
    """

    quantity: int = 0
    unit: str = ""
    percent: Decimal | None = None
    worth_minor: int = 0


Plain = Fixed | Percent | Benefit


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One line of a table: from a number on, or for one text."""

    match: int | str
    value: Plain


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """A value by a field: the highest band reached, or the row of the text."""

    field: str
    rows: tuple[Row, ...]
    otherwise: Plain | None = None


Value = Fixed | Percent | Benefit | Table


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """From this count, or this revenue in minor units, another percentage or amount applies."""

    start: int
    value: Decimal | int
    """A ``Decimal`` is a percentage, an ``int`` an amount in minor units."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tier:
    """How a rule's value rises with the partner's successes.

    Prospective: each success is paid by the step that it reached when it first counted.
    Retroactive: reaching a step pays the difference for the whole period, as one true-up.
    """

    by: str
    mode: str
    period: str
    milestone: str
    steps: tuple[Step, ...]

    def reached(self, position: int) -> Step | None:
        """Return the highest step that ``position`` has reached, if any."""
        found = None
        for step in self.steps:
            if position >= step.start:
                found = step
        return found


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleCaps:
    """The most that one reward, or all of a rule's rewards for one referral, may come to."""

    reward_minor: int | None = None
    referral_minor: int | None = None
    policy: str = CUT


MAX_CAPS: Final = 40
"""Those of one version and those of the next move together, in one transaction of 100."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cap:
    """The most that a partner, or the programme (a budget), may earn in a period.

    ``rules`` names the rules it covers; empty means all of them.
    """

    cap_id: str
    scope: str
    period: str
    limit_minor: int
    policy: str = CUT
    rules: tuple[str, ...] = ()

    def covers(self, rule_id: str) -> bool:
        """Tell whether a rule's rewards count against this cap."""
        return not self.rules or rule_id in self.rules


TIER: Final = "tier"
GROUP: Final = "group"
LINK: Final = "link"
LEVELS: Final = (TIER, GROUP, PARTNER, LINK)
"""Levels of overrides that terms hold, the later one wins."""
REFERRAL: Final = "referral"
"""The level above them: a rate that two persons gave one referral (the fact ``rate_set``)."""
MAX_OVERRIDES: Final = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Override:
    """Another percentage or amount for a rule, where ``match`` is the introducer's at its level.

    That is a tier or a group, the partner's id, or the code of the link that led here.
    """

    level: str
    match: str
    rule_id: str
    value: Decimal | int


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """Who gets what on which milestone.

    ``hold_days`` counts from our receipt of the fact that reached the milestone. With
    ``retained`` it restarts with every entry, because leaving takes the reward away.
    """

    rule_id: str
    beneficiary: str
    milestone: str
    kind: str
    value: Value
    occurrence: str = ONCE
    limit_times: int | None = None
    limit_months: int | None = None
    nth: int = 0
    counts: tuple[int, ...] = ()
    tier: Tier | None = None
    when: Group | None = None
    hold_days: int = 0
    retained: bool = False
    caps: RuleCaps = field(default_factory=RuleCaps)
    refund: str = KEEP
    refund_threshold: Decimal = Decimal(0)
    text: str = ""

    @property
    def is_partner_level(self) -> bool:
        """Tell whether the rule is judged for the partner, not for a referral."""
        return self.occurrence in PARTNER_LEVEL

    def takes(self, rate: Decimal | int) -> bool:
        """Tell whether another percentage or amount would change what the rule gives."""
        if self.kind in FACE_VALUE_KINDS:
            return not self.is_partner_level
        return self.kind == DISCOUNT and isinstance(rate, Decimal) and not self.is_partner_level


@dataclass(frozen=True, slots=True, kw_only=True)
class Grade:
    """A lead's grade and what earns it."""

    grade: str
    when: Group


@dataclass(frozen=True, slots=True, kw_only=True)
class LeadQuality:
    """How leads are graded (the first match wins) and what each grade decides."""

    grades: tuple[Grade, ...] = ()
    otherwise: str = ""
    decide: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Eligibility:
    """Who may earn. Empty means everybody; ``allow_existing`` names sides that may anyway.

    ``required`` are documents that a partner must have accepted before an introduction, ``blocked``
    categories that earn nothing. ``minimum_engagement`` is how many accepted referrals a partner
    brings before any earns. ``eligibility`` says what each of them takes away, and from whom.
    """

    partner_kinds: tuple[str, ...] = ()
    regions: tuple[str, ...] = ()
    allow_existing: frozenset[str] = frozenset()
    required: tuple[str, ...] = ()
    minimum_engagement: int = 0
    blocked: tuple[str, ...] = ()
    self_referral: str = REVIEW


@dataclass(frozen=True, slots=True, kw_only=True)
class AttributionPolicy:
    """In which order evidence counts, which touch wins, and how several partners share.

    The order has the last word between kinds of evidence, the model between touches of one kind.
    ``basis_points`` are the parts by role: all of a referral, given exactly if it splits by role.
    ``attribution`` and ``claims`` say what each word means.
    """

    order: tuple[str, ...] = EVIDENCE
    model: str = LAST_TOUCH
    split: str = UNDIVIDED
    basis_points: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """The rules and windows of one version."""

    name: str
    currency: str
    rules: tuple[Rule, ...]
    implies: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    retract_on_lost: frozenset[str] | None = None
    attribution: AttributionPolicy = field(default_factory=AttributionPolicy)
    lead_quality: LeadQuality = field(default_factory=LeadQuality)
    eligibility: Eligibility = field(default_factory=Eligibility)
    overrides: tuple[Override, ...] = ()
    caps: tuple[Cap, ...] = ()
    partner_closed: str = KEEP
    attribution_days: int = 90
    credit_days: int = 365
    protection_days: int = 180
    prior_days: int = 0
    late_grace_days: int = 30
    clawback_days: int | None = None
    time_zone: str = "UTC"

    def rule(self, rule_id: str) -> Rule | None:
        """Return a rule by its id."""
        return next((rule for rule in self.rules if rule.rule_id == rule_id), None)

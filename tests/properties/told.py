"""Strategies: facts of any kind about one referral, as the store holds them, in any order."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

from hypothesis import strategies as st

from shared.domain import facts as kinds
from shared.domain.eligibility import ENGAGEMENT
from shared.domain.entitlements import CreditShare, Parties
from shared.domain.facts import Fact
from shared.domain.partners import CATEGORIES, DOCUMENTS
from tests.builders.money import LADDER, START
from tests.properties.definitions import CAP_IDS, MILESTONES, RULE_IDS, TEXTS

if TYPE_CHECKING:
    from hypothesis.strategies import SearchStrategy

Data = dict[str, Any]

_OPEN = ("submitted", "in_review", "action_required")
REVIEWS = (*_OPEN, "accepted", "rejected", "withdrawn", "expired", "spam")
JUNK = (
    "",
    "abc",
    "1e9",
    "NaN",
    "Infinity",
    "-5.00",
    "1,000",
    "٣",
    "0x10",
    "9" * 18,
    "9" * 13,
    " 1",
)
GOOD_AMOUNTS = st.integers(1, 10**8).map(lambda cents: f"{cents // 100}.{cents % 100:02d}")
AMOUNTS = st.one_of(GOOD_AMOUNTS, GOOD_AMOUNTS, st.sampled_from(JUNK))
CURRENCIES = st.sampled_from(["USD", "USD", "USD", "EUR", "JPY", "", "???"])
RATES = st.sampled_from(["1.1055", "0.0000001", "999999999", "0", "-1", "junk", ""])
INVOICES = st.sampled_from(["I-1", "I-2", "I-3"])
SUBJECTS = st.sampled_from(["deal", "invoice:I-1", "invoice:I-2", "renewal:N-1", "nothing", ""])
PARTNERS = ("ptr_1", "ptr_2", "ptr_3")
OCCURRENCES = st.sampled_from(["once", "invoice:I-1", "renewal:N-1"])
FIELDS = st.sampled_from(
    ["contract_months", "plan", "country", "company_size", "existing_customer", "colour"]
)
VALUES = st.one_of(WHOLE := st.integers(-5, 40), st.sampled_from([*TEXTS, "", "12", "12.0", "٣"]))


@st.composite
def share_rows(draw: Any) -> list[Data]:  # noqa: ANN401 - as Hypothesis passes it
    """Parts of one to three different partners that sum to the whole."""
    holders = draw(st.lists(st.sampled_from(PARTNERS), min_size=1, max_size=3, unique=True))
    rows = []
    left = 10_000
    for place, partner_id in enumerate(holders):
        last = place == len(holders) - 1
        points = left if last else draw(st.integers(1, left - (len(holders) - place - 1)))
        left -= points
        role = "introducer" if place == 0 else "co_referrer"
        rows.append({"partner_id": partner_id, "role": role, "basis_points": points})
    return rows


def _shape(**members: SearchStrategy[Any]) -> SearchStrategy[Data]:
    return st.fixed_dictionaries(members)


def _money(*, of: bool) -> dict[str, SearchStrategy[Any]]:
    members = {"amount": AMOUNTS, "currency": CURRENCIES, "rate": RATES}
    return {**members, "of": SUBJECTS} if of else members


def _one(*values: object) -> SearchStrategy[Any]:
    return st.sampled_from(values)


BOTH = ("count:won:lifetime", "revenue:won:lifetime", ENGAGEMENT)
ATTRIBUTES = st.fixed_dictionaries(
    {},
    optional={
        "cause": _one("trees"),
        "existing_customer": st.sampled_from((False, False, True)),
        "lead_grade": _one("A", "B"),
        "region": _one(*TEXTS),
        "partner_tier": _one("gold"),
        "days_since_touch": st.integers(0, 90),
    },
)
OVERRIDES = st.dictionaries(
    _one(*RULE_IDS),
    _one(
        {"percent": "15", "level": "group"},
        {"fixed_minor": 7, "level": "tier"},
        {"percent": "0.5", "level": "partner"},
        {"fixed_minor": 90_000, "level": "link"},
    ),
    max_size=2,
)

SOME_CATEGORIES = st.lists(st.sampled_from(CATEGORIES), max_size=2)
PARTNERS_PINNED = st.dictionaries(
    _one(*PARTNERS),
    st.fixed_dictionaries(
        {},
        optional={
            "accepted": st.one_of(st.just(list(DOCUMENTS)), st.just([DOCUMENTS[0]])),
            "categories": SOME_CATEGORIES,
            "self_referral": st.sampled_from((True,)),
        },
    ),
)

SHAPES: dict[str, SearchStrategy[Data]] = {
    kinds.REVIEW_DECIDED: _shape(
        decision=_one("accept"), state=_one(*REVIEWS, "accepted", "accepted")
    ),
    kinds.STAGE_ENTERED: st.builds(
        lambda milestone, outcome, rank: {
            "stage": milestone or "negotiation",
            "rank": LADDER.get(milestone, rank),
            "milestone": milestone,
            "outcome": outcome,
            "ladder": LADDER,
        },
        _one("", "accepted", "qualified", "won", "won", "meeting_held"),
        _one("open", "open", "won", "lost"),
        st.integers(0, 6),
    ),
    kinds.AMOUNT_SET: _shape(**_money(of=False)),
    kinds.CURRENCY_SET: _shape(currency=CURRENCIES),
    kinds.FIELD_SET: _shape(name=FIELDS, value=VALUES),
    kinds.INVOICE_PAID: _shape(invoice_id=INVOICES, amount_net=AMOUNTS, currency=CURRENCIES),
    kinds.RENEWED: _shape(renewal_id=_one("N-1", "I-1"), **_money(of=False)),
    kinds.REFUNDED: _shape(refund_id=_one("X-1", "X-2"), **_money(of=True)),
    kinds.CHARGED_BACK: _shape(chargeback_id=_one("X-1", "X-2"), **_money(of=True)),
    kinds.CHARGEBACK_REVERSED: _shape(chargeback_id=_one("X-1", "X-3")),
    kinds.MILESTONE_REACHED: _shape(milestone=_one(*MILESTONES)),
    kinds.DEAL_ENDED: _shape(how=_one("deleted", "merged")),
    kinds.DEAL_RESTORED: _shape(),
    kinds.LEAD_PASSED_ON: _shape(into=_one("ref_9")),
    kinds.SHARES_SET: st.one_of(
        _shape(shares=share_rows(), retroactive=st.booleans()),
        _shape(shares=share_rows(), retroactive=st.booleans(), partners=PARTNERS_PINNED),
    ),
    kinds.CATEGORIES_DECLARED: _shape(categories=SOME_CATEGORIES),
    kinds.REGRADED: _shape(grade=_one("A", "B")),
    kinds.RATE_SET: st.one_of(
        _shape(rule=_one(*RULE_IDS), percent=_one("12.5", "100")),
        _shape(rule=_one(*RULE_IDS), fixed=_one("0", "77.70")),
    ),
    kinds.HOLD_PLACED: _shape(hold_id=_one("h1", "h2")),
    kinds.HOLD_RELEASED: _shape(hold_id=_one("h1", "h2")),
    kinds.STANDING_PINNED: _shape(partner_id=_one("ptr_1"), key=_one(*BOTH), position=WHOLE),
    kinds.RATE_PINNED: _shape(
        subject=SUBJECTS, currency=CURRENCIES, rate=_one("1.1", "0.007"), on=_one("2026-01-05")
    ),
    kinds.ALLOWANCE_PINNED: _shape(
        cap=_one(*CAP_IDS),
        scope=_one("partner", "program"),
        period=_one("lifetime", "2026"),
        rule_id=_one(*RULE_IDS),
        occurrence=OCCURRENCES,
        holder_id=_one(*PARTNERS, "led_1"),
        allowed_minor=st.integers(0, 10_000),
        cut=st.booleans(),
        number=st.integers(1, 3),
    ),
    kinds.FORFEITED: _shape(
        rule_id=_one(*RULE_IDS),
        occurrence=OCCURRENCES,
        holder_id=_one(*PARTNERS),
        kept_minor=st.integers(0, 10_000),
    ),
    kinds.FACT_RETRACTED: _shape(reason=_one("wrong")),
    "a_kind_of_tomorrow": _shape(anything=WHOLE),
}
"""Kind -> data. The submission and its pins are told apart: there is always one of them."""

_MINUTES = st.integers(-400 * 24 * 60, 800 * 24 * 60)
_MOMENTS = st.one_of(st.integers(0, 60), _MINUTES)


def _fact(number: int, kind: str, data: Data, minutes: int, late: int) -> Fact:
    at = START + timedelta(minutes=minutes)
    return Fact(
        fact_id=f"fct_{number:03d}",
        kind=kind,
        occurred_at=at,
        received_at=at + timedelta(minutes=late),
        source="src_1",
        data=data,
        # Retractions are of any fact but the first two, or of none that is known.
        retracts=f"fct_{2 + minutes % 25:03d}" if kind == kinds.FACT_RETRACTED else None,
    )


def _won(amount: str, months: str | int) -> list[Fact]:
    """A deal that was accepted, told in full and won: what most rules pay for."""
    entered = {"stage": "won", "rank": 4, "milestone": "won", "outcome": "won", "ladder": LADDER}
    facts: list[tuple[str, Data]] = [
        (kinds.REVIEW_DECIDED, {"decision": "accept", "state": "accepted"}),
        (kinds.AMOUNT_SET, {"amount": amount, "currency": "USD"}),
        (kinds.FIELD_SET, {"name": "contract_months", "value": months}),
        (kinds.STAGE_ENTERED, entered),
        (kinds.INVOICE_PAID, {"invoice_id": "I-1", "amount_net": amount, "currency": "USD"}),
    ]
    return [_fact(number, *fact, number, 0) for number, fact in enumerate(facts, start=2)]


@st.composite
def stories(draw: Any, most: int = 14) -> tuple[list[Fact], Parties]:  # noqa: ANN401 - as above
    """A submission with what is pinned, and up to ``most`` facts of any kind at any time."""
    shares = draw(st.one_of(share_rows(), share_rows(), share_rows(), st.just([])))
    pinned: Data = {"version": 1, "shares": shares}
    pinned |= {"attributes": draw(ATTRIBUTES), "overrides": draw(OVERRIDES)}
    pinned |= {"partners": draw(PARTNERS_PINNED)}
    pinned |= {"declared": draw(st.one_of(st.just([]), st.just([]), SOME_CATEGORIES))}
    if draw(st.booleans()):
        pinned["touch_at"] = (START - timedelta(days=draw(st.integers(-5, 90)))).isoformat()
    told = [
        _fact(0, kinds.SUBMITTED, {}, 0, 0),
        _fact(1, kinds.TERMS_PINNED, pinned, 0, 0),
    ]
    if draw(st.sampled_from((True, True, True, False))):
        told += _won(draw(GOOD_AMOUNTS), draw(_one("12", 24, "")))
    likely = _one(kinds.INVOICE_PAID, kinds.REFUNDED, kinds.RENEWED, kinds.AMOUNT_SET)
    chosen = draw(st.lists(st.one_of(likely, _one(*SHAPES)), max_size=most))
    for number, kind in enumerate(chosen, start=len(told)):
        late = draw(st.one_of(st.just(0), st.integers(0, 500 * 24 * 60)))
        told.append(_fact(number, kind, draw(SHAPES[kind]), draw(_MOMENTS), late))
    parts = tuple(CreditShare(**row) for row in shares)
    return told, Parties(lead_id="led_1", shares=parts)

"""Looking back only at what changed keeps what looking at everything at every receipt keeps."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from hypothesis import given, settings
from hypothesis import strategies as st

from shared.domain import facts as kinds
from shared.domain import referrals
from shared.domain.case import Case, open_case
from shared.domain.clawback import earlier_cases, kept
from shared.domain.facts import Fact, in_order
from shared.domain.occurrences import Worth, occurrences, worth
from shared.domain.terms import FACE_VALUE_KINDS, Rule, Terms
from shared.domain.terms_reader import parse_terms
from shared.domain.verdicts import Refusal
from tests.builders.money import DAY, START, Story, parties
from tests.properties.definitions import any_terms
from tests.properties.told import stories

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from shared.domain.entitlements import Parties

Told = tuple[list[Fact], "Parties"]
Level = tuple[int, datetime, Worth]
TIMELESS = {
    kinds.SUBMITTED,
    kinds.TERMS_PINNED,
    kinds.RATE_PINNED,
    kinds.STANDING_PINNED,
    kinds.ALLOWANCE_PINNED,
    kinds.FORFEITED,
    kinds.CATEGORIES_DECLARED,
    kinds.DEAL_MERGED,
    kinds.REFERRAL_MERGED,
    kinds.LEAD_PASSED_ON,
}


# -- the same, said plainly -----------------------------------------------------------------------


def plainly_kept(rule: Rule, case: Case, known: list[Fact]) -> Mapping[str, Worth]:
    """Judge the whole case anew, as it was right before every receipt."""
    hold = timedelta(days=rule.hold_days)
    limit = hold + timedelta(days=case.terms.clawback_days or 0)
    levels: dict[str, list[Level]] = {}
    best: dict[str, Level] = {}
    previous: datetime | None = None
    for moment in sorted({fact.received_at for fact in known if fact.kind not in TIMELESS}):
        before = [f for f in known if f.received_at < moment or f.kind in TIMELESS]
        then = open_case(case.terms, in_order(before), (), case.parties)
        found = {each.occurrence.key: each for each in given_then(rule, then)}
        for key in {*levels, *found}:
            now = found.get(key)
            told = (now.raise_release_at - hold, previous) if now else ()
            since = max((at for at in told if at), default=moment)
            levels[key] = with_level(levels.get(key, []), now, since)
            for level in levels[key]:
                is_more = key not in best or level[0] > best[key][0]
                if is_more and level[1] + limit <= moment:
                    best[key] = level
        previous = moment
    return {key: replace(found, is_kept=True) for key, (_, _, found) in best.items()}


def with_level(levels: list[Level], now: Worth | None, since: datetime) -> list[Level]:
    if now is None:
        return []
    size = now.worked.total_minor or 1
    lower = [level for level in levels if level[0] < size]
    higher = levels[len(lower) :]
    return [*lower, (size, higher[0][1] if higher else since, now)]


def given_then(rule: Rule, case: Case) -> Iterator[Worth]:
    if case.deal.review in referrals.OPEN_REVIEW or case.deal.holds:
        return
    try:
        candidates = occurrences(rule, case)
    except Refusal:
        return
    for occurrence in candidates:
        try:
            found = worth(rule, case, occurrence)
        except Refusal:
            continue
        if found.worked.total_minor > 0 or rule.kind not in FACE_VALUE_KINDS:
            yield found


# -- and both agree -------------------------------------------------------------------------------


def check(terms: Terms, known: list[Fact], who: Parties) -> None:
    facts = tuple(known)
    case = open_case(terms, in_order(facts), facts, who)
    looked_back = earlier_cases(case, facts)
    for rule in terms.rules:
        if not rule.is_partner_level:
            expected = plainly_kept(rule, case, known)
            assert dict(expected) == dict(kept(rule, looked_back))


@given(any_terms(), stories(most=24), st.integers(0, 20), st.booleans())
@settings(max_examples=200)
def test_whatever_is_told(terms: Terms, told: Told, days: int, in_time: bool) -> None:  # noqa: FBT001
    known = [replace(f, received_at=max(f.occurred_at, START)) for f in told[0]]
    check(replace(terms, clawback_days=days), known if in_time else told[0], told[1])


INVOICES = ("I-1", "I-2", "I-3", "I-4", "I-5")
AMOUNTS = st.sampled_from(["0.00", "10.00", "33.33", "100.00", "100.00"])
MONEY = {"amount": AMOUNTS, "currency": st.sampled_from(["USD"] * 8 + ["EUR"])}
PARTS = st.sampled_from(["deal"] * 4 + ["renewal:N-1", *(f"invoice:{name}" for name in INVOICES)])
TAKEN = {**MONEY, "of": PARTS}
PAID = {"amount_net": AMOUNTS, "currency": MONEY["currency"]}
CHOICES: dict[str, dict[str, st.SearchStrategy[Any]]] = {
    kinds.INVOICE_PAID: {**PAID, "invoice_id": st.sampled_from(INVOICES)},
    kinds.RENEWED: {**MONEY, "renewal_id": st.sampled_from(["N-1", "N-2"])},
    kinds.REFUNDED: {**TAKEN, "refund_id": st.sampled_from(["R-1", "R-2", "R-3", "R-4"])},
    kinds.CHARGED_BACK: {**TAKEN, "chargeback_id": st.sampled_from(["C-1", "C-2"])},
    kinds.CHARGEBACK_REVERSED: {"chargeback_id": st.sampled_from(["C-1", "C-2"])},
    kinds.AMOUNT_SET: MONEY,
    kinds.MILESTONE_REACHED: {"milestone": st.just("meeting_held")},
    kinds.FACT_RETRACTED: {},
    kinds.HOLD_PLACED: {"hold_id": st.just("h")},
    kinds.HOLD_RELEASED: {"hold_id": st.just("h")},
    kinds.REVIEW_DECIDED: {"state": st.sampled_from(["accepted", "rejected"])},
}
OFTEN = st.sampled_from([kinds.INVOICE_PAID] * 6 + [kinds.REFUNDED] * 4 + list(CHOICES))
DAYS = st.sampled_from([0, 1, 5, 20])


@st.composite
def sales(draw: Any) -> Told:  # noqa: ANN401 - as Hypothesis passes it
    """A won deal with invoices and what is taken off them, told mostly as it occurs."""
    story = Story().submitted().reviewed("accepted", at=START)
    story.amount("500.00", at=START).stage("won", at=START).position(2)
    at = START
    for number, kind in enumerate(draw(st.lists(OFTEN, min_size=12, max_size=24))):
        at += draw(DAYS) * DAY
        data = draw(st.fixed_dictionaries(CHOICES[kind]))
        rate = draw(st.sampled_from(["", "1.5"]))
        story.add(
            kind,
            str(number),
            data | {"rate": rate} if "currency" in data else data,
            at=at - draw(st.sampled_from([0, 0, 0, 3, 40])) * DAY,
            received_at=at,
        )
    # By then whatever stands is kept.
    story.stage("lost", at=at + 60 * DAY)
    # What is taken back may come after the word that it is.
    taken = st.sampled_from([fact.fact_id for fact in story.facts[5:]])
    story.facts[:] = [
        replace(fact, retracts=draw(taken)) if fact.kind == kinds.FACT_RETRACTED else fact
        for fact in story.facts
    ]
    return story.facts, parties("ptr_1")


RULES: list[dict[str, Any]] = [
    {"occurrence": "every_invoice", "value": {"percent": "10", "of": "invoice_net"}},
    {"occurrence": "every_invoice", "value": {"fixed": "5.00"}, "refund": "pro_rata"},
    {"occurrence": "every_renewal", "value": {"percent": "10", "of": "deal_amount"}},
    {"occurrence": "every_renewal", "value": {"fixed": "5.00"}, "refund": "void"},
    {"occurrence": "every_renewal", "value": {"percent": "10", "of": "first_invoice"}},
    {"occurrence": "every_invoice", "value": {"percent": "10", "of": "deal_amount"}},
    {
        "occurrence": "once",
        "value": {"percent": "10", "of": "deal_amount"},
        "tiers": {"by": "count", "milestone": "won", "steps": [{"from": 2, "percent": "20"}]},
    },
    {"occurrence": "once", "value": {"percent": "10", "of": "deal_amount"}},
    {"occurrence": "once", "value": {"percent": "10", "of": "first_invoice"}},
]
LIMITS = st.sampled_from(
    [{}, {"limit": {"times": 1}}, {"limit": {"times": 2}}, {"limit": {"months": 1}}]
)
MILESTONES = st.sampled_from(["won", "won", "invoice_paid", "accepted", "meeting_held"])
IMPLIED = st.sampled_from([{}, {"invoice_paid": ["accepted"]}])


@st.composite
def sale_terms(draw: Any) -> Terms:  # noqa: ANN401 - as Hypothesis passes it
    """Rules of every kind that looks at invoices and renewals."""
    fixed = {"beneficiary": "partner", "kind": "cash", "milestone": draw(MILESTONES)}
    limits, hold_days = draw(LIMITS), draw(DAYS)
    rules = [
        {"id": f"r{number}", **fixed, **rule, "hold_days": hold_days}
        | (limits if rule["occurrence"] != "once" else {})
        for number, rule in enumerate(RULES)
    ]
    definition = {
        "name": "t",
        "implies": draw(IMPLIED),
        "windows": {"clawback_days": draw(DAYS), "credit_days": 1_000},
        "rules": rules,
    }
    return parse_terms(definition, currency="USD")


@given(sale_terms(), sales())
@settings(max_examples=300)
def test_whatever_is_paid_and_refunded(terms: Terms, told: Told) -> None:
    check(terms, *told)

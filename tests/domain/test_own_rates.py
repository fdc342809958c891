"""Whose rate pays: a referral's own before the link's, the partner's, the group's, the tier's."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from shared.domain.claims import may_pass
from shared.domain.evaluation import Evaluation, evaluate
from shared.domain.facts import FACT_RETRACTED, RATE_SET
from shared.domain.leads import Lead
from shared.domain.partners import Enrolment, Partner
from shared.domain.pinning import pin
from shared.domain.simulation import with_terms
from shared.domain.terms import LEVELS, Terms
from shared.domain.terms_reader import parse_terms
from tests.builders.money import START, Story, parties

RULE: dict[str, Any] = {
    "id": "rule",
    "beneficiary": "partner",
    "milestone": "won",
    "kind": "cash",
    "value": {"percent": "10", "of": "deal_amount"},
    "hold_days": 30,
}
MATCHES = {"tier": "top", "group": "gold", "partner": "ptr_1", "link": "summer"}
PERCENTS = dict(zip(("program", *LEVELS, "referral"), range(10, 16), strict=True))
OVERRIDES = [
    {"level": level, "match": MATCHES[level], "rule": "rule", "percent": str(PERCENTS[level])}
    for level in LEVELS
]


def terms(*rules: dict[str, Any], **top: Any) -> Terms:  # noqa: ANN401 - any field
    definition = {"name": "t", "rules": list(rules or (RULE,)), **top}
    return parse_terms(definition, currency="USD")


def story(under: Terms | None = None) -> Story:
    """A deal of 1,000.00 that partner ptr_1 of tier top and group gold won through a link."""
    told = Story().submitted()
    if under is not None:
        enrolled = Enrolment(
            partner_id="ptr_1",
            program_id="prg_1",
            terms_version=1,
            accepted_at=START,
            tier="top",
            group="gold",
        )
        pinned = pin(
            under,
            Lead(email="a@b.test"),
            partner=Partner(partner_id="ptr_1", kind="reseller", created_at=START),
            enrolment=enrolled,
            link_code="summer",
            now=START,
        )
        own = {"partner_id": "ptr_1", "link_code": "summer"}
        found: dict[str, Any] = {"attributes": pinned.attributes, "overrides": pinned.overrides}
        data = {**told.facts[1].data, **own, **found}
        told.facts[1] = replace(told.facts[1], data=data)
    return told.reviewed("accepted").amount("1000.00").stage("won")


def rate(told: Story, *, rule: str = "rule", **given: str) -> Story:
    data = {"rule": rule, **given, "actor": "ann", "approved_by": "bob", "reason": "agreed"}
    return told.add(RATE_SET, f"{rule} {given}", data)


def judged(told: Story, under: Terms | None = None, **top: Any) -> Evaluation:  # noqa: ANN401 - any field
    return evaluate(under or terms(**top), told.facts, parties("ptr_1"))


def amounts(evaluation: Evaluation) -> dict[str, int]:
    return {row.rule_id: row.amount_minor for row in evaluation.entitlements}


@pytest.mark.parametrize("number", range(len(PERCENTS)))
def test_each_level_wins_over_those_below_it_and_is_recorded(number: int) -> None:
    level = tuple(PERCENTS)[number]
    under = terms(overrides=OVERRIDES[: min(number, len(LEVELS))])
    told = story(under)
    if level == "referral":
        rate(told, percent=str(PERCENTS[level]))

    found = judged(told, under)

    assert {"rule": PERCENTS[level] * 1_000} == amounts(found)
    assert [level] == [line.level for line in found.trace]


def test_those_who_share_are_paid_by_the_introducers_rate() -> None:
    under = terms(overrides=[OVERRIDES[2], {**OVERRIDES[2], "match": "ptr_2", "percent": "50"}])

    found = evaluate(under, story(under).facts, parties("ptr_1", "ptr_2"))

    assert [("ptr_1", 6_500), ("ptr_2", 6_500)] == [
        (row.holder_id, row.amount_minor) for row in found.entitlements
    ]


# -- a referral's own rate ------------------------------------------------------------------------


def test_the_trace_and_the_reward_name_the_fact() -> None:
    told = rate(story(), percent="12")

    found = judged(told)

    fact_id = told.facts[-1].fact_id
    assert fact_id in found.trace[0].facts
    assert fact_id in found.entitlements[0].cause


@pytest.mark.parametrize(
    ("rates", "expected"),
    [
        ([{"percent": "12"}], 12_000),
        ([{"percent": "12"}, {"percent": "8"}], 8_000),
        ([{"percent": "12"}, {"fixed": "7.50"}], 750),
        ([{"fixed": "7.50"}, {"percent": "12.5"}], 12_500),
        ([{"fixed": "0"}], None),
    ],
)
def test_the_one_set_last_holds(rates: list[dict[str, str]], expected: int | None) -> None:
    told = story()
    for given in rates:
        rate(told, **given)

    assert ({} if expected is None else {"rule": expected}) == amounts(judged(told))


def test_one_that_is_taken_back_gives_way_to_the_one_before() -> None:
    told = rate(rate(story(), percent="12"), percent="8")
    first, last = told.facts[-2:]
    for taken_back, expected in ((last, 12_000), (first, 10_000)):
        told.add(FACT_RETRACTED, taken_back.fact_id, {})
        told.facts[-1] = replace(told.facts[-1], retracts=taken_back.fact_id)

        assert {"rule": expected} == amounts(judged(told))


def test_other_rules_keep_theirs() -> None:
    found = judged(rate(story(), percent="12"), terms(RULE, {**RULE, "id": "other"}))

    assert {"rule": 12_000, "other": 10_000} == amounts(found)
    assert ["referral", "program"] == [line.level for line in found.trace]


def test_a_rate_of_a_rule_that_is_gone_changes_nothing() -> None:
    assert {"rule": 10_000} == amounts(judged(rate(story(), rule="gone", percent="12")))


def test_the_caps_of_the_rule_still_hold() -> None:
    capped = terms({**RULE, "caps": {"reward": "110.00"}})

    assert {"rule": 11_000} == amounts(judged(rate(story(), percent="12"), capped))


def test_a_raise_waits_no_longer_than_the_reward_itself() -> None:
    """The hold is for what the customer may still do; two persons have looked at the rate."""
    told = (story(), rate(story(), percent="12"))
    before, after = (judged(each).entitlements[0] for each in told)

    assert (before.release_at, before.raise_release_at) == (
        after.release_at,
        after.raise_release_at,
    )


def test_a_lower_rate_that_comes_too_late_takes_nothing_back() -> None:
    told = story()
    at = START + timedelta(days=30 + 20 + 1)
    told.add(RATE_SET, "", {"rule": "rule", "percent": "1"}, at=at)

    found = judged(told, windows={"clawback_days": 20})

    assert {"rule": 10_000} == amounts(found)
    assert "clawback_limit" == found.trace[0].code
    assert {"rule": 1_000} == amounts(judged(told, windows={"clawback_days": 30}))


def test_a_lead_passes_on_whatever_its_rate() -> None:
    assert may_pass(rate(Story().submitted(), percent="12").facts, "ptr_2")


# -- other terms ----------------------------------------------------------------------------------


def under_other_terms(told: Story, other: Terms) -> Story:
    return Story(facts=list(with_terms(other, told.facts, version=0)))


@pytest.mark.parametrize(("level", "percent"), [("partner", 13_000), ("link", 14_000)])
def test_a_draft_gives_partners_and_links_its_own_rates(level: str, percent: int) -> None:
    draft = terms(overrides=[row for row in OVERRIDES if row["level"] == level])

    found = judged(under_other_terms(story(terms()), draft), draft)

    assert {"rule": percent} == amounts(found)
    assert level == found.trace[0].level


def test_a_draft_without_them_takes_them_away_and_leaves_the_referrals_own() -> None:
    told = story(terms(overrides=OVERRIDES))
    draft = terms(RULE, {**RULE, "id": "other"})

    assert {"rule": 10_000, "other": 10_000} == amounts(
        judged(under_other_terms(told, draft), draft)
    )
    rate(told, percent="15")
    assert {"rule": 15_000, "other": 10_000} == amounts(
        judged(under_other_terms(told, draft), draft)
    )

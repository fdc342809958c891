from __future__ import annotations

import pytest

from shared.domain import plain_words as words
from shared.domain.rewards_table import notes, rewards_page, rewards_table
from shared.domain.terms_reader import parse_terms
from tests.builders.rich_terms import rich_definition

TERMS = parse_terms(rich_definition(), currency="USD")
ROWS = {row.rule_id: row for row in rewards_table(TERMS)}


def test_each_rule_has_its_row_in_order() -> None:
    assert [rule.rule_id for rule in TERMS.rules] == [row.rule_id for row in rewards_table(TERMS)]


@pytest.mark.parametrize(
    ("rule_id", "when"),
    [
        (
            "commission",
            (
                "when the deal is won, if the deal amount is at least 10,000.00 USD and"
                " (the plan is pro or team, the lead is a new customer or the region is not north)"
            ),
        ),
        ("fixed_tier", "when the customer buys more"),
        (
            "invoices",
            (
                "every time an invoice is paid, once the deal is won,"
                " at most 12 times and within 12 months"
            ),
        ),
        ("perk", "every 5th time that the deal is won"),
        ("achievement", "the 3rd, 10th and 25th time that the deal is won"),
        ("renewals", "every time the contract is renewed, once and within 1 month"),
    ],
)
def test_a_row_says_when(rule_id: str, when: str) -> None:
    assert when == ROWS[rule_id].when


@pytest.mark.parametrize(
    ("rule_id", "how_much"),
    [
        ("commission", "10 % of the deal amount"),
        ("fixed_tier", "50.00 USD"),
        ("invoices", "20 % of each paid invoice without taxes"),
        (
            "by_months",
            (
                "by the contract's length in months: from 12: 1 month (worth 49.00 USD);"
                " from 24: 2 months (worth 98.00 USD); otherwise 1 week"
            ),
        ),
        ("by_plan", "by the plan: pro: 5 % of the value of the first year; team: 25.00 USD"),
        ("monthly", "10 % of 3 months' value"),
        ("discount", "20 % off (worth 100.00 USD)"),
        ("perk", "2 x licence"),
    ],
)
def test_a_row_says_how_much(rule_id: str, how_much: str) -> None:
    assert how_much == ROWS[rule_id].how_much


def test_a_row_says_how_the_value_rises() -> None:
    assert (
        "12 % from the 6th time that the deal is won, counted per calendar year"
        == ROWS["commission"].rises
    )
    assert (
        "70.00 USD from 100,000.00 USD in deals of which the customer buys more,"
        " counted over all time, for all of them once a step is reached"
    ) == ROWS["fixed_tier"].rises
    assert "" == ROWS["perk"].rises


def test_a_row_says_how_long_it_is_held() -> None:
    assert "for 30 days after we learn of it" == ROWS["commission"].held
    assert "until it has lasted 60 days" == ROWS["fixed_tier"].held
    assert "not held" == ROWS["perk"].held


def test_a_row_says_what_a_refund_does() -> None:
    assert "follows what the customer keeps" == ROWS["commission"].refunds
    assert "taken back" == ROWS["fixed_tier"].refunds
    assert "kept" == ROWS["perk"].refunds
    assert (
        "a percentage follows what the customer keeps; an amount: kept" == ROWS["by_plan"].refunds
    )


@pytest.mark.parametrize(
    ("kind", "value", "words_of"),
    [
        ("cash", {"fixed": "5.00"}, "reduced by the refunded part once 50 % is refunded"),
        ("perk", {"quantity": 1, "unit": "seat"}, "taken back once 50 % is refunded"),
    ],
)
def test_what_can_not_be_divided_is_taken_back(
    kind: str, value: dict[str, object], words_of: str
) -> None:
    definition = rich_definition()
    rule = {
        "id": "one",
        "beneficiary": "partner",
        "milestone": "won",
        "kind": kind,
        "value": value,
        "refund": "pro_rata",
        "refund_threshold": "50",
    }
    terms = parse_terms({"name": definition["name"], "rules": [rule]}, currency="USD")

    assert words_of == rewards_table(terms)[0].refunds


def test_a_row_says_its_limits() -> None:
    assert (
        "at most 500.00 USD per reward; what goes beyond is not given at all",
        "at most 800.00 USD per introduction; what goes beyond is not given at all",
        (
            "at most 5,000.00 USD per calendar year per partner, over all rewards together;"
            " what is beyond is cut"
        ),
        (
            "at most 9,000.00 USD per month for the whole programme, together with perk;"
            " what goes beyond is not given at all"
        ),
    ) == ROWS["commission"].caps
    assert len(ROWS["achievement"].caps) == 1


def test_special_rates_are_named() -> None:
    assert ("15 % for partners of tier gold",) == ROWS["commission"].special
    assert () == ROWS["perk"].special


@pytest.mark.parametrize(
    ("nth", "words_of"),
    [
        (1, "every time that the deal is won"),
        (2, "every 2nd time that the deal is won"),
        (11, "every 11th time that the deal is won"),
    ],
)
def test_every_how_many_times_is_said_as_people_do(nth: int, words_of: str) -> None:
    definition = rich_definition()
    rule = next(rule for rule in definition["rules"] if rule["id"] == "perk")
    terms = parse_terms({"name": "t", "rules": [{**rule, "nth": nth}]}, currency="USD")

    assert words_of == rewards_table(terms)[0].when


@pytest.mark.parametrize(
    ("level", "match", "words_of"),
    [
        ("group", "gold", "15 % for partners of group gold"),
        ("partner", "ptr_1", "15 % for the partner ptr_1"),
        ("link", "summer", "15 % through the link summer"),
    ],
)
def test_each_level_of_special_rates_is_named(level: str, match: str, words_of: str) -> None:
    override = {"level": level, "match": match, "rule": "commission", "percent": "15"}
    terms = parse_terms({**rich_definition(), "overrides": [override]}, currency="USD")

    assert (words_of,) == rewards_table(terms)[0].special
    assert words_of in rewards_page("P", terms, public=False)
    assert match not in rewards_page("P", terms, public=True)


def test_notes_say_what_holds_for_all() -> None:
    assert (
        "What is rewarded must be reached within 200 days of the introduction.",
        "What was released for an introduction is taken back only within 300 days.",
        "Only for partners of kind affiliate.",
        "Only in the regions south.",
        (
            "A partner earns only by introductions made after accepting the agreement and the code"
            " of conduct."
        ),
        "A partner earns from the 3rd accepted introduction on.",
        (
            "Nothing is earned by or for public officials or the buyer's own staff; what was, is"
            " taken back whenever we learn of it."
        ),
        "Who introduces oneself is never rewarded.",
        "Partners who introduce together share in equal parts.",
        "A partner whose account is closed loses what is still held.",
    ) == notes(TERMS)


def test_the_public_page_leaves_special_rates_out() -> None:
    private, public = (rewards_page("Demo", TERMS, public=flag) for flag in (False, True))

    assert "15 % for partners of tier gold" in private
    assert "gold" not in public
    assert public.count("<tr>") == 1 + len(TERMS.rules)


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (1, "1st"),
        (2, "2nd"),
        (3, "3rd"),
        (4, "4th"),
        (11, "11th"),
        (12, "12th"),
        (13, "13th"),
        (21, "21st"),
        (111, "111th"),
        (1_002, "1,002nd"),
    ],
)
def test_places_are_written_as_people_do(number: int, text: str) -> None:
    assert text == words.ordinal(number)


@pytest.mark.parametrize(
    ("minor", "currency", "text"),
    [(1_000_000, "USD", "10,000.00 USD"), (1_234, "JPY", "1,234 JPY"), (5, "KWD", "0.005 KWD")],
)
def test_amounts_are_written_for_people(minor: int, currency: str, text: str) -> None:
    assert text == words.money(minor, currency)

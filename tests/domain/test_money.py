"""Exact arithmetic in minor units, against Decimal as the oracle."""

from __future__ import annotations

from collections import Counter
from decimal import ROUND_HALF_UP, Decimal, localcontext

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.domain import money
from shared.domain.errors import InvalidFieldsError


@pytest.mark.parametrize(
    ("text", "currency", "minor"),
    [
        ("20000.00", "USD", 2_000_000),
        ("0.005", "USD", 1),
        ("0.0049", "USD", 0),
        ("-5", "USD", -500),
        ("1234", "JPY", 1_234),
        ("1.5", "JPY", 2),
        ("1.2345", "KWD", 1_235),
        ("1.00005", "CLF", 10_001),
    ],
)
def test_decimal_strings_become_minor_units(text: str, currency: str, minor: int) -> None:
    assert minor == money.parse_amount(text, currency)


@pytest.mark.parametrize(
    "text", ["", "1e5", "+1", "1,000", " 1", "NaN", ".5", "1.", "٣", "1" * 19, 5, 5.0, None, True]
)
def test_anything_else_is_no_amount(text: object) -> None:
    with pytest.raises(InvalidFieldsError) as caught:
        money.parse_amount(text, "USD", "deal.amount")
    assert "deal.amount" == caught.value.errors[0].path


def test_unknown_currency_is_refused() -> None:
    with pytest.raises(InvalidFieldsError) as caught:
        money.parse_amount("1", "XXX")
    assert "currency" == caught.value.errors[0].path


def test_every_currency_of_iso_4217_that_has_minor_units_is_known_by_its_exponent() -> None:
    """List one of 2026-01-01 has 165 of them; BGN left it on that day and must still be read."""
    by_exponent = Counter(money.EXPONENTS.values())
    assert {0: 17, 2: 140, 3: 7, 4: 2} == by_exponent
    assert 165 == len(set(money.EXPONENTS) - {"BGN"})


@pytest.mark.parametrize(
    ("exponent", "codes"),
    [
        (0, "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF"),
        (3, "BHD IQD JOD KWD LYD OMR TND"),
        (4, "CLF UYW"),
    ],
)
def test_odd_exponents_are_those_of_the_list(exponent: int, codes: str) -> None:
    assert set(codes.split()) == {c for c, e in money.EXPONENTS.items() if e == exponent}


@pytest.mark.parametrize("code", ["BOV", "CHE", "CHW", "COU", "MXV", "USN", "XAD", "XCG", "ZWG"])
def test_funds_codes_and_the_newest_codes_have_two_digits(code: str) -> None:
    assert 2 == money.EXPONENTS[code]


@pytest.mark.parametrize(
    "code",
    ["XAG", "XAU", "XBA", "XBB", "XBC", "XBD", "XDR", "XPD", "XPT", "XSU", "XTS", "XUA", "XXX"],
)
def test_what_has_no_minor_units_is_no_money(code: str) -> None:
    assert not money.is_currency(code)


@pytest.mark.parametrize("code", ["HRK", "ANG", "ZWL", "usd", "US", "", "EURO"])
def test_old_codes_and_other_spellings_are_no_currency(code: str) -> None:
    assert not money.is_currency(code)


def test_amounts_are_bounded() -> None:
    assert money.MAX_MINOR == money.parse_amount("10000000000000.00", "USD")
    with pytest.raises(InvalidFieldsError):
        money.parse_amount("10000000000000.01", "USD")


@pytest.mark.parametrize(
    ("minor", "currency", "text"),
    [(175_000, "USD", "1750.00"), (-1, "USD", "-0.01"), (7, "JPY", "7"), (7, "KWD", "0.007")],
)
def test_amounts_are_written_with_all_digits(minor: int, currency: str, text: str) -> None:
    assert text == money.format_amount(minor, currency)
    assert {"amount": text, "currency": currency} == money.money_json(minor, currency)


@given(st.integers(-(10**15), 10**15), st.sampled_from(sorted(money.EXPONENTS)))
def test_writing_and_reading_is_exact(minor: int, currency: str) -> None:
    assert minor == money.parse_amount(money.format_amount(minor, currency), currency)


@given(st.integers(0, 10**15), st.decimals("0.0001", "100", places=4))
def test_percentages_round_half_up(minor: int, percent: Decimal) -> None:
    exact = (Decimal(minor) * percent / 100).quantize(Decimal(1), rounding=ROUND_HALF_UP)
    assert int(exact) == money.percent_of(minor, percent)


@given(st.integers(0, 10**15), st.lists(st.integers(0, 10_000), min_size=1, max_size=8))
def test_splits_conserve_and_stay_within_one_unit(minor: int, weights: list[int]) -> None:
    if not sum(weights):
        return
    parts = money.split(minor, weights)
    assert minor == sum(parts)
    for part, weight in zip(parts, weights, strict=True):
        assert abs(Decimal(part) - Decimal(minor) * weight / sum(weights)) < 1


def test_equal_remainders_go_to_the_first() -> None:
    assert (34, 33, 33) == money.split(100, [1, 1, 1])


@pytest.mark.parametrize(
    ("minor", "weights", "parts"),
    [
        (4, [3, 4], (2, 2)),
        (4, [4, 3], (2, 2)),
        (10, [1, 2, 4], (1, 3, 6)),
        (10, [5, 5, 5], (4, 3, 3)),
        (11, [5, 5, 5], (4, 4, 3)),
        (0, [1, 2], (0, 0)),
        (7, [0, 1], (0, 7)),
    ],
)
def test_what_is_left_over_goes_to_the_largest_remainders(
    minor: int, weights: list[int], parts: tuple[int, ...]
) -> None:
    assert parts == money.split(minor, weights)


@pytest.mark.parametrize("digits", [1, 28])
def test_no_setting_of_the_process_changes_an_amount(digits: int) -> None:
    with localcontext() as context:
        context.prec = digits
        assert 1_234_567_890 == money.to_minor(Decimal("12345678.895"), "USD")
        assert 123_456_790 == money.percent_of(1_234_567_895, Decimal("10.00000004"))
        large = Decimal("999999999999999999.494999999999999999")
        assert 99_999_999_999_999_999_949 == money.to_minor(large, "USD")

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.domain.keyed import Receipt, derive, email_hmac, read_receipt_token, receipt_token

SECRET = b"s" * 32
RECEIPT = Receipt(referral_id="ref_01k0", received_at=datetime(2026, 11, 21, 10, tzinfo=UTC))


def test_every_label_has_a_key_of_its_own() -> None:
    assert derive(SECRET, "a") != derive(SECRET, "b")
    assert derive(SECRET, "a") != derive(b"t" * 32, "a")
    assert 32 == len(derive(SECRET, "a"))


def test_a_look_up_is_stable_and_depends_on_secret_and_address() -> None:
    found = email_hmac(SECRET, "lena@lead.test")

    assert found == email_hmac(SECRET, "lena@lead.test")
    assert found != email_hmac(b"t" * 32, "lena@lead.test")
    assert found != email_hmac(SECRET, "lea@lead.test")
    assert 32 == len(found)
    assert int(found, 16) >= 0


def test_a_receipt_survives_the_token_to_the_second() -> None:
    assert RECEIPT == read_receipt_token(receipt_token(SECRET, RECEIPT), SECRET)


def test_a_token_under_another_secret_is_refused() -> None:
    assert read_receipt_token(receipt_token(b"t" * 32, RECEIPT), SECRET) is None


def test_every_changed_symbol_is_refused() -> None:
    token = receipt_token(SECRET, RECEIPT)

    changed = [
        token[:place] + ("0" if token[place] != "0" else "1") + token[place + 1 :]
        for place in range(len(token))
    ]

    assert [None] * len(token) == [read_receipt_token(each, SECRET) for each in changed]


@pytest.mark.parametrize("text", ["", ".", "ref_1..", "ref_1.0.", "é" * 30, "a" * 10_000])
def test_what_is_no_token_is_refused(text: str) -> None:
    assert read_receipt_token(text, SECRET) is None


@given(st.text(max_size=300))
def test_no_text_is_a_token_by_chance(text: str) -> None:
    assert read_receipt_token(text, SECRET) is None

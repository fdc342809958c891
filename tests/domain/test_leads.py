from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.domain.leads import Lead, Submission, digest, normalise_email


@pytest.mark.parametrize(
    ("spelling", "same_as"),
    [
        ("Lena@Lead.Test", "lena@lead.test"),
        (" lena@lead.test ", "lena@lead.test"),
        ("lena+demo@lead.test", "lena@lead.test"),
        ("l.e.n.a@gmail.com", "lena@gmail.com"),
        ("lena@googlemail.com", "lena@gmail.com"),
        ("lena@exämple.de", "lena@xn--exmple-cua.de"),
        ("lena@lead.test.", "lena@lead.test"),
    ],
)
def test_spellings_of_one_address_are_equal(spelling: str, same_as: str) -> None:
    assert normalise_email(same_as) == normalise_email(spelling)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("lena@lead.test", "lena@other.test"),
        ("l.ena@lead.test", "lena@lead.test"),
        ("+a@lead.test", "+b@lead.test"),
        ("lena@lead.test", "lea@lead.test"),
    ],
)
def test_different_people_stay_apart(one: str, other: str) -> None:
    assert normalise_email(one) != normalise_email(other)


def test_a_domain_that_is_no_host_name_still_matches_itself() -> None:
    address = "lena@" + "a" * 70 + ".test"

    assert address == normalise_email(address)


@given(st.emails())
def test_normalising_twice_changes_nothing(address: str) -> None:
    once = normalise_email(address)

    assert once == normalise_email(once)


@given(st.text(max_size=100))
def test_any_text_has_a_normal_form(text: str) -> None:
    assert "@" in normalise_email(text)


def test_the_digest_depends_on_every_field_and_not_on_empty_ones() -> None:
    plain = Submission(lead=Lead(email="lena@lead.test"))
    others = [
        Submission(lead=Lead(email="lena@lead.test", company="Acme")),
        Submission(lead=Lead(email="lena@lead.test", metadata={"size": "5"})),
        Submission(lead=Lead(email="lena@lead.test"), codes=("pia-code",)),
        Submission(lead=Lead(email="lena@lead.test"), click_ids=("v1.x",)),
        Submission(lead=Lead(email="lena@lead.test"), via="pia-code"),
    ]

    digests = {digest("prg_1", each) for each in (plain, *others)}

    assert 6 == len(digests)
    assert digest("prg_1", plain) != digest("prg_2", plain)


def test_the_digest_can_be_recomputed_from_its_documented_form() -> None:
    sent = Submission(lead=Lead(email="lena@lead.test", first_name="Léna"), codes=("pia-code",))

    # SHA-256 of {"fields":{"code":"pia-code","email":"lena@lead.test","first_name":"Léna"},
    # "program_id":"prg_1"} without the line break, in UTF-8.
    expected = "fd7642cf9a0066ee5cb0304eabc27d91241b395cb0a0b7c403512a83d41e6c6f"
    assert expected == digest("prg_1", sent)

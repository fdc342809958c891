from __future__ import annotations

from base64 import urlsafe_b64encode
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.domain import click_tokens
from shared.domain.click_tokens import (
    BAD_SIGNATURE,
    KNOWN_AFTER,
    MALFORMED,
    MAX_KEYS,
    OTHER_PROGRAM,
    RETIRED_FOR,
    UNKNOWN_KEY,
    BadTokenError,
    ClickToken,
    Keyring,
    SigningKey,
    issue,
    read,
    rotated,
)
from shared.domain.errors import ConflictError

NOW = datetime(2026, 1, 2, 3, 4, 5, 678_000, tzinfo=UTC)
OLD_KEY = SigningKey(key_id="k1", secret=b"o" * 32, created_at=NOW - timedelta(days=9))
NEW_KEY = SigningKey(key_id="k2", secret=b"n" * 32, created_at=NOW - KNOWN_AFTER)
RING = Keyring(keys=(OLD_KEY, NEW_KEY))
TOKEN = ClickToken(
    click_id="clk_01",
    code="spring",
    partner_id="ptr_01",
    program_id="prg_01",
    clicked_at=NOW,
)


def reason_of(text: str, ring: Keyring = RING, program_id: str = "prg_01") -> str:
    with pytest.raises(BadTokenError) as caught:
        read(text, ring, program_id=program_id)
    return caught.value.reason


def test_a_token_states_what_was_issued() -> None:
    assert TOKEN == read(issue(TOKEN, RING), RING, program_id="prg_01")


def test_the_form_of_a_token_is_stable() -> None:
    assert (
        "v1.k2.WyJjbGtfMDEiLCJzcHJpbmciLCJwdHJfMDEiLCJwcmdfMDEiLDE3NjczMjMwNDU2Nzhd"
        ".OlhmIKHY6NQUvD68wIBMpg"
    ) == issue(TOKEN, RING)


@given(
    words=st.tuples(*[st.text(max_size=12)] * 4),
    at=st.datetimes(min_value=datetime(1970, 1, 1), timezones=st.just(UTC)),  # noqa: DTZ001 - the zone is added
)
def test_any_token_survives_the_journey_to_the_millisecond(
    words: tuple[str, str, str, str], at: datetime
) -> None:
    click_id, code, partner_id, program_id = words
    token = ClickToken(
        click_id=click_id,
        code=code,
        partner_id=partner_id,
        program_id=program_id,
        clicked_at=at.replace(microsecond=at.microsecond // 1_000 * 1_000),
    )

    assert token == read(issue(token, RING), RING, program_id=program_id)


def test_the_newest_key_signs_wherever_it_stands() -> None:
    assert issue(TOKEN, Keyring(keys=(NEW_KEY, OLD_KEY))).startswith("v1.k2.")


def test_a_new_key_signs_only_once_everybody_has_read_it() -> None:
    born = NEW_KEY.created_at

    assert OLD_KEY == RING.signing(born + KNOWN_AFTER - timedelta(microseconds=1))
    assert NEW_KEY == RING.signing(born + KNOWN_AFTER)
    # But it verifies from the start: clocks differ.
    assert TOKEN == read(issue(TOKEN, Keyring(keys=(NEW_KEY,))), RING, program_id="prg_01")


def test_the_first_key_signs_at_once() -> None:
    first = SigningKey(key_id="k1", secret=b"f" * 32, created_at=NOW)
    second = SigningKey(key_id="k2", secret=b"s" * 32, created_at=NOW + timedelta(seconds=1))

    assert first == Keyring(keys=(second, first)).signing(NOW)


def a_ring(*ages: timedelta) -> Keyring:
    return Keyring(
        keys=tuple(
            SigningKey(key_id=f"k{place}", secret=b"s" * 32, created_at=NOW - age)
            for place, age in enumerate(ages)
        )
    )


def test_renewing_keeps_every_key_while_there_is_room() -> None:
    ring = a_ring(*[timedelta(days=4_000)] * (MAX_KEYS - 1))
    key = SigningKey(key_id="new", secret=b"n" * 32, created_at=NOW)

    assert (*ring.keys, key) == rotated(ring, key).keys


def test_a_full_ring_forgets_the_oldest_once_nothing_of_it_counts() -> None:
    key = SigningKey(key_id="new", secret=b"n" * 32, created_at=NOW)
    retired = RETIRED_FOR + KNOWN_AFTER
    ages = [timedelta(days=300), *[retired] * (MAX_KEYS - 1)]

    kept = rotated(a_ring(*ages), key).keys
    assert MAX_KEYS == len(kept)
    assert "k0" not in {one.key_id for one in kept}
    ages[1:] = [retired - timedelta(microseconds=1)] * (MAX_KEYS - 1)
    with pytest.raises(ConflictError) as refused:
        rotated(a_ring(*ages), key)
    assert "keyring_full" == refused.value.code


def test_every_token_that_is_cut_short_is_refused() -> None:
    text = issue(TOKEN, RING)

    for length in range(len(text)):
        assert reason_of(text[:length]) in {MALFORMED, UNKNOWN_KEY, BAD_SIGNATURE}
        assert reason_of(text[len(text) - length :]) in {MALFORMED, UNKNOWN_KEY, BAD_SIGNATURE}


def test_parts_of_two_tokens_make_none() -> None:
    other = issue(replace(TOKEN, click_id="clk_02", program_id="prg_02"), RING).split(".")
    text = issue(TOKEN, RING).split(".")

    assert BAD_SIGNATURE == reason_of(".".join([*text[:2], other[2], text[3]]))
    assert BAD_SIGNATURE == reason_of(".".join([text[0], "k1", *text[2:]]))


def test_a_retired_key_still_verifies() -> None:
    assert TOKEN == read(issue(TOKEN, Keyring(keys=(OLD_KEY,))), RING, program_id="prg_01")


def test_a_removed_key_no_longer_verifies() -> None:
    assert UNKNOWN_KEY == reason_of(issue(TOKEN, RING), Keyring(keys=(OLD_KEY,)))


def test_another_programmes_token_is_refused() -> None:
    assert OTHER_PROGRAM == reason_of(issue(TOKEN, RING), program_id="prg_02")


def test_a_token_needs_no_escaping_and_is_short() -> None:
    text = issue(TOKEN, RING)

    assert set(text) <= set("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.")
    assert len(text) < 300


def test_every_changed_character_is_noticed() -> None:
    text = issue(TOKEN, RING)

    for position, character in enumerate(text):
        other = "A" if character != "A" else "B"
        changed = text[:position] + other + text[position + 1 :]
        assert reason_of(changed) in {MALFORMED, UNKNOWN_KEY, BAD_SIGNATURE}


def test_a_key_of_the_same_id_and_another_secret_does_not_verify() -> None:
    forger = SigningKey(key_id="k2", secret=b"x" * 32, created_at=NOW)

    assert BAD_SIGNATURE == reason_of(issue(TOKEN, Keyring(keys=(forger,))))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "v1",
        "v1.k2.x",
        "v1.k2.x.y.z",
        "v2.k2.x.y",
        "v1.k2.\u00e9.y",
        "\ud800",
        "v1.k2." + "x" * 1_100 + ".y",
    ],
)
def test_what_has_not_the_form_is_malformed(text: str) -> None:
    assert MALFORMED == reason_of(text)


@pytest.mark.parametrize(
    "payload",
    [b"", b"{}", b"[]", b"null", b'["a","b","c","d"]', b'["a","b","c","d","e"]', b"\xff", b"[1,2"],
)
def test_a_signed_payload_that_states_nothing_is_malformed(payload: bytes) -> None:
    signed = f"v1.k2.{urlsafe_b64encode(payload).decode().rstrip('=')}"

    assert MALFORMED == reason_of(f"{signed}.{click_tokens._tag(NEW_KEY, signed)}")


def test_a_time_beyond_the_calendar_is_malformed() -> None:
    payload = urlsafe_b64encode(b'["a","b","c","prg_01",' + b"9" * 30 + b"]").decode().rstrip("=")
    signed = f"v1.k2.{payload}"

    assert MALFORMED == reason_of(f"{signed}.{click_tokens._tag(NEW_KEY, signed)}")


@given(text=st.text(max_size=60))
def test_no_text_does_anything_but_fail(text: str) -> None:
    assert reason_of(text) in {MALFORMED, UNKNOWN_KEY, BAD_SIGNATURE}


def test_a_ring_without_keys_is_refused() -> None:
    with pytest.raises(ValueError, match="at least one key"):
        Keyring(keys=())


def test_a_secret_is_never_shown() -> None:
    assert "nnnn" not in repr(RING)

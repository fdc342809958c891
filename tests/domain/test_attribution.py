from __future__ import annotations

from datetime import timedelta

import pytest

from shared.domain import attribution
from shared.domain.attribution import Attribution, Evidence, Refusal
from shared.domain.click_tokens import Keyring, SigningKey
from shared.domain.partners import Enrolment
from tests.builders.intake import KEYRING, NOW, click_token, link, partner

ENROLMENT = Enrolment(partner_id="ptr_pia", program_id="prg_1", terms_version=1, accepted_at=NOW)
EVIDENCE = Evidence(kind=attribution.TYPED_CODE, code="pia-code", partner_id="ptr_pia")


def test_a_live_code_names_its_partner() -> None:
    found = attribution.from_code(attribution.TYPED_CODE, link(), program_id="prg_1", now=NOW)

    assert EVIDENCE == found


@pytest.mark.parametrize(
    ("named", "reason"),
    [
        (None, "unknown_code"),
        (link(program_id="prg_2"), "unknown_code"),
        (link(disabled=True), "link_disabled"),
        (link(expires_at=NOW), "link_expired"),
    ],
)
def test_a_code_that_proves_nothing_says_why(named: object, reason: str) -> None:
    found = attribution.from_code(
        attribution.TYPED_CODE,
        named,  # type: ignore[arg-type] # the parameters are links or None
        program_id="prg_1",
        now=NOW,
    )

    assert Refusal(reason=reason) == found


def test_a_link_that_ends_later_still_counts() -> None:
    later = link(expires_at=NOW + timedelta(seconds=1))

    assert EVIDENCE == attribution.from_code(
        attribution.TYPED_CODE, later, program_id="prg_1", now=NOW
    )


def test_a_click_names_partner_link_and_time() -> None:
    found = attribution.from_click(click_token(), KEYRING, program_id="prg_1", now=NOW)

    assert isinstance(found, Evidence)
    assert ("ptr_pia", "pia-code", "clk_1") == (found.partner_id, found.code, found.click_id)
    # A token keeps milliseconds.
    assert found.touched_at is not None
    assert NOW - timedelta(days=1) - found.touched_at < timedelta(milliseconds=1)


def test_a_click_from_the_future_counts_as_now() -> None:
    token = click_token(age=-timedelta(minutes=3))

    found = attribution.from_click(token, KEYRING, program_id="prg_1", now=NOW)

    assert isinstance(found, Evidence)
    assert NOW == found.touched_at


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("rubbish", "click_malformed"),
        (click_token() + "x", "click_bad_signature"),
        (click_token(program_id="prg_2"), "click_other_program"),
    ],
)
def test_a_token_that_proves_nothing_says_why(text: str, reason: str) -> None:
    found = attribution.from_click(text, KEYRING, program_id="prg_1", now=NOW)

    assert Refusal(reason=reason) == found


@pytest.mark.parametrize(
    "keyring",
    [None, Keyring(keys=(SigningKey(key_id="k9", secret=b"x" * 32, created_at=NOW),))],
)
def test_a_token_under_no_known_key_proves_nothing(keyring: Keyring | None) -> None:
    found = attribution.from_click(click_token(), keyring, program_id="prg_1", now=NOW)

    assert Refusal(reason="click_unknown_key") == found


def test_only_an_enrolled_partner_in_good_standing_is_credited() -> None:
    other = Enrolment(partner_id="ptr_otto", program_id="prg_1", terms_version=1, accepted_at=NOW)

    assert "" == attribution.refusal_of(EVIDENCE, partner(), ENROLMENT)
    assert "" == attribution.refusal_of(EVIDENCE, partner(status="suspended"), ENROLMENT)
    assert "not_enrolled" == attribution.refusal_of(EVIDENCE, None, ENROLMENT)
    assert "not_enrolled" == attribution.refusal_of(EVIDENCE, partner(), None)
    assert "not_enrolled" == attribution.refusal_of(EVIDENCE, partner(), other)
    for status in ("applied", "closed"):
        refusal = attribution.refusal_of(EVIDENCE, partner(status=status), ENROLMENT)
        assert "partner_not_active" == refusal


@pytest.mark.parametrize(
    ("age", "outside"),
    [
        (timedelta(days=30), False),
        (timedelta(days=30, microseconds=1), True),
        (timedelta(0), False),
    ],
)
def test_the_window_ends_after_its_last_moment(age: timedelta, *, outside: bool) -> None:
    touched = Evidence(
        kind=attribution.CLICK_TOKEN,
        code="pia-code",
        partner_id="ptr_pia",
        touched_at=NOW - age,
    )

    assert outside == attribution.is_outside_window(touched, 30, NOW)


def test_evidence_without_a_time_is_never_too_old() -> None:
    assert not attribution.is_outside_window(EVIDENCE, 0, NOW)


def test_nobody_gets_no_share_and_keeps_every_reason() -> None:
    found = attribution.nobody("unknown_code", "click_malformed")

    assert "unknown_code,click_malformed" == found.outcome
    assert [] == found.shares
    assert (None, "", "", None) == (
        found.partner_id,
        found.link_code,
        found.click_id,
        found.touch_at,
    )
    assert attribution.NO_EVIDENCE == attribution.nobody().outcome
    assert () == attribution.flags(found, "hmac")


def test_a_partner_gets_the_whole_share() -> None:
    found = Attribution(
        outcome=attribution.TYPED_CODE,
        partner=partner(),
        enrolment=ENROLMENT,
        evidence=EVIDENCE,
    )

    expected = [{"partner_id": "ptr_pia", "role": "introducer", "basis_points": 10_000}]
    assert expected == found.shares


def test_flags_point_a_reviewer_at_self_referral_and_suspension() -> None:
    def flags(lead_hmac: str, **changes: str) -> tuple[str, ...]:
        found = Attribution(outcome="typed_code", partner=partner(**changes))
        return attribution.flags(found, lead_hmac)

    assert ("self_referral",) == flags("h1", email_hmac="h1")
    assert () == flags("h1", email_hmac="h2")
    assert () == flags("", email_hmac="")
    assert ("partner_suspended",) == flags("h1", email_hmac="", status="suspended")

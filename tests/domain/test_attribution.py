from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from shared.domain import attribution
from shared.domain.attribution import Attribution, Credit, Evidence, Refusal
from shared.domain.click_tokens import Keyring, SigningKey
from shared.domain.partners import Address, Enrolment
from shared.domain.pinning import Pinned, pin_partner
from shared.domain.terms import AttributionPolicy, Eligibility
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


def credit(
    partner_id: str = "ptr_pia",
    kind: str = attribution.TYPED_CODE,
    **changes: Any,  # noqa: ANN401 - any field
) -> Credit:
    """A partner with evidence of a kind."""
    return Credit(
        partner=partner(partner_id, **changes),
        enrolment=replace(ENROLMENT, partner_id=partner_id),
        evidence=replace(EVIDENCE, partner_id=partner_id, kind=kind),
    )


def parts(found: Attribution) -> list[tuple[str, str, int]]:
    return [(share.partner_id, share.role, share.basis_points) for share in found.shares]


def touch(click_id: str, days: int) -> Evidence:
    return Evidence(
        kind=attribution.CLICK_TOKEN,
        code="pia-code",
        partner_id="ptr_pia",
        click_id=click_id,
        touched_at=NOW - timedelta(days=days),
    )


def test_nobody_gets_no_share_and_keeps_every_reason() -> None:
    found = attribution.nobody("unknown_code", "click_malformed")

    assert "unknown_code,click_malformed" == found.outcome
    assert () == found.shares
    assert (None, None, "", "", None) == (
        found.winner,
        found.partner_id,
        found.link_code,
        found.click_id,
        found.touch_at,
    )
    assert attribution.NO_EVIDENCE == attribution.nobody().outcome
    assert () == flags_of(found, "hmac")


def test_the_winner_gets_the_whole_where_nothing_splits() -> None:
    found = attribution.credited([credit(), credit("ptr_otto")], AttributionPolicy())

    assert [("ptr_pia", "introducer", 10_000)] == parts(found)
    assert ("typed_code", "ptr_pia", 1) == (found.outcome, found.partner_id, len(found.credits))


@pytest.mark.parametrize(
    ("number", "points"),
    [
        (1, [10_000]),
        (2, [5_000, 5_000]),
        (3, [3_334, 3_333, 3_333]),
        (7, [1_429, 1_429, 1_429, 1_429, 1_428, 1_428, 1_428]),
        (8, [1_250] * 8),
        (9, [1_250] * 8),
    ],
)
def test_equal_parts_sum_to_the_whole_and_are_eight_at_most(number: int, points: list[int]) -> None:
    proved = [credit(f"ptr_{place}") for place in range(number)]

    found = attribution.credited(proved, AttributionPolicy(split="equal"))

    assert points == [share.basis_points for share in found.shares]
    assert 10_000 == sum(points)
    assert len(points) == len(found.credits)


def test_a_code_makes_a_co_referrer_and_a_click_an_assist() -> None:
    proved = [
        credit("a", attribution.CLICK_TOKEN),
        credit("b", attribution.TYPED_CODE),
        credit("c", attribution.CLICK_TOKEN),
        credit("d", attribution.PAGE_CODE),
    ]

    found = attribution.credited(proved, AttributionPolicy(split="equal"))

    roles = ["introducer", "co_referrer", "assist", "assist"]
    assert roles == [share.role for share in found.shares]


CODE, CLICK = attribution.TYPED_CODE, attribution.CLICK_TOKEN


@pytest.mark.parametrize(
    ("kinds", "given", "points"),
    [
        ([CODE], {}, [10_000]),
        ([CODE, CODE], {}, [8_000, 2_000]),
        ([CODE, CLICK], {}, [9_000, 1_000]),
        ([CODE, CODE, CLICK], {}, [7_000, 2_000, 1_000]),
        # What three have to divide goes by largest remainder, earlier evidence first.
        ([CODE, CODE, CODE, CODE], {}, [8_000, 667, 667, 666]),
        # A role that the terms do not name has no part, and its partner is no holder.
        ([CODE, CLICK], {"introducer": 10_000}, [10_000]),
        ([CODE, CODE, CODE], {"introducer": 9_999, "co_referrer": 1}, [9_999, 1]),
    ],
)
def test_parts_by_role(kinds: list[str], given: dict[str, int], points: list[int]) -> None:
    standard = {"introducer": 7_000, "co_referrer": 2_000, "assist": 1_000}
    policy = AttributionPolicy(split="by_role", basis_points=given or standard)

    found = attribution.credited(
        [credit(f"ptr_{place}", kind) for place, kind in enumerate(kinds)], policy
    )

    assert points == [share.basis_points for share in found.shares]
    assert 10_000 == sum(points)
    assert len(kinds) == len(found.credits)


@pytest.mark.parametrize(
    ("model", "codes", "clicks"),
    [
        ("last_touch", ["c", "b", "a"], ["new", "twin 2", "twin 1", "old"]),
        ("first_touch", ["a", "b", "c"], ["old", "twin 1", "twin 2", "new"]),
    ],
)
def test_touches_are_tried_as_the_model_says(
    model: str, codes: list[str], clicks: list[str]
) -> None:
    policy = AttributionPolicy(model=model)
    bad = Refusal(reason="click_malformed")
    sent: list[Evidence | Refusal] = [
        touch("twin 1", 5),
        touch("new", 1),
        bad,
        touch("old", 9),
        touch("twin 2", 5),
    ]

    tried = list(attribution.by_time(sent, policy))

    assert codes == list(attribution.in_turn(["a", "b", "c"], policy))
    assert bad == tried[0]
    assert clicks == [each.click_id for each in tried if isinstance(each, Evidence)]


@pytest.mark.parametrize(
    ("order", "code", "click"),
    [
        (("registration", "code", "click", "email"), True, True),
        (("code", "email", "click"), True, False),
        (("email", "code", "click"), False, False),
        (("click", "code"), True, True),
    ],
)
def test_a_known_address_stands_before_what_is_listed_behind_it(
    order: tuple[str, ...], *, code: bool, click: bool
) -> None:
    policy = AttributionPolicy(order=order)
    page = replace(EVIDENCE, kind=attribution.PAGE_CODE)

    assert code == attribution.may_follow(policy, EVIDENCE)
    assert click == attribution.may_follow(policy, touch("clk_1", 1))
    assert click == attribution.may_follow(policy, page)


def flags_of(
    found: Attribution,
    email_hmac: str,
    *,
    who: Eligibility | None = None,
    declared: str = "",
) -> tuple[str, ...]:
    """What a submission pins of these partners, and the flags that come of it."""
    lead = Address(email_hmac=email_hmac, company_hmac="c1")
    partners = {
        each.partner.partner_id: pin_partner(each.partner, each.enrolment, lead)
        for each in found.credits
    }
    told = (declared,) if declared else ()
    pinned = Pinned(attributes={}, overrides={}, partners=partners, declared=told)
    return attribution.flags(found, pinned, who or Eligibility())


def flags(lead_hmac: str, policy: str = "review", **changes: Any) -> tuple[str, ...]:  # noqa: ANN401
    found = attribution.credited([credit(**changes)], AttributionPolicy())
    return flags_of(found, lead_hmac, who=Eligibility(self_referral=policy))


def test_flags_point_a_reviewer_at_documents_that_the_terms_ask_for() -> None:
    proved = [credit("a"), credit("b")]
    found = attribution.credited(proved, AttributionPolicy(split="equal"))
    who = Eligibility(required=("agreement",))

    assert ("agreement_missing", "agreement_missing:b") == flags_of(found, "h1", who=who)


def test_flags_point_a_reviewer_at_self_referral_and_suspension() -> None:
    assert ("self_referral",) == flags("h1", email_hmac="h1")
    assert ("self_referral",) == flags("h1", "deny", email_hmac="h1")
    assert () == flags("h1", "allow", email_hmac="h1")
    assert () == flags("h1", email_hmac="h2")
    assert () == flags("", email_hmac="")
    assert ("partner_suspended",) == flags("h1", email_hmac="", status="suspended")


def test_flags_point_a_reviewer_at_colleagues_officials_and_what_was_declared() -> None:
    assert ("buyer_staff",) == flags("h1", email_hmac="h2", company_hmac="c1")
    assert () == flags("h1", email_hmac="h2", company_hmac="c2")
    assert ("public_official",) == flags("h1", categories=("public_official",))
    nobody = attribution.nobody()
    assert ("public_official",) == flags_of(nobody, "h1", declared="public_official")


def test_flags_of_who_shares_name_the_partner() -> None:
    proved = [
        credit("a", email_hmac="h1"),
        credit("b", email_hmac="h1", status="suspended"),
    ]

    found = attribution.credited(proved, AttributionPolicy(split="equal"))

    assert ("self_referral", "self_referral:b", "partner_suspended:b") == flags_of(found, "h1")

"""The newest terms say in which order evidence is asked, which touch wins and who shares."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from bench.stock import measured
from shared.adapters.dynamodb import keys
from shared.adapters.dynamodb.referrals import fact_from, referral_from
from shared.domain.keyed import email_hmac
from tests.builders.intake import SECRET, World, click_token, link, partner, submission

CODES = ("pia-code", "otto-code", "cas-code")


def of(partner_name: str, days: int = 1) -> str:
    """A click on a partner's link, some days ago."""
    return click_token(
        age=timedelta(days=days),
        click_id=f"clk_{partner_name}_{days}",
        partner_id=f"ptr_{partner_name}",
        code=f"{partner_name}-code",
    )


@pytest.fixture
def world() -> World:
    world = World()
    world.save_partner(partner("ptr_cas", email_hmac=""))
    world.save_link(link("cas-code", "ptr_cas"))
    return world


def decide(world: World, **attribution: Any) -> None:  # noqa: ANN401 - as a definition file says it
    """Publishes how introductions are credited; nobody has accepted that version."""
    world.publish(2, {"attribution": attribution})


def shares(world: World, referral_id: str) -> list[tuple[str, str, int]]:
    (row,) = [
        row
        for row in world.rows(f"REF#{referral_id}")
        if row["sk"].startswith("FACT#") and row["kind"] == "terms_pinned"
    ]
    return [tuple(share.values()) for share in fact_from(row).data["shares"]]


def winner(world: World, referral_id: str) -> tuple[str | None, str, str]:
    row = world.row(keys.referral(referral_id))
    assert row is not None
    head = referral_from(row)
    return head.partner_id, head.attribution, head.click_id


@pytest.mark.parametrize(
    ("order", "expected"),
    [
        (["code", "click"], ("ptr_otto", "typed_code", "")),
        (["click", "code"], ("ptr_pia", "click_token", "clk_pia_1")),
        (["email", "registration", "click", "code"], ("ptr_pia", "click_token", "clk_pia_1")),
        (["code"], ("ptr_otto", "typed_code", "")),
        (["click"], ("ptr_pia", "click_token", "clk_pia_1")),
        (["registration", "email"], (None, "no_evidence", "")),
    ],
)
def test_the_order_of_the_terms_decides(
    world: World, order: list[str], expected: tuple[str | None, str, str]
) -> None:
    decide(world, order=order)

    received = world.submit(submission(code="otto-code", click_id=of("pia")))

    assert expected == winner(world, received.referral_id)


def test_what_is_listed_later_still_counts_when_the_first_proves_nothing(world: World) -> None:
    decide(world, order=["click", "code"])

    received = world.submit(submission(code="otto-code", click_id=of("pia", days=31)))

    assert ("ptr_otto", "typed_code", "") == winner(world, received.referral_id)


def test_the_code_on_the_page_is_listed_as_a_click(world: World) -> None:
    decide(world, order=["click", "code"])

    received = world.submit(submission(code="otto-code", via="pia-code"))

    assert ("ptr_pia", "page_code", "") == winner(world, received.referral_id)


@pytest.mark.parametrize(
    ("model", "click", "code"),
    [
        ("last_touch", ("ptr_pia", "click_token", "clk_pia_1"), ("ptr_cas", "typed_code", "")),
        ("first_touch", ("ptr_cas", "click_token", "clk_cas_9"), ("ptr_pia", "typed_code", "")),
    ],
)
def test_the_model_chooses_among_touches_of_one_kind(
    world: World, model: str, click: tuple[str, str, str], code: tuple[str, str, str]
) -> None:
    decide(world, model=model)
    clicks = (of("otto", 5), of("pia", 1), of("cas", 9), "forged", of("cas", 60))

    by_click = world.submit(submission("one@lead.test", click_ids=clicks))
    by_code = world.submit(submission("two@lead.test", codes=("no-such", *CODES)))

    assert click == winner(world, by_click.referral_id)
    assert code == winner(world, by_code.referral_id)


def test_only_the_first_form_decides_who_introduced(world: World) -> None:
    """Whatever the model: a later touch changes nobody's part."""
    for model in ("first_touch", "last_touch"):
        decide(world, model=model, split="equal")
        first = world.submit(submission(f"{model}@lead.test", click_id=of("pia", 2)))
        world.submit(submission(f"{model}@lead.test", click_ids=(of("otto", 9), of("cas", 1))))

        assert "ptr_pia" == winner(world, first.referral_id)[0]
        assert [("ptr_pia", "introducer", 10_000)] == shares(world, first.referral_id)


def test_equal_parts_for_everybody_with_valid_evidence(world: World) -> None:
    decide(world, split="equal")
    world.save_link(link("off-code", "ptr_cas", disabled=True))

    received = world.submit(
        submission(
            codes=("otto-code", "off-code"),
            click_ids=(of("pia", 3), of("otto", 2), of("cas", 1), "forged"),
        )
    )

    assert [
        ("ptr_otto", "introducer", 3_334),
        ("ptr_cas", "assist", 3_333),
        ("ptr_pia", "assist", 3_333),
    ] == shares(world, received.referral_id)


def test_parts_by_role(world: World) -> None:
    parts = {"introducer": 6_000, "co_referrer": 3_000, "assist": 1_000}
    decide(world, split="by_role", basis_points=parts)

    received = world.submit(submission(codes=CODES[:2], click_id=of("cas")))

    assert [
        ("ptr_otto", "introducer", 6_000),
        ("ptr_pia", "co_referrer", 3_000),
        ("ptr_cas", "assist", 1_000),
    ] == shares(world, received.referral_id)


def test_one_partner_alone_gets_all_of_any_split(world: World) -> None:
    decide(world, split="equal")

    received = world.submit(submission(code="pia-code", click_id=of("pia")))

    assert [("ptr_pia", "introducer", 10_000)] == shares(world, received.referral_id)
    # What came first in the order stays the evidence.
    assert ("ptr_pia", "typed_code", "") == winner(world, received.referral_id)


@pytest.mark.parametrize(
    ("status", "sharing"),
    [
        ("active", ["ptr_otto", "ptr_pia"]),
        ("suspended", ["ptr_otto", "ptr_pia"]),
        ("applied", ["ptr_otto"]),
        ("closed", ["ptr_otto"]),
    ],
)
def test_who_may_not_refer_shares_in_nothing(world: World, status: str, sharing: list[str]) -> None:
    decide(world, split="equal")
    world.save_partner(partner(status=status))

    received = world.submit(submission(codes=CODES[:2]))

    assert sharing == [partner_id for partner_id, _, _ in shares(world, received.referral_id)]
    row = world.row(keys.referral(received.referral_id))
    assert row is not None
    flags = ["partner_suspended:ptr_pia"] if status == "suspended" else []
    assert flags == row["flags"]


def test_sharing_with_oneself_is_flagged_with_the_name(world: World) -> None:
    decide(world, split="equal")
    world.save_partner(partner("ptr_cas", email_hmac=email_hmac(SECRET, "cas@lead.test")))

    received = world.submit(submission("cas@lead.test", codes=("cas-code", "otto-code")))

    row = world.row(keys.referral(received.referral_id))
    assert row is not None
    assert ["self_referral:ptr_cas"] == row["flags"]


def test_eight_share_at_most_and_no_more_are_read(world: World) -> None:
    decide(world, split="equal", order=["click", "code"])
    names = [f"p{place}" for place in range(12)]
    for name in names:
        world.save_partner(partner(f"ptr_{name}", email_hmac=""))
        world.save_link(link(f"{name}-code", f"ptr_{name}"))
    sent = submission(
        codes=tuple(f"{name}-code" for name in names[6:]),
        click_ids=tuple(of(name) for name in names[:6]),
    )

    usage = measured(world.client, lambda: world.submit(sent))

    (row,) = [row for row in world.rows("REF#") if row["sk"] == keys.META]
    assert [1_250] * 8 == [part for _, _, part in shares(world, row["referral_id"])]
    assert 8 == usage.labels.count("get PTR/META")


def test_terms_that_do_not_split_read_no_more_than_the_winner(world: World) -> None:
    sent = submission(codes=CODES, click_ids=(of("pia"), of("otto")))

    usage = measured(world.client, lambda: world.submit(sent))

    reads = [label for label in usage.labels if label.startswith("get ")]
    assert 1 == reads.count("get LINK/META") == reads.count("get PTR/META")
    assert "get KEYRING/RING" in reads
    assert 1 == reads.count("get KEYRING/RING")


def test_the_window_of_each_partner_is_that_of_the_accepted_version(world: World) -> None:
    world.publish(2, {"windows": {"attribution_days": 90}, "attribution": {"split": "equal"}})
    world.save_partner(partner("ptr_otto", email_hmac=""), version=2)

    received = world.submit(submission(click_ids=(of("pia", 60), of("otto", 60), of("cas", 29))))

    assert ["ptr_cas", "ptr_otto"] == [who for who, _, _ in shares(world, received.referral_id)]

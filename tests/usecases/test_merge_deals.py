"""Merged deals have one referral, which alone earns for them; everything goes over to it."""

from __future__ import annotations

import itertools
from datetime import timedelta
from typing import Any

import pytest

from shared.domain import facts
from shared.domain.errors import NotFoundError
from shared.usecases.deal_facts import lineage
from tests.builders.deliveries import NOW, change
from tests.builders.market import Market, about, merge, names, won
from tests.builders.money import WORKED_EXAMPLE

BOTH = {7, 9}
WON_BY_7 = 200_000
WON_BY_9 = 100_000


def deals(market: Market) -> dict[str, str]:
    """Which referral each deal leads to."""
    return {
        row["pk"].removeprefix("DEAL#src_hubspot#"): lineage(
            market.store, market.store.referral(row["referral_id"])
        )[-1].referral_id
        for row in market.rows("DEAL#")
        if row["sk"] == "BINDING"
    }


def both_won(*accepted: int | None) -> Market:
    """Deal 7 of ref_1 is won for 20,000 and deal 9 of ref_2 for 10,000, which is told later."""
    market = Market(*(accepted or (1, 2)))
    market.tell(names(1, 7), *won(7, "20000.00", minute=10))
    market.tell(names(2, 9), *won(9, "10000.00", minute=11))
    assert {
        "accepted_bonus": 5_000,
        "qualified_bonus": 20_000,
        "won_commission": 200_000,
    }.items() <= (market.earned(1).items())
    assert 100_000 == market.earned(2)["won_commission"]
    return market


def test_of_two_that_earned_the_first_accepted_keeps_the_deal_with_all_facts() -> None:
    market = both_won(2, 1)

    market.tell(merge(7, into=9))

    # Of the two amounts the later one holds: 10,000.
    assert {"accepted_bonus": 5_000, "qualified_bonus": 20_000, "won_commission": 100_000} == (
        market.earned(2)
    )
    assert {"accepted_bonus": 5_000} == market.earned(1)
    assert {"7": "ref_2", "9": "ref_2"} == deals(market)
    assert (5_000, 125_000) == (market.balance(1), market.balance(2))
    assert 2 == market.kinds(2).count("stage_entered")
    market.check_one_earns(BOTH)


def test_the_referral_of_the_deal_that_is_gone_can_be_the_one_that_keeps_it() -> None:
    market = both_won(1, 2)

    market.tell(merge(7, into=9))

    assert {"accepted_bonus": 5_000, "qualified_bonus": 20_000, "won_commission": 100_000} == (
        market.earned(1)
    )
    assert {"accepted_bonus": 5_000} == market.earned(2)
    head = market.store.referral("ref_1")
    assert head is not None
    assert ("9", "won", "10000.00") == (head.deal_id, head.deal["outcome"], head.deal["amount"])


def test_the_one_that_lost_the_deal_says_to_whom_and_takes_no_other() -> None:
    market = both_won(1, 2)

    market.tell(merge(7, into=9))
    market.tell(names(2, 11), *won(11, "5000.00"))

    head = market.store.referral("ref_2")
    assert head is not None
    assert ("ref_1", "9", "merged") == (head.merged_into, head.deal_id, head.deal["outcome"])
    (lost,) = [fact for fact in market.load(2).facts if fact.kind == facts.REFERRAL_MERGED]
    (kept,) = [fact for fact in market.load(1).facts if fact.kind == facts.REFERRAL_MERGED]
    assert ({"into": "ref_1"}, {"absorbed": "ref_2"}) == (lost.data, kept.data)
    line = next(line for line in market.load(2).trace if line.rule_id == "won_commission")
    assert ("milestone_left", (lost.fact_id,)) == (line.code, line.facts)
    assert "11" not in deals(market)


@pytest.mark.parametrize(
    ("accepted", "reviews", "keeps"),
    [
        ((1, 2), {}, 1),
        ((2, 1), {}, 2),
        ((None, 5), {}, 2),
        ((5, None), {}, 1),
        ((None, None), {}, 1),
        ((1, 2), {1: "rejected"}, 2),
        ((1, None), {1: "rejected"}, 2),
        ((1, 2), {1: "rejected", 2: "rejected"}, 1),
    ],
)
def test_who_keeps_the_deal(
    accepted: tuple[int | None, ...], reviews: dict[int, str], keeps: int
) -> None:
    for into in (7, 9):
        market = Market(*accepted)
        market.tell(names(1, 7), names(2, 9))
        for number, state in reviews.items():
            market.review(number, state)

        market.tell(merge(*(BOTH - {into}), into=into))

        assert {"7": f"ref_{keeps}", "9": f"ref_{keeps}"} == deals(market)


def test_a_milestone_accepts_as_well_as_the_review() -> None:
    market = Market(20, None)
    market.tell(names(1, 7), names(2, 9))
    # After 13 hours; to be qualified implies to be accepted.
    market.tell(change("dealstage", "qualified", deal=9, minute=-60 * 10))

    market.tell(merge(7, into=9))

    assert {"7": "ref_2", "9": "ref_2"} == deals(market)


def test_a_deal_that_was_accepted_long_before_counts_from_its_introduction() -> None:
    market = Market(1, None)
    market.tell(names(1, 7), names(2, 9))
    market.tell(change("dealstage", "accepted", deal=9, minute=-60 * 24 * 400))
    _submitted_later(market, 2, hours=3)

    market.tell(merge(7, into=9))

    assert {"7": "ref_1", "9": "ref_1"} == deals(market)


def _submitted_later(market: Market, number: int, *, hours: int) -> None:
    (row,) = [row for row in market.rows(f"REF#ref_{number}") if row["sk"] == "META"]
    later = (NOW - timedelta(days=1) + timedelta(hours=hours)).isoformat()
    market.put((row["pk"], row["sk"]), {**row, "submitted_at": later})


def test_without_any_other_sign_the_first_submitted_keeps_it_then_the_lower_id() -> None:
    market = Market(None, None)
    market.tell(names(1, 7), names(2, 9))
    _submitted_later(market, 1, hours=3)

    market.tell(merge(7, into=9))

    assert {"7": "ref_2", "9": "ref_2"} == deals(market)


@pytest.mark.parametrize("bound", [7, 9])
def test_a_deal_without_a_referral_follows_the_other(bound: int) -> None:
    market = Market(1)
    other = 16 - bound
    market.tell(*won(other, "10000.00"))
    market.tell(names(1, bound))

    market.tell(merge(7, into=9))

    assert 100_000 == market.earned(1)["won_commission"]
    assert {"7": "ref_1", "9": "ref_1"} == deals(market)
    assert {"applied"} == {row["state"] for row in market.rows("DLV#")}
    assert [] == [row for row in market.rows("DEAL#") if row["sk"] != "BINDING"]


def test_a_merge_that_nobody_introduced_waits_for_either_deal() -> None:
    for bound in (7, 8, 9):
        market = Market(1)
        market.tell(merge(7, into=8), merge(8, into=9, minute=31))
        market.tell(*won(7, "10000.00"))
        assert {"parked"} == {row["state"] for row in market.rows("DLV#")}

        market.tell(names(1, bound))

        assert 100_000 == market.earned(1)["won_commission"], bound
        assert {"7": "ref_1", "8": "ref_1", "9": "ref_1"} == deals(market)
        assert {"applied"} == {row["state"] for row in market.rows("DLV#")}


def test_a_delivery_can_name_the_referral_of_deals_that_it_merges() -> None:
    for bound in (7, 8, 9):
        market = Market(1)

        market.tell(
            merge(7, into=8),
            *won(7, "10000.00"),
            names(1, bound),
            merge(8, into=9, minute=31),
        )

        assert 100_000 == market.earned(1)["won_commission"]
        assert {"7": "ref_1", "8": "ref_1", "9": "ref_1"} == deals(market)


def test_a_merge_can_make_a_new_deal() -> None:
    market = both_won(1, 2)

    market.tell(merge(7, into=9, newObjectId=11))
    market.tell(*won(11, "30000.00", minute=40))

    assert {"7": "ref_1", "9": "ref_1", "11": "ref_1"} == deals(market)
    assert (300_000, None) == (
        market.earned(1)["won_commission"],
        market.earned(2).get("won_commission"),
    )
    head = market.store.referral("ref_1")
    assert head is not None
    assert "11" == head.deal_id


def test_merging_again_or_the_other_way_round_changes_nothing_that_is_paid() -> None:
    market = both_won(1, 2)
    market.tell(merge(7, into=9))
    earned = [market.earned(number) for number in (1, 2)]
    movements = market.rows("BOOK#", "test-books")

    market.tell(merge(7, into=9, attemptNumber=1))
    market.tell(merge(7, into=9, minute=33))
    market.tell(merge(9, into=7, minute=35))

    assert earned == [market.earned(number) for number in (1, 2)]
    assert movements == market.rows("BOOK#", "test-books")
    head = market.store.referral("ref_1")
    assert head is not None
    assert "7" == head.deal_id


def test_a_merge_of_a_merge_leads_to_the_last_referral() -> None:
    for order in itertools.permutations([merge(7, into=9), merge(9, into=11, minute=31)]):
        market = Market(3, 2, 1)
        market.tell(names(1, 7), names(2, 9), names(3, 11), *won(7, "10000.00"))
        for each in order:
            market.tell(each)

        market.tell(*won(9, "20000.00", minute=40))

        assert {"7": "ref_3", "9": "ref_3", "11": "ref_3"} == deals(market)
        assert [5_000, 5_000, 225_000] == [market.balance(number) for number in (1, 2, 3)]
        market.check_one_earns({7, 9, 11})


@pytest.mark.parametrize("gone", [7, 9])
@pytest.mark.parametrize("minute", [20, 40])
def test_what_becomes_of_a_deal_that_was_merged_away_ends_nothing(gone: int, minute: int) -> None:
    for early in (False, True):
        market = both_won(1, 2)
        parts = [merge(gone, into=16 - gone), about("deletion", gone, minute)]
        for part in reversed(parts) if early else parts:
            market.tell(part)

        assert 100_000 == market.earned(1)["won_commission"]
        market.tell(about("deletion", 16 - gone, 41))
        assert {"accepted_bonus": 5_000} == market.earned(1)
        market.tell(about("restore", gone, 42))
        assert {"accepted_bonus": 5_000} == market.earned(1)
        market.tell(about("restore", 16 - gone, 43))
        assert 100_000 == market.earned(1)["won_commission"]
        assert {"accepted_bonus": 5_000} == market.earned(2)
        market.check_one_earns(BOTH)


def test_a_merge_into_nobody_knows_what_ends_the_deal() -> None:
    market = Market(1)
    market.apply(market.standard(_standard("deal.updated", stage="won", amount="10000.00")))
    market.apply(market.standard(_standard("deal.merged")))
    market.pump()

    assert {"accepted_bonus": 5_000} == market.earned(1)


def _standard(kind: str, **deal: Any) -> dict[str, Any]:  # noqa: ANN401 - any field of a deal
    return {
        "type": kind,
        "id": f"evt-{kind}",
        "occurred_at": "2026-11-21T09:00:00Z",
        "deal": {"id": "D-1", **deal},
        "referral": {"id": "ref_1"},
    }


def test_a_standard_source_merges_alike() -> None:
    market = Market(1, 2)
    for number, deal in ((1, "D-1"), (2, "D-2")):
        document = _standard("deal.updated", id=deal, stage="won", amount="10000.00")
        market.apply(market.standard({**document, "referral": {"id": f"ref_{number}"}}))
    market.pump()

    merged = {**_standard("deal.merged"), "merged_into": "D-2", "referral": None}
    market.apply(market.standard(merged))
    market.pump()

    assert [125_000, 5_000] == [market.balance(number) for number in (1, 2)]


# -- in any order ---------------------------------------------------------------------------------


SAID = [
    *won(7, "20000.00", minute=10),
    change("dealstage", "negotiation", deal=7, minute=15),
    *won(9, "10000.00", minute=20),
]
STORY: list[list[dict[str, Any]]] = [[names(1, 7)], [names(2, 9)], SAID, [merge(7, into=9)]]


@pytest.mark.parametrize("accepted", [(1, 2), (2, 1)])
def test_every_order_of_bindings_statements_and_the_merge_ends_alike(
    accepted: tuple[int, int],
) -> None:
    keeps = accepted.index(1) + 1
    for order in itertools.permutations(STORY):
        market = Market(*accepted)
        merged: tuple[set[int], ...] = ()
        for part in (*order, order[0], order[-1]):
            market.tell(*part)
            merged = (BOTH,) if part == STORY[-1] else merged
            market.check_one_earns(*merged)

        assert [125_000 if number == keeps else 5_000 for number in (1, 2)] == [
            market.balance(number) for number in (1, 2)
        ]
        assert {"7": f"ref_{keeps}", "9": f"ref_{keeps}"} == deals(market)
        told = [fact.fact_id for fact in market.load(keeps).facts]
        assert len(set(told)) == len(told)
        kinds = ["amount_set"] * 2 + ["deal_merged", "referral_merged"] + ["stage_entered"] * 3
        assert kinds == market.kinds(keeps)
        assert {"applied"} == {row["state"] for row in market.rows("DLV#")}


def test_invoices_and_refunds_go_over_and_later_ones_follow() -> None:
    share = {
        "id": "share",
        "beneficiary": "partner",
        "milestone": "accepted",
        "kind": "cash",
        "value": {"percent": "10", "of": "invoice_net"},
        "occurrence": "every_invoice",
    }
    market = Market(2, 1, definition={**WORKED_EXAMPLE, "rules": [share]})
    key = {"id": "ref_1"}
    paid = {"type": "invoice.paid", "occurred_at": "2026-11-21T09:00:00Z", "referral": key}
    first = {**paid, "id": "e1", "invoice": {"id": "I-1", "amount_net": "100.00"}}
    second = {**paid, "id": "e2", "invoice": {"id": "I-2", "amount_net": "50.00"}}
    back = {**paid, "id": "e3", "type": "refund.created"}
    back["refund"] = {"id": "R-1", "of": "invoice:I-1", "amount": "40.00"}
    market.tell(names(1, 7), names(2, 9))
    market.apply(market.standard(first))
    market.pump()
    assert (1_000, 0) == (market.balance(1), market.balance(2))

    market.tell(merge(7, into=9))
    assert (0, 1_000) == (market.balance(1), market.balance(2))
    for late in (second, back, second):
        delivery_id = market.standard({**late, "sent": len(market.rows("DLV#"))})
        # Applied once only.
        market.handled |= {row["event_id"] for row in market.rows("OUT#")}
        market.apply(delivery_id)
        market.pump()

    assert (0, 1_100) == (market.balance(1), market.balance(2))


def test_statements_by_hand_go_over_and_decisions_stay() -> None:
    market = Market(2, 1)
    market.tell(names(1, 7), names(2, 9), *won(7, "20000.00"))
    wrong = next(fact for fact in market.load(1).facts if fact.kind == facts.AMOUNT_SET)
    back = {"refund_id": "R-1", "of": "deal", "amount": "1000.00", "currency": "USD"}
    said = {"amount": "5000.00", "currency": "USD"}
    market.state(1, facts.FACT_RETRACTED, {"reason": "x"}, NOW, retracts=wrong.fact_id)
    market.state(1, facts.AMOUNT_SET, said, NOW)
    market.state(1, facts.REFUNDED, back, NOW + timedelta(minutes=1))
    market.state(1, facts.HOLD_PLACED, {"hold_id": "h", "reason": "x"}, NOW)

    market.tell(merge(7, into=9))

    assert 40_000 == market.earned(2)["won_commission"]
    kinds = market.kinds(2)
    assert ("fact_retracted" in kinds, "hold_placed" in kinds) == (True, False)


# -- limits ---------------------------------------------------------------------------------------


def test_many_facts_go_over_in_several_transactions() -> None:
    market = Market(2, 1)
    market.tell(names(1, 7), names(2, 9))
    amounts = [change("amount", f"{n}.00", deal=7, minute=1) for n in range(100)]
    for start in range(0, 300, 100):
        market.tell(*({**each, "occurredAt": each["occurredAt"] + start} for each in amounts))

    market.tell(merge(7, into=9))

    assert 300 == market.kinds(2).count("amount_set")
    sizes = [
        len(request["TransactItems"])
        for name, request in market.client.calls
        if name == "transact_write_items"
    ]
    assert max(sizes) <= 100


def test_what_does_not_fit_is_parked_and_nothing_is_lost_or_paid_twice(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    market = both_won(2, 1)
    before = market.kinds(1)
    monkeypatch.setattr(facts, "MAX_FACTS", len(market.load(2).facts) + 3)

    delivery_id = market.tell(merge(7, into=9))

    delivery = market.store.delivery(delivery_id)
    assert delivery is not None
    codes = [(reason.path, reason.code) for reason in delivery.reasons]
    assert [("[0].subscriptionType", "too_many_facts")] == codes
    market.check_one_earns(BOTH)
    assert {"accepted_bonus": 5_000} == market.earned(1)
    assert set(before) <= set(market.kinds(1))
    monkeypatch.undo()
    assert "applied" == market.apply(delivery_id).state
    assert 2 == market.kinds(2).count("stage_entered")


# -- two claims -----------------------------------------------------------------------------------


def test_of_two_that_claim_one_deal_the_second_is_parked_and_earns_nothing() -> None:
    market = Market(2, 1)
    market.tell(names(1, 7), *won(7, "10000.00"))

    delivery_id = market.tell(names(2, 7, minute=5))

    delivery = market.store.delivery(delivery_id)
    assert delivery is not None
    assert ["deal_bound_to_other_referral"] == [reason.code for reason in delivery.reasons]
    market.changed("ref_2")
    assert (125_000, 5_000) == (market.balance(1), market.balance(2))
    market.check_one_earns()


def test_a_person_settles_two_claims_by_rejecting_one() -> None:
    market = Market(2, 1)
    market.tell(names(1, 7), *won(7, "10000.00"))
    delivery_id = market.tell(names(2, 7, minute=5))
    market.review(1, "rejected")
    market.changed("ref_1")

    market.apply(delivery_id)
    market.pump()

    assert (0, 125_000) == (market.balance(1), market.balance(2))
    assert {"7": "ref_2"} == deals(market)
    market.tell(names(1, 7, minute=6))
    assert {"7": "ref_2"} == deals(market)
    market.review(1, "accepted")
    market.changed("ref_1")
    assert (5_000, 125_000) == (market.balance(1), market.balance(2))


def test_two_claims_of_which_both_are_rejected_stay_as_they_are() -> None:
    market = Market(1, 2)
    market.tell(names(2, 7))
    for number in (1, 2):
        market.review(number, "rejected")

    market.tell(names(1, 7, minute=5))

    assert {"7": "ref_2"} == deals(market)


def test_who_claims_a_deal_that_only_followed_a_merge_is_heard() -> None:
    for accepted, keeps in (((2, 1), 2), ((1, 2), 1)):
        market = Market(*accepted)
        market.tell(names(1, 9), *won(9, "10000.00"))
        market.tell(merge(7, into=9))

        market.tell(names(2, 7))
        third = market.tell(names(2, 7, minute=3), change("goodword_referral", "ref_1", deal=7))

        assert {"7": f"ref_{keeps}", "9": f"ref_{keeps}"} == deals(market)
        state = market.store.delivery(third)
        assert state is not None
        assert "applied" == state.state
        market.check_one_earns(BOTH)


def test_a_claim_by_code_leaves_the_link_for_others() -> None:
    market = Market(1, 2)
    market.tell(names(1, 9), *won(9, "10000.00"))
    market.tell(merge(7, into=9))

    market.tell(change("goodword_referral", "code-2", deal=7))

    assert "ref_1" == market.load(2).referral.merged_into
    assert [] == market.store.open_referrals("code-2", limit=2)


def test_a_third_referral_of_a_merged_deal_is_parked() -> None:
    market = both_won(1, 2)
    market.introduce(3, 3)
    market.tell(merge(7, into=9))

    delivery_id = market.tell(names(3, 7, minute=5))

    delivery = market.store.delivery(delivery_id)
    assert delivery is not None
    assert ["deal_bound_to_other_referral"] == [reason.code for reason in delivery.reasons]


def test_the_code_of_a_referral_that_lost_its_deal_still_names_it() -> None:
    market = both_won(1, 2)
    market.tell(merge(7, into=9))

    delivery_id = market.tell(change("goodword_referral", "code-2", deal=9, minute=5))

    delivery = market.store.delivery(delivery_id)
    assert delivery is not None
    assert "applied" == delivery.state


def test_a_line_of_nobody_is_not_found() -> None:
    with pytest.raises(NotFoundError):
        lineage(Market().store, None)

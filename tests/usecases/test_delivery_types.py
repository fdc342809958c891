"""Every type of delivery becomes facts: which, with what data, and the same in every order."""

from __future__ import annotations

import itertools
from datetime import timedelta
from typing import Any

import pytest

from tests.builders.deliveries import NOW, Desk, change, referral, updated

BINDS = {"id": "D-1"}
KEY = {"id": "ref_1"}


def event(kind: str, **parts: object) -> dict[str, Any]:
    """One event of the generic source about the deal D-1."""
    return {
        "type": kind,
        "id": f"evt-{kind}",
        "occurred_at": "2026-11-21T09:30:00Z",
        "deal": {"id": "D-1"},
        **parts,
    }


INVOICE = {"id": "I-1", "amount_net": "500.00", "currency": "EUR", "period": "2026-11"}
REFUND = {"id": "R-1", "of": "invoice:I-1", "amount": "50.00", "currency": "EUR"}

# What is sent, the kind of fact that it becomes, and the fact's data.
TYPES: list[tuple[dict[str, Any], str, dict[str, Any]]] = [
    (
        event("invoice.paid", invoice=INVOICE),
        "invoice_paid",
        {"invoice_id": "I-1", "amount_net": "500.00", "currency": "EUR", "period": "2026-11"},
    ),
    (
        event("invoice.paid", invoice={"id": "I-2", "amount_net": "0"}),
        "invoice_paid",
        {"invoice_id": "I-2", "amount_net": "0", "currency": "USD"},
    ),
    (
        event("refund.created", refund=REFUND),
        "refunded",
        {"refund_id": "R-1", "of": "invoice:I-1", "amount": "50.00", "currency": "EUR"},
    ),
    (
        event("refund.created", refund={"id": "R-2", "of": "deal", "amount": "50.00"}),
        "refunded",
        {"refund_id": "R-2", "of": "deal", "amount": "50.00", "currency": "USD"},
    ),
    (
        event("chargeback.created", chargeback={**REFUND, "id": "C-1"}),
        "charged_back",
        {"chargeback_id": "C-1", "of": "invoice:I-1", "amount": "50.00", "currency": "EUR"},
    ),
    (
        event("chargeback.created", refund={**REFUND, "id": "C-2", "of": "deal"}),
        "charged_back",
        {"chargeback_id": "C-2", "of": "deal", "amount": "50.00", "currency": "EUR"},
    ),
    (
        event("chargeback.reversed", chargeback={"id": "C-1"}),
        "chargeback_reversed",
        {"chargeback_id": "C-1"},
    ),
    (
        event("chargeback.reversed", refund={"id": "C-2"}),
        "chargeback_reversed",
        {"chargeback_id": "C-2"},
    ),
    (
        event("subscription.renewed", invoice=INVOICE),
        "renewed",
        {"renewal_id": "2026-11", "amount": "500.00", "currency": "EUR"},
    ),
    (
        event("subscription.renewed"),
        "renewed",
        {"renewal_id": "evt-subscription.renewed"},
    ),
    (
        event("subscription.renewed", invoice={"amount_net": "7"}),
        "renewed",
        {"renewal_id": "evt-subscription.renewed", "amount": "7", "currency": "USD"},
    ),
    (
        event("subscription.cancelled"),
        "field_set",
        {"name": "subscription", "value": "cancelled"},
    ),
    (event("meeting.held"), "milestone_reached", {"milestone": "meeting_held"}),
    (event("deal.deleted"), "deal_ended", {"how": "deleted", "deal_id": "D-1"}),
    (event("deal.merged"), "deal_ended", {"how": "merged", "deal_id": "D-1"}),
    (
        event("deal.merged", deal={"id": "D-1", "fields": {"merged_into": "D-9"}}),
        "deal_merged",
        {"deal_id": "D-1", "merged_into": "D-9"},
    ),
    (
        event("deal.merged", deal={"id": "D-1", "merged_into": "D-9"}),
        "deal_merged",
        {"deal_id": "D-1", "merged_into": "D-9"},
    ),
    (
        event("deal.merged", merged_into="D-9"),
        "deal_merged",
        {"deal_id": "D-1", "merged_into": "D-9"},
    ),
]


def fact_rows(desk: Desk, referral_id: str = "ref_1") -> list[dict[str, Any]]:
    rows = [row for row in desk.rows(f"REF#{referral_id}") if row["sk"].startswith("FACT#")]
    return sorted(rows, key=lambda row: (row["occurred_at"], row["fact_id"]))


def bound() -> Desk:
    desk = Desk()
    desk.apply(desk.standard(updated(BINDS, KEY)))
    return desk


def codes(desk: Desk, delivery_id: str) -> list[tuple[str, str]]:
    return [(reason.path, reason.code) for reason in desk.apply(delivery_id).reasons]


@pytest.mark.parametrize(("document", "kind", "data"), TYPES)
def test_every_type_becomes_its_fact(
    document: dict[str, Any], kind: str, data: dict[str, Any]
) -> None:
    desk = bound()

    applied = desk.apply(desk.standard(document))

    assert applied.state == "applied"
    (row,) = fact_rows(desk)
    assert (kind, data) == (row["kind"], row["data"])
    assert row["occurred_at"] == "2026-11-21T09:30:00+00:00"
    assert row["source"] == "src_standard"
    assert desk.events("FactsChanged") == [{"referral_id": "ref_1", "kinds": [kind]}]


@pytest.mark.parametrize(("document", "kind", "data"), TYPES)
def test_every_type_again_is_the_same_fact(
    document: dict[str, Any], kind: str, data: dict[str, Any]
) -> None:
    desk = bound()
    for _ in range(2):
        # Another message with other bytes, and the same statement.
        desk.apply(desk.standard({**document, "sent": len(desk.rows("DLV#"))}))

    assert [kind] == [row["kind"] for row in fact_rows(desk)]


@pytest.mark.parametrize(
    "document", [each[0] for each in TYPES if not each[0]["type"].startswith("deal.")]
)
def test_what_is_not_about_the_deal_can_name_the_referral_alone(document: dict[str, Any]) -> None:
    for deal in (None, {}, {"id": None}):
        for key in ({"id": "ref_1"}, {"email": "lead1@example.test"}, {"code": "code-1"}):
            desk = Desk()
            alone = {**document, "deal": deal, "referral": key}

            first = desk.apply(desk.standard(alone))
            again = desk.apply(desk.standard({**alone, "sent": "again"}))

            assert (first.state, first.new_facts) == ("applied", 1)
            assert (again.state, again.new_facts) == ("applied", 0)
            head = desk.store.referral("ref_1")
            assert head is not None
            assert (head.deal_id, dict(head.deal)) == ("", {})
            assert desk.store.open_referrals("code-1", limit=2) == ["ref_1"]


def test_a_code_without_a_deal_keeps_to_the_referral_that_it_found() -> None:
    """Later the code may mean another referral; what was said about the first stays there."""
    desk = Desk()
    held = event("meeting.held", deal=None, referral={"code": "code-1"})
    desk.apply(desk.standard(held))
    desk.apply(desk.standard(updated(BINDS, KEY)))
    desk.add(referral(3, link_code="code-1"), 3)

    again = desk.apply(desk.standard({**held, "sent": "again"}))

    assert again.state == "applied"
    assert again.new_facts == 0
    assert fact_rows(desk, "ref_3") == []


def test_a_referral_with_a_deal_takes_what_names_no_deal() -> None:
    desk = bound()

    applied = desk.apply(
        desk.standard(event("invoice.paid", deal=None, referral=KEY, invoice=INVOICE))
    )

    assert applied.state == "applied"
    head = desk.store.referral("ref_1")
    assert head is not None
    assert head.deal_id == "D-1"


def test_the_same_invoice_by_deal_and_by_referral_is_one_fact() -> None:
    desk = bound()
    desk.apply(desk.standard(event("invoice.paid", invoice=INVOICE)))

    again = desk.apply(
        desk.standard(event("invoice.paid", deal=None, referral=KEY, invoice=INVOICE))
    )

    assert again.new_facts == 0


def test_an_invoice_with_another_amount_is_a_later_fact() -> None:
    desk = bound()
    desk.apply(desk.standard(event("invoice.paid", invoice=INVOICE)))
    more = {**INVOICE, "amount_net": "600.00"}

    desk.apply(
        desk.standard(event("invoice.paid", invoice=more, occurred_at="2026-11-21T09:45:00Z"))
    )

    assert [("I-1", "500.00"), ("I-1", "600.00")] == [
        (row["data"]["invoice_id"], row["data"]["amount_net"]) for row in fact_rows(desk)
    ]


def test_two_renewals_without_a_period_are_two() -> None:
    desk = bound()
    for number in (1, 2):
        desk.apply(desk.standard(event("subscription.renewed", id=f"evt-{number}")))

    assert ["evt-1", "evt-2"] == sorted(row["data"]["renewal_id"] for row in fact_rows(desk))


def test_a_renewal_without_any_id_takes_the_messages() -> None:
    desk = bound()

    desk.apply(desk.standard(event("subscription.renewed", id=None), "msg_x"))

    assert ["msg_x"] == [row["data"]["renewal_id"] for row in fact_rows(desk)]


def test_every_order_with_repeats_gives_the_same_facts() -> None:
    sent = [
        updated({"id": "D-1", "stage": "won", "amount": "900.00"}, KEY),
        event("invoice.paid", invoice=INVOICE),
        event("refund.created", refund=REFUND),
        event("chargeback.created", chargeback={**REFUND, "id": "C-1"}),
        event("deal.deleted"),
    ]
    want = None
    for order in itertools.permutations(range(len(sent))):
        desk = Desk()
        received = [desk.standard(document) for document in sent]
        for place in (*order, order[0], order[-1]):
            desk.apply(received[place])
        essence = desk.essence()
        want = want or essence

        assert want == essence
        assert {"applied"} == {row["state"] for row in desk.rows("DLV#")}


@pytest.mark.parametrize(
    ("document", "path", "code"),
    [
        (event("invoice.paid"), "invoice", "bad_event"),
        (event("invoice.paid", invoice=[]), "invoice", "bad_event"),
        (event("invoice.paid", invoice={"amount_net": "1"}), "invoice.id", "bad_event"),
        (event("invoice.paid", invoice={"id": "I"}), "invoice.amount_net", "bad_amount"),
        (
            event("invoice.paid", invoice={**INVOICE, "amount_net": 5}),
            "invoice.amount_net",
            "bad_amount",
        ),
        (
            event("invoice.paid", invoice={**INVOICE, "amount_net": "-1"}),
            "invoice.amount_net",
            "bad_amount",
        ),
        (
            event("invoice.paid", invoice={**INVOICE, "amount_net": "1e3"}),
            "invoice.amount_net",
            "bad_amount",
        ),
        (
            event("invoice.paid", invoice={**INVOICE, "currency": "ZZZ"}),
            "invoice.amount_net",
            "bad_currency",
        ),
        (
            event("invoice.paid", invoice={**INVOICE, "currency": 5}),
            "invoice.currency",
            "bad_currency",
        ),
        (event("invoice.paid", invoice={**INVOICE, "period": 5}), "invoice.period", "bad_event"),
        (event("refund.created"), "refund", "bad_event"),
        (event("refund.created", refund={"of": "deal"}), "refund.id", "bad_event"),
        (event("refund.created", refund={**REFUND, "of": None}), "refund.of", "bad_event"),
        (event("refund.created", refund={**REFUND, "of": "I-1"}), "refund.of", "bad_event"),
        (event("refund.created", refund={**REFUND, "of": "invoice:"}), "refund.of", "bad_event"),
        (
            event("refund.created", refund={**REFUND, "amount": None}),
            "refund.amount",
            "bad_amount",
        ),
        (
            event("refund.created", refund={**REFUND, "amount": "0.00"}),
            "refund.amount",
            "bad_amount",
        ),
        (
            event("refund.created", refund={**REFUND, "currency": 1}),
            "refund.currency",
            "bad_currency",
        ),
        (event("chargeback.created"), "refund", "bad_event"),
        (
            event("chargeback.created", chargeback={**REFUND, "amount": "x"}),
            "chargeback.amount",
            "bad_amount",
        ),
        (event("chargeback.reversed"), "refund", "bad_event"),
        (event("chargeback.reversed", chargeback={}), "chargeback.id", "bad_event"),
        (event("subscription.renewed", invoice=[]), "invoice", "bad_event"),
        (event("subscription.renewed", invoice={"period": 1}), "invoice.period", "bad_event"),
        (
            event("subscription.renewed", invoice={"amount_net": 1}),
            "invoice.amount_net",
            "bad_amount",
        ),
        (event("deal.deleted", deal=None), "deal", "bad_event"),
        (event("deal.merged", deal={}), "deal.id", "bad_event"),
        (event("deal.merged", merged_into="D-1"), "merged_into", "bad_event"),
        (event("meeting.held", deal=None), "deal", "bad_event"),
        (event("meeting.held", deal="D-1"), "deal", "bad_event"),
        (event("meeting.held", deal={"id": 5}), "deal.id", "bad_event"),
        (event("meeting.held", deal={"id": "~" + "0" * 26}), "deal.id", "bad_event"),
        (event("meeting.held", deal=None, referral={}), "deal", "bad_event"),
        (event("meeting.held", deal=None, referral="x"), "referral", "bad_referral_key"),
        (event("meeting.held", occurred_at="now"), "occurred_at", "bad_time"),
    ],
)
def test_what_can_not_be_read_is_parked(document: dict[str, Any], path: str, code: str) -> None:
    desk = bound()

    assert [(path, code)] == codes(desk, desk.standard(document))
    assert fact_rows(desk) == []


def test_a_refund_without_a_deal_that_can_not_be_read_binds_nothing() -> None:
    desk = Desk()
    document = event("refund.created", deal=None, referral=KEY, refund={"id": "R-1"})

    assert [("refund.of", "bad_event")] == codes(desk, desk.standard(document))
    assert desk.rows("DEAL#") == []


# Fields of a deal


def fields_of(desk: Desk) -> dict[str, Any]:
    return {row["data"]["name"]: row["data"]["value"] for row in fact_rows(desk)}


def test_a_deals_fields_become_facts() -> None:
    desk = Desk()
    fields = {"plan": "pro", "seats": 40, "months": 12.0, "trial": True, "note": None}

    applied = desk.apply(
        desk.standard(updated({"id": "D-1", "contract_months": 24, "fields": fields}, KEY))
    )

    assert applied.state == "applied"
    assert {
        "contract_months": 24,
        "plan": "pro",
        "seats": 40,
        "months": 12,
        "trial": "true",
    } == fields_of(desk)
    assert {"field_set"} == {row["kind"] for row in fact_rows(desk)}


@pytest.mark.parametrize("value", [12, "12", "12.0", 12.0])
def test_contract_months_are_a_whole_number_however_written(value: object) -> None:
    for deal in ({"contract_months": value}, {"fields": {"contract_months": value}}):
        desk = Desk()
        desk.apply(desk.standard(updated({"id": "D-1", **deal}, KEY)))

        assert {"contract_months": 12} == fields_of(desk)


def test_the_deals_own_months_count_before_a_field_of_that_name() -> None:
    desk = Desk()
    deal = {"id": "D-1", "contract_months": 24, "fields": {"contract_months": 12}}

    desk.apply(desk.standard(updated(deal, KEY)))

    assert {"contract_months": 24} == fields_of(desk)


def test_a_field_may_bear_the_name_of_another_part() -> None:
    desk = Desk()
    deal = {"id": "D-1", "stage": "won", "fields": {"stage": "won"}}

    desk.apply(desk.standard(updated(deal, KEY)))

    assert ["field_set", "stage_entered"] == sorted(row["kind"] for row in fact_rows(desk))


@pytest.mark.parametrize(
    ("deal", "path", "code"),
    [
        ({"contract_months": "a year"}, "deal.contract_months", "bad_field"),
        ({"contract_months": -1}, "deal.contract_months", "bad_field"),
        ({"contract_months": 1201}, "deal.contract_months", "bad_field"),
        ({"contract_months": 12.5}, "deal.contract_months", "bad_field"),
        ({"contract_months": True}, "deal.contract_months", "bad_field"),
        ({"contract_months": "12.5"}, "deal.contract_months", "bad_field"),
        ({"fields": []}, "deal.fields", "bad_field"),
        ({"fields": {"Plan": "pro"}}, "deal.fields", "bad_field"),
        ({"fields": {"p" * 51: "pro"}}, "deal.fields", "bad_field"),
        ({"fields": {"plan": ""}}, "deal.fields.plan", "bad_field"),
        ({"fields": {"plan": "x" * 101}}, "deal.fields.plan", "bad_field"),
        ({"fields": {"plan": "a\nb"}}, "deal.fields.plan", "bad_field"),
        ({"fields": {"plan": ["pro"]}}, "deal.fields.plan", "bad_field"),
        ({"fields": {"seats": 1.5}}, "deal.fields.seats", "bad_field"),
        ({"fields": {"seats": 10**16}}, "deal.fields.seats", "bad_field"),
        ({"fields": {f"f{n}": 1 for n in range(21)}}, "deal.fields", "too_many_fields"),
    ],
)
def test_a_bad_field_is_parked_and_the_rest_applied(
    deal: dict[str, object], path: str, code: str
) -> None:
    desk = Desk()

    applied = desk.apply(desk.standard(updated({"id": "D-1", "stage": "won", **deal}, KEY)))

    assert [(path, code)] == [(reason.path, reason.code) for reason in applied.reasons]
    assert ["stage_entered"] == [row["kind"] for row in fact_rows(desk)]


# HubSpot


def about(kind: str, *, deal: int = 7, minute: int = 5, **more: Any) -> dict[str, Any]:  # noqa: ANN401 - one event
    """One HubSpot event of a whole deal."""
    sent: dict[str, Any] = change("", "", deal=deal, minute=minute, subscriptionType=kind)
    return {
        **{name: value for name, value in sent.items() if not name.startswith("property")},
        **more,
    }


NEWER: dict[str, Any] = {"objectTypeId": "0-3"}
MERGE: dict[str, Any] = {"primaryObjectId": 9, "mergedObjectIds": [7, 9]}


@pytest.mark.parametrize(
    ("sent", "kind", "data"),
    [
        (about("deal.deletion"), "deal_ended", {"how": "deleted", "deal_id": "7"}),
        (about("object.deletion", **NEWER), "deal_ended", {"how": "deleted", "deal_id": "7"}),
        (about("deal.restore"), "deal_restored", {"deal_id": "7"}),
        (about("object.restore", **NEWER), "deal_restored", {"deal_id": "7"}),
        (
            about("deal.merge", deal=9, **MERGE),
            "deal_merged",
            {"deal_id": "7", "merged_into": "9"},
        ),
        (
            about("object.merge", deal=9, **NEWER, **MERGE),
            "deal_merged",
            {"deal_id": "7", "merged_into": "9"},
        ),
        (change("plan", "pro"), "field_set", {"name": "plan", "value": "pro"}),
        (change("contract_months", "12"), "field_set", {"name": "contract_months", "value": 12}),
    ],
)
def test_every_event_of_a_hubspot_deal_becomes_its_fact(
    sent: dict[str, Any], kind: str, data: dict[str, Any]
) -> None:
    desk = Desk()
    desk.apply(desk.hubspot(change("goodword_referral", "ref_1")))

    first = desk.apply(desk.hubspot(sent))
    again = desk.apply(desk.hubspot({**sent, "attemptNumber": 1}))

    assert (first.state, first.new_facts) == ("applied", 1)
    assert (again.state, again.new_facts) == ("applied", 0)
    (row,) = fact_rows(desk)
    assert (kind, data) == (row["kind"], row["data"])


@pytest.mark.parametrize(
    ("sent", "path", "code"),
    [
        (about("deal.deletion", objectId="7"), "[0].objectId", "bad_event"),
        (about("deal.restore", occurredAt=None), "[0].occurredAt", "bad_time"),
        (about("deal.merge", mergedObjectIds=[7]), "[0].primaryObjectId", "bad_event"),
        (about("deal.merge", primaryObjectId=9), "[0].mergedObjectIds", "bad_event"),
        (
            about("deal.merge", primaryObjectId=9, mergedObjectIds="7"),
            "[0].mergedObjectIds",
            "bad_event",
        ),
        (
            about("deal.merge", primaryObjectId=9, mergedObjectIds=[True]),
            "[0].mergedObjectIds[0]",
            "bad_event",
        ),
        (
            about("deal.merge", primaryObjectId=9, mergedObjectIds=list(range(10, 21))),
            "[0].mergedObjectIds",
            "bad_event",
        ),
        (about("contact.privacyDeletion"), "[0].subscriptionType", "not_supported_yet"),
        (about("object.privacyDeletion"), "[0].subscriptionType", "not_supported_yet"),
    ],
)
def test_a_hubspot_event_that_can_not_be_read_is_parked(
    sent: dict[str, Any], path: str, code: str
) -> None:
    desk = Desk()

    assert [(path, code)] == codes(desk, desk.hubspot(sent))


@pytest.mark.parametrize(
    "sent",
    [
        about("object.deletion", objectTypeId="0-1"),
        about("contact.deletion"),
        about("deal.creation"),
        about("deal.merge", primaryObjectId=7, mergedObjectIds=[7]),
        change("seats", "5"),
    ],
)
def test_what_does_not_concern_us_is_ignored(sent: dict[str, Any]) -> None:
    desk = Desk()

    assert desk.apply(desk.hubspot(sent)).state == "ignored"


def test_every_order_of_a_deals_life_gives_the_same() -> None:
    sent = [
        change("goodword_referral", "ref_1"),
        change("dealstage", "won", minute=1),
        about("deal.deletion", minute=2),
        about("deal.restore", minute=3),
        change("plan", "pro", minute=4),
    ]
    want = None
    for order in itertools.permutations(range(len(sent))):
        desk = Desk()
        received = [desk.hubspot(part) for part in sent]
        for place in (*order, order[0], order[-1]):
            desk.apply(received[place])
        want = want or desk.essence()

        assert want == desk.essence()


@pytest.mark.parametrize(
    ("minutes", "outcome"), [((1, 2), "deleted"), ((1, 2, 3), "won"), ((1, 3, 2), "deleted")]
)
def test_lists_show_that_a_deal_is_gone(minutes: tuple[int, ...], outcome: str) -> None:
    desk = Desk()
    kinds = (None, "deal.deletion", "deal.restore")
    parts = [
        about(kind, minute=minute) if kind else change("dealstage", "won", minute=minute)
        for kind, minute in zip(kinds, minutes, strict=False)
    ]

    desk.apply(desk.hubspot(change("goodword_referral", "ref_1"), *parts))

    head = desk.store.referral("ref_1")
    assert head is not None
    assert (head.deal["stage"], head.deal["outcome"]) == ("won", outcome)


def test_a_statement_from_the_future_counts_from_its_receipt() -> None:
    desk = bound()

    desk.apply(desk.standard(event("meeting.held", occurred_at="2027-01-01T00:00:00Z")))

    (row,) = fact_rows(desk)
    assert (row["occurred_at"], row["approximate"]) == (NOW.isoformat(), True)


def test_without_a_time_the_event_tells_repeats_of_every_type() -> None:
    desk = bound()
    document = event("invoice.paid", occurred_at=None, invoice=INVOICE)
    desk.apply(desk.standard(document))
    desk.now = NOW + timedelta(hours=1)

    assert desk.apply(desk.standard({**document, "sent": "again"})).new_facts == 0

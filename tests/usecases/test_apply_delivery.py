"""Applying deliveries: binding, facts, parking, and the same end in every order."""

from __future__ import annotations

import itertools
import json
import random
import threading
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from shared.adapters.dynamodb import keys
from shared.adapters.dynamodb.deliveries import parked
from shared.adapters.dynamodb.referrals import referral_row
from shared.domain import facts
from shared.domain.errors import NotFoundError, StaleVersionError
from shared.domain.stages import Stage, StageMap
from shared.usecases.deal_facts import TRIES
from shared.usecases.replay_delivery import replay_delivery
from tests.builders.deliveries import (
    CORE,
    NOW,
    VAULT,
    Desk,
    change,
    referral,
    source,
    token,
    updated,
)

if TYPE_CHECKING:
    from shared.usecases.apply_delivery import Applied

STORY = [
    change("goodword_referral", "ref_1", minute=0),
    change("amount", "20000.00", minute=1),
    change("deal_currency_code", "EUR", minute=1),
    change("dealstage", "accepted", minute=2),
    change("dealstage", "won", minute=3),
]
STORY_FACTS = [
    ("amount_set", "20000.00"),
    ("currency_set", "EUR"),
    ("stage_entered", "accepted"),
    ("stage_entered", "won"),
]


def reasons(applied: Applied) -> list[tuple[str, str]]:
    return [(reason.path, reason.code) for reason in applied.reasons]


def head(desk: Desk, referral_id: str = "ref_1") -> dict[str, Any]:
    (row,) = [row for row in desk.rows(f"REF#{referral_id}") if row["sk"] == "META"]
    return row


def markers(desk: Desk) -> list[str]:
    return [row["delivery_id"] for row in desk.rows("DEAL#") if row["sk"].startswith("PARKED#")]


def test_a_batch_binds_the_deal_and_becomes_facts() -> None:
    desk = Desk()

    applied = desk.apply(desk.hubspot(*STORY))

    assert applied.state == "applied"
    assert applied.referral_ids == ("ref_1",)
    assert applied.new_facts == 4
    assert sorted(STORY_FACTS) == sorted(desk.facts())
    assert head(desk)["deal"] == {
        "source_id": "src_hubspot",
        "deal_id": "7",
        "stage": "won",
        "outcome": "won",
        "amount": "20000.00",
        "currency": "EUR",
    }
    assert head(desk)["version"] == 2
    assert desk.rows("LINK#code-1") == []
    assert desk.events("FactsChanged") == [
        {"referral_id": "ref_1", "kinds": ["amount_set", "currency_set", "stage_entered"]}
    ]


def test_a_stage_fact_holds_what_the_map_says() -> None:
    desk = Desk()
    desk.apply(desk.hubspot(STORY[0], change("dealstage", "won", minute=3)))

    (row,) = [row for row in desk.rows("REF#ref_1") if row["sk"].startswith("FACT#")]

    assert row["data"] == {
        "source_id": "src_hubspot",
        "deal_id": "7",
        "pipeline": "",
        "stage": "won",
        "rank": 4,
        "milestone": "won",
        "outcome": "won",
        "ladder": {"accepted": 1, "qualified": 2, "won": 4},
    }
    assert row["source"] == "src_hubspot"
    assert row["received_at"] == NOW.isoformat()
    assert row["occurred_at"] == (NOW - timedelta(minutes=57)).isoformat()
    assert row["approximate"] is False


def test_the_event_names_its_cause() -> None:
    desk = Desk()
    desk.apply(desk.hubspot(*STORY))

    (row,) = [row for row in desk.rows("OUT#") if row["name"] == "FactsChanged"]
    envelope = json.loads(row["envelope"])

    assert envelope["hops"] == 1
    assert envelope["causation_id"] == "evt-0"
    assert envelope["correlation_id"] == "req-1"
    assert envelope["aggregate"] == {"type": "referral", "id": "ref_1", "version": 2}
    assert envelope["program_id"] == "prg_1"


def test_the_same_delivery_again_changes_nothing() -> None:
    desk = Desk()
    delivery_id = desk.hubspot(*STORY)
    desk.apply(delivery_id)
    before = desk.client.dump()

    again = desk.apply(delivery_id)

    assert again.state == "applied"
    assert again.new_facts == 0
    assert before == desk.client.dump()


def test_every_order_inside_a_batch_gives_the_same() -> None:
    for order in itertools.permutations(STORY):
        desk = Desk()
        desk.apply(desk.hubspot(*order))

        assert sorted(STORY_FACTS) == sorted(desk.facts())
        assert head(desk)["deal"]["stage"] == "won"


def test_every_order_of_deliveries_with_repeats_gives_the_same() -> None:
    want = None
    for order in itertools.permutations(range(len(STORY))):
        desk = Desk()
        received = [desk.hubspot(part) for part in STORY]
        for place in (*order, order[0], order[-1]):
            desk.apply(received[place])
        essence = desk.essence()
        want = want or essence

        assert essence == want
        assert markers(desk) == []
        assert {"applied"} == {row["state"] for row in desk.rows("DLV#")}


def test_a_retry_with_another_attempt_number_adds_nothing() -> None:
    desk = Desk()
    desk.apply(desk.hubspot(*STORY))

    again = desk.apply(desk.hubspot(*({**part, "attemptNumber": 1} for part in STORY)))

    assert len(desk.rows("DLV#")) == 2
    assert again.state == "applied"
    assert again.new_facts == 0


@pytest.mark.parametrize(
    ("value", "evidence"),
    [
        ("ref_1", "referral_id"),
        ("code-1", "code"),
        (" CODE-1 ", "code"),
        (token(), "click_token"),
    ],
)
def test_the_property_holds_an_id_a_code_or_a_token(value: str, evidence: str) -> None:
    desk = Desk()

    applied = desk.apply(desk.hubspot(change("goodword_referral", value)))

    assert applied.state == "applied"
    (binding,) = desk.rows("DEAL#src_hubspot#7")
    assert (binding["referral_id"], binding["evidence"]) == ("ref_1", evidence)
    assert desk.events("FactsChanged") == []
    assert head(desk)["deal_id"] == "7"


@pytest.mark.parametrize(
    ("value", "code"),
    [
        ("ref_9", "referral_not_found"),
        ("code-9", "referral_not_found"),
        ("not a token", "bad_click_token"),
        (token() + "x", "bad_click_token"),
        (token(program_id="prg_2"), "bad_click_token"),
        (token(9), "referral_not_found"),
    ],
)
def test_a_key_that_finds_nothing_parks_the_deal(value: str, code: str) -> None:
    desk = Desk()

    applied = desk.apply(desk.hubspot(change("goodword_referral", value), STORY[4]))

    assert applied.state == "parked"
    assert reasons(applied) == [("[0].propertyValue", code)]
    assert desk.facts() == []
    assert markers(desk) == [applied.delivery_id]


def test_a_referral_of_another_programme_is_not_found() -> None:
    desk = Desk()
    desk.add(referral(3, program_id="prg_2"), 3)

    for value in ("ref_3", "code-3"):
        applied = desk.apply(desk.hubspot(change("goodword_referral", value)))

        assert [code for _, code in reasons(applied)] == ["referral_not_found"]


def test_a_code_of_several_open_referrals_is_ambiguous_until_one_is_left() -> None:
    desk = Desk()
    desk.add(referral(3, link_code="code-1"), 3)

    applied = desk.apply(desk.hubspot(change("goodword_referral", "code-1"), STORY[4]))
    assert reasons(applied) == [("[0].propertyValue", "ambiguous_referral")]

    desk.apply(desk.hubspot(change("goodword_referral", "ref_3", deal=8)))
    later = desk.apply(desk.hubspot(change("dealstage", "qualified", minute=1)))

    assert later.state == "applied"
    assert desk.facts() == [("stage_entered", "qualified"), ("stage_entered", "won")]
    assert markers(desk) == []


def test_a_click_of_two_leads_proves_neither() -> None:
    desk = Desk()
    desk.put(keys.touch("clk_1"), {"referral_id": "ref_1", "shared": True})

    applied = desk.apply(desk.hubspot(change("goodword_referral", token())))

    assert [code for _, code in reasons(applied)] == ["referral_not_found"]


def test_what_is_not_bound_is_parked_listed_and_kept_longer() -> None:
    desk = Desk()
    delivery_id = desk.hubspot(*STORY[1:])

    applied = desk.apply(delivery_id)

    assert applied.state == "parked"
    assert reasons(applied) == [("", "deal_not_bound")]
    listed, after = parked(desk.client, CORE, "prg_1", limit=10)
    assert [delivery_id] == [each.delivery_id for each in listed]
    assert after == ""
    (body,) = desk.rows("DLV#", VAULT)
    assert body["expires_at_epoch"] == int((NOW + timedelta(days=400)).timestamp())
    assert desk.events("FactsChanged") == []


def test_the_binding_applies_what_waited() -> None:
    desk = Desk()
    early = [desk.hubspot(part) for part in STORY[1:]]
    for delivery_id in early:
        desk.apply(delivery_id)

    applied = desk.apply(desk.hubspot(STORY[0]))

    assert applied.deliveries == 5
    assert applied.new_facts == 4
    assert sorted(STORY_FACTS) == sorted(desk.facts())
    assert markers(desk) == []
    assert parked(desk.client, CORE, "prg_1", limit=10) == ((), "")
    assert {"applied"} == {row["state"] for row in desk.rows("DLV#")}
    kept = {row["expires_at_epoch"] for row in desk.rows("DLV#", VAULT)}
    assert {int((NOW + timedelta(days=90)).timestamp())} == kept


def test_the_list_of_parked_deliveries_has_pages() -> None:
    desk = Desk()
    want = []
    for minute in range(7):
        desk.now = NOW + timedelta(seconds=minute)
        want.append(desk.apply(desk.hubspot(change("amount", "1", minute=minute))).delivery_id)

    found = []
    before = ""
    for _ in range(4):
        page, before = parked(desk.client, CORE, "prg_1", limit=2, before=before)
        found += [each.delivery_id for each in page]

    assert before == ""
    assert found == want[::-1]


def test_more_than_one_run_can_carry_is_asked_for() -> None:
    desk = Desk()
    early = [desk.hubspot(change("amount", str(number), minute=number)) for number in range(120)]
    for delivery_id in early:
        desk.apply(delivery_id)
    handled = len(desk.events("DeliveryReceived"))

    desk.apply(desk.hubspot(STORY[0]))
    handled += 1
    rounds = 0
    while handled < len(desk.events("DeliveryReceived")):
        desk.apply(desk.events("DeliveryReceived")[handled]["delivery_id"])
        handled += 1
        rounds += 1

    assert len(desk.facts()) == 120
    assert markers(desk) == []
    assert rounds == 2


def test_a_delivery_that_waits_for_two_deals_is_done_after_both() -> None:
    desk = Desk()
    both = desk.apply(
        desk.hubspot(change("dealstage", "won", deal=7), change("dealstage", "won", deal=8))
    )
    assert reasons(both) == [("", "deal_not_bound")]

    desk.apply(desk.hubspot(change("goodword_referral", "ref_1", deal=7)))
    assert desk.store.delivery(both.delivery_id).state == "parked"  # type: ignore[union-attr]
    assert len(desk.facts("ref_1")) == 1
    assert len(markers(desk)) == 1

    desk.apply(desk.hubspot(change("goodword_referral", "ref_2", deal=8)))
    assert desk.store.delivery(both.delivery_id).state == "applied"  # type: ignore[union-attr]
    assert len(desk.facts("ref_2")) == 1
    assert markers(desk) == []


def test_a_batch_of_a_hundred_deals_is_parked_and_applied() -> None:
    desk = Desk(referrals=100)
    batch = [change("dealstage", "won", deal=number) for number in range(1, 101)]
    waiting = desk.apply(desk.hubspot(*batch)).delivery_id
    assert len(markers(desk)) == 100

    names = [change("goodword_referral", f"ref_{n}", deal=n) for n in range(1, 101)]
    desk.apply(desk.hubspot(*names))

    assert desk.store.delivery(waiting).state == "applied"  # type: ignore[union-attr]
    assert markers(desk) == []
    assert all(len(desk.facts(f"ref_{number}")) == 1 for number in (1, 50, 100))


def test_a_hundred_changes_of_one_deal_take_two_transactions() -> None:
    desk = Desk()
    batch = [change("amount", str(number), minute=number - 99) for number in range(99)]

    applied = desk.apply(desk.hubspot(STORY[0], *batch))

    assert applied.new_facts == 99
    assert len(desk.facts()) == 99
    assert len(desk.events("FactsChanged")) == 2
    assert head(desk)["deal"]["amount"] == "98"


def test_a_referral_that_appears_later_is_found_by_the_next_delivery() -> None:
    desk = Desk(referrals=0)
    desk.apply(desk.hubspot(*STORY[:4]))
    desk.add(referral(1), 1)

    applied = desk.apply(desk.hubspot(STORY[4]))

    assert applied.state == "applied"
    assert sorted(STORY_FACTS) == sorted(desk.facts())
    assert markers(desk) == []


def test_a_replay_after_the_map_was_mended_applies_the_rest() -> None:
    desk = Desk()
    strange = change("dealstage", "signed", minute=4)
    delivery_id = desk.hubspot(*STORY, strange)
    applied = desk.apply(delivery_id)
    assert applied.state == "parked"
    assert reasons(applied) == [("[5].propertyValue", "unknown_stage")]
    assert sorted(STORY_FACTS) == sorted(desk.facts())

    mended = StageMap(stages=(Stage(stage="signed", rank=5, outcome="won", milestone="won"),))
    desk.put(keys.source("src_hubspot"), _source_row(stage_map=mended))
    replay_delivery(desk.store, delivery_id, now=NOW, new_id=desk.new_id, correlation_id="req-2")
    assert len(desk.events("DeliveryReceived")) == 2
    # The stages that became facts before keep what they meant then.
    again = desk.apply(delivery_id)

    assert ("stage_entered", "signed") in desk.facts()
    assert {code for _, code in reasons(again)} == {"unknown_stage"}


def _source_row(**changes: Any) -> dict[str, Any]:  # noqa: ANN401 - any field
    from shared.adapters.dynamodb.sources import source_row  # noqa: PLC0415 - one test's need

    return source_row(source(**changes))


def test_a_replay_of_nothing_is_refused() -> None:
    desk = Desk()

    with pytest.raises(NotFoundError):
        replay_delivery(desk.store, "dlv_x", now=NOW, new_id=desk.new_id, correlation_id="r")
    with pytest.raises(NotFoundError):
        desk.apply("dlv_x")


def test_a_deal_keeps_its_referral() -> None:
    desk = Desk()
    desk.apply(desk.hubspot(STORY[0]))

    applied = desk.apply(
        desk.hubspot(change("goodword_referral", "ref_2", minute=5), change("dealstage", "won"))
    )

    assert applied.state == "parked"
    assert reasons(applied) == [("[0].propertyValue", "deal_bound_to_other_referral")]
    assert desk.facts("ref_1") == [("stage_entered", "won")]
    assert desk.facts("ref_2") == []
    assert markers(desk) == []


def test_a_referral_keeps_its_deal() -> None:
    desk = Desk()
    desk.apply(desk.hubspot(STORY[0]))

    applied = desk.apply(
        desk.hubspot(
            change("goodword_referral", "ref_1", deal=8), change("dealstage", "won", deal=8)
        )
    )

    assert reasons(applied) == [("[0].propertyValue", "referral_has_other_deal")]
    assert desk.facts("ref_1") == []


@pytest.mark.parametrize("value", ["ref_1", "code-1", token()])
def test_naming_the_bound_referral_by_any_key_is_no_conflict(value: str) -> None:
    desk = Desk()
    desk.apply(desk.hubspot(STORY[0]))

    applied = desk.apply(desk.hubspot(change("goodword_referral", value, minute=3), STORY[4]))

    assert applied.state == "applied"
    assert reasons(applied) == []


def test_the_latest_word_in_a_batch_decides() -> None:
    for order in itertools.permutations(
        [
            change("goodword_referral", "ref_2", minute=0),
            change("goodword_referral", "ref_1", minute=1),
            change("goodword_referral", "", minute=2),
        ]
    ):
        desk = Desk()
        applied = desk.apply(desk.hubspot(*order))

        assert applied.state == "applied"
        assert applied.referral_ids == ("ref_1",)


@pytest.mark.parametrize(
    ("part", "path", "code"),
    [
        (change("amount", "-1.00"), "[1].propertyValue", "bad_amount"),
        (change("amount", "1e5"), "[1].propertyValue", "bad_amount"),
        (change("amount", ""), "[1].propertyValue", "bad_amount"),
        (change("amount", None), "[1].propertyValue", "bad_amount"),
        (change("amount", 5), "[1].propertyValue", "bad_amount"),
        (change("amount", "1" * 19), "[1].propertyValue", "bad_amount"),
        (change("amount", "10000000000000.01"), "[1].propertyValue", "bad_amount"),
        (change("deal_currency_code", "ZZZ"), "[1].propertyValue", "bad_currency"),
        (change("dealstage", "zzz"), "[1].propertyValue", "unknown_stage"),
        (change("dealstage", "won\ud800"), "[1].propertyValue", "unknown_stage"),
        (change("dealstage", "won", objectId="7"), "[1].objectId", "bad_event"),
        (change("dealstage", "won", objectId=True), "[1].objectId", "bad_event"),
        (change("dealstage", "won", objectId=-1), "[1].objectId", "bad_event"),
        (change("dealstage", "won", occurredAt="x"), "[1].occurredAt", "bad_time"),
        (change("dealstage", "won", occurredAt=10**18), "[1].occurredAt", "bad_time"),
        (change("goodword_referral", "a\x00b"), "[1].propertyValue", "bad_referral_key"),
        (change("goodword_referral", 17), "[1].propertyValue", "bad_referral_key"),
        (
            {"subscriptionType": "contact.privacyDeletion"},
            "[1].subscriptionType",
            "not_supported_yet",
        ),
        ({"subscriptionType": "deal.merge"}, "[1].primaryObjectId", "bad_event"),
        ({"subscriptionType": "deal.deletion"}, "[1].objectId", "bad_event"),
        (change("contract_months", "a year"), "[1].propertyValue", "bad_field"),
        (change("plan", ""), "[1].propertyValue", "bad_field"),
        ("text", "[1]", "bad_event"),
    ],
)
def test_a_bad_part_is_parked_and_the_rest_applied(part: object, path: str, code: str) -> None:
    desk = Desk()

    applied = desk.apply(desk.hubspot(STORY[0], part, STORY[4]))

    assert applied.state == "parked"
    assert reasons(applied) == [(path, code)]
    assert desk.facts() == [("stage_entered", "won")]
    assert markers(desk) == []


@pytest.mark.parametrize(
    "part",
    [
        change("pipeline", "default"),
        change("dealname", "x"),
        change("dealstage", "won", subscriptionType="contact.propertyChange"),
        change("dealstage", "won", subscriptionType="object.propertyChange", objectTypeId="0-1"),
        {"subscriptionType": "deal.creation", "objectId": 7},
        change("goodword_referral", ""),
        change(["dealstage"], "won"),  # type: ignore[arg-type]
        change("dealstage", "won", subscriptionType=["x"]),
    ],
)
def test_what_does_not_concern_us_is_ignored(part: object) -> None:
    desk = Desk()

    applied = desk.apply(desk.hubspot(part))

    assert applied.state == "ignored"
    assert markers(desk) == []
    assert parked(desk.client, CORE, "prg_1", limit=10) == ((), "")


def test_the_newer_form_of_events_is_understood() -> None:
    desk = Desk()
    more = {"subscriptionType": "object.propertyChange", "objectTypeId": "0-3"}

    desk.apply(desk.hubspot(*({**part, **more} for part in STORY)))

    assert sorted(STORY_FACTS) == sorted(desk.facts())


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"not json", "malformed_body"),
        (b"\xff\xfe", "malformed_body"),
        (b"", "malformed_body"),
        (b'[{"a":1,"a":2}]', "malformed_body"),
        (b"[" * 50 + b"]" * 50, "malformed_body"),
        (b"{}", "bad_event"),
        (b'"text"', "bad_event"),
        (json.dumps([change("dealstage", "won")] * 101).encode(), "too_many_events"),
    ],
)
def test_an_authentic_body_that_can_not_be_read_is_parked(body: bytes, code: str) -> None:
    from tests.builders.deliveries import hubspot_request  # noqa: PLC0415 - one test's need

    desk = Desk()
    received = desk.receive("src_hubspot", hubspot_request(body))

    applied = desk.apply(received.delivery_id)

    assert applied.state == "parked"
    assert reasons(applied) == [("", code)]
    assert len(parked(desk.client, CORE, "prg_1", limit=10)[0]) == 1


def test_a_referral_holds_only_so_many_facts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(facts, "MAX_FACTS", 3)
    desk = Desk()
    desk.apply(desk.hubspot(*STORY[:4]))

    applied = desk.apply(desk.hubspot(STORY[3], STORY[4]))

    assert reasons(applied) == [("[1].propertyValue", "too_many_facts")]
    assert len(desk.facts()) == 3


def test_a_time_far_ahead_is_replaced_by_the_receipt() -> None:
    desk = Desk()

    desk.apply(
        desk.hubspot(
            STORY[0],
            change("dealstage", "won", minute=60 + 11),
            change("dealstage", "qualified", minute=60 + 9),
        )
    )

    rows = {
        row["data"]["stage"]: (row["occurred_at"], row["approximate"])
        for row in desk.rows("REF#ref_1")
        if row["sk"].startswith("FACT#")
    }
    assert rows["won"] == (NOW.isoformat(), True)
    assert rows["qualified"] == ((NOW + timedelta(minutes=9)).isoformat(), False)


def test_expired_bytes_are_said_to_be_missing() -> None:
    desk = Desk()
    delivery_id = desk.apply(desk.hubspot(STORY[4])).delivery_id
    desk.client.delete_item(
        TableName=VAULT, Key={"pk": {"S": f"DLV#{delivery_id}"}, "sk": {"S": "BODY"}}
    )

    applied = desk.apply(delivery_id)

    assert applied.state == "parked"
    assert reasons(applied) == [("", "body_missing")]
    assert desk.rows("DLV#", VAULT) == []
    assert desk.apply(delivery_id) == applied


def test_what_was_applied_needs_its_bytes_no_more() -> None:
    desk = Desk()
    delivery_id = desk.apply(desk.hubspot(*STORY)).delivery_id
    desk.client.delete_item(
        TableName=VAULT, Key={"pk": {"S": f"DLV#{delivery_id}"}, "sk": {"S": "BODY"}}
    )

    assert desk.apply(delivery_id).state == "applied"


def test_bytes_lost_before_the_first_look_are_said_to_be_missing() -> None:
    desk = Desk()
    delivery_id = desk.hubspot(*STORY)
    desk.client.delete_item(
        TableName=VAULT, Key={"pk": {"S": f"DLV#{delivery_id}"}, "sk": {"S": "BODY"}}
    )

    assert reasons(desk.apply(delivery_id)) == [("", "body_missing")]
    assert len(parked(desk.client, CORE, "prg_1", limit=10)[0]) == 1


def test_a_stage_without_a_milestone_names_none() -> None:
    desk = Desk()

    desk.apply(desk.hubspot(STORY[0], change("dealstage", "negotiation")))

    (row,) = [row for row in desk.rows("REF#ref_1") if row["sk"].startswith("FACT#")]
    assert "milestone" not in row["data"]
    assert row["data"]["rank"] == 3


def test_a_referral_without_a_link_is_bound_by_its_id() -> None:
    desk = Desk(referrals=0)
    alone = referral(link_code="", click_id="")
    desk.put(keys.referral("ref_1"), referral_row(alone))

    assert desk.apply(desk.hubspot(*STORY)).state == "applied"
    assert sorted(STORY_FACTS) == sorted(desk.facts())


def test_a_binding_to_nothing_is_not_passed_over() -> None:
    desk = Desk()
    desk.apply(desk.hubspot(STORY[0]))
    desk.client.delete_item(TableName=CORE, Key={"pk": {"S": "REF#ref_1"}, "sk": {"S": "META"}})

    with pytest.raises(NotFoundError):
        desk.apply(desk.hubspot(STORY[4]))


# The generic source


@pytest.mark.parametrize(
    ("key", "evidence"),
    [
        ({"id": "ref_1"}, "referral_id"),
        ({"code": "CODE-1"}, "code"),
        ({"click_id": token()}, "click_token"),
        ({"email": "Lead1+x@Example.test"}, "email"),
        ({"click_id": "broken", "email": "lead1@example.test"}, "email"),
        ({"click_id": "broken", "email": "nobody@x.test", "code": "code-1"}, "code"),
    ],
)
def test_any_key_of_the_generic_source_binds(key: dict[str, str], evidence: str) -> None:
    desk = Desk()
    deal = {"id": "D-1", "stage": "won", "amount": "20000.00", "currency": "EUR"}

    applied = desk.apply(desk.standard(updated(deal, key)))

    assert applied.state == "applied"
    assert applied.referral_ids == ("ref_1",)
    assert sorted(desk.facts()) == [("amount_set", "20000.00"), ("stage_entered", "won")]
    (binding,) = desk.rows("DEAL#src_standard#D-1")
    assert binding["evidence"] == evidence
    assert head(desk)["deal"]["currency"] == "EUR"


def test_a_referral_id_decides_alone() -> None:
    desk = Desk()

    applied = desk.apply(
        desk.standard(updated({"id": "D-1"}, {"id": "ref_9", "email": "lead1@example.test"}))
    )

    assert reasons(applied) == [("referral", "referral_not_found")]


def test_a_deal_seen_before_needs_no_key() -> None:
    desk = Desk()
    desk.apply(desk.standard(updated({"id": "D-1"}, {"code": "code-1"})))

    applied = desk.apply(desk.standard(updated({"id": "D-1", "stage": "won"}, id="evt-2")))

    assert applied.state == "applied"
    assert desk.facts() == [("stage_entered", "won")]


def test_without_a_time_the_first_receipt_stands_in_and_repeats_are_the_same() -> None:
    desk = Desk()
    document = updated({"id": "D-1", "stage": "won"}, {"id": "ref_1"}, occurred_at=None)
    desk.apply(desk.standard(document, "msg_a"))
    desk.now = NOW + timedelta(hours=1)

    again = desk.apply(desk.standard({**document, "note": "sent again"}, "msg_b"))

    assert again.new_facts == 0
    (row,) = [row for row in desk.rows("REF#ref_1") if row["sk"].startswith("FACT#")]
    assert row["occurred_at"] == NOW.isoformat()
    assert row["approximate"] is True


def test_without_a_time_and_an_event_id_the_message_id_tells_repeats() -> None:
    desk = Desk()
    document = updated({"id": "D-1", "amount": "5"}, {"id": "ref_1"}, occurred_at=None, id=None)
    desk.apply(desk.standard(document, "msg_a"))

    assert desk.apply(desk.standard({**document, "x": 1}, "msg_a")).new_facts == 0
    assert desk.apply(desk.standard(document, "msg_b")).new_facts == 1


@pytest.mark.parametrize(
    ("document", "path", "code"),
    [
        ([], "", "bad_event"),
        ({}, "type", "bad_event"),
        ({"type": 5}, "type", "bad_event"),
        ({"type": "refund.created"}, "deal", "bad_event"),
        ({"type": "meeting.held"}, "deal", "bad_event"),
        ({"type": "deal.updated"}, "deal", "bad_event"),
        (updated({}), "deal.id", "bad_event"),
        (updated({"id": "x" * 101}), "deal.id", "bad_event"),
        (updated({"id": "D\ud800"}), "deal.id", "bad_event"),
        (updated({"id": "D"}, occurred_at="yesterday"), "occurred_at", "bad_time"),
        (updated({"id": "D"}, occurred_at="2026-11-21T09:00:00"), "occurred_at", "bad_time"),
        (updated({"id": "D"}, occurred_at="0001-01-01T00:00:00+09:00"), "occurred_at", "bad_time"),
        (updated({"id": "D"}, occurred_at=5), "occurred_at", "bad_time"),
    ],
)
def test_a_bad_event_is_parked(document: object, path: str, code: str) -> None:
    desk = Desk()

    applied = desk.apply(desk.standard(document))

    assert applied.state == "parked"
    assert reasons(applied) == [(path, code)]


@pytest.mark.parametrize(
    ("deal", "path", "code"),
    [
        ({"stage": "zzz"}, "deal.stage", "unknown_stage"),
        ({"stage": 5}, "deal.stage", "unknown_stage"),
        ({"amount": 5, "currency": "USD"}, "deal.amount", "bad_amount"),
        ({"amount": "NaN", "currency": "USD"}, "deal.amount", "bad_amount"),
        ({"amount": "5", "currency": "ZZZ"}, "deal.amount", "bad_currency"),
        ({"amount": "5", "currency": 5}, "deal.currency", "bad_currency"),
        ({"currency": "ZZZ"}, "deal.currency", "bad_currency"),
    ],
)
def test_a_bad_field_is_parked_and_the_binding_kept(
    deal: dict[str, object], path: str, code: str
) -> None:
    desk = Desk()

    applied = desk.apply(desk.standard(updated({"id": "D", **deal}, {"id": "ref_1"})))

    assert reasons(applied) == [(path, code)]
    assert head(desk)["deal_id"] == "D"
    assert desk.facts() == []


@pytest.mark.parametrize(
    "key", [{"id": "nonsense"}, {"code": "!"}, {"email": "a\nb"}, "text", {"click_id": 5}]
)
def test_a_bad_key_is_parked(key: Any) -> None:  # noqa: ANN401 - anything
    desk = Desk()

    applied = desk.apply(desk.standard({**updated({"id": "D"}), "referral": key}))

    assert [code for _, code in reasons(applied)] == ["bad_referral_key"]


def test_an_unknown_type_is_ignored() -> None:
    desk = Desk()

    assert desk.apply(desk.standard({"type": "order.shipped"})).state == "ignored"
    assert desk.apply(desk.standard(updated({"id": "D"}, {}))).state == "ignored"


def test_a_currency_alone_is_a_fact_and_pipelines_choose_stages() -> None:
    two = StageMap(
        stages=(
            Stage(stage="s1", rank=1, outcome="open", pipeline="new"),
            Stage(stage="s1", rank=9, outcome="won", milestone="won", pipeline="renewal"),
        )
    )
    desk = Desk(source("standard", stage_map=two))
    deal = {"id": "D", "stage": "s1", "pipeline": "renewal", "currency": "GBP"}

    desk.apply(desk.standard(updated(deal, {"id": "ref_1"})))

    rows = {row["kind"]: row["data"] for row in desk.rows("REF#ref_1") if "data" in row}
    assert rows["stage_entered"]["rank"] == 9
    assert rows["currency_set"] == {"currency": "GBP"}


# Beside itself


def test_parking_and_binding_at_the_same_time_lose_nothing() -> None:
    """Between every two calls of the one, the whole of the other happens."""
    calls = 0
    while True:
        desk = Desk()
        waits, binds = desk.hubspot(STORY[4]), desk.hubspot(STORY[0])
        fired = _interrupt(desk, calls, lambda desk=desk, binds=binds: desk.apply(binds))
        desk.apply(waits)
        if not fired:
            break
        calls += 1

        assert desk.facts() == [("stage_entered", "won")], calls
        assert markers(desk) == []
        assert {"applied"} == {row["state"] for row in desk.rows("DLV#")}
    assert calls > 4


def test_two_bindings_of_one_code_at_the_same_time_have_one_winner() -> None:
    calls = 0
    while True:
        desk = Desk()
        first = desk.hubspot(change("goodword_referral", "code-1", deal=7))
        second = desk.hubspot(change("goodword_referral", "code-1", deal=8))
        fired = _interrupt(desk, calls, lambda desk=desk, second=second: desk.apply(second))
        desk.apply(first)
        if not fired:
            break
        calls += 1

        bound = [row for row in desk.rows("DEAL#") if row["sk"] == "BINDING"]
        assert len(bound) == 1
        assert sorted(row["state"] for row in desk.rows("DLV#")) == ["applied", "parked"]
    assert calls > 4


def test_two_referrals_for_one_deal_at_the_same_time_have_one_winner() -> None:
    calls = 0
    while True:
        desk = Desk()
        first = desk.hubspot(change("goodword_referral", "ref_1"))
        second = desk.hubspot(change("goodword_referral", "ref_2"))
        fired = _interrupt(desk, calls, lambda desk=desk, second=second: desk.apply(second))
        desk.apply(first)
        if not fired:
            break
        calls += 1

        bound = [row["referral_id"] for row in desk.rows("DEAL#") if row["sk"] == "BINDING"]
        assert bound == [f"ref_{n}" for n in (1, 2) if head(desk, f"ref_{n}")["deal_id"]]
        assert len(bound) == 1
    assert calls > 4


def test_what_was_mended_meanwhile_is_not_called_parked_again() -> None:
    mended = StageMap(stages=(Stage(stage="signed", rank=5, outcome="won", milestone="won"),))
    calls = 0
    while True:
        desk = Desk()
        delivery_id = desk.hubspot(STORY[0], change("dealstage", "signed"))

        def mend(desk: Desk = desk, delivery_id: str = delivery_id) -> None:
            desk.put(keys.source("src_hubspot"), _source_row(stage_map=mended))
            desk.apply(delivery_id)

        fired = _interrupt(desk, calls, mend)
        desk.apply(delivery_id)
        if not fired:
            break
        calls += 1

        assert {"applied"} == {row["state"] for row in desk.rows("DLV#")}, calls
        assert desk.facts() == [("stage_entered", "signed")]
    assert calls > 4


def _interrupt(desk: Desk, after_calls: int, other: Any) -> list[int]:  # noqa: ANN401 - a callable
    """Runs ``other`` before the call with this number; what it fills tells whether it did."""
    fired: list[int] = []
    start = len(desk.client.calls)

    def hook(_request: object) -> None:
        if not fired and len(desk.client.calls) - start > after_calls:
            fired.append(after_calls)
            other()

    desk.client.before["*"] = hook
    return fired


def test_many_at_once_end_as_one_after_the_other() -> None:
    want = None
    for seed in range(8):
        desk = Desk()
        received = [desk.hubspot(part) for part in STORY] * 2
        random.Random(seed).shuffle(received)  # noqa: S311 - an order, not a secret
        failed: list[str] = []

        def work(delivery_id: str, desk: Desk = desk, failed: list[str] = failed) -> None:
            try:
                desk.apply(delivery_id)
            except StaleVersionError:
                failed.append(delivery_id)

        threads = [threading.Thread(target=work, args=(each,)) for each in received]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        for delivery_id in failed:  # the queue brings them again
            desk.apply(delivery_id)
        essence = desk.essence()
        want = want or essence

        assert essence == want
        assert sorted(STORY_FACTS) == sorted(desk.facts())
        assert markers(desk) == []


def test_others_that_keep_writing_first_are_reported() -> None:
    desk = Desk()
    delivery_id = desk.hubspot(*STORY)
    row = referral_row(referral())
    version = itertools.count(10)

    def hook(_request: object) -> None:
        desk.put(keys.referral("ref_1"), {**row, "version": next(version)})

    desk.client.before["transact_write_items"] = hook

    with pytest.raises(StaleVersionError):
        desk.apply(delivery_id)
    assert next(version) > 10 + TRIES

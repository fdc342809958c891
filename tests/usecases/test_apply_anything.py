"""Whatever an authentic sender posts ends applied, ignored or parked, and never as a bug."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from shared.domain.deliveries import PARKED, STATES
from tests.builders.deliveries import (
    Desk,
    change,
    hubspot_request,
    standard_request,
    token,
    updated,
)

texts = st.text(alphabet=st.characters()) | st.sampled_from(
    ["", "won", "ref_1", "code-1", "20000.00", "-0.1", "USD", "JPY", "1e9", "\ud800", "#", token()]
)
scalars = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | texts
values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=5,
)
PROPERTIES = [
    *("dealstage", "amount", "deal_currency_code", "goodword_referral", "pipeline"),
    *("contract_months", "plan"),
]
WHOLE_DEALS = ["deal.deletion", "deal.restore", "deal.merge", "object.merge"]
TYPES = [
    *("deal.updated", "deal.deleted", "deal.merged", "invoice.paid", "refund.created"),
    *("chargeback.created", "chargeback.reversed", "subscription.renewed"),
    *("subscription.cancelled", "meeting.held"),
]
PARTS = ("id", "amount_net", "amount", "currency", "period", "of")


@st.composite
def events(draw: st.DrawFn) -> Any:  # noqa: ANN401 - any JSON value
    """A HubSpot event of which any field may be anything."""
    event = change(draw(st.sampled_from(PROPERTIES)), draw(scalars), deal=draw(st.integers(1, 3)))
    if draw(st.booleans()):
        ids = st.lists(st.integers(1, 3) | values, max_size=3)
        event |= {
            "subscriptionType": draw(st.sampled_from(WHOLE_DEALS)),
            "objectTypeId": "0-3",
            "primaryObjectId": draw(st.integers(1, 3) | values),
            "mergedObjectIds": draw(ids | values),
        }
    for field in draw(st.lists(st.sampled_from(sorted(event)), max_size=2)):
        event[field] = draw(values)
    return draw(st.just(event) | values)


@st.composite
def documents(draw: st.DrawFn) -> Any:  # noqa: ANN401 - any JSON value
    """A generic event of which any field may be anything."""
    deal = draw(
        st.fixed_dictionaries(
            {"id": st.just("D-1") | values},
            optional=dict.fromkeys(
                ("stage", "pipeline", "amount", "currency", "contract_months", "fields"), values
            ),
        )
    )
    keys = ("id", "code", "click_id", "email")
    referral = draw(st.none() | st.fixed_dictionaries({}, optional=dict.fromkeys(keys, values)))
    part = st.fixed_dictionaries({}, optional=dict.fromkeys(PARTS, values)) | values
    document = updated(deal, referral, type=draw(st.sampled_from(TYPES)))
    document |= {name: draw(part) for name in ("invoice", "refund", "chargeback")}
    if draw(st.booleans()):
        del document["deal"]
    for field in draw(st.lists(st.sampled_from(sorted(document)), max_size=1)):
        document[field] = draw(values)
    return draw(st.just(document) | values)


def check(desk: Desk, delivery_id: str) -> None:
    first = desk.apply(delivery_id)
    again = desk.apply(delivery_id)

    assert first.state in STATES[1:]
    assert (first.state == PARKED) == bool(first.reasons)
    assert (first.state, first.reasons) == (again.state, again.reasons)
    assert again.new_facts == 0


@given(batch=st.lists(events(), max_size=6))
def test_any_batch_of_hubspot(batch: list[Any]) -> None:
    desk = Desk()

    check(desk, desk.hubspot(*batch))


@given(document=documents())
def test_any_event_of_the_generic_source(document: object) -> None:
    desk = Desk()

    check(desk, desk.standard(document))


@given(body=st.binary(max_size=60) | values.map(lambda value: json.dumps(value).encode()))
def test_any_bytes(body: bytes) -> None:
    desk = Desk()

    check(desk, desk.receive("src_hubspot", hubspot_request(body)).delivery_id)
    check(desk, desk.receive("src_standard", standard_request(body)).delivery_id)

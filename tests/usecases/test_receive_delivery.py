"""Receiving deliveries: stored exactly once, or refused without a trace."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from botocore.exceptions import ClientError, ConnectTimeoutError, ReadTimeoutError
from hypothesis import given
from hypothesis import strategies as st

from shared.adapters.dynamodb import keys
from shared.domain.errors import (
    NotFoundError,
    TooLargeError,
    UnauthenticatedError,
    UnavailableError,
)
from tests.builders.deliveries import (
    HUBSPOT_SECRET,
    NOW,
    VAULT,
    Desk,
    hubspot_request,
    source,
    standard_request,
)

if TYPE_CHECKING:
    from collections.abc import Callable

BODY = b'[{"a": 1}]'


def test_an_authentic_delivery_is_stored_with_its_event() -> None:
    desk = Desk()

    received = desk.receive("src_hubspot", hubspot_request(BODY))

    (row,) = desk.rows("DLV#")
    assert row["delivery_id"] == received.delivery_id
    assert row["state"] == "received"
    assert row["received_at"] == NOW.isoformat()
    assert row["size"] == len(BODY)
    assert row["program_id"] == "prg_1"
    assert row["message_id"] == ""
    assert "list_pk" not in row
    (body,) = desk.rows("DLV#", VAULT)
    assert body["body"] == BODY
    assert body["expires_at_epoch"] == int((NOW + timedelta(days=90)).timestamp())
    assert desk.events("DeliveryReceived") == [
        {"delivery_id": received.delivery_id, "source_id": "src_hubspot"}
    ]
    assert not received.known


def test_the_same_bytes_again_are_the_same_delivery() -> None:
    desk = Desk()
    first = desk.receive("src_hubspot", hubspot_request(BODY))
    before = desk.client.dump()
    desk.now = NOW + timedelta(minutes=1)

    again = desk.receive("src_hubspot", hubspot_request(BODY, sent_at=desk.now))

    assert again.known
    assert again.delivery_id == first.delivery_id
    assert before == desk.client.dump()


def test_the_same_message_again_is_the_same_delivery() -> None:
    desk = Desk()
    first = desk.receive("src_standard", standard_request(BODY))
    before = desk.client.dump()

    again = desk.receive("src_standard", standard_request(BODY))

    assert again == replace(first, known=True)
    assert before == desk.client.dump()


def test_other_bytes_under_a_known_message_id_are_kept_and_flagged() -> None:
    desk = Desk()
    first = desk.receive("src_standard", standard_request(BODY))

    other = desk.receive("src_standard", standard_request(BODY + b" "))
    again = desk.receive("src_standard", standard_request(BODY + b" "))

    assert first.delivery_id != other.delivery_id
    assert (first.message_id_reused, other.message_id_reused) == (False, True)
    assert (other.known, again.known) == (False, True)
    assert {row["message_id_reused"] for row in desk.rows("DLV#")} == {True, False}
    assert len(desk.events("DeliveryReceived")) == 2
    assert len(desk.rows("DLV#", VAULT)) == 2


def test_the_same_bytes_under_two_message_ids_are_two_deliveries() -> None:
    desk = Desk()

    ids = {
        desk.receive("src_standard", standard_request(BODY, message_id=name)).delivery_id
        for name in ("a", "b")
    }

    assert len(ids) == 2
    assert {False} == {row["message_id_reused"] for row in desk.rows("DLV#")}


def test_the_same_bytes_from_two_sources_are_two_deliveries() -> None:
    desk = Desk(source(), source(source_id="src_second"))
    url = "https://api.example.test/v1/webhooks/src_second"

    first = desk.receive("src_hubspot", hubspot_request(BODY))
    second = desk.receive("src_second", hubspot_request(BODY, url=url))

    assert first.delivery_id != second.delivery_id


@pytest.mark.parametrize("size", [1, 300_000, 300_001, 1024 * 1024])
def test_large_bodies_come_back_whole(size: int) -> None:
    desk = Desk()
    body = bytes(number % 251 for number in range(size))

    received = desk.receive("src_hubspot", hubspot_request(body))

    delivery = desk.store.delivery(received.delivery_id)
    assert delivery is not None
    assert desk.store.body(delivery) == body


@pytest.mark.parametrize(("kind", "limit"), [("hubspot", 1024 * 1024), ("standard", 256 * 1024)])
def test_a_body_over_the_limit_of_its_kind_is_refused(kind: str, limit: int) -> None:
    desk = Desk()
    sign = hubspot_request if kind == "hubspot" else standard_request

    with pytest.raises(TooLargeError):
        desk.receive(f"src_{kind}", sign(b"x" * (limit + 1)))

    assert desk.rows("DLV#") == []
    assert not desk.receive(f"src_{kind}", sign(b"x" * limit)).known


@pytest.mark.parametrize("name", ["", "src_none", "src_é", "x" * 65, "src_hubspot#", "a/b"])
def test_an_unknown_source_is_not_found(name: str) -> None:
    with pytest.raises(NotFoundError):
        Desk().receive(name, hubspot_request(BODY))


def test_a_delivery_for_another_source_is_refused() -> None:
    desk = Desk(source(), source(source_id="src_second", secrets=(b"its-own-secret",)))

    with pytest.raises(UnauthenticatedError):
        desk.receive("src_second", hubspot_request(BODY))

    assert desk.rows("DLV#") == []
    assert desk.rows("OUT#") == []


def test_both_live_secrets_serve_and_a_retired_one_does_not() -> None:
    desk = Desk(source(secrets=(b"the-new-secret", HUBSPOT_SECRET.encode())))
    desk.receive("src_hubspot", hubspot_request(BODY))
    desk.receive("src_hubspot", hubspot_request(BODY + b" ", secret="the-new-secret"))

    with pytest.raises(UnauthenticatedError):
        desk.receive("src_hubspot", hubspot_request(BODY, secret="the-old-secret"))

    assert len(desk.rows("DLV#")) == 2


@pytest.mark.parametrize("secrets", [(), (b"",)])
def test_a_source_without_a_usable_secret_is_our_fault(secrets: tuple[bytes, ...]) -> None:
    desk = Desk(source(secrets=secrets))

    with pytest.raises(UnavailableError):
        desk.receive("src_hubspot", hubspot_request(BODY, secret=""))


def test_a_broken_key_service_is_our_fault() -> None:
    desk = Desk()
    desk.secrets.broken = True

    with pytest.raises(UnavailableError):
        desk.receive("src_hubspot", hubspot_request(BODY))

    assert desk.rows("DLV#") == []


def test_whatever_else_is_in_the_way_is_our_fault() -> None:
    desk = Desk()
    desk.put(keys.outgoing("evt_00000000000000000000000001"), {"name": "taken"})

    with pytest.raises(UnavailableError):
        desk.receive("src_standard", standard_request(BODY))

    assert desk.rows("DLV#") == []


FAULTS = {
    "throttled": ("before", ClientError({"Error": {"Code": "ThrottlingException"}}, "x")),
    "internal": ("before", ClientError({"Error": {"Code": "InternalServerError"}}, "x")),
    "no connection": ("before", ConnectTimeoutError(endpoint_url="x")),
    "stored, answer lost": ("after", ReadTimeoutError(endpoint_url="x")),
}


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("kind", ["hubspot", "standard"])
def test_stored_or_an_error_whatever_call_fails(fault: str, kind: str) -> None:
    """Success means that the bytes are there; a fault is never blamed on the sender."""
    sign = hubspot_request if kind == "hubspot" else standard_request
    name = f"src_{kind}"
    place = 0
    while True:
        desk = Desk()
        moment, error = FAULTS[fault]
        start = len(desk.client.calls)

        getattr(desk.client, moment)["*"] = _failing(desk, start + place + 1, error)
        stored = ""
        with suppress(UnavailableError):
            stored = desk.receive(name, sign(BODY)).delivery_id
        reached = len(desk.client.calls) - start > place
        getattr(desk.client, moment).clear()
        if stored:
            assert [stored] == [row["delivery_id"] for row in desk.rows("DLV#")]
        desk.receive(name, sign(BODY))

        assert len(desk.rows("DLV#")) == 1
        assert len(desk.rows("DLV#", VAULT)) == 1
        assert len(desk.events("DeliveryReceived")) == 1
        if not reached:
            break
        place += 1
    assert place >= 2


def _failing(desk: Desk, at: int, error: Exception) -> Callable[..., None]:
    def fail(*_arguments: object) -> None:
        if len(desk.client.calls) == at:
            raise error

    return fail


pairs = st.lists(
    st.tuples(st.sampled_from(["m1", "m2", "m3"]), st.sampled_from([b"[1]", b"[2]", b"[3]"]))
)


@given(sent=pairs)
def test_each_pair_of_id_and_content_is_kept_once_and_only_reuse_is_flagged(
    sent: list[tuple[str, bytes]],
) -> None:
    desk = Desk()
    for message_id, body in sent:
        desk.receive("src_standard", standard_request(body, message_id=message_id))

    rows = desk.rows("DLV#")
    first = dict(sent)
    assert len(set(sent)) == len(rows) == len(desk.events("DeliveryReceived"))
    flagged = sum(row["message_id_reused"] for row in rows)
    assert flagged == len(set(sent)) - len(first)

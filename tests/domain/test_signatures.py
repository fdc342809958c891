"""Signatures: what proves a sender, and everything that does not."""

from __future__ import annotations

import base64
import json
from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from standardwebhooks import Webhook

from shared.domain.errors import UnauthenticatedError
from shared.domain.signatures import SignedRequest, signed_address, usable_secret, verify
from tests.builders.deliveries import (
    HUBSPOT_SECRET,
    NOW,
    STANDARD_SECRET,
    hubspot_request,
    standard_request,
)

BODY = '[{"propertyValue":"Łódź ☕"}]'.encode()
OTHER_STANDARD = "whsec_" + base64.b64encode(b"another standard key....").decode()
EDGES = [(timedelta(), True)] + [
    (sign * timedelta(minutes=minutes, seconds=seconds), fits)
    for sign in (1, -1)
    for minutes, seconds, fits in ((4, 59, True), (5, 0, True), (5, 1, False), (24 * 60, 0, False))
]


def hubspot(request: SignedRequest, *secrets: str) -> str:
    return verify("hubspot", request, secrets or (HUBSPOT_SECRET,), NOW)


def standard(request: SignedRequest, *secrets: str) -> str:
    return verify("standard", request, secrets or (STANDARD_SECRET,), NOW)


def with_header(request: SignedRequest, name: str, value: str | None) -> SignedRequest:
    headers = {key: text for key, text in request.headers.items() if key != name}
    return replace(request, headers=headers if value is None else {**headers, name: value})


def test_a_vector_that_another_tool_made() -> None:
    """Made with openssl, so that our own mistakes do not agree with themselves."""
    request = SignedRequest(
        method="POST",
        url="https://www.example.com/webhook_uri",
        headers={
            "x-hubspot-signature-v3": "dmrJYrX0JovadxW3rzh04WLcHDwWdDTVbabd+AGKfTA=",
            "x-hubspot-request-timestamp": str(int(NOW.timestamp() * 1000)),
        },
        body=b'{"example_field":"example_value"}',
    )

    assert hubspot(request, "yyyyyyyy-yyyy-yyyy-yyyy-yyyyyyyyyyyy") == ""


def test_the_official_standard_webhooks_library_agrees() -> None:
    body = BODY.decode()
    signature = Webhook(STANDARD_SECRET).sign("msg_9", NOW, body)
    headers = {
        "webhook-id": "msg_9",
        "webhook-timestamp": str(int(NOW.timestamp())),
        "webhook-signature": signature,
    }
    request = SignedRequest(method="POST", url="https://x", headers=headers, body=BODY)

    assert standard(request) == "msg_9"


@pytest.mark.parametrize(("age", "fits"), EDGES)
def test_the_window_has_two_sides(age: timedelta, fits: bool) -> None:  # noqa: FBT001
    for check, request in (
        (hubspot, hubspot_request(BODY, sent_at=NOW - age)),
        (standard, standard_request(BODY, sent_at=NOW - age)),
    ):
        if fits:
            check(request)
        else:
            with pytest.raises(UnauthenticatedError):
                check(request)


def test_every_live_secret_is_tried() -> None:
    assert hubspot(hubspot_request(BODY), "another-secret", HUBSPOT_SECRET) == ""
    assert hubspot(hubspot_request(BODY), HUBSPOT_SECRET, "another-secret") == ""
    assert standard(standard_request(BODY), OTHER_STANDARD, STANDARD_SECRET) == "msg_1"
    assert standard(standard_request(BODY), STANDARD_SECRET, OTHER_STANDARD) == "msg_1"


def test_another_secret_proves_nothing() -> None:
    with pytest.raises(UnauthenticatedError):
        hubspot(hubspot_request(BODY), "another-secret")
    with pytest.raises(UnauthenticatedError):
        standard(standard_request(BODY), OTHER_STANDARD)


def test_without_a_secret_nobody_is_proved() -> None:
    for kind, request in (
        ("hubspot", hubspot_request(BODY, secret="")),
        ("standard", standard_request(BODY, secret="")),
    ):
        for secrets in ((), ("",)):
            with pytest.raises(UnauthenticatedError):
                verify(kind, request, secrets, NOW)


def test_one_of_several_signatures_is_enough() -> None:
    request = standard_request(BODY)
    good = request.headers["webhook-signature"]
    old = standard_request(BODY, secret=OTHER_STANDARD).headers["webhook-signature"]

    for given_ in (f"{old} {good}", f"{good} {old}", f"v1a,abc {good}", f"x {good}"):
        assert standard(with_header(request, "webhook-signature", given_)) == "msg_1"


@pytest.mark.parametrize(
    "text",
    [None, "", " ", "v1", "v1,", ",", "abc", "v1,é", "v1,\ud800", "v2,abc", "v1," + "a" * 9000],
)
def test_odd_signatures_are_refused(text: str | None) -> None:
    with pytest.raises(UnauthenticatedError):
        standard(with_header(standard_request(BODY), "webhook-signature", text))
    with pytest.raises(UnauthenticatedError):
        hubspot(with_header(hubspot_request(BODY), "x-hubspot-signature-v3", text))


def test_a_signature_of_another_version_is_refused() -> None:
    request = standard_request(BODY)
    bare = request.headers["webhook-signature"].removeprefix("v1,")

    for text in (bare, f"v1a,{bare}", f"v0,{bare}"):
        with pytest.raises(UnauthenticatedError):
            standard(with_header(request, "webhook-signature", text))


@pytest.mark.parametrize("text", [None, "", "x", "-1", "1e3", " 1", "1.0", "٣", "9" * 40])
def test_odd_timestamps_are_refused(text: str | None) -> None:
    with pytest.raises(UnauthenticatedError):
        standard(with_header(standard_request(BODY), "webhook-timestamp", text))
    with pytest.raises(UnauthenticatedError):
        hubspot(with_header(hubspot_request(BODY), "x-hubspot-request-timestamp", text))


@pytest.mark.parametrize("text", [None, "", "m" * 257, "a\nb", "\ud800"])
def test_odd_message_ids_are_refused(text: str | None) -> None:
    with pytest.raises(UnauthenticatedError):
        standard(with_header(standard_request(BODY), "webhook-id", text))


def test_a_message_id_of_other_letters_is_fine() -> None:
    assert standard(standard_request(BODY, message_id="nachricht-ß")) == "nachricht-ß"


def test_any_flipped_bit_of_the_body_is_refused() -> None:
    for place in range(len(BODY) * 8):
        flipped = bytearray(BODY)
        flipped[place // 8] ^= 1 << place % 8
        with pytest.raises(UnauthenticatedError):
            hubspot(replace(hubspot_request(BODY), body=bytes(flipped)))
        with pytest.raises(UnauthenticatedError):
            standard(replace(standard_request(BODY), body=bytes(flipped)))


def test_any_flipped_bit_of_a_header_is_refused() -> None:
    for check, request in (
        (hubspot, hubspot_request(BODY)),
        (standard, standard_request(BODY)),
    ):
        for name, value in request.headers.items():
            for place in range(len(value) * 7):
                letters = list(value)
                letters[place // 7] = chr(ord(letters[place // 7]) ^ (1 << place % 7))
                with pytest.raises(UnauthenticatedError):
                    check(with_header(request, name, "".join(letters)))


def test_the_address_and_the_method_are_part_of_what_hubspot_signs() -> None:
    request = hubspot_request(BODY)

    for other in (
        replace(request, url=request.url.replace("src_hubspot", "src_other")),
        replace(request, url=request.url + "?a=1"),
        replace(request, method="PUT"),
    ):
        with pytest.raises(UnauthenticatedError):
            hubspot(other)


def test_the_query_is_decoded_as_hubspot_documents() -> None:
    sent = "https://a.test/p%3Ah?u=https%3A%2F%2Fb%3Fc%40d%21%24%27%28%29%2A%2C%3B&e=%20%25%3a#f"

    assert signed_address(sent) == "https://a.test/p%3Ah?u=https://b?c@d!$'()*,;&e=%20%25%3a"

    request = hubspot_request(BODY, url=signed_address(sent))
    assert hubspot(replace(request, url=sent)) == ""


def test_bytes_that_are_no_text_can_be_signed() -> None:
    body = b"\xff\xfe\x00"

    assert hubspot(hubspot_request(body)) == ""
    assert standard(standard_request(body)) == "msg_1"
    with pytest.raises(UnauthenticatedError):
        hubspot(replace(hubspot_request(b"{}"), body=body))


def test_an_unknown_kind_proves_nothing() -> None:
    with pytest.raises(UnauthenticatedError):
        verify("pipedrive", hubspot_request(BODY), (HUBSPOT_SECRET,), NOW)


def test_usable_secrets() -> None:
    assert usable_secret("hubspot", "x")
    assert not usable_secret("hubspot", "")
    assert usable_secret("standard", STANDARD_SECRET)
    assert not usable_secret("standard", "whsec_")
    assert not usable_secret("standard", "whsec_***")
    assert not usable_secret("standard", "whsec_é")


headers = st.dictionaries(
    st.sampled_from(
        [
            "webhook-id",
            "webhook-timestamp",
            "webhook-signature",
            "x-hubspot-signature-v3",
            "x-hubspot-request-timestamp",
        ]
    ),
    st.text() | st.just(str(int(NOW.timestamp()))) | st.just(str(int(NOW.timestamp() * 1000))),
)


@given(headers=headers, body=st.binary(), url=st.text())
def test_whatever_is_sent_is_refused_and_nothing_else(
    headers: dict[str, str], body: bytes, url: str
) -> None:
    request = SignedRequest(method="POST", url=url, headers=headers, body=body)

    for kind, secret in (("hubspot", HUBSPOT_SECRET), ("standard", STANDARD_SECRET)):
        with pytest.raises(UnauthenticatedError):
            verify(kind, request, (secret,), NOW)


def test_a_retry_signs_anew_and_is_the_same_message() -> None:
    body = json.dumps({"type": "deal.updated"}).encode()
    first = standard_request(body)
    second = standard_request(body, sent_at=NOW + timedelta(seconds=30))

    assert first.headers["webhook-signature"] != second.headers["webhook-signature"]
    assert standard(first) == standard(second)

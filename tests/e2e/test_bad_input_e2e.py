"""Bad input on every public route: the documented refusal, no state change, never a 5xx."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING

import pytest

from local.senders import (
    hubspot_change,
    hubspot_signature,
    post_hubspot,
    post_standard,
    standard_signature,
)
from shared.adapters.management_api import send

if TYPE_CHECKING:
    from shared.adapters.management_api import Reply
    from tests.e2e.conftest import Deployed

pytestmark = pytest.mark.e2e

JSON = "application/json"
FORM = "application/x-www-form-urlencoded"
EVENT = {
    "type": "deal.updated",
    "id": "evt-bad",
    "occurred_at": "2026-01-01T00:00:00Z",
    "deal": {"id": "D-bad", "stage": "won", "amount": "1.00", "currency": "USD"},
}


def assert_problem(reply: Reply, *statuses: int) -> None:
    assert reply.status in statuses, (reply.status, reply.body[:300])
    assert reply.headers["content-type"].startswith("application/problem+json")
    problem = reply.json()
    assert problem["status"] == reply.status
    assert problem["code"]
    assert problem["title"]
    assert {"type", "request_id"} <= problem.keys()


def referrals(deployed: Deployed) -> list[str]:
    return sorted(
        item["id"] for item in deployed.api.items("/referrals", program_id=deployed.demo.program_id)
    )


INTAKE = [
    ("malformed JSON", JSON, b'{"email":', (400,)),
    ("empty body", JSON, b"", (400, 422)),
    ("an array", JSON, b"[]", (400, 422)),
    ("a duplicate key", JSON, b'{"email":"a@b.example","email":"c@d.example"}', (400,)),
    ("NaN", JSON, b'{"email":"a@b.example","employees":NaN}', (400,)),
    ("deep nesting", JSON, b'{"metadata":' + b"[" * 5_000 + b"]" * 5_000 + b"}", (400,)),
    ("a huge number", JSON, b'{"email":' + b"9" * 10_000 + b"}", (400, 422)),
    ("no address", JSON, b'{"company":"X"}', (422,)),
    ("an address of the wrong type", JSON, b'{"email":5}', (422,)),
    ("no address at all", JSON, b'{"email":"not an address"}', (422,)),
    ("invalid UTF-8", JSON, b'{"email":"\xff\xfe"}', (400, 422)),
    ("metadata of the wrong type", JSON, b'{"email":"a@b.example","metadata":7}', (422,)),
    ("a body over the limit", JSON, b'{"email":"' + b"a" * 70_000 + b'"}', (413,)),
    ("a form over the limit", FORM, b"email=" + b"a" * 70_000, (413,)),
    ("a form without an address", FORM, b"company=X", (422,)),
    ("a form in invalid UTF-8", FORM, b"email=%ff%fe&x=\xff", (400, 422)),
    ("an unknown content type", "text/plain", b"email=a@b.example", (415,)),
    ("XML", "application/xml", b"<email/>", (415,)),
]


@pytest.mark.parametrize(
    ("content_type", "body", "statuses"),
    [row[1:] for row in INTAKE],
    ids=[row[0] for row in INTAKE],
)
def test_intake_refuses(
    deployed: Deployed, content_type: str, body: bytes, statuses: tuple[int, ...]
) -> None:
    before = referrals(deployed)

    reply = send(
        "POST",
        f"{deployed.url}/v1/programs/{deployed.demo.program_id}/referrals",
        body=body,
        headers={"Content-Type": content_type, "Accept": JSON},
    )

    assert_problem(reply, *statuses)
    assert before == referrals(deployed)


def test_intake_of_an_unknown_programme_is_not_found(deployed: Deployed) -> None:
    reply = send(
        "POST",
        f"{deployed.url}/v1/programs/prg_nothing/referrals",
        body=b'{"email":"a@b.example"}',
        headers={"Content-Type": JSON, "Accept": JSON},
    )

    assert_problem(reply, 404)


@pytest.mark.parametrize("token", ["x", "ref_1.2.3", "%00", "a" * 2_000])
def test_a_forged_receipt_is_not_found(deployed: Deployed, token: str) -> None:
    reply = send("GET", f"{deployed.url}/v1/receipts/{token}", headers={"Accept": JSON})

    assert_problem(reply, 404)


@pytest.mark.parametrize("kind", ["hubspot", "standard"])
@pytest.mark.parametrize("body", [b"[]", b"", b"\xff\xfe\x00", b"{", b"x" * 1_000])
def test_a_delivery_without_a_signature_is_refused(
    deployed: Deployed, kind: str, body: bytes
) -> None:
    source = deployed.demo.sources[kind]

    assert_problem(send("POST", source.url, body=body, headers={"Content-Type": JSON}), 401)


@pytest.mark.parametrize("shift_s", [-3_600, -310, 310, 3_600])
def test_stale_and_future_deliveries_are_refused(deployed: Deployed, shift_s: int) -> None:
    now = int(time.time()) + shift_s
    events = [hubspot_change(1, "dealstage", "won", now * 1_000)]

    assert_problem(post_hubspot(deployed.demo.sources["hubspot"], events, now_ms=now * 1_000), 401)
    assert_problem(post_standard(deployed.demo.sources["standard"], EVENT, now_s=now), 401)


@pytest.mark.parametrize("timestamp", ["", "yesterday", "-1", "1" * 400, "NaN", "١٢٣"])
def test_a_timestamp_that_is_none_is_refused(deployed: Deployed, timestamp: str) -> None:
    source = deployed.demo.sources["hubspot"]
    reply = send(
        "POST",
        source.url,
        body=b"[]",
        headers={
            "Content-Type": JSON,
            "X-HubSpot-Request-Timestamp": timestamp.encode().decode("latin-1"),
            "X-HubSpot-Signature-v3": hubspot_signature(
                source.secret, source.url, b"[]", timestamp
            ),
        },
    )

    assert_problem(reply, 401)


@pytest.mark.parametrize("signature", ["", "v1", "v1,", "v1,AAAA", "v1,%%%", ",", "v9,AAAA v1,"])
def test_a_broken_standard_signature_is_refused(deployed: Deployed, signature: str) -> None:
    reply = send(
        "POST",
        deployed.demo.sources["standard"].url,
        body=json.dumps(EVENT).encode(),
        headers={
            "Content-Type": JSON,
            "webhook-id": "msg_1",
            "webhook-timestamp": str(int(time.time())),
            "webhook-signature": signature,
        },
    )

    assert_problem(reply, 401)


def test_a_signature_over_another_body_is_refused(deployed: Deployed) -> None:
    source, now = deployed.demo.sources["standard"], str(int(time.time()))
    reply = send(
        "POST",
        source.url,
        body=json.dumps(EVENT | {"id": "evt-other"}).encode(),
        headers={
            "Content-Type": JSON,
            "webhook-id": "msg_1",
            "webhook-timestamp": now,
            "webhook-signature": standard_signature(
                source.secret, "msg_1", now, json.dumps(EVENT).encode()
            ),
        },
    )

    assert_problem(reply, 401)


def test_a_delivery_over_the_limit_is_refused(deployed: Deployed) -> None:
    for source in deployed.demo.sources.values():
        reply = send("POST", source.url, body=b"x" * 1_100_000, headers={"Content-Type": JSON})

        assert_problem(reply, 413)


def test_a_delivery_to_an_unknown_source_is_not_found(deployed: Deployed) -> None:
    reply = send(
        "POST",
        f"{deployed.url}/v1/webhooks/src_nothing",
        body=b"[]",
        headers={"Content-Type": JSON},
    )

    assert_problem(reply, 401, 404)


MANAGEMENT = [
    ("malformed JSON", "POST", "/partners", b"{", (400,)),
    ("a duplicate key", "POST", "/partners", b'{"name":"a","name":"b"}', (400,)),
    ("invalid UTF-8", "POST", "/partners", b'{"na\xffme":1}', (400, 422)),
    ("an unknown field", "POST", "/partners",
     b'{"name":"a","email":"a@b.example","kind":"advocate","paid":"1.00"}', (422,)),
    ("a wrong type", "POST", "/partners", b'{"name":5,"email":[],"kind":{}}', (422,)),
    ("a body over the limit", "POST", "/partners", b'{"name":"' + b"a" * 1_100_000 + b'"}', (413,)),
    ("no such programme", "GET", "/programs/prg_nothing", None, (404,)),
    ("no such route", "GET", "/nothing", None, (404,)),
    ("no such referral", "POST", "/referrals/ref_nothing/review",
     b'{"decision":"accept","reason":"x"}', (404,)),
    ("broken terms", "POST", "/programs/prg_demo/terms", b'{"rules":[{"id":1}]}', (422,)),
    ("a limit that is none", "GET", "/partners?limit=x", None, (400, 422)),
    ("a forged cursor", "GET", "/partners?cursor=AAAA", None, (400, 422)),
]  # fmt: skip


@pytest.mark.parametrize(
    ("method", "path", "body", "statuses"),
    [row[1:] for row in MANAGEMENT],
    ids=[row[0] for row in MANAGEMENT],
)
def test_management_refuses(
    deployed: Deployed, method: str, path: str, body: bytes | None, statuses: tuple[int, ...]
) -> None:
    assert_problem(deployed.api.request(method, path, body), *statuses)


@pytest.mark.parametrize(
    "header", ["", "Bearer", "Bearer x", "Bearer gw_root_wrong", "Basic cm9vdDp4", "Bearer gw__"]
)
def test_management_needs_a_key(deployed: Deployed, header: str) -> None:
    reply = send(
        "GET",
        f"{deployed.url}/v1/manage/partners",
        headers={"Authorization": header} if header else {},
    )

    assert_problem(reply, 401)

"""The webhook's door: real events in, answers out, nothing said to strangers."""

from __future__ import annotations

import base64
import importlib
import io
import json
import sys
from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import ClientError
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from shared import names
from tests.builders.deliveries import (
    API_URL,
    CORE,
    NOW,
    VAULT,
    Desk,
    hubspot_request,
    standard_request,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from shared.domain.signatures import SignedRequest

MODULE = "functions.receive_webhook.handler"
BODY = '[{"propertyValue": "Łódź, buyer@canary.example"}]'.encode()


class Door:
    """The handler over a store in memory."""

    def __init__(self, module: Any, monkeypatch: pytest.MonkeyPatch) -> None:  # noqa: ANN401
        self.module = module
        self.desk = Desk()
        self.log = io.StringIO()
        # The stream was bound when the logger was made, before this test's capture.
        module._logger.registered_handler.setStream(self.log)
        monkeypatch.setattr(module, "_inbox", self.desk.store)
        monkeypatch.setattr(module, "_secrets", self.desk.secrets)
        monkeypatch.setattr(module, "utc_now", lambda: NOW)

    def post(self, event: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        answer = self.module.handler(event, None)
        return answer["statusCode"], json.loads(answer["body"])


@pytest.fixture
def door(monkeypatch: pytest.MonkeyPatch) -> Iterator[Door]:
    environment = {
        names.ENV_CORE_TABLE: CORE,
        names.ENV_VAULT_TABLE: VAULT,
        names.ENV_API_URL: API_URL + "/",
        names.ENV_SECRETS_KEY: "key-1",
        "AWS_DEFAULT_REGION": "eu-west-1",
        "AWS_ACCESS_KEY_ID": "testing",
        "AWS_SECRET_ACCESS_KEY": "testing",
    }
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    sys.modules.pop(MODULE, None)
    yield Door(importlib.import_module(MODULE), monkeypatch)
    sys.modules.pop(MODULE, None)


def event(request: SignedRequest, *, encoded: bool = True, query: str = "") -> dict[str, Any]:
    """What API Gateway hands over, payload version 2."""
    path = request.url.removeprefix(API_URL).partition("?")[0]
    body = base64.b64encode(request.body).decode() if encoded else request.body.decode()
    return {
        "version": "2.0",
        "routeKey": "POST /v1/webhooks/{source_id}",
        "rawPath": path,
        "rawQueryString": query,
        "headers": {**request.headers, "host": "internal.example", "content-length": "9"},
        "requestContext": {
            "http": {"method": "POST", "path": path, "sourceIp": "203.0.113.9"},
            "requestId": "req-77",
            "stage": "$default",
        },
        "pathParameters": {"source_id": path.rpartition("/")[2]},
        "body": body,
        "isBase64Encoded": encoded,
    }


@pytest.mark.parametrize("encoded", [True, False])
def test_an_authentic_delivery_is_answered_once_it_is_stored(door: Door, *, encoded: bool) -> None:
    for request in (hubspot_request(BODY), standard_request(BODY)):
        status, body = door.post(event(request, encoded=encoded))

        assert status == 200
        assert body["state"] == "received"
        assert door.desk.store.delivery(body["delivery_id"]) is not None
    assert {BODY} == {row["body"] for row in door.desk.rows("DLV#", VAULT)}


def test_the_second_time_is_answered_like_the_first(door: Door) -> None:
    first = door.post(event(hubspot_request(BODY)))

    assert first == door.post(event(hubspot_request(BODY)))
    assert len(door.desk.rows("DLV#")) == 1


def test_the_public_address_and_query_are_verified_not_the_host(door: Door) -> None:
    signed = hubspot_request(BODY, url=f"{API_URL}/v1/webhooks/src_hubspot?to=a:b&x=%20")

    status, _ = door.post(event(signed, query="to=a%3Ab&x=%20"))
    refused, _ = door.post(event(signed, query="to=a%3Ac&x=%20"))

    assert (status, refused) == (200, 401)


def test_an_unknown_source_is_not_found(door: Door) -> None:
    url = f"{API_URL}/v1/webhooks/src_unknown"

    status, body = door.post(event(hubspot_request(BODY, url=url)))

    assert (status, body["code"]) == (404, "not_found")


def test_a_wrong_signature_is_refused_without_detail(door: Door) -> None:
    wrong = event(hubspot_request(BODY, secret="wrong"))
    missing = event(hubspot_request(BODY))
    del missing["headers"]["x-hubspot-signature-v3"]
    bare = {**event(hubspot_request(BODY)), "headers": None}

    answers = [door.post(each) for each in (wrong, missing, bare)]

    assert [401] * 3 == [status for status, _ in answers]
    assert answers[0] == answers[1] == answers[2]
    assert door.desk.rows("DLV#") == []
    assert door.desk.rows("OUT#") == []


def test_a_body_that_is_no_text_with_a_bad_signature_is_refused(door: Door) -> None:
    sent = event(hubspot_request(BODY))
    sent["body"] = base64.b64encode(b"\xff\xfe").decode()

    assert door.post(sent)[0] == 401


def test_a_body_over_the_limit_is_refused(door: Door) -> None:
    assert door.post(event(hubspot_request(b"x" * (1024 * 1024 + 1))))[0] == 413
    assert door.post(event(standard_request(b"x" * (256 * 1024 + 1))))[0] == 413
    assert door.desk.rows("DLV#") == []


def test_a_broken_encoding_is_malformed(door: Door) -> None:
    sent = {**event(hubspot_request(BODY)), "body": "***"}

    assert door.post(sent)[0] == 400


def test_a_body_that_is_no_json_is_stored(door: Door) -> None:
    assert door.post(event(hubspot_request(b"not json")))[0] == 200
    assert door.post(event(standard_request(b"")))[0] == 200


def test_an_outage_asks_the_sender_to_come_again(door: Door) -> None:
    def fail(_request: object) -> None:
        raise ClientError({"Error": {"Code": "ThrottlingException"}}, "x")

    door.desk.client.before["transact_write_items"] = fail
    status, body = door.post(event(hubspot_request(BODY)))
    assert (status, body["code"]) == (503, "store_unavailable")

    door.desk.client.before.clear()
    door.desk.secrets.broken = True
    answer = door.module.handler(event(hubspot_request(BODY)), None)
    assert answer["statusCode"] == 503
    assert answer["headers"]["retry-after"] == "2"
    assert door.desk.rows("DLV#") == []


def test_a_bug_answers_500_and_repeats_nothing(door: Door, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_arguments: object, **_options: object) -> None:
        raise RuntimeError("buyer@canary.example")

    monkeypatch.setattr(door.module, "receive_delivery", fail)

    status, body = door.post(event(hubspot_request(BODY)))

    assert status == 500
    assert "canary" not in json.dumps(body)
    assert "RuntimeError" in door.log.getvalue()
    assert "canary" not in door.log.getvalue()


def test_the_log_has_one_line_per_outcome_and_no_secrets(door: Door) -> None:
    door.post(event(hubspot_request(BODY)))
    door.post(event(hubspot_request(BODY, secret="wrong")))

    said = door.log.getvalue()
    lines = [json.loads(line) for line in said.splitlines()]
    assert ["delivery_stored", "delivery_refused"] == [line["message"] for line in lines]
    assert lines[0]["source_id"] == "src_hubspot"
    assert lines[1]["code"] == "unauthenticated"
    for canary in ("canary", "203.0.113.9", "hubspot-client-secret"):
        assert canary not in said


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    body=st.binary() | st.text(),
    encoded=st.booleans(),
    query=st.text(),
    source_id=st.sampled_from(["src_hubspot", "src_standard"]) | st.text(),
    headers=st.dictionaries(st.text(), st.text()),
)
def test_whatever_is_posted_is_refused_and_changes_nothing(
    door: Door,
    body: str | bytes,
    *,
    encoded: bool,
    query: str,
    source_id: str,
    headers: dict[str, str],
) -> None:
    sent = event(hubspot_request(b""), query=query)
    sent["headers"] = {**sent["headers"], "x-hubspot-signature-v3": "AAAA", **headers}
    sent["pathParameters"] = {"source_id": source_id}
    sent["isBase64Encoded"] = encoded
    sent["body"] = body if isinstance(body, str) else base64.b64encode(body).decode()

    status, answer = door.post(sent)

    assert status in (400, 401, 404)
    assert answer["status"] == status
    assert door.desk.rows("DLV#") == []

"""The redirect's client against servers that misbehave."""

from __future__ import annotations

import json
import socket
import ssl
import time
from typing import TYPE_CHECKING, Any

import pytest

from infra.catalogue import TRACK_CLICK
from shared.adapters.dynamodb import lean, lean_connection, lean_credentials
from shared.adapters.dynamodb.lean import LeanClient, client_from_environment
from shared.adapters.dynamodb.lean_credentials import Credentials
from shared.domain.errors import UnavailableError
from tests.fakes.scripted_server import (
    CLOSE,
    CUT,
    STALL,
    SecureServer,
    Server,
    a_certificate,
    answer,
    refusal,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

KEY = ("LINK#spring", "META")
ITEM = {"pk": "clk_1", "code": "spring", "n": 7, "utm": {"utm_source": "é"}}
ENVIRONMENT = {
    "AWS_REGION": "eu-central-1",
    "AWS_ACCESS_KEY_ID": "AKIDEXAMPLE",
    "AWS_SECRET_ACCESS_KEY": "very-secret",
}

Setup = tuple[LeanClient, Server]


@pytest.fixture
def start() -> Iterator[Callable[..., Setup]]:
    servers: list[Server] = []
    clients: list[LeanClient] = []

    # Time stands still, so that a slow machine gets its three attempts too.
    def start(*script: Any, clock: Callable[[], float] = lambda: 1.8e9) -> Setup:  # noqa: ANN401 - steps of several shapes
        server = Server(list(script))
        servers.append(server)
        client = LeanClient(
            credentials=lambda: Credentials(access_key="AKID", secret_key="secret"),
            region="eu-central-1",
            url=f"http://127.0.0.1:{server.port}",
            clock=clock,
            sleep=lambda _seconds: None,
        )
        clients.append(client)
        return client, server

    yield start
    for client in clients:
        client.close()
    for server in servers:
        server.stop()


pytestmark = pytest.mark.loopback


def test_a_row_is_read(start: Callable[..., Setup]) -> None:
    client, server = start(answer({"Item": {"code": {"S": "spring"}, "n": {"N": "7"}}}))

    assert {"code": "spring", "n": 7} == client.get("core", KEY)
    ((_, headers, body),) = server.requests
    assert "DynamoDB_20120810.GetItem" == headers["x-amz-target"]
    assert "application/x-amz-json-1.0" == headers["content-type"]
    assert {
        "TableName": "core",
        "Key": {"pk": {"S": "LINK#spring"}, "sk": {"S": "META"}},
    } == json.loads(body)


def test_a_missing_row_is_none(start: Callable[..., Setup]) -> None:
    client, _ = start(answer({}))

    assert client.get("core", KEY) is None


def test_a_row_is_written_only_if_it_is_new(start: Callable[..., Setup]) -> None:
    client, server = start(answer({}))

    client.put_new("clicks", ITEM)

    ((_, headers, body),) = server.requests
    assert "DynamoDB_20120810.PutItem" == headers["x-amz-target"]
    assert {
        "TableName": "clicks",
        "Item": {
            "pk": {"S": "clk_1"},
            "code": {"S": "spring"},
            "n": {"N": "7"},
            "utm": {"M": {"utm_source": {"S": "é"}}},
        },
        "ConditionExpression": "attribute_not_exists(#pk)",
        "ExpressionAttributeNames": {"#pk": "pk"},
    } == json.loads(body)


def test_a_row_that_is_there_already_is_our_own(start: Callable[..., Setup]) -> None:
    client, server = start(CUT, refusal("ConditionalCheckFailedException"))

    client.put_new("clicks", ITEM)

    assert 2 == len(server.requests)


def test_calls_share_one_connection(start: Callable[..., Setup]) -> None:
    client, server = start(*[answer({})] * 5)

    for _ in range(5):
        client.get("core", KEY)

    assert 1 == server.connections


def test_a_connection_that_was_closed_in_a_pause_is_made_anew(
    start: Callable[..., Setup],
) -> None:
    pauses: list[float] = []
    client, server = start(answer({}, then_close=True), answer({"Item": {"n": {"N": "1"}}}))
    client._sleep = pauses.append
    client.get("core", KEY)

    assert {"n": 1} == client.get("core", KEY)
    assert [1, 2] == [connection for connection, _, _ in server.requests]
    assert [] == pauses


@pytest.mark.parametrize(
    "failure",
    [
        refusal("ProvisionedThroughputExceededException"),
        refusal("ThrottlingException"),
        refusal("RequestLimitExceeded"),
        refusal("InternalServerError", 500),
        answer("<html>bad gateway</html>", 502),
        answer("", 503),
        answer("no json"),
        answer("[]"),
        CLOSE,
        CUT,
    ],
)
def test_what_passes_is_tried_again_three_times_in_all(
    start: Callable[..., Setup],
    failure: Any,  # noqa: ANN401 - steps of several shapes
) -> None:
    client, server = start(failure, failure, answer({"Item": {"n": {"N": "1"}}}))
    assert {"n": 1} == client.get("core", KEY)
    assert 3 == len(server.requests)

    client, server = start(failure, failure, failure, answer({}))
    with pytest.raises(UnavailableError):
        client.get("core", KEY)
    assert 3 == len(server.requests)


@pytest.mark.parametrize(
    "code",
    ["AccessDeniedException", "ResourceNotFoundException", "ValidationException"],
)
def test_what_does_not_pass_is_not_tried_again(start: Callable[..., Setup], code: str) -> None:
    client, server = start(refusal(code), refusal(code))

    with pytest.raises(UnavailableError, match=code):
        client.get("core", KEY)
    with pytest.raises(UnavailableError, match=code):
        client.put_new("clicks", ITEM)
    assert 2 == len(server.requests)


def test_a_condition_that_fails_on_a_read_is_an_outage(start: Callable[..., Setup]) -> None:
    client, _ = start(refusal("ConditionalCheckFailedException"))

    with pytest.raises(UnavailableError):
        client.get("core", KEY)


def test_a_server_that_stalls_costs_a_bounded_time(
    start: Callable[..., Setup], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lean, "_SOCKET_SECONDS", 0.05)
    monkeypatch.setattr(lean, "_CALL_SECONDS", 0.08)
    client, _ = start(STALL, STALL, STALL, clock=time.time)

    began = time.monotonic()
    with pytest.raises(UnavailableError, match="TimeoutError"):
        client.get("core", KEY)

    assert time.monotonic() - began < 1


def test_after_a_failure_the_next_call_works(start: Callable[..., Setup]) -> None:
    client, _ = start(CUT, CUT, CUT, answer({"Item": {"n": {"N": "1"}}}))
    with pytest.raises(UnavailableError):
        client.get("core", KEY)

    assert {"n": 1} == client.get("core", KEY)


def test_an_answer_of_any_length_is_not_read(
    start: Callable[..., Setup], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lean_connection, "MAX_BODY", 100)
    client, _ = start(*[answer({"Item": {"s": {"S": "x" * 200}}})] * 3)

    with pytest.raises(UnavailableError):
        client.get("core", KEY)


def test_a_closed_port_is_an_outage() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    client = client_from_environment(ENVIRONMENT | {"AWS_ENDPOINT_URL": f"http://127.0.0.1:{port}"})

    with pytest.raises(UnavailableError, match="ConnectionRefusedError"):
        client.get("core", KEY)


def test_pauses_grow_and_are_left_to_chance(start: Callable[..., Setup]) -> None:
    for chance, expected in ((255, [0.102, 0.204]), (100, [0.04, 0.08]), (0, [0, 0])):
        pauses: list[float] = []
        client, _ = start(*[refusal("ThrottlingException")] * 3)
        client._sleep = pauses.append
        client._chance = lambda chance=chance: chance  # type: ignore[misc]

        with pytest.raises(UnavailableError, match="ThrottlingException"):
            client.get("core", KEY)

        assert expected == pytest.approx(pauses)


def test_chance_is_between_nothing_and_all() -> None:
    client = client_from_environment(ENVIRONMENT)

    drawn = {client._chance() for _ in range(200)}

    assert len(drawn) > 20
    assert drawn <= set(range(256))


def test_only_trusted_certificates_are_accepted(tmp_path: Path) -> None:
    certificate, key = a_certificate(tmp_path)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    server = SecureServer([answer({"Item": {"n": {"N": "1"}}})], context)
    environment = ENVIRONMENT | {"AWS_ENDPOINT_URL": f"https://127.0.0.1:{server.port}"}
    try:
        with pytest.raises(UnavailableError, match="SSLCertVerificationError"):
            client_from_environment(environment).get("core", KEY)
        client = client_from_environment(environment | {"AWS_CA_BUNDLE": str(certificate)})
        assert {"n": 1} == client.get("core", KEY)
        client.close()
    finally:
        server.stop()


def test_three_calls_that_time_out_fit_into_the_functions_time() -> None:
    """Link, keys and click, each at its slowest; credentials may have to be fetched once."""
    worst_call = lean._CALL_SECONDS + lean._SOCKET_SECONDS

    assert 3 * worst_call + lean_credentials._SECONDS < TRACK_CLICK.timeout_seconds - 0.4

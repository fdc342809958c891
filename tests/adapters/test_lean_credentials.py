"""Where the redirect's client finds what it signs with."""

from __future__ import annotations

import http.server
import json
import threading
from typing import TYPE_CHECKING, Any

import pytest

from shared.adapters.dynamodb.lean import LeanClient
from shared.adapters.dynamodb.lean_credentials import Credentials, credentials_from
from shared.domain.errors import UnavailableError

if TYPE_CHECKING:
    from collections.abc import Iterator

ANSWER = {
    "AccessKeyId": "ASIA1",
    "SecretAccessKey": "fetched-secret",
    "Token": "fetched-token",
    "Expiration": "2026-11-22T12:00:00Z",
}
NOON = 1_795_348_800


class Service(http.server.BaseHTTPRequestHandler):
    """The service on Lambda's own machine."""

    protocol_version = "HTTP/1.1"
    answer: Any = ANSWER
    status = 200
    asked: list[tuple[str, str | None]] = []  # noqa: RUF012 - emptied by the fixture

    def do_GET(self) -> None:
        self.asked.append((self.path, self.headers["authorization"]))
        body = json.dumps(type(self).answer).encode()
        self.send_response(type(self).status)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_arguments: object) -> None:
        """Stay silent."""


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, str]]:
    server = http.server.HTTPServer(("127.0.0.1", 0), Service)
    monkeypatch.setattr(Service, "answer", ANSWER)
    monkeypatch.setattr(Service, "status", 200)
    Service.asked.clear()
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield {
        "AWS_CONTAINER_CREDENTIALS_FULL_URI": f"http://127.0.0.1:{server.server_port}/v1/creds?a=1",
        "AWS_CONTAINER_AUTHORIZATION_TOKEN": "Basic abc",
    }
    server.shutdown()
    server.server_close()
    thread.join(5)


@pytest.mark.loopback
def test_a_restored_function_asks_the_service_on_its_machine(environment: dict[str, str]) -> None:
    assert (
        Credentials(
            access_key="ASIA1",
            secret_key="fetched-secret",
            session_token="fetched-token",
            expires_at=NOON,
        )
        == credentials_from(environment)()
    )
    assert [("/v1/creds?a=1", "Basic abc")] == Service.asked


@pytest.mark.loopback
def test_a_key_in_the_variables_goes_first(environment: dict[str, str]) -> None:
    own = {"AWS_ACCESS_KEY_ID": "AKID", "AWS_SECRET_ACCESS_KEY": "s"}

    assert "AKID" == credentials_from(environment | own)().access_key
    assert [] == Service.asked


@pytest.mark.loopback
@pytest.mark.parametrize(
    ("status", "answer"),
    [
        (500, ANSWER),
        (200, {}),
        (200, []),
        (200, {**ANSWER, "Expiration": "soon"}),
        (200, {**ANSWER, "Expiration": None}),
    ],
)
def test_without_credentials_the_store_is_unavailable(
    environment: dict[str, str],
    monkeypatch: pytest.MonkeyPatch,
    status: int,
    answer: Any,  # noqa: ANN401 - any JSON
) -> None:
    monkeypatch.setattr(Service, "status", status)
    monkeypatch.setattr(Service, "answer", answer)

    with pytest.raises(UnavailableError, match=r"^NoCredentials$"):
        credentials_from(environment)()


def test_credentials_are_renewed_five_minutes_before_they_end() -> None:
    now = NOON - 301
    fetched: list[int] = []

    def fetch() -> Credentials:
        fetched.append(now)
        return Credentials(access_key="A", secret_key="s", expires_at=fetched[0] + 301)

    client = LeanClient(
        credentials=fetch, region="eu-central-1", url="http://127.0.0.1:1", clock=lambda: now
    )

    client._live_credentials()
    client._live_credentials()
    assert [NOON - 301] == fetched
    now = NOON - 300
    client._live_credentials()
    assert [NOON - 301, NOON - 300] == fetched


def test_secrets_are_not_shown() -> None:
    shown = repr(Credentials(access_key="A", secret_key="hidden-1", session_token="hidden-2"))

    assert "hidden" not in shown

"""The client of the management API against a server on loopback."""

from __future__ import annotations

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

import pytest

from shared.adapters.management_api import LONGEST_PAUSE_S, ApiError, Management, send

if TYPE_CHECKING:
    from collections.abc import Generator

pytestmark = pytest.mark.loopback

Answer = tuple[int, list[tuple[str, str]], bytes]


class Server(ThreadingHTTPServer):
    """Answers with its script and remembers what was asked."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.script: list[Answer] = []
        self.asked: list[tuple[str, str, dict[str, str], bytes]] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    def answers(self, body: object, status: int = 200, **headers: str) -> None:
        sent = [(name.replace("_", "-"), value) for name, value in headers.items()]
        self.script.append((status, sent, json.dumps(body).encode()))


class _Handler(BaseHTTPRequestHandler):
    server: Server

    def _serve(self) -> None:
        body = self.rfile.read(int(self.headers.get("content-length", "0")))
        headers = {name.lower(): value for name, value in self.headers.items()}
        self.server.asked.append((self.command, self.path, headers, body))
        status, sent, answer = self.server.script.pop(0)
        self.send_response(status)
        for name, value in [*sent, ("Content-Length", str(len(answer)))]:
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(answer)

    do_GET = do_POST = do_PATCH = do_DELETE = _serve  # noqa: N815 - names of the base class

    def log_message(self, *_arguments: Any) -> None:  # noqa: ANN401 - as the base class
        pass


@pytest.fixture
def server() -> Generator[Server]:
    with Server() as running:
        thread = threading.Thread(target=running.serve_forever, args=(0.01,), daemon=True)
        thread.start()
        yield running
        running.shutdown()
        thread.join(5)


@pytest.fixture
def pauses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    found: list[float] = []
    monkeypatch.setattr("time.sleep", found.append)
    return found


def test_redirects_are_not_followed_and_repeated_headers_are_joined(server: Server) -> None:
    sent = [("Location", "https://elsewhere.example/"), ("X-A", "1"), ("x-a", "2")]
    server.script.append((302, sent, b""))

    reply = send("GET", f"{server.url}/spring?a=%20b")

    assert (302, "https://elsewhere.example/") == (reply.status, reply.headers["location"])
    assert "1, 2" == reply.headers["x-a"]
    assert ("GET", "/spring?a=%20b") == server.asked[0][:2]


def test_a_write_carries_key_length_and_idempotency_key(server: Server) -> None:
    api = Management(base_url=server.url, key="gw_a_b")
    for _ in range(3):
        server.answers({"code": "x"})

    assert {"code": "x"} == api.post("/links", {"a": 1})
    assert {"code": "x"} == api.patch("/links/x", {})
    assert {"code": "x"} == api.delete("/links/x")

    methods = [(method, path) for method, path, _, _ in server.asked]
    assert [
        ("POST", "/v1/manage/links"),
        ("PATCH", "/v1/manage/links/x"),
        ("DELETE", "/v1/manage/links/x"),
    ] == methods
    assert {"Bearer gw_a_b"} == {headers["authorization"] for _, _, headers, _ in server.asked}
    assert 3 == len({headers["idempotency-key"] for _, _, headers, _ in server.asked})
    assert b'{"a": 1}' == server.asked[0][3]


def test_a_list_is_read_to_its_end_or_to_what_is_asked_for(server: Server) -> None:
    api = Management(base_url=server.url, key="k")
    for _ in range(2):
        server.answers({"items": [{"id": 1}, {"id": 2}], "next_cursor": "c/1"})
    server.answers({"items": [{"id": 3}], "next_cursor": None})

    assert [1] == [item["id"] for item in api.items("/links", most=1, program_id="p")]
    assert [1, 2, 3] == [item["id"] for item in api.items("/links", program_id="p")]
    assert "/v1/manage/links?program_id=p&limit=100&cursor=c%2F1" == server.asked[-1][1]


def test_a_refusal_says_its_code_and_not_the_key(server: Server) -> None:
    api = Management(base_url=server.url, key="gw_a_secret")
    server.answers({"code": "not_found"}, 404)

    with pytest.raises(ApiError, match=r"^GET /links/x answered 404 not_found$") as caught:
        api.get("/links/x")

    assert "secret" not in repr(api) + repr(caught.value)


@pytest.mark.usefixtures("pauses")
def test_one_try_is_one_request(server: Server) -> None:
    server.answers({"code": "store_unavailable"}, 503)

    assert 503 == Management(base_url=server.url, key="k").request("POST", "/links", {}).status
    assert 1 == len(server.asked)


def test_what_is_to_come_later_comes_later_with_the_same_key(
    server: Server, pauses: list[float]
) -> None:
    api = Management(base_url=server.url, key="k", tries=5)
    server.answers({}, 503, Retry_After="7")
    server.answers({"code": "request_in_progress"}, 409)
    server.answers({}, 429, Retry_After="86400")
    server.answers({"code": "x"}, 201)

    reply = api.request("POST", "/links", {}, idempotency_key="mine")

    assert 201 == reply.status
    assert [7.0, 2.0, LONGEST_PAUSE_S] == pauses
    assert {"mine"} == {headers["idempotency-key"] for _, _, headers, _ in server.asked}


def test_a_connection_that_fails_is_tried_again_and_then_told(pauses: list[float]) -> None:
    with Server() as closed:
        url = closed.url

    with pytest.raises(OSError, match="refused"):
        Management(base_url=url, key="k", tries=3).request("GET", "/links")

    assert [1.0, 2.0] == pauses

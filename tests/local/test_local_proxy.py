"""The local proxy: what it passes, what it refuses."""

import http.client
import io
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from local.ports import free_port
from local.proxy import (
    BODY_LIMIT_BYTES,
    HEAD_LIMIT_BYTES,
    Answer,
    Proxy,
    RefusedError,
    Request,
    encode,
    read_request,
)


def read(raw: bytes) -> Request:
    return read_request(io.BytesIO(raw), io.BytesIO())


def test_a_request_is_read_as_it_was_sent() -> None:
    head = b"POST /a%2Fb//c?x=%20&x=2&&y HTTP/1.1\r\nX-A: 1\r\nx-a:  2 \r\n"
    raw = head + b"Content-Length: 3\r\n\r\n\xff\x00x"

    request = read(raw)

    assert request.method == b"POST"
    assert request.target == b"/a%2Fb//c?x=%20&x=2&&y"
    assert request.headers == ((b"X-A", b"1"), (b"x-a", b"2"), (b"Content-Length", b"3"))
    assert request.body == b"\xff\x00x"


def test_a_chunked_body_is_joined() -> None:
    raw = b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n1;x=y\r\nc\r\n0\r\n\r\n"

    assert read(raw).body == b"abc"


def test_a_sender_that_waits_for_permission_gets_it() -> None:
    back = io.BytesIO()
    raw = b"POST / HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 1\r\n\r\nx"

    request = read_request(io.BytesIO(raw), back)

    assert request.body == b"x"
    assert back.getvalue().startswith(b"HTTP/1.1 100 ")


@pytest.mark.parametrize(
    ("raw", "status"),
    [
        (b"", 400),
        (b"\r\n", 400),
        (b"GET /\r\n\r\n", 400),
        (b"GET http://elsewhere/ HTTP/1.1\r\n\r\n", 400),
        (b"GET / SPDY/9\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nno colon\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\n folded: 1\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nA: 1", 400),
        (b"GET / HTTP/1.1\r\nA: " + b"x" * HEAD_LIMIT_BYTES + b"\r\n\r\n", 431),
        (b"POST / HTTP/1.1\r\nContent-Length: -1\r\n\r\n", 400),
        (b"POST / HTTP/1.1\r\nContent-Length: 5\r\n\r\nab", 400),
        (b"POST / HTTP/1.1\r\nContent-Length: %d\r\n\r\n" % (BODY_LIMIT_BYTES + 1), 413),
        (b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", 400),
        (b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n-1\r\n", 400),
        (b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nfffffff\r\n", 413),
    ],
)
def test_what_a_gateway_would_refuse_is_refused(raw: bytes, status: int) -> None:
    with pytest.raises(RefusedError) as refusal:
        read(raw)

    assert refusal.value.status == status


def test_the_answer_to_head_keeps_its_length_and_has_no_body() -> None:
    answer = Answer(status=302, headers=((b"Location", b"https://a.example/"),), body=b"abc")

    raw = encode(answer, with_body=False)

    assert raw.startswith(b"HTTP/1.1 302 Found\r\nLocation: https://a.example/\r\n")
    assert b"Content-Length: 3\r\n" in raw
    assert raw.endswith(b"\r\n\r\n")


def test_until_the_api_is_there_the_answer_is_unavailable() -> None:
    proxy = Proxy(port=1, emulator_port=1)

    assert proxy.answer(read(b"GET /abc HTTP/1.1\r\n\r\n"), "127.0.0.1").status == 503


def test_demo_pages_are_served_by_the_proxy_itself() -> None:
    proxy = Proxy(port=1, emulator_port=1, pages=lambda request: Answer(status=200))

    assert proxy.answer(read(b"GET /_demo/x HTTP/1.1\r\n\r\n"), "127.0.0.1").status == 200
    assert proxy.answer(read(b"GET /x/_demo/ HTTP/1.1\r\n\r\n"), "127.0.0.1").status == 503


@contextmanager
def upstream(answer: bytes) -> Iterator[tuple[int, list[bytes]]]:
    """A server for one connection: yields its port and what it was sent."""
    seen: list[bytes] = []
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            connection, _ = server.accept()
            with connection:
                seen.append(connection.recv(65_536))
                connection.sendall(answer)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield server.getsockname()[1], seen
        thread.join(5)


@pytest.mark.loopback
def test_bytes_pass_in_both_directions() -> None:
    wire = (
        b"HTTP/1.1 302 Found\r\nlocation: https://a.example/?q=%20#f\r\nContent-Length: 0\r\n\r\n"
    )
    with upstream(wire) as (port, seen):
        proxy = Proxy(port=free_port(), emulator_port=port, api_id="abcd1234")
        proxy.start()
        try:
            client = http.client.HTTPConnection("127.0.0.1", proxy.port, timeout=5)
            client.putrequest("POST", "//x%2e/?a=%20&a=2", skip_host=True)
            for name, value in (("Host", "evil.example"), ("X-A", "1"), ("X-A", "2")):
                client.putheader(name, value)
            client.putheader("X-Forwarded-For", "6.6.6.6")
            client.putheader("Content-Length", "2")
            client.endheaders(b"\xff\x00")
            response = client.getresponse()
            client.close()
        finally:
            proxy.stop()

    head, _, body = seen[0].partition(b"\r\n\r\n")
    lines = head.split(b"\r\n")
    assert lines[0] == b"POST //x%2e/?a=%20&a=2 HTTP/1.1"
    assert b"Host: abcd1234.execute-api.localhost:%d" % port in lines
    assert [b"X-A: 1", b"X-A: 2"] == [line for line in lines if line.startswith(b"X-A")]
    assert b"X-Forwarded-For: 127.0.0.1" in lines
    assert b"evil.example" not in head
    assert b"6.6.6.6" not in head
    assert body == b"\xff\x00"
    assert response.status == 302
    assert response.headers["location"] == "https://a.example/?q=%20#f"


@pytest.mark.loopback
def test_an_upstream_that_is_gone_is_a_bad_gateway() -> None:
    proxy = Proxy(port=1, emulator_port=free_port(), api_id="abcd1234")

    assert proxy.answer(read(b"GET /abc HTTP/1.1\r\n\r\n"), "127.0.0.1").status == 502

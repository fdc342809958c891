"""One HTTP connection, at the other end of a pair of sockets that says what a test wants."""

from __future__ import annotations

import socket
import threading
import time
from typing import TYPE_CHECKING

import pytest

from shared.adapters.dynamodb import lean_connection
from shared.adapters.dynamodb.lean_connection import BrokenAnswerError, Connection

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


@pytest.fixture
def start(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Connection]]:
    """Makes a connection whose service has already sent its answers, one for each connecting."""
    ends: list[socket.socket] = []

    def start(*answers: bytes, hang_up: bool = True) -> Connection:
        waiting = list(answers)

        def connected(_self: Connection) -> socket.socket:
            ours, theirs = socket.socketpair()
            ends.extend((ours, theirs))
            theirs.sendall(waiting.pop(0))
            if hang_up:
                theirs.shutdown(socket.SHUT_WR)
            return ours

        monkeypatch.setattr(Connection, "_connected", connected)
        return Connection("service", 80, context=None)

    yield start
    for end in ends:
        end.close()


def test_an_answer_is_its_status_and_its_body(start: Callable[..., Connection]) -> None:
    connection = start(b"HTTP/1.1 400 Bad Request\r\nX-A: b\r\nContent-LENGTH:  5 \r\n\r\nhello")

    assert (400, b"hello") == connection.exchange(b"x", seconds=1)


def test_an_answer_may_be_empty(start: Callable[..., Connection]) -> None:
    assert (200, b"") == start(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n").exchange(
        b"x", seconds=1
    )


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"HTTP/1.1 200 OK\r\n",
        b"HTTP/1.1 200 OK\r\n\r\n{}",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: two\r\n\r\n{}",
        b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n{}",
        b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n{}",
        b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n{}",
        b"HTTP/1.1 200 OK\r\nContent-Length: 1000001\r\n\r\n{}",
        b"HTTP/1.1 yes\r\nContent-Length: 2\r\n\r\n{}",
        b"nothing of the kind\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nX: " + b"x" * 40_000,
    ],
)
def test_what_is_no_answer_is_refused_and_the_connection_is_closed(
    start: Callable[..., Connection], answer: bytes
) -> None:
    connection = start(answer)

    with pytest.raises(BrokenAnswerError):
        connection.exchange(b"x", seconds=1)
    assert connection._socket is None


@pytest.mark.parametrize(
    "head", [b"HTTP/1.1 200 OK\r\nConnection: Close", b"HTTP/1.0 200 OK\r\nX: y"]
)
def test_a_service_that_hangs_up_is_asked_over_a_new_connection(
    start: Callable[..., Connection], head: bytes
) -> None:
    answer = head + b"\r\nContent-Length: 2\r\n\r\n{}"
    connection = start(answer, answer)

    assert [(200, b"{}")] * 2 == [connection.exchange(b"x", seconds=1) for _ in range(2)]


def test_an_answer_that_trickles_in_costs_a_bounded_time(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    ours, theirs = socket.socketpair()
    monkeypatch.setattr(Connection, "_connected", lambda _self: ours)
    stopped = threading.Event()

    def trickle() -> None:
        while not stopped.wait(0.02):
            theirs.sendall(b"x")

    thread = threading.Thread(target=trickle, daemon=True)
    thread.start()
    began = time.monotonic()
    try:
        with pytest.raises(TimeoutError):
            Connection("service", 80, context=None).exchange(b"x", seconds=0.2)
        assert time.monotonic() - began < 2
    finally:
        stopped.set()
        thread.join(5)
        ours.close()
        theirs.close()


def test_time_that_is_over_is_not_waited_for(start: Callable[..., Connection]) -> None:
    connection = start(b"", hang_up=False)

    with pytest.raises(TimeoutError):
        connection.exchange(b"x", seconds=0)


def test_a_request_that_timed_out_is_not_sent_again(
    start: Callable[..., Connection],
) -> None:
    connection = start(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", hang_up=False)
    connection.exchange(b"x", seconds=1)

    # A second connecting would find no answer and fail with IndexError.
    with pytest.raises(TimeoutError):
        connection.exchange(b"x", seconds=0.05)


def test_the_longest_answer_is_twice_the_largest_item() -> None:
    assert 2 * 400_000 <= lean_connection.MAX_BODY

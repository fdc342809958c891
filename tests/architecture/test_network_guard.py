from __future__ import annotations

import socket

import pytest


def test_a_test_can_not_reach_the_network() -> None:
    with socket.socket() as client, pytest.raises(RuntimeError, match="no network in tests"):
        client.connect(("192.0.2.1", 80))


def test_a_test_can_not_look_up_a_name() -> None:
    with pytest.raises(RuntimeError, match="no network in tests"):
        socket.getaddrinfo("example.com", 443)


def test_an_unmarked_test_can_not_reach_loopback() -> None:
    with socket.socket() as client, pytest.raises(RuntimeError, match="no network in tests"):
        client.connect(("127.0.0.1", 9))


@pytest.mark.loopback
def test_a_marked_test_reaches_loopback() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server, socket.socket() as client:
        client.connect(server.getsockname())

        assert "127.0.0.1" == client.getpeername()[0]


@pytest.mark.loopback
def test_a_marked_test_reaches_nothing_beyond_loopback() -> None:
    with socket.socket() as client, pytest.raises(RuntimeError, match="no network in tests"):
        client.connect(("192.0.2.1", 80))

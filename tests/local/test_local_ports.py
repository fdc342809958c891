"""Which ports the local cloud takes."""

import socket
from pathlib import Path

import pytest

from local.places import Places
from local.ports import PortError, choose


@pytest.fixture
def places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Places:
    monkeypatch.delenv("PORT", raising=False)
    monkeypatch.delenv("EMULATOR_PORT", raising=False)
    return Places(home=tmp_path)


def test_the_second_start_takes_the_same_ports(places: Places) -> None:
    assert choose(places) == choose(places)


def test_a_remembered_port_that_is_taken_gives_way(places: Places) -> None:
    before = choose(places)
    with socket.create_server(("127.0.0.1", before.public)):
        after = choose(places)

    assert after.public != before.public
    assert after.emulator == before.emulator


def test_a_port_that_was_asked_for_is_used(places: Places, monkeypatch: pytest.MonkeyPatch) -> None:
    free = choose(places).public
    monkeypatch.setenv("PORT", str(free))

    assert choose(places).public == free


@pytest.mark.parametrize("asked", ["http", "0", "70000", "-1"])
def test_what_is_no_port_is_refused(
    places: Places, monkeypatch: pytest.MonkeyPatch, asked: str
) -> None:
    monkeypatch.setenv("EMULATOR_PORT", asked)

    with pytest.raises(PortError, match="EMULATOR_PORT"):
        choose(places)


def test_a_port_that_was_asked_for_and_is_taken_is_refused(
    places: Places, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        monkeypatch.setenv("PORT", str(server.getsockname()[1]))

        with pytest.raises(PortError, match="PORT"):
            choose(places)

"""Starting the emulator: refusals, and never talking to somebody else's."""

import http.server
import os
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from local import emulator
from local.emulator import Emulator, EmulatorError, environment
from local.places import Places
from local.ports import free_port


@pytest.fixture
def places(tmp_path: Path) -> Places:
    found = Places(home=tmp_path / "home")
    found.prepare()
    return found


@pytest.fixture
def stranger() -> Iterator[int]:
    """An emulator of somebody else: it answers the health question under another name."""

    class Health(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = b'{"edition": "light"}'
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - its signature
            pass

    with http.server.HTTPServer(("127.0.0.1", 0), Health) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server.server_port
        server.shutdown()


def test_without_its_environment_it_says_what_to_do(places: Places) -> None:
    with pytest.raises(EmulatorError, match="make setup-local"):
        emulator.start(places, 1, python=places.home / "missing")


@pytest.mark.loopback
def test_one_that_ends_at_once_is_reported_with_its_log(places: Places) -> None:
    # The project's own environment has no emulator, so the launcher fails at its import.
    with pytest.raises(EmulatorError, match="ministack"):
        emulator.start(places, free_port(), python=Path(sys.executable))


@pytest.mark.loopback
def test_another_instance_on_the_port_is_not_ours(stranger: int) -> None:
    found = Emulator(port=stranger, identity="goodword-1", process=None)  # type: ignore[arg-type]

    assert not found.is_ours()


@pytest.mark.loopback
def test_nobody_on_the_port_is_not_ours() -> None:
    assert not Emulator(port=free_port(), identity="x", process=None).is_ours()  # type: ignore[arg-type]


def test_it_listens_on_the_loopback_interface_and_keeps_its_state(places: Places) -> None:
    found = environment(places, 4566, "goodword-1")

    assert found["BIND_HOST"] == "127.0.0.1"
    assert found["PERSIST_STATE"] == "1"
    assert found["STATE_DIR"] == str(places.state)
    assert found["TMPDIR"] == str(places.tmp)
    assert found["GOODWORD_PARENT_PID"] == str(os.getpid())


def test_handlers_inherit_no_credential_of_the_user(
    places: Places, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_PROFILE", "production")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "real")

    found = environment(places, 4566, "goodword-1")

    assert "AWS_PROFILE" not in found
    assert found["AWS_SECRET_ACCESS_KEY"] == "test"

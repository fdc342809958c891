"""Ports on the loopback interface: asked for, remembered or free ones."""

import contextlib
import os
import socket
from dataclasses import dataclass
from typing import Final

from local.emulator import HOST
from local.places import Places, read_json, write_json

HIGHEST: Final = 65_535


class PortError(Exception):
    """A port that was asked for is not a port, or is taken."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ports:
    """The two ports of one local cloud."""

    public: int
    emulator: int


def choose(places: Places) -> Ports:
    """Return the ports to use, and remember them: the next start then needs no deployment.

    Raises:
        PortError: ``PORT`` or ``EMULATOR_PORT`` is set to something unusable.
    """
    before = read_json(places.ports)
    ports = Ports(
        public=_choose("PORT", before.get("public")),
        emulator=_choose("EMULATOR_PORT", before.get("emulator")),
    )
    write_json(places.ports, {"public": ports.public, "emulator": ports.emulator})
    return ports


def _choose(variable: str, remembered: object) -> int:
    asked = os.environ.get(variable, "")
    if asked:
        if not asked.isdecimal() or not 0 < int(asked) <= HIGHEST or not is_free(int(asked)):
            message = f"{variable}={asked[:20]} can't be used: not a port, or taken"
            raise PortError(message)
        return int(asked)
    if isinstance(remembered, int) and is_free(remembered):
        return remembered
    return free_port()


def is_free(port: int) -> bool:
    """Say whether nobody listens on a port."""
    with contextlib.suppress(OSError), socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        probe.bind((HOST, port))
        return True
    return False


def free_port() -> int:
    """Return a port that nobody listens on at this moment."""
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])

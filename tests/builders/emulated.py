"""The emulator as ``make run`` starts it, with nothing deployed, and clients that talk to it."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import boto3
from botocore.config import Config

from local import emulator as emulators
from local.emulator import CREDENTIAL, LAUNCHER, REGION, Emulator
from local.places import Places
from local.ports import free_port

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

# No second attempt: what a check counts must be what it sent.
_CONFIG = Config(
    retries={"mode": "standard", "total_max_attempts": 1},
    connect_timeout=5,
    read_timeout=30,
    max_pool_connections=16,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Emulated:
    """A running emulator."""

    emulator: Emulator

    def client(self, service: str) -> Any:  # noqa: ANN401 - a boto3 client
        return boto3.client(
            service,  # type: ignore[call-overload]
            endpoint_url=self.emulator.url,
            region_name=REGION,
            aws_access_key_id=CREDENTIAL,
            aws_secret_access_key=CREDENTIAL,
            config=_CONFIG,
        )


@contextmanager
def emulated(home: Path, *, launcher: Path = LAUNCHER) -> Iterator[Emulated]:
    """Starts an emulator that goes on with what is saved under ``home``, and stops it."""
    places = Places(home=home)
    with places.locked() as lock:
        places.prepare()
        emulator = emulators.start(places, free_port(), inherited=(lock,), launcher=launcher)
        try:
            yield Emulated(emulator=emulator)
        finally:
            emulator.stop()

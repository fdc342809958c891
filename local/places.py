"""Where the local cloud keeps its files."""

import fcntl
import json
import os
import shutil
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
BASE = ROOT / ".local"
EMULATOR_PYTHON = BASE / "venv" / "bin" / "python"
PRIVATE_DIR = 0o700
PRIVATE_FILE = 0o600
LOCK_FILE = "lock"
OLD = "old-"
LOCK_WAIT_S = 5.0
LOCK_POLL_S = 0.1


class BusyError(Exception):
    """Another local cloud runs in the same folder."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Places:
    """The files of one local cloud, all under ``home``."""

    home: Path

    @property
    def state(self) -> Path:
        """The emulator's saved services."""
        return self.home / "state"

    @property
    def tmp(self) -> Path:
        """Scratch space of the emulator and its handlers, emptied at every start."""
        return self.home / "tmp"

    @property
    def logs(self) -> Path:
        """Logs of the emulator and of the deployment."""
        return self.home / "log"

    @property
    def assembly(self) -> Path:
        """The synthesized template and its assets."""
        return self.home / "cdk.out"

    @property
    def outputs(self) -> Path:
        """The outputs of the stack."""
        return self.home / "outputs.json"

    @property
    def deployed(self) -> Path:
        """What the last successful deployment was made of."""
        return self.home / "deployed.json"

    @property
    def ports(self) -> Path:
        """The ports of the last start."""
        return self.home / "ports.json"

    @property
    def endpoints(self) -> Path:
        """Addresses and keys for the user and for tools."""
        return self.home / "endpoints.json"

    def prepare(self) -> None:
        """Create the folders, readable by this user only, with an empty scratch space.

        An emulator that was killed leaves many files behind. They are put aside and removed
        beside the start: on a busy disk that takes longer than all the rest.
        """
        self.home.mkdir(parents=True, exist_ok=True)
        if self.tmp.exists():
            self.tmp.rename(self.home / f"{OLD}{time.time_ns()}")
        for old in self.home.glob(f"{OLD}*"):
            threading.Thread(target=shutil.rmtree, args=(old, True), daemon=True).start()
        for folder in (self.state, self.tmp, self.logs):
            folder.mkdir(mode=PRIVATE_DIR, parents=True, exist_ok=True)

    @contextmanager
    def locked(self) -> Iterator[int]:
        """Keep every other local cloud out of this folder; yields the lock's descriptor.

        Who inherits the descriptor holds the lock as well: an emulator that outlives us for a
        moment still writes its state.

        Raises:
            BusyError: another one is running.
        """
        self.home.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(self.home / LOCK_FILE, os.O_RDWR | os.O_CREAT, PRIVATE_FILE)
        try:
            deadline = time.monotonic() + LOCK_WAIT_S
            while not lock(descriptor):
                if time.monotonic() >= deadline:
                    message = f"a local cloud is running in {self.home} already"
                    raise BusyError(message)
                time.sleep(LOCK_POLL_S)
            yield descriptor
        finally:
            os.close(descriptor)

    def wipe(self) -> None:
        """Forget the data of this local cloud; the lock stays."""
        for path in self.home.iterdir():
            if path.is_dir():
                shutil.rmtree(path, ignore_errors=True)
            elif path.name != LOCK_FILE:
                path.unlink()


def lock(descriptor: int) -> bool:
    """Lock a file for this process and its heirs, and say whether that worked."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def read_json(path: Path) -> dict[str, Any]:
    """Return the object in a file, or an empty one if there is none or it is damaged."""
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return value if isinstance(value, dict) else {}


def write_json(path: Path, value: dict[str, Any]) -> None:
    """Write an object so that readers see the old file or the new one, and only this user can."""
    draft = path.with_name(path.name + ".new")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, PRIVATE_FILE)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        json.dump(value, file, indent=2)
        file.write("\n")
    draft.replace(path)

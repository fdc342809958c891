"""The emulator's life: start, prove that it is ours, stop."""

import contextlib
import http.client
import json
import os
import secrets
import signal
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from local.places import EMULATOR_PYTHON, Places

HOST: Final = "127.0.0.1"
ACCOUNT: Final = "000000000000"
REGION: Final = "us-east-1"
CREDENTIAL: Final = "test"
LAUNCHER: Final = Path(__file__).with_name("launcher.py")

START_LIMIT_S: Final = 60.0
STOP_LIMIT_S: Final = 20.0
POLL_S: Final = 0.05
LOG_TAIL_LINES: Final = 30

# Each running handler costs about 50 MB; a burst may not take the whole machine.
CONCURRENT_HANDLERS: Final = 16
AUTOSAVE_S: Final = 3
# What a killed emulator may forget: all since the last save, which takes a moment itself. With
# hundreds of thousands of rows that moment is longer.
LOST_WHEN_KILLED_S: Final = 2 * AUTOSAVE_S

# What a child may see of our environment: nothing that could hold credentials or a profile.
PASSED_ON: Final = ("PATH", "HOME", "LANG", "LC_ALL", "TZ", "SYSTEMROOT")


class EmulatorError(Exception):
    """The emulator did not start, or another program answers on its port."""


def clean_environment() -> dict[str, str]:
    """Return the part of our environment that children may see."""
    return {name: os.environ[name] for name in PASSED_ON if name in os.environ}


def call(port: int, method: str, path: str, **options: Any) -> tuple[int, bytes]:  # noqa: ANN401 - passed to http.client as they are
    """Return status and body of one request to the emulator's own port.

    Raises:
        OSError: nobody listens, or the connection broke.
    """
    connection = http.client.HTTPConnection(HOST, port, timeout=10)
    try:
        connection.request(method, path, **options)
        response = connection.getresponse()
        return response.status, response.read()
    finally:
        connection.close()


def service(port: int, name: str, target: str, payload: dict[str, Any]) -> dict[str, Any]:
    """Return the answer of an AWS JSON service of the emulator, which takes any signature.

    Raises:
        EmulatorError: the service refused.
    """
    scope = f"{CREDENTIAL}/20260101/{REGION}/{name}/aws4_request"
    signature = f"Credential={scope}, SignedHeaders=host, Signature=0"
    status, body = call(
        port,
        "POST",
        "/",
        body=json.dumps(payload),
        headers={
            "Content-Type": "application/x-amz-json-1.1",
            "X-Amz-Target": target,
            "Authorization": f"AWS4-HMAC-SHA256 {signature}",
        },
    )
    if status != http.HTTPStatus.OK:
        message = f"{target} answered {status}"
        raise EmulatorError(message)
    answer: dict[str, Any] = json.loads(body)
    return answer


@dataclass(frozen=True, slots=True, kw_only=True)
class Emulator:
    """A running emulator of ours."""

    port: int
    identity: str
    process: subprocess.Popen[bytes]

    @property
    def url(self) -> str:
        """The endpoint for AWS clients."""
        return f"http://{HOST}:{self.port}"

    def is_ours(self) -> bool:
        """Say whether the instance on the port is the one that we started."""
        with contextlib.suppress(OSError, ValueError, http.client.HTTPException):
            status, body = call(self.port, "GET", "/_ministack/health")
            return status == http.HTTPStatus.OK and json.loads(body).get("edition") == self.identity
        return False

    def stop(self) -> None:
        """End the emulator and its handlers; it saves its state first."""
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(STOP_LIMIT_S)
            except subprocess.TimeoutExpired:
                self.process.kill()
        # The emulator leads its own session: handlers that outlived it go with the group.
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()


def environment(places: Places, port: int, identity: str) -> dict[str, str]:
    """Return the emulator's settings: loopback only, saved state, bounded handlers."""
    return clean_environment() | {
        "BIND_HOST": HOST,
        "GATEWAY_PORT": str(port),
        "IOT_MTLS_ENABLED": "0",
        "SFTP_ENABLED": "0",
        "TMPDIR": str(places.tmp),
        "PERSIST_STATE": "1",
        "STATE_DIR": str(places.state),
        "S3_PERSIST": "1",
        "S3_DATA_DIR": str(places.state / "s3"),
        "LAMBDA_ACCOUNT_CONCURRENCY": str(CONCURRENT_HANDLERS),
        "LOG_LEVEL": "WARNING",
        # Echoed by the health page, which makes it the proof of identity.
        "MINISTACK_EDITION": identity,
        "GOODWORD_PARENT_PID": str(os.getpid()),
        "GOODWORD_AUTOSAVE_S": str(AUTOSAVE_S),
        "PYTHONDONTWRITEBYTECODE": "1",
        # Handlers inherit these: a call may go to the emulator or nowhere.
        "AWS_ACCESS_KEY_ID": CREDENTIAL,
        "AWS_SECRET_ACCESS_KEY": CREDENTIAL,
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        "NO_PROXY": f"{HOST},localhost",
    }


def start(
    places: Places,
    port: int,
    *,
    inherited: tuple[int, ...] = (),
    python: Path = EMULATOR_PYTHON,
    launcher: Path = LAUNCHER,
) -> Emulator:
    """Start the emulator and wait until it answers as ours; it keeps ``inherited`` open.

    Raises:
        EmulatorError: it is not installed, ended, took too long, or the port belongs to another.
    """
    if not python.exists():
        message = "the emulator is not installed: run `make setup-local`"
        raise EmulatorError(message)
    identity = f"goodword-{secrets.token_hex(8)}"
    log = places.logs / "emulator.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [str(python), str(launcher)],
            env=environment(places, port, identity),
            cwd=places.home,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            pass_fds=inherited,
        )
    emulator = Emulator(port=port, identity=identity, process=process)
    deadline = time.monotonic() + START_LIMIT_S
    while time.monotonic() < deadline and process.poll() is None:
        if emulator.is_ours():
            return emulator
        time.sleep(POLL_S)
    emulator.stop()
    message = f"the emulator did not start on port {port}; the end of {log}:\n{tail(log)}"
    raise EmulatorError(message)


def tail(path: Path, lines: int = LOG_TAIL_LINES) -> str:
    """Return the last lines of a log."""
    try:
        text = path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
    return "\n".join(text.splitlines()[-lines:])

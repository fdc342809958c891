"""The real ``cdk bootstrap`` and ``cdk deploy``, pointed at the emulator."""

import contextlib
import hashlib
import http.client
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Final

from local.emulator import (
    ACCOUNT,
    CREDENTIAL,
    HOST,
    REGION,
    Emulator,
    EmulatorError,
    call,
    clean_environment,
    service,
    tail,
)
from local.places import ROOT, Places, read_json, write_json
from local.progress import Progress

STAGE: Final = "local"
STACK: Final = f"goodword-{STAGE}"
CDK: Final = ROOT / "node_modules" / ".bin" / "cdk"
COMMAND_LIMIT_S: Final = 300.0
PROGRESS_EVERY_S: Final = 3.0
BOOTSTRAP_MARK: Final = "/cdk-bootstrap/hnb659fds/version"
COUNTER: Final = re.compile(r"\|\s*(\d+)/\d+\s*\|")

# Everything that decides the template and the functions' packages.
INPUTS: Final = (
    "functions",
    "shared",
    "infra",
    "requirements/lambda.txt",
    "cdk.json",
    "package-lock.json",
)
CHUNK_BYTES: Final = 1 << 16


class DeployError(Exception):
    """A command of the CDK failed; the message ends with the tail of its log."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Deployment:
    """A stack that is deployed and answers."""

    api_id: str
    outputs: dict[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Deployer:
    """Puts the stage ``local`` of the repository into one emulator."""

    places: Places
    emulator_port: int
    public_url: str
    progress: Progress
    root: Path = ROOT
    stack: str = STACK

    def synthesize(self) -> None:
        """Write the template and its assets to the assembly folder.

        Raises:
            DeployError: the app doesn't synthesize.
        """
        self._cdk(
            "synth",
            *("--quiet", "--output", str(self.places.assembly), *self._context(), self.stack),
        )

    def bootstrap(self, emulator: Emulator) -> None:
        """Create the CDK's own bucket and roles, unless they are there.

        Raises:
            DeployError: the command failed.
        """
        with contextlib.suppress(EmulatorError, OSError):
            service(emulator.port, "ssm", "AmazonSSM.GetParameter", {"Name": BOOTSTRAP_MARK})
            return
        with self.progress.timed("cdk bootstrap"):
            # From a folder without cdk.json: the app would be synthesized for nothing.
            self._cdk("bootstrap", f"aws://{ACCOUNT}/{REGION}", folder=self.places.tmp)

    def deploy(self, emulator: Emulator) -> Deployment:
        """Deploy the assembly and remember what it was made of.

        Raises:
            DeployError: the command failed.
        """
        with self.progress.timed("cdk deploy"):
            self._cdk(
                "deploy",
                self.stack,
                *("--app", str(self.places.assembly), "--require-approval", "never"),
                *("--progress", "events", "--outputs-file", str(self.places.outputs)),
            )
        outputs = read_json(self.places.outputs).get(self.stack, {})
        write_json(
            self.places.deployed,
            {"fingerprint": self.fingerprint(), "outputs": outputs},
        )
        deployment = Deployment(api_id=str(outputs["ApiId"]), outputs=outputs)
        if not answers(emulator, deployment):
            message = "the stack is deployed, but its API does not answer"
            raise DeployError(message)
        return deployment

    def current(self, emulator: Emulator) -> Deployment | None:
        """Return the last deployment if nothing that it was made of has changed since."""
        found = read_json(self.places.deployed)
        outputs = found.get("outputs", {})
        if found.get("fingerprint") != self.fingerprint() or "ApiId" not in outputs:
            return None
        deployment = Deployment(api_id=str(outputs["ApiId"]), outputs=outputs)
        return deployment if answers(emulator, deployment) else None

    def fingerprint(self) -> str:
        """Return a hash of all inputs of the template, the packages and the addresses."""
        digest = hashlib.sha256()
        digest.update(repr((self.public_url, self.emulator_port, sys.version_info[:2])).encode())
        for path in self._inputs():
            digest.update(f"\0{path.relative_to(self.root)}\0".encode())
            with path.open("rb") as file:
                while chunk := file.read(CHUNK_BYTES):
                    digest.update(chunk)
        return digest.hexdigest()

    def _inputs(self) -> Iterator[Path]:
        for name in INPUTS:
            top = self.root / name
            found = [top] if top.is_file() else sorted(top.rglob("*"))
            yield from (p for p in found if p.is_file() and "__pycache__" not in p.parts)

    def _context(self) -> tuple[str, ...]:
        settings = {"stage": STAGE, "api_url": self.public_url, "short_url": self.public_url}
        return tuple(part for item in settings.items() for part in ("-c", "=".join(item)))

    def _cdk(self, verb: str, *arguments: str, folder: Path | None = None) -> None:
        run(
            (str(CDK), verb, *arguments),
            environment=cdk_environment(self.emulator_port, self.places),
            folder=folder or self.root,
            log=self.places.logs / f"cdk-{verb}.log",
            progress=self.progress,
        )


def cdk_environment(port: int, places: Places) -> dict[str, str]:
    """Return an environment from which only the emulator can be reached, never a real account."""
    endpoint = f"http://{HOST}:{port}"
    inherited = clean_environment()
    tools = (ROOT / ".venv" / "bin", ROOT / "node_modules" / ".bin")
    return inherited | {
        "PATH": os.pathsep.join([*map(str, tools), inherited.get("PATH", os.defpath)]),
        "AWS_ENDPOINT_URL": endpoint,
        "AWS_ENDPOINT_URL_S3": endpoint,
        "AWS_ACCESS_KEY_ID": CREDENTIAL,
        "AWS_SECRET_ACCESS_KEY": CREDENTIAL,
        "AWS_REGION": REGION,
        "AWS_DEFAULT_REGION": REGION,
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        "NO_PROXY": f"{HOST},localhost",
        "TMPDIR": str(places.tmp),
        "CI": "1",
        "NO_COLOR": "1",
        "CDK_DISABLE_VERSION_CHECK": "1",
        "CDK_DISABLE_CLI_TELEMETRY": "true",
        "JSII_SILENCE_WARNING_END_OF_LIFE_NODE_VERSION": "1",
        "PYTHONDONTWRITEBYTECODE": "1",
    }


def answers(emulator: Emulator, deployment: Deployment) -> bool:
    """Say whether the deployed API answers its liveness route."""
    headers = {"Host": f"{deployment.api_id}.execute-api.localhost:{emulator.port}"}
    with contextlib.suppress(OSError, http.client.HTTPException):
        status, _ = call(emulator.port, "GET", "/healthz", headers=headers)
        return status == http.HTTPStatus.OK
    return False


def run(
    command: Sequence[str],
    *,
    environment: dict[str, str],
    folder: Path,
    log: Path,
    progress: Progress,
) -> None:
    """Run one command to its end, with its output in a log and its counter on the screen.

    Raises:
        DeployError: it failed, took too long or could not be started.
    """
    try:
        process = subprocess.Popen(
            command,
            env=environment,
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    except OSError as error:
        message = f"{command[0]} can't be started ({type(error).__name__}): run `make setup`"
        raise DeployError(message) from error
    timer = threading.Timer(COMMAND_LIMIT_S, end_group, (process,))
    timer.start()
    try:
        with process.stdout or contextlib.nullcontext(()) as output, log.open("wb") as file:
            copy_output(output, file, progress)
        status = process.wait()
    finally:
        timer.cancel()
        end_group(process)
    if status != 0:
        message = f"cdk failed with status {status}; see {log}:\n{causes(log) or tail(log)}"
        raise DeployError(message)


def copy_output(output: Iterable[bytes], file: IO[bytes], progress: Progress) -> None:
    """Copy a command's output to its log and say now and then how far it is."""
    last = time.monotonic()
    for line in output:
        file.write(line)
        file.flush()
        counter = COUNTER.search(line.decode("utf-8", errors="replace"))
        if counter and time.monotonic() - last >= PROGRESS_EVERY_S:
            last = time.monotonic()
            progress.step(f"  {counter[1]} resources so far")


def causes(log: Path) -> str:
    """Return the lines that say why a deployment failed, if there are any.

    A rollback prints a line per resource after them, which hides them from a mere tail.
    """
    text = log.read_text(encoding="utf-8", errors="replace")
    return "\n".join(line for line in text.splitlines() if "_FAILED" in line or "Error" in line)


def end_group(process: subprocess.Popen[bytes]) -> None:
    """End a command and what it started."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)

"""A handler in Lambda's runtime client, served by a Runtime API of our own.

The service's side of the protocol is one loop: hand out an event, take the answer, wait until the
client asks for the next one. Between two such moments the handler's process did one invocation
and nothing else, so its processor time is read there.
https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html
"""

import json
import os
import select
import socket
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from functools import cache
from io import BufferedIOBase
from pathlib import Path
from typing import Any, Final

from bench.redirect.store import Store
from infra.catalogue import TRACK_CLICK
from infra.packages import packages_for
from infra.settings import LOCAL

ROOT: Final = Path(__file__).resolve().parents[2]
CLIENT: Final = (sys.executable, "-m", "awslambdaric")
_PACKAGED: Final = frozenset({TRACK_CLICK.handler, "bench.redirect.with_modules.handler"})
_HOST: Final = "127.0.0.1"
_PATIENCE_SECONDS: Final = 600
_HEAD_BYTES: Final = 65_536
_EVENT_HEAD: Final = (
    "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
    "Lambda-Runtime-Aws-Request-Id: {number:08x}-0000-4000-8000-000000000000\r\n"
    "Lambda-Runtime-Deadline-Ms: {deadline}\r\n"
    "Lambda-Runtime-Invoked-Function-Arn: "
    "arn:aws:lambda:us-east-1:123456789012:function:goodword-prod-track_click\r\n"
    "Lambda-Runtime-Trace-Id: Root=1-5759e988-bd862e3fe1be46a994272793;Sampled=0\r\n"
    "Content-Length: {length}\r\n\r\n"
)
_ACCEPTED: Final = b"HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\n\r\n"


class RuntimeFailedError(Exception):
    """The handler's process ended, or answered with an error."""


class Runtime:
    """One process with the runtime client and a handler; ready once it is made.

    ``seconds_to_ready`` is time on the clock, from its start until it asked for the first event.
    """

    def __init__(
        self,
        handler: str,
        store: Store,
        *,
        command: Sequence[str] = CLIENT,
        errors: int | None = None,
    ) -> None:
        """Start the process and wait until it asks for work.

        Raises:
            RuntimeFailedError: it did not get so far.
        """
        self._listener = socket.create_server((_HOST, 0))
        self._connections: list[socket.socket] = []
        self._numbers = 0
        address = "{}:{}".format(*self._listener.getsockname())
        begun = time.perf_counter()
        self.process = subprocess.Popen(  # noqa: S603 - our own modules
            [*command, handler],
            cwd=task_root(handler),
            env=environment(store, address, handler),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=errors,
        )
        try:
            self._waiting = self._request("GET")[0]
        except RuntimeFailedError:
            self.stop()
            raise
        self.seconds_to_ready = time.perf_counter() - begun

    @property
    def cpu_seconds(self) -> float:
        """Processor time of the handler's process so far, all its threads, user and system."""
        # The process's own clock, as Linux numbers it: finer than what getrusage answers.
        return time.clock_gettime((~self.process.pid << 3) | 2)

    def invoke(self, event: Mapping[str, Any]) -> dict[str, Any]:
        """Return what the handler answers to an event, once it has asked for the next one.

        Raises:
            RuntimeFailedError: the handler raised, or its process ended.
        """
        self._numbers += 1
        body = json.dumps(event).encode()
        deadline = int((time.time() + 5) * 1_000)
        head = _EVENT_HEAD.format(number=self._numbers, deadline=deadline, length=len(body))
        self._waiting.sendall(head.encode() + body)
        connection, path, answer = self._request("POST")
        connection.sendall(_ACCEPTED)
        self._waiting = self._request("GET")[0]
        if not path.endswith("/response"):
            raise RuntimeFailedError(answer.decode("utf-8", "replace")[:500])
        found: dict[str, Any] = json.loads(answer)
        return found

    def stop(self) -> None:
        """End the process."""
        self.process.terminate()
        self.process.wait(_PATIENCE_SECONDS)
        for connection in (*self._connections, self._listener):
            connection.close()

    def _request(self, method: str) -> tuple[socket.socket, str, bytes]:
        """Return the next request's connection, path and body."""
        connection = self._readable()
        with connection.makefile("rwb") as stream:
            line, headers = _head(stream)
            if "100-continue" in headers.get("expect", ""):
                stream.write(b"HTTP/1.1 100 Continue\r\n\r\n")
                stream.flush()
            body = stream.read(int(headers.get("content-length", "0")))
        if not line.startswith(method):
            raise RuntimeFailedError(f"{line}: {body.decode('utf-8', 'replace')[:500]}")
        return connection, line.split(" ")[1], body

    def _readable(self) -> socket.socket:
        deadline = time.monotonic() + _PATIENCE_SECONDS
        while time.monotonic() < deadline and self.process.poll() is None:
            found, _, _ = select.select([self._listener, *self._connections], [], [], 1)
            for ready in found:
                if ready is self._listener:
                    connection, _ = self._listener.accept()
                    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                    self._connections.append(connection)
                elif ready.recv(1, socket.MSG_PEEK):
                    return ready
                else:
                    self._connections.remove(ready)
                    ready.close()
        raise RuntimeFailedError(f"the handler's process ended or hangs: {self.process.poll()}")


def _head(stream: BufferedIOBase) -> tuple[str, dict[str, str]]:
    line, *rest = iter(lambda: stream.readline(_HEAD_BYTES).strip().decode("latin-1"), "")
    parts = (text.partition(":") for text in rest)
    return line, {name.lower(): value.strip().lower() for name, _, value in parts}


@cache
def task_root(handler: str) -> Path:
    """Return where the handler's modules are: the redirect's in the package that is deployed."""
    return packages_for(LOCAL).assemble(TRACK_CLICK.name) if handler in _PACKAGED else ROOT


def environment(store: Store, address: str, handler: str) -> dict[str, str]:
    """Return what Lambda sets, for a function of this project; nothing of our own environment."""
    return {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": str(ROOT),
        # The same work in each run, whatever it is counted in.
        "PYTHONHASHSEED": "0",
        "TZ": ":UTC",
        "LANG": "en_US.UTF-8",
        "_HANDLER": handler,
        "LAMBDA_TASK_ROOT": str(task_root(handler)),
        "AWS_LAMBDA_RUNTIME_API": address,
        "AWS_LAMBDA_FUNCTION_NAME": "goodword-prod-track_click",
        "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST",
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "512",
        "AWS_LAMBDA_LOG_GROUP_NAME": "/aws/lambda/goodword-prod-track_click",
        "AWS_LAMBDA_LOG_STREAM_NAME": "2026/11/22/[$LATEST]0",
        "AWS_LAMBDA_LOG_FORMAT": "JSON",
        "AWS_LAMBDA_LOG_LEVEL": "INFO",
        "AWS_LAMBDA_INITIALIZATION_TYPE": "on-demand",
        "AWS_REGION": "us-east-1",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_ACCESS_KEY_ID": "ASIAIOSFODNN7EXAMPLE",
        "AWS_SECRET_ACCESS_KEY": "x" * 40,
        "AWS_SESSION_TOKEN": "t" * 900,
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        "AWS_ENDPOINT_URL_DYNAMODB": store.url,
        "AWS_CA_BUNDLE": str(store.certificates.roots),
        "POWERTOOLS_SERVICE_NAME": "redirect",
        "GOODWORD_STAGE": "prod",
        "GOODWORD_CORE_TABLE": "core",
        "GOODWORD_CLICKS_TABLE": "clicks",
    }

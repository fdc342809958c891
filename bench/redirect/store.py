"""A table service of one link and one keyring, over TLS, in a process of its own.

It answers GetItem for every code and keeps the keys of what is put, so that each handler's work
can be counted. ``python -m bench.redirect.store CERTIFICATE KEY`` prints its port.
"""

import base64
import json
import ssl
import subprocess
import sys
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from http.client import HTTPSConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import IO, Any, Final, cast

from bench.redirect.certificates import Certificates
from shared import names
from shared.adapters.dynamodb import keys
from shared.adapters.dynamodb.codec import to_wire
from shared.adapters.dynamodb.keyring_rows import keyring_row
from shared.adapters.dynamodb.link_rows import link_row
from shared.domain.click_tokens import Keyring, SigningKey
from shared.domain.links import Link

ROOT: Final = Path(__file__).resolve().parents[2]
HOST: Final = "localhost"
_START: Final = datetime(2026, 1, 2, tzinfo=UTC)
_LINK: Final = Link(
    code="spring",
    program_id="prg_01jd3k7q9v",
    partner_id="ptr_01jd3k8m2x",
    destination="https://shop.example/offer?plan=pro#top",
    utm={"utm_source": "partner", "utm_medium": "referral", "utm_campaign": "spring"},
    campaign="spring",
    created_at=_START,
)
_RING: Final = Keyring(
    keys=tuple(
        SigningKey(key_id=f"k{number}", secret=bytes([number]) * 32, created_at=_START)
        for number in (1, 2)
    )
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Counts:
    """What the service was asked so far."""

    gets: int
    puts: int

    def __sub__(self, before: "Counts") -> "Counts":
        return Counts(gets=self.gets - before.gets, puts=self.puts - before.puts)


@dataclass(frozen=True, slots=True, kw_only=True)
class Store:
    """A running service."""

    port: int
    certificates: Certificates

    @property
    def url(self) -> str:
        """Its address."""
        return f"https://{HOST}:{self.port}"

    def counts(self) -> Counts:
        """Return what was asked so far."""
        context = ssl.create_default_context(cafile=str(self.certificates.roots))
        connection = HTTPSConnection(HOST, self.port, timeout=30, context=context)
        try:
            connection.request("GET", "/")
            return Counts(**json.loads(connection.getresponse().read()))
        finally:
            connection.close()


@contextmanager
def running(certificates: Certificates) -> Iterator[Store]:
    """Start the service, and end it."""
    command = (sys.executable, "-m", __name__, str(certificates.own), str(certificates.key))
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:  # noqa: S603 - our own module
        try:
            said = cast("IO[str]", process.stdout).readline()
            yield Store(port=int(said), certificates=certificates)
        finally:
            process.terminate()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1
    server: "_Server"

    def do_GET(self) -> None:
        self._answer(200, {"gets": self.server.gets, "puts": len(self.server.put)})

    def do_POST(self) -> None:
        request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if self.headers["X-Amz-Target"].endswith(".GetItem"):
            self.server.gets += 1
            wire = self.server.rows.get(request["Key"][names.PK]["S"], self.server.link)
            self._answer(200, {"Item": wire})
        elif (key := request["Item"][names.SK]["S"]) in self.server.put:
            kind = "com.amazonaws.dynamodb.v20120810#ConditionalCheckFailedException"
            self._answer(400, {"__type": kind, "message": "The conditional request failed"})
        else:
            self.server.put.add(key)
            self._answer(200, {})

    def _answer(self, status: int, value: dict[str, Any]) -> None:
        body = json.dumps(value, separators=(",", ":"), default=_base64).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/x-amz-json-1.0")
        self.send_header("Content-Length", str(len(body)))
        self.send_header("x-amzn-RequestId", "B1K7GQ3Q6C0V9C0M5T2C5R7Q3RVV4KQNSO5AEMVJF66Q9ASUAAJG")
        self.send_header("x-amz-crc32", str(zlib.crc32(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002, ANN401 - the base's names
        """Say nothing."""


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, certificate: str, key: str) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate, key)
        self.socket = context.wrap_socket(self.socket, server_side=True)
        self.gets = 0
        self.put: set[str] = set()
        self.rows = {keys.click_keyring()[0]: to_wire(keyring_row(_RING))}
        self.link = to_wire(link_row(_LINK))


def _base64(value: bytes) -> str:
    return base64.b64encode(value).decode()


if __name__ == "__main__":
    server = _Server(*sys.argv[1:])
    sys.stdout.write(f"{server.server_port}\n")
    sys.stdout.flush()
    server.serve_forever()

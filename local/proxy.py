"""A reverse proxy that gives the deployed API a plain ``http://127.0.0.1:PORT`` address.

Can go when the emulator lets an API answer without its own host name. It passes what it gets byte
by byte: target, header values, repeated headers, body, status and answer.
"""

import contextlib
import http.client
import socket
import socketserver
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from io import BufferedIOBase
from typing import Final

from local.emulator import HOST

# The gateway's own limits, so that what passes here passes there.
HEAD_LIMIT_BYTES: Final = 10_240
BODY_LIMIT_BYTES: Final = 10 * 1024 * 1024
CLIENT_LIMIT_S: Final = 30.0
UPSTREAM_LIMIT_S: Final = 35.0
CONNECTIONS: Final = 64
CHUNK_LINE_BYTES: Final = 1_024

HOP_BY_HOP: Final = frozenset(
    {
        b"connection",
        b"keep-alive",
        b"proxy-connection",
        b"te",
        b"trailer",
        b"transfer-encoding",
        b"upgrade",
        b"expect",
        b"content-length",
        b"host",
        b"x-forwarded-for",
        b"x-forwarded-proto",
        b"x-forwarded-port",
    }
)

Header = tuple[bytes, bytes]


class RefusedError(Exception):
    """A request that the gateway itself would refuse."""

    def __init__(self, status: int) -> None:
        """Keep the status that the client gets."""
        super().__init__(status)
        self.status = status


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One request as it came over the wire."""

    method: bytes
    target: bytes
    headers: tuple[Header, ...]
    body: bytes

    def header(self, name: bytes) -> bytes:
        """Return the first value of a header, or nothing."""
        return next((value for key, value in self.headers if key.lower() == name), b"")


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """One answer, ready to be written."""

    status: int
    headers: tuple[Header, ...] = ()
    body: bytes = b""


Page = Callable[[Request], Answer]


@dataclass(slots=True, kw_only=True)
class Proxy:
    """A running proxy. ``api_id`` may be set later: until then the API answers 503."""

    port: int
    emulator_port: int
    api_id: str = ""
    pages: Page | None = None
    page_prefix: bytes = b"/_demo/"
    _server: "ThreadedServer | None" = field(default=None, init=False)

    @property
    def url(self) -> str:
        """The public base address, no trailing slash."""
        return f"http://{HOST}:{self.port}"

    def start(self) -> None:
        """Listen on the loopback interface.

        Raises:
            OSError: the port is taken.
        """
        self._server = ThreadedServer((HOST, self.port), Connection)
        self._server.proxy = self
        threading.Thread(target=self._server.serve_forever, name="proxy", daemon=True).start()

    def stop(self) -> None:
        """Stop listening."""
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()
            self._server = None

    def answer(self, request: Request, peer: str) -> Answer:
        """Return the answer of our own demo pages, or of the deployed API."""
        if self.pages is not None and request.target.startswith(self.page_prefix):
            return self.pages(request)
        if not self.api_id:
            return Answer(status=http.HTTPStatus.SERVICE_UNAVAILABLE)
        return forward(request, peer=peer, port=self.emulator_port, api_id=self.api_id)


class ThreadedServer(socketserver.ThreadingTCPServer):
    """A thread per connection, at most ``CONNECTIONS`` at a time."""

    allow_reuse_address = True
    daemon_threads = True
    block_on_close = False
    request_queue_size = CONNECTIONS
    proxy: Proxy

    def __init__(self, address: tuple[str, int], handler: type["Connection"]) -> None:
        """Bind; ``proxy`` is set by the owner."""
        super().__init__(address, handler)
        self.slots = threading.BoundedSemaphore(CONNECTIONS)


class Connection(socketserver.StreamRequestHandler):
    """Answers one request and closes, which keeps the reading of bodies simple."""

    timeout = CLIENT_LIMIT_S
    server: ThreadedServer

    def handle(self) -> None:
        """Read, answer, close; a client that breaks off is none of our business."""
        with self.server.slots, contextlib.suppress(OSError):
            method = b""
            try:
                request = read_request(self.rfile, self.wfile)
                method = request.method
                answer = self.server.proxy.answer(request, self.client_address[0])
            except RefusedError as refusal:
                answer = Answer(status=refusal.status)
            self.wfile.write(encode(answer, with_body=method != b"HEAD"))


def read_request(stream: BufferedIOBase, back: BufferedIOBase) -> Request:
    """Return the request on a connection.

    Raises:
        RefusedError: malformed, or larger than the gateway takes.
    """
    left = HEAD_LIMIT_BYTES
    lines: list[bytes] = []
    while True:
        line = stream.readline(left + 1)
        left -= len(line)
        if left < 0:
            raise RefusedError(http.HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE)
        if not line.endswith(b"\n"):
            raise RefusedError(http.HTTPStatus.BAD_REQUEST)
        if line in {b"\r\n", b"\n"}:
            break
        lines.append(line.rstrip(b"\r\n"))
    parts = lines[0].split(b" ") if lines else []
    if len(parts) != 3 or not parts[1].startswith(b"/") or not parts[2].startswith(b"HTTP/1."):  # noqa: PLR2004 - method, target, version
        raise RefusedError(http.HTTPStatus.BAD_REQUEST)
    headers = tuple(split_header(line) for line in lines[1:])
    head = Request(method=parts[0], target=parts[1], headers=headers, body=b"")
    return Request(
        method=parts[0], target=parts[1], headers=headers, body=read_body(head, stream, back)
    )


def split_header(line: bytes) -> Header:
    """Return name and value of a header line.

    Raises:
        RefusedError: it has no name.
    """
    name, colon, value = line.partition(b":")
    if not colon or not name or name != name.strip():
        raise RefusedError(http.HTTPStatus.BAD_REQUEST)
    return name, value.strip(b" \t")


def read_body(head: Request, stream: BufferedIOBase, back: BufferedIOBase) -> bytes:
    """Return the whole body, chunked or with a length.

    Raises:
        RefusedError: malformed or too large.
    """
    if head.header(b"expect").lower() == b"100-continue":
        back.write(b"HTTP/1.1 100 Continue\r\n\r\n")
    if head.header(b"transfer-encoding"):
        return read_chunks(stream)
    text = head.header(b"content-length") or b"0"
    if not text.isdigit():
        raise RefusedError(http.HTTPStatus.BAD_REQUEST)
    return read_exactly(stream, int(text), 0)


def read_chunks(stream: BufferedIOBase) -> bytes:
    """Return a chunked body.

    Raises:
        RefusedError: malformed or too large.
    """
    body = b""
    while True:
        try:
            size = int(stream.readline(CHUNK_LINE_BYTES).split(b";")[0].strip(), 16)
        except ValueError:
            raise RefusedError(http.HTTPStatus.BAD_REQUEST) from None
        if size < 0:
            raise RefusedError(http.HTTPStatus.BAD_REQUEST)
        body += read_exactly(stream, size, len(body))
        stream.readline(CHUNK_LINE_BYTES)
        if size == 0:
            return body


def read_exactly(stream: BufferedIOBase, size: int, before: int) -> bytes:
    """Return the next ``size`` bytes.

    Raises:
        RefusedError: more than the limit together with those before, or fewer are there.
    """
    if before + size > BODY_LIMIT_BYTES:
        raise RefusedError(http.HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
    data = stream.read(size)
    if len(data) != size:
        raise RefusedError(http.HTTPStatus.BAD_REQUEST)
    return data


def forward(request: Request, *, peer: str, port: int, api_id: str) -> Answer:
    """Return what the deployed API answers; a gateway's 502 if it can't be reached."""
    own = (
        (b"Host", f"{api_id}.execute-api.localhost:{port}".encode()),
        (b"Connection", b"close"),
        (b"X-Forwarded-For", peer.encode()),
        (b"X-Forwarded-Proto", b"http"),
    )
    length = ((b"Content-Length", str(len(request.body)).encode()),) if request.body else ()
    passed = tuple(item for item in request.headers if item[0].lower() not in HOP_BY_HOP)
    head = b"\r\n".join(
        [
            b" ".join((request.method, request.target, b"HTTP/1.1")),
            *(name + b": " + value for name, value in (*own, *passed, *length)),
        ]
    )
    try:
        with socket.create_connection((HOST, port), timeout=UPSTREAM_LIMIT_S) as upstream:
            upstream.sendall(head + b"\r\n\r\n" + request.body)
            response = http.client.HTTPResponse(upstream, method=request.method.decode("latin-1"))
            response.begin()
            body = response.read()
    except (OSError, http.client.HTTPException):
        return Answer(status=http.HTTPStatus.BAD_GATEWAY)
    headers = tuple(
        (name.encode("latin-1"), value.encode("latin-1"))
        for name, value in response.getheaders()
        if name.lower().encode("latin-1") not in HOP_BY_HOP - {b"content-length"}
    )
    return Answer(status=response.status, headers=headers, body=body)


def encode(answer: Answer, *, with_body: bool) -> bytes:
    """Return an answer as bytes; the answer to HEAD keeps its length and loses its body."""
    reason = http.client.responses.get(answer.status, "Unknown")
    kept = [item for item in answer.headers if item[0].lower() != b"connection"]
    if not any(name.lower() == b"content-length" for name, _ in kept):
        kept.append((b"Content-Length", str(len(answer.body)).encode()))
    lines = [
        f"HTTP/1.1 {answer.status} {reason}".encode(),
        *(name + b": " + value for name, value in kept),
        b"Connection: close",
        b"",
        answer.body if with_body else b"",
    ]
    return b"\r\n".join(lines[:-1]) + b"\r\n" + lines[-1]

"""One kept HTTP/1.1 connection: as much of the protocol as the lean client needs.

``http.client`` reads a header as if it were an e-mail's: 29 million instructions and 18 modules
more at the start, and work at every answer. Here an answer has a length, or it is broken.
"""

import socket
import time
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    import ssl

MAX_BODY: Final = 1_000_000
"""Twice the largest item."""
_MAX_HEAD: Final = 16_384
_READ: Final = 65_536
_HEAD_END: Final = b"\r\n\r\n"


class BrokenAnswerError(OSError):
    """What came is no answer that we read: cut off, too long, or without a length."""


class Connection:
    """Sends requests one after the other, so not for threads. It connects when it has to."""

    def __init__(self, hostname: str, port: int, *, context: "ssl.SSLContext | None") -> None:
        """Connect nothing yet. Without a context what is sent is readable on the way.

        Raises:
            ValueError: the host's name is not written in ASCII.
        """
        # As bytes, or each side of a connection would load the tables for names in Unicode.
        self._hostname = hostname.encode("ascii")
        self._port = port
        self._context = context
        self._socket: socket.socket | None = None
        self._until: float = 0

    def exchange(self, request: bytes, *, seconds: float) -> tuple[int, bytes]:
        """Return status and body of the answer, within ``seconds`` in all.

        A kept connection that the service closed in a pause, as it does while the environment is
        frozen, is no failure: the request is sent again at once over a new one.

        Raises:
            OSError: no connection, no answer in time, or a broken one.
        """
        self._until = time.monotonic() + seconds
        was_kept = self._socket is not None
        try:
            return self._round_trip(request)
        except OSError as error:
            if not was_kept or isinstance(error, TimeoutError):
                raise
        return self._round_trip(request)

    def close(self) -> None:
        """Hang up; the next request connects anew."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def _round_trip(self, request: bytes) -> tuple[int, bytes]:
        try:
            if self._socket is None:
                self._socket = self._connected()
            self._socket.settimeout(self._left())
            self._socket.sendall(request)
            return self._answer(self._socket)
        except BaseException:
            # What is left of the answer must not be taken for that of the next request.
            self.close()
            raise

    def _connected(self) -> socket.socket:
        address = self._hostname, self._port
        plain = socket.create_connection(address, timeout=self._left())  # type: ignore[arg-type] # bytes do
        plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if self._context is None:
            return plain
        try:
            plain.settimeout(self._left())
            return self._context.wrap_socket(plain, server_hostname=self._hostname)
        except BaseException:
            plain.close()
            raise

    def _answer(self, connected: socket.socket) -> tuple[int, bytes]:
        data = b""
        while (end := data.find(_HEAD_END)) < 0:
            if len(data) > _MAX_HEAD:
                raise BrokenAnswerError("a header without an end")
            data += self._read(connected)
        # "HTTP/1.1 200 OK" and the lines of the header
        head = data[:end].lower()
        body = data[end + len(_HEAD_END) :]
        try:
            status = int(head[9:12])
            length = int(_field(head, b"content-length"))
        except ValueError as error:
            raise BrokenAnswerError("no status, or no length") from error
        if not 0 <= length <= MAX_BODY:
            raise BrokenAnswerError("too long")
        while len(body) < length:
            body += self._read(connected)
        if len(body) > length:
            raise BrokenAnswerError("more than was announced")
        if not head.startswith(b"http/1.1 ") or _field(head, b"connection") == b"close":
            self.close()
        return status, body

    def _read(self, connected: socket.socket) -> bytes:
        connected.settimeout(self._left())
        data = connected.recv(_READ)
        if not data:
            raise BrokenAnswerError("cut off")
        return data

    def _left(self) -> float:
        left = self._until - time.monotonic()
        if left <= 0:
            raise TimeoutError
        return left


def _field(head: bytes, name: bytes) -> bytes:
    return head.partition(b"\r\n" + name + b":")[2].partition(b"\r\n")[0].strip()

"""A server on loopback that answers, stalls and breaks off as its script says."""

from __future__ import annotations

import datetime as dt
import http.client
import json
import socket
import ssl
import threading
from contextlib import suppress
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path

Script = list[Any]

CLOSE = "closes without an answer"
STALL = "never answers"
CUT = "closes in the middle of an answer"


def answer(body: object, status: int = 200, *, then_close: bool = False) -> tuple[int, str, bool]:
    text = body if isinstance(body, str) else json.dumps(body)
    return status, text, then_close


def refusal(code: str, status: int = 400) -> tuple[int, str, bool]:
    return answer({"__type": f"com.amazonaws.dynamodb.v20120810#{code}"}, status)


class Server:
    """Answers the requests that reach it with its script, one entry each."""

    def __init__(self, script: Script) -> None:
        self.script = script
        self.requests: list[tuple[int, dict[str, str], bytes]] = []
        self.connections = 0
        self._stopped = threading.Event()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self._thread = threading.Thread(target=self._accept, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        self._stopped.set()
        # Wakes `accept`, which closing alone doesn't.
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join(5)

    def _accept(self) -> None:
        while not self._stopped.is_set():
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            self.connections += 1
            with connection, suppress(ConnectionError):
                self._serve(connection)

    def _serve(self, connection: socket.socket) -> None:
        reader = connection.makefile("rb")
        while self.script and reader.readline():
            headers = {
                name.lower(): value for name, value in http.client.parse_headers(reader).items()
            }
            body = reader.read(int(headers["content-length"]))
            self.requests.append((self.connections, headers, body))
            step = self.script.pop(0)
            if step == STALL:
                self._stopped.wait(5)
                return
            if step == CLOSE:
                return
            if step == CUT:
                connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{")
                return
            status, text, then_close = step
            head = f"HTTP/1.1 {status} x\r\nContent-Length: {len(text.encode())}\r\n\r\n"
            connection.sendall((head + text).encode())
            if then_close:
                return


class SecureServer(Server):
    """The same behind TLS."""

    def __init__(self, script: Script, context: ssl.SSLContext) -> None:
        self._context = context
        super().__init__(script)

    def _serve(self, connection: socket.socket) -> None:
        with suppress(ssl.SSLError), self._context.wrap_socket(connection, True) as secure:  # noqa: FBT003 - positional in the standard library too
            super()._serve(secure)


def a_certificate(folder: Path) -> tuple[Path, Path]:
    from ipaddress import ip_address  # noqa: PLC0415 - only this test makes certificates

    from cryptography import x509  # noqa: PLC0415
    from cryptography.hazmat.primitives import hashes, serialization  # noqa: PLC0415
    from cryptography.hazmat.primitives.asymmetric import ec  # noqa: PLC0415

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "test")])
    now = dt.datetime.now(dt.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False
        )
        .sign(key, hashes.SHA256())
    )
    (folder / "c.pem").write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    (folder / "k.pem").write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    return folder / "c.pem", folder / "k.pem"

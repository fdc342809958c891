"""A small HTTP client for the local API: plain requests, and the management API on top."""

import http.client
import json
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import urlencode, urlsplit

TIMEOUT_S: Final = 30.0
PAGE_LIMIT: Final = 100
MAX_PAGES: Final = 20


class ApiError(Exception):
    """The API answered something else than expected."""

    def __init__(self, method: str, path: str, reply: "Reply") -> None:
        """Keep the answer; the message carries its stable code only."""
        super().__init__(f"{method} {path} answered {reply.status} {reply.code}")
        self.reply = reply


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """One answer. Header names are lower case; repeated ones are joined by a comma."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    def json(self) -> Any:  # noqa: ANN401 - whatever the server sent
        """Return the body read as JSON.

        Raises:
            ValueError: it is none.
        """
        return json.loads(self.body)

    @property
    def code(self) -> str:
        """The stable code of a problem, or nothing."""
        try:
            value = self.json()
        except ValueError:
            return ""
        return str(value.get("code", "")) if isinstance(value, dict) else ""


def send(
    method: str, url: str, *, body: bytes = b"", headers: Mapping[str, str] | None = None
) -> Reply:
    """Return the answer of one request; redirects are not followed.

    Raises:
        OSError: the connection failed.
    """
    parts = urlsplit(url)
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    connection = http.client.HTTPConnection(parts.netloc, timeout=TIMEOUT_S)
    try:
        connection.putrequest(method, target, skip_accept_encoding=True)
        for name, value in (headers or {}).items():
            connection.putheader(name, value)
        if body or method in {"POST", "PUT", "PATCH"}:
            connection.putheader("Content-Length", str(len(body)))
        connection.endheaders(body)
        response = connection.getresponse()
        data = response.read()
    finally:
        connection.close()
    joined: dict[str, str] = {}
    for name, value in response.getheaders():
        key = name.lower()
        joined[key] = f"{joined[key]}, {value}" if key in joined else value
    return Reply(status=response.status, headers=joined, body=data)


@dataclass(frozen=True, slots=True, kw_only=True)
class Management:
    """The management API with one key. The key never shows in a representation."""

    base_url: str
    key: str = field(repr=False)

    def request(
        self, method: str, path: str, payload: object = None, *, content_type: str = ""
    ) -> Reply:
        """Return the answer of one call below ``/v1/manage``, whatever it is.

        ``payload`` is JSON, or bytes as they are.
        """
        headers = {"Authorization": f"Bearer {self.key}", "Accept": "application/json"}
        body = b""
        if payload is not None:
            body = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
            headers["Content-Type"] = content_type or "application/json"
        if method == "POST":
            headers["Idempotency-Key"] = str(uuid.uuid4())
        return send(method, f"{self.base_url}/v1/manage{path}", body=body, headers=headers)

    def get(self, path: str, **query: str) -> Any:  # noqa: ANN401 - the resource
        """Return a resource.

        Raises:
            ApiError: not a 200.
        """
        full = f"{path}?{urlencode(query)}" if query else path
        reply = self.request("GET", full)
        if reply.status != http.HTTPStatus.OK:
            raise ApiError("GET", path, reply)
        return reply.json()

    def post(self, path: str, payload: object, *, content_type: str = "") -> dict[str, Any]:
        """Create something and return it.

        Raises:
            ApiError: not a 2xx.
        """
        reply = self.request("POST", path, payload, content_type=content_type)
        if reply.status not in {http.HTTPStatus.OK, http.HTTPStatus.CREATED}:
            raise ApiError("POST", path, reply)
        value = reply.json() if reply.body else {}
        return value if isinstance(value, dict) else {}

    def items(self, path: str, **query: str) -> list[dict[str, Any]]:
        """Return all items of a list, page by page.

        Raises:
            ApiError: not a 200.
        """
        found: list[dict[str, Any]] = []
        asked = {**query, "limit": str(PAGE_LIMIT)}
        for _ in range(MAX_PAGES):
            page = self.get(path, **asked)
            found += page["items"]
            if not page.get("next_cursor"):
                break
            asked["cursor"] = page["next_cursor"]
        return found

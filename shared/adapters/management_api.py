"""The management API as its callers see it: one request at a time, with the standard library."""

import http.client
import json
import time
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any, Final
from urllib.parse import urlencode, urlsplit

TIMEOUT_S: Final = 30
PAGE_LIMIT: Final = 100
MAX_ITEMS: Final = 2_000
LONGEST_PAUSE_S: Final = 20
_LATER: Final = frozenset({429, 500, 502, 503, 504})
_DONE: Final = frozenset({HTTPStatus.OK, HTTPStatus.CREATED, HTTPStatus.ACCEPTED})
_STILL_RUNNING: Final = "request_in_progress"


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
    def fields(self) -> Mapping[str, Any]:
        """The fields of a resource or of a problem; none if the body is no object."""
        try:
            value = self.json()
        except ValueError:
            return {}
        return value if isinstance(value, dict) else {}

    @property
    def code(self) -> str:
        """The stable code of a problem, or nothing."""
        return str(self.fields.get("code", ""))


def send(
    method: str, url: str, *, body: bytes = b"", headers: Mapping[str, str] | None = None
) -> Reply:
    """Return the answer of one request; redirects are not followed.

    Raises:
        OSError, HTTPException: the connection failed.
    """
    parts = urlsplit(url)
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    secure = parts.scheme == "https"
    connect = http.client.HTTPSConnection if secure else http.client.HTTPConnection
    connection = connect(parts.netloc, timeout=TIMEOUT_S)
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
    """The management API with one key. The key never shows in a representation.

    What fails on the way or is to come later is tried ``tries`` times in all. That is safe: every
    write carries an idempotency key, the same at each try.
    """

    base_url: str
    key: str = field(repr=False)
    tries: int = 1

    def request(
        self,
        method: str,
        path: str,
        payload: object = None,
        *,
        content_type: str = "",
        idempotency_key: str = "",
    ) -> Reply:
        """Return the answer of one call below ``/v1/manage``, whatever it is.

        ``payload`` is JSON, or bytes as they are.

        Raises:
            OSError, HTTPException: the connection failed, at every try.
        """
        headers = {"Authorization": f"Bearer {self.key}", "Accept": "application/json"}
        body = b""
        if payload is not None:
            body = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
            headers["Content-Type"] = content_type or "application/json"
        if method != "GET":
            headers["Idempotency-Key"] = idempotency_key or str(uuid.uuid4())
        url = f"{self.base_url}/v1/manage{path}"
        for attempt in range(1, self.tries):
            pause = min(2 ** (attempt - 1), LONGEST_PAUSE_S)
            try:
                reply = send(method, url, body=body, headers=headers)
            except (OSError, http.client.HTTPException):
                time.sleep(pause)
                continue
            if reply.status not in _LATER and reply.code != _STILL_RUNNING:
                return reply
            time.sleep(max(pause, _retry_after(reply)))
        return send(method, url, body=body, headers=headers)

    def get(self, path: str, **query: str) -> dict[str, Any]:
        """Return a resource.

        Raises:
            ApiError: not a 200, or no object.
        """
        full = f"{path}?{urlencode(query)}" if query else path
        reply = self.request("GET", full)
        if reply.status != HTTPStatus.OK or not reply.fields:
            raise ApiError("GET", path, reply)
        return dict(reply.fields)

    def post(self, path: str, payload: object, *, content_type: str = "") -> dict[str, Any]:
        """Create something and return it.

        Raises:
            ApiError: not a 2xx.
        """
        return self._write("POST", path, payload, content_type=content_type)

    def patch(self, path: str, payload: object) -> dict[str, Any]:
        """Change something and return it.

        Raises:
            ApiError: not a 2xx.
        """
        return self._write("PATCH", path, payload)

    def delete(self, path: str) -> dict[str, Any]:
        """Remove something and return what is left of it.

        Raises:
            ApiError: not a 2xx.
        """
        return self._write("DELETE", path, None)

    def items(self, path: str, *, most: int = MAX_ITEMS, **query: str) -> list[dict[str, Any]]:
        """Return the first items of a list, page by page.

        Raises:
            ApiError: not a 200.
        """
        found: list[dict[str, Any]] = []
        asked = {**query, "limit": str(PAGE_LIMIT)}
        while len(found) < most:
            page = self.get(path, **asked)
            found += page["items"]
            if not page.get("next_cursor"):
                break
            asked["cursor"] = page["next_cursor"]
        return found[:most]

    def each_page(self, path: str, **query: str) -> Iterator[list[dict[str, Any]]]:
        """Have something done to a list page by page, and yield the items of each.

        Raises:
            ApiError: not a 2xx.
        """
        asked = {**query, "limit": str(PAGE_LIMIT)}
        while True:
            page = self.post(f"{path}?{urlencode(asked)}", None)
            yield page["items"]
            if not page["next_cursor"]:
                return
            asked["cursor"] = page["next_cursor"]

    def _write(
        self, method: str, path: str, payload: object, *, content_type: str = ""
    ) -> dict[str, Any]:
        reply = self.request(method, path, payload, content_type=content_type)
        if reply.status not in _DONE:
            raise ApiError(method, path, reply)
        return dict(reply.fields)


def _retry_after(reply: Reply) -> int:
    text = reply.headers.get("retry-after", "")
    return min(int(text[:9]), LONGEST_PAUSE_S) if text.isascii() and text.isdigit() else 0

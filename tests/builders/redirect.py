"""The redirect with a store in memory, and events as the HTTP API sends them."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

from shared.domain.click_tokens import Keyring, SigningKey
from shared.domain.errors import UnavailableError
from shared.domain.links import Link

if TYPE_CHECKING:
    from shared.adapters.dynamodb.codec import Item
    from shared.adapters.dynamodb.keys import Key

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
RING = Keyring(keys=(SigningKey(key_id="k1", secret=b"s" * 32, created_at=NOW),))
MODULE = "functions.track_click.handler"
FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:145.0) Gecko/20100101 Firefox/145.0"
REDIRECT_HEADERS = {
    "cache-control": "private, no-store",
    "referrer-policy": "strict-origin-when-cross-origin",
    "x-robots-tag": "noindex",
}


class FakeClient:
    """Stands in for the lean client; counts round trips and can be switched off."""

    def __init__(self) -> None:
        self.rows: dict[tuple[str, Key], Item] = {}
        self.clicks: list[Item] = []
        self.calls: list[str] = []
        self.broken: set[str] = set()

    def get(self, table: str, key: Key) -> Item | None:
        self._call("get", key[0])
        return self.rows.get((table, key))

    def put_new(self, table: str, item: Item) -> None:
        self._call("put", table)
        self.clicks.append(item)

    def _call(self, verb: str, what: str) -> None:
        self.calls.append(f"{verb} {what}")
        if verb in self.broken:
            raise UnavailableError("ThrottlingException")


class Redirect:
    """A freshly started function. ``now`` moves only by hand."""

    def __init__(self, client: FakeClient, module: Any) -> None:  # noqa: ANN401 - the module itself
        self.client = client
        self.now = NOW
        self._handler = module.handler
        module.utc_now = lambda: self.now

    def __call__(
        self,
        path: str = "/spring",
        query: str = "",
        **changes: Any,  # noqa: ANN401 - any parameter of the event
    ) -> dict[str, Any]:
        event = an_event(path, query, **changes)
        answer: dict[str, Any] = self._handler(event, None)
        return answer


def an_event(
    path: str,
    query: str = "",
    *,
    method: str = "GET",
    agent: str = FIREFOX,
    headers: dict[str, str] | None = None,
) -> dict[str, Any]:
    segments = path.split("/")[1:]
    is_link = len(segments) == 1 and method in {"GET", "HEAD"}
    event: dict[str, Any] = {
        "version": "2.0",
        "routeKey": f"{method} /{{code}}" if is_link else "$default",
        "rawPath": path,
        "rawQueryString": query,
        "headers": {
            "host": "go.example",
            "user-agent": agent,
            "x-forwarded-for": "198.51.100.7",
            **(headers or {}),
        },
        "requestContext": {
            "accountId": "123456789012",
            "apiId": "api",
            "domainName": "go.example",
            "http": {
                "method": method,
                "path": path,
                "protocol": "HTTP/1.1",
                "sourceIp": "198.51.100.7",
                "userAgent": agent,
            },
            "requestId": "req-1",
            "routeKey": "$default",
            "stage": "$default",
            "time": "02/Jan/2026:03:04:05 +0000",
            "timeEpoch": 1_767_323_045_000,
        },
        "isBase64Encoded": False,
    }
    if is_link:
        event["pathParameters"] = {"code": segments[0]}
    return event


def a_link(**changes: Any) -> Link:  # noqa: ANN401 - any of its fields
    values: dict[str, Any] = {
        "code": "spring",
        "program_id": "prg_1",
        "partner_id": "ptr_1",
        "destination": "https://shop.example/offer?plan=pro#top",
        "utm": {"utm_source": "partner"},
        "created_at": NOW,
    }
    return Link(**values | changes)


def location_of(answer: dict[str, Any]) -> str:
    assert 302 == answer["statusCode"]
    location: str = answer["headers"]["location"]
    return location


def token_of(answer: dict[str, Any]) -> str:
    return parse_qs(urlsplit(location_of(answer)).query)["click_id"][0]

"""GET|HEAD /{code}: 302 to the stored destination, the click recorded before the answer.

Also everything that no other function has a route for. A small machine of its own: no SDK, no
framework, no log line when all is well.
"""

import json
import os
import sys
from datetime import datetime, timedelta
from typing import Any, Final

from functions.track_click import answers
from functions.track_click.cache import Cache
from shared import names
from shared.adapters.dynamodb import lean, lean_keys
from shared.adapters.dynamodb.keyring_rows import keyring_from
from shared.adapters.dynamodb.link_rows import click_row, link_from
from shared.domain.click_tokens import Keyring
from shared.domain.clicks import Click, Visit
from shared.domain.errors import NotFoundError, UnavailableError
from shared.domain.links import Link
from shared.runtime.clock import utc_now
from shared.runtime.config import optional, required
from shared.runtime.ids import new_id
from shared.usecases.record_click import ClickStore, record_click

_CORE: Final = required(names.ENV_CORE_TABLE)
_CLICKS: Final = required(names.ENV_CLICKS_TABLE)
_FALLBACK_URL: Final = optional(names.ENV_FALLBACK_URL)
_READING: Final = frozenset({"GET", "HEAD"})
_THE_RING: Final = "click"

_client = lean.client_from_environment(os.environ)


def _load_link(code: str) -> Link | None:
    row = _client.get(_CORE, lean_keys.link(code))
    return None if row is None else link_from(row)


def _load_keyring(_name: str) -> Keyring | None:
    row = _client.get(_CORE, lean_keys.click_keyring())
    try:
        return None if row is None else keyring_from(row)
    except (KeyError, TypeError, ValueError) as error:
        # Visitors go on without a token while somebody mends the row.
        raise UnavailableError("bad_keyring") from error


# Clicks of one lane, the end of their ids, come in one shard of the stream, so they are counted
# together for few writes. This environment's own lane takes one click in 32 ms; what comes faster
# lies anywhere, so that a viral link has no hot key.
_LANE: Final = lean_keys.click(new_id(""))[0]
_TAKEN: Final[list[str]] = []


def _click_id(prefix: str) -> str:
    # An id is its time in ms, then 16 random symbols of 5 bits. One symbol more is 32 ms.
    found = new_id(prefix)
    if found[:-17] in _TAKEN:
        return found
    _TAKEN[:] = [found[:-17]]
    return found[: -len(_LANE)] + _LANE


def _save_click(click: Click) -> None:
    _client.put_new(_CLICKS, click_row(click))


_LINKS: Final = Cache(
    _load_link,
    fresh=timedelta(seconds=45),
    absent=timedelta(seconds=45),
    stale=timedelta(hours=1),
)
# The first programme makes the keys, so their absence is asked about again at every click.
_KEYRINGS: Final = Cache(
    _load_keyring,
    fresh=timedelta(minutes=5),
    absent=timedelta(0),
    stale=timedelta(days=1),
)


def _prime(now: datetime) -> None:
    # The connection is made and the keys are read before the first visitor waits for them. An
    # environment that starts while the store is down must still start.
    try:
        _KEYRINGS.get(_THE_RING, now)
    except UnavailableError as error:
        _log("priming_failed", error, request_id="")


def _log(event: str, error: Exception, *, request_id: str) -> None:
    # An UnavailableError's text is the store's error code; nothing of the visitor is in it.
    reason = str(error) or type(error).__name__
    line = {"level": "ERROR", "event": event, "reason": reason, "request_id": request_id}
    sys.stdout.write(json.dumps(line, separators=(",", ":")) + "\n")


_prime(utc_now())


def handler(event: dict[str, Any], _context: object) -> answers.Answer:
    """Answer one request of the HTTP API."""
    request = event["requestContext"]
    method = request["http"]["method"]
    path = event.get("rawPath", "")
    request_id = request.get("requestId", "")
    if path == "/healthz" and method in _READING:
        return answers.healthy()
    if path.startswith("/v1/"):
        return answers.problem(404, NotFoundError.code, "Not found", request_id)
    if method not in _READING:
        return answers.not_found()
    now = utc_now()
    visit = Visit(
        # Without a route of their own, other paths reach us as well; they are no codes.
        code=(event.get("pathParameters") or {}).get("code") or path.removeprefix("/"),
        query=event.get("rawQueryString", ""),
        method=method,
        headers=event.get("headers") or {},
        address=request["http"].get("sourceIp", ""),
    )
    store = ClickStore(
        find_link=lambda code: _LINKS.get(code, now),
        recall_link=_LINKS.recall,
        find_keyring=lambda: _KEYRINGS.get(_THE_RING, now),
        save_click=_save_click,
    )
    try:
        result = record_click(visit, store, now=now, new_id=_click_id)
    except NotFoundError:
        return answers.redirect(_FALLBACK_URL) if _FALLBACK_URL else answers.not_found()
    except UnavailableError as error:
        _log("link_unavailable", error, request_id=request_id)
        return answers.unavailable(request_id)
    for failure in result.failures:
        _log("click_incomplete", failure, request_id=request_id)
    return answers.redirect(result.location)

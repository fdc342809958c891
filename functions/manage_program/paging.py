"""Pages of lists: a limit, and a cursor that only we can make."""

import base64
import hmac
import re
from collections.abc import Callable
from typing import Any, Final

from functions.manage_program.calls import Answer, Call
from shared.adapters.dynamodb.codec import Item
from shared.adapters.dynamodb.lists import Page
from shared.domain.errors import invalid
from shared.domain.keyed import derive

DEFAULT_LIMIT: Final = 20
MAX_LIMIT: Final = 100
_MAC: Final = 16
_LIMIT: Final = re.compile(r"[1-9][0-9]{0,2}")
_CURSOR: Final = re.compile(r"[A-Za-z0-9_-]{23,1000}")

PAGING: Final = ("limit", "cursor")


def limit_of(query: dict[str, str]) -> int:
    """Return how many items are asked for.

    Raises:
        InvalidFieldsError: not from 1 to 100.
    """
    text = query.get("limit", str(DEFAULT_LIMIT))
    if not _LIMIT.fullmatch(text) or int(text) > MAX_LIMIT:
        raise invalid("limit", "not_allowed", f"must be from 1 to {MAX_LIMIT}")
    return int(text)


def after_of(call: Call, query: dict[str, str]) -> str:
    """Return where the page begins, from the cursor of the page before; empty at the top.

    Raises:
        InvalidFieldsError: when the cursor is not ours, or of another list.
    """
    text = query.get("cursor")
    if text is None:
        return ""
    if _CURSOR.fullmatch(text):
        # Decoding ignores nothing here: the alphabet is checked, so only the length can be wrong.
        raw = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)) if len(text) % 4 != 1 else b""
        mac, place = raw[:_MAC], raw[_MAC:]
        if hmac.compare_digest(mac, _mac(call, query, place)):
            return place.decode()
    raise invalid("cursor", "bad_cursor", "must be the next_cursor of the same list")


def answer(
    call: Call, query: dict[str, str], page: Page, view: Callable[[Item], Any | None]
) -> Answer:
    """Answer a page; rows whose view is None are left out."""
    views = (view(row) for row in page.rows)
    return listed(call, query, [item for item in views if item is not None], page.after)


def listed(call: Call, query: dict[str, str], items: list[Any], after: str = "") -> Answer:
    """Answer items, with a cursor if the list goes on after the place ``after``."""
    cursor = None
    if after:
        place = after.encode()
        raw = _mac(call, query, place) + place
        cursor = base64.urlsafe_b64encode(raw).decode().rstrip("=")
    return Answer(status=200, body={"items": items, "next_cursor": cursor})


def _mac(call: Call, query: dict[str, str], place: bytes) -> bytes:
    # Bound to the list and its filters: the cursor of one list opens no other.
    filters = sorted((name, value) for name, value in query.items() if name not in PAGING)
    scope = f"{call.event.get('rawPath')}?{filters}".encode()
    key = derive(call.services.server_secret(), "cursor")
    return hmac.digest(key, scope + b"\0" + place, "sha256")[:_MAC]

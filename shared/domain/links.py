"""Short links, their codes, and the address that a visitor is sent to.

The address is put together from raw strings: what comes before the ``?`` of the stored
destination is never touched, so no query can change scheme, user, host, port or path, and what
is not ours keeps its order, its duplicates and its encoding.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final
from urllib.parse import quote, unquote_plus

from shared.domain.errors import invalid

QUERY_WINS: Final = "query_wins"
LINK_WINS: Final = "link_wins"
NO_FORWARD: Final = "no_forward"
PRECEDENCES: Final = (QUERY_WINS, LINK_WINS, NO_FORWARD)

GPC: Final = "gpc"
GPC_AND_DNT: Final = "gpc_and_dnt"
NO_SIGNALS: Final = "none"
PRIVACY_SIGNALS: Final = (GPC, GPC_AND_DNT, NO_SIGNALS)
"""Which wishes for privacy that browsers send along a programme honours."""

CLICK_PARAM: Final = "click_id"
VIA_PARAM: Final = "via"
UTM_PREFIX: Final = "utm_"

RESERVED_CODES: Final = frozenset(
    {
        ".well-known",
        "_demo",
        "admin",
        "api",
        "assets",
        "auth",
        "console",
        "docs",
        "favicon.ico",
        "healthz",
        "login",
        "manage",
        "portal",
        "robots.txt",
        "sitemap.xml",
        "snippet.js",
        "static",
        "status",
        "v1",
        "webhooks",
    }
)
"""Paths of our own, now or later. Most can't be codes anyway; listing them keeps it so."""

MAX_LOCATION: Final = 4_096
MAX_FORWARDED: Final = 50
"""An incoming query with more parameters, or that makes the address too long, is left out."""

CODE_RANDOM_BYTES: Final = 7
_CODE_SYMBOLS: Final = 10
# No i, l, o, u: nobody mistakes a letter for a digit or another letter.
_ALPHABET: Final = "0123456789abcdefghjkmnpqrstvwxyz"
_CODE: Final = re.compile(r"[a-z0-9-]{3,40}")

# What may stand in a header and is no delimiter; `%` is left alone, it belongs to the sender.
_NOT_IN_HEADER: Final = re.compile(r"[^\x21-\x7e]")
# Of a visitor's query we let through what a browser sends unescaped, but no `;`, which some
# servers read as `&`, and no backslash.
_NOT_IN_QUERY: Final = re.compile(r"[^\x21-\x7e]|[\"#'<>;\\]")


@dataclass(frozen=True, slots=True, kw_only=True)
class Link:
    """A short link of one partner in one programme.

    ``destination`` was checked against the programme's landing hosts when it was stored, and
    ``utm`` is what became of ``own_utm``, as its author wrote it, and the programme's templates.
    ``precedence`` says who wins when a parameter comes from several sides: ``query_wins``: the
    visitor's query, then the link's UTM, then the destination's own; ``link_wins``: the link's
    UTM, then the destination's own, and a query only adds; ``no_forward``: as ``link_wins``, and
    the query is left out.

    ``click_cap`` (0: none) is how many clicks of people since ``cap_from`` it takes;
    ``cap_reached`` follows some moments after the last of them. A retired link is disabled for
    good; its row stays, so that nobody ever gets its code.

    ``click_param``, ``fallback_url``, ``keeps_ad_ids`` and ``privacy_signals`` are the programme's,
    as they were when the link was saved.
    """

    code: str
    program_id: str
    partner_id: str
    destination: str
    utm: Mapping[str, str] = field(default_factory=dict)
    own_utm: Mapping[str, str] = field(default_factory=dict)
    campaign: str = ""
    asset: str = ""
    click_param: str = CLICK_PARAM
    add_via: bool = True
    precedence: str = QUERY_WINS
    expires_at: datetime | None = None
    disabled: bool = False
    click_cap: int = 0
    cap_from: datetime | None = None
    cap_reached: bool = False
    fallback_url: str = ""
    keeps_ad_ids: bool = False
    privacy_signals: str = GPC
    created_at: datetime
    retired_at: datetime | None = None
    version: int = 1

    def is_live(self, now: datetime) -> bool:
        """Tell whether visitors are sent on at ``now``."""
        if self.disabled or self.cap_reached:
            return False
        return self.expires_at is None or now < self.expires_at


@dataclass(frozen=True, slots=True, kw_only=True)
class _Param:
    """One piece of a query as it was written, and its decoded name for comparing."""

    name: str
    raw: str


def new_code(random_bytes: bytes) -> str:
    """Return a code of 10 of 32 symbols from at least 7 random bytes.

    Raises:
        ValueError: when there are too few bytes.
    """
    if len(random_bytes) < CODE_RANDOM_BYTES:
        raise ValueError(f"a code takes {CODE_RANDOM_BYTES} random bytes")
    number = int.from_bytes(random_bytes, "big")
    return "".join(_ALPHABET[(number >> (5 * place)) & 31] for place in range(_CODE_SYMBOLS))


def parse_code(text: str) -> str:
    """Return the code as it is stored, in lower case.

    Raises:
        InvalidFieldsError: ``bad_code`` or ``reserved_code``, on the field ``code``.
    """
    # Checked first, because the lower case of some other letters is in ASCII.
    code = text.lower() if text.isascii() else ""
    if code in RESERVED_CODES:
        raise invalid("code", "reserved_code", "is reserved")
    if not _CODE.fullmatch(code):
        raise invalid("code", "bad_code", "must be 3 to 40 of a-z, 0-9 and -")
    return code


def is_code(text: str) -> bool:
    """Tell whether a link can have this code."""
    return bool(_CODE.fullmatch(text)) and text not in RESERVED_CODES


def location(link: Link, query: str, token: str = "") -> str:
    """Return the address that a visitor with ``query`` (raw, no ``?``) is sent to.

    ``token`` is the click token, empty for visits that are not counted.
    """
    forwarded = [] if link.precedence == NO_FORWARD else list(_incoming(link, query))
    if len(forwarded) > MAX_FORWARDED:
        forwarded = []
    address = _compose(link, forwarded, token)
    if forwarded and len(address) > MAX_LOCATION:
        address = _compose(link, [], token)
    return address


def _compose(link: Link, forwarded: list[_Param], token: str) -> str:
    front, hash_sign, fragment = link.destination.partition("#")
    base, question_mark, own_query = front.partition("?")
    ours = [_written(VIA_PARAM, link.code)] if link.add_via else []
    if token:
        ours.insert(0, _written(link.click_param, token))
    # A stored click token would make every visitor one click; a stored `via` would hide ours.
    hidden = {link.click_param, *(param.name for param in ours)}
    own = [param for param in _params(own_query) if param.name not in hidden]
    stored = _overlay(own, [_written(name, value) for name, value in link.utm.items() if value])
    if link.precedence == QUERY_WINS:
        merged = _overlay(stored, forwarded)
    else:
        taken = {param.name for param in stored}
        merged = stored + [param for param in forwarded if param.name not in taken]
    pieces = "&".join(param.raw for param in merged + ours)
    separator = "?" if pieces or question_mark else ""
    return _escaped(_NOT_IN_HEADER, f"{base}{separator}{pieces}{hash_sign}{fragment}")


def _incoming(link: Link, query: str) -> Iterator[_Param]:
    """Yield what a visitor's query may add: anything but the names that prove an introduction."""
    control = {link.click_param.lower(), CLICK_PARAM, VIA_PARAM}
    if len(query) > MAX_LOCATION:
        return
    for param in _params(_escaped(_NOT_IN_QUERY, query)):
        if param.raw and param.name.strip().lower() not in control:
            yield param


def _params(query: str) -> Iterator[_Param]:
    for raw in query.split("&") if query else ():
        yield _Param(name=unquote_plus(raw.partition("=")[0]), raw=raw)


def _written(name: str, value: str) -> _Param:
    return _Param(name=name, raw=f"{quote(name, safe='')}={quote(value, safe='')}")


def _overlay(under: Iterable[_Param], over: Iterable[_Param]) -> list[_Param]:
    """Replace parameters of the same name where they stand, and append the others."""
    waiting: dict[str, list[_Param]] = {}
    for param in over:
        waiting.setdefault(param.name, []).append(param)
    replaced = set(waiting)
    result: list[_Param] = []
    for param in under:
        if param.name in replaced:
            result += waiting.pop(param.name, [])
        else:
            result.append(param)
    for rest in waiting.values():
        result += rest
    return result


def _escaped(unwanted: re.Pattern[str], text: str) -> str:
    return unwanted.sub(lambda found: quote(found[0], safe="", errors="replace"), text)

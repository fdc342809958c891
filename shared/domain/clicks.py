"""Clicks: one redirect served to a person. Evidence, never money.

Programs that look at links before people do are sent on, but get no click and no token. The few
rules here cost nothing per visit; what they miss is sorted out when clicks are counted, and a
person who is mistaken for a program is still attributed by the link's code.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final
from urllib.parse import unquote_plus

from shared.domain.links import UTM_PREFIX

KEPT_FOR: Final = timedelta(days=90)
"""At least the longest attribution window by clicks; afterwards the table forgets the row."""

MAX_AGENT_BYTES: Final = 512
"""How much of a user agent is looked at."""

# A row stays below 1 KB, the size of one write unit.
_KEPT_AGENT_BYTES: Final = 256
_KEPT_UTM_BYTES: Final = 64
_KEPT_UTM: Final = ("utm_source", "utm_medium", "utm_campaign", "utm_term", "utm_content")

PREFETCH_HEADERS: Final = ("sec-purpose", "purpose", "x-purpose", "x-moz")
_PREFETCH: Final = ("prefetch", "prerender", "preview")

BOT_MARKERS: Final = (
    "bot/",
    "bot)",
    "bot;",
    "bot-",
    "crawl",
    "spider",
    "slurp",
    "headless",
    "phantomjs",
    "curl/",
    "wget/",
    "python-",
    "python/",
    "aiohttp",
    "httpx/",
    "okhttp",
    "go-http-client",
    "java/",
    "libwww",
    "axios/",
    "node-fetch",
    "undici",
    "postmanruntime",
    "facebookexternalhit",
    "facebookcatalog",
    "meta-external",
    "whatsapp/",
    "telegrambot",
    "slackbot",
    "slack-imgproxy",
    "skypeuripreview",
    "ms-office",
    "microsoft office/",
    "bingpreview",
    "google-read-aloud",
    "google-inspectiontool",
    "googleother",
    "feedfetcher",
    "mediapartners",
    "embedly",
    "pinterest/0",
    "vkshare",
    "w3c_validator",
    "lighthouse",
    "pingdom",
    "uptimerobot",
    "barracuda",
    "proofpoint",
    "mimecast",
    "safelinks",
    "chatgpt-user",
    "perplexity-user",
    "claude-user",
)
"""Parts of user agents, in lower case, that no browser of a person sends. At most 64."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Visit:
    """A request for a link. ``query`` is raw; header names are in lower case."""

    code: str
    query: str = ""
    method: str = "GET"
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Click:
    """One visit that counts. Holds no address, and nothing that names a person."""

    click_id: str
    code: str
    program_id: str
    partner_id: str
    clicked_at: datetime
    utm: Mapping[str, str] = field(default_factory=dict)
    user_agent: str = ""

    @property
    def expires_at(self) -> datetime:
        """When the row may be forgotten."""
        return self.clicked_at + KEPT_FOR


def counts(visit: Visit) -> bool:
    """Tell whether a visit looks like a person who follows the link."""
    if visit.method != "GET":
        return False
    for name in PREFETCH_HEADERS:
        purpose = visit.headers.get(name, "")[:MAX_AGENT_BYTES].lower()
        if any(word in purpose for word in _PREFETCH):
            return False
    agent = _cut(visit.headers.get("user-agent", ""), MAX_AGENT_BYTES).strip().lower()
    return bool(agent) and not agent.endswith("bot") and not any(m in agent for m in BOT_MARKERS)


def kept_agent(visit: Visit) -> str:
    """Return what the click remembers of the user agent."""
    return _cut(visit.headers.get("user-agent", ""), _KEPT_AGENT_BYTES)


def kept_utm(address: str) -> dict[str, str]:
    """Return the well-known UTM parameters of the address that the visitor was sent to."""
    found: dict[str, str] = {}
    query = address.partition("#")[0].partition("?")[2]
    for piece in query.split("&"):
        if not piece.startswith(UTM_PREFIX):
            continue
        name, _, value = piece.partition("=")
        if name in _KEPT_UTM and name not in found:
            found[name] = _cut(unquote_plus(value), _KEPT_UTM_BYTES)
    return found


def _cut(text: str, limit: int) -> str:
    """Return the longest beginning that takes at most ``limit`` bytes."""
    return text[:limit].encode("utf-8", "replace")[:limit].decode("utf-8", "ignore")

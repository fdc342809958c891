"""Clicks: one redirect served to a person. Evidence, never money.

Programs that look at links before people do are sent on, but get no click and no token. The few
rules here cost nothing per visit; what they miss is sorted out when clicks are counted, and a
person who is mistaken for a program is still attributed by the link's code.
"""

import hmac
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Final
from urllib.parse import unquote_plus

from shared.domain.bot_markers import BOT_MARKERS
from shared.domain.links import GPC_AND_DNT, NO_SIGNALS, UTM_PREFIX

KEPT_FOR: Final = timedelta(days=90)
"""At least the longest attribution window by clicks; afterwards the table forgets the row."""

MAX_AGENT_BYTES: Final = 512
"""How much of a user agent is looked at."""

# A row stays below 1 KB, the size of one write unit: these limits, and what is left for ids.
_ROW_TEXTS: Final = 816
_KEPT_AGENT_BYTES: Final = 256
_KEPT_UTM_BYTES: Final = 60
_KEPT_LABEL_BYTES: Final = 48
_VISITOR_BYTES: Final = 6
_KEPT_UTM: Final = ("utm_source", "utm_medium", "utm_campaign", "utm_term", "utm_content")

AD_IDS: Final = (
    "gclid",
    "gbraid",
    "wbraid",
    "dclid",
    "fbclid",
    "msclkid",
    "ttclid",
    "twclid",
    "li_fat_id",
    "rdt_cid",
    "epik",
    "sccid",
    "irclickid",
    "yclid",
)
"""Parameters by which advertising networks know their clicks again, in lower case."""

PREFETCH_HEADERS: Final = ("sec-purpose", "purpose", "x-purpose", "x-moz")
_AD_ID: Final = re.compile(r"[\w.~-]{1,300}", re.ASCII)
_PREFETCH: Final = ("prefetch", "prerender", "preview")


@dataclass(frozen=True, slots=True, kw_only=True)
class Visit:
    """A request for a link. ``query`` is raw; header names are in lower case.

    ``address`` is the visitor's IP address. It is never stored.
    """

    code: str
    query: str = ""
    method: str = "GET"
    headers: Mapping[str, str] = field(default_factory=dict)
    address: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Click:
    """One visit that counts. Holds no address, and nothing that names a person.

    ``campaign`` and ``asset`` are the link's own, so that no visitor can invent one. ``visitor``
    is what ``visitor_mark`` returns. Of a visitor who asks for privacy there are no ``visitor``,
    ``user_agent`` and ``ad_ids``.
    """

    click_id: str
    code: str
    program_id: str
    partner_id: str
    clicked_at: datetime
    campaign: str = ""
    asset: str = ""
    visitor: str = ""
    utm: Mapping[str, str] = field(default_factory=dict)
    user_agent: str = ""
    ad_ids: Mapping[str, str] = field(default_factory=dict)

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


def asks_for_privacy(visit: Visit, honoured: str) -> bool:
    """Tell whether the visitor's browser sends a wish for privacy that is honoured."""
    if honoured == NO_SIGNALS:
        return False
    return visit.headers.get("sec-gpc") == "1" or (
        honoured == GPC_AND_DNT and visit.headers.get("dnt") == "1"
    )


def with_ad_ids(click: Click, query: str) -> Click:
    """Return the click with the advertising ids of a query: each whole, while there is room."""
    texts = (
        *(click.code, click.program_id, click.partner_id, click.campaign, click.asset),
        *(click.user_agent, *click.utm, *click.utm.values()),
    )
    room = _ROW_TEXTS - sum(len(text.encode("utf-8", "replace")) for text in texts)
    found: dict[str, str] = {}
    for piece in query.split("&"):
        name, _, value = piece.partition("=")
        name = name.lower()
        if name in AD_IDS and name not in found and _AD_ID.fullmatch(value):
            room -= len(name) + len(value)
            if room < 0:
                break
            found[name] = value
    return replace(click, ad_ids=found)


def kept_agent(visit: Visit) -> str:
    """Return what the click remembers of the user agent."""
    return _cut(visit.headers.get("user-agent", ""), _KEPT_AGENT_BYTES)


def kept_label(label: str) -> str:
    """Return what clicks remember of a link's campaign or asset."""
    return _cut(label, _KEPT_LABEL_BYTES)


def visitor_mark(visit: Visit, program_id: str, now: datetime, secret: bytes) -> str:
    """Return 12 hexadecimal digits, the same for one visitor in one programme on one UTC day.

    A visitor is a network (/24, or /48 of IPv6) with a user agent. Tomorrow's mark is another
    one, and without the secret nobody can tell whose it was. Empty when the address is unknown.
    """
    network = _network(visit.address)
    if not network:
        return ""
    agent = _cut(visit.headers.get("user-agent", ""), MAX_AGENT_BYTES)
    text = "\n".join(("visitor", now.date().isoformat(), program_id, network, agent))
    return hmac.digest(secret, text.encode("utf-8", "replace"), "sha256")[:_VISITOR_BYTES].hex()


def _network(address: str) -> str:
    if ":" not in address:
        return address.rpartition(".")[0]
    # What "::" leaves out is zeros, and only the first three groups matter.
    groups = [group or "0" for group in address.partition("::")[0].split(":")]
    return ":".join([*groups, "0", "0"][:3])


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

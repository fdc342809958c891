"""Addresses from outside, read the way browsers read them (WHATWG)."""

from typing import Final

import ada_url

from shared.domain.errors import invalid
from shared.usecases.manage_links import MAX_DESTINATION

LOOPBACK: Final = frozenset({"127.0.0.1", "localhost"})
"""Where plain http is allowed: the developer's own machine."""


def landing_host(text: str, path: str) -> str:
    """Return ``host`` or ``host:port`` as browsers compare it.

    Raises:
        InvalidFieldsError: when it is no bare host.
    """
    url = _parsed(f"https://{text}/")
    if url is None or _decorated(text) or not url.hostname or "/" in text or "@" in text:
        raise invalid(path, "bad_host", "must be a host such as www.example.com")
    return url.host


def web_origin(text: str, path: str) -> str:
    """Return an origin as browsers send it.

    Raises:
        InvalidFieldsError: when it is no bare https origin.
    """
    url = _parsed(text)
    bare = url is not None and url.pathname == "/" and not url.search and not url.hash
    if url is None or not bare or _decorated(text) or not _is_safe(url):
        raise invalid(path, "bad_origin", "must be an origin such as https://www.example.com")
    return url.origin


def web_address(text: str, path: str) -> str:
    """Return an https address as browsers read it; an empty one stays empty.

    Raises:
        InvalidFieldsError: when it is none.
    """
    if not text:
        return ""
    url = _parsed(text)
    if url is None or _decorated(text) or not _is_safe(url):
        raise invalid(path, "bad_url", "must be an https address without user name")
    return url.href


def check_destination(text: str, landing_hosts: tuple[str, ...]) -> str:
    """Return the address of a link if it leads to one of the landing hosts.

    A landing host without a port allows the scheme's own port, on the loopback any port.

    Raises:
        InvalidFieldsError: on ``destination``.
    """
    address = web_address(text, "destination")
    url = _parsed(address)
    if url is None or len(address) > MAX_DESTINATION:
        raise invalid("destination", "bad_url", f"at most {MAX_DESTINATION} characters")
    on_loopback = url.hostname in LOOPBACK and url.hostname in landing_hosts
    if url.host not in landing_hosts and not on_loopback:
        raise invalid("destination", "not_a_landing_host", "must be on a landing host")
    return address


def _parsed(text: str) -> ada_url.URL | None:
    try:
        return ada_url.URL(text)
    except ValueError:
        return None


def _decorated(text: str) -> bool:
    # The parser drops or rewrites these in silence; whoever sends them means mischief.
    return "\\" in text or any(char <= " " or char == "\x7f" for char in text)


def _is_safe(url: ada_url.URL) -> bool:
    if url.username or url.password or not url.hostname:
        return False
    return url.protocol == "https:" or (url.protocol == "http:" and url.hostname in LOOPBACK)

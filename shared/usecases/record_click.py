"""A visitor follows a short link: find it, record the click, say where to go."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING

from shared.domain.click_tokens import ClickToken, Keyring, issue
from shared.domain.clicks import (
    Click,
    Visit,
    asks_for_privacy,
    counts,
    kept_agent,
    kept_label,
    kept_utm,
    visitor_mark,
    with_ad_ids,
)
from shared.domain.errors import InvalidFieldsError, NotFoundError, UnavailableError
from shared.domain.links import Link, location, parse_code

# Only for the type checker: the redirect loads nothing that it can do without.
if TYPE_CHECKING:
    from shared.ports import NewId


@dataclass(frozen=True, slots=True, kw_only=True)
class Redirect:
    """Where the visitor goes. ``failures`` are what went wrong on the way and did not stop it."""

    location: str
    failures: tuple[UnavailableError, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ClickStore:
    """What the step needs from outside; each part may raise ``UnavailableError``.

    ``find_keyring`` returns None while there is no programme yet. ``recall_link`` asks nobody: it
    returns what was known of a link at some time, or None.
    """

    find_link: Callable[[str], Link | None]
    recall_link: Callable[[str], Link | None]
    find_keyring: Callable[[], Keyring | None]
    save_click: Callable[[Click], None]


def record_click(visit: Visit, store: ClickStore, *, now: datetime, new_id: "NewId") -> Redirect:
    """Return where to send the visitor, after the click is stored.

    The visitor is never held up by our bookkeeping: when the click can't be stored the token
    still proves it, and without the signing keys the link's code in the address still
    attributes it. When the store is down and what we know of the link is too old, the visitor
    goes to its programme's fallback, and no click is recorded.

    Raises:
        NotFoundError: the code is malformed, unknown, expired or disabled, all alike.
        UnavailableError: the store is down, so nobody knows where the link leads.
    """
    try:
        link = _live_link(visit.code, store, now)
    except UnavailableError as error:
        known = store.recall_link(parse_code(visit.code))
        if known is None or not known.is_live(now) or not known.fallback_url:
            raise
        return Redirect(location=known.fallback_url, failures=(error,))
    if not counts(visit):
        return Redirect(location=location(link, visit.query))
    click_id = new_id("clk")
    failures: list[UnavailableError] = []
    keyring = None
    try:
        keyring = store.find_keyring()
    except UnavailableError as error:
        failures.append(error)
    token = issue(_token(click_id, link, now), keyring) if keyring else ""
    address = location(link, visit.query, token)
    try:
        store.save_click(_click(click_id, visit, link, address, keyring, now=now))
    except UnavailableError as error:
        failures.append(error)
    return Redirect(location=address, failures=tuple(failures))


def _click(
    click_id: str, visit: Visit, link: Link, address: str, keyring: Keyring | None, *, now: datetime
) -> Click:
    """Return what is remembered of a visit that is sent to ``address``."""
    click = Click(
        click_id=click_id,
        code=link.code,
        program_id=link.program_id,
        partner_id=link.partner_id,
        clicked_at=now,
        campaign=kept_label(link.campaign),
        asset=kept_label(link.asset),
        utm=kept_utm(address),
    )
    if asks_for_privacy(visit, link.privacy_signals):
        return click
    secret = keyring.signing(now).secret if keyring else b""
    click = replace(
        click,
        visitor=visitor_mark(visit, link.program_id, now, secret) if secret else "",
        user_agent=kept_agent(visit),
    )
    return with_ad_ids(click, visit.query) if link.keeps_ad_ids else click


def _live_link(code: str, store: ClickStore, now: datetime) -> Link:
    try:
        link = store.find_link(parse_code(code))
    except InvalidFieldsError as error:
        raise NotFoundError from error
    if link is None or not link.is_live(now):
        raise NotFoundError
    return link


def _token(click_id: str, link: Link, now: datetime) -> ClickToken:
    return ClickToken(
        click_id=click_id,
        code=link.code,
        partner_id=link.partner_id,
        program_id=link.program_id,
        clicked_at=now,
    )

"""A visitor follows a short link: find it, record the click, say where to go."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from shared.domain.click_tokens import ClickToken, Keyring, issue
from shared.domain.clicks import Click, Visit, counts, kept_agent, kept_utm
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

    ``find_keyring`` returns None while there is no programme yet.
    """

    find_link: Callable[[str], Link | None]
    find_keyring: Callable[[], Keyring | None]
    save_click: Callable[[Click], None]


def record_click(visit: Visit, store: ClickStore, *, now: datetime, new_id: "NewId") -> Redirect:
    """Return where to send the visitor, after the click is stored.

    The visitor is never held up by our bookkeeping: when the click can't be stored the token
    still proves it, and without the signing keys the link's code in the address still
    attributes it.

    Raises:
        NotFoundError: the code is malformed, unknown, expired or disabled, all alike.
        UnavailableError: the store is down, so nobody knows where the link leads.
    """
    link = _live_link(visit.code, store, now)
    if not counts(visit):
        return Redirect(location=location(link, visit.query))
    click_id = new_id("clk")
    failures: list[UnavailableError] = []
    token = ""
    try:
        keyring = store.find_keyring()
    except UnavailableError as error:
        failures.append(error)
    else:
        if keyring is not None:
            token = issue(_token(click_id, link, now), keyring)
    address = location(link, visit.query, token)
    try:
        store.save_click(_click(click_id, link, visit, address, now))
    except UnavailableError as error:
        failures.append(error)
    return Redirect(location=address, failures=tuple(failures))


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


def _click(click_id: str, link: Link, visit: Visit, address: str, now: datetime) -> Click:
    return Click(
        click_id=click_id,
        code=link.code,
        program_id=link.program_id,
        partner_id=link.partner_id,
        clicked_at=now,
        utm=kept_utm(address),
        user_agent=kept_agent(visit),
    )

"""Rows of links and clicks. Standard library only, because the redirect reads them too."""

import re
from datetime import UTC, datetime, timedelta
from typing import Final

from shared import names
from shared.adapters.dynamodb import lean_keys
from shared.adapters.dynamodb.codec import Item
from shared.domain.clicks import MAX_AGENT_BYTES, Click
from shared.domain.links import GPC, UTM_PREFIX, Link

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_LATEST: Final = 1 << 47
"""Milliseconds until the year 6429."""

_PHRASES: Final = (
    ("Mozilla/5.0 (", "\x01"),
    (" AppleWebKit/537.36 (KHTML, like Gecko) ", "\x02"),
    (" Safari/537.36", "\x03"),
)
"""Of most user agents, more than half of their bytes; in rows each is one character."""


def link_row(link: Link) -> Item:
    """Return the row of a link, without its key and its list entries."""
    return {
        "code": link.code,
        "program_id": link.program_id,
        "partner_id": link.partner_id,
        "destination": link.destination,
        "utm": dict(link.utm),
        "own_utm": dict(link.own_utm),
        "campaign": link.campaign,
        "asset": link.asset,
        "click_param": link.click_param,
        "add_via": link.add_via,
        "precedence": link.precedence,
        "expires_at": _text(link.expires_at),
        "disabled": link.disabled,
        "click_cap": link.click_cap,
        "cap_from": _text(link.cap_from),
        "cap_reached": link.cap_reached,
        "fallback_url": link.fallback_url,
        "keeps_ad_ids": link.keeps_ad_ids,
        "privacy_signals": link.privacy_signals,
        "created_at": link.created_at.isoformat(),
        "retired_at": _text(link.retired_at),
        "version": link.version,
    }


def link_from(row: Item) -> Link:
    """Return a link from its row; older rows lack what links could not do then."""
    return Link(
        code=row["code"],
        program_id=row["program_id"],
        partner_id=row["partner_id"],
        destination=row["destination"],
        utm=row["utm"],
        own_utm=row["own_utm"] if "own_utm" in row else row["utm"],
        campaign=row["campaign"],
        asset=row["asset"],
        click_param=row["click_param"],
        add_via=row["add_via"],
        precedence=row["precedence"],
        expires_at=_moment(row.get("expires_at")),
        disabled=row["disabled"],
        click_cap=row.get("click_cap", 0),
        cap_from=_moment(row.get("cap_from")),
        cap_reached=row.get("cap_reached", False),
        fallback_url=row["fallback_url"],
        keeps_ad_ids=row.get("keeps_ad_ids", False),
        privacy_signals=row.get("privacy_signals", GPC),
        created_at=datetime.fromisoformat(row["created_at"]),
        retired_at=_moment(row.get("retired_at")),
        version=row.get("version", 0),
    )


def _text(moment: datetime | None) -> str | None:
    return moment.isoformat() if moment else None


def _moment(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text else None


# A click's row is paid by the byte: its names are short, and what is empty is left out.


def click_row(click: Click) -> Item:
    """Return the row of a click with its key."""
    lane, click_id = lean_keys.click(click.click_id)
    row: Item = {
        names.PK: lane,
        names.SK: click_id,
        "t": int(click.clicked_at.timestamp() * 1_000),
        "c": click.code,
        "p": click.program_id,
        "r": click.partner_id,
        "n": click.campaign,
        "a": click.asset,
        "v": click.visitor,
        "b": click.user_agent,
        "u": {name[len(UTM_PREFIX) :]: value for name, value in click.utm.items()},
        "i": dict(click.ad_ids),
        names.TTL: int(click.expires_at.timestamp()),
    }
    for phrase in _PHRASES:
        row["b"] = row["b"].replace(*phrase)
    return {name: value for name, value in row.items() if value}


def click_from(row: Item) -> Click:
    """Return a click from its row; UTM parameters and advertising ids stay there.

    Raises:
        ValueError: it is not the row of a click.
    """
    found = [row.get(name, "") for name in (names.SK, "c", "p", "r", "n", "a", "v", "b")]
    click_id, code, program_id, partner_id, campaign, asset, visitor, agent = found
    if not all(isinstance(text, str) for text in found):
        raise ValueError("a text is of another type")
    if not all((click_id, code, program_id, partner_id)):
        raise ValueError("a key is missing")
    for phrase, short in _PHRASES:
        agent = agent.replace(short, phrase)
    if not re.fullmatch(r"(?:[0-9a-f]{12})?", visitor):
        raise ValueError("the visitor's mark is none")
    milliseconds = row.get("t")
    if not isinstance(milliseconds, int) or not 0 <= milliseconds < _LATEST:
        raise ValueError("the time is none")
    return Click(
        click_id=click_id,
        code=code,
        program_id=program_id,
        partner_id=partner_id,
        clicked_at=_EPOCH + timedelta(milliseconds=milliseconds),
        campaign=campaign,
        asset=asset,
        visitor=visitor,
        # Longer only if somebody sent the short forms.
        user_agent=agent[:MAX_AGENT_BYTES],
    )

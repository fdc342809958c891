"""Rows of links and clicks. Standard library only, because the redirect reads them too."""

from datetime import datetime

from shared import names
from shared.adapters.dynamodb.codec import Item
from shared.domain.clicks import Click
from shared.domain.links import GPC, Link


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


def click_row(click: Click) -> Item:
    """Return the row of a click with its key, the click's own id: no two clicks share a key."""
    return {
        names.PK: click.click_id,
        "code": click.code,
        "program_id": click.program_id,
        "partner_id": click.partner_id,
        "clicked_at": click.clicked_at.isoformat(),
        "campaign": click.campaign,
        "asset": click.asset,
        "visitor": click.visitor,
        "utm": dict(click.utm),
        "user_agent": click.user_agent,
        "ad_ids": dict(click.ad_ids) or None,
        names.TTL: int(click.expires_at.timestamp()),
    }

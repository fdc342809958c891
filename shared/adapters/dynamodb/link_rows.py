"""Rows of links and clicks. Standard library only, because the redirect reads them too."""

from datetime import datetime

from shared import names
from shared.adapters.dynamodb.codec import Item
from shared.domain.clicks import Click
from shared.domain.links import Link


def link_row(link: Link) -> Item:
    """Return the row of a link, without its key and its list entries."""
    return {
        "code": link.code,
        "program_id": link.program_id,
        "partner_id": link.partner_id,
        "destination": link.destination,
        "utm": dict(link.utm),
        "campaign": link.campaign,
        "asset": link.asset,
        "click_param": link.click_param,
        "add_via": link.add_via,
        "precedence": link.precedence,
        "expires_at": link.expires_at.isoformat() if link.expires_at else None,
        "disabled": link.disabled,
        "fallback_url": link.fallback_url,
        "created_at": link.created_at.isoformat(),
    }


def link_from(row: Item) -> Link:
    """Return a link from its row."""
    expires_at = row.get("expires_at")
    return Link(
        code=row["code"],
        program_id=row["program_id"],
        partner_id=row["partner_id"],
        destination=row["destination"],
        utm=row["utm"],
        campaign=row["campaign"],
        asset=row["asset"],
        click_param=row["click_param"],
        add_via=row["add_via"],
        precedence=row["precedence"],
        expires_at=datetime.fromisoformat(expires_at) if expires_at else None,
        disabled=row["disabled"],
        fallback_url=row["fallback_url"],
        created_at=datetime.fromisoformat(row["created_at"]),
    )


def click_row(click: Click) -> Item:
    """Return the row of a click with its key, the click's own id: no two clicks share a key."""
    return {
        names.PK: click.click_id,
        "code": click.code,
        "program_id": click.program_id,
        "partner_id": click.partner_id,
        "clicked_at": click.clicked_at.isoformat(),
        "utm": dict(click.utm),
        "user_agent": click.user_agent,
        names.TTL: int(click.expires_at.timestamp()),
    }

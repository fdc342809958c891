from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from shared.adapters.dynamodb.codec import Item, from_wire, to_wire
from shared.adapters.dynamodb.keyring_rows import keyring_from, keyring_row
from shared.adapters.dynamodb.link_rows import click_row, link_from, link_row
from shared.domain.click_tokens import Keyring, SigningKey
from shared.domain.clicks import Click, Visit, kept_agent, kept_label, kept_utm
from shared.domain.links import LINK_WINS, Link

NOW = datetime(2026, 1, 2, 3, 4, 5, 678_900, tzinfo=UTC)


def stored(row: Item) -> Item:
    """Passes a row through the store's own types."""
    return from_wire(to_wire(row))


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {
            "utm": {"utm_source": "é", "utm_term": ""},
            "own_utm": {"utm_source": "{partner}"},
            "campaign": "spring",
            "asset": "banner",
            "click_param": "gw",
            "add_via": False,
            "precedence": LINK_WINS,
            "expires_at": NOW + timedelta(days=1),
            "disabled": True,
            "fallback_url": "https://shop.example/gone",
            "click_cap": 10,
            "cap_from": NOW,
            "cap_reached": True,
            "retired_at": NOW + timedelta(days=2),
            "version": 7,
        },
    ],
)
def test_a_link_survives_storing(changes: dict[str, Any]) -> None:
    link = Link(
        code="spring",
        program_id="prg_1",
        partner_id="ptr_1",
        destination="https://shop.example/?a=1",
        created_at=NOW,
        **changes,
    )

    assert link == link_from(stored(link_row(link)))


def test_a_keyring_survives_storing() -> None:
    ring = Keyring(
        keys=(
            SigningKey(key_id="k1", secret=bytes(range(32)), created_at=NOW),
            SigningKey(key_id="k2", secret=b"\xff" * 32, created_at=NOW),
        )
    )

    row = stored(keyring_row(ring, version=3))

    assert ring == keyring_from(row)
    assert 3 == row["version"]


def test_a_click_is_keyed_by_its_own_id_and_forgotten_after_90_days() -> None:
    click = Click(
        click_id="clk_1",
        code="spring",
        program_id="prg_1",
        partner_id="ptr_1",
        clicked_at=NOW,
        campaign="autumn",
        asset="banner",
        visitor="0123456789ab",
        utm={"utm_source": "news"},
        user_agent="Firefox",
    )

    assert {
        "pk": "clk_1",
        "code": "spring",
        "program_id": "prg_1",
        "partner_id": "ptr_1",
        "clicked_at": "2026-01-02T03:04:05.678900+00:00",
        "campaign": "autumn",
        "asset": "banner",
        "visitor": "0123456789ab",
        "utm": {"utm_source": "news"},
        "user_agent": "Firefox",
        "expires_at_epoch": int((NOW + timedelta(days=90)).timestamp()),
    } == click_row(click)


def test_the_largest_click_stays_within_one_write_unit() -> None:
    names = ("source", "medium", "campaign", "term", "content")
    address = "https://shop.example/?" + "&".join(f"utm_{name}=" + "%C3%A9" * 90 for name in names)
    visit = Visit(code="spring", headers={"user-agent": "é" * 900})
    click = Click(
        click_id="clk_" + "0" * 26,
        code="c" * 40,
        program_id="prg_" + "0" * 26,
        partner_id="ptr_" + "0" * 26,
        clicked_at=NOW,
        campaign=kept_label("é" * 100),
        asset=kept_label("é" * 100),
        visitor="f" * 12,
        utm=kept_utm(address),
        user_agent=kept_agent(visit),
    )

    assert 5 == len(click.utm)
    assert item_bytes(click_row(click)) <= 1_024


def item_bytes(value: object) -> int:
    """Counts as the store's pricing does: names and values, 3 bytes and 1 per entry of a map."""
    match value:
        case str():
            return len(value.encode())
        case int():
            return len(str(value)) // 2 + 2
        case dict():
            return 3 + sum(1 + item_bytes(name) + item_bytes(part) for name, part in value.items())
        case _:
            raise AssertionError

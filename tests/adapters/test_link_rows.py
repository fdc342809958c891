from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from shared.adapters.dynamodb.codec import Item, from_wire, to_wire
from shared.adapters.dynamodb.keyring_rows import keyring_from, keyring_row
from shared.adapters.dynamodb.link_rows import click_from, click_row, link_from, link_row
from shared.domain.click_tokens import MAX_KEYS, Keyring, SigningKey
from shared.domain.clicks import (
    AD_IDS,
    MAX_AGENT_BYTES,
    Click,
    Visit,
    kept_agent,
    kept_label,
    kept_utm,
    with_ad_ids,
)
from shared.domain.errors import InvalidFieldsError
from shared.domain.link_rules import MAX_TEXTS, check_size
from shared.domain.links import GPC_AND_DNT, LINK_WINS, Link
from shared.names import LIST_PK, LIST_SK, PARTNER_PK, PARTNER_SK, PK, SK
from tests.fakes.dynamodb_values import row_bytes

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
            "keeps_ad_ids": True,
            "privacy_signals": GPC_AND_DNT,
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


def test_a_click_lies_in_its_lane_and_is_forgotten_after_90_days() -> None:
    click = Click(
        click_id="clk_0001",
        code="spring",
        program_id="prg_1",
        partner_id="ptr_1",
        clicked_at=NOW,
        campaign="autumn",
        asset="banner",
        visitor="0123456789ab",
        utm={"utm_source": "news"},
        user_agent="Firefox",
        ad_ids={"gclid": "g-1"},
    )

    assert {
        "pk": "0001",
        "sk": "clk_0001",
        "t": 1_767_323_045_678,
        "c": "spring",
        "p": "prg_1",
        "r": "ptr_1",
        "n": "autumn",
        "a": "banner",
        "v": "0123456789ab",
        "b": "Firefox",
        "u": {"source": "news"},
        "i": {"gclid": "g-1"},
        "expires_at_epoch": int((NOW + timedelta(days=90)).timestamp()),
    } == click_row(click)


@pytest.mark.parametrize(
    "agent",
    [
        "Mozilla/5.0 (X11; Linux) AppleWebKit/537.36 (KHTML, like Gecko) Safari/537.36",
        "Mozilla/5.0 (compatible; AhrefsBot/7.0; +http://ahrefs.com/robot/)",
        "curl/8.0 é",
        "",
    ],
)
def test_what_is_counted_of_a_click_comes_back_from_its_row(agent: str) -> None:
    click = Click(
        click_id="clk_0001",
        code="spring",
        program_id="prg_1",
        partner_id="ptr_1",
        clicked_at=NOW.replace(microsecond=999_000),
        visitor="0123456789ab",
        user_agent=agent,
    )

    row = click_row(click)

    assert click == click_from(from_wire(to_wire(row)))
    assert len(row.get("b", "")) <= len(agent)


def test_short_forms_that_somebody_sent_stay_short() -> None:
    click = Click(
        click_id="clk_0001",
        code="spring",
        program_id="prg_1",
        partner_id="ptr_1",
        clicked_at=NOW,
        user_agent="\x02" * 256,
    )

    assert MAX_AGENT_BYTES == len(click_from(click_row(click)).user_agent)


@pytest.mark.parametrize("agent", ["é" * 900, "short", ""])
def test_the_largest_click_stays_within_one_write_unit(agent: str) -> None:
    names = ("source", "medium", "campaign", "term", "content")
    address = "https://shop.example/?" + "&".join(f"utm_{name}=" + "%C3%A9" * 90 for name in names)
    click = Click(
        click_id="clk_" + "0" * 26,
        code="c" * 40,
        program_id="p" * 64,
        partner_id="ptr_" + "0" * 26,
        clicked_at=NOW,
        campaign=kept_label("é" * 100),
        asset=kept_label("é" * 100),
        visitor="f" * 12,
        utm=kept_utm(address),
        user_agent=kept_agent(Visit(code="spring", headers={"user-agent": agent})),
    )
    assert 5 == len(click.utm)

    # As long as they may be, or so short that all of them fit.
    for length in range(1, 301):
        query = "&".join(f"{name}={'x' * length}" for name in AD_IDS)
        assert row_bytes(to_wire(click_row(with_ad_ids(click, query)))) <= 1_024


def test_the_largest_link_is_read_for_half_a_unit() -> None:
    utm = {"utm_" + "n" * 90: "é" * 100}
    link = Link(
        code="c" * 40,
        program_id="p" * 64,
        partner_id="ptr_" + "0" * 26,
        destination="https://shop.example/",
        utm=utm,
        own_utm=utm,
        campaign="é" * 100,
        asset="é" * 100,
        click_param="p" * 40,
        expires_at=NOW,
        cap_from=NOW,
        click_cap=999_999_999,
        created_at=NOW,
        retired_at=NOW,
    )
    spent = 21 + 2 * (94 + 200) + 200 + 200 + 40
    link = replace(link, fallback_url="x" * (MAX_TEXTS - spent))
    check_size(link)
    with pytest.raises(InvalidFieldsError):
        check_size(replace(link, asset="é" * 101))

    # Beside its own attributes a row has its key and its places in two lists.
    lists = dict.fromkeys((PK, SK, LIST_PK, LIST_SK, PARTNER_PK, PARTNER_SK), "x" * 100)
    assert row_bytes(to_wire(link_row(link) | lists)) <= 4_096


def test_the_fullest_keyring_is_read_for_half_a_unit() -> None:
    ring = Keyring(
        keys=tuple(
            SigningKey(key_id=f"k{number + 1_000}", secret=b"s" * 32, created_at=NOW)
            for number in range(MAX_KEYS)
        )
    )

    assert row_bytes(to_wire(keyring_row(ring) | {"renewed_by": "x" * 40})) <= 4_096

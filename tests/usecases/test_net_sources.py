"""A source may say that the amounts of its deals are net of refunds; its facts then say so."""

from __future__ import annotations

from typing import Any

import pytest

from shared.adapters.dynamodb.sources import source_from, source_row
from tests.builders.deliveries import Desk, change, source, updated


def told(amount_is: str, kind: str) -> dict[str, dict[str, Any]]:
    """What a deal with an amount and a stage makes known, by fact id."""
    desk = Desk(source(kind, amount_is=amount_is))
    if kind == "hubspot":
        delivery = desk.hubspot(
            change("goodword_referral", "ref_1"),
            change("amount", "800.00", minute=1),
            change("dealstage", "won", minute=2),
        )
    else:
        deal = {"id": "D-1", "stage": "won", "amount": "800.00", "currency": "EUR"}
        delivery = desk.standard(updated(deal, {"id": "ref_1"}))
    assert "applied" == desk.apply(delivery).state
    rows = desk.rows("REF#ref_1")
    return {row["fact_id"]: row["data"] for row in rows if row["sk"].startswith("FACT#")}


@pytest.mark.parametrize("kind", ["hubspot", "standard"])
def test_only_amounts_say_net_and_facts_keep_their_ids(kind: str) -> None:
    gross, net = told("gross", kind), told("net", kind)
    assert gross.keys() == net.keys()
    differing = [fact_id for fact_id in gross if gross[fact_id] != net[fact_id]]
    (amount,) = differing
    assert {**gross[amount], "amount_is": "net"} == net[amount]
    assert "800.00" == net[amount]["amount"]
    assert not [data for data in gross.values() if "amount_is" in data]


def test_a_source_that_was_stored_before_there_was_a_choice_is_gross() -> None:
    row = source_row(source(amount_is="net"))
    assert "net" == source_from(row).amount_is
    del row["amount_is"]
    assert "gross" == source_from(row).amount_is

"""A store with one partner under the meter and as many other referrals as wanted.

Other referrals are copies of one that went through the product, under ids of their own: all rows
of it, except outgoing events, which expire a week after they were sent.
"""

import gc
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final

from bench.meter import Meter, Usage
from shared import names
from shared.adapters.dynamodb import keys
from shared.adapters.dynamodb.client import get
from tests.builders.ledger import BOOKS, CORE, Stored
from tests.builders.money import Story
from tests.fakes.memory_dynamodb import MemoryDynamo

PARTNER: Final = "ptr_1"
_MODEL: Final = "ref_model"
_PARTNER: Final = "ptr_model"
_NEIGHBOURS: Final = 100
"""Other partners that the other referrals are spread over."""

Row = dict[str, Any]


def measured(client: MemoryDynamo, operation: Callable[[], object]) -> Usage:
    """Return what an operation takes."""
    meter = Meter(client=client)
    operation()
    return meter.taken()


def story(referral_id: str = "ref_1", partner_id: str = PARTNER) -> Story:
    """Return a referral that was accepted, with a deal that was won."""
    told = Story(referral_id=referral_id, deal_id=f"D-{referral_id}", partner_id=partner_id)
    return told.submitted().reviewed("accepted").amount("20000.00").stage("won")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Copied:
    """A row of the model; ``own`` are its attributes that name the referral or its partner."""

    table: str
    row: Row
    own: dict[str, str]


def stock(stored: Stored, referrals: int, *, of: str = "", partners: int = _NEIGHBOURS) -> None:
    """Put posted referrals beside what is there: of one partner, or of many."""
    client = stored.client
    model = _model(stored)
    with _without_collector():
        for number in range(referrals):
            partner_id = of or f"ptr_n{number % partners:03d}"
            _copy(client, model, f"{number:07d}", partner_id)


def apart_from(stored: Stored) -> Stored:
    """Return an empty store with the same terms."""
    terms = get(stored.client, CORE, keys.terms("prg_1", 1)) or {}
    return Stored(json.loads(terms["definition"]))


def _model(stored: Stored) -> list[_Copied]:
    """Post one referral in a store of its own and return its rows."""
    apart = apart_from(stored)
    start = len(apart.client.changes)
    told = story(_MODEL, _PARTNER)
    apart.submit(told)
    apart.settle(told)
    rows = {
        (change.table, *(value["S"] for value in change.keys.values())): change.new_image
        for change in apart.client.changes[start:]
    }
    # The partner's own rows are one each, however many referrals there are.
    apart_from_referral = (names.OUTBOX_PREFIX, "PTR#")
    return [
        _Copied(table=table, row=row, own=_own(row))
        for (table, *_), row in rows.items()
        if row
        and not row[names.PK]["S"].startswith(apart_from_referral)
        and not row[names.SK]["S"].startswith("HEAD")
    ]


def _own(row: Row) -> dict[str, str]:
    texts = {name: json.dumps(value) for name, value in row.items()}
    return {name: text for name, text in texts.items() if _MODEL in text or _PARTNER in text}


def _copy(client: MemoryDynamo, model: list[_Copied], number: str, partner_id: str) -> None:
    for copied in model:
        # What does not name them is shared by all copies: there may be two million rows.
        row = dict(copied.row)
        for name, text in copied.own.items():
            named = text.replace(_MODEL, f"ref_n{number}").replace(_PARTNER, partner_id)
            row[name] = json.loads(named)
        # Past the front door, which checks each request.
        table = client._table(copied.table)  # noqa: SLF001
        table.rows[row[names.PK]["S"], row[names.SK]["S"]] = row


@contextmanager
def _without_collector() -> Iterator[None]:
    """Keep the collector from walking millions of rows again and again while they are made."""
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


def count_rows(client: MemoryDynamo) -> int:
    """Return how many rows the product's tables hold."""
    return sum(len(client._table(name).rows) for name in (CORE, BOOKS))  # noqa: SLF001

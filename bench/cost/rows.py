"""Bytes of what is stored and sent for a click, taken from the product's own rows and answers."""

from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Final

from bench.meter import READ_BYTES, WRITE_BYTES
from functions.track_click import answers
from shared import names
from shared.adapters.dynamodb import keys
from shared.adapters.dynamodb.codec import to_wire
from shared.adapters.dynamodb.counter_rows import SHARD_BYTES, counter_row
from shared.adapters.dynamodb.link_rows import click_row
from shared.domain.activity import Counter, CounterId, Mark
from shared.domain.click_tokens import ClickToken, Keyring, SigningKey, issue
from shared.domain.clicks import Click
from shared.domain.links import Link, location
from shared.domain.visitors import KNOWN, visitors_of
from tests.fakes.dynamodb_values import row_bytes

_NOW: Final = datetime(2026, 11, 22, 4, 5, 6, 789_000, tzinfo=UTC)
_START: Final = datetime(2026, 1, 2, tzinfo=UTC)
_ID: Final = "01kb2v5m8n9pqrstvwxyz01234"
_CODE: Final = "k7m2p9x4qa"
_UTM: Final = {"utm_source": "partner", "utm_medium": "referral", "utm_campaign": "spring"}
_AGENT: Final = (
    "Mozilla/5.0 (Linux; Android 14; Pixel 8) AppleWebKit/537.36 (KHTML, like Gecko) "
    "Chrome/142.0.0.0 Mobile Safari/537.36"
)
_GATEWAY_HEADERS: Final = (
    "HTTP/1.1 302 Found\r\nDate: Sun, 22 Nov 2026 04:05:06 GMT\r\nContent-Length: 0\r\n"
    "Connection: keep-alive\r\nApigw-Requestid: JKJaXmPLvHcESHA=\r\n\r\n"
)
_MARK_DIGITS: Final = 12
_SEQUENCE: Final = 4_096_000_000_000_000_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Rows:
    """Sizes in bytes. ``click`` is a usual click's row, ``answer`` what its visitor gets."""

    click: int
    answer: int

    def counter(self, *, visitors: int, shards: int) -> int:
        """Return the size of a link's counter that knows so many visitors, by so many shards."""
        return _counter_bytes(visitors, shards)

    def counter_writes(self, *, visitors: int, shards: int) -> Decimal:
        """Return the units of writing such a counter."""
        return self.write_units(self.counter(visitors=visitors, shards=shards))

    def counter_reads(self, *, visitors: int, shards: int) -> Decimal:
        """Return the units of reading such a counter consistently."""
        return self.read_units(self.counter(visitors=visitors, shards=shards))

    def read_units(self, size: int) -> Decimal:
        """Return the units of reading a row of this size consistently."""
        return Decimal(-(-size // READ_BYTES))

    def write_units(self, size: int) -> Decimal:
        """Return the units of writing a row of this size."""
        return Decimal(-(-size // WRITE_BYTES))


def _click_bytes() -> int:
    click = Click(
        click_id=f"clk_{_ID}",
        code=_CODE,
        program_id=f"prg_{_ID}",
        partner_id=f"ptr_{_ID}",
        clicked_at=_NOW,
        campaign="spring",
        asset="banner-1",
        visitor="0" * _MARK_DIGITS,
        utm=_UTM,
        user_agent=_AGENT,
    )
    return row_bytes(to_wire(click_row(click)))


def _answer_bytes() -> int:
    token = ClickToken(
        click_id=f"clk_{_ID}",
        code=_CODE,
        partner_id=f"ptr_{_ID}",
        program_id=f"prg_{_ID}",
        clicked_at=_NOW,
    )
    ring = Keyring(keys=(SigningKey(key_id="k1", secret=b"s" * 32, created_at=_START),))
    link = Link(
        code=_CODE,
        program_id=f"prg_{_ID}",
        partner_id=f"ptr_{_ID}",
        destination="https://www.shop.example/offers/spring?plan=team",
        utm=_UTM,
        created_at=_NOW,
    )
    answer = answers.redirect(location(link, "", issue(token, ring)))
    headers = "".join(f"{name}: {value}\r\n" for name, value in answer["headers"].items())
    return len(_GATEWAY_HEADERS + headers)


def _counter_bytes(visitors: int, shards: int) -> int:
    # More take no more room.
    known = min(visitors, KNOWN + 1)
    counter = Counter(
        counter_id=CounterId(
            program_id=f"prg_{_ID}",
            partner_id=f"ptr_{_ID}",
            code=_CODE,
            campaign="spring",
            asset="banner-1",
            day=date(2026, 11, 22),
        ),
        clicks=visitors,
        visitors=visitors_of(f"{number:0{_MARK_DIGITS}x}" for number in range(known)).kept(),
        marks={
            f"{shard:0{2 * SHARD_BYTES}x}": Mark(sequence=_SEQUENCE, hour=494_000)
            for shard in range(shards)
        },
        version=visitors,
    )
    wanted = counter.counter_id
    parts = (wanted.code, wanted.campaign, wanted.asset)
    key = keys.activity(wanted.program_id, wanted.partner_id, "2026-11-22", *parts)
    return row_bytes(
        {**to_wire(counter_row(counter)), names.PK: {"S": key[0]}, names.SK: {"S": key[1]}}
    )


ROWS: Final = Rows(click=_click_bytes(), answer=_answer_bytes())

"""Rows of counters: what a day's clicks add up to, within one write unit of 1 KB."""

from datetime import UTC, date, datetime, time, timedelta
from typing import Final

from shared import names
from shared.adapters.dynamodb import keys
from shared.adapters.dynamodb.codec import Item
from shared.domain.activity import Counter, CounterId, Mark, Marks
from shared.domain.visitors import MARK_BYTES, REGISTER_BITS, Visitors

COUNTERS_KEPT: Final = timedelta(days=400)
"""A month can be compared with that of the year before; keeping costs more than counting."""

SHARD_BYTES: Final = 6
"""Of a shard's hash. Two of a day's 24 are alike in one of 10**12 counters."""
_HOUR_BYTES: Final = 3


def counter_row(counter: Counter) -> Item:
    """Return the row of a counter as it is written next, without its key.

    It stays within one write unit of 1 KB, and says nothing that its key says already.
    """
    forgotten_at = datetime.combine(counter.counter_id.day, time(), UTC) + COUNTERS_KEPT
    visitors = counter.visitors
    return {
        "clicks": counter.clicks,
        "bots": counter.bots,
        "visitors": _marks_of(visitors) or None,
        "registers": _packed(visitors.registers) or None,
        "marks": marks_row(counter.marks),
        "sealed": counter.sealed or None,
        "version": counter.version + 1,
        names.TTL: int(forgotten_at.timestamp()),
    }


def counter_from(row: Item) -> Counter:
    """Return a counter from its row."""
    program_id, partner_id, day, *parts = keys.activity_parts((row[names.PK], row[names.SK]))
    code, campaign, asset = parts if partner_id else ("", *parts)
    return Counter(
        counter_id=CounterId(
            program_id=program_id,
            day=date.fromisoformat(day),
            partner_id=partner_id,
            code=code,
            campaign=campaign,
            asset=asset,
        ),
        clicks=row["clicks"],
        bots=row["bots"],
        visitors=Visitors(
            known=_known_in(row.get("visitors", b"")),
            registers=_unpacked(row.get("registers", b"")),
        ),
        marks=marks_from(row["marks"]),
        sealed=row.get("sealed", False),
        version=row["version"],
    )


def _marks_of(visitors: Visitors) -> bytes:
    return b"".join(mark.to_bytes(MARK_BYTES, "big") for mark in sorted(visitors.known))


def _known_in(raw: bytes) -> frozenset[int]:
    places = range(0, len(raw), MARK_BYTES)
    return frozenset(int.from_bytes(raw[at : at + MARK_BYTES], "big") for at in places)


def _packed(registers: bytes) -> bytes:
    number = 0
    for rank in registers:
        number = number << REGISTER_BITS | rank
    return number.to_bytes(len(registers) * REGISTER_BITS // 8, "big")


def _unpacked(raw: bytes) -> bytes:
    number, size = int.from_bytes(raw, "big"), len(raw) * 8 // REGISTER_BITS
    lowest = (1 << REGISTER_BITS) - 1
    return bytes(number >> REGISTER_BITS * at & lowest for at in reversed(range(size)))


def marks_row(marks: Marks) -> bytes:
    """Return marks in few bytes; a sequence number may have more digits than the store's numbers.

    Each is the shard, the hour, the length of the sequence number and that number.
    """
    raw = b""
    for shard, mark in marks.items():
        size = (mark.sequence.bit_length() + 7) // 8
        raw += bytes.fromhex(shard) + mark.hour.to_bytes(_HOUR_BYTES, "big")
        raw += bytes([size]) + mark.sequence.to_bytes(size, "big")
    return raw


def marks_from(raw: bytes) -> Marks:
    """Return the marks of a row."""
    marks: dict[str, Mark] = {}
    while raw:
        shard, hour, (size,), rest = (
            raw[:SHARD_BYTES],
            raw[SHARD_BYTES : SHARD_BYTES + _HOUR_BYTES],
            raw[SHARD_BYTES + _HOUR_BYTES : SHARD_BYTES + _HOUR_BYTES + 1],
            raw[SHARD_BYTES + _HOUR_BYTES + 1 :],
        )
        marks[shard.hex()] = Mark(
            sequence=int.from_bytes(rest[:size], "big"), hour=int.from_bytes(hour, "big")
        )
        raw = rest[size:]
    return marks

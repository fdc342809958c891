"""Rows of the books, and the reads that lists and reconciliation need."""

from collections.abc import Iterator
from dataclasses import asdict
from datetime import datetime
from typing import TYPE_CHECKING

from shared import names
from shared.adapters.dynamodb import keys
from shared.adapters.dynamodb.client import get, query
from shared.adapters.dynamodb.codec import Item
from shared.adapters.dynamodb.transactions import ABSENT, Operation, put, put_new
from shared.domain.books import Book, Movement
from shared.domain.rewards import Subject

if TYPE_CHECKING:
    from types_boto3_dynamodb import DynamoDBClient


def movement_row(movement: Movement) -> Item:
    """Return the row of a movement with its list entry."""
    row = asdict(movement)
    row["cause"] = list(movement.cause)
    row["posted_at"] = movement.posted_at.isoformat()
    row["effective_at"] = movement.effective_at.isoformat()
    place = f"{row['posted_at']}#{movement.movement_id}"
    listed = keys.in_list("MOV", movement.program_id, place, spread_by=movement.movement_id)
    row[names.PROGRAM_PK] = listed[names.LIST_PK]
    row[names.PROGRAM_SK] = listed[names.LIST_SK]
    return row


def movement_from(row: Item) -> Movement:
    """Return a movement from its row."""
    fields = {name: row[name] for name in Movement.__dataclass_fields__}
    fields["cause"] = tuple(row["cause"])
    fields["posted_at"] = datetime.fromisoformat(row["posted_at"])
    fields["effective_at"] = datetime.fromisoformat(row["effective_at"])
    return Movement(**fields)


def append(books_table: str, movement: Movement) -> Operation:
    """Return the write that appends a movement: only if its natural key is new."""
    key = keys.movement(movement.holder_id, movement.program_id, movement.natural_key)
    return put_new(books_table, key, movement_row(movement))


def advance(core_table: str, before: Book, after: Book) -> Operation:
    """Return the write that moves a book from ``before`` to ``after``, if it still is so."""
    row: Item = {
        "holder_id": after.holder_id,
        "program_id": after.program_id,
        "seq": after.seq,
        "head": after.head,
        "posted_at": after.posted_at.isoformat() if after.posted_at else None,
        "balances": dict(after.balances),
        **keys.of_partner("BOOK", after.holder_id, after.program_id),
    }
    expect = {"seq": before.seq} if before.seq else {names.PK: ABSENT}
    return put(core_table, keys.book(after.holder_id, after.program_id), row, expect=expect)


def book_from(row: Item) -> Book:
    """Return a book from its row."""
    posted_at = row.get("posted_at")
    return Book(
        holder_id=row["holder_id"],
        program_id=row["program_id"],
        seq=row["seq"],
        head=row["head"],
        posted_at=datetime.fromisoformat(posted_at) if posted_at else None,
        balances=row["balances"],
    )


def read_book(client: "DynamoDBClient", core_table: str, holder_id: str, program_id: str) -> Book:
    """Return a holder's book, empty if nothing was posted to it yet."""
    row = get(client, core_table, keys.book(holder_id, program_id))
    return book_from(row) if row else Book(holder_id=holder_id, program_id=program_id)


def books_of_holder(client: "DynamoDBClient", core_table: str, holder_id: str) -> tuple[Book, ...]:
    """Return a holder's books in all programmes (read from an index: for people only)."""
    index = (names.INDEX_PARTNER, names.PARTNER_PK, names.PARTNER_SK)
    rows = query(client, core_table, f"BOOK#{holder_id}", index=index)
    return tuple(book_from(row) for row in rows)


def movements_of_book(
    client: "DynamoDBClient", books_table: str, holder_id: str, program_id: str
) -> tuple[Movement, ...]:
    """Return all movements of a book in the order they were posted, read consistently."""
    partition, _ = keys.book(holder_id, program_id)
    rows = query(client, books_table, partition)
    return tuple(sorted((movement_from(row) for row in rows), key=lambda row: row.seq))


def movements_of_referral(
    client: "DynamoDBClient", books_table: str, holder_id: str, program_id: str, referral_id: str
) -> tuple[Movement, ...]:
    """Return a referral's movements in one holder's book, but those that release holds."""
    partition, _ = keys.book(holder_id, program_id)
    prefix = f"MOV#referral#{referral_id}#"
    rows = query(client, books_table, partition, prefix=prefix)
    return tuple(sorted((movement_from(row) for row in rows), key=lambda row: row.seq))


def movements_of_subject(
    client: "DynamoDBClient", books_table: str, holder_id: str, subject: Subject
) -> Iterator[Movement]:
    """Yield a subject's movements in one holder's book but releases, each reward's in order."""
    partition, _ = keys.book(holder_id, subject.program_id)
    prefix = f"MOV#{subject.scope}#{subject.subject_id}#"
    for row in query(client, books_table, partition, prefix=prefix):
        yield movement_from(row)


def movements_of_reward(
    client: "DynamoDBClient", books_table: str, holder_id: str, program_id: str, reward_id: str
) -> tuple[Movement, ...]:
    """Return the movements that released a reward's holds."""
    partition, _ = keys.book(holder_id, program_id)
    rows = query(client, books_table, partition, prefix=f"MAT#{reward_id}#")
    return tuple(sorted((movement_from(row) for row in rows), key=lambda row: row.seq))


def newest_movements(
    client: "DynamoDBClient", books_table: str, partition: str, *, limit: int, before: str = ""
) -> Iterator[Movement]:
    """Yield movements of one shard of a programme's list, newest first (from an index)."""
    index = (names.INDEX_PROGRAM, names.PROGRAM_PK, names.PROGRAM_SK)
    rows = query(
        client,
        books_table,
        partition,
        index=index,
        limit=limit,
        before=before,
        newest_first=True,
    )
    for row in rows:
        yield movement_from(row)

"""Tables of the DynamoDB in memory: keys, indexes, and the judgement of one write or query."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from shared import names
from tests.fakes.dynamodb_expressions import Condition, Scope, change, conditions
from tests.fakes.dynamodb_values import (
    RefusedError,
    Row,
    copied_row,
    invalid,
    row_bytes,
    sortable,
    stored,
)

Answer = dict[str, Any]
RowKey = tuple[str, str]
Index = tuple[str, str, str]
"""Partition attribute, sort attribute and the type of the sort attribute."""

MAX_ROW_BYTES = 400 * 1024
MAX_PAGE_BYTES = 1024 * 1024
_MAX_KEY_BYTES = {names.PK: 2048, names.SK: 1024}

_CORE_INDEXES: dict[str, Index] = {
    names.INDEX_LIST: (names.LIST_PK, names.LIST_SK, "S"),
    names.INDEX_PARTNER: (names.PARTNER_PK, names.PARTNER_SK, "S"),
    names.INDEX_DUE: (names.DUE_PK, names.DUE_SK, "S"),
}
_BOOKS_INDEXES: dict[str, Index] = {
    names.INDEX_SEQ: (names.PK, names.SEQ, "N"),
    names.INDEX_PROGRAM: (names.PROGRAM_PK, names.PROGRAM_SK, "S"),
}


@dataclass(slots=True, kw_only=True)
class Table:
    name: str
    key_names: tuple[str, ...]
    indexes: dict[str, Index]
    rows: dict[RowKey, Row] = field(default_factory=dict)

    def key_of(self, key: Row) -> RowKey:
        """Reads a key that must hold the key attributes and nothing else."""
        if set(key) != set(self.key_names):
            raise invalid("The provided key element does not match the schema")
        return self.key_in(key)

    def key_in(self, row: Row) -> RowKey:
        parts = []
        for name in self.key_names:
            text = row.get(name, {}).get("S")
            if text is None:
                raise invalid(f"One of the required keys is missing or of a wrong type: {name}")
            if not text:
                raise invalid(f"The AttributeValue for a key attribute cannot be empty: {name}")
            if len(text.encode()) > _MAX_KEY_BYTES[name]:
                raise invalid(f"One or more parameter values were invalid: size of {name}")
            parts.append(text)
        return parts[0], (*parts, "")[1]

    def checked(self, row: Row) -> Row:
        """Returns the row as it is kept, or refuses it."""
        kept = {name: stored(value) for name, value in row.items()}
        self.key_in(kept)
        for index, (pk, sk, kind) in self.indexes.items():
            for name, wanted in ((pk, "S"), (sk, kind)):
                if name in kept and kept[name].get(wanted) in (None, ""):
                    raise invalid(f"Type mismatch or empty value for index key {name} of {index}")
        if row_bytes(kept) > MAX_ROW_BYTES:
            raise invalid("Item size has exceeded the maximum allowed size")
        return kept


@dataclass(frozen=True, slots=True, kw_only=True)
class Write:
    """One write, judged but not yet applied: ``after`` is None when the row goes away."""

    table: Table
    key: RowKey
    before: Row | None
    after: Row | None
    failed: bool
    return_old: bool


def table_named(name: str) -> Table:
    """Returns an empty table with the keys and indexes that its name tells."""
    indexes = _CORE_INDEXES
    if name.endswith("books"):
        indexes = _BOOKS_INDEXES
    if name.endswith(("clicks", "vault")):
        indexes = {}
    return Table(name=name, key_names=(names.PK, names.SK), indexes=indexes)


def judge(table: Table, action: str, request: dict[str, Any]) -> Write:
    """Reads and checks one write against the present state, without applying it."""
    scope = Scope(request)
    wanted = conditions(request.get("ConditionExpression", ""), scope)
    if action == "ConditionCheck" and not wanted:
        raise invalid("The ConditionExpression of a ConditionCheck can not be empty")
    if action == "Put":
        key = table.key_in(request["Item"])
        before = table.rows.get(key)
        after: Row | None = table.checked(request["Item"])
    else:
        key = table.key_of(request["Key"])
        before = table.rows.get(key)
        after = before if action == "ConditionCheck" else None
    if action == "Update":
        after = _updated(table, request, scope, before)
    scope.close()
    return Write(
        table=table,
        key=key,
        before=before,
        after=after,
        failed=not all(one.holds(before or {}) for one in wanted),
        return_old=request.get("ReturnValuesOnConditionCheckFailure") == "ALL_OLD",
    )


def _updated(table: Table, request: dict[str, Any], scope: Scope, before: Row | None) -> Row:
    wanted = change(request.get("UpdateExpression", ""), scope)
    touched = {*wanted.assign, *wanted.remove} & set(table.key_names)
    if touched:
        raise invalid(
            f"Cannot update attribute {sorted(touched)}. This attribute is part of the key"
        )
    row = {**(before or request["Key"]), **wanted.assign}
    return {name: value for name, value in row.items() if name not in wanted.remove}


def reason_of(write: Write) -> dict[str, Any]:
    if write.failed:
        reason: Answer = {
            "Code": "ConditionalCheckFailed",
            "Message": "The conditional request failed",
        }
        if write.return_old and write.before:
            reason["Item"] = copied_row(write.before)
        return reason
    try:
        if write.after is not None:
            write.table.checked(write.after)
    except RefusedError as refused:
        return {"Code": "ValidationError", "Message": refused.message}
    return {"Code": "None"}


def _check_key_conditions(wanted: list[Condition], pk: str, sk: str) -> None:
    found = {one.attribute: one.test for one in wanted}
    allowed = {pk, sk} if sk else {pk}
    if len(found) != len(wanted) or found.get(pk) != "=" or not set(found) <= allowed:
        raise invalid("Query condition missed key schema element or is not supported")
    if found.get(sk, "=").startswith("attribute"):
        raise invalid("Invalid operator used in KeyConditionExpression")


def _position(table: Table, row: Row, sk: str) -> tuple[Any, ...]:
    own = [row[name]["S"].encode() for name in table.key_names]
    return (sortable(row[sk]) if sk else b"", *own)


def _page(rows: list[Row], limit: int | None, table: Table, key_names: tuple[str, str]) -> Answer:
    taken: list[Row] = []
    size = 0
    for row in rows:
        taken.append(row)
        size += row_bytes(row)
        if len(taken) == limit or size > MAX_PAGE_BYTES:
            break
    answer: Answer = {
        "Items": [copied_row(row) for row in taken],
        "Count": len(taken),
        "ScannedCount": len(taken),
    }
    # The service answers a key whenever the limit ended the page, even if no row follows.
    if taken and (len(taken) == limit or len(taken) < len(rows)):
        last = taken[-1]
        wanted = {*key_names, *table.key_names} - {""}
        answer["LastEvaluatedKey"] = copied_row({name: last[name] for name in wanted})
    return answer


def query_page(table: Table, request: dict[str, Any]) -> Answer:
    index = request.get("IndexName")
    if index and index not in table.indexes:
        raise invalid(f"The table does not have the specified index: {index}")
    if index and request.get("ConsistentRead"):
        raise invalid("Consistent reads are not supported on global secondary indexes")
    pk, sk = table.indexes[index][:2] if index else (*table.key_names, "")[:2]
    scope = Scope(request)
    wanted = conditions(request.get("KeyConditionExpression", ""), scope)
    scope.close()
    _check_key_conditions(wanted, pk, sk)
    positions = sorted(
        (_position(table, row, sk), row)
        for row in table.rows.values()
        if pk in row and (not sk or sk in row) and all(one.holds(row) for one in wanted)
    )
    forward = request.get("ScanIndexForward", True)
    if not forward:
        positions.reverse()
    start = request.get("ExclusiveStartKey")
    if start:
        if set(start) != {pk, *([sk] if sk else []), *table.key_names}:
            raise invalid("The provided starting key is invalid")
        after = _position(table, start, sk)
        positions = [p for p in positions if (p[0] > after if forward else p[0] < after)]
    return _page([row for _, row in positions], request.get("Limit"), table, (pk, sk))


def scan_page(table: Table, request: dict[str, Any]) -> Answer:
    """Reads a page of the whole table; what the filter drops counts towards the page."""
    scope = Scope(request)
    wanted = conditions(request.get("FilterExpression", ""), scope)
    scope.close()
    start = request.get("ExclusiveStartKey")
    after = table.key_of(start) if start else None
    rows = [row for key, row in sorted(table.rows.items()) if after is None or key > after]
    sk = (*table.key_names, "")[1]
    answer = _page(rows, request.get("Limit"), table, (table.key_names[0], sk))
    kept = [row for row in answer["Items"] if all(one.holds(row) for one in wanted)]
    return {**answer, "Items": kept, "Count": len(kept)}

"""Counts round trips to DynamoDB in memory, and the capacity that the service would charge.

Own arithmetic over the rows and requests, by the documented rules: a consistent read takes one
unit for each 4 KB begun, an eventually consistent one half of that; a query is rounded up once a
page. A write takes one unit for each 1 KB begun of the larger of the row before and after it, and
twice that in a transaction. An index that carries the row takes units of its own, never doubled.
Two assumptions, both on the dear side and not tried on the service: a mere check in a transaction
counts like a write, and a refused write like one that took effect. Streams, backups and storage
are not counted.
https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/read-write-operations.html
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from shared import names
from tests.fakes.dynamodb_tables import table_named
from tests.fakes.dynamodb_values import row_bytes
from tests.fakes.memory_dynamodb import MemoryDynamo

READ_BYTES: Final = 4 * 1024
WRITE_BYTES: Final = 1024
_SINGLE: Final = {"put_item": "Put", "update_item": "Update", "delete_item": "Delete"}

Row = Mapping[str, Any]


@dataclass(slots=True, kw_only=True)
class Call:
    """One round trip. ``rows`` are those that a read returned or a write named."""

    label: str
    rows: int = 0
    read_units: float = 0
    write_units: int = 0
    index_units: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """What one operation took, call by call."""

    calls: tuple[Call, ...]

    @property
    def labels(self) -> list[str]:
        """What was called, in order."""
        return [call.label for call in self.calls]

    @property
    def round_trips(self) -> int:
        """How often the store was asked."""
        return len(self.calls)

    @property
    def transactions(self) -> int:
        """How many of the round trips were transactions."""
        return sum(call.label.startswith("transact") for call in self.calls)

    @property
    def rows_read(self) -> int:
        """Rows that reads returned."""
        return sum(call.rows for call in self.calls if call.read_units)

    @property
    def read_units(self) -> float:
        """Read units."""
        return sum(call.read_units for call in self.calls)

    @property
    def write_units(self) -> int:
        """Write units of the tables."""
        return sum(call.write_units for call in self.calls)

    @property
    def index_units(self) -> int:
        """Write units of the indexes."""
        return sum(call.index_units for call in self.calls)

    def figures(self) -> dict[str, float]:
        """Return everything that can be summed, by name."""
        return {
            "round_trips": self.round_trips,
            "transactions": self.transactions,
            "rows_read": self.rows_read,
            "read_units": self.read_units,
            "write_units": self.write_units,
            "index_write_units": self.index_units,
        }


@dataclass(slots=True, kw_only=True)
class Meter:
    """Listens to a store until it is read; its own look-ups are no calls.

    A call that the store refuses is charged too, by what is known of the rows before it.
    """

    client: MemoryDynamo
    calls: list[Call] = field(default_factory=list)
    _befores: list[Row] = field(default_factory=list)

    def __post_init__(self) -> None:
        """Begin to listen."""
        self.client.before["*"] = self._begin
        self.client.after["*"] = self._end

    def taken(self) -> Usage:
        """Stop listening and return what was used since the beginning."""
        del self.client.before["*"], self.client.after["*"]
        return Usage(calls=tuple(self.calls))

    def _begin(self, request: Row) -> None:
        name = self.client.calls[-1][0]
        actions = _actions(name, request)
        self._befores = [self._row(body) for _, body in actions]
        call = Call(label=_label(name, request))
        if actions:
            afters = [_sent(body) for _, body in actions]
            _charge(call, name, actions, self._befores, afters)
            call.index_units = 0
        self.calls.append(call)

    def _end(self, request: Row, answer: Row) -> None:
        name = self.client.calls[-1][0]
        call = self.calls[-1]
        actions = _actions(name, request)
        if actions:
            afters = [self._row(body) for _, body in actions]
            _charge(call, name, actions, self._befores, afters)
            return
        if name == "batch_get_item":
            for table, asked in request["RequestItems"].items():
                rows = answer["Responses"][table]
                units = sum(max(_begun(row_bytes(row), READ_BYTES), 1) for row in rows)
                units += len(asked["Keys"]) - len(rows)
                call.read_units += units if asked.get("ConsistentRead") else units / 2
                call.rows += len(rows)
            return
        found = answer["Items"] if name == "query" else [answer.get("Item") or {}]
        begun = max(_begun(sum(row_bytes(row) for row in found), READ_BYTES), 1)
        call.read_units = begun if request.get("ConsistentRead") else begun / 2
        call.rows = sum(bool(row) for row in found)

    def _row(self, body: Row) -> Row:
        table = body["TableName"]
        row = body.get("Key") or body["Item"]
        key = {name: row[name] for name in table_named(table).key_names}
        found: Row = self.client.get_item(TableName=table, Key=key).get("Item", {})
        self.client.calls.pop()
        return found


def _actions(name: str, request: Row) -> list[tuple[str, Row]]:
    if name in _SINGLE:
        return [(_SINGLE[name], request)]
    return [pair for member in request.get("TransactItems", ()) for pair in member.items()]


def _sent(body: Row) -> Row:
    item: Row = body.get("Item", {})
    return item


def _charge(
    call: Call,
    name: str,
    actions: list[tuple[str, Row]],
    befores: list[Row],
    afters: list[Row],
) -> None:
    """Set what a write takes; this replaces what was set before it took effect."""
    factor = 2 if name == "transact_write_items" else 1
    sizes = [
        max(row_bytes(dict(before)), row_bytes(dict(after)))
        for before, after in zip(befores, afters, strict=True)
    ]
    call.rows = len(actions)
    call.write_units = sum(factor * max(_begun(size, WRITE_BYTES), 1) for size in sizes)
    call.index_units = sum(
        _index_units(body["TableName"], before, after)
        for (_, body), before, after in zip(actions, befores, afters, strict=True)
    )


def _index_units(table: str, before: Row, after: Row) -> int:
    """Return what the indexes take: every index of this project carries the whole row."""
    units = 0
    for pk, sk, _ in table_named(table).indexes.values():
        places = [
            (row[pk], row[sk]) if pk in row and sk in row else None for row in (before, after)
        ]
        sizes = [max(_begun(row_bytes(dict(row)), WRITE_BYTES), 1) for row in (before, after)]
        if places[0] == places[1]:
            units += max(sizes) if places[0] and before != after else 0
        else:
            units += sum(size for size, place in zip(sizes, places, strict=True) if place)
    return units


def _begun(size: int, unit: int) -> int:
    return -(-size // unit)


# -- names of calls -------------------------------------------------------------------------------


def _label(name: str, request: Row) -> str:
    """Name a call by what it does to which kinds of rows; ids are left out."""
    if name == "query":
        values = request["ExpressionAttributeValues"]
        prefix = values.get(":s", {}).get("S", "").partition("#")[0]
        place = " ".join(filter(None, (values[":p"]["S"].partition("#")[0], prefix)))
        index = request.get("IndexName")
        return f"query {place}" + (f" in {index}" if index else "")
    if name == "batch_get_item":
        keys = (key for asked in request["RequestItems"].values() for key in asked["Keys"])
        return f"get together: {', '.join(sorted({_place({'Key': key}) for key in keys}))}"
    if name == "get_item":
        return f"get {_place(request)}"
    counted = Counter(
        f"{action.lower()} {_place(body)}" for action, body in _actions(name, request)
    )
    members = (member + (f" x{times}" if times > 1 else "") for member, times in counted.items())
    listed = ", ".join(members)
    return f"transact: {listed}" if name == "transact_write_items" else listed


def _place(body: Row) -> str:
    row = body.get("Key") or body["Item"]
    parts = [row[name]["S"].partition("#")[0] for name in (names.PK, names.SK) if name in row]
    return "/".join(parts)

"""The in-memory DynamoDB with its rows filed by partition: a query looks at one shelf only.

The plain one looks at every row for every query, which a job over 100,000 referrals can't wait for.
"""

from typing import Any

from shared import names
from tests.fakes.dynamodb_tables import Answer, Index, RowKey, Table, query_page
from tests.fakes.dynamodb_values import Row
from tests.fakes.memory_dynamodb import MemoryDynamo

Rows = dict[RowKey, Row]
_INDEXES = ((names.PK, names.SK), (names.LIST_PK, names.LIST_SK))
"""Partitions that are filed; what is asked for in another index is looked for everywhere."""


class Filed(Rows):
    """Rows by key, and by partition of the table and of the index of lists."""

    def __init__(self) -> None:
        """Begin empty."""
        super().__init__()
        self.shelves: dict[tuple[str, str], Rows] = {}

    def __setitem__(self, key: RowKey, row: Row) -> None:
        """File a row; a partition never changes in the life of a row."""
        super().__setitem__(key, row)
        for name, _ in _INDEXES:
            if name in row:
                self.shelves.setdefault((name, row[name]["S"]), {})[key] = row

    def __delitem__(self, key: RowKey) -> None:
        """Take a row away."""
        row = self[key]
        super().__delitem__(key)
        for name, _ in _INDEXES:
            if name in row:
                del self.shelves[name, row[name]["S"]][key]


class Shelves(MemoryDynamo):
    """A DynamoDB of its own, for many rows."""

    def _table(self, name: str) -> Table:
        table = super()._table(name)
        if not isinstance(table.rows, Filed):
            table.rows = Filed()
        return table

    def _query(self, request: dict[str, Any]) -> Answer:
        table = self._table(request["TableName"])
        index: Index | None = table.indexes.get(request.get("IndexName", ""))
        name = index[0] if index else names.PK
        wanted = [
            value["S"] for value in request["ExpressionAttributeValues"].values() if "S" in value
        ]
        rows = table.rows
        if isinstance(rows, Filed) and name in {pk for pk, _ in _INDEXES}:
            rows = {
                key: row
                for text in wanted
                for key, row in rows.shelves.get((name, text), {}).items()
            }
        narrow = Table(name=table.name, key_names=table.key_names, indexes=table.indexes, rows=rows)
        return query_page(narrow, request)

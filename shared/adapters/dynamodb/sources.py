"""Webhook sources. Their secrets are stored as ciphertexts only."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from shared.adapters.dynamodb import keys, lists
from shared.adapters.dynamodb.client import get
from shared.adapters.dynamodb.codec import Item
from shared.adapters.dynamodb.transactions import (
    ConditionFailedError,
    put_new,
    transact,
    update,
)
from shared.domain.errors import ConflictError
from shared.domain.sources import GROSS, Source
from shared.domain.stages import stage_map

if TYPE_CHECKING:
    from types_boto3_dynamodb import DynamoDBClient


def source_row(source: Source) -> Item:
    """Return the row of a source with its list entry."""
    return {
        "source_id": source.source_id,
        "program_id": source.program_id,
        "kind": source.kind,
        "name": source.name,
        "secrets": list(source.secrets),
        "stage_map": source.stage_map.rows(),
        "default_currency": source.default_currency,
        "amount_is": source.amount_is,
        "created_at": source.created_at.isoformat(),
        **keys.in_list(
            lists.SOURCES, source.program_id, source.source_id, spread_by=source.source_id
        ),
    }


def source_from(row: Item) -> Source:
    """Return a source from its row."""
    return Source(
        source_id=row["source_id"],
        program_id=row["program_id"],
        kind=row["kind"],
        name=row["name"],
        secrets=tuple(row["secrets"]),
        stage_map=stage_map(row["stage_map"]),
        default_currency=row["default_currency"],
        created_at=datetime.fromisoformat(row["created_at"]),
        amount_is=row.get("amount_is", GROSS),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Sources:
    """Webhook sources in the core table."""

    client: "DynamoDBClient"
    core: str

    def source(self, source_id: str) -> Source | None:
        """Read a source consistently."""
        row = get(self.client, self.core, keys.source(source_id))
        return source_from(row) if row else None

    def save_source(self, source: Source, *, changed: Sequence[str]) -> None:
        """Write the ``changed`` fields. Each stands for itself, so the last one to write counts."""
        row = source_row(source)
        operation = update(
            self.core,
            keys.source(source.source_id),
            assign={name: row[name] for name in changed},
            expect={"source_id": source.source_id},
        )
        transact(self.client, [operation])

    def add_source(self, source: Source, *, mark: str) -> Source:
        """Store a source; answer the stored one if this very request stored it, with its secret.

        Raises:
            ConflictError: ``source_exists`` when the id is taken.
        """
        row = {**source_row(source), "created_by": mark}
        try:
            transact(self.client, [put_new(self.core, keys.source(source.source_id), row)])
        except ConditionFailedError as error:
            found = error.failed.get(0)
            if found and found.get("created_by") == mark:
                return source_from(found)
            raise ConflictError("source_exists", "this source id is taken") from error
        return source

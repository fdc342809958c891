"""Management keys: hashes, scopes and principals."""

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from shared.adapters.dynamodb import keys, lists
from shared.adapters.dynamodb.client import get
from shared.adapters.dynamodb.codec import Item
from shared.adapters.dynamodb.transactions import (
    ABSENT,
    ConditionFailedError,
    put_new,
    transact,
    update,
)
from shared.domain.access import ApiKey
from shared.domain.errors import ConflictError

if TYPE_CHECKING:
    from types_boto3_dynamodb import DynamoDBClient


def api_key_row(key: ApiKey) -> Item:
    """Return the row of a key with its list entry."""
    created_at = key.created_at.isoformat()
    return {
        "key_id": key.key_id,
        "sha256": key.sha256,
        "scopes": list(key.scopes),
        "principal": key.principal,
        "created_at": created_at,
        "revoked_at": key.revoked_at.isoformat() if key.revoked_at else None,
        **keys.in_list(
            lists.API_KEYS, lists.EVERYWHERE, f"{created_at}#{key.key_id}", spread_by=key.key_id
        ),
    }


def api_key_from(row: Item) -> ApiKey:
    """Return a key from its row."""
    revoked_at = row.get("revoked_at")
    return ApiKey(
        key_id=row["key_id"],
        sha256=row["sha256"],
        scopes=tuple(row["scopes"]),
        principal=row["principal"],
        created_at=datetime.fromisoformat(row["created_at"]),
        revoked_at=datetime.fromisoformat(revoked_at) if revoked_at else None,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiKeys:
    """Management keys in the core table."""

    client: "DynamoDBClient"
    core: str

    def api_key(self, key_id: str) -> ApiKey | None:
        """Read a key consistently, so that a revoked one stops at once."""
        row = get(self.client, self.core, keys.api_key(key_id))
        return api_key_from(row) if row else None

    def add_api_key(self, key: ApiKey, *, mark: str) -> ApiKey:
        """Store a key; answer the stored one if this very request stored it, with its secret.

        Raises:
            ConflictError: ``key_exists`` when the id is taken.
        """
        row = {**api_key_row(key), "created_by": mark}
        try:
            transact(self.client, [put_new(self.core, keys.api_key(key.key_id), row)])
        except ConditionFailedError as error:
            found = error.failed.get(0)
            if found and found.get("created_by") == mark:
                return api_key_from(found)
            raise ConflictError("key_exists", "this key id is taken") from error
        return key

    def revoke(self, key_id: str, *, now: datetime) -> None:
        """Mark an existing key as revoked; one that is revoked keeps its time."""
        try:
            transact(
                self.client,
                [
                    update(
                        self.core,
                        keys.api_key(key_id),
                        assign={"revoked_at": now.isoformat()},
                        expect={"key_id": key_id, "revoked_at": ABSENT},
                    )
                ],
            )
        except ConditionFailedError:
            return

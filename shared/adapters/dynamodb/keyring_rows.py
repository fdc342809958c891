"""Rows of keyrings. Standard library only, because the redirect reads them too."""

from datetime import datetime

from shared.adapters.dynamodb.codec import Item
from shared.domain.click_tokens import Keyring, SigningKey


def keyring_row(keyring: Keyring, *, version: int = 1) -> Item:
    """Return the row of a keyring."""
    return {
        "keys": [
            {
                "key_id": key.key_id,
                "secret": key.secret,
                "created_at": key.created_at.isoformat(),
            }
            for key in keyring.keys
        ],
        "version": version,
    }


def keyring_from(row: Item) -> Keyring:
    """Return a keyring from its row."""
    return Keyring(
        keys=tuple(
            SigningKey(
                key_id=key["key_id"],
                secret=key["secret"],
                created_at=datetime.fromisoformat(key["created_at"]),
            )
            for key in row["keys"]
        )
    )

"""Keyrings: the keys that sign click tokens, and the server's secret. Made once, on first use."""

import secrets
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Final

from shared.adapters.dynamodb import keys
from shared.adapters.dynamodb.client import get
from shared.adapters.dynamodb.codec import Item
from shared.adapters.dynamodb.keyring_rows import keyring_from, keyring_row
from shared.adapters.dynamodb.transactions import (
    ConditionFailedError,
    put_new,
    transact,
    update,
)
from shared.domain.click_tokens import Keyring, SigningKey
from shared.domain.errors import UnavailableError

if TYPE_CHECKING:
    from types_boto3_dynamodb import DynamoDBClient

_SECRET_BYTES: Final = 32
_FIRST: Final = "k1"


def click_keyring(client: "DynamoDBClient", table: str) -> Keyring:
    """Return the keys that sign and verify click tokens.

    Raises:
        UnavailableError: when there are none yet: no programme was ever created.
    """
    row = get(client, table, keys.click_keyring())
    if row is None:
        raise UnavailableError("no click keyring")
    return keyring_from(row)


def server_secret(client: "DynamoDBClient", table: str) -> bytes:
    """Return the newest secret for look-ups, receipts and cursors.

    Raises:
        UnavailableError: when there is none yet: no programme was ever created.
    """
    row = get(client, table, keys.server_keyring())
    if row is None:
        raise UnavailableError("no server keyring")
    newest: bytes = max(row["keys"], key=lambda key: str(key["created_at"]))["secret"]
    return newest


@dataclass(frozen=True, slots=True, kw_only=True)
class ClickKeyrings:
    """The click keyring as those who renew it need it."""

    client: "DynamoDBClient"
    core: str

    def click_keyring(self) -> tuple[Keyring, str]:
        """Return the ring and the mark of the request that renewed it last."""
        row = get(self.client, self.core, keys.click_keyring())
        if row is None:
            raise UnavailableError("no click keyring")
        return keyring_from(row), row.get("renewed_by", "")

    def save_click_keyring(self, keyring: Keyring, *, before: Keyring, mark: str) -> None:
        """Replace the ring if it is still the one ``before``."""
        operation = update(
            self.core,
            keys.click_keyring(),
            assign={"keys": keyring_row(keyring)["keys"], "renewed_by": mark},
            expect={"keys": keyring_row(before)["keys"]},
        )
        transact(self.client, [operation])


def ensure_keyrings(client: "DynamoDBClient", table: str, *, now: datetime) -> None:
    """Make both keyrings if they are missing; an existing one is never touched."""
    for key in (keys.click_keyring(), keys.server_keyring()):
        if get(client, table, key) is not None:
            continue
        try:
            transact(client, [put_new(table, key, _new_ring(now))])
        except ConditionFailedError:
            # Somebody made it between our look and our write: theirs counts.
            continue


def _new_ring(now: datetime) -> Item:
    secret = secrets.token_bytes(_SECRET_BYTES)
    key = SigningKey(key_id=_FIRST, secret=secret, created_at=now)
    return keyring_row(Keyring(keys=(key,)))

"""Renew the key that signs click tokens; the retired ones go on verifying."""

from datetime import datetime
from typing import Final

from shared.domain.click_tokens import Keyring, SigningKey, rotated
from shared.domain.errors import StaleVersionError
from shared.ports import KeyringStore

TRIES: Final = 5


def renew_click_key(store: KeyringStore, *, secret: bytes, now: datetime, mark: str) -> Keyring:
    """Return the ring with a new key, which signs after some minutes.

    A request that comes twice makes one key.

    Raises:
        ConflictError: ``keyring_full``.
        StaleVersionError: others renewed it meanwhile, five times over.
    """
    for _ in range(TRIES):
        ring, renewed_by = store.click_keyring()
        if renewed_by == mark:
            return ring
        number = max(int(key.key_id.removeprefix("k")) for key in ring.keys) + 1
        key = SigningKey(key_id=f"k{number}", secret=secret, created_at=now)
        after = rotated(ring, key)
        try:
            store.save_click_keyring(after, before=ring, mark=mark)
        except StaleVersionError:
            continue
        return after
    raise StaleVersionError

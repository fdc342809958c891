"""Create and revoke management keys, and tell whose key a request carries."""

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Final

from shared.domain.access import (
    ALL,
    ROOT,
    SCOPES,
    ApiKey,
    Credential,
    hash_secret,
    opens,
)
from shared.domain.errors import (
    ConflictError,
    ForbiddenError,
    NotFoundError,
    UnauthenticatedError,
    invalid,
)
from shared.ports import ApiKeyStore

ROOT_PRINCIPAL: Final = "root"


def authenticate(
    store: ApiKeyStore,
    credential: Credential | None,
    *,
    root_secret: Callable[[], str],
    now: datetime,
) -> ApiKey:
    """Return the live key that the credential opens.

    The first use of the generated root key stores its hash; the secret itself is read only while
    there is no such row.

    Raises:
        UnauthenticatedError: for no, a wrong or a revoked key, always the same.
    """
    if credential is None:
        raise UnauthenticatedError
    key = store.api_key(credential.key_id)
    if key is None and credential.key_id == ROOT:
        key = _root_key(root_secret(), now)
        if opens(key, credential.secret):
            store.add_api_key(key, mark=key.sha256)
    if not opens(key, credential.secret) or key is None:
        raise UnauthenticatedError
    return key


def _root_key(secret: str, now: datetime) -> ApiKey:
    return ApiKey(
        key_id=ROOT,
        sha256=hash_secret(secret),
        scopes=(ALL,),
        principal=ROOT_PRINCIPAL,
        created_at=now,
    )


def create_key(store: ApiKeyStore, key: ApiKey, *, creator: ApiKey, mark: str) -> ApiKey:
    """Store a key, and return it as an earlier run of the request stored it, if one did.

    Raises:
        InvalidFieldsError: for an unknown scope or none.
        ForbiddenError: when it would reach further than its creator.
    """
    if not key.scopes:
        raise invalid("scopes", "required", "must name at least one scope")
    for position, scope in enumerate(key.scopes):
        if scope not in SCOPES:
            message = "must be one of " + ", ".join(SCOPES)
            raise invalid(f"scopes[{position}]", "not_allowed", message)
    if not all(creator.may(scope) for scope in key.scopes):
        raise ForbiddenError
    return store.add_api_key(key, mark=mark)


def revoke_key(store: ApiKeyStore, key_id: str, *, revoker: ApiKey, now: datetime) -> ApiKey:
    """Make a key useless at once; a revoked one stays revoked since its first time.

    Raises:
        NotFoundError: no such key.
        ConflictError: ``own_key``: nobody locks oneself out.
        ForbiddenError: when the key reaches further than its revoker.
    """
    key = store.api_key(key_id)
    if key is None:
        raise NotFoundError
    if key.key_id == revoker.key_id:
        raise ConflictError("own_key", "a key can't revoke itself")
    if not _covers(revoker, key.scopes):
        raise ForbiddenError
    store.revoke(key_id, now=now)
    return store.api_key(key_id) or key


def _covers(key: ApiKey, scopes: Sequence[str]) -> bool:
    return all(key.may(scope) for scope in scopes)

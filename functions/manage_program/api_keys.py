"""Routes of management keys. Their secrets are shown once."""

import secrets
from typing import Final

from functions.manage_program import paging, views
from functions.manage_program.calls import Answer, Call
from functions.manage_program.documents import json_body
from functions.manage_program.schema import NewKey, read
from shared.adapters.dynamodb import lists
from shared.adapters.dynamodb.api_keys import api_key_from
from shared.domain.access import ApiKey, hash_secret, written
from shared.usecases.manage_keys import create_key, revoke_key

SECRET_BYTES: Final = 32


def create(call: Call) -> Answer:
    """Create a key; a replay of the request answers ``"key": null``."""
    body = read(NewKey, json_body(call.event))
    secret = secrets.token_hex(SECRET_BYTES)
    wanted = ApiKey(
        key_id=call.new_id("key"),
        sha256=hash_secret(secret),
        scopes=tuple(dict.fromkeys(body.scopes)),
        principal=body.principal,
        created_at=call.now,
    )
    key = create_key(call.services.api_keys, wanted, creator=call.key, mark=call.mark)
    shown = views.api_key(key)
    text = written(key.key_id, secret) if key.sha256 == wanted.sha256 else None
    return Answer(status=201, body={**shown, "key": text}, kept={**shown, "key": None})


def page(call: Call) -> Answer:
    """List the keys, newest first, without their secrets."""
    query = call.query(*paging.PAGING)
    found = call.services.lists.page(
        lists.API_KEYS,
        lists.EVERYWHERE,
        after=paging.after_of(call, query),
        limit=paging.limit_of(query),
    )
    return paging.answer(call, query, found, lambda row: views.api_key(api_key_from(row)))


def revoke(call: Call) -> Answer:
    """Revoke a key at once."""
    key = revoke_key(call.services.api_keys, call.id_of("key_id"), revoker=call.key, now=call.now)
    return Answer(status=200, body=views.api_key(key))

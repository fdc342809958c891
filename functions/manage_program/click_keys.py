"""Routes of the keys that sign click tokens. Their secrets are never shown."""

import secrets
from typing import Any, Final

from functions.manage_program import views
from functions.manage_program.calls import Answer, Call
from shared.domain.click_tokens import KNOWN_AFTER, Keyring
from shared.usecases.renew_click_key import renew_click_key

SECRET_BYTES: Final = 32


def renew(call: Call) -> Answer:
    """Add a key; it signs in ten minutes, and the others verify on."""
    call.services.ensure_keyrings(call.now)
    ring = renew_click_key(
        call.services.click_keyrings,
        secret=secrets.token_bytes(SECRET_BYTES),
        now=call.now,
        mark=call.mark,
    )
    return Answer(status=201, body=_shown(ring))


def show(call: Call) -> Answer:
    """Show which keys there are."""
    call.query()
    call.services.ensure_keyrings(call.now)
    ring, _ = call.services.click_keyrings.click_keyring()
    return Answer(status=200, body=_shown(ring))


def _shown(ring: Keyring) -> dict[str, Any]:
    oldest = min(ring.keys, key=lambda key: key.created_at)
    return {
        "keys": [
            {
                "id": key.key_id,
                "created_at": views.time_of(key.created_at),
                # A first key needs no time to become known.
                "signs_from": views.time_of(
                    key.created_at if key is oldest else key.created_at + KNOWN_AFTER
                ),
            }
            for key in sorted(ring.keys, key=lambda key: key.created_at, reverse=True)
        ]
    }

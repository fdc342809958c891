"""Create and change webhook sources."""

import base64
import binascii
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

from shared.domain.errors import ConflictError, NotFoundError, invalid
from shared.domain.money import is_currency
from shared.domain.sources import AMOUNTS, KINDS, Source
from shared.ports import ProgramStore, SourceStore

STANDARD: Final = "standard"
STANDARD_PREFIX: Final = "whsec_"
_KEY_BYTES: Final = range(24, 65)
_TEXT_LENGTH: Final = range(8, 501)


def create_source(
    sources: SourceStore, programs: ProgramStore, wanted: Source, *, mark: str
) -> Source:
    """Store a source, and return it as an earlier run of the request stored it, if one did.

    An empty ``default_currency`` becomes the programme's.

    Raises:
        InvalidFieldsError: naming the wrong field.
        ConflictError: ``program_closed``.
    """
    if wanted.kind not in KINDS:
        raise invalid("kind", "not_allowed", "must be one of " + ", ".join(KINDS))
    program = programs.program(wanted.program_id)
    if program is None:
        raise invalid("program_id", "unknown", "there is no such programme")
    if program.status == "closed":
        raise ConflictError("program_closed", "the programme is closed")
    source = replace(wanted, default_currency=wanted.default_currency or program.currency)
    _check(source)
    return sources.add_source(source, mark=mark)


def change_source(sources: SourceStore, source_id: str, changes: Mapping[str, Any]) -> Source:
    """Apply changes to a source. They hold for what is applied from now on, also by a replay.

    What was said already stays as it was understood then.

    Raises:
        NotFoundError: no such source.
        InvalidFieldsError: naming the wrong field.
    """
    before = read_source(sources, source_id)
    after = replace(before, **changes)
    _check(after)
    changed = [name for name in changes if getattr(after, name) != getattr(before, name)]
    if changed:
        sources.save_source(after, changed=changed)
    return after


def read_source(sources: SourceStore, source_id: str) -> Source:
    """Return a source.

    Raises:
        NotFoundError: no such source.
    """
    source = sources.source(source_id)
    if source is None:
        raise NotFoundError
    return source


def _check(source: Source) -> None:
    if source.amount_is not in AMOUNTS:
        raise invalid("amount_is", "not_allowed", "must be one of " + ", ".join(AMOUNTS))
    if not is_currency(source.default_currency):
        raise invalid("default_currency", "not_allowed", "must be an ISO 4217 code")


def generated_secret(kind: str, random_bytes: bytes) -> str:
    """Write random bytes as a secret of the kind's form."""
    if kind == STANDARD:
        return STANDARD_PREFIX + base64.b64encode(random_bytes).decode()
    return random_bytes.hex()


def check_secret(kind: str, secret: str) -> None:
    """Demand a secret of the kind's form.

    Raises:
        InvalidFieldsError: naming ``secret``, never repeating it.
    """
    if kind == STANDARD:
        encoded = secret.removeprefix(STANDARD_PREFIX)
        if encoded == secret or _decoded_length(encoded) not in _KEY_BYTES:
            message = "must be whsec_ and the base 64 of 24 to 64 bytes"
            raise invalid("secret", "bad_secret", message)
    elif len(secret) not in _TEXT_LENGTH or not secret.isascii() or not secret.isprintable():
        raise invalid("secret", "bad_secret", "must be 8 to 500 printable ASCII characters")


def _decoded_length(encoded: str) -> int:
    try:
        return len(base64.b64decode(encoded, validate=True))
    except (binascii.Error, ValueError):
        return 0

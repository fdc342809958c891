"""Every error that Goodword raises on purpose.

GoodwordError                     code
├── MalformedError                malformed_body          bytes that are no document
├── TooLargeError                 body_too_large
├── UnsupportedMediaError         unsupported_media_type
├── InvalidFieldsError            invalid_fields          names every field that is wrong
├── UnauthenticatedError          unauthenticated
├── ForbiddenError                forbidden
├── NotFoundError                 not_found               also for what the caller may not see
├── ConflictError                 (given by the caller)   illegal move, id taken, other body
├── StaleVersionError             stale_version           somebody else wrote first: reload
└── UnavailableError              store_unavailable       our own store failed: retry later
    └── NewerFactError            newer_fact              stored by a later version: retry later

Leaves carry a stable ``code``. One table in ``runtime.http`` maps them to HTTP. Anything else is
a bug and propagates.
"""

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class FieldError:
    """One wrong field: a dotted path, a stable code and a sentence for a person."""

    path: str
    code: str
    message: str


class GoodwordError(Exception):
    """Base of all errors with a stable code."""

    code = "error"


class MalformedError(GoodwordError):
    """The bytes are not a document of the declared type; its text is the place, if it is known."""

    code = "malformed_body"


class TooLargeError(GoodwordError):
    """The body is over the limit of its route."""

    code = "body_too_large"


class UnsupportedMediaError(GoodwordError):
    """The content type is not one that the route reads."""

    code = "unsupported_media_type"


class InvalidFieldsError(GoodwordError):
    """Well-formed input with wrong values; ``errors`` names each field."""

    code = "invalid_fields"

    def __init__(self, errors: Iterable[FieldError]) -> None:
        """Keep every field error, so that a caller can mend all of them at once."""
        self.errors = tuple(errors)
        super().__init__(", ".join(f"{e.path}: {e.code}" for e in self.errors))


class UnauthenticatedError(GoodwordError):
    """No valid credential or signature came with the request."""

    code = "unauthenticated"


class ForbiddenError(GoodwordError):
    """The credential is valid and does not reach this far."""

    code = "forbidden"


class NotFoundError(GoodwordError):
    """There is no such thing, or the caller may not know of it."""

    code = "not_found"


class ConflictError(GoodwordError):
    """The move is illegal in the present state, or the name is taken."""

    def __init__(self, code: str, message: str) -> None:
        """Carry a stable code of its own beside the sentence."""
        self.code = code
        super().__init__(message)


class StaleVersionError(GoodwordError):
    """A condition failed because somebody else wrote first. Reload and decide again."""

    code = "stale_version"


class UnavailableError(GoodwordError):
    """The store did not answer, or refused for reasons of load."""

    code = "store_unavailable"


class NewerFactError(UnavailableError):
    """A later version stored this fact; it must be read by one that understands it."""

    code = "newer_fact"


def invalid(path: str, code: str, message: str) -> InvalidFieldsError:
    """Build the error for a single wrong field."""
    return InvalidFieldsError([FieldError(path=path, code=code, message=message)])

"""One authenticated request, as the routes see it, and what they answer."""

import hashlib
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final
from urllib.parse import parse_qsl

from functions.manage_program.services import Services
from shared.domain.access import ApiKey
from shared.domain.errors import MalformedError, NotFoundError, invalid
from shared.domain.facts import digest32
from shared.ports import NewId

MAX_PARAMETERS: Final = 20
MAX_PARAMETER: Final = 2_000
_ID: Final = re.compile(r"[A-Za-z0-9_-]{1,80}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What a route answers. ``kept`` is what a replay answers, where that differs.

    Secrets are shown once and never stored: they are in ``body`` and not in ``kept``. A body is
    JSON unless ``headers`` say otherwise; then it is text, or bytes.
    """

    status: int
    body: Any = None
    kept: Any = None
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One request by a known key. ``mark`` names it: the same for every run of one request."""

    event: Mapping[str, Any]
    parameters: Mapping[str, str]
    key: ApiKey
    services: Services
    now: datetime
    new_id: NewId
    mark: str
    request_id: str

    def id_of(self, name: str) -> str:
        """Return an id from the path.

        Raises:
            NotFoundError: when it can't be an id.
        """
        return id_from(self.parameters.get(name, ""))

    def query(self, *allowed: str) -> dict[str, str]:
        """Return the query's parameters, each at most once.

        Raises:
            MalformedError: when there are too many.
            InvalidFieldsError: naming one that is unknown, repeated or too long.
        """
        try:
            pairs = parse_qsl(
                self.event.get("rawQueryString") or "",
                keep_blank_values=True,
                max_num_fields=MAX_PARAMETERS,
            )
        except ValueError as error:
            raise MalformedError from error
        found: dict[str, str] = {}
        for name, value in pairs:
            if name not in allowed:
                raise invalid(name[:100], "unknown_field", "allowed: " + ", ".join(allowed))
            if name in found:
                raise invalid(name, "duplicate", "must come once")
            if len(value) > MAX_PARAMETER:
                raise invalid(name, "too_long", f"at most {MAX_PARAMETER} characters")
            if name.endswith("_id") and not _ID.fullmatch(value):
                raise invalid(name, "bad_id", "must be an id")
            found[name] = value
        return found


def id_from(text: str) -> str:
    """Return a text that can be an id.

    Raises:
        NotFoundError: when it can't.
    """
    if not _ID.fullmatch(text):
        raise NotFoundError
    return text


Run = Callable[[Call], Answer]


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """Who may call what. ``pattern`` is below ``/v1/manage``; ``<name>`` stands for an id."""

    method: str
    pattern: str
    scope: str
    run: Run


def ids_of_request(seed: str) -> NewId:
    """Return a mint that gives the same ids in the same order for the same seed."""
    counts: dict[str, int] = {}

    def mint(prefix: str) -> str:
        place = counts.get(prefix, 0)
        counts[prefix] = place + 1
        body = digest32(f"{seed}#{prefix}#{place}") if place else seed
        return f"{prefix}_{body}"

    return mint


def bytes_of_request(mark: str, place: int, length: int) -> bytes:
    """Return bytes that look random and are the same for every run of one request."""
    return hashlib.sha256(f"{mark}#{place}".encode()).digest()[:length]

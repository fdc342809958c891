"""What the lean client signs with: Lambda's variables, or where they point to.

Functions that are restored from a snapshot have no key in their variables, but the address of a
service on their own machine that gives one for some hours.
https://docs.aws.amazon.com/lambda/latest/dg/snapstart-activate.html
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final
from urllib.parse import urlsplit

from shared.adapters.dynamodb.lean_connection import Connection
from shared.domain.errors import UnavailableError

_SECONDS: Final = 0.6
_OK: Final = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Credentials:
    """What signs. ``expires_at`` is in seconds since the epoch."""

    access_key: str
    secret_key: str = field(repr=False)
    session_token: str = field(default="", repr=False)
    expires_at: int | None = None


def credentials_from(environment: Mapping[str, str]) -> Callable[[], Credentials]:
    """Return what gives credentials that are good at the moment.

    Raises:
        KeyError: naming the variable that is missing.
    """
    url = environment.get("AWS_CONTAINER_CREDENTIALS_FULL_URI", "")
    if url and "AWS_ACCESS_KEY_ID" not in environment:
        token = environment.get("AWS_CONTAINER_AUTHORIZATION_TOKEN", "")
        return lambda: _fetched(url, token)
    found = Credentials(
        access_key=environment["AWS_ACCESS_KEY_ID"],
        secret_key=environment["AWS_SECRET_ACCESS_KEY"],
        session_token=environment.get("AWS_SESSION_TOKEN", ""),
    )
    return lambda: found


def _fetched(url: str, token: str) -> Credentials:
    parts = urlsplit(url)
    request = (
        f"GET {parts.path}{'?' if parts.query else ''}{parts.query} HTTP/1.1\r\n"
        f"Host: {parts.netloc}\r\nAuthorization: {token}\r\n\r\n"
    )
    connection = Connection(parts.hostname or "", parts.port or 80, context=None)
    try:
        status, body = connection.exchange(request.encode(), seconds=_SECONDS)
        answer = json.loads(body) if status == _OK else {}
        return Credentials(
            access_key=answer["AccessKeyId"],
            secret_key=answer["SecretAccessKey"],
            session_token=answer["Token"],
            expires_at=int(datetime.fromisoformat(answer["Expiration"]).timestamp()),
        )
    except (KeyError, OSError, TypeError, ValueError) as error:
        # Not the error's text: parts of an answer like this are secret.
        raise UnavailableError("NoCredentials") from error
    finally:
        connection.close()

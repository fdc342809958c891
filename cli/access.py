"""Where the management API is, and the key for it. The key is never printed."""

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from cli.refusals import WrongInputError
from shared.adapters.management_api import Management

URL: Final = "GOODWORD_URL"
KEY: Final = "GOODWORD_KEY"
LOCAL_ENDPOINTS: Final = Path(".local") / "endpoints.json"
TRIES: Final = 5
_LOOPBACK: Final = frozenset({"127.0.0.1", "localhost", "::1"})


def management(
    url: str, key_file: str, environ: Mapping[str, str], endpoints: Path = LOCAL_ENDPOINTS
) -> Management:
    """Return the API that options, environment or the local cloud name, in this order.

    Address and key of the local cloud are used together or not at all: its key goes nowhere else,
    and no other key goes to it by accident.

    Raises:
        WrongInputError: when one of the two is missing or can't be.
    """
    base_url = url or environ.get(URL, "")
    key = _first_line(key_file) if key_file else environ.get(KEY, "")
    if not base_url and not key:
        base_url, key = _of_local_cloud(endpoints)
    if not base_url:
        raise WrongInputError(f"give the address of the API: --url or {URL}")
    if not key:
        raise WrongInputError(f"give a management key: --key-file or {KEY}")
    if not (key.isascii() and key.isprintable()) or " " in key:
        raise WrongInputError("the management key has characters that no key has")
    return Management(base_url=_checked(base_url), key=key, tries=TRIES)


def _checked(url: str) -> str:
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError as error:
        raise WrongInputError("the address of the API is none") from error
    if parts.scheme not in {"http", "https"} or not host or parts.query or parts.fragment:
        raise WrongInputError("the address of the API must be such as https://api.example.com")
    if parts.username is not None or parts.password is not None:
        raise WrongInputError("the address of the API must not hold a user or a password")
    if parts.scheme == "http" and host not in _LOOPBACK:
        raise WrongInputError("the key is sent over https only")
    return url.rstrip("/")


def _first_line(name: str) -> str:
    try:
        text = sys.stdin.readline() if name == "-" else Path(name).read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise WrongInputError(f"can't read the key file {name}") from error
    return text.strip().partition("\n")[0].strip()


def _of_local_cloud(endpoints: Path) -> tuple[str, str]:
    try:
        found = json.loads(endpoints.read_text("utf-8"))
        return str(found["api_url"]), str(found["admin_key"])
    except (OSError, ValueError, KeyError, TypeError):
        return "", ""

"""Short links, their QR codes, and many of them at once."""

import argparse
from http import HTTPStatus
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote, urlencode

from cli.bulk import make_links
from cli.link_file import read_links
from cli.output import Output
from cli.refusals import DONE, WrongInputError
from shared.adapters.management_api import ApiError, Management

COLUMNS: Final = ("code", "short_url", "destination", "campaign", "asset", "disabled", "expires_at")
PICTURES: Final = (".svg", ".png")


def show_all(api: Management, asked: argparse.Namespace, output: Output) -> int:
    """List the links of a programme or of a partner.

    Raises:
        WrongInputError: when neither is given.
    """
    query = {"program_id": asked.program, "partner_id": asked.partner}
    query = {name: value for name, value in query.items() if value}
    if not query:
        raise WrongInputError("give --program or --partner")
    output.listed(api.items("/links", most=asked.limit + 1, **query), COLUMNS, asked.limit)
    return DONE


def create(api: Management, asked: argparse.Namespace, output: Output) -> int:
    """Create one link."""
    body: dict[str, Any] = {
        "partner_id": asked.partner,
        "program_id": asked.program,
        "destination": asked.destination,
        "code": asked.code,
        "campaign": asked.campaign,
        "asset": asked.asset,
        "expires_at": asked.expires_at,
        "click_cap": asked.click_cap,
        "utm": dict(asked.utm),
    }
    output.record(api.post("/links", {name: value for name, value in body.items() if value}))
    return DONE


def disable(api: Management, asked: argparse.Namespace, output: Output) -> int:
    """Let a link lead nowhere until it is enabled again."""
    output.record(api.patch(_path(asked), {"disabled": True}))
    return DONE


def enable(api: Management, asked: argparse.Namespace, output: Output) -> int:
    """Let a disabled link lead on again."""
    output.record(api.patch(_path(asked), {"disabled": False}))
    return DONE


def retire(api: Management, asked: argparse.Namespace, output: Output) -> int:
    """Close a link for good; nobody ever gets its code again."""
    output.record(api.delete(_path(asked)))
    return DONE


def qr(api: Management, asked: argparse.Namespace, output: Output) -> int:
    """Save the QR code of a link.

    Raises:
        WrongInputError: the file's name ends in something else, or it can't be written.
        ApiError: not a 200.
    """
    target: Path = asked.out or Path(f"{asked.code}.svg")
    if target.suffix.lower() not in PICTURES:
        raise WrongInputError("the file's name must end in " + " or ".join(PICTURES))
    query = {"size": asked.size, "error": asked.error, "quiet_zone": asked.quiet_zone}
    text = urlencode({name: value for name, value in query.items() if value})
    path = f"{_path(asked)}/qr{target.suffix.lower()}"
    reply = api.request("GET", f"{path}?{text}")
    if reply.status != HTTPStatus.OK:
        raise ApiError("GET", path, reply)
    try:
        target.write_bytes(reply.body)
    except OSError as error:
        raise WrongInputError(f"can't write {target}") from error
    output.record({"file": str(target), "bytes": len(reply.body)})
    return DONE


def load(api: Management, asked: argparse.Namespace, output: Output) -> int:
    """Create the links of a CSV file, all of which is checked first.

    Raises:
        WrongInputError: naming row and column of every fault; nothing is sent then.
    """
    source: Path = asked.file
    rows = read_links(source, asked.program or "")
    result: Path = asked.out or source.with_name(f"{source.stem}.result.csv")
    if asked.dry_run:
        counted = {"links": len(rows), "result": None}
        output.lines([f"{len(rows)} links would be made; the server was not asked"], counted)
        return DONE
    if result.resolve() == source.resolve():
        raise WrongInputError("the result must not overwrite the file that is read")
    return make_links(api, rows, result, output)


def _path(asked: argparse.Namespace) -> str:
    return f"/links/{quote(asked.code, safe='')}"

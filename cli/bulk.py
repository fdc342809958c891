"""Make many links, one request each, so that a run that breaks off can be run again."""

import csv
import http.client
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from pathlib import Path
from typing import Final

from cli.link_file import LinkRow
from cli.output import Output, spreadsheet_cell
from cli.progress import Bar
from cli.refusals import DONE, FAILED, WrongInputError, words_of
from shared.adapters.management_api import Management, Reply

RESULT_COLUMNS: Final = (
    "row",
    "partner_id",
    "program_id",
    "destination",
    "campaign",
    "asset",
    "code",
    "short_url",
    "error",
)
_HOPELESS: Final = frozenset(
    {HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN, HTTPStatus.TOO_MANY_REQUESTS}
)
_OUR_SIDE: Final = HTTPStatus.INTERNAL_SERVER_ERROR


def make_links(api: Management, rows: Sequence[LinkRow], result: Path, output: Output) -> int:
    """Make the links in their order and write each answer to ``result`` at once.

    A row that the API refuses is noted there, and the next one follows. A key that may not make
    links, and an API that can't be reached, end the run.

    Raises:
        WrongInputError: the result can't be written.
    """
    bar = Bar(total=len(rows), stream=output.err)
    made: list[Mapping[str, str]] = []
    refused = 0
    try:
        with result.open("w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(RESULT_COLUMNS)
            for done, row in enumerate(rows, 1):
                reply = _send(api, row)
                if reply is None or reply.status in _HOPELESS or reply.status >= _OUR_SIDE:
                    bar.leave()
                    _tell_end(reply, done - 1, len(rows), output)
                    return FAILED
                answer = _answer_of(reply)
                made += [answer] if "code" in answer else []
                refused += "error" in answer
                writer.writerow(_cells(row, answer))
                file.flush()
                bar.show(done, f", {refused} refused" if refused else "")
    except OSError as error:
        raise WrongInputError(f"can't write {result}") from error
    summary = {"made": len(made), "refused": refused, "result": str(result), "links": made}
    output.lines([f"{len(made)} made, {refused} refused; see {result}"], summary)
    return FAILED if refused else DONE


def _send(api: Management, row: LinkRow) -> Reply | None:
    try:
        return api.request("POST", "/links", row.body, idempotency_key=row.key)
    except (OSError, http.client.HTTPException):
        return None


def _answer_of(reply: Reply) -> dict[str, str]:
    if reply.status != HTTPStatus.CREATED:
        return {"error": "; ".join(words_of(reply))}
    link = reply.fields
    return {"code": str(link.get("code")), "short_url": str(link.get("short_url"))}


def _cells(row: LinkRow, answer: Mapping[str, str]) -> list[str]:
    known = {**row.body, **answer, "row": row.number}
    return [spreadsheet_cell(str(known.get(column, ""))) for column in RESULT_COLUMNS]


def _tell_end(reply: Reply | None, done: int, total: int, output: Output) -> None:
    words = ["the API can't be reached"] if reply is None else words_of(reply)
    for line in words:
        output.note(line)
    output.note(f"broken off after {done} of {total}; run it again, nothing is made twice")

"""Links in a CSV file: read as a whole, checked as a whole, before anything is sent."""

import csv
import hashlib
import io
import json
import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from cli.refusals import WrongInputError
from shared.domain.errors import InvalidFieldsError
from shared.domain.link_rules import check_link
from shared.domain.links import QUERY_WINS, UTM_PREFIX, Link, parse_code

MAX_BYTES: Final = 10_000_000
MAX_ROWS: Final = 10_000
MAX_DESTINATION: Final = 2_000
MAX_LABEL: Final = 100
COLUMNS: Final = (
    "partner_id",
    "program_id",
    "destination",
    "code",
    "campaign",
    "asset",
    "expires_at",
    "click_cap",
    "precedence",
)
_DELIMITERS: Final = (";", "\t", ",")
_ID: Final = re.compile(r"[A-Za-z0-9_-]{1,80}")
_CAP: Final = re.compile(r"[1-9][0-9]{0,9}")
_SOME_TIME: Final = datetime(2000, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkRow:
    """One link to make. ``number`` is the row as a spreadsheet counts it.

    ``key`` follows from what the row says, and for rows that say the same from which of them it
    is: the same file gives the same keys, wherever its rows stand.
    """

    number: int
    body: Mapping[str, Any]
    key: str


def read_links(path: Path, program_id: str) -> list[LinkRow]:
    """Return the links of a file. ``program_id`` is for rows that name no programme.

    Raises:
        WrongInputError: naming row and column of every fault.
    """
    records = _records(path)
    header = [name.strip().lower() for name in records[0]] if records else []
    faults = list(_header_faults(header))
    if faults:
        raise WrongInputError(*faults)
    rows: list[LinkRow] = []
    seen: Counter[str] = Counter()
    codes: dict[str, int] = {}
    for number, record in enumerate(records[1:], 2):
        if not any(map(str.strip, record)):
            continue
        if len(record) > len(header):
            faults.append(f"row {number}: has more cells than the first row")
            continue
        cells = {name: text.strip() for name, text in zip(header, record, strict=False)}
        cells["program_id"] = cells.get("program_id") or program_id
        wrong = dict(_faults(cells))
        code = cells.get("code", "").lower()
        if code and "code" not in wrong and codes.setdefault(code, number) != number:
            wrong["code"] = f"is that of row {codes[code]} too"
        faults += [f"row {number}, column {name}: {text}" for name, text in wrong.items()]
        if not wrong:
            rows.append(_row(number, cells, seen))
    if not rows and not faults:
        faults.append("there are no links in this file")
    if faults:
        raise WrongInputError(*faults)
    return rows


def _records(path: Path) -> list[list[str]]:
    try:
        raw = path.read_bytes()
    except OSError as error:
        raise WrongInputError(f"can't read {path}") from error
    if len(raw) > MAX_BYTES:
        raise WrongInputError(f"{path} is over {MAX_BYTES // 1_000_000} MB")
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise WrongInputError(f"{path} is not UTF-8: save it as CSV UTF-8") from error
    first = text.partition("\n")[0]
    delimiter = max(_DELIMITERS, key=first.count)
    try:
        records = list(csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True))
    except csv.Error as error:
        raise WrongInputError(f"{path} is no CSV: {error}") from error
    if len(records) > MAX_ROWS + 1:
        raise WrongInputError(f"{path} has over {MAX_ROWS} rows: split it")
    return records


def _header_faults(header: Sequence[str]) -> Iterator[str]:
    for name, times in Counter(header).items():
        if name not in COLUMNS and not re.fullmatch(UTM_PREFIX + "[a-z0-9_]{1,40}", name):
            allowed = ", ".join(COLUMNS)
            yield f"row 1: there is no column {name[:MAX_LABEL]!r}; there are {allowed}, utm_..."
        elif times > 1:
            yield f"row 1: the column {name} comes {times} times"
    for name in ("partner_id", "destination"):
        if name not in header:
            yield f"row 1: the column {name} is missing"


def _faults(cells: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """Yield column and fault: what is wrong for certain, whatever the server knows besides."""
    for name, text in cells.items():
        if not text.isprintable():
            yield name, "holds a line break or another character that can't be seen"
        elif name != "destination" and len(text) > MAX_LABEL:
            yield name, f"has more than {MAX_LABEL} characters"
        elif name in _CHECKS and text:
            message = _CHECKS[name](text)
            if message:
                yield name, message
    for name in ("partner_id", "program_id", "destination"):
        if not cells.get(name):
            yield name, "is empty"
    yield from _rule_faults(cells)


def _rule_faults(cells: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    body = _body(cells)
    link = Link(
        code="",
        program_id="",
        partner_id="",
        destination="",
        own_utm=body.get("utm", {}),
        campaign=cells.get("campaign", ""),
        precedence=cells.get("precedence") or QUERY_WINS,
        created_at=_SOME_TIME,
    )
    try:
        check_link(link)
    except InvalidFieldsError as error:
        for one in error.errors:
            yield one.path.removeprefix("utm."), one.message


def _destination_fault(text: str) -> str:
    if not text.lower().startswith(("https://", "http://127.0.0.1", "http://localhost")):
        return "must begin with https://"
    if len(text) > MAX_DESTINATION:
        return f"has more than {MAX_DESTINATION} characters"
    return "must not hold spaces or backslashes" if set(text) & set(" \\") else ""


def _code_fault(text: str) -> str:
    try:
        parse_code(text)
    except InvalidFieldsError as error:
        return error.errors[0].message
    return ""


def _time_fault(text: str) -> str:
    try:
        zone = datetime.fromisoformat(text).tzinfo
    except ValueError:
        zone = None
    return "" if zone else "must be a time such as 2027-01-31T12:00:00Z"


def _id_fault(text: str) -> str:
    return "" if _ID.fullmatch(text) else "can't be an id"


def _cap_fault(text: str) -> str:
    return "" if _CAP.fullmatch(text) else "must be a whole number above 0"


_CHECKS: Final[Mapping[str, Callable[[str], str]]] = {
    "partner_id": _id_fault,
    "program_id": _id_fault,
    "destination": _destination_fault,
    "code": _code_fault,
    "expires_at": _time_fault,
    "click_cap": _cap_fault,
}


def _body(cells: Mapping[str, str]) -> dict[str, Any]:
    """Return what is sent, in one order, so that the same row is the same bytes."""
    body: dict[str, Any] = {name: cells[name] for name in COLUMNS if cells.get(name)}
    utm = {name: cells[name] for name in sorted(cells) if name.startswith(UTM_PREFIX)}
    if any(utm.values()):
        body["utm"] = {name: text for name, text in utm.items() if text}
    return body


def _row(number: int, cells: Mapping[str, str], seen: Counter[str]) -> LinkRow:
    body = _body(cells)
    if "click_cap" in body:
        body["click_cap"] = int(body["click_cap"])
    said = json.dumps(body)
    place = seen[said]
    seen[said] += 1
    digest = hashlib.sha256(f"{said}#{place}".encode()).hexdigest()
    return LinkRow(number=number, body=body, key=f"link-row-{digest[:40]}")

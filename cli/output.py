"""What commands print: tables for people, JSON for programs, CSV cells for spreadsheets."""

import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, TextIO

MAX_CELL: Final = 60
_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r", "\n", "\0")


@dataclass(frozen=True, slots=True, kw_only=True)
class Output:
    """Results go to ``out``, everything else to ``err``."""

    as_json: bool = False
    out: TextIO = field(default_factory=lambda: sys.stdout)
    err: TextIO = field(default_factory=lambda: sys.stderr)

    def table(self, rows: Sequence[Mapping[str, Any]], columns: Sequence[str]) -> None:
        """Print these columns of the rows, or the whole rows as JSON."""
        if self.as_json:
            self._json(rows)
            return
        lines = [[column.upper() for column in columns]]
        lines += [[cell(row.get(column)) for column in columns] for row in rows]
        widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
        for line in lines:
            padded = (text.ljust(width) for text, width in zip(line, widths, strict=True))
            self.out.write("  ".join(padded).rstrip() + "\n")

    def listed(self, rows: Sequence[Mapping[str, Any]], columns: Sequence[str], limit: int) -> None:
        """Print at most ``limit`` rows, and say if there are more."""
        self.table(rows[:limit], columns)
        if len(rows) > limit:
            self.note(f"there are more than {limit}: raise --limit")

    def record(self, found: Mapping[str, Any]) -> None:
        """Print one resource, a line for each field, or as JSON."""
        if self.as_json:
            self._json(found)
            return
        width = max(map(len, found), default=0)
        for name, value in found.items():
            self.out.write(f"{name.ljust(width)}  {plain(value)}".rstrip() + "\n")

    def lines(self, texts: Sequence[str], whole: Mapping[str, Any]) -> None:
        """Print lines, or the whole of what they tell as JSON."""
        if self.as_json:
            self._json(whole)
            return
        for text in texts:
            self.out.write(plain(text) + "\n")

    def document(self, value: object, whole: Mapping[str, Any]) -> None:
        """Print a document that people edit, or all that is known of it as JSON."""
        self._json(whole if self.as_json else value)

    def note(self, text: str) -> None:
        """Print a line beside the results."""
        self.err.write(plain(text) + "\n")
        self.err.flush()

    def _json(self, value: object) -> None:
        self.out.write(json.dumps(value, indent=2) + "\n")


def plain(value: object) -> str:
    """Return a value on one line; what a terminal might obey becomes a question mark."""
    if value is None or value == "":
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    text = value if isinstance(value, str) else json.dumps(value)
    return "".join(char if char.isprintable() else "?" for char in text)


def cell(value: object) -> str:
    """Return a value short enough for a table."""
    text = plain(value)
    return text if len(text) <= MAX_CELL else text[: MAX_CELL - 3] + "..."


def spreadsheet_cell(text: str) -> str:
    """Return a text that no spreadsheet takes for a formula."""
    return f"'{text}" if text.startswith(_FORMULA) else text

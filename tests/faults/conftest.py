"""Collects what the harness struck and prints it as a table at the end of the run."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

NAME = "points struck"


@pytest.fixture
def tell(
    record_property: Callable[[str, object], None],
) -> Callable[[str, str, int, int], None]:
    """Notes a line of the table: handler, scene, points, violated."""

    def note(handler: str, scene: str, points: int, violated: int) -> None:
        record_property(NAME, [handler, scene, points, violated])

    return note


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    reports = [one for kind in ("passed", "failed") for one in terminalreporter.getreports(kind)]
    rows = [row for one in reports for name, row in one.user_properties if name == NAME]
    if not rows:
        return
    terminalreporter.section("faults: points struck, and violated")
    for handler, scene, points, violated in sorted(rows):
        terminalreporter.write_line(f"{handler:18}{scene:44}{points:6}{violated:6}")
    total, bad = sum(row[2] for row in rows), sum(row[3] for row in rows)
    terminalreporter.write_line(f"{'all':18}{'':44}{total:6}{bad:6}")

"""Locks must install from any mirror, so they name none."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
LOCKS = sorted((ROOT / "requirements").glob("*.txt"))
INPUTS = sorted((ROOT / "requirements").glob("*.in"))
ADDRESS = re.compile(r"://|--(extra-)?index-url|--find-links|^-[if] ", re.MULTILINE)


@pytest.mark.parametrize("path", [*LOCKS, *INPUTS], ids=lambda path: path.name)
def test_no_requirement_names_an_address(path: Path) -> None:
    assert [] == ADDRESS.findall(path.read_text("utf-8"))


@pytest.mark.parametrize("path", LOCKS, ids=lambda path: path.name)
def test_every_locked_package_is_pinned_and_hashed(path: Path) -> None:
    entries = [
        entry
        for entry in re.split(r"\n(?=\S)", path.read_text("utf-8"))
        if entry.strip() and not entry.startswith("#")
    ]

    assert entries
    unpinned = [entry for entry in entries if not re.match(r"\S+==\S+ ", entry)]
    unhashed = [entry for entry in entries if "--hash=sha256:" not in entry]
    assert ([], []) == (unpinned, unhashed)


def test_every_lock_has_its_input() -> None:
    assert [path.stem for path in INPUTS] == [path.stem for path in LOCKS]


def test_the_node_lock_names_no_address() -> None:
    text = (ROOT / "package-lock.json").read_text("utf-8")

    assert "://" not in text
    assert '"resolved"' not in text


def test_the_cdk_command_line_is_pinned_to_one_version_with_its_hash() -> None:
    package = json.loads((ROOT / "package.json").read_text("utf-8"))
    lock = json.loads((ROOT / "package-lock.json").read_text("utf-8"))

    assert {"aws-cdk": "2.1148.1"} == package["devDependencies"]
    assert "2.1148.1" == lock["packages"]["node_modules/aws-cdk"]["version"]
    assert lock["packages"]["node_modules/aws-cdk"]["integrity"].startswith("sha512-")


def test_the_zips_hold_the_versions_that_the_tests_ran_with() -> None:
    development = _versions(ROOT / "requirements" / "dev.txt")

    different = {
        name: version
        for name, version in _versions(ROOT / "requirements" / "lambda.txt").items()
        if development.get(name) != version
    }

    assert {} == different


def _versions(path: Path) -> dict[str, str]:
    return dict(re.findall(r"^(\S+)==(\S+)", path.read_text("utf-8"), re.MULTILINE))

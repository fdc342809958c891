"""docs/errors.md lists every code that a caller can meet, and none besides."""

from __future__ import annotations

import ast
import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
SOURCES = [
    path
    for folder in ("functions", "shared")
    for path in sorted((ROOT / folder).rglob("*.py"))
    if "__pycache__" not in path.parts
]
TREES = {path: ast.parse(path.read_text("utf-8")) for path in SOURCES}
# Functions of ours that take (path, code, message).
FIELD_CALLS = {"_error", "fail", "invalid"}


def documented(heading: str) -> set[str]:
    text = (ROOT / "docs/errors.md").read_text("utf-8")
    section = text.partition(f"## {heading}\n")[2].partition("\n## ")[0]
    return set(re.findall(r"^\| `([a-z_]+)` \|", section, re.MULTILINE))


def text_of(node: ast.AST | None) -> set[str]:
    return {node.value} if isinstance(node, ast.Constant) and isinstance(node.value, str) else set()


def name_of(call: ast.Call) -> str:
    return call.func.id if isinstance(call.func, ast.Name) else getattr(call.func, "attr", "")


def problem_codes() -> set[str]:
    found: set[str] = set()
    for tree in TREES.values():
        for node in ast.walk(tree):
            if isinstance(node, ast.Call) and name_of(node) == "ConflictError":
                found |= text_of(node.args[0])
            if isinstance(node, ast.ClassDef) and node.name.endswith("Error"):
                for member in node.body:
                    if isinstance(member, ast.Assign) and ast.unparse(member.targets[0]) == "code":
                        found |= text_of(member.value)
    return found


def field_codes() -> set[str]:
    found: set[str] = set()
    for tree in TREES.values():
        for node in ast.walk(tree):
            if not isinstance(node, ast.Call):
                continue
            if name_of(node) in FIELD_CALLS and len(node.args) > 1:
                found |= text_of(node.args[1])
            if name_of(node) == "FieldError":
                for keyword in node.keywords:
                    if keyword.arg == "code":
                        found |= text_of(keyword.value)
    return found


def literals() -> set[str]:
    return {text for tree in TREES.values() for node in ast.walk(tree) for text in text_of(node)}


def test_every_problem_code_is_documented_and_raised() -> None:
    assert problem_codes() == documented("Codes of a problem")


def test_every_field_code_is_documented() -> None:
    assert set() == field_codes() - documented("Codes of a field")


def test_no_documented_field_code_is_invented() -> None:
    assert set() == documented("Codes of a field") - literals()
    assert len(documented("Codes of a field")) > 20

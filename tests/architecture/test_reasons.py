"""docs/reasons.md lists every outcome and code that an explanation can hold, and none besides.

Codes are found where they are made: as the second argument of a refusal, as ``code`` of a line or
of what an allowance came to, and as ``refunded`` of a value. A variable stands for all texts that
its function gives it.
"""

from __future__ import annotations

import ast
import re
from pathlib import Path

from shared.domain import referrals, verdicts

ROOT = Path(__file__).parents[2]
TREES = {
    path.name: ast.parse(path.read_text("utf-8"))
    for path in sorted((ROOT / "shared/domain").glob("*.py"))
}
MAKERS = {"Refusal": 1, "_line": 3}
KEYWORDS = {"code", "refunded"}
LINES = {"TraceLine", "Allowed", "Worked"}
# A text that depends on the review: one code for each state that neither pays nor waits.
REVIEWS = {
    f"review_{state}"
    for state in (
        referrals.REJECTED,
        referrals.WITHDRAWN,
        referrals.EXPIRED,
        referrals.SPAM,
    )
}


def documented(heading: str) -> set[str]:
    text = (ROOT / "docs/reasons.md").read_text("utf-8")
    section = text.partition(f"## {heading}\n")[2].partition("\n## ")[0]
    return set(re.findall(r"^\| `([a-z_]+)` \|", section, re.MULTILINE))


def makers() -> set[str]:
    """Modules that can make a line."""
    return {
        name
        for name, tree in TREES.items()
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and name_of(node) in {*MAKERS, *LINES}
    }


def name_of(call: ast.Call) -> str:
    return call.func.id if isinstance(call.func, ast.Name) else getattr(call.func, "attr", "")


def constants(tree: ast.Module) -> dict[str, str]:
    """Names that stand for a text in the whole module, imported ones of verdicts too."""
    found = {
        name: value
        for name, value in vars(verdicts).items()
        if isinstance(value, str) and name.isupper()
    }
    for node in tree.body:
        if (
            isinstance(node, ast.AnnAssign | ast.Assign)
            and isinstance(node.value, ast.Constant)
            and isinstance(node.value.value, str)
        ):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            found |= {
                target.id: node.value.value for target in targets if isinstance(target, ast.Name)
            }
    return found


class Codes:
    """Collects the texts that an expression can be, within one function."""

    def __init__(self, module: ast.Module, function: ast.AST) -> None:
        self.known = constants(module)
        self.given: dict[str, list[ast.expr]] = {}
        for node in ast.walk(function):
            if isinstance(node, ast.Assign):
                for target in node.targets:
                    self._bind(target, node.value)
            elif isinstance(node, ast.For):
                self._bind(node.target, node.iter)

    def _bind(self, target: ast.expr, value: ast.expr) -> None:
        if isinstance(target, ast.Name):
            self.given.setdefault(target.id, []).append(value)
        elif (
            isinstance(target, ast.Tuple)
            and isinstance(value, ast.Tuple)
            and len(target.elts) == len(value.elts)
        ):
            for part, of in zip(target.elts, value.elts, strict=True):
                self._bind(part, of)
        elif isinstance(target, ast.Tuple):
            for part in target.elts:
                self._bind(part, value)

    def of(self, node: ast.expr, seen: frozenset[str] = frozenset()) -> set[str]:
        match node:
            case ast.Constant(value=str() as text):
                return {text} - {""}
            case ast.Name(id=name) if name in self.known:
                return {self.known[name]}
            case ast.JoinedStr():
                return set(REVIEWS)
        return set().union(
            *(self.of(part, seen | _named(node)) for part in self._parts(node, seen))
        )

    def _parts(self, node: ast.expr, seen: frozenset[str]) -> list[ast.expr]:
        match node:
            case ast.IfExp(body=one, orelse=other):
                return [one, other]
            case ast.BoolOp(values=parts) | ast.Tuple(elts=parts):
                return parts
            case ast.Name(id=name) if name not in seen:
                return self.given.get(name, [])
        return []


def _named(node: ast.expr) -> frozenset[str]:
    return frozenset({node.id} if isinstance(node, ast.Name) else ())


def emitted() -> set[str]:
    found: set[str] = set()
    for tree in TREES.values():
        for function in ast.walk(tree):
            if not isinstance(function, ast.FunctionDef):
                continue
            codes = Codes(tree, function)
            # What holds a reward is told as its code.
            if function.name == "_held":
                for node in ast.walk(function):
                    if isinstance(node, ast.Return) and node.value:
                        found |= codes.of(node.value)
            for node in ast.walk(function):
                if isinstance(node, ast.Call):
                    found |= of_call(node, codes)
    return found


def of_call(call: ast.Call, codes: Codes) -> set[str]:
    found: set[str] = set()
    place = MAKERS.get(name_of(call))
    if place is not None and len(call.args) > place:
        found |= codes.of(call.args[place])
    if name_of(call) in LINES:
        for keyword in call.keywords:
            if keyword.arg in KEYWORDS:
                found |= codes.of(keyword.value)
    return found


def test_every_code_is_documented_and_every_documented_code_is_made() -> None:
    assert documented("Codes") == emitted()


def test_every_outcome_is_documented() -> None:
    outcomes = {
        verdicts.GRANTED,
        verdicts.NOT_YET,
        verdicts.DENIED,
        verdicts.CAPPED,
        verdicts.HELD,
        verdicts.REVERSED,
    }

    assert outcomes == documented("Outcomes")


def test_codes_are_looked_for_where_lines_are_made() -> None:
    assert {"evaluation.py", "partner_rules.py", "case.py", "values.py"} <= makers()
    assert len(emitted()) > 30


def test_every_state_of_a_review_is_thought_of() -> None:
    states = {
        value
        for name, value in vars(referrals).items()
        if name.isupper() and isinstance(value, str)
    }

    assert REVIEWS == {
        f"review_{state}" for state in states - referrals.OPEN_REVIEW - {referrals.ACCEPTED}
    }

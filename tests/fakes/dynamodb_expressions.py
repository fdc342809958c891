"""The part of DynamoDB's expression language that the adapters use. The rest is refused aloud."""

from __future__ import annotations

import operator
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tests.fakes.dynamodb_values import invalid, sortable, stored

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from tests.fakes.dynamodb_values import Row, Value

_TOKEN = re.compile(r"\s*([#:]\w+|<=|>=|<>|[A-Za-z_]\w*|[=<>(),+\-.\[\]]|$)")
# Bare names may be reserved words, which the service refuses: only these are known not to be.
_BARE = frozenset({"pk", "sk"})
_COMPARE: dict[str, Callable[[Any, Any], bool]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Condition:
    """One member of a conjunction."""

    test: str
    attribute: str
    operand: Value

    def holds(self, row: Row) -> bool:
        found = row.get(self.attribute)
        if self.test == "attribute_exists":
            return found is not None
        if self.test == "attribute_not_exists":
            return found is None
        # A missing attribute, or one of another type, satisfies no comparison.
        if found is None or found.keys() != self.operand.keys():
            return False
        if self.test == "=":
            return found == self.operand
        left, right = sortable(found), sortable(self.operand)
        if self.test == "begins_with":
            return bool(left.startswith(right))
        return _COMPARE[self.test](left, right)


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """What an update expression does."""

    assign: Mapping[str, Value]
    remove: tuple[str, ...]


class Scope:
    """The placeholders of one request; all must be defined, and all must be used."""

    def __init__(self, request: Mapping[str, Any]) -> None:
        self._names: dict[str, str] = request.get("ExpressionAttributeNames") or {}
        self._values: dict[str, Value] = request.get("ExpressionAttributeValues") or {}
        self._used: set[str] = set()
        for key in ("ExpressionAttributeNames", "ExpressionAttributeValues"):
            if key in request and not request[key]:
                raise invalid(f"{key} must not be empty")

    def name(self, token: str) -> str:
        if not token.startswith("#"):
            if token not in _BARE:
                raise NotImplementedError(f"bare attribute name {token!r}: use a placeholder")
            return token
        if token not in self._names:
            raise invalid(
                f"An expression attribute name used in the document is undefined: {token}"
            )
        self._used.add(token)
        return self._names[token]

    def value(self, token: str) -> Value:
        if not token.startswith(":"):
            raise NotImplementedError(f"operand {token!r}: only values are known here")
        if token not in self._values:
            raise invalid(f"An expression attribute value used is not defined: {token}")
        self._used.add(token)
        return stored(self._values[token])

    def close(self) -> None:
        unused = {*self._names, *self._values} - self._used
        if unused:
            raise invalid(f"Value provided but unused in expressions: {sorted(unused)}")


class _Reader:
    def __init__(self, text: str) -> None:
        self._tokens: list[str] = []
        at = 0
        while at < len(text.rstrip()):
            match = _TOKEN.match(text, at)
            if match is None:
                raise invalid(f"Invalid expression: syntax error near {text[at:]!r}")
            self._tokens.append(match[1])
            at = match.end()
        if not self._tokens:
            raise invalid("Invalid expression: The expression can not be empty;")
        self._at = 0

    def peek(self) -> str:
        return self._tokens[self._at] if self._at < len(self._tokens) else ""

    def take(self, expected: str = "") -> str:
        token = self.peek()
        if not token or (expected and token.upper() != expected):
            # It may be valid for the service; it is nothing that this fake can judge.
            raise NotImplementedError(f"expression near {token!r} in {' '.join(self._tokens)!r}")
        self._at += 1
        return token


def conditions(text: str, scope: Scope) -> list[Condition]:
    """Reads a conjunction; an empty list for no text."""
    if not text:
        return []
    reader = _Reader(text)
    parts = [_condition(reader, scope)]
    while reader.peek():
        reader.take("AND")
        parts.append(_condition(reader, scope))
    return parts


def _condition(reader: _Reader, scope: Scope) -> Condition:
    first = reader.take()
    if first in {"attribute_exists", "attribute_not_exists"}:
        reader.take("(")
        attribute = scope.name(reader.take())
        reader.take(")")
        return Condition(test=first, attribute=attribute, operand={})
    if first == "begins_with":
        reader.take("(")
        attribute = scope.name(reader.take())
        reader.take(",")
        operand = scope.value(reader.take())
        reader.take(")")
        return Condition(test=first, attribute=attribute, operand=operand)
    attribute = scope.name(first)
    test = reader.take()
    if test != "=" and test not in _COMPARE:
        raise NotImplementedError(f"comparison {test!r}")
    return Condition(test=test, attribute=attribute, operand=scope.value(reader.take()))


def change(text: str, scope: Scope) -> Change:
    """Reads ``SET a = :a, ... REMOVE b, ...``."""
    reader = _Reader(text)
    assign: dict[str, Value] = {}
    remove: list[str] = []
    seen: set[str] = set()
    while reader.peek():
        section = reader.take().upper()
        if section not in {"SET", "REMOVE"}:
            raise NotImplementedError(f"update clause {section!r}")
        if section in seen:
            raise invalid(f'The "{section}" section can only be used once in an update expression;')
        seen.add(section)
        _section(section, reader, scope, assign, remove)
    return Change(assign=assign, remove=tuple(remove))


def _section(
    section: str, reader: _Reader, scope: Scope, assign: dict[str, Value], remove: list[str]
) -> None:
    while True:
        attribute = scope.name(reader.take())
        if attribute in assign or attribute in remove:
            raise invalid(f"Two document paths overlap with each other: {attribute}")
        if section == "SET":
            reader.take("=")
            assign[attribute] = scope.value(reader.take())
        else:
            remove.append(attribute)
        if reader.peek() != ",":
            return
        reader.take(",")

"""What a request does to keep money whole: its conditions, and the members of its transaction.

A site is one such thing at one kind of place. The harness takes each away in turn from what is
sent, without touching the code, and must see that something is wrong. The tokens by which the SDK
marks a transaction that it sends again are no sites: they spare work, and decide nothing.
"""

from __future__ import annotations

import re
from copy import deepcopy
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from tests.harness.wire import place_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.fakes.memory_dynamodb import MemoryDynamo

Request = dict[str, Any]
_SINGLE = {"PutItem": "Put", "UpdateItem": "Update", "DeleteItem": "Delete"}
_AND = " AND "
_PLACEHOLDER = re.compile(r"[#:]\w+")
_ABSENT = re.compile(r"attribute_not_exists\((\S+)\)")
_EQUAL = re.compile(r"(\S+) = (\S+)")
_WRITTEN = re.compile(r"(condition): '(.+)' of (.+)|(member): (.+?)(?: beside (.+))?")


@dataclass(frozen=True, slots=True, order=True, kw_only=True)
class Site:
    """Something that can be taken away wherever it is sent.

    ``member`` is an action on a kind of row under its condition, ``part`` a conjunct of this.
    ``shape`` are all members of the transaction; a condition goes from every transaction.
    """

    kind: Literal["condition", "member"]
    member: str
    part: str = ""
    shape: str = ""

    def __str__(self) -> str:
        if self.kind == "condition":
            return f"condition: '{self.part}' of {self.member}"
        beside = "; ".join(one for one in self.shape.split("; ") if one != self.member)
        return f"member: {self.member}{' beside ' if beside else ''}{beside}"


def site_from(text: str) -> Site:
    """Return the site that was written as text."""
    written = _WRITTEN.fullmatch(text)
    assert written, text
    _, part, of, member, name, beside = written.groups()
    if not member:
        return Site(kind="condition", member=of, part=part)
    shape = "; ".join(sorted({name, *(beside.split("; ") if beside else ())}))
    return Site(kind="member", member=name, shape=shape)


def sites_of(operation: str, request: Request) -> Iterator[Site]:
    """Yield what can be taken away from a request."""
    members = _members(operation, request)
    shape = _shape(members)
    for action, body in members:
        member = _described(action, body)
        parts = _parts(body)
        for part in parts:
            yield Site(kind="condition", member=member, part=_named(part, body))
        # A check without its condition is no member any more.
        if len(members) > 1 and (action, len(parts)) != ("ConditionCheck", 1):
            yield Site(kind="member", shape=shape, member=member)


def refusing(operation: str, request: Request, store: MemoryDynamo) -> Iterator[Site]:
    """Yield the conditions of a request that do not hold of the rows as they are.

    A play in which a condition always holds goes the same way without it.
    """
    for action, body in _members(operation, request):
        row = _row(body, store)
        for part in _parts(body):
            if not _holds(part, body, row):
                yield Site(
                    kind="condition", member=_described(action, body), part=_named(part, body)
                )


def without(*sites: Site) -> Callable[[str, Request], Request | None]:
    """Return how a request is sent without what is at the sites; None: it is not sent at all."""
    parts: dict[str, set[str]] = {}
    for site in sites:
        if site.kind == "condition":
            parts.setdefault(site.member, set()).add(site.part)

    def mutate(operation: str, request: Request) -> Request | None:
        members = _members(operation, request)
        shape = _shape(members)
        gone = {site.member for site in sites if site.kind == "member" and site.shape == shape}
        if not any(_described(*member) in gone | parts.keys() for member in members):
            return request
        request = deepcopy(request)
        kept = []
        for action, body in _members(operation, request):
            described = _described(action, body)
            if described in gone:
                gone.remove(described)  # One of its kind is enough.
                continue
            if described in parts:
                _weaken(body, parts[described])
            if action != "ConditionCheck" or "ConditionExpression" in body:
                kept.append({action: body})
        if operation == "TransactWriteItems":
            request["TransactItems"] = kept
        return request if kept else None

    return mutate


def _members(operation: str, request: Request) -> list[tuple[str, Request]]:
    if operation == "TransactWriteItems":
        return [pair for row in request["TransactItems"] for pair in row.items()]
    return [(_SINGLE[operation], request)] if operation in _SINGLE else []


def _shape(members: list[tuple[str, Request]]) -> str:
    return "; ".join(sorted({_described(action, body) for action, body in members}))


def _described(action: str, body: Request) -> str:
    parts = [_named(part, body) for part in _parts(body)]
    condition = f" if {' and '.join(parts)}" if parts else ""
    return f"{action} {place_of(body)}{condition}"


def _parts(body: Request) -> list[str]:
    condition = body.get("ConditionExpression")
    return condition.split(_AND) if condition else []


def _named(part: str, body: Request) -> str:
    """Write a conjunct with the attribute's name, and without the value."""
    names = body.get("ExpressionAttributeNames") or {}
    return _PLACEHOLDER.sub(lambda found: names.get(found[0], "?"), part)


def _row(body: Request, store: MemoryDynamo) -> Request:
    full = body.get("Key") or {name: body["Item"][name] for name in ("pk", "sk")}
    found = store.get_item(TableName=body["TableName"], Key=full, ConsistentRead=True)
    row: Request = found.get("Item") or {}
    return row


def _holds(part: str, body: Request, row: Request) -> bool:
    names = body.get("ExpressionAttributeNames") or {}
    if absent := _ABSENT.fullmatch(part):
        return names[absent[1]] not in row
    equal = _EQUAL.fullmatch(part)
    assert equal, f"a condition of a new form: {part}"
    wanted = body["ExpressionAttributeValues"][equal[2]]
    return bool(row.get(names[equal[1]]) == wanted)


def _weaken(body: Request, parts: set[str]) -> None:
    """Take conjuncts away, and the placeholders that only they used."""
    kept = [one for one in _parts(body) if _named(one, body) not in parts]
    body.pop("ConditionExpression", None)
    if kept:
        body["ConditionExpression"] = _AND.join(kept)
    else:
        body.pop("ReturnValuesOnConditionCheckFailure", None)
    written = " ".join(text for name, text in body.items() if name.endswith("Expression"))
    used = set(_PLACEHOLDER.findall(written))
    for name in ("ExpressionAttributeNames", "ExpressionAttributeValues"):
        left = {token: value for token, value in body.pop(name, {}).items() if token in used}
        if left:
            body[name] = left

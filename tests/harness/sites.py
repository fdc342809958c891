"""What a request does to keep money whole: its conditions, its members, its token.

A site is one such thing at one kind of place. The harness takes each away in turn from what is
sent, without touching the code, and must see that something is wrong.
"""

from __future__ import annotations

import re
from copy import deepcopy
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from tests.harness.wire import place_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

Request = dict[str, Any]
_SINGLE = {"PutItem": "Put", "UpdateItem": "Update", "DeleteItem": "Delete"}
_AND = " AND "
_PLACEHOLDER = re.compile(r"[#:]\w+")


@dataclass(frozen=True, slots=True, order=True, kw_only=True)
class Site:
    """Something that can be taken away wherever it is sent.

    ``member`` is an action on a kind of row under its condition, ``part`` a conjunct of this.
    ``shape`` are all members of the transaction; a condition goes from every transaction.
    """

    kind: Literal["condition", "member", "token"]
    shape: str = ""
    member: str = ""
    part: str = ""

    def __str__(self) -> str:
        beside = [one for one in self.shape.split("; ") if one != self.member]
        among = f" beside {'; '.join(beside)}" if self.kind == "member" else ""
        what = f"'{self.part}' of " if self.part else ""
        return f"{self.kind}: {what}{self.member or self.shape}{among}"


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
    if operation == "TransactWriteItems":
        yield Site(kind="token", shape=shape)


def without(site: Site) -> Callable[[str, Request], Request | None]:
    """Return how a request is sent without what is at a site; None: it is not sent at all."""

    def mutate(operation: str, request: Request) -> Request | None:
        members = _members(operation, request)
        here = {_described(action, body) for action, body in members}
        if site.shape not in ("", _shape(members)) or (site.member and site.member not in here):
            return request
        request = deepcopy(request)
        if site.kind == "token":
            request.pop("ClientRequestToken", None)
            return request
        if operation != "TransactWriteItems":
            _weaken(request, site.part)
            return request
        return _without_member(site, request)

    return mutate


def _without_member(site: Site, request: Request) -> Request | None:
    kept = []
    dropped = False
    for row in request["TransactItems"]:
        ((action, body),) = row.items()
        if _described(action, body) == site.member:
            if site.kind == "member" and not dropped:
                dropped = True  # One of its kind is enough.
                continue
            _weaken(body, site.part)
            if action == "ConditionCheck" and "ConditionExpression" not in body:
                continue
        kept.append(row)
    return {**request, "TransactItems": kept} if kept else None


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


def _weaken(body: Request, part: str) -> None:
    """Take a conjunct away, and the placeholders that only it used."""
    kept = [one for one in _parts(body) if _named(one, body) != part]
    if kept:
        body["ConditionExpression"] = _AND.join(kept)
    elif part:
        del body["ConditionExpression"]
        body.pop("ReturnValuesOnConditionCheckFailure", None)
    written = " ".join(text for name, text in body.items() if name.endswith("Expression"))
    used = set(_PLACEHOLDER.findall(written))
    for name in ("ExpressionAttributeNames", "ExpressionAttributeValues"):
        left = {token: value for token, value in body.pop(name, {}).items() if token in used}
        if left:
            body[name] = left

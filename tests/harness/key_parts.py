"""Every part of every key that makes a row, a fact or a movement the same one; each can be blinded.

A function that builds a key without one of its parts takes two things for one: a scene, a race
played act by act, or a story of two that differ in this alone must end otherwise then.
"""

from __future__ import annotations

import inspect
import json
import sys
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from shared.adapters.dynamodb import keys
from shared.domain import books, deliveries, facts, rewards
from tests.harness.cloud import running_cloud
from tests.harness.explore import come_to_rest
from tests.harness.pairs import PAIRS
from tests.harness.plays import names, prepared
from tests.harness.sameness import broken_money
from tests.harness.twins import holdings, play_twins

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping
    from types import ModuleType

_STORIES = Path(__file__).with_name("witnesses_of_keys.json")
_BLIND = {str: "-", int: 0, bool: False}
# These take what others built, or build no key.
_NO_KEYS = {"activity_parts", "due", "due_partitions", "in_list", "list_partitions", "of_partner"}


@dataclass(frozen=True, slots=True, order=True, kw_only=True)
class Part:
    """One part of what ``function`` builds; ``path`` leads to it from a parameter."""

    function: str
    path: str

    def __str__(self) -> str:
        return f"{self.function}: {self.path}"


_MODULES: dict[str, ModuleType] = {
    **dict.fromkeys(("natural_key",), books),
    **dict.fromkeys(("fact_id",), facts),
    **dict.fromkeys(("reward_id",), rewards),
    **dict.fromkeys(("delivery_id",), deliveries),
}
_NESTED = {
    "natural_key": [
        "change.reward.scope",
        "change.reward.subject_id",
        "change.reward.rule_id",
        "change.reward.occurrence",
        "change.reward.role",
        "change.reward.reward_id",
        "sequence",
    ],
    "reward_id": [
        "subject.scope",
        "subject.subject_id",
        "subject.program_id",
        "identity.0",
        "identity.1",
        "identity.2",
    ],
}


def parts() -> list[Part]:
    """Return all parts: of the natural keys, and of each key that the tables have."""
    found = [Part(function=name, path=path) for name, paths in _NESTED.items() for path in paths]
    for name in ("fact_id", "delivery_id", *_key_functions()):
        parameters = inspect.signature(_function(name)).parameters.values()
        found += [Part(function=name, path=each.name) for each in parameters if _is_part(each)]
    return sorted(found)


def _key_functions() -> list[str]:
    return [
        name
        for name, function in inspect.getmembers(keys, inspect.isfunction)
        if not name.startswith("_") and name not in _NO_KEYS
    ]


def _is_part(parameter: inspect.Parameter) -> bool:
    return parameter.kind != parameter.VAR_POSITIONAL and parameter.name != "names_referral"


def _function(name: str) -> Callable[..., Any]:
    function: Callable[..., Any] = getattr(_MODULES.get(name, keys), name)
    return function


@contextmanager
def blind_to(part: Part) -> Iterator[None]:
    """Build keys without a part, wherever the function that does is known by now."""
    original = _function(part.function)
    signature = inspect.signature(original)
    name, *path = part.path.split(".")

    def blind(*given: Any, **named: Any) -> Any:  # noqa: ANN401 - as the original
        bound = signature.bind(*given, **named)
        if name in bound.arguments:
            bound.arguments[name] = _blinded(bound.arguments[name], path)
        return original(*bound.args, **bound.kwargs)

    with pytest.MonkeyPatch.context() as patch:
        for module in [*sys.modules.values()]:
            if not module.__name__.startswith(("shared.", "functions.", "tests.")):
                continue
            space = getattr(module, "__dict__", {})
            for known in [known for known, value in space.items() if value is original]:
                patch.setattr(module, known, blind)
        yield


def _blinded(value: Any, path: list[str]) -> Any:  # noqa: ANN401 - any argument
    if not path:
        return (_BLIND.get(type(value), "-"),) * 2 if isinstance(value, tuple) else _plain(value)
    step, *rest = path
    if isinstance(value, tuple):
        place = int(step)
        return (*value[:place], _blinded(value[place], rest), *value[place + 1 :])
    return replace(value, **{step: _blinded(getattr(value, step), rest)})


def _plain(value: object) -> object:
    return _BLIND.get(type(value), "-")


# -- where it is seen ----------------------------------------------------------------------------


TWINS = "twins"
STORIES = (*names(), *PAIRS, TWINS)
"""The last of them takes the longest, and tells most parts."""


def ending(name: str, part: Part | None = None) -> list[str]:
    """Tell a story to its end, perhaps blind to a part; return what everybody holds then."""
    with blind_to(part) if part else nullcontext(), running_cloud() as cloud:
        if name == TWINS:
            return [*play_twins(cloud), *broken_money(cloud)]
        if name in PAIRS:
            return PAIRS[name](cloud)
        for act in prepared(cloud, name):
            act(cloud)
        come_to_rest(cloud)
        return [*holdings(cloud), *broken_money(cloud)]


def look_in(name: str, left: Iterable[Part]) -> list[Part]:
    """Return of which parts a story tells; of none if it does not end the same way twice."""
    honest = ending(name)
    return [part for part in left if is_seen(part, name, honest)] if honest == ending(name) else []


def is_seen(part: Part, name: str, honest: list[str]) -> bool:
    """Tell whether a story ends otherwise than the honest one, or breaks off."""
    try:
        return ending(name, part) != honest
    except Exception:  # noqa: BLE001 - as it would fail the test
        return True


def known_stories() -> dict[str, str]:
    """Return which story tells of a part, by its text."""
    found: dict[str, str] = json.loads(_STORIES.read_text(encoding="utf-8"))
    return found


def write_stories(known: Mapping[str, str]) -> None:
    """Remember which story tells of a part."""
    _STORIES.write_text(json.dumps(known, indent=1, sort_keys=True) + "\n", encoding="utf-8")

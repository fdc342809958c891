"""Bodies: strict JSON, and for terms also a plain subset of YAML."""

import json
import re
from collections.abc import Mapping
from decimal import Decimal
from typing import Any, Final

import yaml

from shared.domain.errors import MalformedError, TooLargeError, UnsupportedMediaError, invalid
from shared.runtime.http import JSON_TYPE, body_bytes, parse_json

MAX_BODY: Final = 1024 * 1024
MAX_TERMS: Final = 128 * 1024
_MAX_DEPTH: Final = 32
_MAX_NODES: Final = 20_000
YAML_TYPES: Final = frozenset(
    {"application/yaml", "application/x-yaml", "text/yaml", "text/x-yaml"}
)
_TAGS: Final = frozenset(
    f"tag:yaml.org,2002:{kind}" for kind in ("str", "int", "float", "bool", "null", "map", "seq")
)


def json_body(event: Mapping[str, Any]) -> Any:  # noqa: ANN401 - any JSON value
    """Return the JSON body of a request.

    Raises:
        TooLargeError: over 1 MB.
        UnsupportedMediaError: declared as something else than JSON.
        MalformedError: no JSON.
    """
    raw = body_bytes(event, MAX_BODY)
    if _content_type(event) not in ("", JSON_TYPE):
        raise UnsupportedMediaError
    return _checked(parse_json(raw))


def definition_body(event: Mapping[str, Any]) -> dict[str, object]:
    """Return a definition file written in JSON or YAML.

    Raises:
        TooLargeError: over 128 KB.
        UnsupportedMediaError: declared as something else than JSON or YAML.
        MalformedError: neither.
        InvalidFieldsError: no object at the top, or a number that is not whole.
    """
    raw = body_bytes(event, MAX_BODY)
    if len(raw) > MAX_TERMS:
        raise TooLargeError
    kind = _content_type(event)
    if kind in YAML_TYPES:
        value = parse_yaml(raw)
    elif kind in ("", JSON_TYPE):
        value = parse_json(raw)
    else:
        raise UnsupportedMediaError
    value = _checked(value)
    if not isinstance(value, dict):
        raise invalid("$", "wrong_type", "must be an object")
    _refuse_decimals(value, "")
    return value


def definition_in(value: object, path: str) -> dict[str, object]:
    """Return a definition that is part of a JSON body.

    Raises:
        TooLargeError: over 128 KB.
        InvalidFieldsError: no object, or a number that is not whole.
    """
    if not isinstance(value, dict):
        raise invalid(path, "wrong_type", "must be an object")
    _refuse_decimals(value, path)
    if len(json.dumps(value).encode()) > MAX_TERMS:
        raise TooLargeError
    return value


def parse_yaml(raw: bytes) -> Any:  # noqa: ANN401 - any YAML value
    """Read plain YAML: UTF-8, no aliases, no tags, no duplicate keys, bounded depth.

    ``yes``, ``010`` and dates stay texts; only ``true``, ``false``, ``null`` and decimal numbers
    are something else.

    Raises:
        MalformedError: for anything else.
    """
    try:
        return yaml.load(raw.decode("utf-8"), Loader=_Loader)  # noqa: S506 - a SafeLoader
    except yaml.MarkedYAMLError as error:
        raise MalformedError(*_place(error)) from error
    except (yaml.YAMLError, ValueError, ArithmeticError, RecursionError) as error:
        raise MalformedError from error


def _place(error: yaml.MarkedYAMLError) -> tuple[str, ...]:
    mark = error.problem_mark
    return (f"line {mark.line + 1}, column {mark.column + 1}",) if mark else ()


class _Loader(yaml.SafeLoader):
    """Reads what JSON can say, in the clothes of YAML."""

    yaml_implicit_resolvers: dict[str, Any] = {}  # noqa: RUF012 - PyYAML's own registry

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self._depth = 0
        self._nodes = 0

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        """Refuse aliases, which can grow without bound, and too deep or too many nodes."""
        if self.check_event(yaml.events.AliasEvent):
            alias: Any = self.peek_event()  # type: ignore[no-untyped-call]
            raise yaml.MarkedYAMLError(problem_mark=alias.start_mark)
        self._depth += 1
        self._nodes += 1
        if self._depth > _MAX_DEPTH or self._nodes > _MAX_NODES:
            raise yaml.YAMLError
        node = super().compose_node(parent, index)
        self._depth -= 1
        return node

    def construct_object(self, node: yaml.Node, deep: bool = False) -> Any:  # noqa: ANN401, FBT001, FBT002
        """Refuse tags beyond those of JSON, such as dates, sets and bytes."""
        if node.tag not in _TAGS:
            raise yaml.MarkedYAMLError(problem_mark=node.start_mark)
        return super().construct_object(node, deep=deep)

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:  # noqa: FBT001, FBT002
        """Refuse keys that are no text or come twice."""
        names: set[str] = set()
        for key, _ in node.value:
            is_text = isinstance(key, yaml.ScalarNode) and key.tag == "tag:yaml.org,2002:str"
            if not is_text or key.value in names:
                raise yaml.MarkedYAMLError(problem_mark=key.start_mark)
            names.add(key.value)
        return super().construct_mapping(node, deep=deep)


for _kind, _pattern, _first in (
    ("bool", r"^(?:true|false)$", ["t", "f"]),
    ("null", r"^(?:~|null|)$", ["~", "n", ""]),
    ("int", r"^-?(?:0|[1-9][0-9]{0,17})$", list("-0123456789")),
    ("float", r"^-?(?:0|[1-9][0-9]{0,17})\.[0-9]{1,18}$", list("-0123456789")),
):
    _Loader.add_implicit_resolver(f"tag:yaml.org,2002:{_kind}", re.compile(_pattern), _first)


def _decimal(loader: yaml.SafeLoader, node: yaml.ScalarNode) -> Decimal:
    return Decimal(loader.construct_scalar(node))


_Loader.add_constructor("tag:yaml.org,2002:float", _decimal)


def _content_type(event: Mapping[str, Any]) -> str:
    header = (event.get("headers") or {}).get("content-type", "")
    return str(header).partition(";")[0].strip().lower()


def _checked(value: Any) -> Any:  # noqa: ANN401 - any JSON value
    """Refuse halves of surrogate pairs: no store takes them, and JSON can spell them."""
    try:
        json.dumps(value, ensure_ascii=False, default=str).encode("utf-8")
    except UnicodeEncodeError as error:
        raise MalformedError from error
    return value


def _refuse_decimals(value: object, path: str) -> None:
    if isinstance(value, Decimal):
        raise invalid(path, "number_not_allowed", 'write decimals as text, such as "12.5"')
    if isinstance(value, dict):
        for name, part in value.items():
            _refuse_decimals(part, f"{path}.{name}" if path else str(name))
    elif isinstance(value, list):
        for place, part in enumerate(value):
            _refuse_decimals(part, f"{path}[{place}]")

"""What a function imports, found by reading its source: nothing is run."""

from __future__ import annotations

import ast
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

FIRST_PARTY = ("functions", "shared")

LATE_IMPORTS = {
    "pydantic.EmailStr": "email_validator",
    "pydantic.NameEmail": "email_validator",
}
"""Names that import another package when they are used."""

DATA_FILES = {"shared.adapters.dynamodb.lean": "amazon_roots.pem"}
"""What a module reads from beside it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Closure:
    """The first-party modules that an entry point reaches and the other packages they name.

    ``files`` and ``data``, what modules read from beside them, are relative to the project's root;
    ``third_party`` are import names.
    """

    files: frozenset[Path]
    data: frozenset[Path]
    third_party: frozenset[str]


def import_closure(root: Path, entry: str) -> Closure:
    """Return everything that importing the module ``entry`` can reach.

    Imports inside functions count, those under ``if TYPE_CHECKING`` do not.

    Raises:
        FileNotFoundError: there is no such module.
    """
    if _module_file(root, entry) is None:
        raise FileNotFoundError(f"no module {entry} under {root}")
    files: set[Path] = set()
    data: set[Path] = set()
    third_party: set[str] = set()
    waiting = [entry]
    seen: set[str] = set()
    while waiting:
        module = waiting.pop()
        if module in seen:
            continue
        seen.add(module)
        top = module.partition(".")[0]
        if top not in FIRST_PARTY:
            if top not in sys.stdlib_module_names:
                third_party |= {top, LATE_IMPORTS.get(module, top)}
            continue
        # Importing a.b.c runs a and a.b first.
        if "." in module:
            waiting.append(module.rpartition(".")[0])
        file = _module_file(root, module)
        if file is None:
            continue  # `from package import name` where the name is no module
        files.add(file.relative_to(root))
        if module in DATA_FILES:
            data.add(file.with_name(DATA_FILES[module]).relative_to(root))
        waiting.extend(_imports(file, module))
    return Closure(files=frozenset(files), data=frozenset(data), third_party=frozenset(third_party))


def _module_file(root: Path, module: str) -> Path | None:
    base = root.joinpath(*module.split("."))
    for candidate in (base.with_suffix(".py"), base / "__init__.py"):
        if candidate.is_file():
            return candidate
    return None


def _imports(file: Path, module: str) -> Iterator[str]:
    package = module if file.name == "__init__.py" else module.rpartition(".")[0]
    for node in _runtime_nodes(ast.parse(file.read_text("utf-8"), str(file))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            source = _absolute(node, package)
            yield source
            yield from (f"{source}.{alias.name}" for alias in node.names)


def _absolute(node: ast.ImportFrom, package: str) -> str:
    if not node.level:
        return node.module or ""
    parents = package.split(".")
    base = parents[: len(parents) - node.level + 1]
    return ".".join([*base, *([node.module] if node.module else [])])


def _runtime_nodes(tree: ast.AST) -> Iterator[ast.AST]:
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.If) and _is_type_checking(node.test):
            for other in node.orelse:
                yield other
                yield from _runtime_nodes(other)
            continue
        yield node
        yield from _runtime_nodes(node)


def _is_type_checking(test: ast.expr) -> bool:
    return (isinstance(test, ast.Name) and test.id == "TYPE_CHECKING") or (
        isinstance(test, ast.Attribute) and test.attr == "TYPE_CHECKING"
    )

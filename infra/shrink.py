"""Compiles one function's modules without what it never runs.

Run by the Python that the bytecode is for: ``python infra/shrink.py FOLDER``. Every ``module.py``
becomes a ``module.pyc`` that is never checked against a source. Gone are docstrings, annotations,
``if TYPE_CHECKING``, and functions, classes, methods and constants that no module in the folder
names, with the imports that only they needed. Tracebacks keep files and lines.
"""

from __future__ import annotations

import ast
import importlib.util
import marshal
import sys
from pathlib import Path

ENTRY = "handler"
"""What Lambda calls; nobody else names it."""
FOR_TYPES = frozenset({"collections.abc", "typing"})
"""Modules that the sources import for their types alone."""
IN_LAMBDA = "/var/task"
_UNCHECKED_HASH = (1).to_bytes(4, "little")
_A_DOCSTRING = "-"
"""A dataclass without one writes one itself at every start, and that takes a while."""

Modules = dict[str, ast.Module]


class NeedsTypesError(Exception):
    """A module uses at run time what is only there for types."""


class _Eraser(ast.NodeTransformer):
    """Takes out docstrings, annotations and what only these need."""

    def visit_Module(self, node: ast.Module) -> ast.AST:
        return self.generic_visit(_without_docstring(node))

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.AST:
        node.returns = None
        return self.generic_visit(_without_docstring(node))

    def visit_ClassDef(self, node: ast.ClassDef) -> ast.AST:
        node.bases = [base for base in node.bases if not _names_in(base) & {"Generic"}]
        if ast.get_docstring(node) is not None:
            node.body[0] = ast.copy_location(ast.Expr(ast.Constant(_A_DOCSTRING)), node.body[0])
        # A dataclass looks whether there are annotations, and not at what they say.
        fields = [part for part in node.body if isinstance(part, ast.AnnAssign)]
        for part in fields:
            part.annotation = ast.copy_location(ast.Constant(0), part.annotation)
        node.body = [part if part in fields else self.visit(part) for part in node.body]
        return node

    def visit_arg(self, node: ast.arg) -> ast.AST:
        node.annotation = None
        return node

    def visit_AnnAssign(self, node: ast.AnnAssign) -> ast.AST | None:
        if node.value is None:
            return None
        return ast.copy_location(ast.Assign([node.target], self.visit(node.value)), node)

    def visit_If(self, node: ast.If) -> ast.AST | None:
        if isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING":
            return None
        return self.generic_visit(node)


def _without_docstring(
    node: ast.Module | ast.FunctionDef,
) -> ast.Module | ast.FunctionDef:
    """Take out all texts that stand alone: those under constants would be docstrings in turn."""
    node.body = [part for part in node.body if not _is_text(part)]
    if not node.body and isinstance(node, ast.FunctionDef):
        node.body = [ast.Pass()]
    return node


def _is_text(node: ast.stmt) -> bool:
    return (
        isinstance(node, ast.Expr)
        and isinstance(node.value, ast.Constant)
        and isinstance(node.value.value, str)
    )


def _names_in(node: ast.AST) -> set[str]:
    return {part.id for part in ast.walk(node) if isinstance(part, ast.Name)}


def shrunk(sources: dict[str, str]) -> Modules:
    """Return the modules by their names, without what none of them runs.

    Raises:
        NeedsTypesError: naming the module.
    """
    modules: Modules = {
        name: _Eraser().visit(ast.parse(text, name)) for name, text in sources.items()
    }
    while _drop_unnamed(modules):
        pass
    for name, tree in modules.items():
        for node in tree.body:
            if isinstance(node, ast.ImportFrom) and node.module in FOR_TYPES:
                needed = ", ".join(alias.name for alias in node.names)
                raise NeedsTypesError(f"{name} uses {needed} at run time")
        ast.fix_missing_locations(tree)
    return modules


def _drop_unnamed(modules: Modules) -> bool:
    """Take out definitions of what nobody names; tell whether there were any."""
    named = _named_in(modules)
    before = sum(1 for tree in modules.values() for _ in ast.walk(tree))
    for tree in modules.values():
        tree.body = [node for node in tree.body if not _defines(node) or _defines(node) & named]
        own = _names_in(tree)
        for node in list(tree.body):
            if isinstance(node, ast.ClassDef):
                node.body = [part for part in node.body if not _is_unused_method(part, named)]
            elif isinstance(node, ast.Import | ast.ImportFrom):
                node.names = [alias for alias in node.names if _bound(alias) in own]
                if not node.names:
                    tree.body.remove(node)
    return before > sum(1 for tree in modules.values() for _ in ast.walk(tree))


def _named_in(modules: Modules) -> set[str]:
    named = {ENTRY}
    for tree in modules.values():
        for node in ast.walk(tree):
            if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load):
                named.add(node.id)
            elif isinstance(node, ast.Attribute):
                named.add(node.attr)
            elif isinstance(node, ast.ImportFrom):
                named |= {alias.name for alias in node.names}
    return named


def _is_unused_method(node: ast.stmt, named: set[str]) -> bool:
    return (
        isinstance(node, ast.FunctionDef)
        and node.name not in named
        and not node.name.startswith("__")
    )


def _bound(alias: ast.alias) -> str:
    return alias.asname or alias.name.partition(".")[0]


def _defines(node: ast.stmt) -> set[str]:
    """Return the names that a statement defines, if it does nothing else."""
    if isinstance(node, ast.FunctionDef | ast.ClassDef):
        return {node.name}
    if isinstance(node, ast.Assign) and all(isinstance(to, ast.Name) for to in node.targets):
        calls = [part for part in ast.walk(node.value) if isinstance(part, ast.Call)]
        if all(_names_in(call.func) <= {"TypeVar", "frozenset", "timedelta"} for call in calls):
            return {to.id for to in node.targets if isinstance(to, ast.Name)}
    return set()


def main(folder: Path) -> None:
    """Put bytecode in the place of every source in ``folder``."""
    paths = {path.relative_to(folder).as_posix(): path for path in sorted(folder.rglob("*.py"))}
    sources = {name: path.read_text("utf-8") for name, path in paths.items()}
    for name, tree in shrunk(sources).items():
        code = compile(tree, f"{IN_LAMBDA}/{name}", "exec", dont_inherit=True, optimize=0)
        head = importlib.util.MAGIC_NUMBER + _UNCHECKED_HASH
        source_hash = importlib.util.source_hash(sources[name].encode())
        paths[name].with_suffix(".pyc").write_bytes(head + source_hash + marshal.dumps(code))
        paths[name].unlink()


if __name__ == "__main__":
    main(Path(sys.argv[1]))

"""Small changes of a module, each of which should make some test fail."""

from __future__ import annotations

import ast
from collections import Counter
from copy import deepcopy
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

_COMPARED: dict[type[ast.cmpop], tuple[type[ast.cmpop], ...]] = {
    ast.Lt: (ast.LtE, ast.GtE),
    ast.LtE: (ast.Lt, ast.Gt),
    ast.Gt: (ast.GtE, ast.LtE),
    ast.GtE: (ast.Gt, ast.Lt),
    ast.Eq: (ast.NotEq,),
    ast.NotEq: (ast.Eq,),
    ast.In: (ast.NotIn,),
    ast.NotIn: (ast.In,),
    ast.Is: (ast.IsNot,),
    ast.IsNot: (ast.Is,),
}
_RECKONED: dict[type[ast.operator], type[ast.operator]] = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.FloorDiv,
    ast.FloorDiv: ast.Mult,
    ast.Div: ast.Mult,
    ast.Mod: ast.Mult,
    ast.Pow: ast.Mult,
}
_CALLED = {"min": "max", "max": "min", "any": "all", "all": "any"}
_DROPPED = (ast.AugAssign, ast.Raise, ast.Continue, ast.Break, ast.Expr, ast.If)
# What no run depends on.
_LEFT_ALONE = {"annotation", "returns", "decorator_list", "type_params", "bases"}

Path = tuple[tuple[str, int | None], ...]
"""Fields, and places in them, from a module down to a node."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Mutant:
    """One change: ``name`` says where and what, in words that a moved line leaves as they are.

    ``function`` is the name of the function whose body is changed, or "" when the change takes
    place while the module is loaded.
    """

    module: str
    name: str
    function: str
    lines: range
    source: ast.Module
    path: Path
    replacement: ast.AST

    def __str__(self) -> str:
        return f"line {self.lines.start}, {self.name}"

    def tree(self) -> ast.Module:
        """Return the changed module."""
        changed = deepcopy(self.source)
        _put(changed, self.path, self.replacement)
        return ast.fix_missing_locations(changed)


def mutants(module: str, source: str) -> Iterator[Mutant]:
    """Yield every change of a module's source, in the order of the source."""
    tree = ast.parse(source)
    named = Counter[str]()
    for path, node, within in _walk(tree, (), _Within()):
        for replacement in _replacements(node):
            name = f"{module}.{within.name}: {_short(node)} -> {_short(replacement)}"
            if within.statement is not node and within.statement:
                name += f" in {_short(within.statement)}"
            named[name] += 1
            yield Mutant(
                module=module,
                name=name if named[name] == 1 else f"{name} ({named[name]})",
                function=within.function,
                lines=_lines(node),
                source=tree,
                path=path,
                replacement=replacement,
            )


def _lines(node: ast.AST) -> range:
    return range(getattr(node, "lineno", 0), getattr(node, "end_lineno", 0) + 1)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Within:
    name: str = ""
    function: str = ""
    statement: ast.stmt | None = None

    def entered(self, node: ast.AST, field: str) -> _Within:
        """Return where the fields of a node are."""
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            name = f"{self.name}.{node.name}".lstrip(".")
            in_body = isinstance(node, ast.FunctionDef) and field == "body"
            return replace(self, name=name, function=name if in_body else self.function)
        return self


def _walk(node: ast.AST, path: Path, within: _Within) -> Iterator[tuple[Path, ast.AST, _Within]]:
    for name, value in ast.iter_fields(node):
        if name in _LEFT_ALONE or (isinstance(node, ast.AnnAssign) and name == "target"):
            continue
        inside = within.entered(node, name)
        listed = isinstance(value, list)
        for place, child in enumerate(value) if listed else ((None, value),):
            if isinstance(child, ast.AST) and not _is_left_alone(child):
                here = (*path, (name, place))
                found = replace(inside, statement=child) if isinstance(child, ast.stmt) else inside
                yield here, child, found
                yield from _walk(child, here, found)


def _is_left_alone(node: ast.AST) -> bool:
    if isinstance(node, ast.Expr):
        return isinstance(node.value, ast.Constant)
    if isinstance(node, ast.If):
        return isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING"
    if isinstance(node, ast.keyword):
        # Lengths that differ are a mistake of ours: no input can bring it about.
        return node.arg == "strict"
    return isinstance(node, ast.JoinedStr | ast.Import | ast.ImportFrom)


def _replacements(node: ast.AST) -> Iterator[ast.AST]:
    if isinstance(node, ast.Compare) and len(node.ops) == 1:
        for other in _COMPARED[type(node.ops[0])]:
            yield ast.Compare(left=node.left, ops=[other()], comparators=node.comparators)
    elif isinstance(node, ast.BinOp) and type(node.op) in _RECKONED and not _is_text(node):
        yield ast.BinOp(left=node.left, op=_RECKONED[type(node.op)](), right=node.right)
    elif isinstance(node, ast.BoolOp):
        other_op = ast.Or() if isinstance(node.op, ast.And) else ast.And()
        yield ast.BoolOp(op=other_op, values=node.values)
    elif isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not | ast.USub):
        yield node.operand
    elif isinstance(node, ast.Constant):
        yield from _other_constants(node)
    elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load) and node.id in _CALLED:
        yield ast.Name(id=_CALLED[node.id], ctx=ast.Load())
    elif isinstance(node, ast.Return) and node.value and not _is_none(node.value):
        yield ast.Return(value=ast.Constant(value=None))
    elif isinstance(node, _DROPPED) or _sets_a_part(node):
        yield ast.Pass()


def _other_constants(node: ast.Constant) -> Iterator[ast.AST]:
    if isinstance(node.value, bool):
        yield ast.Constant(value=not node.value)
    elif isinstance(node.value, int):
        yield ast.Constant(value=node.value + 1)
        yield ast.Constant(value=node.value - 1)


def _is_text(node: ast.BinOp) -> bool:
    return any(
        isinstance(side, ast.JoinedStr)
        or (isinstance(side, ast.Constant) and isinstance(side.value, str))
        for side in (node.left, node.right)
    )


def _is_none(node: ast.AST) -> bool:
    return isinstance(node, ast.Constant) and node.value is None


def _sets_a_part(node: ast.AST) -> bool:
    return isinstance(node, ast.Assign) and all(
        isinstance(target, ast.Attribute | ast.Subscript) for target in node.targets
    )


def _put(tree: ast.AST, path: Path, replacement: ast.AST) -> None:
    parent = tree
    for name, place in path[:-1]:
        value = getattr(parent, name)
        parent = value if place is None else value[place]
    name, place = path[-1]
    if place is None:
        setattr(parent, name, replacement)
    else:
        getattr(parent, name)[place] = replacement


def _short(node: ast.AST) -> str:
    text = " ".join(ast.unparse(node).split())
    return text if len(text) <= 70 else f"{text[:67]}..."

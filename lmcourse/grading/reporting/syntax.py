"""The normal form of a program: what is left when names, comments, docstrings, type hints and layout are taken away.

Code comes from outside. It is parsed, never run, and what is too long, too deep or no Python falls back to its text.
"""

from __future__ import annotations

import ast
import builtins
import keyword
import re
import warnings
from functools import lru_cache

LONGEST = 10_000  # characters of an answer that are looked at
KEPT = {*keyword.kwlist, *dir(builtins)}


@lru_cache(maxsize=4096)
def normal_form(code: str) -> str:
    """Return `code` with its own names numbered by first appearance and without what says nothing about the idea.

    >>> print(normal_form("def f(x: int) -> int:\\n    'Doc.'\\n    y = x + 1  # one more\\n    return y"))
    def _0_(_1_):
        _2_ = _1_ + 1
        return _2_
    """
    code = code[:LONGEST]
    text = "\n".join("pass" if line[:1] in ("%", "!", "?") else line for line in code.splitlines())
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # a student's "\d" is no message to the instructor
            tree = _Bare().visit(ast.parse(text))
        return ast.unparse(_Renamed(_bound(tree)).visit(tree))
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return _without_syntax(text)


def _without_syntax(text: str) -> str:
    """The same in spirit for a text that is no Python."""
    numbers: dict[str, str] = {}

    def renamed(found: re.Match[str]) -> str:
        name = found[0]
        return name if name in KEPT or name[0].isdigit() else numbers.setdefault(name, f"_{len(numbers)}_")

    lines = (re.sub(r"(?<!\.)\b\w+", renamed, line.split("#", 1)[0]) for line in text.splitlines())
    return "\n".join(" ".join(line.split()) for line in lines if line.strip())


class _Bare(ast.NodeTransformer):
    """Takes docstrings and type hints away."""

    def generic_visit(self, node: ast.AST) -> ast.AST:
        super().generic_visit(node)
        if isinstance(node, (ast.Module, ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            first = node.body[0] if node.body else None
            if (
                isinstance(first, ast.Expr)
                and isinstance(first.value, ast.Constant)
                and isinstance(first.value.value, str)
            ):
                node.body = node.body[1:] or [ast.Pass()]
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            node.returns = None
        if isinstance(node, ast.arg):
            node.annotation = None
        return node

    def visit_AnnAssign(self, node: ast.AnnAssign) -> ast.AST:
        self.generic_visit(node)
        if node.value is None:
            return ast.Pass()
        return ast.copy_location(ast.Assign([node.target], node.value), node)


def _bound(tree: ast.AST) -> set[str]:
    """Return the names that the program itself gives: its functions, parameters and variables."""
    names = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            names.add(node.id)
        elif isinstance(node, ast.arg):
            names.add(node.arg)
        elif isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)) or (
            isinstance(node, ast.ExceptHandler) and node.name
        ):
            names.add(node.name)
    return names


class _Renamed(ast.NodeTransformer):
    """Numbers the program's own names in the order in which they appear."""

    def __init__(self, bound: set[str]) -> None:
        self.bound = bound
        self.numbers: dict[str, str] = {}

    def _new(self, name: str) -> str:
        return self.numbers.setdefault(name, f"_{len(self.numbers)}_") if name in self.bound else name

    def generic_visit(self, node: ast.AST) -> ast.AST:
        if isinstance(node, ast.Name):
            node.id = self._new(node.id)
        elif isinstance(node, ast.arg):
            node.arg = self._new(node.arg)
        elif isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)) or (
            isinstance(node, ast.ExceptHandler) and node.name
        ):
            node.name = self._new(node.name)
        elif isinstance(node, (ast.Global, ast.Nonlocal)):
            node.names = [self._new(name) for name in node.names]
        return super().generic_visit(node)

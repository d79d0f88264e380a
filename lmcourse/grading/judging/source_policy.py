"""The rule on whose code an answer may use, read from the notebook's text, where no running program can lie about it.

It follows the same names as `lmcourse.exercises.policy` does in the student's notebook, and is never stricter. Both
must be content. Neither outwits somebody who hides what is used: see what the report lists to look at.
"""

from __future__ import annotations

import ast
import dis
import types
import warnings
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from lmcourse.exercises.policy import ALWAYS, NEVER, is_allowed, names_in, said_of_use, uses_in

MAX_CHARACTERS = 200_000


@dataclass
class Names:
    """What the cells of a notebook define and import at their top level; what comes later counts."""

    functions: dict[str, types.CodeType] = field(default_factory=dict)
    modules: dict[str, str] = field(default_factory=dict)
    assigned: dict[str, set[str]] = field(default_factory=dict)
    # What an import, or `name = module.what`, calls by another name; and what runs when a function or class is used.
    taken: dict[str, str] = field(default_factory=dict)
    bodies: dict[str, list[types.CodeType]] = field(default_factory=dict)
    bound: set[str] = field(default_factory=set)

    @classmethod
    def of(cls, cells: Iterable[str]) -> Names:
        names = cls()
        for source in cells:
            names.add(source)
        return names

    def add(self, source: str) -> None:
        """Take in one more cell. One that cannot be compiled defines nothing when it is run, either."""
        if len(source) > MAX_CHARACTERS:
            return
        if source.lstrip().startswith("%%"):  # a cell magic: what it is given is below its line
            source = source.lstrip().partition("\n")[2]
        try:
            with warnings.catch_warnings(action="ignore"):
                tree = _parsed(source)
                flags = ast.PyCF_ALLOW_TOP_LEVEL_AWAIT
                code = compile(tree, "<cell>", "exec", flags=flags, dont_inherit=True)
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            return
        codes = {c.co_name: c for c in code.co_consts if isinstance(c, types.CodeType)}
        self._run_through(tree.body, codes)

    def _run_through(self, body: list[ast.stmt], codes: dict[str, types.CodeType]) -> None:
        for statement in body:
            match statement:
                case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.ClassDef():
                    self._bind(statement.name)
                    # What a decorator has made of it is not seen here, and not followed in the notebook either.
                    if not statement.decorator_list and statement.name in codes:
                        self.functions[statement.name] = codes[statement.name]
                        self.bodies[statement.name] = _bodies(statement, codes[statement.name])
                case ast.Import():
                    for alias in statement.names:
                        name = alias.asname or alias.name.split(".")[0]
                        self._bind(name)
                        self.modules[name] = alias.name if alias.asname else name
                case ast.ImportFrom():
                    for alias in statement.names:
                        self._bind(alias.asname or alias.name)
                        self.modules[alias.asname or alias.name] = statement.module or "."
                        self.taken[alias.asname or alias.name] = alias.name
                case _:
                    self._other(statement, codes)

    def _other(self, statement: ast.stmt, codes: dict[str, types.CodeType]) -> None:
        value = statement.value if isinstance(statement, ast.Assign) else None
        taken = self._taken_by(value)  # before the target is bound, for it may be the same name
        bodies = self.bodies.get(value.id) if isinstance(value, ast.Name) else None
        inner = [part for name in ("body", "orelse", "finalbody") for part in getattr(statement, name, [])]
        inner += [part for handler in getattr(statement, "handlers", []) for part in handler.body]
        for node in ast.walk(statement) if not inner else ():
            if isinstance(node, ast.Name) and not isinstance(node.ctx, ast.Load):
                self._bind(node.id)
        for header in ("target", "items"):  # of a loop, of `with`
            part = getattr(statement, header, None) if inner else None
            for node in part if isinstance(part, list) else [part] if part else []:
                for name in ast.walk(node):
                    if isinstance(name, ast.Name) and not isinstance(name.ctx, ast.Load):
                        self._bind(name.id)
        if isinstance(statement, ast.Assign):
            used = {n.id for n in ast.walk(statement.value) if isinstance(n, ast.Name)}
            targets = [t.id for t in statement.targets if isinstance(t, ast.Name)]
            self.assigned |= dict.fromkeys(targets, used)
            if taken:
                self.taken |= dict.fromkeys(targets, taken)
            if bodies:
                self.bodies |= dict.fromkeys(targets, bodies)
        self._run_through(inner, codes)

    def _bind(self, name: str) -> None:
        """Whatever the name stood for before, it does so no longer."""
        self.bound.add(name)
        for known in (self.functions, self.modules, self.assigned, self.taken, self.bodies):
            known.pop(name, None)

    def _taken_by(self, value: ast.expr | None) -> str | None:
        """Return the last name of `module.what`, or what `name` is called where it was imported from."""
        if isinstance(value, ast.Name):
            return self.taken.get(value.id)
        last = value.attr if isinstance(value, ast.Attribute) else None
        while isinstance(value, ast.Attribute):
            value = value.value
        return last if isinstance(value, ast.Name) and value.id in self.modules else None


def _bodies(statement: ast.stmt, code: types.CodeType) -> list[types.CodeType]:
    """Return a function's code, or that of a class's plain methods: what stands between them has run already."""
    if not isinstance(statement, ast.ClassDef):
        return [code]
    inner = {c.co_name: c for c in code.co_consts if isinstance(c, types.CodeType)}
    methods = [
        part.name
        for part in statement.body
        if isinstance(part, (ast.FunctionDef, ast.AsyncFunctionDef)) and not part.decorator_list
    ]
    return [inner[name] for name in methods if name in inner]


def _parsed(source: str) -> ast.Module:
    try:
        return ast.parse(source)  # plain Python means the same to IPython
    except SyntaxError:
        from IPython.core.inputtransformer2 import TransformerManager

        return ast.parse(TransformerManager().transform_cell(source))


def source_refusal(names: Names, name: str, allow: Sequence[str], refuse: Sequence[str] = ()) -> str | None:
    """Return why the answer `name` may not be judged, in words, or None.

    >>> source_refusal(Names.of(["import tiktoken", "def f(x): return tiktoken.encode(x)"]), "f", [])
    'tiktoken comes from tiktoken: this exercise is answered with your own code.'
    """
    allowed, seen, waiting = {*ALWAYS, *allow}, set(), [name]
    if name not in names.functions:  # name = something.else
        waiting += sorted(names.assigned.get(name, ()))
    while waiting:
        current = waiting.pop()
        code = names.functions.get(current)
        if current in seen:
            continue
        seen.add(current)
        if code is None:
            module = names.modules.get(current)
            if module and not is_allowed(module, allowed, own=None):
                return f"{current} comes from {module}: this exercise is answered with your own code."
            if current in NEVER and current not in names.bound:
                return f"{current}() is not used in answers: an exercise is judged by what your own code computes."
            continue
        for module in _imported_inside(code):
            if not is_allowed(module, allowed, own=None):
                return f"{current} imports {module}: this exercise is answered with your own code."
        waiting += sorted(names_in(code))
    return next((said_of_use(*use) for use in _uses(names, name) if use[1] in refuse), None)


def _uses(names: Names, name: str) -> Iterator[tuple[str, str]]:
    """Yield (who, what) for all that the answer `name` takes from elsewhere, each by the name that it has there."""
    if name in names.taken:
        yield name, names.taken[name]
    seen, waiting = set(), [name]
    while waiting:
        current = waiting.pop()
        if current in seen:
            continue
        seen.add(current)
        for code in names.bodies.get(current, ()):
            reached = sorted(names_in(code))
            yield from (
                (current, what) for root, what in uses_in(code) if root is None or root in names.modules
            )
            yield from ((current, names.taken[used]) for used in reached if used in names.taken)
            waiting += reached


def _imported_inside(code: types.CodeType) -> Iterator[str]:
    if dis.opmap["IMPORT_NAME"] in code.co_code[::2]:  # else there is nothing to look for
        for instruction in dis.get_instructions(code):
            if instruction.opname == "IMPORT_NAME":
                yield instruction.argval or "."
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            yield from _imported_inside(constant)
